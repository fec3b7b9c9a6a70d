/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_WALK_H
#define KVM_EXT_LOG_WALK_H

#include <linux/types.h>

struct kx_log_slot;
struct kx_pass;

/*
 * What a tracker does in a pass over the dirty log. The pass reads the log of each memslot, calls
 * @block for each block of up to KX_BLOCK_PAGES pages, and then clears, in the log, the bits that
 * @block has left set.
 */
struct kx_log_walk {
	/*
	 * Bit i of @bits says whether page @first + i of @s is in the log; there are @npages bits.
	 * @block clears the bits of pages that shall stay in the log, and returns how many bits are
	 * still set. A page that is cleared in the log is logged again at its next write. Not
	 * called for a fresh memslot, whose log is only cleared.
	 */
	u64 (*block)(struct kx_pass *p, struct kx_log_slot *s, u64 first, unsigned int npages,
		     unsigned long *bits);
	bool watch;		/* memslots have candidates; @block also gets empty blocks */
};

/**
 * kx_log_walk() - run a whole pass
 * @p: the running pass, which stands aside or fails if the log cannot be used
 * @walk: what to do with blocks
 *
 * Context: the pass thread, no lock held; may sleep.
 */
void kx_log_walk(struct kx_pass *p, const struct kx_log_walk *walk);

/**
 * kx_log_walk_leave() - undo what passes have changed in the VM; @leave of struct kx_tracker
 * @p: the passes
 *
 * Context: the pass thread; may sleep.
 */
void kx_log_walk_leave(struct kx_pass *p);

/**
 * kx_log_found() - report the accessed pages of a block, as far as they are in the tracker's range
 * @p: the running pass
 * @s: the memslot
 * @first: the page of bit 0, counted in the memslot
 * @npages: bits, at most KX_BLOCK_PAGES
 * @bits: the pages that were accessed
 */
void kx_log_found(struct kx_pass *p, const struct kx_log_slot *s, u64 first, unsigned int npages,
		  const unsigned long *bits);

#endif /* KVM_EXT_LOG_WALK_H */
