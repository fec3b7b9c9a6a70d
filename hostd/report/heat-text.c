// SPDX-License-Identifier: GPL-2.0-or-later
/* Heat as text for people: one map by itself, and all maps in the report. */
#include "text-internal.h"

#include "base/textfmt.h"

#define PAGE_SIZE 4096u

static const KxHeatRange *range_at(const KxHeatMap *m, guint i)
{
	return &g_array_index(m->ranges, KxHeatRange, i);
}

/* --- for people: one map ---------------------------------------------------------------------------------------------- */

static char *seers(const KxVmReport *v, const KxHeatMap *m, const KxHeatRange *r)
{
	GString *s = g_string_new(NULL);

	if (m->process)
		g_string_append(s, m->tracker);
	for (guint i = 0; i < MIN(v->heat->maps->len, KX_HEAT_SEEN_MAX); i++) {
		const KxHeatMap *by = v->heat->maps->pdata[i];

		if (r->seen_by & 1u << i)
			g_string_append_printf(s, "%s%s", s->len ? ", " : "", by->tracker);
	}
	if (!s->len)
		g_string_append_c(s, '-');
	return g_string_free(s, FALSE);
}

static char *outside_text(const KxHeatMap *m)
{
	g_autofree char *outside = kx_text_count((double)m->outside);

	return g_strdup_printf(
		"%s more samples were outside of the memory that was known at their time: "
		"they are in no range",
		outside);
}

static char *lost_text(const KxHeatMap *m)
{
	g_autofree char *lost = kx_text_count((double)m->lost);

	return g_strdup_printf("%s more samples were lost, so that ranges may be hotter than shown",
			       lost);
}

static void map_heading(GString *out, const KxVmReport *v, const KxHeatMap *m)
{
	g_autofree char *name = kx_text_clean(v->name), *plain = kx_heat_map_label(m);
	g_autofree char *label = kx_text_clean(plain);
	g_autofree char *process = m->process ? kx_text_clean(m->process) : NULL;
	g_autofree char *half = kx_text_pages_bytes(m->half_bytes / PAGE_SIZE);
	g_autofree char *epoch = kx_text_ns((double)m->epoch_ns);
	g_autofree char *samples = kx_text_count((double)m->samples);

	g_string_append_printf(out, "%s: %s%s, ", name, label, m->running ? ", running" : "");
	if (process)
		g_string_append_printf(out,
				       "addresses of process %u (%s) in the guest, not memory: "
				       "ranges can be larger than the VM\n",
				       m->pid, process);
	else
		g_string_append_printf(out,
				       "guest-physical memory; %s samples in %" G_GUINT64_FORMAT
				       " epochs of %s\n",
				       samples, m->epochs, epoch);
	if (m->partial)
		g_string_append_printf(out, "  %s\n", m->partial);
	if (m->unseen)
		g_string_append_printf(out, "  %s\n", m->unseen);
	if (m->outside) {
		g_autofree char *outside = outside_text(m);

		g_string_append_printf(out, "  %s\n", outside);
	}
	if (m->lost) {
		g_autofree char *lost = lost_text(m);

		g_string_append_printf(out, "  %s\n", lost);
	}
	g_string_append_printf(out,
			       "  %u ranges, %u of them accessed; %s hold half of the accesses\n\n",
			       m->ranges_total, m->ranges_hot, half);
}

static void range_row(KxTable *table, const KxVmReport *v, const KxHeatMap *m, guint rank)
{
	const KxHeatRange *r = range_at(m, rank);
	char *cells[] = {
		g_strdup_printf("%u", rank + 1),
		g_strdup_printf("0x%" G_GINT64_MODIFIER "x", r->start),
		kx_text_pages_bytes(r->size / PAGE_SIZE),
		kx_text_number(kx_heat_of_range(r)),
		kx_text_number(100 * (double)r->accesses / (double)m->accesses),
		g_strdup_printf("%u", r->age),
		seers(v, m, r),
	};

	for (guint i = 0; i < G_N_ELEMENTS(cells); i++)
		kx_table_add_cell(table, i, cells[i]);
}

