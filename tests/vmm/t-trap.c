// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tracker that removes mappings: does each armed page that the guest accesses give exactly one
 * sample, with the right kind of access? Is the budget kept whatever the guest does? Is nothing
 * left behind?
 *
 * What it cannot show: what a fault costs on hardware, and thus how many faults a share of the
 * vCPUs' time allows there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include "child.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DATA_GFN     (VMM_DATA_GPA / VMM_PAGE)
#define BLOCK	     (VMM_2M / VMM_PAGE)
#define SIZE	     (8ul << 20)
#define PAGES	     (SIZE / VMM_PAGE)
#define SECOND	     1000000000ull
#define NO_LIMIT     1000000u /* faults per second, or ppm of the vCPUs' time */

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static uint32_t list[VMM_LIST_MAX];

static const struct vmm_config config_32;
static const struct vmm_config config_64 = { .mode = VMM_64_4K };

/* All faults that were read since the last clear_faults(). */
static struct {
	struct kvm_ext_fault *fault;
	uint32_t n, room;
} seen;

static void clear_faults(void)
{
	seen.n = 0;
	kx_samples_clear(&got);
}

static void see_faults(void *arg, const struct kvm_ext_record *record)
{
	const struct kvm_ext_rec_faults *rec = (const void *)record;
	uint32_t i;

	(void)arg;
	if (record->type != KVM_EXT_REC_FAULTS)
		return;
	for (i = 0; i < rec->nr; i++) {
		if (seen.n == seen.room) {
			seen.room = seen.room ? 2 * seen.room : 4096;
			seen.fault = realloc(seen.fault, seen.room * sizeof(seen.fault[0]));
			if (!seen.fault)
				bail("memory");
		}
		seen.fault[seen.n++] = rec->faults[i];
	}
}

static bool one_cpu(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) < 2;
}

static void begin(const struct vmm_config *config, int nr_vcpus)
{
	vmm_create_as(&vm, config, nr_vcpus, -1);
	kx_attach(&kx, vm.fd, 1024);
	kx_samples_init(&got);
	kx.hook = see_faults;
}

static void end(void)
{
	kx_samples_free(&got);
	kx_close(&kx);
	vmm_destroy(&vm);
}

static void put_code(uint8_t *memory)
{
	uint32_t i;

	for (i = 0; i < PAGES; i++)
		vmm_put_code(memory + i * VMM_PAGE);
}

/* Guest memory with code in each page. The guest writes all pages, so they are mapped writable. */
static uint8_t *map_data(enum vmm_backing backing)
{
	uint8_t *memory = vmm_memory(SIZE, backing);
	uint32_t i;

	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, memory, 0))
		bail("guest memory");
	put_code(memory);
	for (i = 0; i < PAGES; i++)
		list[i] = vmm_write(DATA_GFN + i);
	vmm_touch(&vm, 0, list, PAGES);
	return memory;
}

static void unmap_data(void *memory)
{
	vmm_map(&vm, 1, VMM_DATA_GPA, 0, memory, 0);
	vmm_free(memory, SIZE);
}

static struct kvm_ext_tracker trap(uint64_t gfn, uint64_t npages)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_TRAP);

	t.first_gfn = gfn;
	t.npages = npages;
	t.trap_faults_per_s = NO_LIMIT;
	t.trap_time_ppm = NO_LIMIT;
	return t;
}

/* Runs a pass, and adds the faults since the last pass to @seen. */
static void pass(void)
{
	if (kx_run_pass(kx.fd, NULL))
		bail("RUN_PASS");
	kx_read(&kx, &got);
}

static struct kvm_ext_trap_stats stats(void)
{
	return kx_stats(kx.fd).trap;
}

/* Runs passes until @want mappings are armed. Drops all faults until then. */
static bool arm(uint64_t want)
{
	int i;

	for (i = 0; i < 50; i++) {
		if (stats().armed == want) {
			kx_discard(&kx);
			clear_faults();
			return true;
		}
		if (kx_run_pass(kx.fd, NULL))
			bail("RUN_PASS");
		kx_discard(&kx);
	}
	note("armed: %llu mappings instead of %llu", (unsigned long long)stats().armed,
	     (unsigned long long)want);
	return false;
}

static bool start(const struct kvm_ext_tracker *t, uint64_t want)
{
	kx_start(&kx, t);
	return arm(want);
}

static void off(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_OFF);

	if (kx_set(kx.fd, &t))
		bail("off");
}

