/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_ARMED_H
#define KVM_EXT_ARMED_H

#include <linux/kvm_host.h>
#include <kvm-ext/uapi.h>

struct kx_extent;
struct kx_slots;

/* Memory of the VM that may be armed: a stretch of it, contiguous in the VMM's memory, too. */
struct kx_area {
	gfn_t gfn;
	u64 npages;
	unsigned long hva;
	bool smm;			/* SMM sees it, too */
	u64 first;			/* pages in the areas before it */
	unsigned long *pages;		/* armed mappings of 4 KiB, by page from @gfn on */
	unsigned long *blocks;		/* of 2 MiB, by block from that of @gfn on */
	unsigned long *gibs;		/* of 1 GiB */
};

/*
 * Which mappings are armed. Bits are set by one task and cleared by any, atomically.
 */
struct kx_areas {
	struct rcu_head rcu;
	u64 generation;			/* of the memslots it was made of */
	u64 npages;
	u32 nr;
	struct kx_area area[];
};

/**
 * kx_areas_new() - a map of which nothing is armed
 * @slots: the memory; what has more than one gfn is left out
 * @first: guest pages from here on
 * @end: to here
 * @ranges: if there are any, what lies in one of them: sorted and apart
 * @nr: how many ranges there are
 *
 * Context: may sleep.
 * Return: the map; NULL: no memory.
 */
struct kx_areas *kx_areas_new(const struct kx_slots *slots, gfn_t first, gfn_t end,
			      const struct kvm_ext_range *ranges, u32 nr);

/**
 * kx_areas_free() - free a map
 * @areas: the map, which nobody looks at any more; NULL: none
 */
void kx_areas_free(struct kx_areas *areas);

/**
 * kx_area_of() - the area that has a page
 * @areas: the map
 * @gfn: the page
 *
 * Context: any.
 * Return: the area; NULL: none.
 */
struct kx_area *kx_area_of(struct kx_areas *areas, gfn_t gfn);
/**
 * kx_area_at() - the area that has a page of all
 * @areas: the map
 * @index: the page's number, counted over all areas from 0
 */
struct kx_area *kx_area_at(struct kx_areas *areas, u64 index);

/**
 * kx_area_bits() - where the bit of a mapping is
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
 * kx_area_disarm() - disarm what is armed around a page
 * @area: the area
 * @gfn: one of its pages
 * @order: gets the order of what was armed
 *
 * Of several callers at a time one succeeds.
 *
 * Context: any.
 * Return: false: nothing was armed.
 */
bool kx_area_disarm(struct kx_area *area, gfn_t gfn, u8 *order);

#endif /* KVM_EXT_ARMED_H */
