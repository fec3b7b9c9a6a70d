/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of guest frame numbers: a bitmap in chunks of 128 MiB of guest memory, allocated where something was found, so
 * that holes cost nothing and memory stays bounded by the VM's size.
 */
#ifndef KX_GFNSET_H
#define KX_GFNSET_H

#include <glib.h>

typedef struct {
	guint64 gfn, npages;
} KxRun;

typedef struct _KxGfnSet KxGfnSet;

/* @last_gfn: the highest frame expected. Twice as much (and never more than 16 TiB of guest memory) is the bound. */
KxGfnSet *kx_gfnset_new(guint64 last_gfn);
void kx_gfnset_free(KxGfnSet *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxGfnSet, kx_gfnset_free)

void kx_gfnset_add(KxGfnSet *s, guint64 gfn, guint64 npages);
/* Bit i of @bits: @gfn + i. @gfn need not be aligned to anything. */
void kx_gfnset_add_bits(KxGfnSet *s, guint64 gfn, const guint64 *bits, gsize nwords);

guint64 kx_gfnset_count(const KxGfnSet *s);
/* Pages that the bound kept out of the set; may count one page more than once. */
guint64 kx_gfnset_overflow(const KxGfnSet *s);
/* Ascending, not touching, of KxRun. */
GArray *kx_gfnset_runs(const KxGfnSet *s);

#endif /* KX_GFNSET_H */
