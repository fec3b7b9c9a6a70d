// SPDX-License-Identifier: GPL-2.0-or-later
#include "stepmap.h"

/* A step is its first frame and the count from there on: frame numbers have 40 bits. */
#define COUNT_BITS	 8u
#define STEP(gfn, count) ((guint64)(gfn) << COUNT_BITS | (count))
#define GFN_OF(step)	 ((step) >> COUNT_BITS)
#define COUNT_OF(step)	 ((guint)((step)&KX_STEPMAP_TOP))

/* A sweep goes through all steps, so it runs only when there are so many spans. */
#define SWEEP_MIN 1024u

typedef struct {
	guint64 gfn, end;
	guint by;
} Span;

/* Where a span begins (+by) or ends (-by). */
typedef struct {
	guint64 gfn;
	gint by;
} Edge;

struct _KxStepMap {
	guint max;
	gboolean latest;	  /* a frame has the latest number, not the sum */
	guint grain;		  /* log2 of pages */
	GArray *steps;		  /* guint64, ascending; before the first: 0 */
	GArray *spans;		  /* Span, of passes that count, then of the current pass, */
	guint first;		  /* whose first span has this index */
	gboolean in_order;	  /* of the current pass */
	gboolean passes_in_order; /* all edges before it */
};

KxStepMap *kx_stepmap_new(guint max)
{
	KxStepMap *m = g_new0(KxStepMap, 1);

	m->max = MAX(max, 16);
	m->steps = g_array_new(FALSE, FALSE, sizeof(guint64));
	m->spans = g_array_new(FALSE, FALSE, sizeof(Span));
	m->in_order = m->passes_in_order = TRUE;
	return m;
}

KxStepMap *kx_stepmap_new_latest(guint max)
{
	KxStepMap *m = kx_stepmap_new(max);

	m->latest = TRUE;
	return m;
}

void kx_stepmap_free(KxStepMap *m)
{
	if (!m)
		return;
	g_array_unref(m->steps);
	g_array_unref(m->spans);
	g_free(m);
}

static Span *span_at(const KxStepMap *m, guint i)
{
	return &g_array_index(m->spans, Span, i);
}

static guint64 step_at(const KxStepMap *m, guint i)
{
	return g_array_index(m->steps, guint64, i);
}

static guint64 grain_start(const KxStepMap *m, guint64 gfn)
{
	return gfn >> m->grain << m->grain;
}

static guint64 grain_end(const KxStepMap *m, guint64 end)
{
	return grain_start(m, end + (1ull << m->grain) - 1);
}

/* --- the current pass ------------------------------------------------------------------------------------------------- */

static gint lower_first(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Span *)a)->gfn, y = ((const Span *)b)->gfn;

	return x < y ? -1 : x > y;
}

/*
 * Appends @s to the spans. The part that @s shares with the last span counts once, with the value that was added first; or
 * with the higher value if @s covers all of the last span.
 */
static void append_ascending(GArray *spans, guint first, Span s)
{
	Span *last = spans->len > first ? &g_array_index(spans, Span, spans->len - 1) : NULL;

	if (last && s.gfn <= last->end && s.by == last->by) {
		last->end = MAX(last->end, s.end);
		return;
	}
	if (last && s.gfn == last->gfn && s.end >= last->end && s.by > last->by) {
		*last = s;
		return;
	}
	if (last && s.gfn < last->end)
		s.gfn = last->end;
	if (s.gfn < s.end)
		g_array_append_val(spans, s);
}

/* The spans of the pass in the present grain: sorted, disjoint, in whole grains. */
static void settle_pass(KxStepMap *m)
{
	g_autoptr(GArray) old = g_array_new(FALSE, FALSE, sizeof(Span));

	g_array_append_vals(old, span_at(m, m->first), m->spans->len - m->first);
	g_array_set_size(m->spans, m->first);
	if (!m->in_order)
		g_array_sort(old, lower_first);
	m->in_order = TRUE;
	for (guint i = 0; i < old->len; i++) {
		Span s = g_array_index(old, Span, i);

		s.gfn = grain_start(m, s.gfn);
		s.end = grain_end(m, s.end);
		append_ascending(m->spans, m->first, s);
	}
}

static void bound_pass(KxStepMap *m)
{
	if (m->spans->len - m->first < m->max)
		return;
	settle_pass(m); /* this may be enough if many frames were added twice */
	while (m->spans->len - m->first > m->max / 2) {
		m->grain++;
		settle_pass(m);
	}
}

