/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_FOUND_H
#define KVM_EXT_FOUND_H

#include <linux/bitmap.h>
#include <linux/kvm_host.h>

#include "../common/walk.h"

struct kx_extent;
struct kx_pass;

/**
 * struct kx_found - pages found accessed, by hva, held back until their gfns are sure
 * @gfn: the first page
 * @npages: pages of 4 KiB
 * @hva: the first page's address in the VMM
 * @as_id: the address space
 * @order: of the leaves they were found through
 * @sparse: @bits says which of them; else all
 * @bits: bit i: page @gfn + i
 */
struct kx_found {
	gfn_t gfn;
	u64 npages;
	unsigned long hva;
	u16 as_id;
	u8 order;
	bool sparse;
	DECLARE_BITMAP(bits, KX_BLOCK_PAGES);
};

#define KX_FOUND_MAX	32

/**
 * struct kx_findings - what was found since memslots were last known to be the same
 * @rested: the thread has rested since
 * @nr: how many there are
 * @found: these
 */
struct kx_findings {
	bool rested;
	u32 nr;
	struct kx_found found[KX_FOUND_MAX];
};

static inline bool kx_findings_are_due(const struct kx_findings *f)
{
	return f->rested || f->nr == KX_FOUND_MAX;
}

/*
 * All of what follows is for the pass thread, with no lock held.
 *
 * For trackers that go by address, whose findings are settled later:
 */

/**
 * kx_pass_found_leaf() - a leaf was accessed
 * @p: the running pass
 * @x: the extent that has the leaf
 * @gfn: its first page
 * @order: it is of 2^@order pages
 */
void kx_pass_found_leaf(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn, u8 order);

/**
 * kx_pass_found_bits() - begin to note single pages
 * @p: the running pass
 * @x: the extent that has the pages
 * @gfn: the page of bit 0
 *
 * Return: where to note, with kx_found_set(), up to KX_BLOCK_PAGES pages; then
 * kx_pass_found_bits_done().
 */
struct kx_found *kx_pass_found_bits(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn);

/**
 * kx_pass_found_bits_done() - end it
 * @p: the running pass
 * @npages: how many pages were looked at, accessed or not
 */
void kx_pass_found_bits_done(struct kx_pass *p, u64 npages);

static inline void kx_found_set(struct kx_found *found, unsigned int i)
{
	__set_bit(i, found->bits);
}

/**
 * kx_pass_settle() - tell what was found, as far as it is sure
 * @p: the running pass
 *
 * Findings were made by hva, with a snapshot that says which gfn that is. If the memslots are
 * still those of the snapshot, they hold; else those hold that the new one confirms.
 *
 * Context: may sleep.
 * Return: true if the memslots have changed.
 */
bool kx_pass_settle(struct kx_pass *p);

/* For trackers that know their gfns for certain, and tell at once: */

/**
 * kx_pass_found_pages() - single pages were accessed
 * @p: the running pass
 * @as_id: the address space
 * @gfn: the page of bit 0
 * @npages: bits, no more than KX_BLOCK_PAGES
 * @bits: which of them; what lies behind is ignored
 */
void kx_pass_found_pages(struct kx_pass *p, u16 as_id, gfn_t gfn, unsigned int npages,
			 const unsigned long *bits);

/**
 * kx_pass_found_mapping() - a leaf was accessed
 * @p: the running pass
 * @as_id: the address space
 * @gfn: its first page
 * @order: it is of 2^@order pages
 */
void kx_pass_found_mapping(struct kx_pass *p, u16 as_id, gfn_t gfn, u8 order);

/**
 * kx_pass_found_samples() - count samples that are told by records of the tracker's own
 * @p: the running pass
 * @samples: how many
 * @pages: pages of 4 KiB that they stand for
 */
void kx_pass_found_samples(struct kx_pass *p, u64 samples, u64 pages);

#endif /* KVM_EXT_FOUND_H */