/* --- one right sample for each page ------------------------------------------------- */

static const uint8_t access_of[] = { [VMM_READ] = KVM_EXT_ACCESS_READ,
				     [VMM_WRITE] = KVM_EXT_ACCESS_WRITE,
				     [VMM_EXEC] = KVM_EXT_ACCESS_EXEC };

/* By page: 1 + the kind of the first access in the guest's lists; 0: no access. */
static uint8_t first_access[PAGES];
static uint8_t by_vcpu[PAGES];

static uint32_t random_accesses(int nr_vcpus)
{
	unsigned int one_in = 1 + rand() % 20;
	uint32_t n = 0, i, times;

	memset(first_access, 0, sizeof(first_access));
	for (i = 0; i < PAGES; i++) {
		if (rand() % one_in)
			continue;
		for (times = 1 + rand() % 3; times; times--) {
			enum vmm_access a = rand() % 3;

			if (!first_access[i])
				first_access[i] = 1 + access_of[a];
			list[n++] = vmm_entry(DATA_GFN + i, a);
		}
		by_vcpu[i] = 0;
	}
	(void)nr_vcpus;
	return n;
}

struct tally {
	uint64_t missed, twice, wrong_page, wrong_access, wrong_vcpu, wrong_time, wrong_order, odd;
	uint64_t touched;
};

static void check_times(struct tally *t, const uint64_t ns[2], const uint64_t tsc[2])
{
	uint32_t i;

	for (i = 0; i < seen.n; i++) {
		const struct kvm_ext_fault *f = &seen.fault[i];

		t->wrong_time += f->time_ns < ns[0] || f->time_ns > ns[1] || f->tsc < tsc[0] ||
				 f->tsc > tsc[1] ||
				 (i && (f->time_ns < f[-1].time_ns || f->tsc < f[-1].tsc));
	}
}

static void check_faults(struct tally *t)
{
	static uint8_t times[PAGES];
	uint32_t i;

	memset(times, 0, sizeof(times));
	for (i = 0; i < seen.n; i++) {
		const struct kvm_ext_fault *f = &seen.fault[i];
		uint64_t page = f->gfn - DATA_GFN;

		if (page >= PAGES || !first_access[page]) {
			t->wrong_page++;
			continue;
		}
		t->twice += times[page]++ > 0;
		t->wrong_access += f->access != first_access[page] - 1;
		t->wrong_vcpu += f->vcpu != by_vcpu[page];
		t->wrong_order += f->order != 0;
	}
	for (i = 0; i < PAGES; i++) {
		t->touched += !!first_access[i];
		t->missed += first_access[i] && !times[i];
	}
}

static void one_each(const char *name, int rounds)
{
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES);
	struct tally sum = { 0 };
	uint64_t ns[2], tsc[2];
	struct kvm_ext_stats s;
	bool armed = start(&t, PAGES);
	uint32_t n;
	int i, vcpu;

	for (i = 0; i < rounds; i++) {
		n = random_accesses(1);
		vcpu = i % vm.nr_vcpus;
		memset(by_vcpu, vcpu, sizeof(by_vcpu));
		ns[0] = now_ns();
		tsc[0] = __rdtsc();
		vmm_touch(&vm, vcpu, list, n);
		ns[1] = now_ns();
		tsc[1] = __rdtsc();
		pass();
		check_times(&sum, ns, tsc);
		check_faults(&sum);
		sum.odd += got.bad || got.sum.samples != seen.n || got.sum.lost_samples;
		armed &= arm(PAGES);
	}
	s = kx_stats(kx.fd);
	ok(armed, "%s: all pages are armed before each round", name);
	ok(!sum.missed && !sum.twice && !sum.wrong_page && sum.touched,
	   "%s: each accessed page gives one sample, other pages give none (%llu in %d rounds)",
	   name, (unsigned long long)sum.touched, rounds);
	if (sum.missed || sum.twice || sum.wrong_page)
		note("%llu missed, %llu twice, %llu not accessed", (unsigned long long)sum.missed,
		     (unsigned long long)sum.twice, (unsigned long long)sum.wrong_page);
	ok_eq(sum.wrong_access, 0,
	      "%s: the sample has the kind of the first access: read, write or execute", name);
	ok_eq(sum.wrong_vcpu, 0, "%s: the sample has the right vCPU", name);
	ok_eq(sum.wrong_time, 0, "%s: the sample has the right time, in ns and as TSC", name);
	ok_eq(sum.wrong_order, 0, "%s: the mappings have one page", name);
	ok(!sum.odd && s.trap.faults == s.samples && s.trap.faults == sum.touched && !s.trap.lost,
	   "%s: accounts and statistics agree (%llu faults)", name,
	   (unsigned long long)s.trap.faults);
	/* Rounds that take a second or longer leave mappings that wait, and these are exchanged. */
	ok(s.trap.eligible == PAGES &&
		   s.trap.armings == s.trap.faults + s.trap.armed + s.trap_more.idle,
	   "%s: each armed mapping has faulted, was exchanged or is still armed", name);
	ok(s.trap.timed_faults > 0 && s.trap.fault_ns / s.trap.timed_faults > 100,
	   "%s: a fault keeps the vCPU out of the guest for %llu us", name,
	   (unsigned long long)(s.trap.timed_faults ? s.trap.fault_ns / s.trap.timed_faults / 1000
						    : 0));
}

