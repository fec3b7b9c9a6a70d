// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KVM's tracepoints exist once for all VMs of the host. Does `trap` enable them only while mappings
 * are armed, and does it still see every fault? What do the tracepoints cost another VM meanwhile?
 *
 * What it cannot show: what a VM entry costs on hardware. The figures of the other VM are valid
 * only in comparison with each other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define DATA_GFN (VMM_DATA_GPA / VMM_PAGE)
#define PAGES	 512u
#define MS	 1000000ull
#define SECOND	 (1000 * MS)
#define LIMIT	 (120 * SECOND) /* for work that takes some seconds on an idle machine */

static struct vmm vm, other;
static struct kx kx;
static struct kx_samples got;
static uint32_t list[PAGES];

static void begin(void)
{
	const struct vmm_config config = { .mode = VMM_64 };
	void *memory;
	uint32_t i;

	vmm_create_as(&vm, &config, 1, -1);
	vmm_create_as(&other, &config, 1, -1);
	memory = vmm_memory(PAGES * VMM_PAGE, VMM_SMALL);
	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, PAGES * VMM_PAGE, memory, 0))
		bail("guest memory");
	for (i = 0; i < PAGES; i++)
		list[i] = vmm_write(DATA_GFN + i);
	vmm_touch(&vm, 0, list, PAGES);
	kx_attach(&kx, vm.fd, 1024);
	kx_samples_init(&got);
}

static void end(void)
{
	kx_samples_free(&got);
	kx_close(&kx);
	vmm_destroy(&other);
	vmm_destroy(&vm);
}

static void trap(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_TRAP);

	t.first_gfn = DATA_GFN;
	t.npages = PAGES;
	t.trap_faults_per_s = 1000000;
	t.trap_time_ppm = 1000000;
	if (kx_set(kx.fd, &t))
		bail("SET_TRACKER");
}

static void off(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_OFF);

	if (kx_set(kx.fd, &t))
		bail("off");
}

/* Collects faults, and arms pages until all are armed. */
static struct kvm_ext_stats arm(void)
{
	struct kvm_ext_stats s;
	int i = 0;

	do {
		if (kx_run_pass(kx.fd, NULL))
			bail("RUN_PASS");
		kx_read(&kx, &got);
		s = kx_stats(kx.fd);
	} while (s.trap.armed < PAGES && ++i < 50);
	if (s.trap.armed < PAGES)
		bail("%llu of %u pages are armed", (unsigned long long)s.trap.armed, PAGES);
	return s;
}

/*
 * All pages fault soon after they were armed, and nothing is armed until the next pass. If the
 * tracepoints are disabled then, the share of the time in which they are enabled becomes smaller
 * with each round, also if a busy machine disables them late.
 */
static void while_armed(void)
{
	uint64_t start = now_ns(), faults = 0, rounds = 0, ns;
	struct kvm_ext_stats s;

	trap();
	arm();
	do {
		vmm_touch(&vm, 0, list, PAGES);
		faults += PAGES;
		sleep(1);
		s = arm();
		ns = s.now_ns - s.start_ns;
		rounds++;
	} while ((rounds < 3 || s.trap_listened_ns * 2 > ns) && now_ns() - start < LIMIT);
	ok(s.trap_listened_ns * 2 <= ns && s.trap_listened_ns > 0,
	   "without armed pages the tracepoints are disabled (enabled for %llu of %llu ms, %llu "
	   "rounds)",
	   (unsigned long long)(s.trap_listened_ns / MS), (unsigned long long)(ns / MS),
	   (unsigned long long)rounds);
	ok_eq(s.trap.faults, faults, "when the tracepoints are enabled again, no fault is missed");
	ok(s.trap.timed_faults > 0 && s.trap.timed_faults <= faults &&
		   s.trap.fault_ns <= s.trap.timed_faults * MS,
	   "no fault is timed from one time of listening to the next");
	off();
}

/* While pages are armed and not accessed, the tracepoints stay enabled. */
static void while_not_touched(void)
{
	struct kvm_ext_stats s;
	uint64_t ns;

	trap();
	arm();
	sleep(2);
	vmm_touch(&vm, 0, list, PAGES);
	s = arm();
	ns = s.now_ns - s.start_ns;
	ok_eq(s.trap.faults, PAGES, "faults of pages that are accessed late are seen");
	ok(s.trap_listened_ns * 4 >= ns * 3,
	   "meanwhile the tracepoints stay enabled (%llu of %llu ms)",
	   (unsigned long long)(s.trap_listened_ns / MS), (unsigned long long)(ns / MS));
	off();
}

/* --- another VM ------------------------------------------------------------------------ */

#define ROUNDS 15
#define EXITS  2000

/* The time of a VM exit of the other VM, and of the next VM entry, in ns. */
static double exits(void)
{
	const uint32_t one = vmm_read(0);
	uint64_t start = now_ns();
	int i;

	for (i = 0; i < EXITS; i++)
		vmm_touch(&other, 0, &one, 1);
	return (double)(now_ns() - start) / EXITS;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

static void cost_to_another(void)
{
	double with[ROUNDS], without[ROUNDS], a, b;
	int i;

	exits();
	for (i = 0; i < ROUNDS; i++) {
		without[i] = exits();
		trap();
		arm();
		with[i] = exits();
		off();
	}
	a = median(without);
	b = median(with);
	note("another VM's exit and entry: %.0f ns, %.0f ns while trap listens (%+.1f %%), medians "
	     "of %d times %d",
	     a, b, 100 * (b - a) / a, ROUNDS, EXITS);
}

int main(void)
{
	begin();
	while_armed();
	while_not_touched();
	cost_to_another();
	end();
	return tap_end();
}
