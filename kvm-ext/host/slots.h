/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SLOTS_H
#define KVM_EXT_SLOTS_H

#include <linux/interval_tree.h>
#include <linux/kvm_host.h>

#include "memslots.h"

struct kx_excluded;
struct kx_vm;

/**
 * kx_memslots_cut() - replace memslots by the pieces of them that are not excluded
 * @set: the memslots; unchanged after an error
 * @excluded: what is left out
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_memslots_cut(struct kx_memslots *set, const struct kx_excluded *excluded);

/**
 * struct kx_extent - a run of guest pages, contiguous in the VMM's memory, too
 * @gfn: the first page, under the gfn that it is tracked by
 * @npages: pages of 4 KiB
 * @hva: the first page's address in the VMM
 * @as_id: the address space of the gfns
 * @smm_alias: SMM sees all or part of it, too, at the same gfns
 * @alias: some of it is mapped at other gfns as well
 * @node: by hva, while the snapshot is taken
 */
struct kx_extent {
	gfn_t gfn;
	u64 npages;
	unsigned long hva;
	u16 as_id;
	bool smm_alias;
	bool alias;
	struct interval_tree_node node;
};

/**
 * struct kx_slots - a snapshot of the RAM memslots of all address spaces
 * @generation: as kx_memslots_generation() had it; it tells whether memslots have changed since
 * @extents: sorted by address space and gfn
 * @nr: how many extents there are
 * @memslots: how many memslots they were made of
 * @ram_pages: pages of all extents
 * @logged_pages: pages of the memslots with a dirty log, each by itself
 * @last_gfn: the highest gfn of any memslot
 *
 * KVM ages memory by hva, for all its aliases at once, so memory that is mapped twice appears
 * once: under its gfn in the lower address space.
 *
 * A snapshot belongs to whoever took it; no lock. It holds no reference. All zero: empty.
 */
struct kx_slots {
	u64 generation;
	struct kx_extent *extents;
	u32 nr;
	u32 memslots;
	u64 ram_pages;
	u64 logged_pages;
	u64 last_gfn;
};

/**
 * kx_slots_take() - replace a snapshot by a new one, without what is excluded
 * @slots: the snapshot; unchanged after an error
 * @vm: the VM, whose excluded memory does not change meanwhile
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_slots_take(struct kx_slots *slots, struct kx_vm *vm);

/**
 * kx_slots_take_all() - the same with what is excluded, for a caller that only counts
 * @slots: the snapshot; unchanged after an error
 * @vm: the VM
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_slots_take_all(struct kx_slots *slots, struct kx_vm *vm);

/**
 * kx_slots_drop() - free a snapshot; what is left is empty
 * @slots: the snapshot, or an empty one
 *
 * Context: may sleep.
 */
void kx_slots_drop(struct kx_slots *slots);

/**
 * kx_slots_from() - the extent that has a page, or the first that follows it
 * @slots: the snapshot
 * @as_id: the page's address space
 * @gfn: the page
 *
 * Return: the extent, perhaps of a later address space; NULL: there is none.
 */
const struct kx_extent *kx_slots_from(const struct kx_slots *slots, u16 as_id, gfn_t gfn);

/**
 * kx_slots_held() - how far a stretch of memory is mapped without a gap, and where it is said
 * @slots: the snapshot
 * @as_id: the address space
 * @gfn: the first page
 * @npages: pages of 4 KiB
 * @hva: where in the VMM the first page is said to be
 *
 * Return: pages from @gfn on that are mapped by @hva and what follows it, by any extents.
 */
u64 kx_slots_held(const struct kx_slots *slots, u16 as_id, gfn_t gfn, u64 npages,
		  unsigned long hva);

static inline gfn_t kx_extent_end(const struct kx_extent *x)
{
	return x->gfn + x->npages;
}

static inline unsigned long kx_extent_hva(const struct kx_extent *x, gfn_t gfn)
{
	return x->hva + ((gfn - x->gfn) << PAGE_SHIFT);
}

#endif /* KVM_EXT_SLOTS_H */
