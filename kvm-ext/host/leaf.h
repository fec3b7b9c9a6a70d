/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LEAF_H
#define KVM_EXT_LEAF_H

#include <linux/kvm_host.h>

#include "../common/walk.h"

/* How a block is mapped for the guest. In the order in which a larger one wins. */
enum kx_leaf {
	KX_LEAF_NONE,		/* not at all */
	KX_LEAF_4K,
	KX_LEAF_2M,
	KX_LEAF_1G,
	KX_LEAF_UNKNOWN,	/* in a way we cannot see */
};

/*
 * The blocks of one GiB, as they were when they were read. The guest's faults
 * change them at any time: a user reads again before it trusts them for long.
 */
struct kx_leaf_map {
	gfn_t first, end;	/* gfns that are known; first == end: none */
	u16 as_id;
	u64 read_ns;		/* when */
	gfn_t none_end;		/* nothing is mapped from @end to here, if that is behind it */
	u8 leaf[KX_GIB_PAGES / KX_BLOCK_PAGES];	/* enum kx_leaf, by block of the GiB */
};

static inline void kx_leaf_forget(struct kx_leaf_map *map)
{
	map->end = map->first;
}

static inline u64 kx_leaf_age_ns(const struct kx_leaf_map *map)
{
	return ktime_get_ns() - map->read_ns;
}

/**
 * kx_leaf_at() - how a page is mapped
 * @map: what is known; is read anew, from the page to the end of its GiB or to @end, if it has to
 * @kvm: the VM
 * @as_id: the address space
 * @gfn: the page
 * @end: no page from here on is asked for
 *
 * Context: takes KVM's mmu_lock for writing.
 */
enum kx_leaf kx_leaf_at(struct kx_leaf_map *map, struct kvm *kvm, u16 as_id, gfn_t gfn,
			gfn_t end);

/**
 * kx_leaf_none_until() - where a stretch that no table maps ends
 * @map: what is known
 * @gfn: a page for which kx_leaf_at() has just said KX_LEAF_NONE
 * @end: there at the latest
 *
 * Return: the page behind it, as far as was read.
 */
gfn_t kx_leaf_none_until(const struct kx_leaf_map *map, gfn_t gfn, gfn_t end);

/**
 * kx_leaf_pages() - how pages of a block are mapped right now
 * @kvm: the VM
 * @as_id: the address space
 * @gfn: the page of bit 0
 * @npages: bits, all in one block
 * @bits: bit i: page @gfn + i is mapped; all are set if that cannot be told
 *
 * Context: takes KVM's mmu_lock for writing.
 * Return: how the block is mapped.
 */
enum kx_leaf kx_leaf_pages(struct kvm *kvm, u16 as_id, gfn_t gfn, unsigned int npages,
			   unsigned long *bits);

#endif /* KVM_EXT_LEAF_H */
