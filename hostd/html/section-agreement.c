// SPDX-License-Identifier: GPL-2.0-or-later
/* How far trackers agree on what is hot. */
#include "page-internal.h"

#include <math.h>

#include "base/textfmt.h"

static const char *const titles[] = { "tracker",   "and",     "share in both",
				      "by chance", "Jaccard", "size of each set",
				      "samples",   NULL };

/* The shares are not estimates with intervals. */
static KxFigure share_of(const KxAgreement *g, double value)
{
	return (KxFigure){ .value = value, .low = NAN, .high = NAN, .na = g->na };
}

static char *share_text(double value)
{
	return g_strdup_printf("%.2f", value);
}

static void draw(KxPage *p, const KxPageVm *v, const KxHeatReport *h)
{
	KxAxis a = kx_axis_linear((KxExtent){ 0, 1 });

	kx_plot_open(p,
		     "Share of one tracker's hottest pages that are among the other's, of two "
		     "sets of equal size",
		     v->scope);
	kx_plot_legend_open(p);
	kx_plot_legend(p, "host", "found by both");
	kx_plot_legend(p, "chance", "by chance");
	kx_plot_legend_close(p);
	for (guint i = 0; i < h->agreement->len; i++) {
		const KxAgreement *g = h->agreement->pdata[i];
		g_autofree char *label = g_strdup_printf("%s - %s", g->a, g->b);
		g_autofree char *text = share_text(g->f1);
		KxFigure f1 = share_of(g, g->f1);

		kx_plot_lane_open(p, label, &a, 20);
		if (!g->na)
			kx_plot_mark(p, &a, "chance", g->by_chance, 10);
		kx_plot_figure(p, &a, "host", &f1, 10);
		kx_plot_lane_value(p);
		kx_page_value(p, "f1", &f1, text);
		kx_plot_lane_close(p);
	}
	kx_plot_axis(p, &a, kx_tick_number, "share");
	kx_plot_close(p);
}

static void table_row(KxPage *p, const KxAgreement *g)
{
	g_autofree char *label = g_strdup_printf("%s - %s", g->a, g->b);
	const struct {
		const char *key;
		double value;
	} shares[] = { { "f1", g->f1 }, { "by_chance", g->by_chance }, { "jaccard", g->jaccard } };

	kx_html_open(p->h, "tr", NULL);
	kx_html_attr(p->h, "data-row", label);
	kx_html_element(p->h, "th", NULL, g->a);
	kx_html_element(p->h, "th", NULL, g->b);
	for (guint i = 0; i < G_N_ELEMENTS(shares); i++) {
		KxFigure f = share_of(g, shares[i].value);
		g_autofree char *text = share_text(shares[i].value);

		kx_page_cell_figure(p, shares[i].key, &f, text);
	}
	kx_page_cell_take(p, g->na ? g_strdup("-") : kx_text_pages_bytes(g->bytes / 4096));
	kx_page_cell_take(p, g_strdup_printf("%" G_GUINT64_FORMAT " / %" G_GUINT64_FORMAT,
					     g->samples_a, g->samples_b));
	kx_html_close(p->h);
}

static void agreement_of(KxPage *p, const KxPageVm *v)
{
	const KxHeatReport *h = v->v->heat;

	if (!h || !h->agreement->len) {
		kx_page_absent(p, h ? "fewer than two trackers have found anything in this VM"
				    : "the report has no heat");
		return;
	}
	draw(p, v, h);
	kx_page_table_open(p, "The pairs one by one", v->scope);
	kx_page_table_head(p, titles);
	for (guint i = 0; i < h->agreement->len; i++)
		table_row(p, h->agreement->pdata[i]);
	kx_page_table_close(p);
}

void kx_page_agreement(KxPage *p)
{
	for (guint i = 0; i < p->vms->len; i++) {
		kx_page_vm_heading(p, p->vms->pdata[i]);
		agreement_of(p, p->vms->pdata[i]);
	}
	if (!p->vms->len)
		kx_page_absent(p, KX_PAGE_NO_HEAT);
}
