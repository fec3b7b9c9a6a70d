// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The VM's memory changes while passes run: memslots are created, moved and deleted, pages are
 * returned to the host (by a balloon or by swap), the VMM forks, SMM has memory of its own.
 *
 * Expected: nothing is reported where there is no memory any more; all reported pages are right;
 * the next pass is exact again.
 */
#define _GNU_SOURCE
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define DATA_GFN  (VMM_DATA_GPA / VMM_PAGE)
#define SIZE	  (16ul << 20)
#define PAGES	  (SIZE / VMM_PAGE)
#define MOVED_GPA (256ul << 20)
#define MOVED_GFN (MOVED_GPA / VMM_PAGE)

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static uint32_t list[PAGES];

static uint32_t every_third(uint64_t gfn)
{
	uint32_t n = 0, i;

	for (i = 0; i < PAGES; i += 3)
		list[n++] = vmm_write(gfn + i);
	return n;
}

/* Is every third page from @gfn on reported, and no other page? */
static bool exactly_every_third(uint64_t gfn)
{
	uint32_t i;

	for (i = 0; i < PAGES; i++) {
		if (got.page[gfn + i] != (i % 3 == 0))
			return false;
	}
	return true;
}

static uint64_t reported(uint64_t gfn, uint64_t npages)
{
	uint64_t n = 0, i;

	for (i = 0; i < npages; i++)
		n += got.page[gfn + i] != 0;
	return n;
}

static void start(uint32_t id)
{
	struct kvm_ext_tracker t = kx_tracker(id);

	kx_start(&kx, &t);
}

/* --- one change between two passes ----------------------------------------------------- */

static void between_passes(void *memory)
{
	uint32_t n = every_third(DATA_GFN);

	start(KVM_EXT_TRACKER_ABIT_FLUSH);
	vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, memory, 0);
	vmm_touch(&vm, 0, list, n);
	kx_pass(&kx, &got);
	ok(exactly_every_third(DATA_GFN), "the next pass tracks a new memslot");

	vmm_touch(&vm, 0, list, n);
	vmm_map(&vm, 1, VMM_DATA_GPA, 0, memory, 0);
	kx_pass(&kx, &got);
	ok_eq(reported(DATA_GFN, PAGES), 0, "nothing is reported of a deleted memslot");

	vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, memory, 0);
	vmm_touch(&vm, 0, list, n);
	vmm_map(&vm, 1, MOVED_GPA, SIZE, memory, 0);
	kx_pass(&kx, &got);
	ok_eq(reported(DATA_GFN, PAGES) + reported(MOVED_GFN, PAGES), 0,
	      "a move unmaps the memslot: nothing is reported at either place");
	n = every_third(MOVED_GFN);
	vmm_touch(&vm, 0, list, n);
	kx_pass(&kx, &got);
	ok(exactly_every_third(MOVED_GFN) && !reported(DATA_GFN, PAGES),
	   "pages that are accessed after the move are reported by their new gfns");
	vmm_map(&vm, 1, MOVED_GPA, 0, memory, 0);
}

static void read_only(void *memory)
{
	struct kvm_ext_vm with, without;

	without = kx_vm(kx.fd);
	if (vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, memory, KVM_MEM_READONLY))
		bail("read-only memslot");
	with = kx_vm(kx.fd);
	ok(with.memslots == without.memslots && with.ram_pages == without.ram_pages,
	   "a read-only memslot does not count as RAM");
	vmm_map(&vm, 1, VMM_DATA_GPA, 0, memory, 0);
}

/* Two memslots of the same memory, which is tracked by hva and reported by the first gfn. */
static void alias(void *memory)
{
	uint32_t n = every_third(DATA_GFN);
	struct kvm_ext_vm before = kx_vm(kx.fd), after;
	int i;

	vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, memory, 0);
	vmm_map(&vm, 2, MOVED_GPA, SIZE, memory, 0);
	after = kx_vm(kx.fd);
	ok_eq(after.ram_pages - before.ram_pages, PAGES, "memory that is mapped twice counts once");
	start(KVM_EXT_TRACKER_ABIT);
	vmm_touch(&vm, 0, list, n);
	kx_pass(&kx, &got);
	ok(exactly_every_third(DATA_GFN) && !reported(MOVED_GFN, PAGES),
	   "an access at the first gfn is reported once");
	n = every_third(MOVED_GFN);
	vmm_touch(&vm, 0, list, n);
	kx_pass(&kx, &got);
	ok(exactly_every_third(DATA_GFN) && !reported(MOVED_GFN, PAGES),
	   "an access at the second gfn is reported at the first gfn");
	for (i = 1; i <= 2; i++)
		vmm_map(&vm, i, 0, 0, memory, 0);
}