void kx_stepmap_add(KxStepMap *m, guint64 gfn, guint64 npages, guint by)
{
	Span s = { grain_start(m, gfn), grain_end(m, gfn + npages), MIN(by, KX_STEPMAP_TOP) };
	const Span *last = m->spans->len > m->first ? span_at(m, m->spans->len - 1) : NULL;

	if (!npages || !by)
		return;
	if (last && s.gfn < last->gfn) {
		m->in_order = FALSE;
		g_array_append_val(m->spans, s);
	} else if (m->in_order) {
		append_ascending(m->spans, m->first, s);
	} else {
		g_array_append_val(m->spans, s);
	}
	bound_pass(m);
}

void kx_stepmap_drop(KxStepMap *m)
{
	g_array_set_size(m->spans, m->first);
	m->in_order = TRUE;
}

/* --- the sweep ---------------------------------------------------------------------------------------------------- */

static gint lower_edge(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Edge *)a)->gfn, y = ((const Edge *)b)->gfn;

	return x < y ? -1 : x > y;
}

static GArray *edges_of(const KxStepMap *m)
{
	GArray *edges = g_array_sized_new(FALSE, FALSE, sizeof(Edge), 2 * m->spans->len);

	for (guint i = 0; i < m->spans->len; i++) {
		const Span *s = span_at(m, i);
		Edge both[] = { { s->gfn, (gint)s->by }, { s->end, -(gint)s->by } };

		g_array_append_vals(edges, both, 2);
	}
	if (!m->passes_in_order)
		g_array_sort(edges, lower_edge);
	return edges;
}

static void append_step(GArray *steps, guint64 gfn, guint count)
{
	guint64 step = STEP(gfn, count);
	guint last = steps->len ? COUNT_OF(g_array_index(steps, guint64, steps->len - 1)) : 0;

	if (count != last)
		g_array_append_val(steps, step);
}

/* The spans that cover a frame: their sum, and how many there are with each number. */
typedef struct {
	gint64 sum;
	guint32 n[KX_STEPMAP_TOP + 1];
	guint64 have[(KX_STEPMAP_TOP + 1) / 64]; /* bit i: there are spans with the number i */
} Cover;

static void cross_edge(Cover *c, gint by)
{
	guint number = (guint)ABS(by);

	c->sum += by;
	c->n[number] += by > 0 ? 1 : G_MAXUINT32;
	if (c->n[number])
		c->have[number / 64] |= 1ull << number % 64;
	else
		c->have[number / 64] &= ~(1ull << number % 64);
}

/* The greatest number; 0: no span. */
static guint latest_of(const Cover *c)
{
	for (guint i = G_N_ELEMENTS(c->have); i-- > 0;) {
		if (c->have[i])
			return i * 64 + 63 - (guint)__builtin_clzll(c->have[i]);
	}
	return 0;
}

static guint count_in(const KxStepMap *m, const Cover *c, guint old)
{
	if (m->latest)
		return MAX(latest_of(c), old);
	return (guint)MIN(old + c->sum, (gint64)KX_STEPMAP_TOP);
}

/* Merges the steps and the edges of the spans, both ascending, in one loop. */
static void merge(KxStepMap *m, const GArray *edges)
{
	GArray *out = g_array_sized_new(FALSE, FALSE, sizeof(guint64), m->steps->len + edges->len);
	guint i = 0, k = 0, old = 0;
	Cover cover = { 0 };

	while (i < m->steps->len || k < edges->len) {
		guint64 from_step = i < m->steps->len ? GFN_OF(step_at(m, i)) : G_MAXUINT64;
		guint64 from_edge =
			k < edges->len ? g_array_index(edges, Edge, k).gfn : G_MAXUINT64;
		guint64 at = MIN(from_step, from_edge);

		if (from_step == at)
			old = COUNT_OF(step_at(m, i++));
		for (; k < edges->len && g_array_index(edges, Edge, k).gfn == at; k++)
			cross_edge(&cover, g_array_index(edges, Edge, k).by);
		append_step(out, at, count_in(m, &cover, old));
	}
	g_array_unref(m->steps);
	m->steps = out;
}

/* A run of frames with @count that ends at @end; the count of a grain is that of its highest page. */
static void append_grains(GArray *out, guint64 gfn, guint64 end, guint count)
{
	Span *last = out->len ? &g_array_index(out, Span, out->len - 1) : NULL;
	Span s = { gfn, end, count };

	if (last && gfn < last->end) { /* the last run and this run share a grain */
		if (count > last->by)
			last->end = gfn;
		else
			s.gfn = last->end;
		if (last->gfn == last->end)
			g_array_set_size(out, out->len - 1);
	}
	if (s.gfn < s.end)
		g_array_append_val(out, s);
}

