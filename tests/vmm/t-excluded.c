// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Excluded pages, which no tracker may touch: with each tracker these pages are not reported, their
 * A bits stay as the guest has set them, and they are pinned. All other pages are tracked exactly.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define DATA_GFN (VMM_DATA_GPA / VMM_PAGE)
#define SIZE	 (16ul << 20)
#define PAGES	 (SIZE / VMM_PAGE)
#define ALL	 1000000u

/* Pages in a block, a single page, and two pages of which one is the last page of a block. */
static const struct kvm_ext_range chosen[] = {
	{ DATA_GFN + 100, 9 },
	{ DATA_GFN + 700, 1 },
	{ DATA_GFN + 1535, 2 },
};
#define NR_CHOSEN    3
#define PAGES_CHOSEN 12

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static uint32_t list[PAGES];

static int exclude(int fd, const struct kvm_ext_range *ranges, uint32_t nr, uint64_t *pages)
{
	struct kvm_ext_excluded x = {
		.size = sizeof(x),
		.ranges = (uintptr_t)ranges,
		.nr_ranges = nr,
	};
	int ret = ioctl(fd, KVM_EXT_SET_EXCLUDED, &x);

	if (pages)
		*pages = x.pages;
	return ret;
}

static bool is_chosen(uint64_t gfn)
{
	for (int i = 0; i < NR_CHOSEN; i++) {
		if (gfn >= chosen[i].gfn && gfn < chosen[i].gfn + chosen[i].npages)
			return true;
	}
	return false;
}

/* Number of reported data pages that are chosen, or that are not chosen. */
static uint64_t reported(bool of_chosen)
{
	uint64_t n = 0;

	for (uint64_t gfn = DATA_GFN; gfn < DATA_GFN + PAGES; gfn++)
		n += got.page[gfn] && is_chosen(gfn) == of_chosen;
	return n;
}

/* How many KiB of this process are pinned. */
static long pinned_kb(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	long kb = -1;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmPin: %ld", &kb);
	if (f)
		fclose(f);
	return kb;
}

static void write_all(void)
{
	for (uint32_t i = 0; i < PAGES; i++)
		list[i] = vmm_write(DATA_GFN + i);
	vmm_touch(&vm, 0, list, PAGES);
}

static void *begin(enum vmm_log log, enum vmm_backing backing)
{
	const struct vmm_config config = { .log = log, .io_exit = true };
	void *memory = vmm_memory(SIZE, backing);

	if (!memory)
		bail("memory");
	vmm_create_as(&vm, &config, 1, -1);
	if (vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, memory, 0))
		bail("memslot");
	write_all();
	kx_attach(&kx, vm.fd, 256);
	return memory;
}

static void end(void *memory)
{
	kx_close(&kx);
	vmm_destroy(&vm);
	vmm_free(memory, SIZE);
}

/* --- trackers ---------------------------------------------------------------------------- */

static void start(uint32_t id)
{
	struct kvm_ext_tracker t = kx_tracker(id);

	if (id == KVM_EXT_TRACKER_TRAP) {
		t.trap_faults_per_s = KVM_EXT_TRAP_FAULTS_MAX;
		t.trap_time_ppm = ALL;
	}
	if (id == KVM_EXT_TRACKER_ABIT_FLUSH || id == KVM_EXT_TRACKER_EPT_WALK)
		t.flush_scope = KVM_EXT_FLUSH_PAGE;
	kx_start(&kx, &t);
}

/* A tracker that runs when a list of pages is set does not touch these pages any more. */
static void leaves_alone(const char *name, uint32_t id)
{
	uint64_t epoch;

	start(id);
	epoch = kx_stats(kx.fd).epoch;
	if (exclude(kx.fd, chosen, NR_CHOSEN, NULL))
		bail("KVM_EXT_SET_EXCLUDED");
	kx_pass(&kx, &got); /* a log that starts anew reports nothing yet */
	write_all();
	kx_pass(&kx, &got);
	ok_eq(reported(true), 0, "%s: no excluded page is reported", name);
	ok_eq(reported(false), PAGES - PAGES_CHOSEN, "%s: every other page is reported", name);
	ok_eq(kx_stats(kx.fd).epoch, epoch, "%s: the account continues", name);
}

static void exclude_nothing(void)
{
	if (exclude(kx.fd, NULL, 0, NULL))
		bail("KVM_EXT_SET_EXCLUDED of nothing");
}

/*
 * When pages are not excluded any more, a pass finds the A bits that were not cleared; the guest
 * has done nothing since. It is unknown when these pages were accessed, so this pass primes, and
 * reports nothing in the ring. But it flushes after each page that it finds, so the flushes show
 * the number of pages.
 */
