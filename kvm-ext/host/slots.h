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
 * @excluded: the memory to leave out
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_memslots_cut(struct kx_memslots *set, const struct kx_excluded *excluded);

/**
 * struct kx_extent - a run of guest pages, contiguous also in the VMM's memory
 * @gfn: the gfn under which the first page is tracked
 * @npages: pages of 4 KiB
 * @hva: the first page's address in the VMM
 * @as_id: the address space of @gfn
 * @smm_alias: SMM, too, sees all or part of the extent, at the same gfns
 * @alias: a part of the extent is mapped at other gfns as well
 * @node: node in a tree by hva, while the snapshot is taken
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
 * @generation: kx_memslots_generation() at the time of the snapshot; shows whether memslots have
 *	changed since
 * @extents: sorted by address space and gfn
 * @nr: number of extents
 * @memslots: number of memslots that the extents were made of
 * @ram_pages: number of pages of all extents
 * @logged_pages: number of pages of the memslots with a dirty log; aliases count separately
 * @last_gfn: the highest gfn of any memslot
 *
 * KVM ages memory by hva, for all aliases at once. So memory that is mapped twice appears once:
 * under its gfn in the lower address space.
 *
 * A snapshot needs no lock: it belongs to the task that took it. It holds no reference. All zero:
 * empty.
 */
struct kx_slots {
	u64 generation;
	struct kx_extent *extents;
	struct kx_memory *memory;	/* in which @extents counts; NULL: in none */
	u32 nr;
	u32 memslots;
	u64 ram_pages;
	u64 logged_pages;
	u64 last_gfn;
};

/**
 * kx_slots_take() - replace a snapshot by a new one, without excluded memory
 * @slots: the snapshot; unchanged after an error
 * @vm: the VM; the caller makes sure that its excluded memory does not change meanwhile
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_slots_take(struct kx_slots *slots, struct kx_vm *vm);

/**
 * kx_slots_take_kept() - the same for a snapshot that outlives the call, and the pass
 * @slots: the snapshot; unchanged after an error
 * @vm: as there; the snapshot counts in the VM's memory
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_slots_take_kept(struct kx_slots *slots, struct kx_vm *vm);

/**
 * kx_slots_take_all() - the same with excluded memory, for a caller that only counts pages
 * @slots: the snapshot; unchanged after an error
 * @vm: the VM
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_slots_take_all(struct kx_slots *slots, struct kx_vm *vm);

/**
 * kx_slots_drop() - free a snapshot; afterwards it is empty
 * @slots: the snapshot, or an empty one
 *
 * Context: may sleep.
 */
void kx_slots_drop(struct kx_slots *slots);

/**
 * kx_slots_from() - find the extent that contains a page, or the first one behind the page
 * @slots: the snapshot
 * @as_id: the page's address space
 * @gfn: the page
 *
 * Return: the extent, possibly of a later address space; NULL: there is none.
 */
const struct kx_extent *kx_slots_from(const struct kx_slots *slots, u16 as_id, gfn_t gfn);

/**
 * kx_slots_held() - how much of a stretch of memory is still mapped without a gap, at the given
 * address
 * @slots: the snapshot
 * @as_id: the address space
 * @gfn: the first page
 * @npages: pages of 4 KiB
 * @hva: the expected address of the first page in the VMM
 *
 * Return: number of pages from @gfn on that are contiguous in the VMM's memory from @hva on, in one
 * extent or several.
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
