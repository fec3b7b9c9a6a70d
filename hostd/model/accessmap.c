// SPDX-License-Identifier: GPL-2.0-or-later
/* Heat over time: allocation, and what is computed from a map. */
#include "accessmap.h"

#include <math.h>

#include "fields.h"
#include "window.h"

KxAccessRow *kx_access_row_new(void)
{
	KxAccessRow *r = g_new0(KxAccessRow, 1);

	r->cells = g_array_new(FALSE, TRUE, sizeof(guint64));
	return r;
}

void kx_access_row_free(gpointer row)
{
	KxAccessRow *r = row;

	if (!r)
		return;
	g_array_unref(r->cells);
	g_clear_pointer(&r->writes, g_array_unref);
	g_free(r);
}

KxAccessMap *kx_access_map_new(void)
{
	KxAccessMap *m = g_new0(KxAccessMap, 1);

	m->columns = g_array_new(FALSE, TRUE, sizeof(KxAccessColumns));
	m->rows = g_ptr_array_new_with_free_func(kx_access_row_free);
	m->sizes = g_array_new(FALSE, TRUE, sizeof(guint64));
	m->ages_ns = g_array_new(FALSE, TRUE, sizeof(guint64));
	m->age_pages = g_array_new(FALSE, TRUE, sizeof(guint64));
	return m;
}

void kx_access_map_free(KxAccessMap *m)
{
	if (!m)
		return;
	kx_free_strings(kx_access_map_fields, m);
	g_array_unref(m->columns);
	g_ptr_array_unref(m->rows);
	g_array_unref(m->sizes);
	g_array_unref(m->ages_ns);
	g_array_unref(m->age_pages);
	g_free(m);
}

KxOverTime *kx_over_time_new(void)
{
	KxOverTime *t = g_new0(KxOverTime, 1);

	t->parts = g_array_new(FALSE, TRUE, sizeof(KxAccessPart));
	t->maps = g_ptr_array_new_with_free_func((GDestroyNotify)kx_access_map_free);
	return t;
}

KxOverTime *kx_over_time_unknown(char *why)
{
	KxOverTime *t = kx_over_time_new();

	t->na = why;
	t->parts_na = g_strdup(why);
	return t;
}

void kx_over_time_free(KxOverTime *t)
{
	if (!t)
		return;
	g_array_unref(t->parts);
	g_free(t->parts_na);
	g_free(t->na);
	g_ptr_array_unref(t->maps);
	g_free(t);
}

/* --- copies ---------------------------------------------------------------------------------------------------------- */

static KxAccessRow *row_copy(const KxAccessRow *r)
{
	KxAccessRow *c = g_new(KxAccessRow, 1);

	*c = *r;
	c->cells = g_array_copy(r->cells);
	c->writes = r->writes ? g_array_copy(r->writes) : NULL;
	return c;
}

static KxAccessMap *map_copy(const KxAccessMap *m)
{
	KxAccessMap *c = g_new(KxAccessMap, 1);

	*c = *m;
	kx_copy_strings(kx_access_map_fields, c);
	c->columns = g_array_copy(m->columns);
	c->sizes = g_array_copy(m->sizes);
	c->ages_ns = g_array_copy(m->ages_ns);
	c->age_pages = g_array_copy(m->age_pages);
	c->rows = g_ptr_array_new_with_free_func(kx_access_row_free);
	for (guint i = 0; i < m->rows->len; i++)
		g_ptr_array_add(c->rows, row_copy(m->rows->pdata[i]));
	return c;
}

KxOverTime *kx_over_time_copy(const KxOverTime *t)
{
	KxOverTime *c;

	if (!t)
		return NULL;
	c = kx_over_time_new();
	g_array_append_vals(c->parts, t->parts->data, t->parts->len);
	c->parts_na = g_strdup(t->parts_na);
	c->na = g_strdup(t->na);
	for (guint i = 0; i < t->maps->len; i++)
		g_ptr_array_add(c->maps, map_copy(t->maps->pdata[i]));
	return c;
}

