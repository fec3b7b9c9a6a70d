// SPDX-License-Identifier: GPL-2.0-or-later
/* How much memory a pass found used: over time, and how this is distributed over the passes. */
#include "page-internal.h"

#include <math.h>

#include "base/textfmt.h"
#include "report/figure.h"
#include "report/overtime-text.h"
#include "report/working-set.h"

#define HEIGHT 44.0 /* of a lane, in pixels */

static double mib(guint64 pages)
{
	return (double)pages / 256;
}

/* --- over time -------------------------------------------------------------------------------------------------------- */

/* In seconds since 1970. */
static void time_of(const KxAccessMap *m, guint row, double *from, double *until)
{
	double origin = (double)m->origin_realtime_ns / 1e9;
	guint64 from_ns, until_ns;

	kx_access_row_time(m, row, &from_ns, &until_ns);
	*from = origin + (double)from_ns / 1e9;
	*until = origin + (double)until_ns / 1e9;
}

static gboolean has_sizes(const KxAccessMap *m)
{
	return m->rows->len && !m->size_na;
}

/* The largest working set, and the time, of all maps, so that their lanes can be compared. */
typedef struct {
	double most; /* MiB */
	double begin, end;
} Bounds;

static Bounds bounds_of(const KxOverTime *t)
{
	Bounds b = { 0, INFINITY, 0 };

	for (guint i = 0; i < t->maps->len; i++) {
		const KxAccessMap *m = t->maps->pdata[i];

		for (guint k = 0; has_sizes(m) && k < m->rows->len; k++) {
			double from, until;

			time_of(m, k, &from, &until);
			b.most = fmax(b.most, mib(kx_access_row(m, k)->found_max));
			b.begin = fmin(b.begin, from);
			b.end = fmax(b.end, until);
		}
	}
	return b;
}

static void draw_row(KxPage *p, const KxAxis *a, const Bounds *b, const KxAccessMap *m, guint row)
{
	const KxAccessRow *r = kx_access_row(m, row);
	double from, until, x, width;
	double low = HEIGHT * (1 - mib(r->found_min) / b->most);
	double high = HEIGHT * (1 - mib(r->found_max) / b->most);
	double mean = HEIGHT * (1 - mib(r->found) / r->passes / b->most);

	time_of(m, row, &from, &until);
	x = kx_axis_place(a, from - b->begin);
	width = fmax(kx_axis_place(a, until - b->begin) - x, 0.1);
	kx_html_open(p->h, "rect", "range");
	kx_html_attrf(p->h, "x", "%.3f%%", x);
	kx_html_attrf(p->h, "width", "%.3f%%", width);
	kx_html_attrf(p->h, "y", "%.2f", high);
	kx_html_attrf(p->h, "height", "%.2f", fmax(low - high, 0.5));
	kx_html_close(p->h);
	kx_html_open(p->h, "rect", "mean");
	kx_html_attrf(p->h, "x", "%.3f%%", x);
	kx_html_attrf(p->h, "width", "%.3f%%", width);
	kx_html_attrf(p->h, "y", "%.2f", mean - 1);
	kx_html_attr(p->h, "height", "2");
	kx_html_close(p->h);
}

static void lane(KxPage *p, const KxAxis *a, const Bounds *b, const KxAccessMap *m)
{
	g_autofree char *label = kx_access_map_label(m);
	guint64 least = G_MAXUINT64, most = 0;
	g_autofree char *low = NULL, *high = NULL;

	kx_plot_lane_open(p, label, a, (guint)HEIGHT);
	for (guint k = 0; k < m->rows->len; k++) {
		const KxAccessRow *r = kx_access_row(m, k);

		if (!r->passes)
			continue;
		draw_row(p, a, b, m, k);
		least = MIN(least, r->found_min);
		most = MAX(most, r->found_max);
	}
	kx_plot_lane_value(p);
	low = kx_text_pages_bytes(least == G_MAXUINT64 ? 0 : least);
	high = kx_text_pages_bytes(most);
	kx_html_textf(p->h, "%s to %s", low, high);
	kx_plot_lane_close(p);
}

