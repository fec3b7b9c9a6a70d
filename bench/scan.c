// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a pass costs per page that the VM has mapped, and per page that its guest
 * touched: abit, which asks KVM's MMU notifier page by page; ept-walk without and
 * with skipping; DAMON, the kernel's own. VMs of 64 MiB to 8 GiB in 4K pages; 0.1 %
 * to 100 % of them touched between two passes, either pages drawn evenly or runs of
 * 512 pages (2 MiB, not aligned) drawn evenly. Another table has 2M pages and
 * abit-flush by its scopes.
 *
 * All memory is present, written once, and mapped in the nested table before
 * anything is measured. A VM of more than 512 MiB maps the same pages several times:
 * each mapping has its own entry in every table, and no tracker looks at the contents
 * of a page. For each figure the tracker is set (its priming pass clears all bits),
 * pages are touched and a pass runs, then other pages are touched and a pass is
 * measured: so ept-walk also pays for tables that were in use in the pass before. In
 * a round each tracker has one such pass in turn; there are as many rounds as fit in
 * 0.5 s, from 3 to 50. A figure is the least over rounds, with the median and the number
 * of rounds beside it: other work on the machine can only add time, above all to a flush,
 * which waits until the guest's CPU runs. A pass of abit over all of a large VM takes
 * seconds, in which other work always interferes: so it runs over 256 MiB of the VM, each
 * time other ones, and its time is scaled up to the VM. Every pass must find exactly the
 * pages that were touched, or the program ends. For the pass that skips, the table also
 * has the time for walking (with KVM's lock held), for requesting its flush, and the
 * rest, which is for the records in the ring.
 *
 * While a pass runs the vCPU is in guest mode, so that a flush has to interrupt it.
 *
 * DAMON looks at one page of each region. With as many regions as pages it can be
 * compared with a pass of a tracker; this is done only for a small VM, because each
 * region is a directory with many files. DAMON's usual settings (5 ms, 100 ms, 10 to 1000
 * regions) have a table of their own. DAMON's cost is the CPU time of its thread; that of
 * the other trackers is the wall time of the pass.
 *
 * What it cannot show: nanoseconds of real hardware. On an emulated host only
 * the ratios between figures of one run mean anything.
 *
 * usage: scan [MIB…]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "args.h"
#include "damon.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define DATA_GFN	 (VMM_HIGH_GPA / VMM_PAGE)
#define COUNT(array)	 (sizeof(array) / sizeof((array)[0]))
#define MIB		 (1ull << 20)
#define ROUNDS_MIN	 3
#define ROUNDS_MAX	 50
#define TIME_NS		 500000000ull
#define PART_PAGES	 65536u
#define RUN_PAGES	 512u
#define LARGE_LEAVES_MIB 2048u
#define CHUNK		 (512 * MIB)

/* The guest has one CPU, and the passes have the other: otherwise a flush would find the vCPU waiting for the pass. */
#define GUEST_CPU 1
#define OUR_CPU	  0

struct way {
	const char *name;
	uint32_t tracker, flags, scope;
};

static const struct way abit = { "abit", KVM_EXT_TRACKER_ABIT, 0, 0 };
static const struct way walk_all = { "walk all", KVM_EXT_TRACKER_EPT_WALK, KVM_EXT_SET_NO_SKIP, 0 };
static const struct way walk_skip = { "walk, skip", KVM_EXT_TRACKER_EPT_WALK, 0, 0 };
static const struct way flush_pass = { "flush/pass", KVM_EXT_TRACKER_ABIT_FLUSH, 0,
				       KVM_EXT_FLUSH_PASS };
static const struct way flush_batch = { "flush/batch", KVM_EXT_TRACKER_ABIT_FLUSH, 0,
					KVM_EXT_FLUSH_BATCH };
static const struct way flush_page = { "flush/page", KVM_EXT_TRACKER_ABIT_FLUSH, 0,
				       KVM_EXT_FLUSH_PAGE };

static uint64_t sizes_mib[] = { 64, 512, 2048, 8192 };
static size_t nr_sizes = COUNT(sizes_mib);
static const uint32_t shares_ppm[] = { 1000, 10000, 100000, 1000000 };

