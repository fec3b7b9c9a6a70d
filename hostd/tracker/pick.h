/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages chosen by how hot they are, as a tracker asks for them. Who knows that is the account's (account/heat.h), above
 * the trackers: they get it as a function with the VM that they work on.
 */
#ifndef KX_PICK_H
#define KX_PICK_H

#include <glib.h>

typedef struct {
	GArray *ranges; /* struct kvm_ext_range, ascending, apart */
	guint64 pages;	/* in them */
	guint32 share_ppm; /* of these pages, so that as many come out as were asked for; 1000000: all */
} KxPick;

static inline void kx_pick_clear(KxPick *pick)
{
	g_clear_pointer(&pick->ranges, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KxPick, kx_pick_clear)

/*
 * The @want hottest, or coldest, pages of the @npages from @first_gfn on, in at most @max_ranges ranges. Pages equally
 * hot are told apart by nothing but their address; so if the first class alone has more than @want, all of it is given
 * with a share to be taken at random. Where there would be more ranges the hottest (coldest: largest) of them are kept.
 * FALSE: nothing was found yet.
 */
typedef gboolean (*KxPickFunc)(gconstpointer knows, gboolean hottest, guint64 first_gfn,
			       guint64 npages, guint64 want, guint max_ranges, KxPick *pick);

#endif /* KX_PICK_H */
