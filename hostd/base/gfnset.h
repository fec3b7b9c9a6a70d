/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of guest frame numbers: a bitmap in chunks of 128 MiB of guest memory. A chunk's bitmap is allocated when a page of
 * the chunk is in the set, so that holes cost nothing, and freed when all pages are in the set, so that huge runs cost
 * almost nothing. Chunks come from a budget, which belongs to the set or is shared by several sets, so that memory stays
 * bounded for any input.
 */
#ifndef KX_GFNSET_H
#define KX_GFNSET_H

#include <glib.h>

/* No x86 guest has memory at or beyond this frame: 52 bits of physical address. */
#define KX_GFN_END (1ull << 40)

typedef struct {
	guint64 gfn, npages;
} KxRun;

typedef struct _KxGfnSet KxGfnSet;

/* @last_gfn: the highest expected frame. The bound is twice as much, and never more than 16 TiB of guest memory. */
KxGfnSet *kx_gfnset_new(guint64 last_gfn);
/* @budget: remaining chunks, 4 KiB each; outlives the sets that share it; freed sets return their chunks to it. */
KxGfnSet *kx_gfnset_new_shared(guint64 *budget);
/* The guest's memory has grown up to @last_gfn. */
void kx_gfnset_grow(KxGfnSet *s, guint64 last_gfn);
void kx_gfnset_free(KxGfnSet *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxGfnSet, kx_gfnset_free)

/* The functions that add return FALSE if the budget is used up (or a run wraps); the set then holds a part. */
gboolean kx_gfnset_add(KxGfnSet *s, guint64 gfn, guint64 npages);
/* Bit i of @bits: @gfn + i. @gfn need not be aligned to anything. */
gboolean kx_gfnset_add_bits(KxGfnSet *s, guint64 gfn, const guint64 *bits, gsize nwords);
gboolean kx_gfnset_add_set(KxGfnSet *s, const KxGfnSet *other);

guint64 kx_gfnset_count(const KxGfnSet *s);
/* Number of frames that are in all given sets; @c may be NULL. */
guint64 kx_gfnset_count_common(const KxGfnSet *a, const KxGfnSet *b, const KxGfnSet *c);
/*
 * Adds to @use the number of aligned blocks of 2^(@classes - 1) pages that have pages in the set: to @use[i] those with 2^i to
 * 2^(i+1) - 1 of their pages, to the last one those with all. A block is a number of whole words, and lies in one chunk.
 */
void kx_gfnset_count_blocks(const KxGfnSet *s, guint classes, guint64 *use);
/* An array of KxRun, ascending; no run touches another. */
GArray *kx_gfnset_runs(const KxGfnSet *s);
/* How many runs the set has; and how many bytes the set occupies. */
guint64 kx_gfnset_count_runs(const KxGfnSet *s);
gsize kx_gfnset_bytes(const KxGfnSet *s);

#endif /* KX_GFNSET_H */