static void table(KxPage *p, const KxAccessMap *m)
{
	static const char *const titles[] = { "time",  "passes", "mean",
					      "least", "most",	 "also in the\npass before",
					      NULL };
	g_autofree char *label = kx_access_map_label(m);
	g_autofree char *summary = g_strdup_printf("The working set by %s over time", label);

	kx_page_table_open(p, summary, NULL);
	kx_page_table_head(p, titles);
	for (guint k = 0; k < m->rows->len; k++) {
		const KxAccessRow *r = kx_access_row(m, k);
		g_autofree char *time = NULL;
		guint64 from_ns, until_ns;
		KxFigure stayed = { .value = r->before ? (double)r->stayed / (double)r->before : 0,
				    .low = NAN,
				    .high = NAN,
				    .na = m->pairs_na ? m->pairs_na
					  : r->before
						  ? NULL
						  : (char *)"no two passes followed each other" };
		g_autofree char *text = g_strdup_printf("%.2f %%", 100 * stayed.value);

		if (!r->passes)
			continue;
		kx_access_row_time(m, k, &from_ns, &until_ns);
		time = kx_tick_seconds((double)from_ns / 1e9);
		kx_page_row_open(p, time);
		kx_page_cell_take(p, g_strdup_printf("%u", r->passes));
		kx_page_cell_take(p, kx_text_pages_bytes(r->found / r->passes));
		kx_page_cell_take(p, kx_text_pages_bytes(r->found_min));
		kx_page_cell_take(p, kx_text_pages_bytes(r->found_max));
		kx_page_cell_figure(p, NULL, &stayed, text);
		kx_page_row_close(p);
	}
	kx_page_table_close(p);
}

static void over_time(KxPage *p, const KxPageVm *v, const KxOverTime *t)
{
	Bounds b = bounds_of(t);
	KxAxis a = kx_axis_until(b.end - b.begin);
	g_autofree char *begin = kx_page_time((gint64)(b.begin * 1e9));
	g_autofree char *axis = g_strdup_printf("time since %s", begin);
	g_autofree char *most = kx_text_pages_bytes((guint64)(b.most * 256));
	g_autofree char *title =
		g_strdup_printf("Memory that a pass found used: mean, and from the least to the "
				"most; each lane from 0 to %s",
				most);

	kx_plot_open(p, title, v->scope);
	for (guint i = 0; i < t->maps->len; i++) {
		if (has_sizes(t->maps->pdata[i]))
			lane(p, &a, &b, t->maps->pdata[i]);
	}
	kx_plot_axis(p, &a, kx_tick_seconds, axis);
	kx_plot_close(p);
	for (guint i = 0; i < t->maps->len; i++) {
		if (has_sizes(t->maps->pdata[i]))
			table(p, t->maps->pdata[i]);
	}
}

/* --- over passes ------------------------------------------------------------------------------------------------------ */

static const struct {
	const char *title, *key;
	double percent;
} percentiles[] = {
	{ "least", "wss_min", 0 },   { "5 %", "wss_p5", 5 },	 { "25 %", "wss_p25", 25 },
	{ "median", "wss_p50", 50 }, { "75 %", "wss_p75", 75 },	 { "95 %", "wss_p95", 95 },
	{ "99 %", "wss_p99", 99 },   { "most", "wss_max", 100 },
};

static char *mib_text(const KxFigure *f)
{
	g_autofree char *number = f->na ? NULL : kx_text_number(f->value);

	return number ? g_strconcat(number, " MiB", NULL) : NULL;
}

static KxFigure figure_of(const KxAccessMap *m, double pages)
{
	if (isfinite(pages))
		return kx_figure(pages / 256, m->sizes->len);
	return kx_unavailable(m->size_na ? m->size_na : "no pass was completed");
}

static double percentile(const KxAccessMap *m, double percent)
{
	double pages = kx_access_size_at(m, percent / 100);

	return isfinite(pages) ? pages / 256 : 0;
}

