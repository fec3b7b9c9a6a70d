// SPDX-License-Identifier: GPL-2.0-or-later
#include "scatter.h"

#include <math.h>

#define HEIGHT 300.0 /* of the picture, in pixels */
/* Places of labels are chosen for a narrow page, in pixels: labels that do not collide there do not collide on a wide page. */
#define NARROW	     290.0
#define LABEL_WIDTH  15.0
#define LABEL_HEIGHT 13.0

static void point_free(gpointer data)
{
	KxScatterPoint *point = data;

	g_free(point->label);
	g_free(point->x_text);
	g_free(point->y_text);
	g_free(point);
}

GPtrArray *kx_scatter_points_new(void)
{
	return g_ptr_array_new_with_free_func(point_free);
}

void kx_scatter_add(GPtrArray *points, char *label, const KxFigure *x, char *x_text,
		    const KxFigure *y, char *y_text)
{
	KxScatterPoint *point = g_new0(KxScatterPoint, 1);

	*point = (KxScatterPoint){ label, x, y, x_text, y_text };
	g_ptr_array_add(points, point);
}

static gboolean is_drawn(const KxScatterPoint *point)
{
	return !point->x->na && !point->y->na;
}

/* --- axes ------------------------------------------------------------------------------------------------------------- */

static KxAxis axis_of(const GPtrArray *points, gboolean is_x, gboolean is_log, KxExtent also)
{
	void (*add)(KxExtent * e, double value) = is_log ? kx_extent_add_log : kx_extent_add;
	KxExtent e = KX_EXTENT_EMPTY;

	add(&e, also.low);
	add(&e, also.high);
	for (guint i = 0; i < points->len; i++) {
		const KxScatterPoint *point = points->pdata[i];
		const KxFigure *f = is_x ? point->x : point->y;

		if (!is_drawn(point))
			continue;
		add(&e, f->value);
		add(&e, f->low);
		add(&e, f->high);
	}
	return is_log ? kx_axis_log(e) : kx_axis_linear(e);
}

/* A value's place: percent from the left; pixels from above. Values beyond the axis are placed at its edge. */
static double x_of(const KxAxis *a, double value)
{
	return CLAMP(kx_axis_place(a, value), 0, 100);
}

static double y_of(const KxAxis *a, double value)
{
	return HEIGHT * (1 - CLAMP(kx_axis_place(a, value), 0, 100) / 100);
}

static void line(KxPage *p, const char *class, double x1, double y1, double x2, double y2)
{
	kx_html_open(p->h, "line", class);
	kx_html_attrf(p->h, "x1", "%.3f%%", x1);
	kx_html_attrf(p->h, "y1", "%.2f", y1);
	kx_html_attrf(p->h, "x2", "%.3f%%", x2);
	kx_html_attrf(p->h, "y2", "%.2f", y2);
	kx_html_close(p->h);
}

static void y_axis(KxPage *p, const KxScatter *s, const KxAxis *y)
{
	kx_html_open(p->h, "svg", "y-axis");
	kx_html_attrf(p->h, "height", "%g", HEIGHT);
	kx_html_attr(p->h, "aria-hidden", "true");
	for (guint i = 0; i < y->n; i++) {
		g_autofree char *text = s->y_tick(y->ticks[i]);
		g_autofree char *at = g_strdup_printf("%.2f", y_of(y, y->ticks[i]) + 4);

		kx_html_svg_text(p->h, NULL, "92%", at, text);
	}
	kx_html_close(p->h);
}

static void grid(KxPage *p, const KxAxis *x, const KxAxis *y)
{
	for (guint i = 0; i < x->n; i++)
		line(p, "grid", x_of(x, x->ticks[i]), 0, x_of(x, x->ticks[i]), HEIGHT);
	for (guint i = 0; i < y->n; i++)
		line(p, "grid", 0, y_of(y, y->ticks[i]), 100, y_of(y, y->ticks[i]));
}

static void x_axis(KxPage *p, const KxScatter *s, const KxAxis *x)
{
	kx_html_open(p->h, "svg", "x-axis");
	kx_html_attr(p->h, "height", "36");
	kx_html_attr(p->h, "aria-hidden", "true");
	for (guint i = 0; i < x->n; i++) {
		g_autofree char *text = s->x_tick(x->ticks[i]);
		g_autofree char *at = g_strdup_printf("%.3f%%", x_of(x, x->ticks[i]));

		kx_html_svg_text(p->h, NULL, at, "14", text);
	}
	kx_html_svg_text(p->h, "title", "50%", "31", s->x_title);
	kx_html_close(p->h);
}

/* --- points ----------------------------------------------------------------------------------------------------------- */

/* The middle of a point, or of its number, in pixels of a narrow page. */
typedef struct {
	double x, y;
} Place;

static gboolean collide(const Place *a, const Place *b)
{
	return fabs(a->x - b->x) < LABEL_WIDTH && fabs(a->y - b->y) < LABEL_HEIGHT;
}

