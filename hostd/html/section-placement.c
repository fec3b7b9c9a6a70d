// SPDX-License-Identifier: GPL-2.0-or-later
/* On which NUMA nodes of the host the VM's memory lies, hot and cold apart. */
#include "page-internal.h"

#include <math.h>

#include "base/textfmt.h"
#include "report/cells.h"
#include "report/placed.h"

static char *mib_text(const KxFigure *f)
{
	g_autofree char *value = kx_text_number(f->value);
	g_autofree char *low = NULL, *high = NULL;

	if (!isfinite(f->low))
		return g_strconcat(value, " MiB", NULL);
	low = kx_text_number(f->low);
	high = kx_text_number(f->high);
	return g_strdup_printf("%s MiB [%s, %s]", value, low, high);
}

/* Takes @f. */
static void value(KxPage *p, const char *key, KxFigure f)
{
	g_autofree char *text = f.na ? NULL : mib_text(&f);

	kx_page_value(p, key, &f, text);
	kx_figure_clear(&f);
}

/* What lies on one node, or on none. */
typedef struct {
	char *label;
	KxFigure hot, rest;
} Place;

static void place_clear(gpointer data)
{
	Place *place = data;

	g_free(place->label);
	kx_figure_clear(&place->hot);
	kx_figure_clear(&place->rest);
}

static GArray *places_of(const KxPlacement *p)
{
	GArray *places = g_array_new(FALSE, FALSE, sizeof(Place));
	Place absent = { g_strdup("not mapped by QEMU"), kx_placed_hot(p, p->hot_absent),
			 kx_placed_rest(p, p->rest_absent) };

	g_array_set_clear_func(places, place_clear);
	for (guint i = 0; i < p->nodes->len; i++) {
		const KxPlacedNode *n = &g_array_index(p->nodes, KxPlacedNode, i);
		Place place = { g_strdup_printf("node %u%s%s", n->node,
						p->slow_na ? ""
						: n->slow  ? ", slow"
							   : ", fast",
						n->cpus ? "" : ", no CPUs"),
				kx_placed_hot(p, n->hot), kx_placed_rest(p, n->rest) };

		g_array_append_val(places, place);
	}
	g_array_append_val(places, absent);
	return places;
}

static double of(const KxFigure *f)
{
	return f->na ? 0 : f->value;
}

static void draw(KxPage *p, const KxPageVm *v, const KxPlacement *placement)
{
	g_autoptr(GArray) places = places_of(placement);
	const char *rest = placement->hot_na ? "memory" : "cold";
	KxExtent e = { 0, NAN };
	KxAxis a;

	for (guint i = 0; i < places->len; i++) {
		const Place *place = &g_array_index(places, Place, i);

		kx_extent_add(&e, of(&place->hot) + of(&place->rest));
	}
	a = kx_axis_linear(e);
	kx_plot_open(p, "The VM's memory on each node", v->scope);
	kx_plot_legend_open(p);
	if (!placement->hot_na)
		kx_plot_legend(p, "bar hot", "hot");
	kx_plot_legend(p, "bar cold", rest);
	kx_plot_legend_close(p);
	for (guint i = 0; i < places->len; i++) {
		const Place *place = &g_array_index(places, Place, i);

		kx_plot_lane_open(p, place->label, &a, 20);
		kx_plot_bar(p, &a, "hot", 0, of(&place->hot), 3, 14);
		kx_plot_bar(p, &a, "cold", of(&place->hot), of(&place->hot) + of(&place->rest), 3,
			    14);
		kx_plot_lane_value(p);
		if (!placement->hot_na) {
			value(p, "hot", kx_figure_copy(&place->hot));
			kx_html_text(p->h, " hot, ");
		}
		value(p, rest, kx_figure_copy(&place->rest));
		kx_html_textf(p->h, " %s", placement->hot_na ? "" : "cold");
		kx_plot_lane_close(p);
	}
	kx_plot_axis(p, &a, kx_tick_mib, "memory");
	kx_plot_close(p);
}

static void sums(KxPage *p, const KxPageVm *v, const KxPlacement *placement)
{
	kx_html_open(p->h, "p", NULL);
	kx_html_attr(p->h, "data-scope", v->scope);
	kx_html_text(p->h, "Hot memory on slow nodes: ");
	value(p, "hot_on_slow", kx_placed_hot_on_slow(placement));
	kx_html_text(p->h, "; cold memory on fast nodes: ");
	value(p, "cold_on_fast", kx_placed_cold_on_fast(placement));
	kx_html_text(p->h, ".");
	kx_html_close(p->h);
}

static void placement_of(KxPage *p, const KxPageVm *v)
{
	const KxPlacement *placement = v->v->placement;
	g_autoptr(GPtrArray) sentences = NULL;

	if (!placement || placement->na) {
		kx_page_absent(p, placement
					  ? placement->na
					  : "the report was made without the placement of memory");
		return;
	}
	draw(p, v, placement);
	sums(p, v, placement);
	sentences = kx_placed_sentences(placement);
	for (guint i = 0; i < sentences->len; i++)
		kx_html_element(p->h, "p", "small", sentences->pdata[i]);
}

void kx_page_placement(KxPage *p)
{
	for (guint i = 0; i < p->vms->len; i++) {
		kx_page_vm_heading(p, p->vms->pdata[i]);
		placement_of(p, p->vms->pdata[i]);
	}
	if (!p->vms->len)
		kx_page_absent(p, "only the report of an attached VM shows where its memory lies "
				  "(kvm-ext report)");
}
