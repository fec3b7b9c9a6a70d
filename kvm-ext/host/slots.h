/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SLOTS_H
#define KVM_EXT_SLOTS_H

#include <linux/interval_tree.h>
#include <linux/kvm_host.h>

/* A memslot of guest RAM, as it was. */
struct kx_memslot {
	gfn_t gfn;
	u64 npages;
	unsigned long hva;
	u32 flags;		/* KVM_MEM_* */
	u16 as_id;
	u16 id;
};

/* All of them, by address space and gfn. @slots is the caller's to kvfree(). */
struct kx_memslots {
	u64 generation;
	struct kx_memslot *slots;
	u32 nr;
};

struct kx_excluded;
struct kx_vm;

int kx_memslots_take(struct kx_memslots *set, struct kx_vm *vm);
/* Leaves pieces of them, without what is excluded. */
int kx_memslots_cut(struct kx_memslots *set, const struct kx_excluded *excluded);

/* A run of guest pages, contiguous in the VMM's memory, too, that is tracked under these gfns. */
struct kx_extent {
	gfn_t gfn;
	u64 npages;
	unsigned long hva;
	u16 as_id;
	bool smm_alias;		/* SMM sees all or part of it, too, at the same gfns */
	bool alias;		/* some of it is mapped at other gfns as well */
	struct interval_tree_node node;	/* by hva, while the snapshot is taken */
};

/*
 * A snapshot of the RAM memslots of all address spaces, sorted by address space
 * and gfn. KVM ages memory by hva, for all its aliases at once, so memory that
 * is mapped twice appears once: under its gfn in the lower address space.
 *
 * A snapshot belongs to whoever took it; no lock. It holds no reference: that
 * memslots have changed since shows in kx_slots_generation().
 */
struct kx_slots {
	u64 generation;
	struct kx_extent *extents;
	u32 nr;
	u32 memslots;
	u64 ram_pages;
	u64 logged_pages;	/* in memslots with a dirty log, each by itself */
	u64 last_gfn;
};

/* Without what is excluded; or all, for who only counts. */
int kx_slots_take(struct kx_slots *slots, struct kx_vm *vm);
int kx_slots_take_all(struct kx_slots *slots, struct kx_vm *vm);
void kx_slots_drop(struct kx_slots *slots);
/* Grows with each change of the memslots, or of what is excluded. */
u64 kx_slots_generation(struct kx_vm *vm);

/* The first extent that has @gfn of address space @as_id or follows it; NULL: none. */
const struct kx_extent *kx_slots_from(const struct kx_slots *slots, u16 as_id, gfn_t gfn);

/* How many of @npages from @gfn on, without a gap, are mapped, and by @hva? By any slots. */
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