/* --- pages that are returned to the host ---------------------------------------------------- */

#define PART	   (4ul << 20) /* size of a memslot in side_by_side() */
#define PART_PAGES (PART / VMM_PAGE)

/* Asserts that each page was found once, through @samples leaves, and no finding was dropped. */
static void all_found(uint32_t nr, uint64_t samples, const char *backing, const char *what)
{
	struct kvm_ext_stats stats = kx_stats(kx.fd);

	ok(reported(MOVED_GFN, nr * PART_PAGES) == nr * PART_PAGES && got.samples == samples &&
		   !got.bad && !stats.dropped_pages,
	   "%u memslots side by side, %s, %s: all pages are found (%llu pages, %llu samples), "
	   "%llu dropped",
	   nr, backing, what, (unsigned long long)reported(MOVED_GFN, nr * PART_PAGES),
	   (unsigned long long)got.samples, (unsigned long long)stats.dropped_pages);
}

/* Memslots that are contiguous by gfn and by hva, as a VMM with virtio-mem makes them. */
static void side_by_side(enum vmm_backing backing, uint32_t nr)
{
	static const struct {
		uint32_t id, granularity, by_block;
		const char *name;
	} ways[] = {
		{ KVM_EXT_TRACKER_ABIT, KVM_EXT_GRANULARITY_4K, 0, "abit by 4K" },
		{ KVM_EXT_TRACKER_ABIT, KVM_EXT_GRANULARITY_2M, 1, "abit by 2M" },
		{ KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_4K, 0, "abit-flush by 4K" },
		{ KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_2M, 1, "abit-flush by 2M" },
		{ KVM_EXT_TRACKER_EPT_WALK, KVM_EXT_GRANULARITY_4K, 0, "ept-walk by 4K" },
		{ KVM_EXT_TRACKER_EPT_WALK, KVM_EXT_GRANULARITY_2M, 1, "ept-walk by 2M" },
		{ KVM_EXT_TRACKER_DIRTY_LOG, 0, 0, "dirty-log" },
		{ KVM_EXT_TRACKER_PML_ABIT, 0, 0, "pml-abit" },
	};
	const char *name = backing == VMM_THP ? "THP" : "4K pages";
	uint8_t *memory = vmm_memory(nr * PART, backing);
	uint64_t pages = nr * PART_PAGES, leaves;
	uint32_t i;
	size_t w;

	if (!memory)
		bail("memory");
	for (i = 0; i < nr; i++) {
		if (vmm_map(&vm, 1 + i, MOVED_GPA + i * PART, PART, memory + i * PART, 0))
			bail("memslot %u", i);
	}
	for (i = 0; i < pages; i++)
		list[i] = vmm_write(MOVED_GFN + i);
	vmm_touch(&vm, 0, list, pages);
	for (w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
		struct kvm_ext_tracker t = kx_tracker(ways[w].id);

		t.granularity = ways[w].granularity;
		t.first_gfn = MOVED_GFN;
		t.npages = pages;
		kx_start(&kx, &t);
		vmm_touch(&vm, 0, list, pages);
		kx_pass(&kx, &got);
		leaves = ways[w].by_block || (backing == VMM_THP && t.granularity) ? pages / 512
										   : pages;
		all_found(nr, leaves, name, ways[w].name);
	}
	for (i = 0; i < nr; i++)
		vmm_map(&vm, 1 + i, 0, 0, memory, 0);
	vmm_free(memory, nr * PART);
}

