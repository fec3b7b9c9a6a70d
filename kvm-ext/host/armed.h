/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_ARMED_H
#define KVM_EXT_ARMED_H

#include <linux/kvm_host.h>
#include <kvm-ext/uapi.h>

struct kx_extent;
struct kx_slots;

/* Memory of the VM that may be armed: contiguous in the guest and in the VMM. */
struct kx_area {
	gfn_t gfn;
	u64 npages;
	unsigned long hva;
	bool smm;			/* SMM sees this memory, too */
	u64 first;			/* pages in the areas before this one */
	unsigned long *pages;		/* armed mappings of 4 KiB, by page from @gfn on */
	unsigned long *blocks;		/* of 2 MiB, by block from that of @gfn on */
	unsigned long *gibs;		/* of 1 GiB */
};

/*
 * Which mappings are armed. Bits are set by one task and cleared by any, atomically.
 */
struct kx_areas {
	struct rcu_head rcu;
	u64 generation;			/* of the memslots from which the map was made */
	u64 npages;
	u32 nr;
	struct kx_area area[];
};

/**
 * kx_areas_new() - a map in which nothing is armed
 * @slots: the memory; pages with more than one gfn are left out
 * @first: guest pages from here on
 * @end: to here
 * @ranges: if there are any, only pages in one of them: sorted and disjoint
 * @nr: how many ranges there are
 *
 * Context: may sleep.
 * Return: the map; NULL: no memory.
 */
struct kx_areas *kx_areas_new(const struct kx_slots *slots, gfn_t first, gfn_t end,
			      const struct kvm_ext_range *ranges, u32 nr);

/**
 * kx_areas_free() - free a map
 * @areas: the map, which nobody uses any more; NULL: none
 */
void kx_areas_free(struct kx_areas *areas);

/**
 * kx_area_of() - the area that contains a page
 * @areas: the map
 * @gfn: the page
 *
 * Context: any.
 * Return: the area; NULL: none.
 */
struct kx_area *kx_area_of(struct kx_areas *areas, gfn_t gfn);
/**
 * kx_area_at() - the area that contains a page, by the page's number
 * @areas: the map
 * @index: the page's number, counted over all areas from 0
 */
struct kx_area *kx_area_at(struct kx_areas *areas, u64 index);

/**
 * kx_area_bits() - find the bit of a mapping
 * @area: the area
 * @gfn: one of its pages
 * @order: the mapping around it has 2^@order pages
 * @bit: gets the bit's number
 *
 * Return: the bitmap.
 */
unsigned long *kx_area_bits(struct kx_area *area, gfn_t gfn, u8 order, unsigned long *bit);

/**
 * kx_area_is_armed() - is any mapping around a page armed?
 * @area: the area
 * @gfn: one of its pages
 */
bool kx_area_is_armed(struct kx_area *area, gfn_t gfn);
/**
 * kx_area_disarm() - disarm the armed mapping around a page
 * @area: the area
 * @gfn: one of its pages
 * @order: gets the order of the mapping that was armed
 *
 * Of several concurrent callers one succeeds.
 *
 * Context: any.
 * Return: false: nothing was armed.
 */
bool kx_area_disarm(struct kx_area *area, gfn_t gfn, u8 *order);

#endif /* KVM_EXT_ARMED_H */
