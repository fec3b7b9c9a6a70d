// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Region sampling beside the kernel's DAMON, on one VM and in one run: how many aggregations
 * it takes until the hot part of the memory is found, how exactly, and how many checks of
 * accessed bits each pass costs.
 *
 * 16 of 256 MiB in 4K pages are hot. The guest touches pages without a stop: it draws 49 of 50
 * pages evenly from the hot part, and one from the rest. In `hotcold` the hot part stays; in
 * `stairs` it moves by its own size, and every tracker has to find it again each time. The
 * trackers run in turn, each from the same start over the same windows, with the same interval,
 * checks in an aggregation, and bounds on the number of regions. In an interval the guest
 * touches four times as many hot pages as there are, so all but 2 % of them are accessed between
 * two checks. If other work on the machine makes an interval longer, cold pages are touched more
 * often, but only those of a list, which has one in twelve.
 *
 * A region is hot if at least half of an aggregation's checks found it accessed. The hot part is
 * found if precision and recall of the pages in such regions are 0.7 or more. The aggregation in
 * which the window moved counts, too. Precision and recall are means over the aggregations from
 * the one in which the hot part was found until the window moves.
 *
 * Regions are counted at the end of an aggregation, before they are split again. Checks are those
 * that were made. For DAMON only the mean number of checks is known, from the tracepoint in KVM
 * that each check reaches: DAMON does not report how many regions it has after a split.
 *
 * What it cannot show: rates that differ little; a host whose kernel reclaims pages; how long a
 * CPU keeps a translation. The emulated CPU drops all translations at each VM exit, so trackers
 * that do not flush (abit, DAMON) lose less accuracy than on a real CPU. Random numbers differ
 * from run to run, because those of DAMON cannot be seeded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aggregation.h"
#include "args.h"
#include "damon.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AREA_SIZE    (256ul << 20)
#define AREA_PAGES   (AREA_SIZE / VMM_PAGE)
#define AREA_GFN     (VMM_HIGH_GPA / VMM_PAGE)
#define HOT_PAGES    4096u
#define FIRST_HOT    38437u /* no border that halving would hit */
#define COLD_IN	     50u    /* one of this many touches is of a cold page */
#define CHECKS	     10u    /* in an aggregation */
#define MIN_REGIONS  10u
#define MAX_REGIONS  100u
#define WANTED	     10 /* aggregations until it is found, at most */
#define GUEST_CPU    1
#define OUR_CPU	     0

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static struct regions snap;
static struct damon damon;
static uint8_t *memory;
static uint32_t list[VMM_LIST_MAX];
static uint64_t interval_us;
static uint64_t random_state = 20261121;

