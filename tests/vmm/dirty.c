// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirty.h"
#include "tap.h"

const char *const dirty_log_name[] = {
	[VMM_LOG_PLAIN] = "plain",
	[VMM_LOG_MANUAL] = "manual",
	[VMM_LOG_ALL_SET] = "all-set",
	[VMM_LOG_RING] = "ring",
};

const char *const dirty_backing_name[] = {
	[VMM_SMALL] = "4K pages",
	[VMM_THP] = "THP",
	[VMM_HUGETLB] = "hugetlb 2M pages",
};

/* --- random sets ---------------------------------------------------------- */

static uint64_t state;

void dirty_seed(void)
{
	const char *seed = getenv("KX_SEED");

	/* If the host crashes, the last line shows where. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	state = seed ? strtoull(seed, NULL, 0) : 20260;
	note("seed %llu", (unsigned long long)state);
	/* Seeds that follow each other must not lead to similar numbers. */
	state = (state + 1) * 0x9e3779b97f4a7c15ull;
}

uint32_t dirty_random(uint32_t below)
{
	/* xorshift64* */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull >> 32) % below);
}

static uint32_t one_size(void)
{
	uint32_t power = DIRTY_MIN << dirty_random(9), n = power + dirty_random(power);

	return n < DIRTY_MAX ? n : DIRTY_MAX;
}

/* The smaller of two sizes: if the CPU does not log writes, each page costs a fault. */
uint32_t dirty_size(void)
{
	uint32_t a = one_size(), b = one_size();

	return a < b ? a : b;
}

void dirty_clear(struct dirty_set *set)
{
	memset(set->written, 0, sizeof(set->written));
	set->n = 0;
	set->count = 0;
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t c = *a;

	*a = *b;
	*b = c;
}

void dirty_pick(struct dirty_set *set, uint32_t n)
{
	static uint32_t page[DIRTY_PAGES];
	uint32_t reads = n / 2, i;

	if (n + reads > DIRTY_PAGES)
		reads = DIRTY_PAGES - n;
	dirty_clear(set);
	for (i = 0; i < DIRTY_PAGES; i++)
		page[i] = i;
	/* The first steps of a shuffle choose the pages. */
	for (i = 0; i < n + reads; i++) {
		swap(&page[i], &page[i + dirty_random(DIRTY_PAGES - i)]);
		if (i < n)
			set->written[page[i]] = 1;
		set->list[i] =
			i < n ? vmm_write(DIRTY_GFN + page[i]) : vmm_read(DIRTY_GFN + page[i]);
	}
	for (i = n; i < n + reads; i++)
		swap(&set->list[i], &set->list[dirty_random(i + 1)]);
	set->n = n;
	set->count = n + reads;
}

void dirty_drop_reads(struct dirty_set *set)
{
	uint32_t n = 0, i;

	for (i = 0; i < set->count; i++) {
		if (vmm_entry_access(set->list[i]) == VMM_WRITE)
			set->list[n++] = set->list[i];
	}
	set->count = n;
}

/* --- the guest ------------------------------------------------------------ */

void dirty_touch(struct vmm *vm, const struct dirty_set *set)
{
	vmm_touch_shared(vm, set->list, set->count);
}

void dirty_touch_all(struct vmm *vm)
{
	static uint32_t all[DIRTY_PAGES];
	uint32_t i;

	for (i = 0; i < DIRTY_PAGES; i++)
		all[i] = vmm_write(DIRTY_GFN + i);
	vmm_touch_shared(vm, all, DIRTY_PAGES);
}

void dirty_map(struct vmm *vm, void *memory, uint32_t flags)
{
	if (vmm_map(vm, DIRTY_SLOT, VMM_DATA_GPA, DIRTY_SIZE, memory, flags))
		bail("memslot");
}

void dirty_unmap(struct vmm *vm)
{
	if (vmm_map(vm, DIRTY_SLOT, VMM_DATA_GPA, 0, NULL, 0))
		bail("memslot");
}

void dirty_settle(struct vmm *vm, struct kx *kx, struct kx_samples *got)
{
	dirty_touch_all(vm);
	kx_pass(kx, got);
}

/* --- what was found ------------------------------------------------------- */

struct dirty_diff dirty_compare(const struct dirty_set *set, const struct kx_samples *got)
{
	struct dirty_diff diff = { 0 };
	uint32_t i;

	for (i = 0; i < DIRTY_PAGES; i++) {
		uint8_t times = got->page[DIRTY_GFN + i];

		diff.missed += set->written[i] && !times;
		diff.extra += !set->written[i] && times;
		diff.twice += times > 1;
	}
	return diff;
}

bool dirty_same(const struct dirty_diff *diff)
{
	return !diff->missed && !diff->extra && !diff->twice;
}

struct dirty_diff dirty_round(struct vmm *vm, struct kx *kx, struct kx_samples *got,
			      struct dirty_set *set)
{
	dirty_pick(set, dirty_size());
	dirty_touch(vm, set);
	kx_pass(kx, got);
	return dirty_compare(set, got);
}

bool dirty_account_agrees(const struct kx_samples *got)
{
	return got->begins == 1 && got->ends == 1 && !got->cuts && !got->yields && !got->primes &&
	       !got->bad && !got->losts && got->sum.samples == got->samples &&
	       got->sum.sample_pages == got->pages && got->samples == got->pages &&
	       got->by_order[0] == got->samples;
}

/* --- the mechanism -------------------------------------------------------- */

const char *dirty_mechanism_name(uint32_t mechanism)
{
	switch (mechanism) {
	case KVM_EXT_LOG_WRITE_PROTECT:
		return "write-protect";
	case KVM_EXT_LOG_PML:
		return "pml";
	default:
		return "unknown";
	}
}

void dirty_check_mechanism(uint32_t mechanism)
{
	const char *want = getenv("KX_EXPECT_MECHANISM"), *name = dirty_mechanism_name(mechanism);

	note("mechanism: %s", name);
	if (want)
		ok(!strcmp(name, want), "the module says how KVM logs: %s, expected %s", name,
		   want);
	else
		skip("KX_EXPECT_MECHANISM is not set", "the module says how KVM logs");
}
