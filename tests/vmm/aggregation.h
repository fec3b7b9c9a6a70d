/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What region sampling says, aggregation by aggregation, and how right it is.
 */
#ifndef AGGREGATION_H
#define AGGREGATION_H

#include <stdbool.h>
#include <stdint.h>

#include <kvm-ext/uapi.h>

#define REGIONS_MAX 2048u

/* The regions as they were last written, whole. All zero to begin with. */
struct regions {
	struct kvm_ext_region region[REGIONS_MAX];
	uint32_t nr, total, checks;
	uint64_t pass, aggregation;
	uint64_t seen;	   /* complete ones */
	uint64_t accesses; /* in all complete ones: samples */
	uint64_t bad;	   /* records out of order */
};

/* For struct kx's hook; @regions is its argument. */
void regions_see(void *regions, const struct kvm_ext_record *record);

/*
 * Hot is a region that half of @checks found accessed, or more. @precision: of the pages
 * in such, how many are among the @npages from @first on; @recall: of these, how many
 * are in such. Both 0 if nothing is hot.
 */
void regions_accuracy(const struct kvm_ext_region *region, uint32_t nr, uint32_t checks,
		      uint64_t first, uint64_t npages, double *precision, double *recall);

/* From here on the hot part counts as found. */
static inline bool regions_found(double precision, double recall)
{
	return precision >= 0.7 && recall >= 0.7;
}

#endif /* AGGREGATION_H */
