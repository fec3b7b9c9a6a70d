// SPDX-License-Identifier: GPL-2.0-or-later
#include "damo.h"

#include <json-glib/json-glib.h>
#include <string.h>
#include <zlib.h>

#include "base/textfmt.h"
#include "model/json-write.h"

#define PAGE_SIZE 4096u
/* damo knows the streams of levels 1, 6 and 9 by their first bytes. */
#define LEVEL 6

/* A piece of existing memory: in one column, or in no column. */
typedef struct {
	guint64 gfn, npages;
	gint column; /* -1: nothing was ever found there */
} Piece;

/* --- the memory ---------------------------------------------------------------------------------------------------------- */

static void add_piece(GArray *pieces, guint64 gfn, guint64 end, gint column)
{
	Piece p = { gfn, end - gfn, column };

	if (end > gfn)
		g_array_append_val(pieces, p);
}

static guint64 column_end(const KxAccessMap *m, guint k)
{
	return kx_access_column_gfn(m, k) + m->bin_pages;
}

/* The parts of the memory, cut at the borders of columns. */
static void cut_part(GArray *pieces, const KxAccessMap *m, guint64 at, guint64 end)
{
	for (guint k = 0; k < m->columns_nr && at < end; k++) {
		guint64 from = kx_access_column_gfn(m, k), until = column_end(m, k);

		if (until <= at)
			continue;
		if (from >= end)
			break;
		add_piece(pieces, at, MAX(MIN(from, end), at), -1);
		add_piece(pieces, MAX(from, at), MIN(until, end), (gint)k);
		at = MIN(until, end);
	}
	add_piece(pieces, at, end, -1);
}

static gboolean is_in(const KxOverTime *t, guint64 gfn, guint64 end)
{
	for (guint i = 0; i < t->parts->len; i++) {
		const KxAccessPart *p = &g_array_index(t->parts, KxAccessPart, i);

		if (gfn < p->gfn + p->npages && end > p->gfn)
			return TRUE;
	}
	return FALSE;
}

static gint lower(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Piece *)a)->gfn, y = ((const Piece *)b)->gfn;

	return x < y ? -1 : x > y;
}

/*
 * If the parts are not known, the memory is taken to be one part, up to the last page that was found. A column outside of all
 * parts is of memory that came later. The page at 0 is left out: damo loses a region that begins there.
 */
static GArray *pieces_of(const KxOverTime *t, const KxAccessMap *m)
{
	GArray *pieces = g_array_new(FALSE, FALSE, sizeof(Piece));

	for (guint i = 0; i < t->parts->len; i++) {
		const KxAccessPart *p = &g_array_index(t->parts, KxAccessPart, i);

		cut_part(pieces, m, MAX(p->gfn, 1), p->gfn + p->npages);
	}
	if (!t->parts->len && m->columns_nr)
		cut_part(pieces, m, 1, column_end(m, m->columns_nr - 1));
	for (guint k = 0; t->parts->len && k < m->columns_nr; k++) {
		guint64 gfn = kx_access_column_gfn(m, k);

		if (!is_in(t, gfn, column_end(m, k)))
			add_piece(pieces, MAX(gfn, 1), column_end(m, k), (gint)k);
	}
	g_array_sort(pieces, lower);
	return pieces;
}

/* --- JSON ---------------------------------------------------------------------------------------------------------------- */

static void add_number_text(JsonBuilder *b, const char *key, guint64 value)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);

	kx_json_add_text(b, key, text);
}

static void add_region(JsonBuilder *b, guint64 gfn, guint64 npages, guint64 samples)
{
	if (!npages)
		return;
	json_builder_begin_object(b);
	add_number_text(b, "start", gfn * PAGE_SIZE);
	add_number_text(b, "end", (gfn + npages) * PAGE_SIZE);
	json_builder_set_member_name(b, "nr_accesses");
	json_builder_begin_object(b);
	kx_json_add_int(b, "samples", (gint64)samples);
	kx_json_add_text(b, "percent", NULL);
	json_builder_end_object(b);
	json_builder_set_member_name(b, "age");
	json_builder_begin_object(b);
	kx_json_add_text(b, "usec", NULL);
	kx_json_add_text(b, "aggr_intervals", "0");
	json_builder_end_object(b);
	json_builder_set_member_name(b, "probe_hits");
	json_builder_begin_array(b);
	json_builder_end_array(b);
	kx_json_add_text(b, "sz_filter_passed", "0");
	json_builder_end_object(b);
}

/* The number of pages of each column that are in @pieces; a column may lie in several parts. */
static guint64 *column_pages(const GArray *pieces, guint columns)
{
	guint64 *pages = g_new0(guint64, MAX(columns, 1));

	for (guint i = 0; i < pieces->len; i++) {
		const Piece *p = &g_array_index(pieces, Piece, i);

		if (p->column >= 0)
			pages[p->column] += p->npages;
	}
	return pages;
}

/*
 * A cell of c accesses in n pages: c % n pages have one access more than the others, so that the sum is exact. Which pages of a
 * column these are is not known: the first ones are taken.
 */
static void add_regions(JsonBuilder *b, const GArray *pieces, const KxAccessRow *r, guint columns,
			KxDamoSum *sum)
{
	g_autofree guint64 *pages = column_pages(pieces, columns);
	g_autofree guint64 *more = g_new0(guint64, MAX(columns, 1));
	g_autofree guint64 *each = g_new0(guint64, MAX(columns, 1));

	for (guint k = 0; k < columns; k++) {
		guint64 cell = kx_access_cell(r, k), most = r->looks * pages[k];

		sum->clamped += cell - MIN(cell, most);
		cell = MIN(cell, most);
		each[k] = pages[k] ? cell / pages[k] : 0;
		more[k] = pages[k] ? cell % pages[k] : 0;
	}
	for (guint i = 0; i < pieces->len; i++) {
		const Piece *p = &g_array_index(pieces, Piece, i);
		guint64 first = p->column < 0 ? 0 : MIN(more[p->column], p->npages);
		guint64 samples = p->column < 0 ? 0 : each[p->column];

		add_region(b, p->gfn, first, samples + 1);
		add_region(b, p->gfn + first, p->npages - first, samples);
		if (p->column >= 0)
			more[p->column] -= first;
	}
}

