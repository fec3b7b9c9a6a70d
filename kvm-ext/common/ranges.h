/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The range classifier: which parts of an address space are accessed most, told by
 * sampled accesses. The space is cut into ranges, coarse where nothing happens and fine
 * where the heat is. Addresses are bytes, or anything else counted by a u64, and sizes
 * and the granularity in the same unit; who has frame numbers shifts them.
 *
 * The method is that of Demeter (SOSP '25), whose rules these are; what they leave
 * open is decided in ranges.c:
 * - At the end of each epoch (500 ms there) a range whose accesses exceed both
 *   neighbours' by tau_split for each vCPU is halved, and its accesses are shared
 *   equally. No range is cut below the granularity.
 * - Accesses count half as much with each epoch that passes.
 * - Neighbours that have had no accesses for tau_merge epochs become one.
 * - Ranges rank by accesses / size; of equals the younger is first.
 *
 * The owner brings memory once and keeps calls apart. No call allocates. Adding a sample
 * takes about log2(ranges) steps; the other calls take time in proportion to the ranges.
 */
#ifndef KVM_EXT_RANGES_H
#define KVM_EXT_RANGES_H

#include "port.h"
#include "sample.h"

#define KX_RANGES_MIN			2u
#define KX_RANGES_GRANULARITY		21u	/* log2: 2 MiB, where addresses are bytes */
#define KX_RANGES_GRANULARITY_MAX	62u
#define KX_RANGES_TAU_SPLIT		15u
#define KX_RANGES_TAU_MERGE		8u
#define KX_RANGES_MAX			512u

/* In each of these but the first two, 0 stands for the default above (for @vcpus: 1). */
struct kx_ranges_config {
	u64 first, last;	/* the space: @last is its last address, so that 2^64 fit */
	u32 granularity;	/* log2; ranges begin at multiples of it, but for the first */
	u32 max;		/* ranges, at least KX_RANGES_MIN */
	u32 tau_split;		/* accesses, for each vCPU */
	u32 tau_merge;		/* epochs */
	u32 vcpus;
};

struct kx_range {
	u64 start;
	u64 size;
	u64 accesses;		/* of all epochs that have ended; the last counts in full, the
				 * one before half, ...
				 */
	u64 heat;		/* accesses / size, as accesses for each granule times 2^32 */
	u32 age;		/* epochs since its borders last changed */
};

struct kx_ranges {
	struct kx_ranges_config config;	/* no zero left; tau_* and @vcpus may be changed */
	u32 nr;			/* ranges now: 2 to @config.max (1 if there is but one granule) */
	u64 epochs;
	u64 added;		/* weights since kx_ranges_init(), those outside not included */
	u64 outside;		/* samples that were not in the space */
	u64 splits, merges;
	u64 denied;		/* splits that were due and had no room */
	/* private */
	u64 *start;		/* by address */
	u64 *fresh;		/* accesses of this epoch */
	u64 *accesses;
	u32 *age, *idle;	/* epochs */
	u32 *order;
};

/* Bytes of memory that at most @max ranges need (0: the default). */
size_t kx_ranges_bytes(u32 max);
/*
 * @memory of kx_ranges_bytes(@config->max) bytes, aligned for u64, stays the caller's.
 * -EINVAL: a field of @config is out of its range.
 */
int kx_ranges_init(struct kx_ranges *s, void *memory, const struct kx_ranges_config *config);

/* The sample path. An address outside of the space is counted as such and has no effect. */
void kx_ranges_add(struct kx_ranges *s, u64 address, u64 weight);
/* The same for @nr samples with their weights, whatever their space and flags say. */
void kx_ranges_add_batch(struct kx_ranges *s, const struct kx_sample *samples, u32 nr);
/*
 * A run of @size addresses from @start, accessed @weight times in all, evenly: each range gets its
 * part, by size, and the parts' sum is exact. What of the run is outside of the space has
 * no effect and counts as one sample outside; the rest counts in proportion. Takes time in
 * proportion to the ranges that the run touches. A run may end where u64 does; one that goes
 * on from 0 after that, or is empty, is outside.
 */
void kx_ranges_add_run(struct kx_ranges *s, u64 start, u64 size, u64 weight);

/* What has been added so far, to go back to. @fresh of @s->config.max numbers is the caller's. */
struct kx_ranges_mark {
	u64 *fresh;
	u64 added, outside;
	u32 nr;
};
/* Takes back what was added after the mark. No epoch may have ended since. */
void kx_ranges_mark(const struct kx_ranges *s, struct kx_ranges_mark *mark);
void kx_ranges_back(struct kx_ranges *s, const struct kx_ranges_mark *mark);

/* The end of an epoch. What was added since the last takes effect on accesses and ranges now. */
void kx_ranges_epoch(struct kx_ranges *s);

/* Makes the space end at @last, further than it did. What is new has had no accesses. */
void kx_ranges_grow(struct kx_ranges *s, u64 last);
/* The last address of the range that @address, which is in the space, is in. */
u64 kx_ranges_until(const struct kx_ranges *s, u64 address);

/* The @i-th range by address, from 0 to @s->nr - 1. Together they are the whole space. */
void kx_ranges_get(const struct kx_ranges *s, u32 i, struct kx_range *range);
/*
 * Ranks the ranges as they are since the last epoch, hottest first, and returns how many.
 * kx_ranges_ranked() then gives the @rank-th from 0, until the next epoch.
 */
u32 kx_ranges_rank(struct kx_ranges *s);
void kx_ranges_ranked(const struct kx_ranges *s, u32 rank, struct kx_range *range);

#endif /* KVM_EXT_RANGES_H */
