// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A VM of 1 TiB whose guest has accessed some pages, far apart from each other. A pass finds these
 * pages and no others, calls KVM only for memory that is mapped, has no long stretch without a
 * rescheduling point, and reports its progress.
 *
 * The memory is never written, so it needs no host memory: what the guest reads is the host's zero
 * page. KVM's own tables need some hundred MiB.
 *
 * What it cannot show: how long a pass takes on hardware. The numbers of calls are exact; the times
 * are those of an emulator on a machine that may be busy.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define FIRST_GFN (VMM_HIGH_GPA / VMM_PAGE)
#define SPREAD	  ((28ul << 30) / VMM_PAGE) /* all accessed pages are in this number of pages */
#define TOUCHED	  16384u
#define STRIDE	  (SPREAD / TOUCHED)
#define END	  (1ul << 40) /* the emulated CPU has addresses of 40 bits */

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static uint32_t list[TOUCHED];
static const char *vm_name;
static uint64_t vm_pages;

static struct kvm_ext_tracker tracker(uint32_t id)
{
	struct kvm_ext_tracker t = kx_tracker(id);

	t.first_gfn = FIRST_GFN;
	t.npages = vm_pages;
	return t;
}

/* @smm: SMM, too, sees all of the memory, as in QEMU's VMs. */
static void *begin(const char *name, const struct vmm_config *config, uint64_t size, bool smm)
{
	void *memory = vmm_fresh_memory(size, VMM_SMALL);
	uint32_t i;

	if (!memory)
		bail("%llu GiB of addresses", (unsigned long long)size >> 30);
	vm_name = name;
	vm_pages = size / VMM_PAGE;
	vmm_create_as(&vm, config, 1, -1);
	if (vmm_map(&vm, 1, VMM_HIGH_GPA, size, memory, 0) ||
	    (smm && vmm_map(&vm, 1 | 1 << 16, VMM_HIGH_GPA, size, memory, 0)))
		bail("a memslot of %llu GiB", (unsigned long long)size >> 30);
	for (i = 0; i < TOUCHED; i++)
		list[i] = vmm_read(FIRST_GFN + i * STRIDE);
	vmm_touch(&vm, 0, list, TOUCHED);
	kx_attach(&kx, vm.fd, 1024);
	return memory;
}

static void end(void *memory, uint64_t size)
{
	kx_close(&kx);
	vmm_destroy(&vm);
	vmm_free(memory, size);
}

/* Number of pages of the list that were reported. */
static uint32_t reported(void)
{
	uint32_t i, n = 0;

	for (i = 0; i < TOUCHED; i++)
		n += got.page[FIRST_GFN + i * STRIDE] == 1;
	return n;
}

/* Times are printed, but no test depends on them. */
static void note_time(const char *name, const char *what)
{
	note("%s: %s: a pass over %s: %.1f ms, %llu calls", vm_name, name, what,
	     got.sum.wall_ns / 1e6, (unsigned long long)got.sum.leaves_tested);
}

/*
 * The pass thread does not wait long for the lock of the VMM's page tables. While another task of
 * the VMM has the lock (and may have no CPU on a busy machine), every page counts as mapped, and
 * KVM is called for it. So passes are repeated until one was not disturbed.
 */
static bool undisturbed(uint64_t tested)
{
	int i;

	for (i = 0; i < 20 && got.sum.leaves_tested != tested; i++) {
		vmm_touch(&vm, 0, list, TOUCHED);
		kx_pass(&kx, &got);
	}
	return got.sum.leaves_tested == tested;
}

/* @calls: the tracker calls KVM for each page. */
static void exact(uint32_t id, const char *name, bool calls)
{
	struct kvm_ext_tracker t = tracker(id);

	kx_start(&kx, &t);
	vmm_touch(&vm, 0, list, TOUCHED);
	kx_pass(&kx, &got);
	ok(reported() == TOUCHED && got.samples == TOUCHED && !got.bad && !got.sum.lost_samples,
	   "%s: %s: the %u accessed pages are found, and no others", vm_name, name, TOUCHED);
	ok_eq(got.sum.pages_scanned, vm_pages, "%s: %s: all of the memory counts as scanned",
	      vm_name, name);
	if (calls)
		ok(undisturbed(TOUCHED), "%s: %s: one call for each mapped page", vm_name, name);
	note_time(name, "all");

	t.first_gfn += SPREAD;
	t.npages -= SPREAD;
	kx_start(&kx, &t);
	kx_pass(&kx, &got);
	ok(undisturbed(0) && got.sum.pages_scanned == t.npages,
	   "%s: %s: no call for memory that is not mapped", vm_name, name);
	note_time(name, "memory that was never accessed");
}

/* --- progress ----------------------------------------------------------------------- */

struct sight {
	uint64_t pages, looks, backwards, wrong;
};

static void look(struct sight *sight, const struct kvm_ext_stats *s)
{
	const struct kvm_ext_progress *p = &s->progress;

	sight->wrong += p->pass || !(p->flags & KVM_EXT_PASS_PRIME) || p->start_ns > s->now_ns ||
			p->start_ns < s->start_ns || p->pages > p->total_pages ||
			p->step > KVM_EXT_STEP_LOG_HARVEST ||
			(p->total_pages && p->total_pages != vm_pages);
	sight->backwards += p->pages < sight->pages;
	sight->looks += p->pages > sight->pages;
	sight->pages = p->pages;
}

