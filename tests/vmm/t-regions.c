// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Region sampling: is the hot part of a VM's memory found soon, by a bounded number of checks? Do
 * the regions always cover all of the memory and nothing else? Are the results exact if each region
 * is a page?
 *
 * Before each pass the guest accesses its hot part once and halts. So each check of a hot page
 * finds an access, and no check of another page does. The results depend only on the borders of the
 * regions.
 *
 * What it cannot show: how well sampling distinguishes access rates that are nearly equal (see the
 * workloads of the benchmarks).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregation.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DATA_GFN     (VMM_DATA_GPA / VMM_PAGE)

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static uint32_t list[VMM_LIST_MAX];

static const struct way {
	const char *name;
	uint32_t tracker;
} ways[] = {
	{ "abit", KVM_EXT_TRACKER_ABIT },
	{ "abit-flush", KVM_EXT_TRACKER_ABIT_FLUSH },
	{ "ept-walk", KVM_EXT_TRACKER_EPT_WALK },
};

static struct regions snap;

static struct kvm_ext_tracker tracker(uint32_t id, uint32_t min, uint32_t max, uint32_t passes)
{
	struct kvm_ext_tracker t = kx_tracker(id);

	t.regions_min = min;
	t.regions_max = max;
	t.aggregation_passes = passes;
	return t;
}

/* Other than kx_start(), this runs no counted pass. */
static void start(const struct kvm_ext_tracker *t)
{
	kx_discard(&kx);
	memset(&snap, 0, sizeof(snap));
	if (kx_set(kx.fd, t))
		bail("SET_TRACKER");
	do {
		kx_samples_clear(&got);
		kx_read(&kx, &got);
	} while (!got.primes);
}

struct stretch {
	uint64_t gfn, npages;
};

/* Do the regions of the last aggregation cover these stretches, and nothing else? */
static bool covers(const struct stretch *s, uint32_t nr)
{
	const struct kvm_ext_region *r = snap.region, *end = r + snap.total;
	uint64_t gfn;

	for (; nr--; s++) {
		for (gfn = s->gfn; gfn < s->gfn + s->npages; gfn += r++->npages) {
			if (r == end || r->as_id || r->gfn != gfn || !r->npages ||
			    r->npages > s->gfn + s->npages - gfn)
				return false;
		}
	}
	return r == end;
}

/* --- the hot part ---------------------------------------------------------------- */

#define AREA_SIZE    (256ul << 20)
#define AREA_PAGES   (AREA_SIZE / VMM_PAGE)
#define HOT_FIRST    (150ul << 8) /* number of the first hot page */
#define HOT_PAGES    (16ul << 8)
#define AGGREGATIONS 10
#define HOT_PASSES   10
#define HOT_MIN	     10u
#define HOT_MAX	     100u

static void accuracy(double *precision, double *recall)
{
	regions_accuracy(snap.region, snap.total, snap.checks, DATA_GFN + HOT_FIRST, HOT_PAGES,
			 precision, recall);
}

static uint32_t hot_list(void)
{
	uint32_t i;

	for (i = 0; i < HOT_PAGES; i++)
		list[i] = vmm_read(DATA_GFN + HOT_FIRST + i);
	return HOT_PAGES;
}

