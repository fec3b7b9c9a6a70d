/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages chosen by heat, on request of a tracker. The account knows the heat (account/heat.h), on a floor above the trackers:
 * trackers get a function for it together with the VM that they work on.
 */
#ifndef KX_PICK_H
#define KX_PICK_H

#include <glib.h>

typedef struct {
	GArray *ranges;	   /* struct kvm_ext_range, ascending, disjoint */
	guint64 pages;	   /* number of pages in @ranges */
	guint32 share_ppm; /* share of @pages that gives the requested number; 1000000: all */
} KxPick;

static inline void kx_pick_clear(KxPick *pick)
{
	g_clear_pointer(&pick->ranges, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KxPick, kx_pick_clear)

/*
 * Chooses the @want hottest, or coldest, pages of the @npages from @first_gfn on, in at most @max_ranges ranges. Equally hot
 * pages differ only in their address; so if the first class alone has more than @want pages, the result is the whole class
 * and the share to take at random. If there would be more ranges, the hottest ranges (coldest: the largest) are kept.
 * FALSE: nothing was found yet, or what was found is too long ago. All pages are equally cold then, if any passes ran.
 */
typedef gboolean (*KxPickFunc)(gconstpointer knows, gboolean hottest, guint64 first_gfn,
			       guint64 npages, guint64 want, guint max_ranges, KxPick *pick);

#endif /* KX_PICK_H */