static void balloon(enum vmm_backing backing, const char *name)
{
	uint8_t *memory = vmm_memory(SIZE, backing);
	uint32_t n = every_third(DATA_GFN), i;
	bool exact;

	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, memory, 0))
		bail("guest memory");
	start(KVM_EXT_TRACKER_ABIT_FLUSH);
	vmm_touch(&vm, 0, list, n);
	madvise(memory, SIZE / 2, MADV_DONTNEED);
	kx_pass(&kx, &got);
	ok_eq(reported(DATA_GFN, PAGES / 2), 0,
	      "%s: pages that were returned to the host are not reported", name);
	ok(reported(DATA_GFN + PAGES / 2, PAGES / 2) >= PAGES / 6,
	   "%s: the remaining pages are reported", name);

	/* The pages are mapped again one by one, as small pages. */
	madvise(memory, SIZE, MADV_NOHUGEPAGE);
	madvise(memory, SIZE, MADV_DONTNEED);
	vmm_touch(&vm, 0, list, n);
	kx_pass(&kx, &got);
	exact = exactly_every_third(DATA_GFN);
	for (i = 0; i < 10; i++) {
		vmm_touch(&vm, 0, list, n);
		kx_pass(&kx, &got);
		exact &= exactly_every_third(DATA_GFN);
	}
	ok(exact, "%s: pages that are mapped again are reported exactly", name);
	vmm_map(&vm, 1, VMM_DATA_GPA, 0, memory, 0);
	vmm_free(memory, SIZE);
}

/* A fork makes the VMM's pages copy-on-write, so KVM unmaps these pages. */
static void vmm_forks(void *memory)
{
	uint32_t n = every_third(DATA_GFN);
	int status;
	pid_t pid;

	vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, memory, 0);
	start(KVM_EXT_TRACKER_ABIT_FLUSH);
	vmm_touch(&vm, 0, list, n);
	pid = fork();
	if (pid == 0) {
		/* The child has the descriptors, but not the VM's memory. This must be harmless. */
		kx_run_pass(kx.fd, NULL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status), "a child of the VMM can use the session");
	kx_pass(&kx, &got);
	vmm_touch(&vm, 0, list, n);
	kx_pass(&kx, &got);
	ok(exactly_every_third(DATA_GFN), "after a fork of the VMM passes are exact again");
	ok(!(kx_stats(kx.fd).state & KVM_EXT_STATE_VM_GONE),
	   "the end of the child does not count as the end of the VM");
	vmm_map(&vm, 1, VMM_DATA_GPA, 0, memory, 0);
}

/* --- changes in the middle of passes ----------------------------------------------------------- */

static volatile bool stop_passes;

static void *pass_loop(void *arg)
{
	(void)arg;
	while (!stop_passes)
		kx_run_pass(kx.fd, NULL);
	return NULL;
}

static void during_passes(void *memory)
{
	uint64_t here = 0, there = 0, elsewhere = 0, gfn;
	uint32_t n = every_third(DATA_GFN);
	struct kvm_ext_stats stats;
	pthread_t thread;
	int i;

	start(KVM_EXT_TRACKER_ABIT_FLUSH);
	kx_samples_clear(&got);
	stop_passes = false;
	pthread_create(&thread, NULL, pass_loop, NULL);
	for (i = 0; i < 100; i++) {
		uint64_t gpa = i % 2 ? MOVED_GPA : VMM_DATA_GPA;

		if (vmm_map(&vm, 1, gpa, SIZE, memory, 0))
			bail("memslot");
		n = every_third(gpa / VMM_PAGE);
		vmm_touch(&vm, 0, list, n);
		usleep(rand() % 4000);
		kx_read(&kx, &got);
		/* Half of the changes delete the memslot, half of them move it. */
		if (i % 4 == 3)
			vmm_map(&vm, 1, gpa, 0, memory, 0);
	}
	stop_passes = true;
	pthread_join(thread, NULL);
	kx_read(&kx, &got);
	stats = kx_stats(kx.fd);
	for (gfn = 0; gfn < KX_GFNS; gfn++) {
		if (!got.page[gfn])
			continue;
		if (gfn >= DATA_GFN && gfn < DATA_GFN + PAGES)
			here += (gfn - DATA_GFN) % 3 == 0 ? 1 : 1000000;
		else if (gfn >= MOVED_GFN && gfn < MOVED_GFN + PAGES)
			there += (gfn - MOVED_GFN) % 3 == 0 ? 1 : 1000000;
		else if (gfn >= VMM_LOW_SIZE / VMM_PAGE)
			elsewhere++;
	}
	note("%llu passes, %llu met changed memslots, %llu pages found and dropped",
	     (unsigned long long)stats.passes, (unsigned long long)stats.slot_changes,
	     (unsigned long long)stats.dropped_pages);
	ok(stats.slot_changes > 0, "memslots changed while passes ran");
	ok(here > 0 && here < 1000000 && there > 0 && there < 1000000,
	   "pages at both places were reported, and only pages that were accessed");
	ok_eq(elsewhere, 0, "nothing was reported elsewhere");
	ok_eq(got.bad, 0, "the records were always in order");
	vmm_map(&vm, 1, 0, 0, memory, 0);
}

