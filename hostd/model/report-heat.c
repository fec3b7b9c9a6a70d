// SPDX-License-Identifier: GPL-2.0-or-later
/* Heat in the report: what its maps add up to, where they agree, and what of them people see. */
#include "report.h"

#include "base/textfmt.h"
#include "report-internal.h"

#define PAGE_SIZE 4096u

/* --- the model ------------------------------------------------------------------------------------------------------ */

KxHeatMap *kx_heat_map_new(void)
{
	KxHeatMap *m = g_new0(KxHeatMap, 1);

	m->ranges = g_array_new(FALSE, TRUE, sizeof(KxHeatRange));
	return m;
}

void kx_heat_map_free(KxHeatMap *m)
{
	if (!m)
		return;
	kx_free_strings(kx_heat_map_fields, m);
	g_array_unref(m->ranges);
	g_free(m);
}

KxHeatMap *kx_heat_map_copy(const KxHeatMap *m)
{
	KxHeatMap *c = g_new0(KxHeatMap, 1);

	*c = *m;
	kx_copy_strings(kx_heat_map_fields, c);
	c->ranges = g_array_new(FALSE, TRUE, sizeof(KxHeatRange));
	g_array_append_vals(c->ranges, m->ranges->data, m->ranges->len);
	return c;
}

static void agreement_free(gpointer data)
{
	kx_free_strings(kx_agreement_fields, data);
	g_free(data);
}

KxHeatReport *kx_heat_report_new(void)
{
	KxHeatReport *h = g_new0(KxHeatReport, 1);

	h->maps = g_ptr_array_new_with_free_func((GDestroyNotify)kx_heat_map_free);
	h->agreement = g_ptr_array_new_with_free_func(agreement_free);
	return h;
}

static KxAgreement *agreement_copy(const KxAgreement *g)
{
	KxAgreement *c = g_new(KxAgreement, 1);

	*c = *g;
	c->a = g_strdup(g->a);
	c->b = g_strdup(g->b);
	c->na = g_strdup(g->na);
	return c;
}

KxHeatReport *kx_heat_report_copy(const KxHeatReport *h)
{
	KxHeatReport *c = kx_heat_report_new();

	for (guint i = 0; i < h->maps->len; i++)
		g_ptr_array_add(c->maps, kx_heat_map_copy(h->maps->pdata[i]));
	for (guint i = 0; i < h->agreement->len; i++)
		g_ptr_array_add(c->agreement, agreement_copy(h->agreement->pdata[i]));
	return c;
}

void kx_heat_report_free(KxHeatReport *h)
{
	if (!h)
		return;
	g_ptr_array_unref(h->maps);
	g_ptr_array_unref(h->agreement);
	g_free(h);
}

static const KxHeatRange *range_at(const KxHeatMap *m, guint i)
{
	return &g_array_index(m->ranges, KxHeatRange, i);
}

double kx_heat_of_range(const KxHeatRange *r)
{
	return (double)r->accesses * PAGE_SIZE / (double)r->size;
}

char *kx_heat_map_label(const KxHeatMap *m)
{
	return kx_tracker_label(m->tracker, m->mechanism);
}

/* --- the hottest pages ---------------------------------------------------------------------------------------------- */

/* @share of its pages, whichever. */
typedef struct {
	guint64 start, end;
	double share;
} Span;

static gint lower_span(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Span *)a)->start, y = ((const Span *)b)->start;

	return x < y ? -1 : x > y;
}

/* Ascending. The last range, of which only a part is wanted, is there whole with its share; *@last: how large it is. */
static GArray *hottest(const KxHeatMap *m, guint64 bytes, guint64 *last)
{
	GArray *spans = g_array_new(FALSE, FALSE, sizeof(Span));

	*last = 0;
	for (guint i = 0; i < m->ranges->len && bytes; i++) {
		const KxHeatRange *r = range_at(m, i);
		guint64 size = MIN(r->size, bytes);
		Span s = { r->start, r->start + r->size, (double)size / (double)r->size };

		*last = r->size;
		bytes -= size;
		g_array_append_val(spans, s);
	}
	g_array_sort(spans, lower_span);
	return spans;
}

static double common_bytes(const GArray *a, const GArray *b)
{
	double sum = 0;

	for (guint i = 0, k = 0; i < a->len && k < b->len;) {
		const Span *x = &g_array_index(a, Span, i), *y = &g_array_index(b, Span, k);
		guint64 start = MAX(x->start, y->start), end = MIN(x->end, y->end);

		sum += end > start ? (double)(end - start) * x->share * y->share : 0;
		if (x->end < y->end)
			i++;
		else
			k++;
	}
	return sum;
}

