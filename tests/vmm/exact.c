// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exact.h"
#include "tap.h"

#define BLOCK (VMM_2M / VMM_PAGE)
#define GIB   (1ul << 30)

/* Where the memory is, and of how many pages each leaf is. */
static const struct place {
	const char *name;
	uint64_t gpa, size;
	uint64_t leaf;
} places[] = {
	[VMM_SMALL] = { "4K pages", VMM_DATA_GPA, 32ul << 20, 1 },
	[VMM_THP] = { "THP", VMM_DATA_GPA, 32ul << 20, BLOCK },
	[VMM_HUGETLB] = { "hugetlb 2M pages", VMM_DATA_GPA, 32ul << 20, BLOCK },
	[VMM_HUGETLB_1G] = { "hugetlb 1G pages", GIB, GIB, GIB / VMM_PAGE },
};

static const char *const tracker_name[] = {
	[KVM_EXT_TRACKER_ABIT] = "abit",
	[KVM_EXT_TRACKER_ABIT_FLUSH] = "abit-flush",
	[KVM_EXT_TRACKER_EPT_WALK] = "ept-walk",
};

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static const char *vm_name;
static const struct place *place;
static uint64_t first_gfn, end_gfn; /* of the memory */
static uint32_t list[VMM_LIST_MAX];
static uint8_t want[KX_GFNS];

/* A sparse, dense or clustered set; sometimes no page or all pages. */
static uint32_t random_set(void)
{
	static const unsigned int per_mille[] = { 0, 1, 10, 100, 500, 900, 1000 };
	unsigned int share = per_mille[rand() % 7], cluster = rand() % 3 ? 1 : 1 + rand() % 700;
	uint32_t n = 0;
	uint64_t i, j;

	for (i = first_gfn; i < end_gfn; i += cluster) {
		if ((unsigned int)rand() % 1000 >= share)
			continue;
		for (j = i; j < i + cluster && j < end_gfn; j++)
			list[n++] = rand() % 2 ? vmm_read(j) : vmm_write(j);
	}
	return n;
}

/* The number of pages that a pass tests and reports as one. */
static uint64_t unit(const struct exact_setup *setup)
{
	bool blocks = setup->granularity == KVM_EXT_GRANULARITY_2M;

	return blocks && place->leaf < BLOCK ? BLOCK : place->leaf;
}

/* Determines which pages the pass has to report, and through how many leaves. */
static uint64_t expect(const struct exact_setup *setup, uint32_t n, uint64_t first, uint64_t end)
{
	uint64_t whole = unit(setup), leaves = 0, gfn;
	uint32_t i;

	memset(want + first_gfn, 0, end_gfn - first_gfn);
	/* A leaf that the range cuts is reported whole. */
	first -= first % whole;
	end += (whole - end % whole) % whole;
	for (i = 0; i < n; i++) {
		gfn = vmm_entry_gfn(list[i]);
		if (gfn >= first && gfn < end && !want[gfn])
			memset(&want[gfn - gfn % whole], 1, whole);
	}
	for (gfn = first; gfn < end; gfn += whole)
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

	for (gfn = first_gfn; gfn < end_gfn; gfn++) {
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

static void describe(char *name, size_t size, const struct exact_setup *setup)
{
	snprintf(name, size, "%s%s, %s, granularity %s%s%s%s", vm_name,
		 tracker_name[setup->tracker], place->name,
		 setup->granularity == KVM_EXT_GRANULARITY_2M ? "2M" : "4K",
		 setup->sub_range ? ", part of the memory" : "",
		 setup->flags & KVM_EXT_SET_NO_SKIP ? ", reading all tables" : "",
		 setup->flush_scope == KVM_EXT_FLUSH_NONE ? ", no flush" : "");
}

static void run(const struct exact_setup *setup)
{
	struct kvm_ext_tracker tracker = kx_tracker(setup->tracker);
	uint64_t first = first_gfn, end = end_gfn;
	struct kvm_ext_stats stats;
	struct tally t = { 0 };
	char name[160];
	uint32_t n;
	int i;

	if (setup->sub_range) {
		first += 3 * BLOCK + 77;
		end -= 2 * BLOCK + 33;
	}
	describe(name, sizeof(name), setup);
	tracker.flags = setup->flags;
	tracker.flush_scope = setup->flush_scope;
	tracker.granularity = setup->granularity;
	tracker.first_gfn = first;
	tracker.npages = end - first;
	kx_start(&kx, &tracker);
	for (i = 0; i < setup->rounds; i++) {
		n = random_set();
		vmm_touch_shared(&vm, list, n);
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
		   stats.samples - t.leaves <= end_gfn - first_gfn && !stats.lost_samples,
	   "%s: the statistics agree with the passes", name);
	ok(stats.max_hold_ns > 0, "%s: longest stretch without a rescheduling point: %llu us", name,
	   (unsigned long long)stats.max_hold_ns / 1000);
}

/* Makes the guest access all memory, and checks that leaves of the intended size map it. */
static void map_all(void)
{
	struct kvm_ext_vm info;
	uint64_t leaves, gfn;
	uint32_t n = 0;

	for (gfn = first_gfn; gfn < end_gfn; gfn++)
		list[n++] = vmm_write(gfn);
	vmm_touch(&vm, 0, list, n);
	info = kx_vm(kx.fd);
	leaves = place->leaf == 1 ? 0 : place->leaf == BLOCK ? info.mapped_2m : info.mapped_1g;
	ok(leaves == (place->leaf == 1 ? 0 : (end_gfn - first_gfn) / place->leaf) &&
		   (place->leaf != 1 || !info.mapped_2m),
	   "%s%s: the memory is mapped as intended (%llu 4K, %llu 2M, %llu 1G leaves)", vm_name,
	   place->name, (unsigned long long)info.mapped_4k, (unsigned long long)info.mapped_2m,
	   (unsigned long long)info.mapped_1g);
}

static void run_backing(enum vmm_backing backing, const struct exact_setup *setups, int n)
{
	void *memory;
	int i;

	place = &places[backing];
	first_gfn = place->gpa / VMM_PAGE;
	end_gfn = first_gfn + place->size / VMM_PAGE;
	memory = vmm_memory(place->size, backing);
	if (!memory) {
		skip("the host has no such pages", "%s%s", vm_name, place->name);
		return;
	}
	if (vmm_map(&vm, 1, place->gpa, place->size, memory, 0))
		bail("memslot");
	map_all();
	for (i = 0; i < n; i++) {
		if (setups[i].backing == backing)
			run(&setups[i]);
	}
	vmm_map(&vm, 1, place->gpa, 0, memory, 0);
	vmm_free(memory, place->size);
}

static bool wanted(enum vmm_backing backing, const struct exact_setup *setups, int n)
{
	while (n-- > 0) {
		if (setups[n].backing == backing)
			return true;
	}
	return false;
}

void exact_run(const char *name, const struct vmm_config *config, int nr_vcpus,
	       const struct exact_setup *setups, int n)
{
	int backing;

	vm_name = name;
	vmm_create_as(&vm, config, nr_vcpus, -1);
	kx_attach(&kx, vm.fd, 0);
	kx_samples_init(&got);
	for (backing = VMM_SMALL; backing <= VMM_HUGETLB_1G; backing++) {
		if (wanted(backing, setups, n))
			run_backing(backing, setups, n);
	}
	kx_samples_free(&got);
	kx_close(&kx);
	vmm_destroy(&vm);
}