/* More memslots than are copied in one read section (1024); creating and deleting one takes KVM long. */
#define MANY	  2048u
#define MANY_SLOT 100u
#define MANY_GAP  2ul /* pages from one memslot to the next: they are not contiguous */

static volatile bool stop_changes;
static volatile uint64_t changes;

/* Changes a memslot until @stop_changes; ends by itself only if the test hangs. */
static void *change_loop(void *memory)
{
	uint64_t end = now_ns() + 300000000000ull;

	while (!stop_changes && now_ns() < end) {
		changes++;
		if (vmm_map(&vm, 1, VMM_DATA_GPA, VMM_PAGE, memory,
			    changes % 2 ? KVM_MEM_LOG_DIRTY_PAGES : 0))
			bail("a memslot's log");
	}
	return (void *)(uintptr_t)!stop_changes;
}

/* A call that reads all memslots ends, although a memslot changes each time before it ends. */
static void without_pause(uint8_t *memory)
{
	struct kvm_ext_vm before = kx_vm(kx.fd), info = { 0 };
	pthread_t thread;
	void *by_itself;
	uint64_t i, seen = 0;

	for (i = 0; i < MANY; i++) {
		if (vmm_map(&vm, MANY_SLOT + i, MOVED_GPA + i * MANY_GAP * VMM_PAGE, VMM_PAGE,
			    memory + i * VMM_PAGE, 0))
			bail("memslot %llu", (unsigned long long)i);
	}
	stop_changes = false;
	changes = 0;
	pthread_create(&thread, NULL, change_loop, memory);
	/* The first change, which creates the memslot, has ended when the second change begins. */
	while (changes < 2)
		usleep(100);
	for (i = 0; i < 20; i++) {
		info = kx_vm(kx.fd);
		seen += info.memslots == before.memslots + MANY + 1;
	}
	stop_changes = true;
	pthread_join(thread, &by_itself);
	note("%llu changes of memslots meanwhile", (unsigned long long)changes);
	ok(!by_itself && seen == 20,
	   "memslots that change without pause: GET_VM ends, and counts all memslots");
	vmm_map(&vm, 1, 0, 0, memory, 0);
	for (i = 0; i < MANY; i++)
		vmm_map(&vm, MANY_SLOT + i, 0, 0, memory, 0);
}

/* Pages are returned to the host and mapped again while passes run. */
static void balloon_during_passes(void *memory)
{
	uint32_t n = every_third(DATA_GFN), i;
	uint64_t wrong = 0;
	pthread_t thread;

	vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, memory, 0);
	start(KVM_EXT_TRACKER_ABIT);
	kx_samples_clear(&got);
	stop_passes = false;
	pthread_create(&thread, NULL, pass_loop, NULL);
	for (i = 0; i < 60; i++) {
		vmm_touch(&vm, 0, list, n);
		madvise((uint8_t *)memory + rand() % PAGES / 2 * VMM_PAGE, SIZE / 2, MADV_DONTNEED);
		kx_read(&kx, &got);
	}
	stop_passes = true;
	pthread_join(thread, NULL);
	kx_read(&kx, &got);
	for (i = 0; i < PAGES; i++)
		wrong += got.page[DATA_GFN + i] && i % 3;
	ok(wrong == 0 && !got.bad,
	   "pages returned to the host during passes: only accessed pages are reported");
	vmm_map(&vm, 1, 0, 0, memory, 0);
}

