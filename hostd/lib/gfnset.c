// SPDX-License-Identifier: GPL-2.0-or-later
#include "gfnset.h"

#define CHUNK_SHIFT 15u
#define CHUNK_PAGES (1u << CHUNK_SHIFT)
#define CHUNK_WORDS (CHUNK_PAGES / 64)
/* 16 TiB of guest memory: 512 MiB of bitmap if all of it is found. */
#define CHUNKS_MAX (1u << 17)

typedef struct {
	guint64 index; /* key of the table: gfn >> CHUNK_SHIFT */
	guint64 words[CHUNK_WORDS];
} Chunk;

struct _KxGfnSet {
	GHashTable *chunks;
	Chunk *last; /* records come in ascending order, so the next is mostly here */
	guint limit;
	guint64 count, overflow;
};

KxGfnSet *kx_gfnset_new(guint64 last_gfn)
{
	KxGfnSet *s = g_new0(KxGfnSet, 1);

	s->chunks = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
	s->limit = MIN((last_gfn >> CHUNK_SHIFT) * 2 + 64, CHUNKS_MAX);
	return s;
}

void kx_gfnset_free(KxGfnSet *s)
{
	if (!s)
		return;
	g_hash_table_unref(s->chunks);
	g_free(s);
}

static Chunk *chunk_of(KxGfnSet *s, guint64 gfn)
{
	guint64 index = gfn >> CHUNK_SHIFT;
	Chunk *c = s->last;

	if (c && c->index == index)
		return c;
	c = g_hash_table_lookup(s->chunks, &index);
	if (!c) {
		if (g_hash_table_size(s->chunks) >= s->limit)
			return NULL;
		c = g_new0(Chunk, 1);
		c->index = index;
		g_hash_table_insert(s->chunks, &c->index, c);
	}
	s->last = c;
	return c;
}

/* @mask goes to the word that holds @gfn, which is a multiple of 64. */
static void add_word(KxGfnSet *s, guint64 gfn, guint64 mask)
{
	Chunk *c = chunk_of(s, gfn);
	guint64 *word;

	if (!c) {
		s->overflow += __builtin_popcountll(mask);
		return;
	}
	word = &c->words[(gfn & (CHUNK_PAGES - 1)) / 64];
	s->count += __builtin_popcountll(mask & ~*word);
	*word |= mask;
}

void kx_gfnset_add(KxGfnSet *s, guint64 gfn, guint64 npages)
{
	guint64 end = gfn + npages;

	while (gfn < end) {
		guint64 first = gfn & 63, n = MIN(64 - first, end - gfn);
		guint64 mask = n == 64 ? ~0ull : ((1ull << n) - 1) << first;

		add_word(s, gfn - first, mask);
		gfn += n;
	}
}

void kx_gfnset_add_bits(KxGfnSet *s, guint64 gfn, const guint64 *bits, gsize nwords)
{
	guint shift = gfn & 63;
	guint64 base = gfn - shift;
	gsize i;

	for (i = 0; i < nwords; i++, base += 64) {
		if (!bits[i])
			continue;
		if (bits[i] << shift)
			add_word(s, base, bits[i] << shift);
		if (shift && bits[i] >> (64 - shift))
			add_word(s, base + 64, bits[i] >> (64 - shift));
	}
}

guint64 kx_gfnset_count(const KxGfnSet *s)
{
	return s->count;
}

guint64 kx_gfnset_overflow(const KxGfnSet *s)
{
	return s->overflow;
}

static gint by_index(gconstpointer a, gconstpointer b)
{
	const Chunk *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static void append(GArray *runs, guint64 gfn, guint64 npages)
{
	KxRun *last = runs->len ? &g_array_index(runs, KxRun, runs->len - 1) : NULL;
	KxRun run = { gfn, npages };

	if (last && last->gfn + last->npages == gfn)
		last->npages += npages;
	else
		g_array_append_val(runs, run);
}

static void append_word(GArray *runs, guint64 gfn, guint64 word)
{
	guint skip, n;

	while (word) {
		skip = __builtin_ctzll(word);
		word >>= skip;
		gfn += skip;
		n = ~word ? __builtin_ctzll(~word) : 64;
		append(runs, gfn, n);
		word = n == 64 ? 0 : word >> n;
		gfn += n;
	}
}

GArray *kx_gfnset_runs(const KxGfnSet *s)
{
	g_autoptr(GList) chunks = g_list_sort(g_hash_table_get_values(s->chunks), by_index);
	GArray *runs = g_array_new(FALSE, FALSE, sizeof(KxRun));
	const GList *l;
	guint w;

	for (l = chunks; l; l = l->next) {
		const Chunk *c = l->data;

		for (w = 0; w < CHUNK_WORDS; w++)
			append_word(runs, (c->index << CHUNK_SHIFT) + w * 64, c->words[w]);
	}
	return runs;
}
