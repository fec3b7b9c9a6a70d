/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is what a pass finds exactly what the guest touched since the pass before? For
 * any tracker of A bits.
 *
 * In each round the guest touches a random set of pages, reads and writes mixed,
 * and halts; then one pass runs. Recall and precision have to be 1, page by page
 * where leaves are of 4 KiB, leaf by leaf where they are larger, block by block
 * where the granularity is. Each pass's account has to agree with its records.
 *
 * The halt between two rounds takes the guest off its CPU, and the emulated CPU
 * forgets its translations with that. So this shows nothing of stale ones.
 */
#ifndef EXACT_H
#define EXACT_H

#include <stdbool.h>
#include <stdint.h>

#include "kx.h"
#include "vmm.h"

struct exact_setup {
	enum vmm_backing backing;
	uint32_t tracker;
	uint32_t granularity; /* KVM_EXT_GRANULARITY_* */
	bool sub_range;	      /* only a part of the memory, its ends inside blocks */
	int rounds;
	uint32_t flags; /* KVM_EXT_SET_* */
	uint32_t flush_scope;
};

/* Runs all setups, one backing after the other, in a new VM. @name goes before each result. */
void exact_run(const char *name, const struct vmm_config *config, int nr_vcpus,
	       const struct exact_setup *setups, int n);

#endif /* EXACT_H */
