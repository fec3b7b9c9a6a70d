// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory that the module reports to hold for a VM (memory_bytes): it grows by exactly what a
 * larger setting allocates, as far as the sizes follow from the interface or from the VM's memory;
 * and as soon as the tracker is off, it is what it was at the beginning.
 *
 * What it cannot show: what the kernel's allocators need beyond the sizes that they are asked for.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define DATA_GFN (VMM_DATA_GPA / VMM_PAGE)
#define SIZE	 (64ul << 20)
#define PAGES	 (SIZE / VMM_PAGE)
#define RING	 64u

/* Bits of a bitmap, as the kernel allocates it. */
#define BITMAP(bits) (((bits) + 63) / 64 * 8)

static struct vmm vm;
static struct kx kx;
static uint64_t base;

static uint64_t held(void)
{
	return kx_stats(kx.fd).memory_bytes;
}

/* The memory that is held with setting @t after a pass. */
static uint64_t held_with(const struct kvm_ext_tracker *t)
{
	uint64_t pass;

	kx_start(&kx, t);
	if (kx_run_pass(kx.fd, &pass))
		bail("RUN_PASS: %s", strerror(errno));
	return held();
}

static void is_given_back(const char *name)
{
	struct kvm_ext_tracker off = kx_tracker(KVM_EXT_TRACKER_OFF);

	if (kx_set(kx.fd, &off))
		bail("SET_TRACKER off");
	ok_eq(held(), base, "%s: all of the tracker's memory is freed", name);
}

static struct kvm_ext_tracker of_data(uint32_t id)
{
	struct kvm_ext_tracker t = kx_tracker(id);

	t.first_gfn = DATA_GFN;
	t.npages = PAGES;
	return t;
}

/* --- the session itself -------------------------------------------------------------- */

static void attach_with(uint32_t ring_pages)
{
	kx.fd = kx_open();
	kx_attach(&kx, vm.fd, ring_pages);
}

static void rings(void)
{
	uint64_t small, large;

	attach_with(RING);
	small = held();
	kx_close(&kx);
	attach_with(4 * RING);
	large = held();
	kx_close(&kx);
	attach_with(RING);
	base = held();
	note("a session with a ring of %u pages: %llu bytes", RING, (unsigned long long)base);
	ok_eq(large - small, 3 * RING * VMM_PAGE,
	      "a larger ring needs exactly its additional pages");
	ok_eq(base, small, "a second session holds as much as the first");
	ok(base > (RING + 1) * VMM_PAGE && base < (RING + 1) * VMM_PAGE + 65536,
	   "without a tracker only the ring, its control page and little else is held");
}

/* --- trackers ------------------------------------------------------------------------ */

static void plain(uint32_t id, const char *name)
{
	struct kvm_ext_tracker t = of_data(id);
	uint64_t first = held_with(&t), again = held_with(&t);

	ok(first > base && first < base + 65536,
	   "%s: holds a list of memslots and little else (%llu bytes)", name,
	   (unsigned long long)(first - base));
	ok_eq(again, first, "%s: holds the same when it is set a second time", name);
	is_given_back(name);
}

static void regions(void)
{
	struct kvm_ext_tracker t = of_data(KVM_EXT_TRACKER_ABIT);
	uint64_t with[3];

	for (uint32_t i = 0; i < 3; i++) {
		t.regions_min = 10;
		t.regions_max = 1000 * (i + 1);
		with[i] = held_with(&t);
	}
	ok(with[1] - with[0] >= 1000 * sizeof(struct kvm_ext_region),
	   "regions: each additional region needs memory");
	ok_eq((with[1] - with[0]) % 1000, 0, "regions: each region needs the same number of bytes");
	ok_eq(with[2] - with[1], with[1] - with[0],
	      "regions: the memory grows in proportion to their number");
	is_given_back("regions");
}

/* For each fault the budget has room for a time, and the buffer for the fault. */
static void faults(void)
{
	struct kvm_ext_tracker t = of_data(KVM_EXT_TRACKER_TRAP);
	uint64_t few, many;

	t.trap_share_ppm = 100000;
	t.trap_faults_per_s = 1000;
	few = held_with(&t);
	t.trap_faults_per_s = 5000;
	many = held_with(&t);
	ok_eq(many - few, 4000 * (sizeof(uint64_t) + sizeof(struct kvm_ext_fault)),
	      "trap: 4000 more faults a second need room for 4000 more times and faults");
	is_given_back("trap");
}

