// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pictures as rows: a label and a value in HTML, and between them a lane in SVG. Places in lanes are percentages, so that a
 * picture has the width of its page, from a phone to a printer, and its texts keep their size.
 */
#include "page-internal.h"

#include <math.h>

#define LANE 20u /* height of the lane of a series, in pixels */

/* --- rows ------------------------------------------------------------------------------------------------------------- */

void kx_plot_open(KxPage *p, const char *title, const char *scope)
{
	kx_html_open(p->h, "figure", "plot");
	if (scope)
		kx_html_attr(p->h, "data-scope", scope);
	kx_html_element(p->h, "figcaption", NULL, title);
}

void kx_plot_close(KxPage *p)
{
	kx_html_close(p->h);
}

void kx_plot_legend_open(KxPage *p)
{
	kx_html_open(p->h, "p", "legend");
}

void kx_plot_legend(KxPage *p, const char *class, const char *words)
{
	kx_html_open(p->h, "span", NULL);
	kx_html_open(p->h, "svg", "key");
	kx_html_attr(p->h, "aria-hidden", "true");
	kx_plot_mark(p, &(KxAxis){ .low = 0, .high = 1 }, class, 0.5, 8);
	kx_html_close(p->h);
	kx_html_text(p->h, words);
	kx_html_close(p->h);
}

void kx_plot_legend_close(KxPage *p)
{
	kx_html_close(p->h);
}

static void grid(KxPage *p, const KxAxis *a)
{
	for (guint i = 0; i < a->n; i++) {
		double x = kx_axis_place(a, a->ticks[i]);

		kx_html_open(p->h, "line", "grid");
		kx_html_attrf(p->h, "x1", "%.3f%%", x);
		kx_html_attrf(p->h, "x2", "%.3f%%", x);
		kx_html_attr(p->h, "y1", "0");
		kx_html_attr(p->h, "y2", "100%");
		kx_html_close(p->h);
	}
}

static void open_svg(KxPage *p, guint height)
{
	kx_html_open(p->h, "svg", "lane");
	kx_html_attrf(p->h, "height", "%u", height);
	kx_html_attr(p->h, "aria-hidden", "true"); /* the row's value says the same */
}

void kx_plot_lane_open(KxPage *p, const char *label, const KxAxis *a, guint height)
{
	kx_html_open(p->h, "div", "row");
	if (label)
		kx_html_attr(p->h, "data-row", label);
	kx_html_open(p->h, "div", "label");
	kx_html_name(p->h, label ? label : "");
	kx_html_close(p->h);
	open_svg(p, height);
	grid(p, a);
}

void kx_plot_lane_value(KxPage *p)
{
	kx_html_close(p->h); /* svg */
	kx_html_open(p->h, "div", "value");
}

void kx_plot_lane_close(KxPage *p)
{
	kx_html_close(p->h);
	kx_html_close(p->h);
}

void kx_plot_axis(KxPage *p, const KxAxis *a, char *(*tick)(double value), const char *title)
{
	kx_html_open(p->h, "div", "row axis");
	kx_html_element(p->h, "div", "label", "");
	open_svg(p, 34);
	for (guint i = 0; i < a->n; i++) {
		g_autofree char *text = tick(a->ticks[i]);
		g_autofree char *x = g_strdup_printf("%.3f%%", kx_axis_place(a, a->ticks[i]));

		kx_html_svg_text(p->h, NULL, x, "13", text);
	}
	kx_html_svg_text(p->h, "title", "50%", "30", title);
	kx_html_close(p->h);
	kx_html_element(p->h, "div", "value", "");
	kx_html_close(p->h);
}

/* --- marks ------------------------------------------------------------------------------------------------------------ */

