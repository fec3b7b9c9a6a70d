/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_FOUND_H
#define KVM_EXT_FOUND_H

#include <linux/bitmap.h>
#include <linux/kvm_host.h>

#include "../common/walk.h"

struct kx_extent;
struct kx_pass;

/**
 * struct kx_found - pages that were found accessed by hva, kept until their gfns are certain
 * @gfn: the first page, according to the snapshot of the memslots
 * @npages: pages of 4 KiB
 * @hva: the first page's address in the VMM
 * @as_id: the address space
 * @order: the pages were found through leaves of 2^@order pages
 * @sparse: @bits says which of the pages were accessed; else all were
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
 * struct kx_findings - pages found since the last check that memslots are unchanged
 * @rested: the thread has rested since that check
 * @nr: number of entries in @found
 * @found: the entries
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
 * The functions below are for the pass thread, with no lock held.
 *
 * The first group is for trackers that go over memory by address. kx_pass_settle() reports the
 * findings of these trackers later.
 */

/**
 * kx_pass_found_leaf() - a leaf was accessed
 * @p: the running pass
 * @x: the extent that contains the leaf
 * @gfn: the leaf's first page
 * @order: the leaf has 2^@order pages
 */
void kx_pass_found_leaf(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn, u8 order);

/**
 * kx_pass_found_bits() - begin to record single pages
 * @p: the running pass
 * @x: the extent that contains the pages
 * @gfn: the page of bit 0
 *
 * Return: the finding, for kx_found_set() of up to KX_BLOCK_PAGES pages; then call
 * kx_pass_found_bits_done().
 */
struct kx_found *kx_pass_found_bits(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn);

/**
 * kx_pass_found_bits_done() - end kx_pass_found_bits()
 * @p: the running pass
 * @npages: how many pages were examined, accessed or not
 */
void kx_pass_found_bits_done(struct kx_pass *p, u64 npages);

static inline void kx_found_set(struct kx_found *found, unsigned int i)
{
	__set_bit(i, found->bits);
}

/**
 * kx_pass_settle() - report the findings whose gfns are certain
 * @p: the running pass
 *
 * The accessed bits were tested by hva, and a snapshot of the memslots gave the gfns. If the
 * memslots have not changed since the snapshot, all findings are valid; else only the findings that
 * a new snapshot confirms.
 *
 * Context: may sleep.
 * Return: true if the memslots have changed.
 */
bool kx_pass_settle(struct kx_pass *p);

/* The second group is for trackers that are certain of their gfns, and report at once. */

/**
 * kx_pass_found_pages() - single pages were accessed
 * @p: the running pass
 * @as_id: the address space
 * @gfn: the page of bit 0
 * @npages: bits, no more than KX_BLOCK_PAGES
 * @bits: the accessed pages; bits behind @npages are ignored
 */
void kx_pass_found_pages(struct kx_pass *p, u16 as_id, gfn_t gfn, unsigned int npages,
			 const unsigned long *bits);

/**
 * kx_pass_found_mapping() - a leaf was accessed
 * @p: the running pass
 * @as_id: the address space
 * @gfn: the leaf's first page
 * @order: the leaf has 2^@order pages
 */
void kx_pass_found_mapping(struct kx_pass *p, u16 as_id, gfn_t gfn, u8 order);

/**
 * kx_pass_found_samples() - count samples that the tracker reports in records of its own
 * @p: the running pass
 * @samples: how many
 * @pages: pages of 4 KiB that the samples represent
 */
void kx_pass_found_samples(struct kx_pass *p, u64 samples, u64 pages);

#endif /* KVM_EXT_FOUND_H */
