// SPDX-License-Identifier: GPL-2.0-or-later
/* What a report says of a map: its columns in the order of memory. */
#include "timemap-internal.h"

typedef struct {
	guint64 bin;
	guint slot;
} Column;

static gint lower_bin(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Column *)a)->bin, y = ((const Column *)b)->bin;

	return x < y ? -1 : x > y;
}

/* A pass that did not count may have made a column in which nothing else was found. */
static gboolean is_used(const KxTimeMap *m, guint slot)
{
	for (guint i = 0; i < m->rows->len; i++) {
		const KxAccessRow *r = m->rows->pdata[i];

		if (slot < r->cells->len && g_array_index(r->cells, guint64, slot))
			return TRUE;
	}
	return FALSE;
}

static GArray *columns_of(const KxTimeMap *m)
{
	GArray *columns = g_array_sized_new(FALSE, FALSE, sizeof(Column), m->bins->len);

	for (guint i = 0; i < m->bins->len; i++) {
		Column c = { g_array_index(m->bins, guint64, i), i };

		if (is_used(m, i))
			g_array_append_val(columns, c);
	}
	g_array_sort(columns, lower_bin);
	return columns;
}

static void name_columns(KxAccessMap *out, const GArray *columns)
{
	for (guint i = 0; i < columns->len; i++) {
		guint64 bin = g_array_index(columns, Column, i).bin;
		KxAccessColumns *last = out->columns->len
						? &g_array_index(out->columns, KxAccessColumns,
								 out->columns->len - 1)
						: NULL;
		KxAccessColumns next = { bin, 1 };

		if (last && last->first + last->n == bin)
			last->n++;
		else
			g_array_append_val(out->columns, next);
	}
	out->columns_nr = columns->len;
}

static GArray *in_order(const GArray *cells, const GArray *columns)
{
	GArray *sorted = g_array_sized_new(FALSE, TRUE, sizeof(guint64), columns->len);

	for (guint i = 0; i < columns->len; i++) {
		guint slot = g_array_index(columns, Column, i).slot;
		guint64 value = slot < cells->len ? g_array_index(cells, guint64, slot) : 0;

		g_array_append_val(sorted, value);
	}
	return sorted;
}

static KxAccessRow *row_out(const KxAccessRow *r, const GArray *columns)
{
	KxAccessRow *out = g_new(KxAccessRow, 1);

	*out = *r;
	out->cells = in_order(r->cells, columns);
	out->writes = r->writes ? in_order(r->writes, columns) : NULL;
	return out;
}

KxAccessMap *kx_timemap_report(const KxTimeMap *m, gint64 realtime_ns)
{
	KxAccessMap *out = kx_access_map_new();
	g_autoptr(GArray) columns = columns_of(m);

	out->unit = g_strdup(m->kind == KX_TIMEMAP_EVENTS ? KX_ACCESS_EVENTS : KX_ACCESS_PAGES);
	if (m->kind == KX_TIMEMAP_EVENTS)
		out->size_na = g_strdup("single accesses are known, not all pages that were used");
	if (m->kind != KX_TIMEMAP_PAGES)
		out->pairs_na = g_strdup(m->kind == KX_TIMEMAP_EVENTS
						 ? out->size_na
						 : "one page stands for its region, so it is not "
						   "known which pages were used");
	out->origin_realtime_ns = (gint64)m->origin_ns + realtime_ns;
	out->bin_ns = m->bin_ns;
	out->bin_pages = 1ull << m->order;
	out->interval_ns = m->between_n ? m->between_ns / m->between_n : 0;
	name_columns(out, columns);
	for (guint i = 0; i < m->rows->len; i++)
		g_ptr_array_add(out->rows, row_out(m->rows->pdata[i], columns));
	out->first_end_ns = m->first_end_ns - MIN(m->origin_ns, m->first_end_ns);
	out->last_end_ns = m->last_end_ns - MIN(m->origin_ns, m->last_end_ns);
	if (m->ages) {
		kx_ages_report(m->ages, m->last_gfn, out->ages_ns, out->age_pages);
		out->age_grain = kx_ages_grain(m->ages);
	} else {
		out->ages_na = g_strdup(out->size_na);
	}
	g_array_append_vals(out->sizes, m->sizes->data, m->sizes->len);
	out->sizes_every = m->sizes_every;
	for (guint i = 0; i < KX_ACCESS_BLOCK_CLASSES; i++)
		out->block_use[i] = m->block_use[i];
	return out;
}
