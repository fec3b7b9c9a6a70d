/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_ARMED_H
#define KVM_EXT_ARMED_H

#include <linux/kvm_host.h>
#include <kvm-ext/uapi.h>

struct kx_extent;
struct kx_memory;
struct kx_slots;

#define KX_MARK_ORDERS	3

/* A part of the VM's memory that may be armed; contiguous in the guest and in the VMM. */
struct kx_area {
	gfn_t gfn;
	u64 npages;
	unsigned long hva;
	bool smm;			/* SMM, too, sees this memory at these gfns */
	u64 first;			/* number of pages in the areas before this one */
	struct kx_marks {
		unsigned long *armed, *waited;
	} marks[KX_MARK_ORDERS];	/* mappings of 4 KiB, 2 MiB, 1 GiB; bit 0: that of @gfn */
};

/*
 * A map of the mappings that are armed. One task sets bits; any task clears bits. Both is atomic.
 *
 * Each mapping has two bits:
 *
 *   armed  waited
 *     0      0	   not armed
 *     1      0	   armed after the last kx_area_exchange()
 *     1      1	   armed before the last kx_area_exchange(), and not accessed since
 *     0      1	   disarmed by kx_area_exchange(); its entry is missing until the next access
 */
struct kx_areas {
	struct rcu_head rcu;
	u64 generation;			/* of the memslots from which the map was made */
	u64 npages;			/* in all areas */
	struct kx_memory *memory;	/* where the map's memory is counted */
	u32 nr, room;			/* number of areas; number for which there is room */
	struct kx_area area[];
};

/**
 * kx_areas_new() - make a map in which nothing is armed
 * @memory: where the map's memory is counted
 * @slots: the VM's memory; extents with pages that have more than one gfn are left out
 * @first: the first guest page
 * @end: the page behind the last one
 * @ranges: array of ranges, sorted and disjoint: only pages in one of them
 * @nr: number of ranges; 0: no such restriction
 *
 * Context: may sleep.
 * Return: the map; NULL: no memory.
 */
struct kx_areas *kx_areas_new(struct kx_memory *memory, const struct kx_slots *slots, gfn_t first,
			      gfn_t end, const struct kvm_ext_range *ranges, u32 nr);

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
 * @areas: the map, which is not empty
 * @index: the page's number, counted over all areas from 0
 *
 * Context: any.
 * Return: the area.
 */
struct kx_area *kx_area_at(struct kx_areas *areas, u64 index);

/**
 * kx_area_arm() - mark a mapping as armed
 * @area: the area
 * @gfn: one of the mapping's pages
 * @order: the mapping has 2^@order pages
 *
 * Context: the task that arms.
 */
void kx_area_arm(struct kx_area *area, gfn_t gfn, u8 order);

/**
 * kx_area_forget() - clear the bits of mappings that cannot fault any more
 * @area: the area
 * @gfn: the first mapping is the one of this page
 * @end: the last mapping is the one of the page before this page
 * @order: the mappings have 2^@order pages
 *
 * Context: the task that arms.
 * Return: how many of these mappings were armed.
 */
u64 kx_area_forget(struct kx_area *area, gfn_t gfn, gfn_t end, u8 order);

/**
 * kx_area_exchange() - disarm mappings that were armed before the last round and not accessed
 * @area: the area
 * @from: index of the first word of bits to look at, counted over all orders; 0: begin a round
 * @exchanged: to these are added the numbers of mappings that were disarmed (0: of 4 KiB, 1: 2 MiB,
 *	2: 1 GiB)
 *
 * One call looks at a piece of the area, so that the caller can rest between two calls. A round is
 * complete when the function returns 0.
 *
 * Context: the task that arms.
 * Return: @from of the next call; 0: the round is complete.
 */
u64 kx_area_exchange(struct kx_area *area, u64 from, u64 exchanged[KX_MARK_ORDERS]);

/**
 * kx_area_is_armed() - is a mapping that contains a page armed?
 * @area: the area
 * @gfn: the page
 *
 * Context: any.
 */
bool kx_area_is_armed(struct kx_area *area, gfn_t gfn);

/**
 * kx_area_disarm() - disarm the armed mapping that contains a page
 * @area: the area
 * @gfn: the page
 * @order: result: the mapping has 2^@order pages
 *
 * Of several concurrent callers one succeeds.
 *
 * Context: any.
 * Return: false: nothing was armed.
 */
bool kx_area_disarm(struct kx_area *area, gfn_t gfn, u8 *order);

/**
 * kx_area_settle() - note that the entry of an exchanged mapping, which contains a page, comes back
 * @area: the area
 * @gfn: the page
 *
 * Of several concurrent callers one succeeds.
 *
 * Context: any.
 * Return: false: no mapping that contains the page was exchanged.
 */
bool kx_area_settle(struct kx_area *area, gfn_t gfn);

/* The order of the mappings in @marks[@i]: they have 2^order pages. */
u8 kx_marks_order(unsigned int i);

#endif /* KVM_EXT_ARMED_H */
