/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_WALK_H
#define KVM_EXT_LOG_WALK_H

#include <linux/types.h>

struct kx_log_slot;
struct kx_pass;

/*
 * A pass over the dirty log: harvests each memslot, shows the bits of each block
 * of up to KX_BLOCK_PAGES pages to @block, and clears in the log what that leaves set.
 */
struct kx_log_walk {
	/*
	 * Bit i of @bits: page @first + i of @s, of @npages, is in the log. Leaves
	 * those set that are to be logged again, and returns how many. Not called
	 * for a memslot that is fresh, whose log is only cleared.
	 */
	u64 (*block)(struct kx_pass *p, struct kx_log_slot *s, u64 first, unsigned int npages,
		     unsigned long *bits);
	bool watch;		/* memslots have candidates; @block gets empty blocks, too */
};

/**
 * kx_log_walk() - a whole pass
 * @p: the running pass, which stands aside or fails where the log cannot be had
 * @walk: what is done with blocks
 *
 * Context: the pass thread, no lock held; may sleep.
 */
void kx_log_walk(struct kx_pass *p, const struct kx_log_walk *walk);

/**
 * kx_log_walk_leave() - undo what passes have left in the VM: for struct kx_tracker
 * @p: the passes
 *
 * Context: the pass thread; may sleep.
 */
void kx_log_walk_leave(struct kx_pass *p);

/**
 * kx_log_found() - tell those of a block's pages that are in the tracker's range
 * @p: the running pass
 * @s: the memslot
 * @first: the page of bit 0 in that
 * @npages: bits, at most KX_BLOCK_PAGES
 * @bits: the pages that were accessed
 */
void kx_log_found(struct kx_pass *p, const struct kx_log_slot *s, u64 first, unsigned int npages,
		  const unsigned long *bits);

#endif /* KVM_EXT_LOG_WALK_H */
