/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The range classifier: finds the parts of an address space that are accessed most, from
 * sampled accesses. The space is divided into ranges, large ranges where nothing happens
 * and small ranges where memory is hot. Addresses are bytes, or any other unit in a u64;
 * sizes and the granularity have the same unit. Callers with frame numbers shift them.
 *
 * The method is that of Demeter (SOSP '25), with the following rules; ranges.c decides
 * what these rules leave open:
 * - At the end of each epoch (500 ms there) a range whose accesses exceed both
 *   neighbours' by tau_split for each vCPU is halved, and its accesses are shared
 *   equally. No range is cut below the granularity.
 * - The weight of accesses is halved with each epoch that passes.
 * - Neighbours that have had no accesses for tau_merge epochs are merged.
 * - Ranges are ranked by accesses / size; among equals the younger is first.
 *
 * The owner provides the memory once and serialises calls. No call allocates. Adding a sample
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

/* In each field except @first and @last, 0 means the default above (for @vcpus: 1). */
struct kx_ranges_config {
	u64 first, last;	/* the space: @last is its last address, so that 2^64 fit */
	u32 granularity;	/* log2; all ranges but the first begin at multiples of it */
	u32 max;		/* ranges, at least KX_RANGES_MIN */
	u32 tau_split;		/* accesses, for each vCPU */
	u32 tau_merge;		/* epochs */
	u32 vcpus;
};

struct kx_range {
	u64 start;
	u64 size;
	u64 accesses;		/* of all completed epochs; the last epoch counts in full, the
				 * epoch before half, ...
				 */
	u64 heat;		/* accesses / size, as accesses for each granule times 2^32 */
	u32 age;		/* epochs since the borders last changed */
};

struct kx_ranges {
	struct kx_ranges_config config;	/* defaults filled in; tau_* and @vcpus may be changed */
	u32 nr;			/* ranges now: 2 to @config.max (1 if there is only one granule) */
	u64 epochs;
	u64 added;		/* weights since kx_ranges_init(), without samples outside */
	u64 outside;		/* samples outside the space */
	u64 splits, merges;
	u64 denied;		/* splits that were due but had no room */
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
 * @memory has kx_ranges_bytes(@config->max) bytes, aligned for u64, and belongs to the caller.
 * -EINVAL: a field of @config is out of its range.
 */
int kx_ranges_init(struct kx_ranges *s, void *memory, const struct kx_ranges_config *config);

/* The sample path. An address outside the space is counted in @outside, without other effect. */
void kx_ranges_add(struct kx_ranges *s, u64 address, u64 weight);
/* Adds @nr samples with their weights; their space and flags are ignored. */
void kx_ranges_add_batch(struct kx_ranges *s, const struct kx_sample *samples, u32 nr);
/*
 * Adds a run of @size addresses from @start, accessed @weight times in total, evenly: each range
 * gets a part in proportion to its size, and the sum of the parts is exact. The part of the run
 * outside the space has no effect and counts as one sample outside; the rest counts in
 * proportion. Takes time in proportion to the ranges that the run touches. A run may end at the
 * end of u64; a run that wraps to 0, or is empty, is outside.
 */
void kx_ranges_add_run(struct kx_ranges *s, u64 start, u64 size, u64 weight);

/* A state to return to. @fresh has @s->config.max numbers and belongs to the caller. */
struct kx_ranges_mark {
	u64 *fresh;
	u64 added, outside;
	u32 nr;
};
/* kx_ranges_back() removes what was added after the mark. No epoch may have ended since. */
void kx_ranges_mark(const struct kx_ranges *s, struct kx_ranges_mark *mark);
void kx_ranges_back(struct kx_ranges *s, const struct kx_ranges_mark *mark);

/* The end of an epoch: accesses and ranges now include what was added since the last epoch. */
void kx_ranges_epoch(struct kx_ranges *s);

/* Enlarges the space up to @last. The new part has had no accesses. */
void kx_ranges_grow(struct kx_ranges *s, u64 last);
/* The last address of the range that contains @address, which is in the space. */
u64 kx_ranges_until(const struct kx_ranges *s, u64 address);

/* The @i-th range by address, from 0 to @s->nr - 1. Together they are the whole space. */
void kx_ranges_get(const struct kx_ranges *s, u32 i, struct kx_range *range);
/*
 * Ranks the ranges as of the last epoch, hottest first, and returns their number.
 * kx_ranges_ranked() then returns the range with rank @rank, from 0, until the next epoch.
 */
u32 kx_ranges_rank(struct kx_ranges *s);
void kx_ranges_ranked(const struct kx_ranges *s, u32 rank, struct kx_range *range);

#endif /* KVM_EXT_RANGES_H */
