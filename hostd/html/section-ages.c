// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory by the time since a tracker found it last. */
#include "page-internal.h"

#include <math.h>

#include "base/textfmt.h"
#include "report/overtime-text.h"
#include "report/working-set.h"

/* Memory of one age; the age of the last entry is not known, because its memory was never found. */
typedef struct {
	char *name;
	double mib;
	gboolean is_known;
} Age;

static void age_clear(gpointer data)
{
	g_free(((Age *)data)->name);
}

static void add_class(GArray *ages, const KxAgeClass *c)
{
	g_autofree char *from = kx_tick_seconds((double)c->from_ns / 1e9);
	g_autofree char *until = kx_tick_seconds((double)c->until_ns / 1e9);
	Age age = { .mib = (double)c->pages / 256, .is_known = TRUE };

	age.name = c->until_ns == G_MAXUINT64 ? g_strdup_printf("%s or more", from)
					      : g_strdup_printf("%s to %s", from, until);
	g_array_append_val(ages, age);
}

/* The ages (Age), the youngest first. @m has ages. */
static GArray *ages_by(const KxPageVm *v, const KxAccessMap *m)
{
	g_autoptr(GArray) classes = kx_access_age_classes(m);
	guint64 known = kx_access_pages_known(m);
	GArray *ages = g_array_new(FALSE, FALSE, sizeof(Age));
	Age never = { .name = g_strdup("never found"),
		      .mib = (double)(v->v->ram_pages - MIN(known, v->v->ram_pages)) / 256,
		      .is_known = v->v->ram_pages > 0 };

	g_array_set_clear_func(ages, age_clear);
	for (guint i = 0; classes && i < classes->len; i++)
		add_class(ages, &g_array_index(classes, KxAgeClass, i));
	g_array_append_val(ages, never);
	return ages;
}

static char *age_text(const Age *age)
{
	g_autofree char *number = kx_text_number(age->mib);

	return age->is_known ? g_strconcat(number, " MiB", NULL)
			     : g_strdup("n/a: the size of the VM's memory is not known");
}

static void draw(KxPage *p, const KxPageVm *v, const KxAccessMap *m)
{
	g_autofree char *label = kx_access_map_label(m);
	g_autofree char *title = g_strdup_printf(
		"Memory by the time since a pass found it last, by %s (%s)", label, m->options);
	g_autoptr(GArray) ages = ages_by(v, m);
	KxExtent e = { 0, NAN };
	KxAxis a;

	for (guint i = 0; i < ages->len; i++)
		kx_extent_add(&e, g_array_index(ages, Age, i).mib);
	a = kx_axis_linear(e);
	kx_plot_open(p, title, v->scope);
	for (guint i = 0; i < ages->len; i++) {
		const Age *age = &g_array_index(ages, Age, i);
		g_autofree char *text = age_text(age);

		kx_plot_lane_open(p, age->name, &a, 20);
		kx_plot_bar(p, &a, "cold", 0, age->is_known ? age->mib : 0, 3, 14);
		kx_plot_lane_value(p);
		kx_html_text(p->h, text);
		kx_plot_lane_close(p);
	}
	kx_plot_axis(p, &a, kx_tick_mib, "memory");
	kx_plot_close(p);
}

static void rows_of(KxPage *p, const KxPageVm *v, const KxAccessMap *m)
{
	g_autofree char *label = kx_access_map_label(m);
	g_autoptr(GArray) ages = m->ages_ns->len ? ages_by(v, m) : NULL;

	for (guint i = 0; ages && i < ages->len; i++) {
		const Age *age = &g_array_index(ages, Age, i);

		kx_page_row_open(p, label);
		kx_page_cell(p, m->options);
		kx_page_cell(p, age->name);
		kx_page_cell_take(p, age_text(age));
		kx_page_row_close(p);
	}
	if (ages)
		return;
	kx_page_row_open(p, label);
	kx_page_cell(p, m->options);
	kx_page_cell(p, "-");
	kx_page_cell_figure(
		p, NULL,
		&(KxFigure){ .na = m->ages_na ? m->ages_na : (char *)"its map has no ages" }, NULL);
	kx_page_row_close(p);
}

static void table(KxPage *p, const KxPageVm *v, const KxOverTime *t)
{
	static const char *const titles[] = { "tracker", "options", "not found for", "memory",
					      NULL };

	kx_page_table_open(p, "The ages by each tracker", v->scope);
	kx_page_table_head(p, titles);
	for (guint i = 0; i < t->maps->len; i++) {
		if (((const KxAccessMap *)t->maps->pdata[i])->rows->len)
			rows_of(p, v, t->maps->pdata[i]);
	}
	kx_page_table_close(p);
}

/* The map to draw: kx_access_main_map(), but if it has no ages and another map has, the latest such map. NULL: there is no map. */
static const KxAccessMap *drawn(const KxOverTime *t)
{
	const KxAccessMap *m = kx_access_main_map(t);

	for (guint i = 0; (!m || !m->ages_ns->len) && i < t->maps->len; i++) {
		const KxAccessMap *other = t->maps->pdata[t->maps->len - 1 - i];

		if (other->rows->len && other->ages_ns->len)
			m = other;
	}
	return m;
}

static void notes(KxPage *p, const KxAccessMap *m)
{
	g_autofree char *grain = kx_text_pages_bytes(m->age_grain);
	g_autofree char *interval = kx_text_ns((double)m->interval_ns);
	g_autofree char *time = kx_text_ns((double)(m->last_end_ns - m->first_end_ns));

	if (m->ages_na || !m->ages_ns->len)
		return;
	kx_html_open(p->h, "p", "small");
	kx_html_textf(
		p->h,
		"At the end of the tracker's last pass. Nothing can be older than the %s from "
		"its first pass to its last; memory that it never found may be of any age. "
		"%s of memory have one age, that of the page found last%s%s.",
		time, grain, m->interval_ns ? "; ages are known to the time between passes, " : "",
		m->interval_ns ? interval : "");
	kx_html_close(p->h);
}

static void ages_of(KxPage *p, const KxPageVm *v)
{
	const KxOverTime *t = v->v->over_time;
	const KxAccessMap *m = t && !t->na ? drawn(t) : NULL;

	if (!m) {
		kx_page_absent(p, !t	  ? "the report was made without heat over time"
				  : t->na ? t->na
					  : "no tracker has found anything yet");
		return;
	}
	draw(p, v, m);
	notes(p, m);
	table(p, v, t);
}

void kx_page_ages(KxPage *p)
{
	for (guint i = 0; i < p->vms->len; i++) {
		kx_page_vm_heading(p, p->vms->pdata[i]);
		ages_of(p, p->vms->pdata[i]);
	}
	if (!p->vms->len)
		kx_page_absent(p, KX_PAGE_NO_HEAT);
}