/* Two vCPUs access the same pages at the same time: one sample for each page. */
static void both(void)
{
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES);
	struct tally sum = { 0 };
	uint32_t i;
	int round;

	start(&t, PAGES);
	for (round = 0; round < 10; round++) {
		for (i = 0; i < PAGES; i++) {
			list[i] = vmm_write(DATA_GFN + i);
			first_access[i] = 1 + KVM_EXT_ACCESS_WRITE;
		}
		vmm_begin(&vm, 0, list, PAGES);
		vmm_begin(&vm, 1, list, PAGES);
		vmm_finish(&vm, 0);
		vmm_finish(&vm, 1);
		pass();
		check_faults(&sum);
		arm(PAGES);
	}
	ok(!sum.missed && !sum.twice && !sum.wrong_page,
	   "two vCPUs access the same pages at the same time: one sample for each page");
}

/* --- which pages ---------------------------------------------------------------------- */

static uint32_t all_pages(enum vmm_access access)
{
	uint32_t i;

	for (i = 0; i < PAGES; i++)
		list[i] = vmm_entry(DATA_GFN + i, access);
	return PAGES;
}

static void share(void)
{
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES);
	const uint64_t want = PAGES / 4;
	uint64_t odd = 0, found = 0, chosen = 0;
	uint32_t i;
	int round;

	t.trap_share_ppm = 250000;
	start(&t, want);
	memset(by_vcpu, 0, sizeof(by_vcpu));
	for (round = 0; round < 12; round++) {
		odd += !arm(want);
		vmm_touch(&vm, 0, list, all_pages(VMM_READ));
		pass();
		odd += seen.n != want;
		for (i = 0; i < seen.n; i++)
			by_vcpu[seen.fault[i].gfn - DATA_GFN] = 1;
		found += seen.n;
	}
	for (i = 0; i < PAGES; i++)
		chosen += by_vcpu[i];
	ok_eq(odd, 0,
	      "a share of a quarter: a quarter is armed, and a quarter faults (%llu in 12 rounds)",
	      (unsigned long long)found);
	/* Expected: all but 0.75^12 of the pages, that is 97 %. */
	ok(chosen > PAGES * 9 / 10 && chosen < PAGES,
	   "a share: other pages in each round (%llu of %lu pages in 12 rounds)",
	   (unsigned long long)chosen, PAGES);
}

static void ranges(void)
{
	static const struct kvm_ext_range range[] = { { DATA_GFN + 3, 10 },
						      { DATA_GFN + 100, 500 },
						      { DATA_GFN + 600, 1 },
						      { DATA_GFN + PAGES - 7, 7 } };
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES);
	uint64_t wrong = 0, total = 0, i, r;

	t.ranges = (uintptr_t)range;
	t.nr_ranges = COUNT(range);
	for (r = 0; r < COUNT(range); r++)
		total += range[r].npages;
	ok(start(&t, total), "a list of ranges: all of its pages are armed (%llu pages)",
	   (unsigned long long)total);
	vmm_touch(&vm, 0, list, all_pages(VMM_WRITE));
	pass();
	for (i = 0; i < seen.n; i++) {
		for (r = 0; r < COUNT(range); r++) {
			if (seen.fault[i].gfn - range[r].gfn < range[r].npages)
				break;
		}
		wrong += r == COUNT(range);
	}
	ok(seen.n == total && !wrong, "a list of ranges: no other page faults");
	ok_eq(stats().eligible, total, "a list of ranges: no other page may be armed");
}