static void kept_their_bits(const char *name, uint32_t id)
{
	leaves_alone(name, id);
	exclude_nothing();
	kx_pass(&kx, &got);
	ok(got.primes == 1 && got.ends == 2 && !got.cuts && !got.bad,
	   "%s: the first pass over pages that are tracked again primes", name);
	ok_eq(reported(true) + reported(false), 0, "%s: nothing is reported of these pages", name);
	ok(got.all.flushes >= PAGES_CHOSEN && got.all.flushes < 2 * PAGES_CHOSEN,
	   "%s: excluded pages, and no others, still have the A bits that the guest set (%llu "
	   "flushes)",
	   name, (unsigned long long)got.all.flushes);
	write_all();
	kx_pass(&kx, &got);
	ok_eq(reported(true) + reported(false), PAGES, "%s: without a list every page is reported",
	      name);
}

static void trackers(void)
{
	void *memory = begin(VMM_LOG_ALL_SET, VMM_SMALL);

	kept_their_bits("abit-flush", KVM_EXT_TRACKER_ABIT_FLUSH);
	kept_their_bits("ept-walk", KVM_EXT_TRACKER_EPT_WALK);
	leaves_alone("dirty-log", KVM_EXT_TRACKER_DIRTY_LOG);
	exclude_nothing();
	leaves_alone("pml-abit", KVM_EXT_TRACKER_PML_ABIT);
	exclude_nothing();
	leaves_alone("trap", KVM_EXT_TRACKER_TRAP);
	exclude_nothing();
	end(memory);
}

static void from_the_start(void)
{
	void *memory = begin(VMM_LOG_ALL_SET, VMM_SMALL);
	uint64_t pages;

	exclude(kx.fd, chosen, NR_CHOSEN, &pages);
	ok_eq(pages, PAGES_CHOSEN, "all pages of the list are RAM");
	ok_eq(kx_vm(kx.fd).ram_pages, (SIZE + VMM_LOW_SIZE) / VMM_PAGE,
	      "the VM has as much memory as before");
	start(KVM_EXT_TRACKER_ABIT_FLUSH);
	kx_pass(&kx, &got);
	ok_eq(got.sum.pages_scanned, (SIZE + VMM_LOW_SIZE) / VMM_PAGE - PAGES_CHOSEN,
	      "excluded pages do not count as scanned");
	end(memory);
}

/* A huge page has one A bit for the whole block. */
static void large_leaf(const char *name, uint32_t id)
{
	const struct kvm_ext_range one = { DATA_GFN + 512 + 77, 1 };
	uint64_t pages, in_block = 0, elsewhere = 0;

	if (exclude(kx.fd, &one, 1, &pages))
		bail("KVM_EXT_SET_EXCLUDED");
	start(id);
	write_all();
	kx_pass(&kx, &got);
	for (uint64_t i = 0; i < PAGES; i++)
		*(i / 512 == 1 ? &in_block : &elsewhere) += got.page[DATA_GFN + i] != 0;
	ok_eq(in_block, 0, "%s: the huge page that contains an excluded page is not reported",
	      name);
	ok_eq(elsewhere, PAGES - 512, "%s: the other huge pages are reported", name);
	ok_eq(pages, 1, "%s: only the page itself is counted as excluded", name);
}

static void huge_pages(void)
{
	void *memory = begin(VMM_LOG_ALL_SET, VMM_THP);

	large_leaf("abit-flush", KVM_EXT_TRACKER_ABIT_FLUSH);
	large_leaf("ept-walk", KVM_EXT_TRACKER_EPT_WALK);
	end(memory);
}

/* A log mode in which KVM write-protects a memslot as a whole. */
static void plain_log(void)
{
	void *memory = begin(VMM_LOG_PLAIN, VMM_SMALL);

	exclude(kx.fd, chosen, NR_CHOSEN, NULL);
	start(KVM_EXT_TRACKER_DIRTY_LOG);
	ok_eq(kx_stats(kx.fd).log.pages, VMM_LOW_SIZE / VMM_PAGE,
	      "a plain log: a memslot with excluded pages is not logged, the other memslot is");
	exclude(kx.fd, NULL, 0, NULL);
	kx_pass(&kx, &got);
	ok_eq(kx_stats(kx.fd).log.pages, (VMM_LOW_SIZE + SIZE) / VMM_PAGE,
	      "a plain log: without excluded pages both memslots are logged");
	end(memory);
}

/* --- the ioctl ------------------------------------------------------------------------------- */

