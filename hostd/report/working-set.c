// SPDX-License-Identifier: GPL-2.0-or-later
/* What is known of a working set: sizes, ages, heat; as JSON and CSV. */
#include "overtime-text.h"

#include <math.h>
#include <stdlib.h>

#include "csv.h"
#include "model/json-write.h"
#include "working-set.h"

#define PAGE_SIZE 4096u
#define SECOND	  G_GUINT64_CONSTANT(1000000000)

/* --- sizes --------------------------------------------------------------------------------------------------------------- */

static gint lower(gconstpointer a, gconstpointer b)
{
	guint64 x = *(const guint64 *)a, y = *(const guint64 *)b;

	return x < y ? -1 : x > y;
}

double kx_access_size_at(const KxAccessMap *m, double share)
{
	g_autoptr(GArray) sorted = NULL;
	guint at;

	if (m->size_na || !m->sizes->len)
		return NAN;
	sorted = g_array_copy(m->sizes);
	g_array_sort(sorted, lower);
	at = (guint)ceil(share * sorted->len);
	return (double)g_array_index(sorted, guint64, MAX(at, 1) - 1);
}

KxWorkingSet kx_working_set(const KxAccessMap *m)
{
	KxWorkingSet w = { .min = G_MAXUINT64 };

	for (guint i = 0; i < m->rows->len; i++) {
		const KxAccessRow *r = kx_access_row(m, i);

		w.passes += r->passes;
		w.found += r->found;
		w.min = MIN(w.min, r->found_min);
		w.max = MAX(w.max, r->found_max);
		w.pairs += r->pairs;
		w.before += r->before;
		w.stayed += r->stayed;
		w.blocks += r->blocks;
	}
	w.mean = w.passes ? (double)w.found / (double)w.passes : NAN;
	w.again = w.before ? (double)w.stayed / (double)w.before : NAN;
	w.used = w.blocks ? (double)w.found / (double)(w.blocks * KX_ACCESS_BLOCK_PAGES) : NAN;
	return w;
}

/* --- ages ---------------------------------------------------------------------------------------------------------------- */

GArray *kx_access_age_classes(const KxAccessMap *m)
{
	static const guint64 from_s[] = { 0, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400 };
	GArray *classes;

	if (m->ages_na)
		return NULL;
	classes = g_array_new(FALSE, TRUE, sizeof(KxAgeClass));
	for (guint i = 0; i < G_N_ELEMENTS(from_s); i++) {
		gboolean last = i + 1 == G_N_ELEMENTS(from_s);
		KxAgeClass c = { from_s[i] * SECOND, last ? G_MAXUINT64 : from_s[i + 1] * SECOND,
				 0 };

		/* No class for ages that are longer than the tracker has looked. */
		if (i && c.from_ns > m->last_end_ns - m->first_end_ns)
			break;
		for (guint k = 0; k < m->ages_ns->len; k++) {
			guint64 age = g_array_index(m->ages_ns, guint64, k);

			if (age >= c.from_ns && age < c.until_ns)
				c.pages += g_array_index(m->age_pages, guint64, k);
		}
		g_array_append_val(classes, c);
	}
	return classes;
}

guint64 kx_access_pages_known(const KxAccessMap *m)
{
	guint64 sum = 0;

	for (guint i = 0; i < m->age_pages->len; i++)
		sum += g_array_index(m->age_pages, guint64, i);
	return sum;
}

/* --- heat ---------------------------------------------------------------------------------------------------------------- */

static gint hotter(gconstpointer a, gconstpointer b)
{
	double x = ((const KxHeatClass *)a)->heat, y = ((const KxHeatClass *)b)->heat;

	return x > y ? -1 : x < y;
}

GArray *kx_heat_classes(const KxHeatMap *m)
{
	GArray *classes = g_array_new(FALSE, TRUE, sizeof(KxHeatClass));

	for (guint i = 0; i < m->ranges->len; i++) {
		const KxHeatRange *r = &g_array_index(m->ranges, KxHeatRange, i);
		KxHeatClass c = { exp2(floor(log2(kx_heat_of_range(r)))), r->size };
		guint k = 0;

		if (!r->accesses)
			continue;
		while (k < classes->len && g_array_index(classes, KxHeatClass, k).heat != c.heat)
			k++;
		if (k < classes->len)
			g_array_index(classes, KxHeatClass, k).bytes += r->size;
		else
			g_array_append_val(classes, c);
	}
	g_array_sort(classes, hotter);
	return classes;
}

/* --- JSON and CSV: one list of numbers for both ------------------------------------------------------------------------------ */

typedef void (*Each)(gpointer data, const char *figure, double from, double to, double value,
		     const char *unit);

const double kx_size_shares[KX_SIZE_SHARES] = { 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99 };

static void each_size(const KxAccessMap *m, Each each, gpointer data)
{
	KxWorkingSet w = kx_working_set(m);

	if (m->size_na || !w.passes)
		return;
	each(data, "size_min", NAN, NAN, (double)w.min * PAGE_SIZE, "bytes");
	for (guint i = 0; i < KX_SIZE_SHARES; i++)
		each(data, "size_percentile", kx_size_shares[i] * 100, NAN,
		     kx_access_size_at(m, kx_size_shares[i]) * PAGE_SIZE, "bytes");
	each(data, "size_max", NAN, NAN, (double)w.max * PAGE_SIZE, "bytes");
	each(data, "size_mean", NAN, NAN, w.mean * PAGE_SIZE, "bytes");
	if (isfinite(w.again))
		each(data, "found_again", NAN, NAN, w.again, "share");
	if (isfinite(w.used))
		each(data, "used_of_2m", NAN, NAN, w.used, "share");
}

