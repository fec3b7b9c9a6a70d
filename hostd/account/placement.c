// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement.h"

#include "base/error.h"
#include "tracker/rows.h"
#include "vm/pagenodes.h"

#define PAGE_SHIFT 12u

/* --- which memory is hot --------------------------------------------------------------------------------------------- */

/* The map that `kvm-ext heat` shows; if it covers only a part of the memory, the latest map that covers all memory. */
static const KxHeatMap *choose_map(const KxHeatReport *h, char **na)
{
	const KxHeatMap *map = kx_heat_main_map(h);

	if (!map) {
		*na = g_strdup("no tracker has found what the VM accesses");
		return NULL;
	}
	if (!map->partial)
		return map;
	for (guint i = h->maps->len; i-- > 0;) {
		const KxHeatMap *m = h->maps->pdata[i];

		if (!m->process && !m->partial && m->accesses)
			return m;
	}
	*na = g_strdup_printf("%s does not cover all memory: %s", map->tracker, map->partial);
	return NULL;
}

static char *note_of(const KxHeatMap *m)
{
	const KxTrackerRow *row = kx_tracker_by_name(m->tracker);
	gboolean writes = row && row->sees.finds == KX_SEEN_WRITTEN;
	const char *text =
		writes ? "it finds only writes, so memory that is only read counts as cold" : NULL;

	if (!m->unseen)
		return g_strdup(text);
	return g_strconcat(m->unseen, text ? "; " : NULL, text, NULL);
}

static void describe(KxPlacement *p, const KxHeatMap *m)
{
	p->tracker = g_strdup(m->tracker);
	p->mechanism = g_strdup(m->mechanism);
	p->options = g_strdup(m->options);
	p->running = m->running;
	p->hot_note = note_of(m);
}

/* The hot ranges in pages, disjoint, ascending. A page that a range covers only in part is included. */
typedef struct {
	guint64 gfn, end;
} Hot;

static gint lower_first(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Hot *)a)->gfn, y = ((const Hot *)b)->gfn;

	return x < y ? -1 : x > y;
}

static GArray *hot_of(const KxHeatMap *m, double *heat)
{
	GArray *hot = g_array_new(FALSE, FALSE, sizeof(Hot));
	guint n = m ? kx_heat_hot_ranges(m, heat) : 0;
	guint64 end = 0;

	for (guint i = 0; i < n; i++) {
		const KxHeatRange *r = &g_array_index(m->ranges, KxHeatRange, i);
		Hot h = { r->start >> PAGE_SHIFT, ((r->start + r->size - 1) >> PAGE_SHIFT) + 1 };

		g_array_append_val(hot, h);
	}
	g_array_sort(hot, lower_first);
	for (guint i = 0; i < hot->len; i++) {
		Hot *h = &g_array_index(hot, Hot, i);

		h->gfn = MAX(h->gfn, end);
		h->end = MAX(h->end, h->gfn);
		end = h->end;
	}
	return hot;
}

/* --- where it is in the VMM ------------------------------------------------------------------------------------------ */

static void add_span(GArray *spans, const KxLayoutPart *part, guint64 from, guint64 to)
{
	KxSpan s = { part->hva + ((from - part->gfn) << PAGE_SHIFT), to - from };

	if (to > from)
		g_array_append_val(spans, s);
}

/* Divides the VM's memory into what is hot and the rest. Parts and hot ranges both ascend. */
static void divide(const KxLayout *layout, const GArray *hot, GArray *hot_spans, GArray *rest_spans)
{
	guint k = 0;

	for (guint i = 0; i < layout->parts->len; i++) {
		const KxLayoutPart *part = &g_array_index(layout->parts, KxLayoutPart, i);
		guint64 at = part->gfn, end = part->gfn + part->npages;

		while (k < hot->len && g_array_index(hot, Hot, k).gfn < end) {
			const Hot *h = &g_array_index(hot, Hot, k);
			guint64 from = CLAMP(h->gfn, at, end), to = CLAMP(h->end, at, end);

			add_span(rest_spans, part, at, from);
			add_span(hot_spans, part, from, to);
			at = MAX(at, to);
			if (h->end > end)
				break; /* the range continues in the next part */
			k++;
		}
		add_span(rest_spans, part, at, end);
	}
}

/* --- the answer ------------------------------------------------------------------------------------------------------ */

static const KxNode *node_of(const KxNodes *nodes, guint32 id)
{
	for (guint i = 0; i < nodes->nodes->len; i++) {
		const KxNode *n = &g_array_index(nodes->nodes, KxNode, i);

		if (n->id == id)
			return n;
	}
	return NULL;
}

/* Nodes with memory, and nodes that libnuma does not know because they came after the daemon had started. */
static void take_nodes(KxPlacement *p, const KxNodes *nodes, const KxPageNodes *hot,
		       const KxPageNodes *rest)
{
	for (guint32 id = 0; id < KX_NODES_MAX; id++) {
		const KxNode *n = node_of(nodes, id);
		KxPlacedNode placed = { .node = id, .hot = hot->on[id], .rest = rest->on[id] };

		if (!n && !placed.hot && !placed.rest)
			continue;
		if (n) {
			placed.cpus = n->cpus;
			placed.slow = n->slow;
			placed.bytes = n->bytes;
		}
		g_array_append_val(p->nodes, placed);
	}
}

static void take_counts(KxPlacement *p, const KxPageNodes *hot, const KxPageNodes *rest)
{
	p->hot_pages = hot->pages;
	p->hot_asked = hot->asked;
	p->hot_absent = hot->absent;
	p->rest_pages = rest->pages;
	p->rest_asked = rest->asked;
	p->rest_absent = rest->absent;
	p->batches = hot->batches + rest->batches;
	p->cpu_ns = hot->cpu_ns + rest->cpu_ns;
}

KxPlacement *kx_placement_find(const KxPlacementQuery *q)
{
	g_autoptr(GArray) hot_spans = g_array_new(FALSE, FALSE, sizeof(KxSpan));
	g_autoptr(GArray) rest_spans = g_array_new(FALSE, FALSE, sizeof(KxSpan));
	g_autofree KxPageNodes *hot = g_new0(KxPageNodes, 1), *rest = g_new0(KxPageNodes, 1);
	g_autoptr(KxPlacement) p = kx_placement_new();
	g_autoptr(GRand) rand = g_rand_new_with_seed(q->seed);
	g_autoptr(GArray) ranges = NULL;
	g_autoptr(GError) error = NULL;
	const KxHeatMap *map = choose_map(q->heat, &p->hot_na);

	p->host_nodes = q->nodes->nodes->len;
	p->slow_rule = g_strdup(q->nodes->rule);
	p->slow_na = g_strdup(q->nodes->none);
	if (map)
		describe(p, map);
	ranges = hot_of(map, &p->hot_heat);
	divide(q->layout, ranges, hot_spans, rest_spans);
	if (!kx_page_nodes_ask(q->sys, q->proc_root, q->pid, hot_spans, rand, hot, &error) ||
	    !kx_page_nodes_ask(q->sys, q->proc_root, q->pid, rest_spans, rand, rest, &error))
		return kx_placement_unknown(g_strdup(error->message));
	take_counts(p, hot, rest);
	take_nodes(p, q->nodes, hot, rest);
	return g_steal_pointer(&p);
}