static void pins(void)
{
	long before = pinned_kb();
	void *memory = begin(VMM_LOG_PLAIN, VMM_SMALL);

	exclude(kx.fd, chosen, NR_CHOSEN, NULL);
	ok_eq(pinned_kb() - before, PAGES_CHOSEN * 4, "excluded pages are pinned");
	exclude(kx.fd, chosen, 1, NULL);
	ok_eq(pinned_kb() - before, chosen[0].npages * 4, "a new list replaces the old one");
	exclude(kx.fd, NULL, 0, NULL);
	ok_eq(pinned_kb() - before, 0, "without a list no page is pinned");
	exclude(kx.fd, chosen, NR_CHOSEN, NULL);
	kx_close(&kx);
	ok_eq(pinned_kb() - before, 0, "after the session no page is pinned");
	kx_attach(&kx, vm.fd, 256);
	end(memory);
}

static void refusals(void)
{
	const struct kvm_ext_range unsorted[] = { chosen[1], chosen[0] };
	const struct kvm_ext_range empty = { DATA_GFN, 0 };
	const struct kvm_ext_range many = { DATA_GFN, PAGES };
	const struct kvm_ext_range nowhere = { 1ull << 30, 1ull << 40 };
	void *memory = begin(VMM_LOG_PLAIN, VMM_SMALL), *big;
	uint64_t pages = 1;
	int fd = kx_open();

	ok_errno(exclude(fd, chosen, 1, NULL), ENOTCONN, "without a VM the ioctl is refused");
	close(fd);
	ok_errno(exclude(kx.fd, unsorted, 2, NULL), EINVAL, "a list that is not sorted is refused");
	ok_errno(exclude(kx.fd, &empty, 1, NULL), EINVAL, "an empty range is refused");
	ok_errno(exclude(kx.fd, (void *)8, 1, NULL), EFAULT,
		 "an address that cannot be read is refused");
	ok_errno(exclude(kx.fd, chosen, KVM_EXT_RANGES_MAX + 1, NULL), EINVAL,
		 "a list that is too long is refused");
	ok(!exclude(kx.fd, &nowhere, 1, &pages) && !pages, "a range without RAM excludes no page");
	ok(!exclude(kx.fd, &many, 1, &pages) && pages == PAGES, "all of a memslot can be excluded");
	big = vmm_fresh_memory(KVM_EXT_EXCLUDED_PAGES_MAX * VMM_PAGE + SIZE, VMM_SMALL);
	if (!big ||
	    vmm_map(&vm, 2, 512ul << 20, KVM_EXT_EXCLUDED_PAGES_MAX * VMM_PAGE + SIZE, big, 0))
		bail("a large memslot");
	ok_errno(exclude(kx.fd, &(struct kvm_ext_range){ 0, 1ull << 40 }, 1, NULL), E2BIG,
		 "more pages than KVM_EXT_EXCLUDED_PAGES_MAX are refused");
	munmap(big, SIZE);
	ok_errno(exclude(kx.fd, &(struct kvm_ext_range){ 512ul << 8, 1 }, 1, NULL), EFAULT,
		 "memory that the VMM has unmapped is refused");
	start(KVM_EXT_TRACKER_ABIT_FLUSH);
	write_all();
	kx_pass(&kx, &got);
	ok_eq(reported(true) + reported(false), 0, "after an error the old list stays in effect");
	end(memory);
}

/* --- changes while a tracker runs ------------------------------------------------------------ */

/* Lists are set and removed while passes and the guest run. */
static void changes(void)
{
	void *memory = begin(VMM_LOG_ALL_SET, VMM_SMALL);
	static const uint32_t ids[] = { KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_TRACKER_EPT_WALK,
					KVM_EXT_TRACKER_DIRTY_LOG, KVM_EXT_TRACKER_TRAP };
	bool good = true;

	write_all();
	vmm_loop(&vm, 0, list, PAGES);
	for (int i = 0; i < 40; i++) {
		struct kvm_ext_tracker t = kx_tracker(ids[i / 10]);
		uint32_t nr = i % (NR_CHOSEN + 1);

		t.interval_ns = 1000000;
		good &= i % 10 || !kx_set(kx.fd, &t);
		good &= !exclude(kx.fd, nr ? chosen : NULL, nr, NULL);
		usleep(2000);
		kx_discard(&kx);
	}
	vmm_halt(&vm, 0);
	ok(good, "the list changes 40 times while passes and the guest run");
	end(memory);
}

int main(void)
{
	kx_samples_init(&got);
	trackers();
	from_the_start();
	huge_pages();
	plain_log();
	pins();
	refusals();
	changes();
	kx_samples_free(&got);
	return tap_end();
}