static void hot_spot(const struct way *way)
{
	struct kvm_ext_tracker t = tracker(way->tracker, HOT_MIN, HOT_MAX, HOT_PASSES);
	const struct stretch all = { DATA_GFN, AREA_PAGES };
	double precision = 0, recall = 0;
	uint64_t most_tested = 0, odd = 0, uncovered = 0, counted = 0, few = ~0ull, many = 0;
	struct kvm_ext_stats s;
	uint32_t n = hot_list();
	int found_at = 0, i, j;

	t.first_gfn = DATA_GFN;
	t.npages = AREA_PAGES;
	start(&t);
	for (i = 1; i <= AGGREGATIONS; i++) {
		for (j = 0; j < HOT_PASSES; j++) {
			vmm_touch(&vm, 0, list, n);
			kx_pass(&kx, &got);
			odd += got.bad || got.ends != 1 || got.samples || got.cuts;
			counted += got.sum.samples;
			if (got.sum.leaves_tested > most_tested)
				most_tested = got.sum.leaves_tested;
		}
		odd += snap.seen != (uint64_t)i || snap.checks != HOT_PASSES || snap.bad;
		uncovered += !covers(&all, 1);
		few = snap.total < few ? snap.total : few;
		many = snap.total > many ? snap.total : many;
		accuracy(&precision, &recall);
		if (!found_at && regions_found(precision, recall))
			found_at = i;
	}
	s = kx_stats(kx.fd);
	note("%s: 16 MiB hot of 256: found after %d aggregations; at the end precision %.2f, "
	     "recall "
	     "%.2f, %llu regions, %llu splits, %llu merges",
	     way->name, found_at, precision, recall, (unsigned long long)s.regions.regions,
	     (unsigned long long)s.regions.splits, (unsigned long long)s.regions.merges);
	ok(found_at > 0, "%s: the hot part is found within %d aggregations", way->name,
	   AGGREGATIONS);
	ok_eq(odd, 0, "%s: an aggregation each %d passes, records in order", way->name, HOT_PASSES);
	ok_eq(uncovered, 0, "%s: the regions cover the range and nothing else", way->name);
	ok(few >= HOT_MIN && many <= HOT_MAX && s.regions.regions >= HOT_MIN &&
		   s.regions.regions <= HOT_MAX,
	   "%s: between %u and %u regions are allowed, there were %llu to %llu", way->name, HOT_MIN,
	   HOT_MAX, (unsigned long long)few, (unsigned long long)many);
	ok(most_tested <= HOT_MAX && s.regions.max_checks <= HOT_MAX &&
		   s.regions.max_checks >= HOT_MIN && s.regions.checks <= HOT_MAX * s.passes,
	   "%s: no pass made more than %u checks (at most %llu)", way->name, HOT_MAX,
	   (unsigned long long)s.regions.max_checks);
	ok(s.samples == snap.accesses && s.samples == counted &&
		   s.regions.aggregations == AGGREGATIONS,
	   "%s: statistics, accounts and regions agree on the samples (%llu)", way->name,
	   (unsigned long long)s.samples);
}

/* A guest that runs during passes. */
static void running_guest(const struct way *way)
{
	struct kvm_ext_tracker t = tracker(way->tracker, HOT_MIN, HOT_MAX, HOT_PASSES);
	double precision = 0, recall = 0;
	uint32_t n = hot_list();
	int i;

	t.first_gfn = DATA_GFN;
	t.npages = AREA_PAGES;
	vmm_loop(&vm, 0, list, n);
	start(&t);
	for (i = 0; i < AGGREGATIONS * HOT_PASSES; i++) {
		vmm_wait_iters(&vm, 0, 1);
		kx_pass(&kx, &got);
		accuracy(&precision, &recall);
		if (regions_found(precision, recall))
			break;
	}
	vmm_halt(&vm, 0);
	ok(i < AGGREGATIONS * HOT_PASSES,
	   "%s: the hot part of a running guest is found (precision %.2f, recall %.2f, %d passes)",
	   way->name, precision, recall, i);
}

static void *map_area(void)
{
	void *memory = vmm_fresh_memory(AREA_SIZE, VMM_SMALL);
	uint32_t i;

	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, AREA_SIZE, memory, 0))
		bail("guest memory");
	for (i = 0; i < AREA_PAGES; i++)
		list[i] = vmm_read(DATA_GFN + i);
	vmm_touch(&vm, 0, list, AREA_PAGES);
	return memory;
}

static void hot_spots(void)
{
	void *memory = map_area();
	size_t i;

	for (i = 0; i < COUNT(ways); i++) {
		hot_spot(&ways[i]);
		if (ways[i].tracker != KVM_EXT_TRACKER_ABIT)
			running_guest(&ways[i]);
	}
	vmm_map(&vm, 1, VMM_DATA_GPA, 0, memory, 0);
	vmm_free(memory, AREA_SIZE);
}

/* --- holes, and changes of memslots ------------------------------------------------- */

#define SLOT_SIZE   (16ul << 20)
#define SLOT_PAGES  (SLOT_SIZE / VMM_PAGE)
#define SECOND_GPA  (256ul << 20)
#define SECOND_GFN  (SECOND_GPA / VMM_PAGE)
#define THIRD_GPA   (512ul << 20)
#define THIRD_GFN   (THIRD_GPA / VMM_PAGE)
#define SLOT_PASSES 4

static void aggregation(void)
{
	uint64_t seen = snap.seen, limit = 2 * SLOT_PASSES;

	/* Waits for two: the current aggregation began before the change, the next one did not. */
	while (snap.seen < seen + 2 && limit--) {
		vmm_touch(&vm, 0, list, SLOT_PAGES);
		kx_pass(&kx, &got);
	}
}