static void larger_leaves(enum vmm_backing backing, const char *name)
{
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES);
	uint8_t *memory = map_data(backing);
	uint64_t odd = 0;
	uint32_t i, n;

	odd += !start(&t, PAGES / BLOCK);
	for (i = 0; i < 10; i++) {
		n = random_accesses(1);
		vmm_touch(&vm, 0, list, n);
		pass();
		odd += got.bad || got.by_order[9] != seen.n || seen.n > PAGES / BLOCK;
		for (; n--;)
			odd += !got.page[vmm_entry_gfn(list[n])];
		for (n = 0; n < seen.n; n++)
			odd += got.page[seen.fault[n].gfn] != 1;
		odd += !arm(PAGES / BLOCK);
	}
	ok_eq(odd, 0, "%s: one sample of 512 pages for each accessed leaf", name);
	ok_eq(kx_vm(kx.fd).mapped_4k > 600, 0, "%s: KVM maps the leaves with their old size again",
	      name);
	off();
	unmap_data(memory);
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* Pages are armed, then KVM maps blocks: only one page of each block can fault. */
static void covered(void)
{
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES);
	uint8_t *memory = map_data(VMM_SMALL);
	uint64_t odd = 0;
	uint32_t i;

	odd += !start(&t, PAGES);
	if (madvise(memory, SIZE, MADV_HUGEPAGE) || madvise(memory, SIZE, MADV_COLLAPSE)) {
		skip("the host has no huge pages left", "armed by pages, mapped by blocks");
		off();
		unmap_data(memory);
		return;
	}
	for (i = 0; i < PAGES / BLOCK; i++)
		list[i] = vmm_read(DATA_GFN + i * BLOCK + rand() % BLOCK);
	vmm_touch(&vm, 0, list, PAGES / BLOCK);
	pass();
	odd += seen.n != PAGES / BLOCK || got.by_order[0] != seen.n || got.bad;
	ok_eq(odd, 0, "armed by pages, mapped by blocks: one sample for each block, of one page");
	ok(arm(PAGES / BLOCK), "armed by pages, mapped by blocks: then blocks are armed");
	vmm_touch(&vm, 0, list, all_pages(VMM_READ));
	pass();
	ok(seen.n == PAGES / BLOCK && got.by_order[9] == seen.n && !got.bad,
	   "armed by pages, mapped by blocks: then blocks fault");
	off();
	unmap_data(memory);
}

/* The guest's page tables and code are armed, too. */
static void low_memory(void)
{
	struct kvm_ext_tracker t = trap(0, VMM_LOW_SIZE / VMM_PAGE);
	uint64_t walks = 0, code = 0, other = 0;
	uint32_t i;

	kx_start(&kx, &t);
	clear_faults();
	list[0] = vmm_write(DATA_GFN);
	vmm_touch(&vm, 0, list, 1);
	pass();
	for (i = 0; i < seen.n; i++) {
		if (seen.fault[i].flags & KVM_EXT_FAULT_PAGE_WALK)
			walks++;
		else if (seen.fault[i].access == KVM_EXT_ACCESS_EXEC)
			code += seen.fault[i].gfn == 1;
		else
			other++;
	}
	/* At least one table of each of the four levels. */
	ok(walks >= 4, "64-bit guest: faults in its page tables are marked (%llu)",
	   (unsigned long long)walks);
	ok_eq(code, 1, "64-bit guest: its code faults once");
	ok(other >= 2, "64-bit guest: its list and control block fault (%llu)",
	   (unsigned long long)other);
	off();
}

/* The guest writes a number to all pages. Returns how many pages do not have this number. */
static uint64_t wrong_content(const uint8_t *memory)
{
	uint32_t want, wrong = 0, i;

	vmm_touch(&vm, 0, list, all_pages(VMM_WRITE));
	want = vm.vcpu[0].ctl->seq;
	for (i = 0; i < PAGES; i++)
		wrong += *(const uint32_t *)(memory + i * VMM_PAGE) != want;
	return wrong;
}

/* --- pages that nobody accesses ------------------------------------------------------------ */

/* Two exchanges: the first marks armed pages as waited, the second disarms them. */
static void let_wait(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		usleep(KVM_EXT_TRAP_IDLE_NS / 1000 + 1000);
		pass();
	}
}

/*
 * The budget allows only some pages to be armed, and the guest accesses none. So other pages are
 * armed in their place. When the guest then accesses all pages, armed pages give one sample each,
 * and pages that were exchanged give a late fault.
 */