/* Whole ranges with half of the accesses, or more. */
static guint64 half_of(const KxHeatMap *m)
{
	guint64 accesses = 0, bytes = 0;

	for (guint i = 0; i < m->ranges->len && accesses < (m->accesses + 1) / 2; i++) {
		accesses += range_at(m, i)->accesses;
		bytes += range_at(m, i)->size;
	}
	return bytes;
}

static void sum_up(KxHeatMap *m)
{
	m->accesses = 0;
	m->ranges_hot = m->ranges->len;
	for (guint i = 0; i < m->ranges->len; i++)
		m->accesses += range_at(m, i)->accesses;
	m->half_bytes = half_of(m);
}

static void note_seen(KxHeatReport *h, guint by)
{
	const KxHeatMap *seer = h->maps->pdata[by];
	guint64 last;
	g_autoptr(GArray) hot = hottest(seer, seer->half_bytes, &last);
	g_autoptr(GArray) one = g_array_new(FALSE, FALSE, sizeof(Span));

	g_array_set_size(one, 1);
	for (guint i = 0; i < h->maps->len; i++) {
		const KxHeatMap *m = h->maps->pdata[i];

		for (guint k = 0; k < m->ranges->len && !m->process; k++) {
			KxHeatRange *r = &g_array_index(m->ranges, KxHeatRange, k);

			g_array_index(one, Span, 0) = (Span){ r->start, r->start + r->size, 1 };
			if (common_bytes(hot, one) * 2 >= (double)r->size)
				r->seen_by |= 1u << by;
		}
	}
}

/* --- agreement ------------------------------------------------------------------------------------------------------- */

/* Of a range that is so much larger than what is compared it is not known where in it the heat is. */
#define TOO_COARSE 4u

/* Never comparable, however long they look. */
static char *why_never(const KxHeatMap *m)
{
	g_autofree char *label = kx_heat_map_label(m);

	if (!m->accesses)
		return g_strdup_printf("%s has found nothing", label);
	return m->partial
		       ? g_strdup_printf("%s does not speak for all memory: %s", label, m->partial)
		       : NULL;
}

static char *why_not_yet(const KxHeatMap *m, guint64 bytes, guint64 last)
{
	g_autofree char *label = kx_heat_map_label(m);

	return last / TOO_COARSE > bytes
		       ? g_strdup_printf("the ranges of %s are still larger than what is hot: it "
					 "has not looked for long enough",
					 label)
		       : NULL;
}

/* In how many pieces, with memory that is not hot between them. */
static guint pieces_of(const GArray *spans)
{
	guint n = 0;

	for (guint i = 0; i < spans->len; i++)
		n += !i ||
		     g_array_index(spans, Span, i).start != g_array_index(spans, Span, i - 1).end;
	return n;
}

/*
 * All of a leaf is as hot as its hottest page, so that which of its pages are among the hottest is chance. How finely the
 * classifier has divided it changes nothing in that. @hot: what is hottest by the other map, whose leaves are smaller.
 */
static char *why_leaves(const KxHeatMap *m, const KxHeatMap *other, const GArray *hot,
			guint64 bytes)
{
	guint64 other_leaf = MAX(other->leaf_bytes, PAGE_SIZE),
		piece = bytes / MAX(pieces_of(hot), 1);
	g_autofree char *label = kx_heat_map_label(m), *leaf = NULL;

	if (m->leaf_bytes <= bytes &&
	    !(m->leaf_bytes > other_leaf && m->leaf_bytes / TOO_COARSE > piece))
		return NULL;
	leaf = kx_text_pages_bytes(m->leaf_bytes / PAGE_SIZE);
	return g_strdup_printf(
		"%s finds whole leaves of %s, larger than what is hot: it cannot tell "
		"where in them",
		label, leaf);
}