static void holes(const struct way *way)
{
	static const struct stretch low = { 0, VMM_LOW_SIZE / VMM_PAGE };
	struct kvm_ext_tracker t = tracker(way->tracker, 10, 50, SLOT_PASSES);
	struct stretch s[3] = { low, { DATA_GFN, SLOT_PAGES }, { SECOND_GFN, SLOT_PAGES } };
	void *first = vmm_memory(SLOT_SIZE, VMM_SMALL), *second = vmm_memory(SLOT_SIZE, VMM_THP);
	uint32_t i;

	if (!first || !second || vmm_map(&vm, 1, VMM_DATA_GPA, SLOT_SIZE, first, 0) ||
	    vmm_map(&vm, 2, SECOND_GPA, SLOT_SIZE, second, 0))
		bail("guest memory");
	for (i = 0; i < SLOT_PAGES; i++)
		list[i] = vmm_write(DATA_GFN + i);
	start(&t);
	aggregation();
	ok(covers(s, 3), "%s: the regions cover all memory, and no hole", way->name);
	vmm_map(&vm, 2, SECOND_GPA, 0, second, 0);
	aggregation();
	ok(covers(s, 2), "%s: the regions do not cover a deleted memslot", way->name);
	s[2] = (struct stretch){ THIRD_GFN, SLOT_PAGES };
	vmm_map(&vm, 2, THIRD_GPA, SLOT_SIZE, second, 0);
	aggregation();
	ok(covers(s, 3), "%s: the regions cover a new memslot", way->name);
	t.first_gfn = DATA_GFN + 77;
	t.npages = THIRD_GFN + 99 - t.first_gfn;
	start(&t);
	aggregation();
	s[1] = (struct stretch){ DATA_GFN + 77, SLOT_PAGES - 77 };
	s[2].npages = 99;
	ok(covers(s + 1, 2), "%s: the regions cover only the range of the setting", way->name);
	ok(!snap.bad && !got.bad, "%s: the records were always in order", way->name);

	t.regions_min = t.regions_max = 1;
	ok_errno(kx_set(kx.fd, &t), E2BIG, "%s: one region for two stretches is refused",
		 way->name);
	t.regions_max = 2;
	ok_eq(kx_set(kx.fd, &t), 0, "%s: two regions for two stretches are accepted", way->name);
	vmm_map(&vm, 1, VMM_DATA_GPA, 0, first, 0);
	vmm_map(&vm, 2, THIRD_GPA, 0, second, 0);
	vmm_free(first, SLOT_SIZE);
	vmm_free(second, SLOT_SIZE);
}

/* --- a region for each page ----------------------------------------------------------- */

#define FEW	   300u
#define FEW_PASSES 5

static void pages(const struct way *way)
{
	struct kvm_ext_tracker t = tracker(way->tracker, FEW, FEW, FEW_PASSES);
	void *memory = vmm_memory(VMM_2M, VMM_SMALL);
	uint64_t wrong = 0, misplaced = 0;
	uint32_t touched[FEW], n, i;
	int round, pass;

	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, VMM_2M, memory, 0))
		bail("guest memory");
	t.first_gfn = DATA_GFN;
	t.npages = FEW;
	for (i = 0; i < FEW; i++)
		list[i] = vmm_write(DATA_GFN + i);
	vmm_touch(&vm, 0, list, FEW);
	start(&t);
	for (round = 0; round < 20; round++) {
		memset(touched, 0, sizeof(touched));
		for (pass = 0; pass < FEW_PASSES; pass++) {
			for (i = 0, n = 0; i < FEW; i++) {
				if (rand() % 3)
					continue;
				list[n++] = rand() % 2 ? vmm_read(DATA_GFN + i)
						       : vmm_write(DATA_GFN + i);
				touched[i]++;
			}
			vmm_touch(&vm, 0, list, n);
			kx_pass(&kx, &got);
			misplaced += got.sum.samples != n || got.sum.leaves_tested != FEW;
		}
		misplaced += snap.seen != (uint64_t)round + 1 || snap.total != FEW;
		for (i = 0; i < snap.total && i < FEW; i++) {
			misplaced +=
				snap.region[i].gfn != DATA_GFN + i || snap.region[i].npages != 1;
			wrong += snap.region[i].accesses != touched[i];
		}
	}
	ok_eq(misplaced, 0,
	      "%s: with as many regions as pages, each region is a page in every pass", way->name);
	ok_eq(wrong, 0, "%s: the accesses of each page are counted exactly in 20 aggregations",
	      way->name);
	vmm_map(&vm, 1, VMM_DATA_GPA, 0, memory, 0);
	vmm_free(memory, VMM_2M);
}

int main(void)
{
	size_t i;

	srand(4);
	vmm_create(&vm, 1, -1);
	kx_attach(&kx, vm.fd, 0);
	kx_samples_init(&got);
	kx.hook = regions_see;
	kx.hook_arg = &snap;
	hot_spots();
	for (i = 0; i < COUNT(ways); i++) {
		holes(&ways[i]);
		pages(&ways[i]);
	}
	kx_samples_free(&got);
	kx_close(&kx);
	vmm_destroy(&vm);
	return tap_end();
}
