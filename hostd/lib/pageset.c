/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pageset.h"

#define CHUNK_SHIFT 15u
#define CHUNK_PAGES (1u << CHUNK_SHIFT)
#define CHUNK_WORDS (CHUNK_PAGES / 64)

typedef struct {
	guint64 index; /* gfn >> CHUNK_SHIFT; also the hash key */
	guint64 bits[CHUNK_WORDS];
} Chunk;

struct _KxPageSet {
	GHashTable *chunks; /* by index */
	guint64 *budget;
};

KxPageSet *kx_pageset_new(guint64 *budget)
{
	KxPageSet *s = g_new0(KxPageSet, 1);

	s->chunks = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
	s->budget = budget;
	return s;
}

void kx_pageset_free(KxPageSet *s)
{
	if (!s)
		return;
	*s->budget += g_hash_table_size(s->chunks);
	g_hash_table_unref(s->chunks);
	g_free(s);
}

static Chunk *lookup(const KxPageSet *s, guint64 index)
{
	return g_hash_table_lookup(s->chunks, &index);
}

static Chunk *get(KxPageSet *s, guint64 index)
{
	Chunk *c = lookup(s, index);

	if (c || !*s->budget)
		return c;
	--*s->budget;
	c = g_new0(Chunk, 1);
	c->index = index;
	g_hash_table_insert(s->chunks, &c->index, c);
	return c;
}

static void set_bits(Chunk *c, guint first, guint n)
{
	for (guint i = first; i < first + n;) {
		guint word = i / 64, bit = i % 64, here = MIN(64 - bit, first + n - i);
		guint64 mask = here == 64 ? ~0ull : ((1ull << here) - 1) << bit;

		c->bits[word] |= mask;
		i += here;
	}
}

gboolean kx_pageset_add(KxPageSet *s, guint64 gfn, guint64 npages)
{
	if (gfn + npages < gfn)
		return FALSE;
	while (npages) {
		guint first = gfn % CHUNK_PAGES;
		guint n = (guint)MIN(npages, CHUNK_PAGES - first);
		Chunk *c = get(s, gfn >> CHUNK_SHIFT);

		if (!c)
			return FALSE;
		set_bits(c, first, n);
		gfn += n;
		npages -= n;
	}
	return TRUE;
}

gboolean kx_pageset_add_set(KxPageSet *s, const KxPageSet *other)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, other->chunks);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const Chunk *from = value;
		Chunk *to = get(s, from->index);

		if (!to)
			return FALSE;
		for (guint i = 0; i < CHUNK_WORDS; i++)
			to->bits[i] |= from->bits[i];
	}
	return TRUE;
}

guint64 kx_pageset_count(const KxPageSet *s)
{
	return kx_pageset_count_common(s, s, NULL);
}

guint64 kx_pageset_count_common(const KxPageSet *a, const KxPageSet *b, const KxPageSet *c)
{
	GHashTableIter iter;
	gpointer value;
	guint64 count = 0;

	g_hash_table_iter_init(&iter, a->chunks);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const Chunk *ca = value, *cb = lookup(b, ca->index);
		const Chunk *cc = c ? lookup(c, ca->index) : ca;

		for (guint i = 0; cb && cc && i < CHUNK_WORDS; i++)
			count += (guint)__builtin_popcountll(ca->bits[i] & cb->bits[i] &
							     cc->bits[i]);
	}
	return count;
}