static KxAgreement *compare(const KxHeatMap *a, const KxHeatMap *b, guint64 ram_bytes)
{
	KxAgreement *g = g_new0(KxAgreement, 1);
	g_autoptr(GArray) hot_a = NULL, hot_b = NULL;
	guint64 last_a, last_b;
	double common;

	g->bytes = MIN(a->half_bytes, b->half_bytes);
	hot_a = hottest(a, g->bytes, &last_a);
	hot_b = hottest(b, g->bytes, &last_b);
	g->a = kx_heat_map_label(a);
	g->b = kx_heat_map_label(b);
	g->samples_a = a->samples;
	g->samples_b = b->samples;
	g->na = why_never(a);
	if (!g->na)
		g->na = why_never(b);
	if (!g->na)
		g->na = why_leaves(a, b, hot_b, g->bytes);
	if (!g->na)
		g->na = why_leaves(b, a, hot_a, g->bytes);
	if (!g->na)
		g->na = why_not_yet(a, g->bytes, last_a);
	if (!g->na)
		g->na = why_not_yet(b, g->bytes, last_b);
	if (!g->na && (!ram_bytes || g->bytes > ram_bytes))
		g->na = g_strdup("the size of the VM's memory is not known");
	if (g->na)
		return g;
	common = common_bytes(hot_a, hot_b);
	g->common = (guint64)common;
	g->f1 = common / (double)g->bytes;
	g->jaccard = common / (2 * (double)g->bytes - common);
	g->by_chance = (double)g->bytes / (double)ram_bytes;
	return g;
}

void kx_heat_compare(KxHeatReport *h, guint64 ram_bytes)
{
	g_ptr_array_set_size(h->agreement, 0);
	for (guint i = 0; i < h->maps->len; i++)
		sum_up(h->maps->pdata[i]);
	for (guint i = 0; i < h->maps->len; i++) {
		const KxHeatMap *a = h->maps->pdata[i];

		if (a->process)
			continue;
		if (i < KX_HEAT_SEEN_MAX)
			note_seen(h, i);
		for (guint k = i + 1; k < h->maps->len; k++) {
			const KxHeatMap *b = h->maps->pdata[k];

			if (!b->process)
				g_ptr_array_add(h->agreement, compare(a, b, ram_bytes));
		}
	}
}

void kx_heat_trim(KxHeatReport *h, guint n)
{
	for (guint i = 0; i < h->maps->len; i++) {
		KxHeatMap *m = h->maps->pdata[i];

		if (m->ranges->len > n)
			g_array_set_size(m->ranges, n);
	}
}

const KxHeatMap *kx_heat_main_map(const KxHeatReport *h)
{
	const KxHeatMap *last = NULL;

	for (guint i = 0; i < h->maps->len; i++) {
		const KxHeatMap *m = h->maps->pdata[i];

		if (m->process || !m->accesses)
			continue;
		if (m->running)
			return m;
		last = m;
	}
	return last;
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
		"%s more samples lay outside of the memory that was known when they came: "
		"they are in no range",
		outside);
}

static char *lost_text(const KxHeatMap *m)
{
	g_autofree char *lost = kx_text_count((double)m->lost);

	return g_strdup_printf(
		"%s more samples were lost, so that ranges may be hotter than they look", lost);
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
		g_string_append_printf(out, "addresses of process %u (%s) in the guest\n", m->pid,
				       process);
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

/* Finders are told apart by it, and processes bear their finder's. */
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
 * The model has the processes behind all maps of guest-physical memory, so that seen_by can number these; people find them
 * below the row of their tracker.
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

static char *agreement_cell(const KxHeatReport *h, const char *a, const char *b, KxWhyNot *why_not,
			    gpointer data)
{
	const KxAgreement *g = agreement_of(h, a, b);
	g_autofree char *chance = NULL;

	if (!g)
		return g_strdup("-");
	if (g->na)
		return why_not(g->na, data);
	chance = kx_text_number(g->by_chance);
	return g_strdup_printf("%.2f / %s", g->f1, chance);
}

static void print_agreement(const KxHeatReport *h, GString *out, guint width, KxWhyNot *why_not,
			    gpointer data)
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
			kx_table_add_cell(table, k + 1,
					  k < i ? agreement_cell(h, labels->pdata[i],
								 labels->pdata[k], why_not, data)
						: g_strdup(""));
	}
	g_string_append(
		out, "\n  Agreement: share of the hottest pages of one that are among as many of "
		     "the other / by chance\n\n");
	kx_table_print(table, out, width, 2, 0);
}

void kx_heat_print(const KxHeatReport *h, GString *out, guint width, KxWhyNot *why_not,
		   gpointer data)
{
	if (!h || !h->maps->len)
		return;
	print_maps(h, out, width);
	print_agreement(h, out, width, why_not, data);
}