static void exchanged(void)
{
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES);
	uint8_t *memory = map_data(VMM_SMALL);
	const uint32_t few = 100;
	struct kvm_ext_stats s;
	uint32_t i;

	t.trap_faults_per_s = few;
	start(&t, few);
	ok_eq(kx_stats(kx.fd).trap_more.idle, 0, "idle pages: no page is exchanged at once");
	let_wait();
	s = kx_stats(kx.fd);
	ok(s.trap_more.idle == few && s.trap.armed == few,
	   "idle pages: %llu were exchanged, and as many are armed",
	   (unsigned long long)s.trap_more.idle);
	ok(s.trap.armings == s.trap.armed + s.trap_more.idle && !s.trap.faults,
	   "idle pages: each page that was armed is still armed, or was exchanged");
	for (i = 0; i < 3; i++)
		let_wait();
	s = kx_stats(kx.fd);
	ok_eq(s.trap_more.idle, 4 * few, "idle pages: each further exchange disarms as many");
	clear_faults();
	vmm_touch(&vm, 0, list, all_pages(VMM_WRITE));
	pass();
	s = kx_stats(kx.fd);
	ok(seen.n == few && s.trap.faults == few, "idle pages: armed pages give one sample each");
	/* Fewer than exchanges, because some pages were chosen more than once. */
	ok(s.trap_more.late_faults > 2 * few && s.trap_more.late_faults <= 4 * few,
	   "idle pages: exchanged pages give late faults (%llu)",
	   (unsigned long long)s.trap_more.late_faults);
	ok_eq(wrong_content(memory), 0, "idle pages: the guest's writes are in the memory");
	off();
	unmap_data(memory);
}

/* All pages that may be armed are armed, so there is nothing for which to exchange them. */
static void not_exchanged(void)
{
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES);
	uint8_t *memory = map_data(VMM_SMALL);
	struct kvm_ext_stats before, s;

	start(&t, PAGES);
	before = kx_stats(kx.fd);
	let_wait();
	s = kx_stats(kx.fd);
	ok(s.trap_more.idle == before.trap_more.idle && s.trap.armings == before.trap.armings &&
		   s.trap.armed == PAGES,
	   "idle pages: if all pages are armed, they stay armed");
	off();
	unmap_data(memory);
}

/*
 * A page that has faulted and is armed again waits anew. From one access to the next there is one
 * pass after the one that arms the page, and so one exchange at most, however slow the machine is.
 */
static void accessed_again(void)
{
	const struct kvm_ext_range range[] = { { DATA_GFN, 1 }, { DATA_GFN + 64, 1 } };
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES);
	uint8_t *memory = map_data(VMM_SMALL);
	struct kvm_ext_stats before, s;
	uint32_t i;

	/* Two pages, of which one is armed. */
	t.ranges = (uintptr_t)range;
	t.nr_ranges = COUNT(range);
	t.trap_share_ppm = 500000;
	start(&t, 1);
	list[0] = vmm_write(DATA_GFN);
	list[1] = vmm_write(DATA_GFN + 64);
	/* Until here the page may have waited for longer: the first arming takes its time. */
	vmm_touch(&vm, 0, list, 2);
	pass();
	before = kx_stats(kx.fd);
	for (i = 0; i < 3; i++) {
		usleep(KVM_EXT_TRAP_IDLE_NS / 1000 + 1000);
		pass();
		vmm_touch(&vm, 0, list, 2);
		pass();
	}
	s = kx_stats(kx.fd);
	ok(s.trap.faults == before.trap.faults + 3 && s.trap_more.idle == before.trap_more.idle &&
		   s.trap.armed == 1,
	   "pages that are accessed every second are not exchanged");
	off();
	unmap_data(memory);
}

/* --- the budget -------------------------------------------------------------------------- */

/* The largest number of faults in any second; the second may begin at any fault. */
static uint32_t most_in_a_second(void)
{
	uint32_t first = 0, last, most = 0;

	for (last = 0; last < seen.n; last++) {
		while (seen.fault[last].time_ns - seen.fault[first].time_ns >= SECOND)
			first++;
		if (last - first + 1 > most)
			most = last - first + 1;
	}
	return most;
}

static void sweep(int vcpus)
{
	uint32_t half = PAGES / vcpus, i;

	all_pages(VMM_WRITE);
	for (i = 0; i < (uint32_t)vcpus; i++)
		vmm_loop(&vm, i, list + i * half, half);
}