/* Each class of marks has a shape, so that colour alone tells nothing. */
static const struct {
	const char *class, *path;
} shapes[] = {
	{ "host", "M-4.5 0A4.5 4.5 0 1 0 4.5 0A4.5 4.5 0 1 0 -4.5 0Z" },
	{ "guest", "M0 -6L6 0L0 6L-6 0Z" },
	{ "total", "M-4 -4H4V4H-4Z" },
	{ "chance", "M-1 -8H1V8H-1Z" },
	{ "below", "M0 0L9 -5V5Z" },
	{ "above", "M0 0L-9 -5V5Z" },
	{ "bar", "M-8 -6H8V6H-8Z" },
};

static void mark(KxPage *p, const char *class, const char *colour, double x, double y)
{
	const char *path = shapes[G_N_ELEMENTS(shapes) - 1].path;

	for (guint i = 0; i < G_N_ELEMENTS(shapes); i++) {
		if (g_str_equal(shapes[i].class, class))
			path = shapes[i].path;
	}
	kx_html_open(p->h, "svg", "mark");
	kx_html_attrf(p->h, "x", "%.3f%%", x);
	kx_html_attrf(p->h, "y", "%g", y);
	kx_html_open(p->h, "path", colour);
	kx_html_attr(p->h, "d", path);
	kx_html_close(p->h);
	kx_html_close(p->h);
}

void kx_plot_mark(KxPage *p, const KxAxis *a, const char *class, double value, double y)
{
	double x = kx_axis_place(a, value);

	if (x < 0)
		mark(p, "below", class, 0, y);
	else if (x > 100)
		mark(p, "above", class, 100, y);
	else
		mark(p, class, class, x, y);
}

void kx_plot_bar(KxPage *p, const KxAxis *a, const char *class, double from, double to, double y,
		 double height)
{
	double x = CLAMP(kx_axis_place(a, from), 0, 100), end = CLAMP(kx_axis_place(a, to), 0, 100);

	kx_html_open(p->h, "rect", class);
	kx_html_attrf(p->h, "x", "%.3f%%", x);
	kx_html_attrf(p->h, "width", "%.3f%%", end - x);
	kx_html_attrf(p->h, "y", "%g", y);
	kx_html_attrf(p->h, "height", "%g", height);
	kx_html_close(p->h);
}

void kx_plot_title(KxPage *p, const char *words)
{
	kx_html_element(p->h, "title", NULL, words);
}

static void interval(KxPage *p, const KxAxis *a, const char *class, const KxFigure *f, double y)
{
	g_autofree char *span = g_strconcat("span ", class, NULL);
	double low = kx_axis_place(a, f->low), high = kx_axis_place(a, f->high);

	if (high > 0 && low < 100) {
		kx_html_open(p->h, "line", span);
		kx_html_attrf(p->h, "x1", "%.3f%%", MAX(low, 0));
		kx_html_attrf(p->h, "x2", "%.3f%%", MIN(high, 100));
		kx_html_attrf(p->h, "y1", "%g", y);
		kx_html_attrf(p->h, "y2", "%g", y);
		kx_html_close(p->h);
	}
	if (low < 0)
		mark(p, "below", class, 0, y);
	if (high > 100)
		mark(p, "above", class, 100, y);
}

void kx_plot_figure(KxPage *p, const KxAxis *a, const char *class, const KxFigure *f, double y)
{
	if (f->na)
		return;
	if (isfinite(f->low) && isfinite(f->high))
		interval(p, a, class, f, y);
	kx_plot_mark(p, a, class, f->value, y);
}

/* --- dots ------------------------------------------------------------------------------------------------------------- */

static void row_free(gpointer data)
{
	KxPlotRow *row = data;

	for (guint i = 0; i < KX_SERIES_MAX; i++)
		g_free(row->texts[i]);
	g_free(row->label);
	g_free(row);
}

GPtrArray *kx_plot_rows_new(void)
{
	return g_ptr_array_new_with_free_func(row_free);
}