char *kx_heat_to_text(const KxVmReport *v, const KxHeatMap *m, guint top, unsigned int width)
{
	static const char *const titles[] = { "rank",	  "start",	 "size",   "heat\nper page",
					      "share\n%", "age\nepochs", "seen by" };
	g_autoptr(KxTable) table = kx_table_new();
	GString *out = g_string_new(NULL);

	map_heading(out, v, m);
	for (guint i = 0; i < G_N_ELEMENTS(titles); i++)
		kx_table_add_column(table, titles[i], i + 1 == G_N_ELEMENTS(titles), FALSE);
	for (guint i = 0; i < MIN(top, m->ranges->len); i++)
		range_row(table, v, m, i);
	kx_table_print(table, out, width, 2, 0);
	return g_string_free(out, FALSE);
}

/* --- for people: in the report --------------------------------------------------------------------------------------- */

#define BRIEF_RANGES 3u

static char *brief_range(const KxHeatMap *m, guint i)
{
	g_autofree char *size = NULL;

	if (i >= m->ranges->len)
		return g_strdup("-");
	size = kx_text_pages_bytes(range_at(m, i)->size / PAGE_SIZE);
	return g_strdup_printf("0x%" G_GINT64_MODIFIER "x + %s", range_at(m, i)->start, size);
}

static void brief_row(KxTable *table, const KxHeatMap *m)
{
	g_autofree char *label = kx_heat_map_label(m);
	g_autofree char *process = m->process ? g_strdup_printf("  %s: process %s (%u)", m->tracker,
								m->process, m->pid)
					      : NULL;
	char *cells[] = {
		kx_text_clean(process ? process : label),
		process ? g_strdup("-") : kx_text_count((double)m->samples),
		process ? g_strdup("-") : g_strdup_printf("%" G_GUINT64_FORMAT, m->epochs),
		g_strdup_printf("%u / %u", m->ranges_hot, m->ranges_total),
		kx_text_pages_bytes(m->half_bytes / PAGE_SIZE),
		brief_range(m, 0),
		brief_range(m, 1),
		brief_range(m, 2),
	};

	G_STATIC_ASSERT(G_N_ELEMENTS(cells) == 5 + BRIEF_RANGES);
	for (guint i = 0; i < G_N_ELEMENTS(cells); i++)
		kx_table_add_cell(table, i, cells[i]);
}

/* Whether @process belongs to @m: tracker and mechanism identify a map, and a process has those of its tracker's map. */
static gboolean is_of(const KxHeatMap *process, const KxHeatMap *m)
{
	return process->process && !m->process && g_str_equal(process->tracker, m->tracker) &&
	       g_strcmp0(process->mechanism, m->mechanism) == 0;
}

static gboolean has_row_of_tracker(const KxHeatReport *h, const KxHeatMap *process)
{
	for (guint i = 0; i < h->maps->len; i++) {
		if (is_of(process, h->maps->pdata[i]))
			return TRUE;
	}
	return FALSE;
}

/*
 * In the model, processes follow all maps of guest-physical memory, so that the bits of seen_by number only these maps. In the
 * text, processes are below the row of their tracker.
 */
static void brief_rows(KxTable *table, const KxHeatReport *h)
{
	for (guint i = 0; i < h->maps->len; i++) {
		const KxHeatMap *m = h->maps->pdata[i];

		if (!m->process || !has_row_of_tracker(h, m))
			brief_row(table, m);
		for (guint k = 0; k < h->maps->len; k++) {
			if (is_of(h->maps->pdata[k], m))
				brief_row(table, h->maps->pdata[k]);
		}
	}
}