static uint64_t sweeps(int vcpus)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < vcpus; i++)
		n += vm.vcpu[i].ctl->iters;
	return n;
}

struct budget {
	const char *name;
	uint32_t faults_per_s, time_ppm;
};

struct spent {
	struct kvm_ext_stats s;
	uint64_t touched, ran_ns; /* pages that the guest has accessed, in this time */
	uint32_t most;		  /* faults in any second */
};

/*
 * The statistics at a moment when they contain exactly the faults that were read from the ring.
 * Faults that a running pass has collected are in the ring already, but in the statistics only when
 * the pass ends.
 */
static struct kvm_ext_stats told(uint64_t limit_ns)
{
	const uint64_t stop = now_ns() + limit_ns;
	struct kvm_ext_stats s;

	do {
		usleep(1000);
		kx_read(&kx, &got);
		s = kx_stats(kx.fd);
	} while (s.trap.faults != seen.n && now_ns() < stop);
	return s;
}

/* Has the guest had CPU time enough to use a good part of the budget? */
static bool is_used(const struct budget *b)
{
	return b->faults_per_s < NO_LIMIT ? seen.n > b->faults_per_s
					  : stats().max_time_ppm >= b->time_ppm / 4;
}

/*
 * Runs the tracker with a budget while the guest accesses all of its memory again and again, for
 * some seconds; for longer if the machine is too slow to use the budget in this time.
 */
static struct spent spend(const struct budget *b, int seconds)
{
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES);
	struct spent spent;
	uint64_t stop, late, before;

	t.trap_faults_per_s = b->faults_per_s;
	t.trap_time_ppm = b->time_ppm;
	t.interval_ns = 10000000;
	/* Faults that belong to another budget are dropped. */
	off();
	kx_discard(&kx);
	clear_faults();
	before = sweeps(vm.nr_vcpus);
	if (kx_set(kx.fd, &t))
		bail("SET_TRACKER");
	/* The first arming enables tracepoints, which may take seconds on a busy machine. */
	stop = now_ns() + 60 * SECOND;
	while (!kx_stats(kx.fd).trap.armings && now_ns() < stop)
		usleep(1000);
	stop = now_ns() + seconds * SECOND;
	late = stop + 60 * SECOND;
	while (now_ns() < stop || (!is_used(b) && now_ns() < late)) {
		usleep(50000);
		kx_read(&kx, &got);
	}
	spent.s = told(60 * SECOND);
	off();
	spent.touched = (sweeps(vm.nr_vcpus) - before) * (PAGES / vm.nr_vcpus);
	spent.ran_ns = spent.s.now_ns - spent.s.start_ns;
	spent.most = most_in_a_second();
	return spent;
}

/*
 * The duration of a fault is known only at its end. On an emulated host a fault takes long if the
 * emulator does not run meanwhile. So there are several tries; if the limit is not kept, all of
 * them fail.
 */
static struct spent spend_as_told(const struct budget *b, int seconds)
{
	struct spent spent = spend(b, seconds);
	int tries = 1;

	for (; tries < 5 && spent.s.trap.max_time_ppm > b->time_ppm + b->time_ppm / 10; tries++) {
		note("%s: try %d: at most %llu ppm in a second", b->name, tries,
		     (unsigned long long)spent.s.trap.max_time_ppm);
		spent = spend(b, seconds);
	}
	return spent;
}

static struct spent hold(const struct budget *b, int seconds)
{
	const struct spent spent = spend_as_told(b, seconds);
	const struct kvm_ext_trap_stats *trap = &spent.s.trap;

	note("%s: the guest accessed %llu pages per second; %u faults, at most %u in a second (the "
	     "tracker says %llu); %llu ppm of the vCPUs' time, at most %llu in a second; %llu us "
	     "per "
	     "fault",
	     b->name, (unsigned long long)(spent.touched * SECOND / spent.ran_ns), seen.n,
	     spent.most, (unsigned long long)trap->max_faults_per_s,
	     (unsigned long long)(trap->fault_ns / vm.nr_vcpus * 1000000 / spent.ran_ns),
	     (unsigned long long)trap->max_time_ppm,
	     (unsigned long long)(trap->timed_faults ? trap->fault_ns / trap->timed_faults / 1000
						     : 0));
	ok(spent.touched / 100 >= seen.n, "%s: the guest accesses a hundred times as many pages",
	   b->name);
	ok(spent.most <= b->faults_per_s + b->faults_per_s / 10,
	   "%s: in each second at most a tenth more faults than the budget", b->name);
	ok(trap->max_time_ppm <= b->time_ppm + b->time_ppm / 10,
	   "%s: in each second at most a tenth more of the vCPUs' time than the budget", b->name);
	ok(trap->max_faults_per_s >= spent.most - spent.most / 10 &&
		   trap->max_faults_per_s <= b->faults_per_s + b->faults_per_s / 10,
	   "%s: the statistics have the same maximum", b->name);
	ok(seen.n > 0 && trap->held_passes > 0 && trap->faults == spent.s.samples && !got.bad,
	   "%s: the statistics say that the budget has limited the tracker", b->name);
	return spent;
}

