/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the dirty log share: guest memory to be written, random sets
 * of its pages, and the comparison of what was written with what was reported.
 *
 * KVM maps memory writable when it is first accessed, and what it maps writable
 * in a memslot with a log it marks dirty, though the access was a read. So "only
 * read, not reported" holds for pages that are mapped; after whatever unmapped
 * them (a log switched off over 2M pages, a memslot that went) comes
 * dirty_settle().
 */
#ifndef DIRTY_H
#define DIRTY_H

#include <stdbool.h>
#include <stdint.h>

#include "kx.h"
#include "vmm.h"

#define DIRTY_SLOT  1u
#define DIRTY_SIZE  (18ul << 20)
#define DIRTY_PAGES ((uint32_t)(DIRTY_SIZE / VMM_PAGE))
#define DIRTY_GFN   (VMM_DATA_GPA / VMM_PAGE)
#define DIRTY_WORDS (DIRTY_PAGES / 64)
#define DIRTY_MIN   8u /* pages of a random set */
#define DIRTY_MAX   4000u

/* Pages of the guest memory, by their number in it. */
struct dirty_set {
	uint8_t written[DIRTY_PAGES];
	uint32_t n;
	uint32_t list
		[DIRTY_PAGES]; /* of the guest: the writes, and reads of other pages between them */
	uint32_t count;
};

/* The same numbers in each run, from a seed that is printed; KX_SEED=N sets another. */
void dirty_seed(void);
uint32_t dirty_random(uint32_t below);

void dirty_clear(struct dirty_set *set);
/* @n pages to write in random order, and half as many reads of pages that are not written. */
void dirty_pick(struct dirty_set *set, uint32_t n);
/* DIRTY_MIN to DIRTY_MAX, small sets rather than large ones. */
uint32_t dirty_size(void);

/* The writes alone. */
void dirty_drop_reads(struct dirty_set *set);

/* Has the guest go through the list, all vCPUs at a time, each with its share. */
void dirty_touch(struct vmm *vm, const struct dirty_set *set);
void dirty_touch_all(struct vmm *vm);

/* Has all pages mapped, by writes, and a pass take these. */
void dirty_settle(struct vmm *vm, struct kx *kx, struct kx_samples *got);

struct dirty_diff {
	uint64_t missed, extra, twice;
};

struct dirty_diff dirty_compare(const struct dirty_set *set, const struct kx_samples *got);
bool dirty_same(const struct dirty_diff *diff);

/* Does one round, all in one: random pages, a pass, the comparison, the pass's own account. */
struct dirty_diff dirty_round(struct vmm *vm, struct kx *kx, struct kx_samples *got,
			      struct dirty_set *set);
/* Is the pass in @got whole, counted, and do its figures agree with its records? */
bool dirty_account_agrees(const struct kx_samples *got);

/* The guest memory in memslot DIRTY_SLOT. */
void dirty_map(struct vmm *vm, void *memory, uint32_t flags);
void dirty_unmap(struct vmm *vm);

/* KX_EXPECT_MECHANISM, if set, makes what the module says an assertion. Prints it in any case. */
void dirty_check_mechanism(uint32_t mechanism);
const char *dirty_mechanism_name(uint32_t mechanism);

extern const char *const dirty_log_name[];     /* by enum vmm_log */
extern const char *const dirty_backing_name[]; /* by enum vmm_backing */

#endif /* DIRTY_H */