static void each_over_time(const KxAccessMap *m, Each each, gpointer data)
{
	for (guint i = 0; i < m->rows->len && !m->size_na; i++) {
		const KxAccessRow *r = kx_access_row(m, i);
		double origin = (double)m->origin_realtime_ns / 1e9;
		guint64 from_ns, until_ns;

		kx_access_row_time(m, i, &from_ns, &until_ns);
		if (r->passes)
			each(data, "size_over_time", origin + (double)from_ns / 1e9,
			     origin + (double)until_ns / 1e9,
			     (double)r->found * PAGE_SIZE / r->passes, "bytes");
	}
}

static void each_class(const KxAccessMap *m, const KxHeatMap *heat, Each each, gpointer data)
{
	g_autoptr(GArray) ages = kx_access_age_classes(m);
	g_autoptr(GArray) temperatures = heat ? kx_heat_classes(heat) : NULL;

	for (guint i = 0; !m->pairs_na && i < KX_ACCESS_BLOCK_CLASSES; i++)
		each(data, "blocks_2m_by_pages_used", 1u << i,
		     i + 1 < KX_ACCESS_BLOCK_CLASSES ? (2u << i) - 1 : 1u << i,
		     (double)m->block_use[i], "blocks x passes");
	for (guint i = 0; ages && i < ages->len; i++) {
		const KxAgeClass *c = &g_array_index(ages, KxAgeClass, i);

		each(data, "idle_for", (double)c->from_ns / 1e9,
		     c->until_ns == G_MAXUINT64 ? NAN : (double)c->until_ns / 1e9,
		     (double)c->pages * PAGE_SIZE, "bytes");
	}
	for (guint i = 0; temperatures && i < temperatures->len; i++) {
		const KxHeatClass *c = &g_array_index(temperatures, KxHeatClass, i);

		each(data, "by_heat", c->heat, 2 * c->heat, (double)c->bytes, "bytes");
	}
}

static void each_number(const KxAccessMap *m, const KxHeatMap *heat, Each each, gpointer data)
{
	each_size(m, each, data);
	each_over_time(m, each, data);
	each_class(m, heat, each, data);
}

static void add_number(gpointer data, const char *figure, double from, double to, double value,
		       const char *unit)
{
	JsonBuilder *b = data;

	json_builder_begin_object(b);
	kx_json_add_text(b, "figure", figure);
	kx_json_add_known(b, "from", from);
	kx_json_add_known(b, "to", to);
	kx_json_add_known(b, "value", value);
	kx_json_add_text(b, "unit", unit);
	json_builder_end_object(b);
}

void kx_working_set_add_json(JsonBuilder *b, const KxVmReport *v, const KxAccessMap *m,
			     const KxHeatMap *heat)
{
	g_autoptr(GPtrArray) notes = kx_access_map_notes(m);
	KxWorkingSet w = kx_working_set(m);

	kx_json_add_text(b, "vm", v->name);
	kx_json_add_text(b, "tracker", m->tracker);
	kx_json_add_text(b, "options", m->options);
	kx_json_add_text(b, "mechanism", m->mechanism);
	kx_json_add_text(b, "finds", m->kind);
	kx_json_add_int(b, "interval_ns", (gint64)m->interval_ns);
	kx_json_add_int(b, "passes", (gint64)w.passes);
	kx_json_add_int(b, "sizes_every", m->sizes_every);
	kx_json_add_text(b, "size_na", m->size_na);
	kx_json_add_text(b, "pairs_na", m->pairs_na);
	kx_json_add_text(b, "ages_na", m->ages_na);
	json_builder_set_member_name(b, "figures");
	json_builder_begin_array(b);
	each_number(m, heat, add_number, b);
	json_builder_end_array(b);
	kx_json_add_texts(b, "notes", notes);
}

void kx_working_set_csv_head(GString *out)
{
	g_string_append(out, "vm,tracker,finds,figure,from,to,value,unit\n");
}

typedef struct {
	GString *out, *begin;
} Csv;

static void csv_number(gpointer data, const char *figure, double from, double to, double value,
		       const char *unit)
{
	const Csv *c = data;

	g_string_append(c->out, c->begin->str);
	kx_csv_add(c->out, figure, FALSE);
	kx_csv_add_number(c->out, from, FALSE);
	kx_csv_add_number(c->out, to, FALSE);
	kx_csv_add_number(c->out, value, FALSE);
	kx_csv_add(c->out, unit, TRUE);
}

void kx_working_set_to_csv(GString *out, const KxVmReport *v, const KxAccessMap *m,
			   const KxHeatMap *heat)
{
	g_autofree char *label = kx_access_map_label(m);
	g_autoptr(GString) begin = g_string_new(NULL);
	Csv c = { out, begin };

	kx_csv_add(begin, v->name, FALSE);
	kx_csv_add(begin, label, FALSE);
	kx_csv_add(begin, m->kind, FALSE);
	each_number(m, heat, csv_number, &c);
}