static void box(KxPage *p, const KxAxis *a, const KxAccessMap *m)
{
	g_autofree char *label = kx_access_map_label(m);
	KxFigure median = figure_of(m, kx_access_size_at(m, 0.5));
	g_autofree char *text = mib_text(&median);

	kx_plot_lane_open(p, label, a, 20);
	kx_plot_bar(p, a, "mean", percentile(m, 0), percentile(m, 100), 9, 2);
	kx_plot_bar(p, a, "range", percentile(m, 5), percentile(m, 95), 5, 10);
	kx_plot_bar(p, a, "range", percentile(m, 25), percentile(m, 75), 2, 16);
	if (!median.na)
		kx_plot_mark(p, a, "chance", median.value, 10);
	kx_plot_lane_value(p);
	kx_page_value(p, "wss_p50", &median, text);
	kx_plot_lane_close(p);
	kx_figure_clear(&median);
}

static void percentile_row(KxPage *p, const KxAccessMap *m)
{
	g_autofree char *label = kx_access_map_label(m);
	KxFigure mean = figure_of(m, kx_working_set(m).mean);
	g_autofree char *mean_text = mib_text(&mean);

	kx_page_row_open(p, label);
	kx_page_cell(p, m->options);
	kx_page_cell_figure(p, "wss_mean", &mean, mean_text);
	for (guint i = 0; i < G_N_ELEMENTS(percentiles); i++) {
		KxFigure f = figure_of(m, kx_access_size_at(m, percentiles[i].percent / 100));
		g_autofree char *text = mib_text(&f);

		kx_page_cell_figure(p, percentiles[i].key, &f, text);
		kx_figure_clear(&f);
	}
	kx_page_row_close(p);
	kx_figure_clear(&mean);
}

static void distribution(KxPage *p, const KxPageVm *v, const KxOverTime *t)
{
	const char *titles[G_N_ELEMENTS(percentiles) + 4] = { "tracker", "options", "mean" };
	KxAxis a = kx_axis_linear((KxExtent){ 0, bounds_of(t).most });

	for (guint i = 0; i < G_N_ELEMENTS(percentiles); i++)
		titles[3 + i] = percentiles[i].title;
	kx_plot_open(p,
		     "Distribution over passes: line from least to most, bars for the middle 90 "
		     "and 50 percent, mark and value for the median",
		     v->scope);
	for (guint i = 0; i < t->maps->len; i++) {
		if (has_sizes(t->maps->pdata[i]))
			box(p, &a, t->maps->pdata[i]);
	}
	kx_plot_axis(p, &a, kx_tick_mib, "memory that a pass found used");
	kx_plot_close(p);
	kx_page_table_open(p, "The distribution in numbers", v->scope);
	kx_page_table_head(p, titles);
	for (guint i = 0; i < t->maps->len; i++) {
		if (has_sizes(t->maps->pdata[i]))
			percentile_row(p, t->maps->pdata[i]);
	}
	kx_page_table_close(p);
}

/* --- all of it -------------------------------------------------------------------------------------------------------- */

/* Names the trackers whose passes do not show how much memory was used. */
static void without_size(KxPage *p, const KxOverTime *t)
{
	for (guint i = 0; i < t->maps->len; i++) {
		const KxAccessMap *m = t->maps->pdata[i];
		g_autofree char *label = kx_access_map_label(m);

		if (m->rows->len && m->size_na) {
			kx_html_open(p->h, "p", "absent");
			kx_html_textf(p->h, "%s: n/a: %s.", label, m->size_na);
			kx_html_close(p->h);
		}
	}
}

static void working_set_of(KxPage *p, const KxPageVm *v)
{
	const KxOverTime *t = v->v->over_time;
	gboolean any = FALSE;

	if (!t || t->na) {
		kx_page_absent(p, t ? t->na : "the report was made without heat over time");
		return;
	}
	for (guint i = 0; i < t->maps->len; i++)
		any |= has_sizes(t->maps->pdata[i]);
	if (any) {
		over_time(p, v, t);
		distribution(p, v, t);
	}
	without_size(p, t);
	if (!any && !kx_access_main_map(t))
		kx_page_absent(p, "no tracker has found anything yet");
}

void kx_page_working_set(KxPage *p)
{
	for (guint i = 0; i < p->vms->len; i++) {
		kx_page_vm_heading(p, p->vms->pdata[i]);
		working_set_of(p, p->vms->pdata[i]);
	}
	if (!p->vms->len)
		kx_page_absent(p, KX_PAGE_NO_HEAT);
}
