/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of guest frame numbers: a bitmap in chunks of 128 MiB of guest memory, allocated where something is in it, so
 * that holes cost nothing, and dropped where all is in it, so that huge runs cost next to nothing. Chunks come from a budget, the set's own or one that sets share, so that memory stays bounded
 * whatever numbers come.
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

/* @last_gfn: the highest frame expected. Twice as much (and never more than 16 TiB of guest memory) is the bound. */
KxGfnSet *kx_gfnset_new(guint64 last_gfn);
/* @budget: chunks left, 4 KiB each; outlives the sets that share it, and gets their chunks back. */
KxGfnSet *kx_gfnset_new_shared(guint64 *budget);
/* Memory has appeared up to @last_gfn. */
void kx_gfnset_grow(KxGfnSet *s, guint64 last_gfn);
void kx_gfnset_free(KxGfnSet *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxGfnSet, kx_gfnset_free)

/* All that add return FALSE if the budget is used up (or a run wraps); the set then holds a part. */
gboolean kx_gfnset_add(KxGfnSet *s, guint64 gfn, guint64 npages);
/* Bit i of @bits: @gfn + i. @gfn need not be aligned to anything. */
gboolean kx_gfnset_add_bits(KxGfnSet *s, guint64 gfn, const guint64 *bits, gsize nwords);
gboolean kx_gfnset_add_set(KxGfnSet *s, const KxGfnSet *other);

guint64 kx_gfnset_count(const KxGfnSet *s);
/* Frames in all of them; @c may be NULL. */
guint64 kx_gfnset_count_common(const KxGfnSet *a, const KxGfnSet *b, const KxGfnSet *c);
/* Ascending, not touching, of KxRun. */
GArray *kx_gfnset_runs(const KxGfnSet *s);
/* How many these would be; and what the set itself takes. */
guint64 kx_gfnset_count_runs(const KxGfnSet *s);
gsize kx_gfnset_bytes(const KxGfnSet *s);

#endif /* KX_GFNSET_H */