KxPlotRow *kx_plot_row_add(GPtrArray *rows, char *label)
{
	KxPlotRow *row = g_new0(KxPlotRow, 1);

	row->label = label;
	g_ptr_array_add(rows, row);
	return row;
}

static KxAxis axis_of(const KxPlot *plot, const GPtrArray *rows)
{
	void (*add)(KxExtent * e, double value) = plot->is_log ? kx_extent_add_log : kx_extent_add;
	KxExtent e = KX_EXTENT_EMPTY;

	add(&e, plot->also);
	for (guint i = 0; i < rows->len; i++) {
		const KxPlotRow *row = rows->pdata[i];

		for (guint k = 0; k < plot->n; k++) {
			const KxFigure *f = row->figures[k];

			if (f->na)
				continue;
			add(&e, f->value);
			add(&e, f->low);
			add(&e, f->high);
		}
	}
	return plot->is_log ? kx_axis_log(e) : kx_axis_linear(e);
}

static gboolean anybody_has(const GPtrArray *rows, guint series)
{
	for (guint i = 0; i < rows->len; i++) {
		if (!((const KxPlotRow *)rows->pdata[i])->figures[series]->na)
			return TRUE;
	}
	return FALSE;
}

static void legend(KxPage *p, const KxPlot *plot, const GPtrArray *rows)
{
	if (!plot->series[0].legend)
		return;
	kx_plot_legend_open(p);
	for (guint k = 0; k < plot->n; k++) {
		if (!plot->series[k].is_of_few || anybody_has(rows, k))
			kx_plot_legend(p, plot->series[k].class, plot->series[k].legend);
	}
	kx_plot_legend_close(p);
}

static gboolean says_why(const KxPlot *plot, const KxPlotRow *row, guint k)
{
	const char *na = row->figures[k]->na;

	for (guint i = 0; i < k; i++) {
		if (g_strcmp0(na, row->figures[i]->na) == 0)
			return FALSE; /* it was said */
	}
	return !plot->series[k].is_of_few;
}

/*
 * Writes to @lanes the series that get a lane in the row: those with a value, and those that are n/a unless is_of_few. If no series has a
 * value: those whose reason no series before it has, unless is_of_few.
 */
static guint lanes_of(const KxPlot *plot, const KxPlotRow *row, guint *lanes)
{
	guint n = 0, values = 0;

	for (guint k = 0; k < plot->n; k++)
		values += !row->figures[k]->na;
	for (guint k = 0; k < plot->n; k++) {
		gboolean has = !row->figures[k]->na;

		if (has || (values && !plot->series[k].is_of_few) ||
		    (!values && says_why(plot, row, k)))
			lanes[n++] = k;
	}
	return n;
}

static void dots_row(KxPage *p, const KxPlot *plot, const KxAxis *a, const KxPlotRow *row)
{
	guint lanes[KX_SERIES_MAX], n = lanes_of(plot, row, lanes);

	kx_plot_lane_open(p, row->label, a, n * LANE);
	for (guint i = 0; i < n; i++)
		kx_plot_figure(p, a, plot->series[lanes[i]].class, row->figures[lanes[i]],
			       (i + 0.5) * LANE);
	kx_plot_lane_value(p);
	for (guint i = 0; i < n; i++) {
		guint k = lanes[i];

		kx_html_open(p->h, "div", NULL);
		kx_page_value(p, plot->series[k].key, row->figures[k], row->texts[k]);
		kx_html_close(p->h);
	}
	kx_plot_lane_close(p);
}

void kx_plot_dots(KxPage *p, const KxPlot *plot, const GPtrArray *rows)
{
	KxAxis a = axis_of(plot, rows);

	kx_plot_open(p, plot->title, plot->scope);
	legend(p, plot, rows);
	for (guint i = 0; i < rows->len; i++)
		dots_row(p, plot, &a, rows->pdata[i]);
	kx_plot_axis(p, &a, plot->tick, plot->axis_title);
	kx_plot_close(p);
}