enum spread {
	EVEN,
	RUNS,
};
static const char *const spread_names[] = { "even", "runs" };

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static uint8_t *memory; /* of the largest VM; the others have its beginning */
static uint64_t room;

/* --- what the guest touches ----------------------------------------------------------- */

static uint32_t list[VMM_LIST_MAX];
static uint8_t *touched;   /* per page of the VM: 1 or 0 */
static uint64_t npages;	   /* of the VM */
static uint32_t elsewhere; /* an entry for a page outside what is tracked */
static uint64_t random_state = 20261121;

static uint64_t draw(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

static void draw_pages(uint64_t n, enum spread spread)
{
	uint64_t left = n, page, run;

	memset(touched, n == npages, npages);
	while (left && n < npages) {
		run = spread == RUNS ? RUN_PAGES : 1;
		for (page = draw(npages); run && left; run--, page++) {
			if (page == npages || touched[page])
				break;
			touched[page] = 1;
			left--;
		}
	}
}

/* Touches the first page of each leaf of @step pages. */
static void touch(uint64_t step)
{
	uint64_t page = 0;
	uint32_t n;

	while (page < npages) {
		for (n = 0; n < VMM_LIST_MAX && page < npages; page += step) {
			if (touched[page])
				list[n++] = vmm_read(DATA_GFN + page);
		}
		vmm_touch(&vm, 0, list, n);
	}
}

/* --- the VM ------------------------------------------------------------------------------ */

struct pre_fault {
	uint64_t gpa, size, flags, padding[5];
};
#define PRE_FAULT _IOWR(KVMIO, 0xd5, struct pre_fault)

/* By KVM_PRE_FAULT_MEMORY (since 6.11), or page by page, which takes twenty times as long. */
static void map_all(uint64_t step)
{
	struct pre_fault range = { .gpa = VMM_HIGH_GPA, .size = npages * VMM_PAGE };
	int ret = 0;

	/* On Linux 6.12 the ioctl loops for ever on a root that the deletion of a memslot has made obsolete. */
	vmm_touch(&vm, 0, &elsewhere, 1);
	while (range.size && !ret) {
		ret = ioctl(vm.vcpu[0].fd, PRE_FAULT, &range);
		ret = ret && errno == EINTR ? 0 : ret;
	}
	memset(touched, 1, npages);
	touch(step);
}

static void begin_vm(uint64_t mib, uint64_t step)
{
	npages = mib * MIB / VMM_PAGE;
	if (vmm_map(&vm, 1, VMM_HIGH_GPA, npages * VMM_PAGE, memory, 0))
		bail("%llu MiB of guest memory", (unsigned long long)mib);
	map_all(step);
}

static void end_vm(void)
{
	vmm_map(&vm, 1, VMM_HIGH_GPA, 0, memory, 0);
}

/* Puts the same pages behind each CHUNK of @memory. */
static int fold(void)
{
	int fd = memfd_create("scan", MFD_CLOEXEC), ret = ftruncate(fd, CHUNK);
	uint64_t at;

	for (at = 0; !ret && at < room; at += CHUNK) {
		if (mmap(memory + at, room - at < CHUNK ? room - at : CHUNK, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			ret = -1;
	}
	close(fd);
	return ret;
}

static void take_memory(uint64_t mib, enum vmm_backing backing)
{
	room = mib * MIB;
	memory = vmm_fresh_memory(room, backing);
	if (!memory || (room > CHUNK && backing == VMM_SMALL && fold()) ||
	    madvise(memory, room, MADV_POPULATE_WRITE))
		bail("%llu MiB of memory", (unsigned long long)mib);
}

/* --- passes -------------------------------------------------------------------------------- */

/* The pages of the VM that passes go over. */
static uint64_t part_first, part_pages;

static void choose_part(const struct way *way, uint64_t step)
{
	part_first = 0;
	part_pages = npages;
	if (way->tracker == KVM_EXT_TRACKER_ABIT && step == 1 && npages > PART_PAGES) {
		part_first = draw(npages / PART_PAGES) * PART_PAGES;
		part_pages = PART_PAGES;
	}
}

static void start(const struct way *way, uint64_t step)
{
	struct kvm_ext_tracker t = kx_tracker(way->tracker);

	choose_part(way, step);
	t.flags = way->flags;
	t.first_gfn = DATA_GFN + part_first;
	t.npages = part_pages;
	t.cpu = OUR_CPU;
	t.flush_scope = way->scope;
	kx_start(&kx, &t);
}

struct cost {
	double ns;		  /* wall time of a pass over the whole VM */
	double walk_ns, flush_ns; /* of that, with KVM's lock held; ordering flushes */
};

/* A pass, which must find exactly the pages that were touched. */
static struct cost one_pass(const struct way *way, uint64_t step)
{
	struct kvm_ext_stats before, after;

	touch(step);
	vmm_loop(&vm, 0, &elsewhere, 1);
	before = kx_stats(kx.fd);
	kx_pass(&kx, &got);
	after = kx_stats(kx.fd);
	vmm_halt(&vm, 0);
	if (got.bad || got.lost_records || got.samples != after.samples - before.samples ||
	    memcmp(got.page + DATA_GFN + part_first, touched + part_first, part_pages) != 0)
		bail("%s of %llu pages: what was found is not what was touched", way->name,
		     (unsigned long long)part_pages);
	return (struct cost){ (double)(after.pass_ns_sum - before.pass_ns_sum) * (double)npages /
				      (double)part_pages,
			      (double)(after.walk.hold_ns - before.walk.hold_ns),
			      (double)(after.flush_ns - before.flush_ns) };
}

struct cell {
	uint64_t pages; /* touched */
	enum spread spread;
	uint64_t step; /* pages of a leaf */
};

static struct cost one_round(const struct way *way, const struct cell *cell)
{
	start(way, cell->step);
	if (way->tracker == KVM_EXT_TRACKER_EPT_WALK) {
		draw_pages(cell->pages, cell->spread);
		one_pass(way, cell->step);
	}
	draw_pages(cell->pages, cell->spread);
	return one_pass(way, cell->step);
}

#define WAYS_MAX 8

/* What a pass costs over all rounds of a way. */
struct costs {
	struct cost least;
	double ns[ROUNDS_MAX]; /* of each round */
	int rounds;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_ns(struct costs *c)
{
	qsort(c->ns, (size_t)c->rounds, sizeof(*c->ns), compare);
	return c->rounds % 2 ? c->ns[c->rounds / 2]
			     : (c->ns[c->rounds / 2 - 1] + c->ns[c->rounds / 2]) / 2;
}

/* Measures each of @nr ways: they run in turn, until each has used its time. */
static void measure(const struct cell *cell, const struct way *const *ways, size_t nr,
		    struct costs *all)
{
	uint64_t spent[WAYS_MAX] = { 0 }, began;
	struct cost cost;
	bool any = true;
	int round;
	size_t w;

	memset(all, 0, nr * sizeof(*all));
	for (round = 0; any && round < ROUNDS_MAX; round++) {
		any = false;
		for (w = 0; w < nr; w++) {
			if (round >= ROUNDS_MIN && spent[w] > TIME_NS)
				continue;
			began = now_ns();
			cost = one_round(ways[w], cell);
			spent[w] += now_ns() - began;
			all[w].ns[all[w].rounds++] = cost.ns;
			if (!round || cost.ns < all[w].least.ns)
				all[w].least = cost;
			any = true;
		}
	}
}

/* --- the first table ------------------------------------------------------------------------ */

static const struct way *const main_ways[] = { &abit, &walk_all, &walk_skip };

/* How many times cheaper than abit, for the last line. */
static struct {
	double all_touched; /* the least of all sizes */
	double runs, even;  /* the largest VM, the smallest share */
	double abit, damon; /* ns per page of the smallest VM */
} headline;

static void note_headline(size_t size, uint32_t ppm, enum spread spread, const struct costs *cost)
{
	double skip = cost[0].least.ns / cost[2].least.ns;

	if (!size)
		headline.abit = cost[0].least.ns / (double)npages;
	if (ppm == 1000000 && (!headline.all_touched || skip < headline.all_touched))
		headline.all_touched = skip;
	if (size == nr_sizes - 1 && ppm == shares_ppm[0])
		*(spread == RUNS ? &headline.runs : &headline.even) = skip;
}

static void row(size_t size, uint32_t ppm, enum spread spread)
{
	struct cell cell = { npages * ppm / 1000000, spread, 1 };
	static struct costs cost[COUNT(main_ways)];
	const struct cost *skip = &cost[2].least;
	size_t w;

	measure(&cell, main_ways, COUNT(main_ways), cost);
	printf("%5llu MiB %6.1f %% %4s", (unsigned long long)sizes_mib[size], ppm / 1e4,
	       ppm == 1000000 ? "" : spread_names[spread]);
	for (w = 0; w < COUNT(main_ways); w++)
		printf(" %10.3f", cost[w].least.ns / (double)npages);
	for (w = 0; w < COUNT(main_ways); w++)
		printf(" %10.3f", median_ns(&cost[w]) / (double)npages);
	for (w = 0; w < COUNT(main_ways); w++)
		printf(" %4d", cost[w].rounds);
	for (w = 0; w < COUNT(main_ways); w++)
		printf(" %10.1f", cost[w].least.ns / (double)cell.pages);
	printf(" %8.0fx %8.0fx", cost[0].least.ns / cost[1].least.ns, cost[0].least.ns / skip->ns);
	printf(" %5.0f %5.0f %5.0f\n", 100 * skip->walk_ns / skip->ns,
	       100 * skip->flush_ns / skip->ns,
	       100 * (skip->ns - skip->walk_ns - skip->flush_ns) / skip->ns);
	fflush(stdout);
	note_headline(size, ppm, spread, cost);
}

static void table(void)
{
	size_t size, share;

	printf("A pass over 4K pages: ns per page, the least of all rounds but where it says "
	       "median. "
	       "runs: touched in runs of %u pages\n",
	       RUN_PAGES);
	printf("%9s %8s %4s %32s %32s %14s %32s %19s %17s\n", "VM", "touched", "",
	       "per mapped page", "per mapped page, median", "rounds of each", "per touched page",
	       "abit costs, times", "% of walk, skip");
	printf("%9s %8s %4s %10s %10s %10s %10s %10s %10s %14s %10s %10s %10s %9s %9s %5s %5s "
	       "%5s\n",
	       "", "", "", abit.name, walk_all.name, walk_skip.name, abit.name, walk_all.name,
	       walk_skip.name, "", abit.name, walk_all.name, walk_skip.name, "all", "skip", "walk",
	       "flush", "rest");
	for (size = 0; size < nr_sizes; size++) {
		begin_vm(sizes_mib[size], 1);
		for (share = 0; share < COUNT(shares_ppm); share++) {
			row(size, shares_ppm[share], EVEN);
			if (shares_ppm[share] < 1000000)
				row(size, shares_ppm[share], RUNS);
		}
		end_vm();
	}
}

/* --- DAMON ------------------------------------------------------------------------------------- */

#define PAGEWISE_MIB 64u

static struct damon damon;
static struct damon_region *regions; /* room for one a page of PAGEWISE_MIB */
static uint64_t regions_max = PAGEWISE_MIB * MIB / VMM_PAGE;

static uint32_t list_touched(void)
{
	uint64_t page;
	uint32_t n = 0;

	for (page = 0; page < npages && n < VMM_LIST_MAX; page++) {
		if (touched[page])
			list[n++] = vmm_read(DATA_GFN + page);
	}
	return n;
}

static void whole_vm(struct damon_region *region)
{
	*region = (struct damon_region){ .start = (uintptr_t)memory,
					 .end = (uintptr_t)memory + npages * VMM_PAGE };
}

/* Returns false, having said why, if this kernel's DAMON cannot be used. */
static bool start_damon(const struct damon_attrs *attrs, size_t nr)
{
	int ret = damon_start(&damon, getpid(), attrs, regions, nr);

	if (ret)
		printf("DAMON: n/a: %s: %s\n", damon.failed, strerror(-ret));
	return !ret;
}

struct damon_cost {
	double cpu_ns, passes, regions, wall_ns;
};

static struct damon_cost damon_cost(unsigned int ms)
{
	struct damon_cost c = { (double)damon_cpu_ns(&damon), (double)damon_sleeps(&damon),
				(double)damon_regions_seen(&damon), (double)now_ns() };

	usleep(ms * 1000);
	return (struct damon_cost){ (double)damon_cpu_ns(&damon) - c.cpu_ns,
				    (double)damon_sleeps(&damon) - c.passes,
				    (double)damon_regions_seen(&damon) - c.regions,
				    (double)now_ns() - c.wall_ns };
}

/* Of the pages that DAMON reports as accessed: how many were accessed, and how many were not. */
static bool judge_damon(uint64_t *right, uint64_t *wrong)
{
	ssize_t nr = damon_regions(&damon, regions, regions_max), i;
	uint64_t page;

	*right = *wrong = 0;
	for (i = 0; i < nr; i++) {
		page = (regions[i].start - (uintptr_t)memory) / VMM_PAGE;
		if (regions[i].accesses && touched[page])
			++*right;
		else if (regions[i].accesses)
			++*wrong;
	}
	return nr == (ssize_t)npages;
}

static double damon_row(uint32_t ppm)
{
	/* So long that DAMON's work between two sleeps is a small part of it. */
	const struct damon_attrs attrs = { 500000, 500000, npages, npages };
	uint64_t page, right = 0, wrong = 0;
	struct damon_cost cost;
	uint32_t n;
	bool read;

	for (page = 0; page < npages; page++)
		regions[page] =
			(struct damon_region){ (uintptr_t)memory + page * VMM_PAGE,
					       (uintptr_t)memory + (page + 1) * VMM_PAGE, 0, 0 };
	draw_pages(npages * ppm / 1000000, EVEN);
	n = list_touched();
	vmm_loop(&vm, 0, list, n);
	if (!start_damon(&attrs, npages))
		return 0;
	usleep(1000000);
	cost = damon_cost(2500);
	read = judge_damon(&right, &wrong);
	damon_stop(&damon);
	vmm_halt(&vm, 0);
	printf("%5u MiB %6.1f %% %10.1f %10.1f", PAGEWISE_MIB, ppm / 1e4,
	       cost.cpu_ns / cost.passes / (double)npages, cost.cpu_ns / cost.passes / n);
	if (read)
		printf(" %9llu of %u, %llu not touched\n", (unsigned long long)right, n,
		       (unsigned long long)wrong);
	else
		printf(" n/a: it did not hand over all regions\n");
	fflush(stdout);
	return cost.cpu_ns / cost.passes / (double)npages;
}

static void damon_page_by_page(void)
{
	size_t i;

	printf("\nDAMON with a region a page: ns of its thread's CPU time per page and sampling\n");
	printf("%9s %8s %10s %10s %9s\n", "VM", "touched", "per mapped", "per touched", "found");
	begin_vm(PAGEWISE_MIB, 1);
	for (i = 0; i < COUNT(shares_ppm); i++)
		headline.damon = damon_row(shares_ppm[i]);
	end_vm();
}

static void damon_as_meant(uint64_t mib)
{
	const struct damon_attrs attrs = { 5000, 100000, 10, 1000 };
	struct damon_cost cost;
	double checks;

	begin_vm(mib, 1);
	draw_pages(npages / 10, RUNS);
	vmm_loop(&vm, 0, list, list_touched());
	whole_vm(regions);
	if (start_damon(&attrs, 1)) {
		usleep(2000000);
		cost = damon_cost(2000);
		checks = damon_checks(&damon, 1000);
		damon_stop(&damon);
		printf("%5llu MiB %9.0f", (unsigned long long)mib,
		       cost.regions / (cost.passes / 20));
		if (checks > 0)
			printf(" %9.1f %10.0f", checks, cost.cpu_ns / cost.passes / checks);
		else
			printf(" %9s %10s", "n/a", "n/a");
		printf(" %12.4f %9.1f\n", cost.cpu_ns / cost.passes / (double)npages,
		       100 * cost.cpu_ns / cost.wall_ns);
		fflush(stdout);
	}
	vmm_halt(&vm, 0);
	end_vm();
}

static void damon_tables(void)
{
	size_t size;

	regions = calloc(regions_max, sizeof(*regions));
	if (!regions)
		bail("memory");
	damon_page_by_page();
	printf("\nDAMON as it comes (5 ms, 100 ms, 10 to 1000 regions), 10 %% touched in runs: "
	       "ns of CPU time\n");
	printf("%9s %9s %9s %10s %12s %9s\n", "VM", "regions", "checks", "per check", "per mapped",
	       "CPU %");
	for (size = 0; size < nr_sizes; size++)
		damon_as_meant(sizes_mib[size]);
}

/* --- the flush's scopes, large leaves ---------------------------------------------------------- */

static const struct way *const scope_ways[] = { &abit,	     &flush_pass, &flush_batch,
						&flush_page, &walk_all,	  &walk_skip };

static void scopes_row(uint64_t mib, enum vmm_backing backing)
{
	struct cell cell = { .step = backing == VMM_THP ? 512 : 1 };
	static struct costs cost[COUNT(scope_ways)];
	double leaves;
	size_t w;

	take_memory(mib, backing);
	begin_vm(mib, cell.step);
	cell.pages = npages;
	measure(&cell, scope_ways, COUNT(scope_ways), cost);
	leaves = (double)(npages / cell.step);
	printf("%5llu MiB %6s %7s", (unsigned long long)mib, backing == VMM_THP ? "2M" : "4K",
	       "least");
	for (w = 0; w < COUNT(scope_ways); w++)
		printf(" %11.1f", cost[w].least.ns / leaves);
	printf("\n%9s %6s %7s", "", "", "median");
	for (w = 0; w < COUNT(scope_ways); w++)
		printf(" %11.1f", median_ns(&cost[w]) / leaves);
	printf("\n%9s %6s %7s", "", "", "rounds");
	for (w = 0; w < COUNT(scope_ways); w++)
		printf(" %11d", cost[w].rounds);
	printf("\n");
	fflush(stdout);
	end_vm();
	vmm_free(memory, room);
}

static void scopes(void)
{
	size_t w;

	printf("\nA pass with all touched, by the flush's scope: ns per leaf\n%9s %6s %7s", "VM",
	       "leaves", "");
	for (w = 0; w < COUNT(scope_ways); w++)
		printf(" %11s", scope_ways[w]->name);
	printf("\n");
	scopes_row(64, VMM_SMALL);
	scopes_row(LARGE_LEAVES_MIB, VMM_THP);
}

static void print_headline(void)
{
	printf("headline: at 100 %% touched a pass of ept-walk costs 1/%.0f of one of abit (the "
	       "least "
	       "of the sizes; wanted: 1/50); of %llu MiB with %.1f %% touched 1/%.0f if in runs, "
	       "1/%.0f if anywhere (wanted: 1/1000); DAMON page by page: ",
	       headline.all_touched, (unsigned long long)sizes_mib[nr_sizes - 1],
	       shares_ppm[0] / 1e4, headline.runs, headline.even);
	if (headline.damon > 0)
		printf("%.1f times abit\n", headline.damon / headline.abit);
	else
		printf("n/a\n");
}

/* Sizes of VMs, if others than the usual ones are wanted. */
static void read_arguments(int argc, char **argv)
{
	static const char usage[] = "scan [MIB]…, four sizes at most";
	size_t i, nr = (size_t)argc - 1;

	if (nr > COUNT(sizes_mib))
		args_refuse(usage, NULL);
	for (i = 0; i < nr; i++)
		sizes_mib[i] = args_number(argv[i + 1], 1, 1 << 20, usage);
	if (nr)
		nr_sizes = nr;
}

int main(int argc, char **argv)
{
	const struct vmm_config config = { .mode = VMM_64 };
	uint64_t largest = PAGEWISE_MIB;
	size_t i;

	read_arguments(argc, argv);
	for (i = 0; i < nr_sizes; i++)
		largest = sizes_mib[i] > largest ? sizes_mib[i] : largest;
	touched = calloc((largest > LARGE_LEAVES_MIB ? largest : LARGE_LEAVES_MIB) * MIB / VMM_PAGE,
			 1);
	if (!touched)
		bail("memory");
	vmm_create_as(&vm, &config, 1, GUEST_CPU);
	vmm_stay_on(OUR_CPU);
	elsewhere = vmm_read(VMM_LOW_SIZE / VMM_PAGE - 1);
	kx_samples_init(&got);
	kx_attach(&kx, vm.fd, 4096);
	scopes();
	take_memory(largest, VMM_SMALL);
	table();
	damon_tables();
	print_headline();
	kx_close(&kx);
	vmm_destroy(&vm);
	return 0;
}
