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
	GHashTable *chunks; /* by index */
	Chunk *last;	    /* frames come in ascending order, so the next is mostly here */
	guint64 *budget;    /* chunks that may still be made */
	guint64 own_budget; /* of a set that shares none */
	guint64 count;
};

KxGfnSet *kx_gfnset_new_shared(guint64 *budget)
{
	KxGfnSet *s = g_new0(KxGfnSet, 1);

	s->chunks = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
	s->budget = budget;
	return s;
}

KxGfnSet *kx_gfnset_new(guint64 last_gfn)
{
	KxGfnSet *s = kx_gfnset_new_shared(NULL);

	s->own_budget = MIN((last_gfn >> CHUNK_SHIFT) * 2 + 64, CHUNKS_MAX);
	s->budget = &s->own_budget;
	return s;
}

void kx_gfnset_free(KxGfnSet *s)
{
	if (!s)
		return;
	*s->budget += g_hash_table_size(s->chunks);
	g_hash_table_unref(s->chunks);
	g_free(s);
}

static const Chunk *find_chunk(const KxGfnSet *s, guint64 index)
{
	return g_hash_table_lookup(s->chunks, &index);
}

/* NULL: the budget is used up. */
static Chunk *make_chunk(KxGfnSet *s, guint64 index)
{
	Chunk *c = s->last;

	if (c && c->index == index)
		return c;
	c = g_hash_table_lookup(s->chunks, &index);
	if (!c) {
		if (!*s->budget)
			return NULL;
		--*s->budget;
		c = g_new0(Chunk, 1);
		c->index = index;
		g_hash_table_insert(s->chunks, &c->index, c);
	}
	s->last = c;
	return c;
}

static void set_bits(KxGfnSet *s, guint64 *word, guint64 mask)
{
	s->count += (guint)__builtin_popcountll(mask & ~*word);
	*word |= mask;
}

/* @mask goes to the word that holds @gfn, which is a multiple of 64. */
static gboolean add_word(KxGfnSet *s, guint64 gfn, guint64 mask)
{
	Chunk *c = make_chunk(s, gfn >> CHUNK_SHIFT);

	if (c)
		set_bits(s, &c->words[(gfn & (CHUNK_PAGES - 1)) / 64], mask);
	return c != NULL;
}

gboolean kx_gfnset_add(KxGfnSet *s, guint64 gfn, guint64 npages)
{
	guint64 end = gfn + npages;

	if (end < gfn)
		return FALSE;
	while (gfn < end) {
		guint64 first = gfn & 63, n = MIN(64 - first, end - gfn);
		guint64 mask = n == 64 ? ~0ull : ((1ull << n) - 1) << first;

		if (!add_word(s, gfn - first, mask))
			return FALSE;
		gfn += n;
	}
	return TRUE;
}

gboolean kx_gfnset_add_bits(KxGfnSet *s, guint64 gfn, const guint64 *bits, gsize nwords)
{
	guint shift = gfn & 63;
	guint64 base = gfn - shift;
	gsize i;

	for (i = 0; i < nwords; i++, base += 64) {
		guint64 low = bits[i] << shift, high = shift ? bits[i] >> (64 - shift) : 0;

		if ((low && !add_word(s, base, low)) || (high && !add_word(s, base + 64, high)))
			return FALSE;
	}
	return TRUE;
}

gboolean kx_gfnset_add_set(KxGfnSet *s, const KxGfnSet *other)
{
	GHashTableIter iter;
	gpointer value;
	guint w;

	g_hash_table_iter_init(&iter, other->chunks);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const Chunk *from = value;
		Chunk *to = make_chunk(s, from->index);

		if (!to)
			return FALSE;
		for (w = 0; w < CHUNK_WORDS; w++)
			set_bits(s, &to->words[w], from->words[w]);
	}
	return TRUE;
}

guint64 kx_gfnset_count(const KxGfnSet *s)
{
	return s->count;
}

guint64 kx_gfnset_count_common(const KxGfnSet *a, const KxGfnSet *b, const KxGfnSet *c)
{
	GHashTableIter iter;
	gpointer value;
	guint64 count = 0;
	guint w;

	g_hash_table_iter_init(&iter, a->chunks);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const Chunk *ca = value, *cb = find_chunk(b, ca->index);
		const Chunk *cc = c ? find_chunk(c, ca->index) : ca;

		for (w = 0; cb && cc && w < CHUNK_WORDS; w++)
			count += (guint)__builtin_popcountll(ca->words[w] & cb->words[w] &
							     cc->words[w]);
	}
	return count;
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
