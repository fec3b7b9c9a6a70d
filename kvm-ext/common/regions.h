/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Region sampling: instead of every page, one random page of each of a bounded
 * number of regions is watched. Similar regions are merged, and regions are split at
 * random again, so that borders move to where the access rate changes.
 * The method is DAMON's (Park et al., Middleware '19); regions never cross a hole.
 *
 * The owner provides the memory once and serialises calls; no call allocates. In the
 * kernel, calls that take time in proportion to the regions may sleep.
 */
#ifndef KVM_EXT_REGIONS_H
#define KVM_EXT_REGIONS_H

#include "port.h"

/* A part of guest memory without holes. */
struct kx_stretch {
	u64 gfn;
	u64 npages;
	u16 as_id;
};

struct kx_region {
	u64 gfn;
	u64 npages;
	u64 watched;		/* gfn of the page whose accessed bit was cleared last */
	u32 accesses;		/* checks of this aggregation that found the page accessed */
	u32 last_accesses;	/* of the previous aggregation */
	u32 age;		/* aggregations since its access rate last changed much */
	u16 as_id;
	bool watching;		/* @watched is valid */
	bool young;		/* for the owner: result of the running check */
};

struct kx_regions {
	struct kx_region *region;	/* by address space and gfn; moves as regions change */
	u32 nr;				/* @min to @max, or fewer if there are fewer pages */
	u32 min, max;
	u32 checks;			/* of each region in this aggregation; the caller counts */
	u64 splits, merges;		/* since kx_regions_init() */
	/* private */
	u64 seed;
	u64 pages;
	struct kx_region *spare;
	u32 last_nr;
};

/* Bytes of memory that at most @max regions need. */
size_t kx_regions_bytes(u32 max);
/* @memory has kx_regions_bytes(@max) bytes and belongs to the caller. 1 <= @min <= @max. */
void kx_regions_init(struct kx_regions *s, void *memory, u32 min, u32 max, u64 seed);

/*
 * Sets the present memory: @nr stretches sorted by address space and gfn, which do not
 * overlap. At first, memory is divided evenly, in proportion to the stretches' sizes: into
 * @min regions or more, so that no region is larger than 1/@min of all pages, as far as
 * @max allows. Later, regions keep their counts for memory that stays, and new memory is
 * divided in the same way; if there would be more than @max regions, the most similar
 * neighbours are merged. -E2BIG: more separate stretches than @max; nothing has changed.
 */
int kx_regions_set(struct kx_regions *s, const struct kx_stretch *stretches, u32 nr);

/* Chooses a random page of @r, stores it in @r->watched and returns it. */
u64 kx_region_choose(struct kx_regions *s, struct kx_region *r);

/*
 * The end of an aggregation, in this order: kx_regions_age() updates ages from the counts;
 * the caller reads counts and ages; kx_regions_adapt() merges and splits regions and starts
 * to count again. Then no region is watched: choose pages after kx_regions_adapt().
 */
void kx_regions_age(struct kx_regions *s);
void kx_regions_adapt(struct kx_regions *s);

#endif /* KVM_EXT_REGIONS_H */
