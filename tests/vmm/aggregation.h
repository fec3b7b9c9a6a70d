/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the regions that an aggregation has written, and measures their accuracy. */
#ifndef AGGREGATION_H
#define AGGREGATION_H

#include <stdbool.h>
#include <stdint.h>

#include <kvm-ext/uapi.h>

#define REGIONS_MAX 2048u

/* The regions of the last aggregation. All zero before the first record. */
struct regions {
	struct kvm_ext_region region[REGIONS_MAX];
	uint32_t nr, total, checks;
	uint64_t pass, aggregation;
	uint64_t seen;	   /* number of complete aggregations */
	uint64_t accesses; /* samples in all records */
	uint64_t bad;	   /* number of violated rules */
};

/* A function for @hook of struct kx; @hook_arg is @regions, a struct regions. */
void regions_see(void *regions, const struct kvm_ext_record *record);

/*
 * A region is hot if at least half of its @checks found an access. The pages that are hot in truth
 * are the @npages pages from @first on. @precision: the share of the pages in hot regions that are
 * hot in truth. @recall: the share of the pages that are hot in truth that are in hot regions. Both
 * are 0 if no region is hot.
 */
void regions_accuracy(const struct kvm_ext_region *region, uint32_t nr, uint32_t checks,
		      uint64_t first, uint64_t npages, double *precision, double *recall);

/* Does the part that is hot in truth count as found? */
static inline bool regions_found(double precision, double recall)
{
	return precision >= 0.7 && recall >= 0.7;
}

#endif /* AGGREGATION_H */
