// SPDX-License-Identifier: GPL-2.0-or-later
#include "heat.h"

#include <string.h>

#define CHUNK_SHIFT  12u
#define CHUNK_PAGES  (1u << CHUNK_SHIFT)
#define CHUNKS_MAX   (1u << 16)
#define HEAT_CLASSES 256u

typedef struct {
	guint64 index;	  /* key of the table: gfn >> CHUNK_SHIFT */
	guint64 halvings; /* that these counts have seen */
	guint8 heat[CHUNK_PAGES];
} Chunk;

struct _KxHeat {
	GHashTable *chunks; /* by index */
	Chunk *last;	    /* frames come in ascending order, so the next is mostly here */
	guint64 budget;	    /* chunks that may still be made */
	guint64 passes;
	gboolean prime;
};

KxHeat *kx_heat_new(guint64 last_gfn)
{
	KxHeat *h = g_new0(KxHeat, 1);

	h->chunks = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
	h->budget = MIN((last_gfn >> CHUNK_SHIFT) * 2 + 64, CHUNKS_MAX);
	return h;
}

void kx_heat_free(KxHeat *h)
{
	if (!h)
		return;
	g_hash_table_unref(h->chunks);
	g_free(h);
}

/* --- feeding ------------------------------------------------------------------------------------------------------ */

static guint64 halvings(const KxHeat *h)
{
	return h->passes / KX_HEAT_PASSES;
}

/* Halving is put off until a chunk is looked at. */
static guint cooled(const KxHeat *h, const Chunk *c, guint heat)
{
	guint64 missed = halvings(h) - c->halvings;

	return missed < 8 ? heat >> missed : 0;
}

static void cool(const KxHeat *h, Chunk *c)
{
	if (c->halvings == halvings(h))
		return;
	for (guint i = 0; i < CHUNK_PAGES; i++)
		c->heat[i] = (guint8)cooled(h, c, c->heat[i]);
	c->halvings = halvings(h);
}

/* NULL: the budget is used up. */
static Chunk *chunk_for(KxHeat *h, guint64 gfn)
{
	guint64 index = gfn >> CHUNK_SHIFT;
	Chunk *c = h->last;

	if (!c || c->index != index)
		c = g_hash_table_lookup(h->chunks, &index);
	if (!c) {
		if (!h->budget)
			return NULL;
		h->budget--;
		c = g_new0(Chunk, 1);
		c->index = index;
		c->halvings = halvings(h);
		g_hash_table_insert(h->chunks, &c->index, c);
	}
	cool(h, c);
	h->last = c;
	return c;
}

static void warm(Chunk *c, guint64 gfn, guint by)
{
	guint8 *heat = &c->heat[gfn & (CHUNK_PAGES - 1)];

	*heat = (guint8)MIN(*heat + by, HEAT_CLASSES - 1);
}

static void warm_range(KxHeat *h, guint64 gfn, guint64 npages, guint by)
{
	for (guint64 end = gfn + npages; gfn < end; gfn++) {
		Chunk *c = chunk_for(h, gfn);

		if (c)
			warm(c, gfn, by);
		else
			gfn |= CHUNK_PAGES - 1; /* on to the next chunk, which may exist */
	}
}

static void on_pass_begin(void *data, const struct kvm_ext_rec_pass_begin *r)
{
	((KxHeat *)data)->prime = r->h.flags & KVM_EXT_PASS_PRIME;
}

static void on_run(void *data, const struct kvm_ext_rec_run *r)
{
	KxHeat *h = data;

	if (!h->prime)
		warm_range(h, r->gfn, r->npages, 1);
}

static void on_bitmap(void *data, const struct kvm_ext_rec_bitmap *r, const guint64 *bits,
		      gsize nwords)
{
	KxHeat *h = data;

	for (gsize i = 0; !h->prime && i < nwords; i++) {
		for (guint64 word = bits[i]; word; word &= word - 1) {
			guint64 gfn = r->gfn + i * 64 + (guint)__builtin_ctzll(word);
			Chunk *c = chunk_for(h, gfn);

			if (c)
				warm(c, gfn, 1);
		}
	}
}

/* A page stands for its region: all of it was found as often. */
static void on_regions(void *data, const struct kvm_ext_rec_regions *r,
		       const struct kvm_ext_region *regions)
{
	for (guint32 i = 0; i < r->nr; i++) {
		if (regions[i].accesses)
			warm_range(data, regions[i].gfn, regions[i].npages,
				   MIN(regions[i].accesses, HEAT_CLASSES - 1));
	}
}

static void on_pass_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	KxHeat *h = data;

	h->passes += !h->prime;
	h->prime = FALSE;
}

const KxStreamOps kx_heat_sink = {
	.pass_begin = on_pass_begin,
	.run = on_run,
	.bitmap = on_bitmap,
	.pass_end = on_pass_end,
	.regions = on_regions,
};

/* --- choosing ----------------------------------------------------------------------------------------------------- */

guint kx_heat_of(const KxHeat *h, guint64 gfn)
{
	guint64 index = gfn >> CHUNK_SHIFT;
	const Chunk *c = g_hash_table_lookup(h->chunks, &index);

	return c ? cooled(h, c, c->heat[gfn & (CHUNK_PAGES - 1)]) : 0;
}

/* A run of pages of one class or, while ranges are made, of those chosen. */
typedef struct {
	guint64 gfn, npages;
	guint64 weight; /* the sum of what makes its pages worth choosing */
} Range;