/* --- queries --------------------------------------------------------------------------------------------------------- */

const KxAccessRow *kx_access_row(const KxAccessMap *m, guint i)
{
	return m->rows->pdata[i];
}

guint64 kx_access_cell(const KxAccessRow *r, guint column)
{
	return g_array_index(r->cells, guint64, column);
}

guint64 kx_access_column_gfn(const KxAccessMap *m, guint column)
{
	for (guint i = 0; i < m->columns->len; i++) {
		const KxAccessColumns *c = &g_array_index(m->columns, KxAccessColumns, i);

		if (column < c->n)
			return (c->first + column) * m->bin_pages;
		column -= (guint)c->n;
	}
	g_return_val_if_reached(0);
}

gboolean kx_access_counts_pages(const KxAccessMap *m)
{
	return g_str_equal(m->unit, KX_ACCESS_PAGES);
}

/* interval_ns is the time between two looks; if the tracker does not look at pages, the time between two passes. */
double kx_access_row_seconds(const KxAccessMap *m, const KxAccessRow *r)
{
	double times = r->looks ? (double)r->looks : r->passes;

	if (!m->interval_ns || !(times > 0))
		return (double)m->bin_ns / 1e9;
	return times * (double)m->interval_ns / 1e9;
}

/* How far a pass of the row reaches back from its end: what it found may be that old. */
static guint64 reach_ns(const KxAccessMap *m, const KxAccessRow *r)
{
	double ns = kx_access_row_seconds(m, r) * 1e9 / MAX(r->passes, 1);

	return ns < (double)G_MAXINT64 ? (guint64)ns : G_MAXINT64;
}

void kx_access_row_time(const KxAccessMap *m, guint i, guint64 *from_ns, guint64 *until_ns)
{
	const KxAccessRow *r = kx_access_row(m, i);
	guint64 before_ns = i ? (kx_access_row(m, i - 1)->bin + 1) * m->bin_ns : 0;
	guint64 length_ns = MAX(m->bin_ns, reach_ns(m, r));

	*until_ns = (r->bin + 1) * m->bin_ns;
	*from_ns = MAX(before_ns, *until_ns - MIN(length_ns, *until_ns));
	/* It is not known when in its row a pass ended, so a gap that is shorter than a row is not taken for one. */
	if (length_ns > m->bin_ns && *from_ns - before_ns < m->bin_ns)
		*from_ns = before_ns;
}

double kx_access_row_factor(const KxAccessMap *m, const KxAccessRow *r)
{
	double pages = (double)m->bin_pages;

	if (!kx_access_counts_pages(m))
		return 1 / pages / kx_access_row_seconds(m, r);
	return r->looks ? 1 / (double)r->looks / pages : 0;
}

double kx_access_heat(const KxAccessMap *m, const KxAccessRow *r, guint column)
{
	double factor = kx_access_row_factor(m, r);

	return factor > 0 ? (double)kx_access_cell(r, column) * factor : NAN;
}

char *kx_access_map_label(const KxAccessMap *m)
{
	return kx_tracker_label(m->tracker, m->mechanism);
}

const KxAccessMap *kx_access_main_map(const KxOverTime *t)
{
	const KxAccessMap *last = NULL;

	for (guint i = 0; i < t->maps->len; i++) {
		const KxAccessMap *m = t->maps->pdata[i];

		if (!m->rows->len)
			continue;
		if (m->running)
			return m;
		last = m;
	}
	return last;
}

gsize kx_over_time_bytes(const KxOverTime *t)
{
	gsize sum = 0;

	for (guint i = 0; i < t->maps->len; i++) {
		const KxAccessMap *m = t->maps->pdata[i];
		gsize row = sizeof(KxAccessRow) + 2 * m->columns_nr * sizeof(guint64);

		sum += sizeof(*m) + m->rows->len * row + m->sizes->len * sizeof(guint64);
	}
	return sum;
}
