/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does a pass of a tracker of A bits find exactly the pages that the guest has accessed since the
 * pass before?
 *
 * In each round the guest accesses a random set of pages, by reads and writes, and halts; then one
 * pass runs. Recall and precision have to be 1: by page if leaves have 4 KiB, by leaf if leaves are
 * larger, by block with granularity 2M. The account of each pass has to agree with its records.
 *
 * What this cannot show: accesses through stale translations. When the guest halts, it leaves its
 * CPU, and the emulated CPU drops its translations.
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
	bool sub_range;	      /* a part of the memory, which begins and ends in blocks */
	int rounds;
	uint32_t flags; /* KVM_EXT_SET_* */
	uint32_t flush_scope;
};

/* Runs all setups in a new VM, one backing after the other. Each result begins with @name. */
void exact_run(const char *name, const struct vmm_config *config, int nr_vcpus,
	       const struct exact_setup *setups, int n);

#endif /* EXACT_H */