/* Reads the progress during the priming pass, and after it. */
static void progress(uint32_t id, const char *name)
{
	struct kvm_ext_tracker t = tracker(id);
	struct kvm_ext_stats s;
	struct sight sight;
	int i;

	t.interval_ns = KVM_EXT_INTERVAL_MAX_NS;
	if (id == KVM_EXT_TRACKER_ABIT_FLUSH)
		t.flush_scope = KVM_EXT_FLUSH_PAGE;
	/* Repeated: on a busy machine, not every priming pass is seen before its end. */
	for (i = 0; i < 20; i++) {
		memset(&sight, 0, sizeof(sight));
		vmm_touch(&vm, 0, list, TOUCHED);
		if (kx_set(kx.fd, &t))
			bail("KVM_EXT_SET_TRACKER");
		while (s = kx_stats(kx.fd), !s.prime_ns) {
			if (s.progress.start_ns)
				look(&sight, &s);
		}
		if (sight.looks >= 2 || sight.wrong || sight.backwards)
			break;
	}
	ok(sight.looks >= 2 && !sight.backwards,
	   "%s: the priming pass reports its progress (%llu steps seen, try %d)", name,
	   (unsigned long long)sight.looks, i + 1);
	ok_eq(sight.wrong, 0,
	      "%s: the pass's number, its start and the size of the memory are right", name);
	ok(!s.progress.start_ns && !s.progress.pages && s.progress.pass == 1 && !s.progress.flags &&
		   s.progress.next_ns > s.now_ns,
	   "%s: between passes the progress says when the next pass is due", name);
	kx_discard(&kx);
}

/* --- stretches ----------------------------------------------------------------------- */

#define ACCOUNTS 400

/*
 * Not for trackers that use the dirty log: KVM returns the log of a memslot in one ioctl, which
 * takes longer than this for so large a memslot, and cannot be divided.
 */
static void holds(uint32_t id, const char *name, const char *what)
{
	struct kvm_ext_tracker t = tracker(id);
	char full[80];

	/*
	 * Some of the mapped memory, and all memory that is not mapped. A pass of some milliseconds
	 * is undisturbed sometimes, also on a busy machine.
	 */
	t.first_gfn += SPREAD - SPREAD / 128;
	t.npages -= SPREAD - SPREAD / 128;
	snprintf(full, sizeof(full), "%s%s", name, what);
	kx_ok_stretch(&kx, &t, ACCOUNTS, NULL, full);
}

static void all_holds(const char *what)
{
	holds(KVM_EXT_TRACKER_ABIT, "abit", what);
	holds(KVM_EXT_TRACKER_ABIT_FLUSH, "abit-flush", what);
	holds(KVM_EXT_TRACKER_EPT_WALK, "ept-walk", what);
}

/* The largest number of ranges, of one page each: the memory then has as many pieces. */
static void many_excluded(void)
{
	struct kvm_ext_range *ranges = calloc(KVM_EXT_RANGES_MAX, sizeof(*ranges));
	struct kvm_ext_excluded x = { .size = sizeof(x),
				      .ranges = (uintptr_t)ranges,
				      .nr_ranges = KVM_EXT_RANGES_MAX };
	struct kvm_ext_tracker t = tracker(KVM_EXT_TRACKER_ABIT);
	uint64_t start = now_ns();
	uint32_t i, left = 0;

	if (!ranges)
		bail("memory");
	for (i = 0; i < KVM_EXT_RANGES_MAX; i++)
		ranges[i] = (struct kvm_ext_range){
			FIRST_GFN + i * (TOUCHED / KVM_EXT_RANGES_MAX) * STRIDE, 1
		};
	if (ioctl(kx.fd, KVM_EXT_SET_EXCLUDED, &x))
		bail("KVM_EXT_SET_EXCLUDED");
	note("%u pages excluded in %.1f ms", KVM_EXT_RANGES_MAX, (now_ns() - start) / 1e6);
	kx_start(&kx, &t);
	vmm_touch(&vm, 0, list, TOUCHED);
	kx_pass(&kx, &got);
	for (i = 0; i < KVM_EXT_RANGES_MAX; i++)
		left += got.page[ranges[i].gfn];
	ok(!left && reported() == TOUCHED - KVM_EXT_RANGES_MAX,
	   "with %u excluded pages all other pages are found", KVM_EXT_RANGES_MAX);
	all_holds(" with excluded pages");
	free(ranges);
}

int main(void)
{
	static const struct vmm_config plain = { .mode = VMM_64 };
	static const struct vmm_config hypervisor = { .mode = VMM_64, .hosts_guests = true };
	void *memory;

	kx_samples_init(&got);
	memory = begin("1 TiB", &plain, END - VMM_HIGH_GPA, false);
	exact(KVM_EXT_TRACKER_ABIT, "abit", true);
	exact(KVM_EXT_TRACKER_ABIT_FLUSH, "abit-flush", true);
	exact(KVM_EXT_TRACKER_EPT_WALK, "ept-walk", false);
	progress(KVM_EXT_TRACKER_ABIT_FLUSH, "abit-flush");
	progress(KVM_EXT_TRACKER_EPT_WALK, "ept-walk");
	progress(KVM_EXT_TRACKER_DIRTY_LOG, "dirty-log");
	all_holds("");
	many_excluded();
	end(memory, END - VMM_HIGH_GPA);

	/* VMs with tables that may be invisible: of SMM, and of nested guests. */
	memory = begin("with SMM", &plain, END / 4, true);
	exact(KVM_EXT_TRACKER_ABIT, "abit", true);
	end(memory, END / 4);
	memory = begin("hypervisor", &hypervisor, END / 4, false);
	exact(KVM_EXT_TRACKER_ABIT, "abit", true);
	end(memory, END / 4);
	kx_samples_free(&got);
	return tap_end();
}
