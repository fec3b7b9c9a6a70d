/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LEAF_H
#define KVM_EXT_LEAF_H

#include <linux/kvm_host.h>

#include "../common/walk.h"

/* How a block is mapped for the guest. If the tables of several roots differ: the largest value. */
enum kx_leaf {
	KX_LEAF_NONE,		/* not mapped */
	KX_LEAF_4K,
	KX_LEAF_2M,
	KX_LEAF_1G,
	KX_LEAF_UNKNOWN,	/* mapped in a way that this module cannot see */
};

/*
 * The leaves of one GiB of memory, as they were when the tables were read. The guest's faults
 * change the mappings at any time, so a user reads the map again before it becomes too old.
 */
struct kx_leaf_map {
	gfn_t first, end;	/* the gfns in the map; @first == @end: none */
	u16 as_id;
	u64 read_ns;		/* when the tables were read, by ktime_get_ns() */
	gfn_t none_end;		/* if it is behind @end: nothing is mapped from @end to here */
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
 * @map: the map; if it does not contain the page, the tables are read anew, from the page's block
 *	to the end of the page's GiB or to @end
 * @kvm: the VM
 * @as_id: the address space
 * @gfn: the page
 * @end: the caller does not need this page and the pages behind it
 *
 * Context: takes KVM's mmu_lock for writing.
 */
enum kx_leaf kx_leaf_at(struct kx_leaf_map *map, struct kvm *kvm, u16 as_id, gfn_t gfn,
			gfn_t end);

/**
 * kx_leaf_none_until() - the end of a stretch that no table maps
 * @map: the map
 * @gfn: a page for which kx_leaf_at() has just said KX_LEAF_NONE
 * @end: the upper limit of the result
 *
 * Return: the page behind the stretch, as far as the tables were read.
 */
gfn_t kx_leaf_none_until(const struct kx_leaf_map *map, gfn_t gfn, gfn_t end);

/**
 * kx_leaf_pages() - read now how the pages of a block are mapped
 * @kvm: the VM
 * @as_id: the address space
 * @gfn: the page of bit 0
 * @npages: bits, all in one block
 * @bits: result; bit i: page @gfn + i is mapped; if this cannot be determined, all bits are set
 *
 * Context: takes KVM's mmu_lock for writing.
 * Return: how the block is mapped.
 */
enum kx_leaf kx_leaf_pages(struct kvm *kvm, u16 as_id, gfn_t gfn, unsigned int npages,
			   unsigned long *bits);

#endif /* KVM_EXT_LEAF_H */
