/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the dirty log share: guest memory, random sets of its pages that the guest
 * writes, and the comparison of the written pages with the reported ones.
 *
 * KVM maps a page writable at the first access, and in a memslot with a log KVM then marks the page
 * dirty, also if the access was a read. So "a page that is only read is not reported" is true only
 * of pages that are mapped already. After pages were unmapped (a log was switched off over 2M
 * pages, a memslot was deleted), a test calls dirty_settle().
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
#define DIRTY_MIN   8u	  /* pages of a random set, at least */
#define DIRTY_MAX   4000u /* at most */

/* A set of pages of the guest memory. */
struct dirty_set {
	uint8_t written[DIRTY_PAGES]; /* 1: the page is in the set; index 0: the first page */
	uint32_t n;
	/* What the guest does: writes of the set's pages, mixed with reads of other pages. */
	uint32_t list[DIRTY_PAGES];
	uint32_t count;
};

/* The same random numbers in each run; KX_SEED=N sets another seed. Prints the seed. */
void dirty_seed(void);
uint32_t dirty_random(uint32_t below);

void dirty_clear(struct dirty_set *set);
/* Chooses @n random pages to write, and half as many other pages to read. */
void dirty_pick(struct dirty_set *set, uint32_t n);
/* A random size of a set, from DIRTY_MIN to DIRTY_MAX. Small sizes are more frequent. */
uint32_t dirty_size(void);

/* Removes the reads from the list. */
void dirty_drop_reads(struct dirty_set *set);

/* The guest goes through the list; all vCPUs at the same time, each with a part of the list. */
void dirty_touch(struct vmm *vm, const struct dirty_set *set);
void dirty_touch_all(struct vmm *vm);

/* Makes the guest write all pages, so that they are mapped, and runs a pass for these writes. */
void dirty_settle(struct vmm *vm, struct kx *kx, struct kx_samples *got);

struct dirty_diff {
	uint64_t missed, extra, twice;
};

struct dirty_diff dirty_compare(const struct dirty_set *set, const struct kx_samples *got);
bool dirty_same(const struct dirty_diff *diff);

/* One round: the guest touches a random set, a pass runs, the pages are compared. */
struct dirty_diff dirty_round(struct vmm *vm, struct kx *kx, struct kx_samples *got,
			      struct dirty_set *set);
/* Is the pass in @got complete and counted, and does its account agree with its records? */
bool dirty_account_agrees(const struct kx_samples *got);

/* Sets memslot DIRTY_SLOT with the guest memory, and deletes the memslot. */
void dirty_map(struct vmm *vm, void *memory, uint32_t flags);
void dirty_unmap(struct vmm *vm);

/* Prints the mechanism; if KX_EXPECT_MECHANISM is set, asserts that the mechanism is this one. */
void dirty_check_mechanism(uint32_t mechanism);
const char *dirty_mechanism_name(uint32_t mechanism);

extern const char *const dirty_log_name[];     /* by enum vmm_log */
extern const char *const dirty_backing_name[]; /* by enum vmm_backing */

#endif /* DIRTY_H */
