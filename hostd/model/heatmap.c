// SPDX-License-Identifier: GPL-2.0-or-later
/* Maps of heat: their sums and their agreement. */
#include "heatmap.h"

#include "base/textfmt.h"
#include "fields.h"
#include "window.h"

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

/* A range of which @share of the pages are chosen; it is not known which pages. */
typedef struct {
	guint64 start, end;
	double share;
} Span;

static gint lower_span(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Span *)a)->start, y = ((const Span *)b)->start;

	return x < y ? -1 : x > y;
}

/*
 * The hottest ranges that have @bytes together, ascending. Of the last range only a part may be needed: the result contains the
 * whole range with a share below 1. *@last: size of the last range.
 */
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

/* Size of the hottest whole ranges with at least half of the accesses. */
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

/* A range this many times larger than the sets that are compared does not show where in the range the heat is. */
#define TOO_COARSE 4u

/* Why the map cannot be compared, however long its tracker runs. */
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

/* Number of contiguous pieces that the spans form. */
static guint pieces_of(const GArray *spans)
{
	guint n = 0;

	for (guint i = 0; i < spans->len; i++)
		n += !i ||
		     g_array_index(spans, Span, i).start != g_array_index(spans, Span, i - 1).end;
	return n;
}

/*
 * All pages of a leaf appear as hot as its hottest page, so it is chance which of these pages are among the hottest. This is so
 * however small the classifier's ranges are. @hot: the hottest ranges of the other map, whose leaves are smaller.
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

guint kx_heat_hot_ranges(const KxHeatMap *m, double *heat)
{
	guint64 sum = 0;
	guint n = 0;

	*heat = 0;
	for (guint i = 0; i < m->ranges->len && sum < m->accesses - sum; i++) {
		sum += range_at(m, i)->accesses;
		*heat = kx_heat_of_range(range_at(m, i)) / 2;
	}
	while (n < m->ranges->len && range_at(m, n)->accesses &&
	       kx_heat_of_range(range_at(m, n)) >= *heat)
		n++;
	return n;
}
