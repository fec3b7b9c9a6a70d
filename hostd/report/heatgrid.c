// SPDX-License-Identifier: GPL-2.0-or-later
#include "heatgrid.h"

#include <math.h>

void kx_heat_grid_free(KxHeatGrid *g)
{
	if (!g)
		return;
	g_array_unref(g->lines);
	g_free(g->heat);
	g_free(g);
}

/* Lines of at most @columns columns each; with @apart no line reaches over a gap in the memory. */
static GArray *lines_of(const KxAccessMap *m, guint64 columns, gboolean apart)
{
	GArray *lines = g_array_new(FALSE, TRUE, sizeof(KxGridLine));

	for (guint i = 0; i < m->columns_nr; i++) {
		guint64 gfn = kx_access_column_gfn(m, i);
		KxGridLine *last =
			lines->len ? &g_array_index(lines, KxGridLine, lines->len - 1) : NULL;
		gboolean follows = last && last->gfn + last->npages == gfn;
		KxGridLine next = { gfn, m->bin_pages, last && !follows };

		if (last && (follows || !apart) &&
		    gfn + m->bin_pages - last->gfn <= columns * m->bin_pages)
			last->npages = gfn + m->bin_pages - last->gfn;
		else
			g_array_append_val(lines, next);
	}
	return lines;
}

/* Makes the lines as fine as fits. If the memory has more gaps than there are lines, lines reach over gaps. */
static void make_lines(KxHeatGrid *g, const KxAccessMap *m, guint max_y)
{
	guint64 columns = 1;

	g->lines = lines_of(m, columns, TRUE);
	while (g->lines->len > max_y && columns < 2 * KX_ACCESS_COLUMNS_MAX) {
		g_array_unref(g->lines);
		g->lines = lines_of(m, ++columns, TRUE);
	}
	for (columns = 1; g->lines->len > max_y; columns *= 2) {
		g_array_unref(g->lines);
		g->lines = lines_of(m, columns, FALSE);
	}
	g->ny = g->lines->len;
}

static guint line_of(const KxHeatGrid *g, guint64 gfn)
{
	guint low = 0, high = g->ny;

	while (high - low > 1) {
		guint middle = low + (high - low) / 2;

		if (g_array_index(g->lines, KxGridLine, middle).gfn <= gfn)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* A row that reaches over several columns of the grid is divided among them by time. */
static void add_row(KxHeatGrid *g, const KxAccessMap *m, guint i, const guint *line, double *whole)
{
	const KxAccessRow *r = kx_access_row(m, i);
	double weight = kx_access_counts_pages(m) ? (double)r->looks : kx_access_row_seconds(m, r);
	guint64 from_ns, until_ns;

	kx_access_row_time(m, i, &from_ns, &until_ns);
	for (guint64 at = from_ns, next; at < until_ns; at = next) {
		guint64 x = (at - g->start_ns) / g->step_ns;
		double share;

		next = MIN(until_ns, g->start_ns + (x + 1) * g->step_ns);
		share = (double)(next - at) / (double)(until_ns - from_ns);
		whole[x] += share * weight;
		for (guint k = 0; k < m->columns_nr; k++)
			g->heat[line[k] * g->nx + x] += share * (double)kx_access_cell(r, k);
	}
}

/* First adds up the cells; then divides each sum by the largest value that it could have. */
static void fill(KxHeatGrid *g, const KxAccessMap *m)
{
	g_autofree double *whole = g_new0(double, g->nx);
	g_autofree guint *line = g_new(guint, m->columns_nr);
	g_autofree double *size = g_new0(double, g->ny);

	for (guint k = 0; k < m->columns_nr; k++) {
		line[k] = line_of(g, kx_access_column_gfn(m, k));
		size[line[k]] += (double)m->bin_pages;
	}
	for (guint i = 0; i < m->rows->len; i++)
		add_row(g, m, i, line, whole);
	for (guint y = 0; y < g->ny; y++) {
		for (guint x = 0; x < g->nx; x++) {
			double *at = &g->heat[y * g->nx + x];

			*at = whole[x] > 0 ? *at / size[y] / whole[x] : NAN;
			g->max = *at > g->max ? *at : g->max;
		}
	}
}

KxHeatGrid *kx_heat_grid_new(const KxAccessMap *m, guint max_x, guint max_y)
{
	KxHeatGrid *g = g_new0(KxHeatGrid, 1);
	guint64 first, bins, group, from_ns, until_ns;

	make_lines(g, m, max_y);
	if (!m->rows->len)
		return g;
	kx_access_row_time(m, 0, &from_ns, &until_ns);
	first = from_ns / m->bin_ns;
	bins = kx_access_row(m, m->rows->len - 1)->bin - first + 1;
	group = (bins + max_x - 1) / max_x;
	g->nx = (guint)((bins + group - 1) / group);
	g->start_ns = first * m->bin_ns;
	g->step_ns = group * m->bin_ns;
	g->heat = g_new0(double, MAX((gsize)g->nx * g->ny, 1));
	fill(g, m);
	return g;
}
