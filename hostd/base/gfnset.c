// SPDX-License-Identifier: GPL-2.0-or-later
#include "gfnset.h"

#define CHUNK_SHIFT 15u
#define CHUNK_PAGES (1u << CHUNK_SHIFT)
#define CHUNK_WORDS (CHUNK_PAGES / 64)
/* 16 TiB of guest memory: 512 MiB of bitmap if all of it is found. */
#define CHUNKS_MAX (1u << 17)

typedef struct {
	guint64 index;	/* key of the table: gfn >> CHUNK_SHIFT */
	guint count;	/* of pages in the set */
	guint64 *words; /* NULL: none or all of the chunk's pages are in the set */
} Chunk;

struct _KxGfnSet {
	GHashTable *chunks; /* by index */
	Chunk *last; /* frames come in ascending order, so the next frame is mostly in this chunk */
	guint64 *budget;    /* chunks that may still be allocated */
	guint64 own_budget; /* for a set without a shared budget */
	guint64 count;
	gsize bitmaps; /* chunks with words */
};

static void chunk_free(gpointer data)
{
	Chunk *c = data;

	g_free(c->words);
	g_free(c);
}

static guint64 word_of(const Chunk *c, guint w)
{
	return c->words ? c->words[w] : c->count ? G_MAXUINT64 : 0;
}

KxGfnSet *kx_gfnset_new_shared(guint64 *budget)
{
	KxGfnSet *s = g_new0(KxGfnSet, 1);

	s->chunks = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, chunk_free);
	s->budget = budget;
	return s;
}

KxGfnSet *kx_gfnset_new(guint64 last_gfn)
{
	KxGfnSet *s = kx_gfnset_new_shared(NULL);

	s->budget = &s->own_budget;
	kx_gfnset_grow(s, last_gfn);
	return s;
}

void kx_gfnset_grow(KxGfnSet *s, guint64 last_gfn)
{
	guint64 all = MIN((last_gfn >> CHUNK_SHIFT) * 2 + 64, CHUNKS_MAX);
	guint64 used = g_hash_table_size(s->chunks);

	if (s->budget == &s->own_budget)
		s->own_budget = MAX(s->own_budget, all - MIN(all, used));
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

static void fill(KxGfnSet *s, Chunk *c)
{
	s->count += CHUNK_PAGES - c->count;
	c->count = CHUNK_PAGES;
	s->bitmaps -= c->words != NULL;
	g_clear_pointer(&c->words, g_free);
}

static void set_bits(KxGfnSet *s, Chunk *c, guint w, guint64 mask)
{
	guint new;

	if (c->count == CHUNK_PAGES)
		return;
	if (!c->words) {
		c->words = g_new0(guint64, CHUNK_WORDS);
		s->bitmaps++;
	}
	new = (guint)__builtin_popcountll(mask & ~c->words[w]);
	s->count += new;
	c->count += new;
	c->words[w] |= mask;
	if (c->count == CHUNK_PAGES)
		fill(s, c);
}

/* @gfn is a multiple of 64. */
static gboolean add_word(KxGfnSet *s, guint64 gfn, guint64 mask)
{
	Chunk *c = make_chunk(s, gfn >> CHUNK_SHIFT);

	if (c)
		set_bits(s, c, (gfn & (CHUNK_PAGES - 1)) / 64, mask);
	return c != NULL;
}

static gboolean add_chunk(KxGfnSet *s, guint64 index)
{
	Chunk *c = make_chunk(s, index);

	if (c)
		fill(s, c);
	return c != NULL;
}

gboolean kx_gfnset_add(KxGfnSet *s, guint64 gfn, guint64 npages)
{
	guint64 end = gfn + npages;

	if (end < gfn)
		return FALSE;
	while (gfn < end) {
		if (gfn % CHUNK_PAGES == 0 && end - gfn >= CHUNK_PAGES) {
			if (!add_chunk(s, gfn >> CHUNK_SHIFT))
				return FALSE;
			gfn += CHUNK_PAGES;
			continue;
		}
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
		if (from->count == CHUNK_PAGES)
			fill(s, to);
		for (w = 0; from->words && w < CHUNK_WORDS; w++)
			set_bits(s, to, w, from->words[w]);
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
			count += (guint)__builtin_popcountll(word_of(ca, w) & word_of(cb, w) &
							     word_of(cc, w));
	}
	return count;
}

void kx_gfnset_count_blocks(const KxGfnSet *s, guint classes, guint64 *use)
{
	guint words = (1u << (classes - 1)) / 64;
	GHashTableIter iter;
	gpointer value;

	g_return_if_fail(words && CHUNK_WORDS % words == 0);
	g_hash_table_iter_init(&iter, s->chunks);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const Chunk *c = value;

		if (c->count == CHUNK_PAGES)
			use[classes - 1] += CHUNK_WORDS / words;
		for (guint w = 0; c->words && w < CHUNK_WORDS; w += words) {
			guint pages = 0;

			for (guint i = 0; i < words; i++)
				pages += (guint)__builtin_popcountll(c->words[w + i]);
			if (pages)
				use[31 - __builtin_clz(pages)]++;
		}
	}
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

static GList *sorted_chunks(const KxGfnSet *s)
{
	return g_list_sort(g_hash_table_get_values(s->chunks), by_index);
}

GArray *kx_gfnset_runs(const KxGfnSet *s)
{
	g_autoptr(GList) chunks = sorted_chunks(s);
	GArray *runs = g_array_new(FALSE, FALSE, sizeof(KxRun));
	const GList *l;
	guint w;

	for (l = chunks; l; l = l->next) {
		const Chunk *c = l->data;

		if (c->count == CHUNK_PAGES)
			append(runs, c->index << CHUNK_SHIFT, CHUNK_PAGES);
		for (w = 0; c->words && w < CHUNK_WORDS; w++)
			append_word(runs, (c->index << CHUNK_SHIFT) + w * 64, c->words[w]);
	}
	return runs;
}

/* A run begins where a page is in the set and the page before is not. */
guint64 kx_gfnset_count_runs(const KxGfnSet *s)
{
	g_autoptr(GList) chunks = sorted_chunks(s);
	guint64 runs = 0, next = 0;
	gboolean before = FALSE;

	for (const GList *l = chunks; l; l = l->next) {
		const Chunk *c = l->data;

		before = before && c->index == next;
		next = c->index + 1;
		if (c->count == CHUNK_PAGES) {
			runs += !before;
			before = TRUE;
		}
		for (guint w = 0; c->words && w < CHUNK_WORDS; w++) {
			guint64 word = c->words[w];

			runs += (guint)__builtin_popcountll(word & ~(word << 1 | before));
			before = word >> 63;
		}
	}
	return runs;
}

gsize kx_gfnset_bytes(const KxGfnSet *s)
{
	return sizeof(*s) + g_hash_table_size(s->chunks) * (sizeof(Chunk) + 4 * sizeof(gpointer)) +
	       s->bitmaps * CHUNK_WORDS * sizeof(guint64);
}