static gboolean has_process(const KxHeatReport *h)
{
	for (guint i = 0; i < h->maps->len; i++) {
		if (((const KxHeatMap *)h->maps->pdata[i])->process)
			return TRUE;
	}
	return FALSE;
}

static void print_maps(const KxHeatReport *h, GString *out, guint width)
{
	static const char *const titles[] = { "tracker",
					      "samples",
					      "epochs",
					      "ranges\naccessed / all",
					      "half of the\naccesses in",
					      "hottest",
					      "second",
					      "third" };
	g_autoptr(KxTable) table = kx_table_new();

	for (guint i = 0; i < G_N_ELEMENTS(titles); i++)
		kx_table_add_column(table, titles[i], !i, FALSE);
	brief_rows(table, h);
	g_string_append(out, "\n  The hottest ranges of memory, as each tracker saw them last\n\n");
	kx_table_print(table, out, width, 2, 0);
	if (has_process(h))
		g_string_append(out, "  A range of a process is of the process' addresses in the "
				     "guest, not of memory: it can be larger than the VM.\n");
	for (guint i = 0; i < h->maps->len; i++) {
		const KxHeatMap *m = h->maps->pdata[i];
		g_autofree char *label = kx_heat_map_label(m), *clean = kx_text_clean(label);
		g_autofree char *outside = m->outside ? outside_text(m) : NULL;

		g_autofree char *lost = m->lost ? lost_text(m) : NULL;

		if (outside)
			g_string_append_printf(out, "  %s: %s.\n", clean, outside);
		if (lost)
			g_string_append_printf(out, "  %s: %s.\n", clean, lost);
	}
}

static const KxAgreement *agreement_of(const KxHeatReport *h, const char *a, const char *b)
{
	for (guint i = 0; i < h->agreement->len; i++) {
		const KxAgreement *g = h->agreement->pdata[i];

		if ((g_str_equal(g->a, a) && g_str_equal(g->b, b)) ||
		    (g_str_equal(g->a, b) && g_str_equal(g->b, a)))
			return g;
	}
	return NULL;
}

static char *agreement_cell(KxText *t, const KxHeatReport *h, const char *a, const char *b)
{
	const KxAgreement *g = agreement_of(h, a, b);
	g_autofree char *chance = NULL;

	if (!g)
		return g_strdup("-");
	if (g->na)
		return kx_na_cell(t, g->na);
	chance = kx_text_number(g->by_chance);
	return g_strdup_printf("%.2f / %s", g->f1, chance);
}

static void print_agreement(KxText *t, const KxHeatReport *h)
{
	g_autoptr(GPtrArray) labels = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(KxTable) table = kx_table_new();

	for (guint i = 0; i < h->maps->len; i++) {
		if (!((const KxHeatMap *)h->maps->pdata[i])->process)
			g_ptr_array_add(labels, kx_heat_map_label(h->maps->pdata[i]));
	}
	if (!h->agreement->len)
		return;
	kx_table_add_column(table, "tracker", TRUE, FALSE);
	for (guint k = 0; k + 1 < labels->len; k++)
		kx_table_add_column(table, labels->pdata[k], FALSE, FALSE);
	for (guint i = 1; i < labels->len; i++) {
		kx_table_add_cell(table, 0, kx_text_clean(labels->pdata[i]));
		for (guint k = 0; k + 1 < labels->len; k++)
			kx_table_add_cell(
				table, k + 1,
				k < i ? agreement_cell(t, h, labels->pdata[i], labels->pdata[k])
				      : g_strdup(""));
	}
	g_string_append(
		t->out,
		"\n  Agreement: share of one tracker's hottest pages that are among the other's / "
		"share by chance\n\n");
	kx_table_print(table, t->out, t->width, 2, 0);
}

void kx_text_heat(KxText *t, const KxHeatReport *h)
{
	if (!h->maps->len)
		return;
	print_maps(h, t->out, t->width);
	print_agreement(t, h);
}
