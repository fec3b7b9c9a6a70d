// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Is what a pass finds exactly what the guest touched since the pass before?
 *
 * In each round the guest touches a random set of pages, reads and writes mixed,
 * and halts; then one pass runs. Recall and precision have to be 1, page by page
 * where leaves are of 4 KiB, block by block where they are of 2 MiB or the
 * granularity is.
 *
 * The halt between two rounds takes the guest off its CPU, and the emulated CPU
 * forgets its translations with that. So this shows nothing of stale ones; that
 * is t-flush.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define DATA_SIZE  (32ul << 20)
#define DATA_GFN   (VMM_DATA_GPA / VMM_PAGE)
#define DATA_PAGES (DATA_SIZE / VMM_PAGE)
#define BLOCK	   512u

struct setup {
	enum vmm_backing backing;
	uint32_t tracker;
	uint32_t granularity;
	bool sub_range; /* only a part of the memory, its ends inside blocks */
	int rounds;
};

static const char *const backing_name[] = { "4K pages", "THP", "hugetlb 2M pages" };
static const char *const tracker_name[] = { "off", "abit", "abit-flush" };

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static uint32_t list[DATA_PAGES];
static uint8_t want[KX_GFNS];

/* Sparse, dense and clustered sets, and now and then none and all. */
static uint32_t random_set(void)
{
	static const unsigned int per_mille[] = { 0, 1, 10, 100, 500, 900, 1000 };
	unsigned int share = per_mille[rand() % 7], cluster = rand() % 3 ? 1 : 1 + rand() % 700;
	uint32_t n = 0, i, j;

	for (i = 0; i < DATA_PAGES; i += cluster) {
		if ((unsigned int)rand() % 1000 >= share)
			continue;
		for (j = i; j < i + cluster && j < DATA_PAGES; j++)
			list[n++] = rand() % 2 ? vmm_read(DATA_GFN + j) : vmm_write(DATA_GFN + j);
	}
	return n;
}

/* Which pages the pass has to report, and through how many leaves. */
static uint64_t expect(const struct setup *setup, uint32_t n, uint64_t first, uint64_t end)
{
	bool whole = setup->backing != VMM_SMALL || setup->granularity == KVM_EXT_GRANULARITY_2M;
	uint64_t leaves = 0, gfn, i;

	memset(want, 0, sizeof(want));
	/* A leaf that the range cuts is reported whole. */
	if (whole) {
		first &= ~(uint64_t)(BLOCK - 1);
		end = (end + BLOCK - 1) & ~(uint64_t)(BLOCK - 1);
	}
	for (i = 0; i < n; i++) {
		gfn = list[i] / VMM_PAGE;
		if (gfn < first || gfn >= end)
			continue;
		if (whole)
			memset(&want[gfn & ~(uint64_t)(BLOCK - 1)], 1, BLOCK);
		else
			want[gfn] = 1;
	}
	for (gfn = first; gfn < end; gfn += whole ? BLOCK : 1)
		leaves += want[gfn];
	return leaves;
}

struct tally {
	int bad_rounds;
	uint64_t missed, wrong, twice, touched, leaves, odd_accounts;
};

static void compare(struct tally *t, uint64_t leaves, uint64_t first, uint64_t end)
{
	uint64_t missed = 0, wrong = 0, twice = 0, gfn;

	for (gfn = DATA_GFN; gfn < DATA_GFN + DATA_PAGES; gfn++) {
		missed += want[gfn] && !got.page[gfn];
		wrong += !want[gfn] && got.page[gfn];
		twice += got.page[gfn] > 1;
		t->touched += want[gfn];
	}
	t->leaves += leaves;
	t->missed += missed;
	t->wrong += wrong;
	t->twice += twice;
	if (got.sum.samples != got.samples || got.sum.sample_pages != got.pages ||
	    got.sum.pages_scanned < end - first || got.bad || got.begins != 1 || got.ends != 1 ||
	    got.sum.lost_samples || got.samples != leaves)
		t->odd_accounts++;
	t->bad_rounds += missed || wrong || twice;
}