static void coarsen(KxStepMap *m)
{
	g_autoptr(GArray) stretches = g_array_new(FALSE, FALSE, sizeof(Span));
	guint64 at = 0;

	for (guint i = 0; i < m->steps->len; i++) {
		guint64 gfn = GFN_OF(step_at(m, i));
		guint64 end = i + 1 < m->steps->len ? GFN_OF(step_at(m, i + 1)) : gfn;

		if (COUNT_OF(step_at(m, i)))
			append_grains(stretches, grain_start(m, gfn), grain_end(m, end),
				      COUNT_OF(step_at(m, i)));
	}
	g_array_set_size(m->steps, 0);
	for (guint i = 0; i < stretches->len; i++) {
		const Span *s = &g_array_index(stretches, Span, i);

		if (at < s->gfn)
			append_step(m->steps, at, 0);
		append_step(m->steps, s->gfn, s->by);
		at = s->end;
	}
	append_step(m->steps, at, 0);
}

/* Only for spans that count: called between passes, or after the caller has set the current pass aside. */
static void sweep(KxStepMap *m)
{
	g_autoptr(GArray) edges = NULL, coming = NULL;

	if (!m->first)
		return;
	if (m->spans->len > m->first) {
		coming = g_array_new(FALSE, FALSE, sizeof(Span));
		g_array_append_vals(coming, span_at(m, m->first), m->spans->len - m->first);
		g_array_set_size(m->spans, m->first);
	}
	edges = edges_of(m);
	merge(m, edges);
	while (m->steps->len > m->max) {
		m->grain++;
		coarsen(m);
	}
	/* A new array, because a large pass may have enlarged the old one. */
	g_array_unref(m->spans);
	m->spans = coming ? g_steal_pointer(&coming) : g_array_new(FALSE, FALSE, sizeof(Span));
	m->first = 0;
	m->passes_in_order = TRUE;
}

void kx_stepmap_take(KxStepMap *m)
{
	if (!m->in_order)
		settle_pass(m);
	if (m->first && m->spans->len > m->first)
		m->passes_in_order = FALSE; /* a second pass starts again at low frame numbers */
	m->first = m->spans->len;
	if (m->first >= MAX(SWEEP_MIN, m->steps->len / 4))
		sweep(m);
}

void kx_stepmap_map(KxStepMap *m, const guint8 to[KX_STEPMAP_TOP + 1])
{
	g_autoptr(GArray) old = NULL;

	sweep(m);
	old = m->steps;
	m->steps = g_array_new(FALSE, FALSE, sizeof(guint64));
	for (guint i = 0; i < old->len; i++) {
		guint64 step = g_array_index(old, guint64, i);

		append_step(m->steps, GFN_OF(step), to[COUNT_OF(step)]);
	}
}

void kx_stepmap_halve(KxStepMap *m)
{
	guint8 to[KX_STEPMAP_TOP + 1];

	for (guint i = 0; i <= KX_STEPMAP_TOP; i++)
		to[i] = (guint8)(i / 2);
	kx_stepmap_map(m, to);
}

/* --- queries ------------------------------------------------------------------------------------------------------- */

/* The first step after @gfn. */
static guint step_after(const KxStepMap *m, guint64 gfn)
{
	guint low = 0, high = m->steps->len;

	while (low < high) {
		guint middle = low + (high - low) / 2;

		if (GFN_OF(step_at(m, middle)) <= gfn)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

guint kx_stepmap_at(KxStepMap *m, guint64 gfn)
{
	guint i;

	sweep(m);
	i = step_after(m, gfn);
	return i ? COUNT_OF(step_at(m, i - 1)) : 0;
}

void kx_stepmap_each(KxStepMap *m, guint64 first, guint64 end, KxStepVisit fn, gpointer data)
{
	guint count, i;

	sweep(m);
	i = step_after(m, first);
	count = i ? COUNT_OF(step_at(m, i - 1)) : 0;
	for (guint64 at = first; at < end; i++) {
		guint64 next = i < m->steps->len ? MIN(GFN_OF(step_at(m, i)), end) : end;

		if (next > at)
			fn(data, at, next - at, count);
		count = i < m->steps->len ? COUNT_OF(step_at(m, i)) : 0;
		at = next;
	}
}

guint kx_stepmap_steps(KxStepMap *m)
{
	sweep(m);
	return m->steps->len;
}

guint64 kx_stepmap_grain(const KxStepMap *m)
{
	return 1ull << m->grain;
}

gsize kx_stepmap_bytes(const KxStepMap *m)
{
	return sizeof(*m) + m->steps->len * sizeof(guint64) + m->spans->len * sizeof(Span);
}
