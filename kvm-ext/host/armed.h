/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_ARMED_H
#define KVM_EXT_ARMED_H

#include <linux/kvm_host.h>
#include <kvm-ext/uapi.h>

struct kx_extent;
struct kx_memory;
struct kx_slots;

#define KX_MARK_ORDERS	3

/* Memory of the VM that may be armed: contiguous in the guest and in the VMM. */
struct kx_area {
	gfn_t gfn;
	u64 npages;
	unsigned long hva;
	bool smm;			/* SMM sees this memory, too */
	u64 first;			/* pages in the areas before this one */
	struct kx_marks {
		unsigned long *armed, *waited;
	} marks[KX_MARK_ORDERS];	/* of 4 KiB, 2 MiB and 1 GiB, from those of @gfn on */
};

/*
 * Which mappings are armed. Bits are set by one task and cleared by any, atomically.
 *
 * A mapping has two bits:
 *
 *   armed  waited
 *     0      0	   not of interest
 *     1      0	   armed since the last kx_area_exchange()
 *     1      1	   armed, and not accessed, since an earlier one
 *     0      1	   was exchanged; its mapping is missing until the next access
 */
struct kx_areas {
	struct rcu_head rcu;
	u64 generation;			/* of the memslots from which the map was made */
	u64 npages;
	struct kx_memory *memory;	/* in which the map counts */
	u32 nr, room;
	struct kx_area area[];
};

/**
 * kx_areas_new() - a map in which nothing is armed
 * @memory: in which the map counts
 * @slots: the memory; pages with more than one gfn are left out
 * @first: guest pages from here on
 * @end: to here
 * @ranges: if there are any, only pages in one of them: sorted and disjoint
 * @nr: how many ranges there are
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
 * @areas: the map
 * @index: the page's number, counted over all areas from 0
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
 * kx_area_forget() - take the marks of mappings back that cannot fault any more
 * @area: the area
 * @gfn: from the mapping of this page on
 * @end: to that of the page before this one
 * @order: of mappings of 2^@order pages
 *
 * Context: the task that arms.
 * Return: how many of them were armed.
 */
u64 kx_area_forget(struct kx_area *area, gfn_t gfn, gfn_t end, u8 order);

/**
 * kx_area_exchange() - disarm what was armed since an earlier call and not accessed
 * @area: the area
 * @from: index of the first word of marks to look at, over all orders
 * @exchanged: gets, by order (0: 4 KiB, 1: 2 MiB, 2: 1 GiB), how many mappings were disarmed
 *
 * Looks at a piece of the marks, so that the caller can rest; a round ends with the last piece.
 *
 * Context: the task that arms.
 * Return: where to go on; 0: at the end.
 */
u64 kx_area_exchange(struct kx_area *area, u64 from, u64 exchanged[KX_MARK_ORDERS]);

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

/**
 * kx_area_settle() - the mapping around a page comes back that had been exchanged
 * @area: the area
 * @gfn: one of its pages
 *
 * Of several concurrent callers one succeeds.
 *
 * Context: any.
 * Return: false: none had been.
 */
bool kx_area_settle(struct kx_area *area, gfn_t gfn);

/* The order of the mappings in @marks[@i]. */
u8 kx_marks_order(unsigned int i);

#endif /* KVM_EXT_ARMED_H */