static uint64_t draw(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

/* --- the guest ---------------------------------------------------------------------------- */

static const struct workload {
	const char *name;
	int steps, aggregations; /* windows; of each */
} workloads[] = {
	{ "hotcold", 1, 20 },
	{ "stairs", 5, 12 },
};

static uint64_t hot_first(int step)
{
	return (FIRST_HOT + (uint64_t)step * HOT_PAGES) % (AREA_PAGES - HOT_PAGES);
}

static void run_guest(int step)
{
	uint64_t hot = hot_first(step), page;
	uint32_t i;

	for (i = 0; i < VMM_LIST_MAX; i++) {
		if (draw(COLD_IN)) {
			page = hot + draw(HOT_PAGES);
		} else {
			page = draw(AREA_PAGES - HOT_PAGES);
			page += page >= hot ? HOT_PAGES : 0;
		}
		list[i] = vmm_read(AREA_GFN + page);
	}
	vmm_loop(&vm, 0, list, VMM_LIST_MAX);
}

static void choose_interval(void)
{
	uint64_t start;

	run_guest(0);
	vmm_wait_iters(&vm, 0, 1);
	start = now_ns();
	vmm_wait_iters(&vm, 0, 3);
	interval_us = (now_ns() - start) / 1000 / 3 * 4 * HOT_PAGES * COLD_IN / (COLD_IN - 1) /
		      VMM_LIST_MAX;
	vmm_halt(&vm, 0);
	interval_us = interval_us < 5000 ? 5000 : interval_us;
}

static void map_area(void)
{
	uint32_t i;

	memory = vmm_memory(AREA_SIZE, VMM_SMALL);
	if (!memory || vmm_map(&vm, 1, VMM_HIGH_GPA, AREA_SIZE, memory, 0))
		bail("guest memory");
	for (i = 0; i < AREA_PAGES; i++)
		list[i] = vmm_read(AREA_GFN + i);
	vmm_touch(&vm, 0, list, AREA_PAGES);
}

/* --- the trackers -------------------------------------------------------------------------- */

/* One aggregation's regions, in guest pages. */
struct aggregation {
	struct kvm_ext_region region[REGIONS_MAX];
	uint32_t nr;
};

struct result {
	double precision, recall;  /* sums */
	int found;		   /* aggregations summed up */
	int worst, sum, missed;	   /* aggregations until it was found; windows that it was not */
	uint32_t fewest, most;	   /* regions */
	double checks, max_checks; /* a pass; 0: n/a */
	double cpu;		   /* share of one */
};

struct way {
	const char *name;
	uint32_t tracker;
	bool (*start)(const struct way *way);
	void (*stop)(struct result *result);
	bool (*next)(struct aggregation *a); /* waits for it */
	void (*drain)(void);
};

static bool start_ours(const struct way *way)
{
	struct kvm_ext_tracker t = kx_tracker(way->tracker);

	t.interval_ns = interval_us * 1000;
	t.first_gfn = AREA_GFN;
	t.npages = AREA_PAGES;
	t.cpu = OUR_CPU;
	t.regions_min = MIN_REGIONS;
	t.regions_max = MAX_REGIONS;
	t.aggregation_passes = CHECKS;
	kx_discard(&kx);
	memset(&snap, 0, sizeof(snap));
	if (kx_set(kx.fd, &t))
		bail("%s: SET_TRACKER: %s", way->name, strerror(errno));
	return true;
}

static void stop_ours(struct result *result)
{
	struct kvm_ext_tracker off = kx_tracker(KVM_EXT_TRACKER_OFF);
	struct kvm_ext_stats s = kx_stats(kx.fd);

	if (snap.bad || got.bad || s.regions.max_checks > MAX_REGIONS)
		bail("%llu checks in a pass, %llu records out of order",
		     (unsigned long long)s.regions.max_checks,
		     (unsigned long long)(snap.bad + got.bad));
	result->checks = (double)s.regions.checks / (double)s.passes;
	result->max_checks = (double)s.regions.max_checks;
	result->cpu = (double)s.cpu_ns / (double)(s.now_ns - s.start_ns);
	kx_set(kx.fd, &off);
}

static void drain_ours(void)
{
	kx_samples_clear(&got);
	kx_read(&kx, &got);
}

static bool next_of_ours(struct aggregation *a)
{
	uint64_t seen = snap.seen, limit = now_ns() + 100 * CHECKS * interval_us * 1000;

	while (snap.seen == seen && now_ns() < limit) {
		usleep(interval_us / 4);
		drain_ours();
	}
	memcpy(a->region, snap.region, snap.nr * sizeof(snap.region[0]));
	a->nr = snap.nr;
	return snap.seen != seen;
}

static struct damon_region damon_found[REGIONS_MAX];
static uint64_t damon_start_ns;

static bool start_damon(const struct way *way)
{
	const struct damon_attrs attrs = { interval_us, CHECKS * interval_us, MIN_REGIONS,
					   MAX_REGIONS };
	const uintptr_t start = (uintptr_t)memory;
	int ret, i;

	/* As ours begin; of one region it would make two, and of these four. */
	for (i = 0; i < (int)MIN_REGIONS; i++)
		damon_found[i] = (struct damon_region){
			start + AREA_PAGES * i / MIN_REGIONS * VMM_PAGE,
			start + AREA_PAGES * (i + 1) / MIN_REGIONS * VMM_PAGE, 0, 0
		};
	ret = damon_follow(&damon);
	damon_start_ns = now_ns();
	if (!ret)
		ret = damon_start(&damon, getpid(), &attrs, damon_found, MIN_REGIONS);
	if (ret) {
		printf("%s: n/a: %s: %s\n", way->name, damon.failed, strerror(-ret));
		damon_stop(&damon);
	}
	return !ret;
}

static void stop_damon(struct result *result)
{
	result->cpu = (double)damon_cpu_ns(&damon) / (double)(now_ns() - damon_start_ns);
	result->checks = damon_checks(&damon, 3 * CHECKS * (unsigned int)interval_us / 1000);
	damon_stop(&damon);
}

static bool next_of_damon(struct aggregation *a)
{
	ssize_t n = damon_next(&damon, damon_found, REGIONS_MAX,
			       100 * CHECKS * (unsigned int)interval_us / 1000);
	ssize_t i;

	for (i = 0; i < n; i++)
		a->region[i] = (struct kvm_ext_region){
			.gfn = AREA_GFN + (damon_found[i].start - (uintptr_t)memory) / VMM_PAGE,
			.npages = (damon_found[i].end - damon_found[i].start) / VMM_PAGE,
			.accesses = damon_found[i].accesses,
			.age = damon_found[i].age,
		};
	a->nr = n > 0 ? (uint32_t)n : 0;
	return n > 0;
}

static void drain_damon(void)
{
	while (damon_next(&damon, damon_found, REGIONS_MAX, 0) > 0)
		;
}

static const struct way ways[] = {
	{ "abit", KVM_EXT_TRACKER_ABIT, start_ours, stop_ours, next_of_ours, drain_ours },
	{ "abit-flush", KVM_EXT_TRACKER_ABIT_FLUSH, start_ours, stop_ours, next_of_ours,
	  drain_ours },
	{ "ept-walk", KVM_EXT_TRACKER_EPT_WALK, start_ours, stop_ours, next_of_ours, drain_ours },
	{ "DAMON", 0, start_damon, stop_damon, next_of_damon, drain_damon },
};
#define DAMON (COUNT(ways) - 1)

/* --- what they find ------------------------------------------------------------------------- */

static void judge(struct result *r, const struct aggregation *a, int step, int nr, int *found_at)
{
	double precision, recall;

	r->fewest = !r->fewest || a->nr < r->fewest ? a->nr : r->fewest;
	r->most = a->nr > r->most ? a->nr : r->most;
	regions_accuracy(a->region, a->nr, CHECKS, AREA_GFN + hot_first(step), HOT_PAGES,
			 &precision, &recall);
	if (!*found_at && regions_found(precision, recall))
		*found_at = nr;
	if (*found_at) {
		r->precision += precision;
		r->recall += recall;
		r->found++;
	}
}

static void watch(const struct way *way, const struct workload *load, int step, struct result *r)
{
	static struct aggregation a;
	int nr, found_at = 0;

	for (nr = 1; nr <= load->aggregations; nr++) {
		if (!way->next(&a))
			bail("%s: no aggregation came", way->name);
		judge(r, &a, step, nr, &found_at);
	}
	r->missed += !found_at;
	r->sum += found_at;
	r->worst = found_at > r->worst ? found_at : r->worst;
}

static bool run(const struct way *way, const struct workload *load, struct result *r)
{
	int step;

	run_guest(0);
	if (!way->start(way)) {
		vmm_halt(&vm, 0);
		return false;
	}
	for (step = 0; step < load->steps; step++) {
		if (step) {
			way->drain();
			vmm_halt(&vm, 0);
			run_guest(step);
		}
		watch(way, load, step, r);
	}
	way->stop(r);
	vmm_halt(&vm, 0);
	return true;
}

static void print_checks(double checks)
{
	if (checks > 0)
		printf(" %6.1f", checks);
	else
		printf(" %6s", "n/a");
}

static void print_row(const struct way *way, const struct workload *load, const struct result *r)
{
	int found = load->steps - r->missed;

	printf("%-8s %-11s", load->name, way->name);
	if (found)
		printf(" %6.1f %5d", (double)r->sum / found, r->worst);
	else
		printf(" %12s", "never");
	printf(" %4d/%d", found, load->steps);
	if (found)
		printf(" %9.2f %6.2f", r->precision / r->found, r->recall / r->found);
	else
		printf(" %9s %6s", "n/a", "n/a");
	printf(" %5u-%-4u", r->fewest, r->most);
	print_checks(r->max_checks);
	print_checks(r->checks);
	printf(" %7.2f\n", 100 * r->cpu);
	fflush(stdout);
}

/* The most aggregations that any window took; more than there were if it was not found. */
static int worst_of(const struct result *r, const struct workload *load)
{
	return r->missed ? load->aggregations + 1 : r->worst;
}

static void headline(const struct result (*result)[COUNT(ways)], bool has_damon)
{
	int ours = 0, theirs = 0, worst;
	size_t l, w;

	for (l = 0; l < COUNT(workloads); l++) {
		for (w = 0; w < COUNT(ways); w++) {
			worst = worst_of(&result[l][w], &workloads[l]);
			if (w == DAMON)
				theirs = worst > theirs ? worst : theirs;
			else
				ours = worst > ours ? worst : ours;
		}
	}
	printf("headline: the hot 16 of 256 MiB are found after at most %d aggregations (wanted: "
	       "%d), by at most %u checks a pass; ",
	       ours, WANTED, MAX_REGIONS);
	if (has_damon)
		printf("DAMON: %d\n", theirs);
	else
		printf("DAMON: n/a\n");
}

int main(int argc, char **argv)
{
	static struct result result[COUNT(workloads)][COUNT(ways)];
	const struct vmm_config config = { .mode = VMM_64 };
	bool has_damon = true;
	size_t l, w;

	if (argc > 1)
		args_refuse("regions", argv[1]);
	vmm_create_as(&vm, &config, 1, GUEST_CPU);
	vmm_stay_on(OUR_CPU);
	kx_samples_init(&got);
	kx_attach(&kx, vm.fd, 1024);
	kx.hook = regions_see;
	kx.hook_arg = &snap;
	map_area();
	choose_interval();
	printf("256 MiB in 4K pages, 16 MiB hot; %u to %u regions, %u checks an aggregation\n",
	       MIN_REGIONS, MAX_REGIONS, CHECKS);
	printf("%-8s %-11s %12s %6s %16s %10s %13s %7s\n", "", "", "found after", "", "once found",
	       "", "checks a pass", "CPU %");
	printf("%-8s %-11s %6s %5s %6s %9s %6s %10s %6s %6s %7s\n", "workload", "tracker", "mean",
	       "worst", "found", "precision", "recall", "regions", "most", "mean", "");
	for (l = 0; l < COUNT(workloads); l++) {
		for (w = 0; w < COUNT(ways); w++) {
			if (run(&ways[w], &workloads[l], &result[l][w]))
				print_row(&ways[w], &workloads[l], &result[l][w]);
			else
				has_damon = false;
		}
	}
	headline(result, has_damon);
	kx_close(&kx);
	vmm_destroy(&vm);
	return 0;
}