/* The budget is kept, and it is used. */
static void budgets(void)
{
	const int vcpus = one_cpu() ? 1 : 2, seconds = 3;
	static const struct budget few = { "500 faults a second", 500, NO_LIMIT };
	static const struct budget time = { "2 % of the time", NO_LIMIT, 20000 };
	struct spent spent;
	uint8_t *memory;

	begin(&config_32, vcpus);
	memory = map_data(VMM_SMALL);
	sweep(vcpus);
	spent = hold(&few, seconds);
	ok(spent.most >= few.faults_per_s * 9 / 10 && seen.n > few.faults_per_s,
	   "%s: the budget is used, in one second and in the next", few.name);
	spent = hold(&time, seconds);
	ok(spent.s.trap.max_time_ppm >= time.time_ppm / 4, "%s: a part of the budget is used",
	   time.name);
	while (vm.nr_vcpus--)
		vmm_halt(&vm, vm.nr_vcpus);
	vm.nr_vcpus = vcpus;
	unmap_data(memory);
	end();
}

/* --- changes, and ends ----------------------------------------------------------------------- */

static void memory_changes(void)
{
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES);
	uint8_t *memory = map_data(VMM_SMALL);
	uint32_t i;
	pid_t pid;

	start(&t, PAGES);
	madvise(memory, SIZE / 2, MADV_DONTNEED);
	vmm_touch(&vm, 0, list, all_pages(VMM_WRITE));
	pass();
	ok(seen.n == PAGES && !got.bad, "pages returned to the host while armed: one sample each");
	arm(PAGES);

	pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	vmm_touch(&vm, 0, list, all_pages(VMM_READ));
	vmm_touch(&vm, 0, list, all_pages(VMM_WRITE));
	pass();
	for (i = 0; i < seen.n && seen.fault[i].access == KVM_EXT_ACCESS_READ; i++)
		;
	ok(seen.n == PAGES && i == PAGES, "the VMM forks: one sample each, of the first access");
	arm(PAGES);

	vmm_map(&vm, 1, VMM_DATA_GPA, 0, memory, 0);
	pass();
	ok(seen.n == 0 && stats().armed == 0,
	   "the memslot is deleted: no fault, and nothing is armed");
	vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, memory, 0);
	vmm_touch(&vm, 0, list, all_pages(VMM_WRITE));
	for (i = 0; i < 5; i++)
		pass();
	/* The pages that were returned to the host are zero now. */
	put_code(memory);
	vmm_touch(&vm, 0, list, all_pages(VMM_WRITE));
	arm(PAGES);
	vmm_touch(&vm, 0, list, all_pages(VMM_EXEC));
	pass();
	ok_eq(seen.n, PAGES, "the memslot is created again: one sample each");
	ok_eq(wrong_content(memory), 0,
	      "after changes of the memory: the guest's writes are in the memory");
	off();
	unmap_data(memory);
}

