// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a pass costs per page: abit against abit-flush by its three scopes, for
 * leaves of 4 KiB and of 2 MiB, for VMs of 64 MiB to 2 GiB, all of it touched
 * before each pass.
 *
 * In a round each tracker in turn has one pass, so that what else happens on the
 * machine hits all alike; the figure is the median over rounds. While a pass
 * runs the vCPU is in guest mode, so a flush has somebody to interrupt.
 *
 * What it cannot show: nanoseconds of real hardware. On an emulated host only
 * the ratios between figures of one run mean anything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define DATA_GFN     (VMM_DATA_GPA / VMM_PAGE)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROUNDS	     5

/* The guest has one CPU, the passes the other: else a flush would find the vCPU waiting for the pass. */
#define GUEST_CPU 1
#define OUR_CPU	  0
#define MIB	  (1ull << 20)

static const struct way {
	const char *name;
	uint32_t tracker, scope;
	uint64_t max_leaves; /* more take too long */
} ways[] = {
	{ "abit", KVM_EXT_TRACKER_ABIT, KVM_EXT_FLUSH_DEFAULT, ~0ull },
	{ "flush/pass", KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_FLUSH_PASS, ~0ull },
	{ "flush/batch", KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_FLUSH_BATCH, ~0ull },
	{ "flush/page", KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_FLUSH_PAGE, 20000 },
};

static const struct {
	const char *name;
	enum vmm_backing backing;
	uint64_t pages;
} leaves[] = { { "4K", VMM_SMALL, 1 }, { "2M", VMM_THP, 512 } };

static const uint64_t sizes_mib[] = { 64, 256, 1024, 2048 };

struct figure {
	double ns_per_page, ns_per_leaf; /* wall time; 0: not measured */
	double cpu_ns_per_page;
	uint64_t max_hold_ns;
};

static struct figure figures[COUNT(leaves)][COUNT(sizes_mib)][COUNT(ways)];
static struct vmm vm;
static struct kx kx;
static uint32_t list[VMM_LIST_MAX];

static void touch_all(uint64_t npages, uint64_t step)
{
	uint64_t page = 0;
	uint32_t n;

	while (page < npages) {
		for (n = 0; n < VMM_LIST_MAX && page < npages; page += step)
			list[n++] = vmm_read(DATA_GFN + page);
		vmm_touch(&vm, 0, list, n);
	}
}

struct cost {
	double wall, cpu;
};

/* One pass over memory that was touched to the last page. */
static struct cost one_pass(const struct way *way, uint64_t npages, uint64_t step, uint64_t *hold)
{
	struct kvm_ext_tracker t = kx_tracker(way->tracker);
	uint32_t elsewhere = vmm_read(VMM_LOW_SIZE / VMM_PAGE - 1);
	struct kvm_ext_stats before, after;