/* --- SMM -------------------------------------------------------------------------------------------- */

static void second_address_space(void *memory)
{
	struct kvm_ext_vm before = kx_vm(kx.fd), info;
	uint32_t n = every_third(DATA_GFN);
	uint8_t *smram;

	if (ioctl(vm.kvm, KVM_CHECK_EXTENSION, KVM_CAP_MULTI_ADDRESS_SPACE) < 2) {
		skip("this KVM has one address space", "memory that only SMM has is tracked");
		return;
	}
	smram = vmm_memory(VMM_2M, VMM_SMALL);
	vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, memory, 0);
	vmm_map(&vm, 1 | 1 << 16, VMM_DATA_GPA, SIZE, memory, 0);
	vmm_map(&vm, 2 | 1 << 16, MOVED_GPA, VMM_2M, smram, 0);
	info = kx_vm(kx.fd);
	ok_eq(info.address_spaces, 2, "SMM has an address space");
	ok_eq(info.memslots - before.memslots, 3, "the memslots of SMM are seen");
	ok_eq(info.ram_pages - before.ram_pages, PAGES + VMM_2M / VMM_PAGE,
	      "memory in both address spaces counts once, memory of SMM alone counts");
	start(KVM_EXT_TRACKER_ABIT);
	vmm_touch(&vm, 0, list, n);
	kx_pass(&kx, &got);
	ok(exactly_every_third(DATA_GFN), "memory in both address spaces is reported exactly");
	ok(got.sum.pages_scanned >= PAGES + VMM_2M / VMM_PAGE, "memory of SMM alone is scanned");
	ok(memchr(got.smm, 1, KX_GFNS) == NULL, "nothing is reported that SMM has not accessed");
	vmm_map(&vm, 1 | 1 << 16, VMM_DATA_GPA, 0, memory, 0);
	vmm_map(&vm, 2 | 1 << 16, MOVED_GPA, 0, smram, 0);
	vmm_map(&vm, 1, VMM_DATA_GPA, 0, memory, 0);
	vmm_free(smram, VMM_2M);
}

/* A VM with much more memory than it uses: memory that is not mapped is not tested. */
static void sparse(void)
{
	size_t size = 1ul << 30;
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_ABIT);

	madvise(memory, size, MADV_NOHUGEPAGE);
	vmm_map(&vm, 1, MOVED_GPA, size, memory, 0);
	t.first_gfn = MOVED_GFN;
	t.npages = size / VMM_PAGE;
	list[0] = vmm_read(MOVED_GFN + 100000);
	vmm_touch(&vm, 0, list, 1);
	kx_start(&kx, &t);
	vmm_touch(&vm, 0, list, 1);
	kx_pass(&kx, &got);
	ok(got.samples == 1 && got.page[MOVED_GFN + 100000], "one page of a GiB is found");
	ok_eq(got.sum.pages_scanned, size / VMM_PAGE, "all pages of the GiB count as scanned");
	ok_eq(got.sum.leaves_tested, 1, "only the mapped page is tested");
	vmm_map(&vm, 1, MOVED_GPA, 0, memory, 0);
	munmap(memory, size);
}

int main(void)
{
	void *memory = vmm_memory(SIZE, VMM_SMALL);

	srand(2);
	if (!memory)
		bail("guest memory");
	vmm_create(&vm, 1, -1);
	kx_attach(&kx, vm.fd, 0);
	kx_samples_init(&got);
	between_passes(memory);
	without_pause(memory);
	read_only(memory);
	alias(memory);
	side_by_side(VMM_SMALL, 2);
	side_by_side(VMM_THP, 2);
	side_by_side(VMM_SMALL, 4);
	balloon(VMM_SMALL, "4K pages");
	balloon(VMM_THP, "THP");
	vmm_forks(memory);
	during_passes(memory);
	balloon_during_passes(memory);
	second_address_space(memory);
	sparse();
	kx_samples_free(&got);
	kx_close(&kx);
	vmm_destroy(&vm);
	return tap_end();
}