static void leaving(void)
{
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES), abit = kx_tracker(KVM_EXT_TRACKER_ABIT);
	uint8_t *memory = map_data(VMM_SMALL);

	start(&t, PAGES);
	off();
	vmm_touch(&vm, 0, list, all_pages(VMM_READ));
	usleep(20000);
	kx_read(&kx, &got);
	ok(seen.n == 0 && kx_stats(kx.fd).samples == 0,
	   "switched off while all pages are armed: no sample");
	ok_eq(wrong_content(memory), 0, "switched off: the guest continues");
	ok(kx_vm(kx.fd).mapped_4k >= PAGES, "switched off: all pages are mapped again");

	start(&t, PAGES);
	kx_start(&kx, &abit);
	vmm_touch(&vm, 0, list, all_pages(VMM_READ));
	clear_faults();
	pass();
	ok(seen.n == 0 && got.sum.samples >= PAGES,
	   "switched to another tracker: only samples of this tracker");

	start(&t, PAGES);
	kx_close(&kx);
	ok_eq(wrong_content(memory), 0,
	      "the session is closed while all pages are armed: the guest continues");
	ok(soon(session_threads, 0),
	   "the session is closed while all pages are armed: no thread is left");
	kx_attach(&kx, vm.fd, 1024);
	kx.hook = see_faults;
	start(&t, PAGES);
	vmm_touch(&vm, 0, list, all_pages(VMM_READ));
	pass();
	ok_eq(seen.n, PAGES, "a new session arms the pages again");
	off();
	unmap_data(memory);
}

/* Changes of the tracker, and ends of the session, while the guest faults all the time. */
static void under_load(int vcpus)
{
	struct kvm_ext_tracker t = trap(DATA_GFN, PAGES);
	uint8_t *memory;
	uint64_t before, late;
	int i;

	begin(&config_32, vcpus);
	memory = map_data(VMM_SMALL);
	sweep(vcpus);
	t.interval_ns = 1000000;
	for (i = 0; i < 40; i++) {
		if (kx_set(kx.fd, &t))
			bail("trap");
		usleep(rand() % 10000);
		if (i % 2) {
			off();
		} else {
			kx_close(&kx);
			kx_attach(&kx, vm.fd, 1024);
		}
	}
	before = sweeps(vcpus);
	late = now_ns() + 60 * SECOND;
	while (sweeps(vcpus) == before && now_ns() < late)
		usleep(10000);
	ok(sweeps(vcpus) > before, "40 ends under load: the guest continues");
	for (i = 0; i < vcpus; i++)
		vmm_halt(&vm, i);
	ok_eq(wrong_content(memory), 0, "40 ends under load: the guest's writes are in the memory");
	unmap_data(memory);
	end();
	ok(soon(session_threads, 0) && soon(module_references, 0),
	   "40 ends under load: no thread and no reference to the module is left");
}

static void killed(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_TRAP);
	struct child c;
	int i;

	t.trap_faults_per_s = NO_LIMIT;
	t.trap_time_ppm = NO_LIMIT;
	t.interval_ns = 1000000;
	for (i = 0; i < 10; i++) {
		c = child_start(PAGES);
		kx_attach(&kx, c.vm_fd, 0);
		close(c.vm_fd);
		if (kx_set(kx.fd, &t))
			bail("trap");
		usleep(rand() % 30000);
		kill(c.pid, SIGKILL);
		waitpid(c.pid, NULL, 0);
		close(c.socket);
		if (!hung_up(kx.fd))
			ok(false, "VMM killed during trap, round %d: the session polls POLLHUP", i);
		kx_close(&kx);
	}
	ok(soon(vms, 0) && soon(session_threads, 0) && soon(module_references, 0),
	   "10 VMMs killed during trap: no session, thread or VM is left");
}

/* With KX_EXPECT_REFUSAL: KVM runs in a mode in which its faults do not show what was accessed. */
static void refusal(void)
{
	struct kvm_ext_tracker t = trap(0, 0);

	begin(&config_32, 1);
	list[0] = vmm_read(0);
	vmm_touch(&vm, 0, list, 1);
	ok_errno(kx_set(kx.fd, &t), EOPNOTSUPP, "trap is refused");
	end();
}

int main(void)
{
	const int vcpus = one_cpu() ? 1 : 2, rounds = one_cpu() ? 10 : 30;
	uint8_t *memory;

	srand(5);
	if (getenv("KX_EXPECT_REFUSAL")) {
		refusal();
		return tap_end();
	}
	begin(&config_32, 2);
	memory = map_data(VMM_SMALL);
	one_each("32-bit guest", rounds);
	both();
	share();
	ranges();
	off();
	unmap_data(memory);
	larger_leaves(VMM_THP, "THP");
	larger_leaves(VMM_HUGETLB, "hugetlb 2M pages");
	covered();
	exchanged();
	not_exchanged();
	accessed_again();
	memory_changes();
	leaving();
	end();

	begin(&config_64, 1);
	memory = map_data(VMM_SMALL);
	one_each("64-bit guest", rounds);
	low_memory();
	unmap_data(memory);
	end();

	budgets();
	under_load(vcpus);
	killed();
	return tap_end();
}
