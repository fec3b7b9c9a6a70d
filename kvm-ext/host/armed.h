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

/*
 * Of @slots what lies in [@first, @end) and, if there are any, in the @nr ranges,
 * sorted and apart. Not what has more than one gfn. NULL: no memory.
 */
struct kx_areas *kx_areas_new(const struct kx_slots *slots, gfn_t first, gfn_t end,
			      const struct kvm_ext_range *ranges, u32 nr);
void kx_areas_free(struct kx_areas *areas);

/* The area that has @gfn; NULL: none. */
struct kx_area *kx_area_of(struct kx_areas *areas, gfn_t gfn);
/* That which has the @index'th page of all. */
struct kx_area *kx_area_at(struct kx_areas *areas, u64 index);

/* The bit for a mapping of 2^@order pages around @gfn, which the area has. */
unsigned long *kx_area_bits(struct kx_area *area, gfn_t gfn, u8 order, unsigned long *bit);

bool kx_area_is_armed(struct kx_area *area, gfn_t gfn);
/* Disarms what is armed around @gfn, once. False: nothing was. */
bool kx_area_disarm(struct kx_area *area, gfn_t gfn, u8 *order);

#endif /* KVM_EXT_ARMED_H */