/* Where the number of a point is written: as near as it can be without covering a point or another number. */
static Place place_number(const GArray *taken, Place point)
{
	for (double away = 13; away < 120; away += 9) {
		for (guint i = 0; i < 8; i++) {
			double angle =
				(i * 45 + 315) * G_PI / 180; /* above and to the right first */
			Place place = { point.x + away * cos(angle), point.y + away * sin(angle) };
			gboolean is_free = place.y > 6 && place.y < HEIGHT - 6 && place.x > 6 &&
					   place.x < NARROW - 6;

			for (guint k = 0; k < taken->len && is_free; k++)
				is_free = !collide(&g_array_index(taken, Place, k), &place);
			if (is_free)
				return place;
		}
	}
	return (Place){ point.x + 13, point.y };
}

static void number(KxPage *p, guint i, const KxAxis *x, const KxScatterPoint *point, Place from,
		   Place to)
{
	kx_html_open(p->h, "svg", "mark");
	kx_html_attrf(p->h, "x", "%.3f%%", x_of(x, point->x->value));
	kx_html_attrf(p->h, "y", "%.2f", from.y);
	if (hypot(to.x - from.x, to.y - from.y) > 14) {
		kx_html_open(p->h, "line", "lead");
		kx_html_attrf(p->h, "x2", "%.2f", to.x - from.x);
		kx_html_attrf(p->h, "y2", "%.2f", to.y - from.y);
		kx_html_close(p->h);
	}
	kx_html_open(p->h, "text", "number");
	kx_html_attrf(p->h, "x", "%.2f", to.x - from.x);
	kx_html_attrf(p->h, "y", "%.2f", to.y - from.y + 4);
	kx_html_textf(p->h, "%u", i + 1);
	kx_html_close(p->h);
	kx_html_close(p->h);
}

static void intervals(KxPage *p, const KxAxis *x, const KxAxis *y, const KxScatterPoint *point)
{
	double cx = x_of(x, point->x->value), cy = y_of(y, point->y->value);

	if (isfinite(point->x->low) && isfinite(point->x->high))
		line(p, "span host", x_of(x, point->x->low), cy, x_of(x, point->x->high), cy);
	if (isfinite(point->y->low) && isfinite(point->y->high))
		line(p, "span host", cx, y_of(y, point->y->low), cx, y_of(y, point->y->high));
}

static void draw_points(KxPage *p, const KxAxis *x, const KxAxis *y, const GPtrArray *points)
{
	g_autoptr(GArray) taken = g_array_new(FALSE, FALSE, sizeof(Place));

	for (guint i = 0; i < points->len; i++) {
		const KxScatterPoint *point = points->pdata[i];
		Place place;

		if (!is_drawn(point))
			continue;
		place = (Place){ x_of(x, point->x->value) / 100 * NARROW,
				 y_of(y, point->y->value) };
		g_array_append_val(taken, place);
		intervals(p, x, y, point);
	}
	for (guint i = 0; i < points->len; i++) {
		const KxScatterPoint *point = points->pdata[i];
		Place from, to;

		if (!is_drawn(point))
			continue;
		from = (Place){ x_of(x, point->x->value) / 100 * NARROW, y_of(y, point->y->value) };
		to = place_number(taken, from);
		g_array_append_val(taken, to);
		kx_plot_mark(p, x, "host", point->x->value, from.y);
		number(p, i, x, point, from, to);
	}
}

static void table(KxPage *p, const KxScatter *s, const GPtrArray *points)
{
	const char *titles[] = { "no.", "setting", s->x_column, s->y_column, NULL };

	kx_html_open(p->h, "div", "scroll");
	kx_html_open(p->h, "table", "points");
	kx_page_table_head(p, titles);
	for (guint i = 0; i < points->len; i++) {
		const KxScatterPoint *point = points->pdata[i];

		kx_html_open(p->h, "tr", NULL);
		kx_html_attr(p->h, "data-row", point->label);
		kx_page_cell_take(p, is_drawn(point) ? g_strdup_printf("%u", i + 1)
						     : g_strdup("not shown"));
		kx_html_open(p->h, "th", NULL);
		kx_html_attr(p->h, "scope", "row");
		kx_html_name(p->h, point->label);
		kx_html_close(p->h);
		kx_page_cell_figure(p, s->x_key, point->x, point->x_text);
		kx_page_cell_figure(p, s->y_key, point->y, point->y_text);
		kx_html_close(p->h);
	}
	kx_html_close(p->h);
	kx_html_close(p->h);
	kx_html_close(p->h);
}

void kx_scatter(KxPage *p, const KxScatter *s, const GPtrArray *points)
{
	KxAxis x = axis_of(points, TRUE, s->x_is_log, s->also_x);
	KxAxis y = axis_of(points, FALSE, s->y_is_log, s->also_y);

	kx_html_open(p->h, "figure", "scatter");
	kx_html_attr(p->h, "data-scope", s->scope);
	kx_html_element(p->h, "figcaption", NULL, s->title);
	kx_html_open(p->h, "div", "field");
	y_axis(p, s, &y);
	kx_html_open(p->h, "svg", "points");
	kx_html_attrf(p->h, "height", "%g", HEIGHT);
	kx_html_attr(p->h, "aria-hidden", "true");
	grid(p, &x, &y);
	draw_points(p, &x, &y, points);
	kx_html_close(p->h);
	x_axis(p, s, &x);
	kx_html_close(p->h);
	table(p, s, points);
	kx_html_close(p->h);
}