/* What choosing goes through the memory with. */
typedef struct {
	const KxHeat *heat;
	guint64 first, end;
	gboolean hottest;
	guint64 classes[HEAT_CLASSES]; /* pages of each heat */
	guint edge;		       /* the last class that is taken */
	guint64 of_edge;	       /* pages of it */
	guint max_ranges;
	GArray *ranges; /* Range */
} Choice;

typedef void (*VisitFn)(Choice *c, guint64 gfn, guint64 npages, guint heat);

static gint compare_index(gconstpointer a, gconstpointer b)
{
	guint64 x = **(guint64 *const *)a, y = **(guint64 *const *)b;

	return x < y ? -1 : x > y;
}

static GPtrArray *sorted_chunks(const KxHeat *h)
{
	GPtrArray *chunks = g_ptr_array_sized_new(g_hash_table_size(h->chunks));
	GHashTableIter it;
	gpointer chunk;

	g_hash_table_iter_init(&it, h->chunks);
	while (g_hash_table_iter_next(&it, NULL, &chunk))
		g_ptr_array_add(chunks, chunk);
	g_ptr_array_sort(chunks, compare_index); /* the index is a chunk's first member */
	return chunks;
}

/* All pages of the range in order: those of chunks one by one, what lies between in one go. */
static void visit(Choice *c, VisitFn fn)
{
	g_autoptr(GPtrArray) chunks = sorted_chunks(c->heat);
	guint64 at = c->first;

	for (guint i = 0; i < chunks->len && at < c->end; i++) {
		const Chunk *chunk = chunks->pdata[i];
		guint64 first = chunk->index << CHUNK_SHIFT, end = first + CHUNK_PAGES;

		if (end <= at)
			continue;
		if (at < first) {
			guint64 until = MIN(first, c->end);

			fn(c, at, until - at, 0);
			at = until;
		}
		for (; at < MIN(end, c->end); at++)
			fn(c, at, 1, cooled(c->heat, chunk, chunk->heat[at & (CHUNK_PAGES - 1)]));
	}
	if (at < c->end)
		fn(c, at, c->end - at, 0);
}

static void count_class(Choice *c, guint64 gfn, guint64 npages, guint heat)
{
	c->classes[heat] += npages;
}

static gint heavier_first(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Range *)a)->weight, y = ((const Range *)b)->weight;

	return x > y ? -1 : x < y;
}

static gint lower_first(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Range *)a)->gfn, y = ((const Range *)b)->gfn;

	return x < y ? -1 : x > y;
}

/* Ranges that are closed: a page that comes later touches none of them. */
static void keep_best(Choice *c)
{
	g_array_sort(c->ranges, heavier_first);
	g_array_set_size(c->ranges, c->max_ranges);
}

static void take(Choice *c, guint64 gfn, guint64 npages, guint64 worth)
{
	Range *last = c->ranges->len ? &g_array_index(c->ranges, Range, c->ranges->len - 1) : NULL;
	Range r = { gfn, npages, npages * worth };

	if (last && last->gfn + last->npages == gfn) {
		last->npages += npages;
		last->weight += r.weight;
		return;
	}
	if (c->ranges->len >= 4 * c->max_ranges)
		keep_best(c);
	g_array_append_val(c->ranges, r);
}

static void take_if_chosen(Choice *c, guint64 gfn, guint64 npages, guint heat)
{
	gboolean better = c->hottest ? heat > c->edge : heat < c->edge;

	if (!better) {
		if (heat != c->edge)
			return;
		npages = MIN(npages, c->of_edge);
		c->of_edge -= npages;
	}
	if (npages)
		take(c, gfn, npages, c->hottest ? heat : 1);
}

/* Sets the edge, and returns how many pages there are up to it, its own as far as they are wanted. */
static guint64 find_edge(Choice *c, guint64 want)
{
	guint64 taken = 0;

	for (guint i = 0; i < HEAT_CLASSES; i++) {
		guint class = c->hottest ? HEAT_CLASSES - 1 - i : i;

		if (!c->classes[class] || (c->hottest && !class))
			continue;
		c->edge = class;
		/* the first class is given whole */
		c->of_edge = taken ? MIN(c->classes[class], want - taken) : c->classes[class];
		taken += c->of_edge;
		if (taken >= want)
			break;
	}
	return taken;
}

gboolean kx_heat_pick(const KxHeat *h, gboolean hottest, guint64 first_gfn, guint64 npages,
		      guint64 want, guint max_ranges, KxHeatPick *pick)
{
	Choice c = { .heat = h,
		     .first = first_gfn,
		     .end = first_gfn + npages,
		     .hottest = hottest,
		     .max_ranges = max_ranges };
	guint64 found;

	want = MAX(want, 1);
	visit(&c, count_class);
	if (c.classes[0] == npages)
		return FALSE;
	found = find_edge(&c, want);
	c.ranges = g_array_new(FALSE, FALSE, sizeof(Range));
	visit(&c, take_if_chosen);
	if (c.ranges->len > max_ranges)
		keep_best(&c);
	g_array_sort(c.ranges, lower_first);
	pick->share_ppm = (guint32)(found > want ? MAX(want * 1000000 / found, 1) : 1000000);
	pick->pages = 0;
	pick->ranges = g_array_new(FALSE, FALSE, sizeof(struct kvm_ext_range));
	for (guint i = 0; i < c.ranges->len; i++) {
		const Range *r = &g_array_index(c.ranges, Range, i);
		struct kvm_ext_range out = { r->gfn, r->npages };

		pick->pages += r->npages;
		g_array_append_val(pick->ranges, out);
	}
	g_array_unref(c.ranges);
	return TRUE;
}

void kx_heat_pick_clear(KxHeatPick *pick)
{
	g_clear_pointer(&pick->ranges, g_array_unref);
}