	t.first_gfn = DATA_GFN;
	t.npages = npages;
	t.cpu = OUR_CPU;
	t.flush_scope = way->scope;
	kx_start(&kx, &t);
	touch_all(npages, step);
	vmm_loop(&vm, 0, &elsewhere, 1);
	before = kx_stats(kx.fd);
	if (kx_run_pass(kx.fd, NULL))
		bail("pass");
	after = kx_stats(kx.fd);
	vmm_halt(&vm, 0);
	kx_discard(&kx);
	if (after.sample_pages - before.sample_pages != npages ||
	    after.leaves_tested - before.leaves_tested != npages / step)
		bail("%s: %llu pages found of %llu, %llu leaves tested", way->name,
		     (unsigned long long)(after.sample_pages - before.sample_pages),
		     (unsigned long long)npages,
		     (unsigned long long)(after.leaves_tested - before.leaves_tested));
	*hold = after.max_hold_ns > *hold ? after.max_hold_ns : *hold;
	return (struct cost){ (double)(after.pass_ns_sum - before.pass_ns_sum),
			      (double)(after.cpu_ns - before.cpu_ns) };
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(size_t leaf, size_t size)
{
	uint64_t npages = sizes_mib[size] * MIB / VMM_PAGE, step = leaves[leaf].pages;
	double wall[COUNT(ways)][ROUNDS], cpu[COUNT(ways)][ROUNDS];
	void *memory = vmm_memory(npages * VMM_PAGE, leaves[leaf].backing);
	struct figure *f = figures[leaf][size];
	struct cost cost;
	int round;
	size_t w;

	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, npages * VMM_PAGE, memory, 0))
		bail("%llu MiB of guest memory", (unsigned long long)sizes_mib[size]);
	touch_all(npages, step);
	for (round = 0; round < ROUNDS; round++) {
		for (w = 0; w < COUNT(ways); w++) {
			if (npages / step > ways[w].max_leaves)
				continue;
			cost = one_pass(&ways[w], npages, step, &f[w].max_hold_ns);
			wall[w][round] = cost.wall;
			cpu[w][round] = cost.cpu;
		}
	}
	for (w = 0; w < COUNT(ways); w++) {
		if (npages / step > ways[w].max_leaves)
			continue;
		qsort(wall[w], ROUNDS, sizeof(double), by_value);
		qsort(cpu[w], ROUNDS, sizeof(double), by_value);
		f[w].ns_per_page = wall[w][ROUNDS / 2] / npages;
		f[w].ns_per_leaf = wall[w][ROUNDS / 2] / (npages / step);
		f[w].cpu_ns_per_page = cpu[w][ROUNDS / 2] / npages;
	}
	vmm_map(&vm, 1, VMM_DATA_GPA, 0, memory, 0);
	vmm_free(memory, npages * VMM_PAGE);
}

static void row(size_t leaf, size_t size)
{
	const struct figure *f = figures[leaf][size];
	size_t w;

	printf("%-6s %5llu MiB", leaves[leaf].name, (unsigned long long)sizes_mib[size]);
	for (w = 0; w < COUNT(ways); w++) {
		if (f[w].ns_per_page > 0)
			printf(" %12.2f", f[w].ns_per_page);
		else
			printf(" %12s", "n/a");
	}
	printf(" %12.0f %12.0f %10.0f\n", f[0].ns_per_leaf, f[1].ns_per_leaf,
	       f[1].max_hold_ns / 1e3);
	fflush(stdout);
}

static void table(void)
{
	size_t leaf, size, w;

	printf("ns per page of a pass, all pages touched, median of %d rounds\n", ROUNDS);
	printf("%-6s %9s", "leaves", "VM");
	for (w = 0; w < COUNT(ways); w++)
		printf(" %12s", ways[w].name);
	printf(" %12s %12s %10s\n", "abit/leaf", "flush/leaf", "hold us");
	for (leaf = 0; leaf < COUNT(leaves); leaf++) {
		for (size = 0; size < COUNT(sizes_mib); size++) {
			measure(leaf, size);
			row(leaf, size);
		}
	}
	printf("n/a: a flush for each of so many pages takes minutes here\n");
}

int main(void)
{
	const size_t largest = COUNT(sizes_mib) - 1;
	const struct figure *small = figures[0][largest], *huge = figures[1][largest];

	vmm_create(&vm, 1, GUEST_CPU);
	vmm_stay_on(OUR_CPU);
	kx_attach(&kx, vm.fd, 4096);
	table();
	printf("headline: 2 GiB of 4K leaves: abit-flush by pass costs %.2f times abit, by batch "
	       "%.2f times; 64 MiB: by page %.0f times; 2M leaves cut a pass of abit to 1/%.0f\n",
	       small[1].ns_per_page / small[0].ns_per_page,
	       small[2].ns_per_page / small[0].ns_per_page,
	       figures[0][0][3].ns_per_page / figures[0][0][0].ns_per_page,
	       small[0].ns_per_page / huge[0].ns_per_page);
	kx_close(&kx);
	vmm_destroy(&vm);
	return 0;
}