static void add_snapshot(JsonBuilder *b, const KxAccessMap *m, const GArray *pieces, guint row,
			 KxDamoSum *sum)
{
	guint64 bytes = 0, from_ns, until_ns;

	kx_access_row_time(m, row, &from_ns, &until_ns);
	for (guint i = 0; i < pieces->len; i++)
		bytes += g_array_index(pieces, Piece, i).npages * PAGE_SIZE;
	json_builder_begin_object(b);
	kx_json_add_int(b, "start_time", m->origin_realtime_ns + (gint64)from_ns);
	kx_json_add_int(b, "end_time", m->origin_realtime_ns + (gint64)until_ns);
	add_number_text(b, "total_bytes", bytes);
	kx_json_add_text(b, "damos_stats", NULL);
	kx_json_add_text(b, "sample_interval_us", NULL);
	json_builder_set_member_name(b, "regions");
	json_builder_begin_array(b);
	add_regions(b, pieces, kx_access_row(m, row), m->columns_nr, sum);
	json_builder_end_array(b);
	json_builder_end_object(b);
}

static guint64 most_looks(const KxAccessMap *m)
{
	guint64 most = 1;

	for (guint i = 0; i < m->rows->len; i++)
		most = MAX(most, kx_access_row(m, i)->looks);
	return most;
}

/* The sampling interval is that of the passes, and a row's time is its aggregation. */
static void add_intervals(JsonBuilder *b, const KxAccessMap *m)
{
	static const char *const goals[] = { "access_bp", "aggrs", "min_sample_us",
					     "max_sample_us" };
	guint64 looks = most_looks(m);
	guint64 sample_us = m->interval_ns ? m->interval_ns / 1000 : m->bin_ns / looks / 1000;

	sample_us = MAX(sample_us, 1);
	json_builder_set_member_name(b, "intervals");
	json_builder_begin_object(b);
	add_number_text(b, "sample_us", sample_us);
	add_number_text(b, "aggr_us", looks * sample_us);
	add_number_text(b, "ops_update_us", looks * sample_us);
	json_builder_set_member_name(b, "intervals_goal");
	json_builder_begin_object(b);
	for (guint i = 0; i < G_N_ELEMENTS(goals); i++)
		kx_json_add_text(b, goals[i], "0");
	json_builder_end_object(b);
	json_builder_end_object(b);
}

static void add_record(JsonBuilder *b, const KxOverTime *t, const KxAccessMap *m, guint target,
		       KxDamoSum *sum)
{
	static const char *const zeros[] = { "kdamond_idx", "context_idx", "scheme_idx" };
	g_autoptr(GArray) pieces = pieces_of(t, m);

	json_builder_begin_object(b);
	for (guint i = 0; i < G_N_ELEMENTS(zeros); i++)
		kx_json_add_int(b, zeros[i], 0);
	kx_json_add_int(b, "target_id", target);
	add_intervals(b, m);
	json_builder_set_member_name(b, "scheme_filters");
	json_builder_begin_array(b);
	json_builder_end_array(b);
	kx_json_add_text(b, "data_source", "unknown");
	json_builder_set_member_name(b, "snapshots");
	json_builder_begin_array(b);
	for (guint i = 0; i < m->rows->len; i++)
		add_snapshot(b, m, pieces, i, sum);
	json_builder_end_array(b);
	json_builder_end_object(b);
	sum->records++;
	sum->snapshots += m->rows->len;
	sum->snapshots_min = MIN(sum->snapshots_min, m->rows->len);
}

static gboolean is_wanted(const KxAccessMap *m, const char *tracker)
{
	return m->rows->len && m->columns_nr && kx_access_counts_pages(m) &&
	       (!tracker || g_str_equal(m->tracker, tracker));
}

char *kx_damo_text(const GPtrArray *vms, const char *tracker, GPtrArray *targets, KxDamoSum *sum)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;

	*sum = (KxDamoSum){ .snapshots_min = G_MAXUINT };
	json_builder_begin_array(b);
	for (guint i = 0; i < vms->len; i++) {
		const KxVmReport *v = vms->pdata[i];

		for (guint k = 0; v->over_time && k < v->over_time->maps->len; k++) {
			const KxAccessMap *m = v->over_time->maps->pdata[k];
			g_autofree char *label = kx_access_map_label(m);
			g_autofree char *name = kx_text_clean(v->name);

			if (!is_wanted(m, tracker))
				continue;
			g_ptr_array_add(targets, g_strdup_printf("%s: %s", name, label));
			add_record(b, v->over_time, m, sum->records, sum);
		}
	}
	json_builder_end_array(b);
	root = json_builder_get_root(b);
	return sum->records ? json_to_string(root, FALSE) : NULL;
}

GBytes *kx_damo_pack(const char *text)
{
	gsize len = strlen(text);
	uLongf packed = compressBound(len);
	guint8 *data = g_malloc(packed);

	if (compress2(data, &packed, (const Bytef *)text, len, LEVEL) != Z_OK)
		g_error("zlib cannot compress %" G_GSIZE_FORMAT " bytes", len);
	return g_bytes_new_take(data, packed);
}