/* Two bits for each mapping of each size that can be armed. */
static void traps(void)
{
	struct kvm_ext_tracker t = of_data(KVM_EXT_TRACKER_TRAP);
	uint64_t all, half;

	t.trap_share_ppm = 100000;
	all = held_with(&t);
	t.npages = PAGES / 2;
	half = held_with(&t);
	ok_eq(all - half,
	      2 * (BITMAP(PAGES) - BITMAP(PAGES / 2) + BITMAP(PAGES / 512) - BITMAP(PAGES / 1024)),
	      "trap: for half of the memory, two bits less for each page and block");
	is_given_back("trap of a part");
}

/*
 * The log needs a page, and a bit for each page of the largest memslot. Candidates need two bits
 * for each page.
 */
static void logs(void)
{
	struct kvm_ext_tracker log = of_data(KVM_EXT_TRACKER_DIRTY_LOG);
	struct kvm_ext_tracker candidates = of_data(KVM_EXT_TRACKER_PML_ABIT);
	uint64_t with_log, with_candidates, bitmap = BITMAP(PAGES);

	with_log = held_with(&log);
	is_given_back("dirty-log");
	with_candidates = held_with(&candidates);
	is_given_back("pml-abit");
	note("dirty-log %llu, pml-abit %llu bytes", (unsigned long long)(with_log - base),
	     (unsigned long long)(with_candidates - base));
	ok(with_log - base >= VMM_PAGE + bitmap && with_log - base < 3 * VMM_PAGE + bitmap,
	   "dirty-log: holds a bit for each page, and little else");
	ok(with_candidates - with_log >= 2 * bitmap && with_candidates - with_log < 2 * bitmap + 64,
	   "pml-abit: holds two more bits for each page");
}

/* --- excluded memory ----------------------------------------------------------------- */

static void exclude(const struct kvm_ext_range *ranges, uint32_t nr)
{
	struct kvm_ext_excluded x = { .size = sizeof(x),
				      .ranges = (uintptr_t)ranges,
				      .nr_ranges = nr };

	if (ioctl(kx.fd, KVM_EXT_SET_EXCLUDED, &x))
		bail("SET_EXCLUDED: %s", strerror(errno));
}

/* For each page, a pointer to the page and the two ends of its span. */
static void excluded(void)
{
	const struct kvm_ext_range ranges[] = { { DATA_GFN + 100, 9 }, { DATA_GFN + 700, 1 } };

	exclude(ranges, 2);
	ok_eq(held() - base, 10 * 3 * sizeof(uint64_t), "ten excluded pages: three words each");
	exclude(NULL, 0);
	ok_eq(held(), base, "no longer excluded: all of this memory is freed");
}

/* --- memory that lives for a call ------------------------------------------------------- */

static volatile bool asked_enough;

static void *ask_for_vm(void *fd)
{
	while (!asked_enough)
		kx_vm(*(int *)fd);
	return NULL;
}

/* GET_VM allocates and frees a list of memslots, which statistics read meanwhile do not contain. */
static void snapshots(void)
{
	uint64_t other = base;
	pthread_t thread;

	if (pthread_create(&thread, NULL, ask_for_vm, &kx.fd))
		bail("thread");
	for (int i = 0; i < 20000 && other == base; i++)
		other = held();
	asked_enough = true;
	pthread_join(thread, NULL);
	ok_eq(other, base, "a list that lives for a call is not counted");
}

/* --- older callers ------------------------------------------------------------------- */

static void older_caller(void)
{
	struct kvm_ext_stats st;

	memset(&st, 0x55, sizeof(st));
	st.size = offsetof(struct kvm_ext_stats, memory_bytes);
	st.flags = 0;
	ok(ioctl(kx.fd, KVM_EXT_GET_STATS, &st) == 0 && st.memory_bytes == 0x5555555555555555ull,
	   "the field is not written for a caller that does not know it");
}

int main(void)
{
	void *data = vmm_memory(SIZE, VMM_SMALL);

	vmm_create(&vm, 1, -1);
	if (!data || vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, data, 0))
		bail("guest memory");
	rings();
	plain(KVM_EXT_TRACKER_ABIT, "abit");
	plain(KVM_EXT_TRACKER_ABIT_FLUSH, "abit-flush");
	plain(KVM_EXT_TRACKER_EPT_WALK, "ept-walk");
	regions();
	faults();
	traps();
	logs();
	excluded();
	snapshots();
	older_caller();
	kx_close(&kx);
	vmm_destroy(&vm);
	vmm_free(data, SIZE);
	return tap_end();
}