static void run(const struct setup *setup)
{
	struct kvm_ext_tracker tracker = kx_tracker(setup->tracker);
	uint64_t first = DATA_GFN, end = DATA_GFN + DATA_PAGES;
	struct kvm_ext_stats stats;
	struct tally t = { 0 };
	char name[120];
	uint32_t n;
	int i;

	if (setup->sub_range) {
		first += 3 * BLOCK + 77;
		end -= 2 * BLOCK + 33;
	}
	snprintf(name, sizeof(name), "%s, %s, granularity %s%s", tracker_name[setup->tracker],
		 backing_name[setup->backing],
		 setup->granularity == KVM_EXT_GRANULARITY_2M ? "2M" : "4K",
		 setup->sub_range ? ", part of the memory" : "");
	tracker.granularity = setup->granularity;
	tracker.first_gfn = first;
	tracker.npages = end - first;
	kx_start(&kx, &tracker);
	for (i = 0; i < setup->rounds; i++) {
		n = random_set();
		vmm_touch(&vm, i % vm.nr_vcpus, list, n);
		kx_pass(&kx, &got);
		compare(&t, expect(setup, n, first, end), first, end);
	}
	ok(!t.bad_rounds, "%s: %d rounds, recall and precision 1.0 in each", name, setup->rounds);
	if (t.bad_rounds)
		note("%d bad rounds: %llu pages touched, %llu missed, %llu wrong, %llu twice",
		     t.bad_rounds, (unsigned long long)t.touched, (unsigned long long)t.missed,
		     (unsigned long long)t.wrong, (unsigned long long)t.twice);
	ok_eq(t.odd_accounts, 0, "%s: each pass's account agrees with its records", name);
	stats = kx_stats(kx.fd);
	/* kx_start() has had one counted pass before the rounds. */
	ok(stats.passes == (uint64_t)setup->rounds + 1 && stats.samples >= t.leaves &&
		   stats.samples - t.leaves <= DATA_PAGES && !stats.lost_samples,
	   "%s: the statistics agree with the passes", name);
	ok(stats.max_hold_ns > 0, "%s: longest stretch without a rescheduling point: %llu us", name,
	   (unsigned long long)stats.max_hold_ns / 1000);
}

static void run_backing(enum vmm_backing backing, const struct setup *setups, int n)
{
	void *memory = vmm_memory(DATA_SIZE, backing);
	struct kvm_ext_vm info;
	int i;

	if (!memory) {
		skip("the host has no such pages", "%s", backing_name[backing]);
		return;
	}
	if (vmm_map(&vm, 1, VMM_DATA_GPA, DATA_SIZE, memory, 0))
		bail("memslot");
	for (i = 0; i < (int)DATA_PAGES; i++)
		list[i] = vmm_write(DATA_GFN + i);
	vmm_touch(&vm, 0, list, DATA_PAGES);
	info = kx_vm(kx.fd);
	ok(backing == VMM_SMALL ? !info.mapped_2m : info.mapped_2m == DATA_SIZE / VMM_2M,
	   "%s: the guest's memory is mapped as intended (%llu 4K, %llu 2M leaves)",
	   backing_name[backing], (unsigned long long)info.mapped_4k,
	   (unsigned long long)info.mapped_2m);
	for (i = 0; i < n; i++) {
		if (setups[i].backing == backing)
			run(&setups[i]);
	}
	vmm_map(&vm, 1, VMM_DATA_GPA, 0, memory, 0);
	vmm_free(memory, DATA_SIZE);
}

int main(void)
{
	static const struct setup setups[] = {
		{ VMM_SMALL, KVM_EXT_TRACKER_ABIT, KVM_EXT_GRANULARITY_4K, false, 60 },
		{ VMM_SMALL, KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_4K, false, 60 },
		{ VMM_SMALL, KVM_EXT_TRACKER_ABIT, KVM_EXT_GRANULARITY_2M, false, 60 },
		{ VMM_SMALL, KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_4K, true, 50 },
		{ VMM_SMALL, KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_2M, true, 50 },
		{ VMM_THP, KVM_EXT_TRACKER_ABIT, KVM_EXT_GRANULARITY_4K, false, 60 },
		{ VMM_THP, KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_4K, false, 60 },
		{ VMM_THP, KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_2M, false, 50 },
		{ VMM_THP, KVM_EXT_TRACKER_ABIT, KVM_EXT_GRANULARITY_4K, true, 50 },
		{ VMM_HUGETLB, KVM_EXT_TRACKER_ABIT, KVM_EXT_GRANULARITY_4K, false, 50 },
		{ VMM_HUGETLB, KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_4K, false, 50 },
	};
	int backing;

	srand(1);
	vmm_create(&vm, 2, -1);
	kx_attach(&kx, vm.fd, 0);
	kx_samples_init(&got);
	for (backing = VMM_SMALL; backing <= VMM_HUGETLB; backing++)
		run_backing(backing, setups, sizeof(setups) / sizeof(setups[0]));
	kx_samples_free(&got);
	kx_close(&kx);
	vmm_destroy(&vm);
	return tap_end();
}
