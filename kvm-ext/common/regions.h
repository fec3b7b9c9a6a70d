/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Region sampling: instead of every page, one page at random of each of a bounded
 * number of regions is watched. Regions that turn out to be alike are merged,
 * and split again at random, so that borders move to where the access rate changes.
 * The method is DAMON's (Park et al., Middleware '19); regions never cross a hole.
 *
 * The owner brings memory once and keeps calls apart; no call allocates. Those that
 * take time in proportion to the regions may sleep, where there is a kernel to sleep in.
 */
#ifndef KVM_EXT_REGIONS_H
#define KVM_EXT_REGIONS_H

#include "port.h"

/* A stretch of guest memory without holes. */
struct kx_stretch {
	u64 gfn;
	u64 npages;
	u16 as_id;
};

struct kx_region {
	u64 gfn;
	u64 npages;
	u64 watched;		/* gfn of the page whose accessed bit was cleared last */
	u32 accesses;		/* checks of this aggregation that found it accessed */
	u32 last_accesses;	/* of the aggregation before */
	u32 age;		/* aggregations since its access rate last changed much */
	u16 as_id;
	bool watching;		/* @watched is valid */
	bool young;		/* the owner's: what the running check has found */
};

struct kx_regions {
	struct kx_region *region;	/* by address space and gfn; moves as regions change */
	u32 nr;				/* @min to @max, or fewer if there are fewer pages */
	u32 min, max;
	u32 checks;			/* in this aggregation, of each region: the caller counts */
	u64 splits, merges;		/* since kx_regions_init() */
	/* private */
	u64 seed;
	u64 pages;
	struct kx_region *spare;
	u32 last_nr;
};

/* Bytes of memory that at most @max regions need. */
size_t kx_regions_bytes(u32 max);
/* @memory of kx_regions_bytes(@max) bytes stays the caller's. 1 <= @min <= @max. */
void kx_regions_init(struct kx_regions *s, void *memory, u32 min, u32 max, u64 seed);

/*
 * Says what memory there is: @nr stretches by address space and gfn, which do not
 * overlap. The first time it is cut evenly, in proportion to the stretches' sizes: into
 * @min regions or more, so that none is larger than 1/@min of all pages, as far as @max
 * allows. Later, regions keep what they know of the memory that stays, new memory is cut
 * like that, and where there would be more than @max, neighbours are merged that are most
 * alike. -E2BIG: more separate stretches than @max; nothing has changed.
 */
int kx_regions_set(struct kx_regions *s, const struct kx_stretch *stretches, u32 nr);

/* Chooses a page of @r at random: it is @r->watched from now on, and returned. */
u64 kx_region_choose(struct kx_regions *s, struct kx_region *r);

/*
 * The end of an aggregation, in this order: kx_regions_age(), which ages regions by what
 * was found; the caller takes counts and ages; kx_regions_adapt(), which merges, splits
 * and starts to count anew. Then no region is watched: choose pages after it, not before.
 */
void kx_regions_age(struct kx_regions *s);
void kx_regions_adapt(struct kx_regions *s);

#endif /* KVM_EXT_REGIONS_H */
