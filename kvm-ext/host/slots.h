/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SLOTS_H
#define KVM_EXT_SLOTS_H

#include <linux/interval_tree.h>
#include <linux/kvm_host.h>

#include "memslots.h"

struct kx_excluded;
struct kx_vm;

/**
 * kx_memslots_cut() - replace memslots by their pieces that are not excluded
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
 * @smm_alias: SMM, too, sees the extent or a part of it, at the same gfns
 * @alias: the extent or a part of it is mapped at other gfns as well
 * @node: node in a tree by hva; used only while the snapshot is taken
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
 * @extents: array of @nr extents, sorted by address space and gfn
 * @memory: where @extents is counted; NULL: nowhere
 * @nr: number of extents
 * @memslots: number of memslots from which the extents were made
 * @ram_pages: number of pages of all extents
 * @logged_pages: number of pages of the memslots with a dirty log; aliases count separately
 * @last_gfn: the highest gfn of any memslot
 *
 * KVM clears accessed bits by hva, for all aliases at once. So memory that is mapped at several
 * gfns appears once: in the lowest address space, and there at the lowest gfn.
 *
 * A snapshot belongs to the task that took it, and needs no lock. A snapshot holds no reference.
 * All zero: an empty snapshot.
 */
struct kx_slots {
	u64 generation;
	struct kx_extent *extents;
	struct kx_memory *memory;
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
 * kx_slots_take_kept() - kx_slots_take() for a snapshot that is kept for longer than a pass
 * @slots: the snapshot; unchanged after an error
 * @vm: as in kx_slots_take(); @memory of the VM counts the snapshot
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_slots_take_kept(struct kx_slots *slots, struct kx_vm *vm);

/**
 * kx_slots_take_all() - kx_slots_take() with excluded memory, for a caller that only counts pages
 * @slots: the snapshot; unchanged after an error
 * @vm: the VM
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_slots_take_all(struct kx_slots *slots, struct kx_vm *vm);

/**
 * kx_slots_drop() - make a snapshot empty
 * @slots: the snapshot, which may be empty already
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
 * Return: the extent, which may be in a later address space; NULL: there is none.
 */
const struct kx_extent *kx_slots_from(const struct kx_slots *slots, u16 as_id, gfn_t gfn);

/**
 * kx_slots_held() - how much of a stretch of memory is still at the expected address, without a gap
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
