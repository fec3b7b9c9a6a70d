// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KVM refuses to switch a memslot's log off; a module built with KVM_EXT_TEST and loaded with
 * stucklog=1 imitates this. The VMM gets the log with every page marked dirty, while the tracker
 * runs and after the tracker has ended, and the statistics contain these pages.
 */
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#include "child.h"
#include "dirty.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static struct dirty_set set;
static void *memory;

/* Runs passes that clear pages in the log, which the VMM would miss. */
static void track(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	struct dirty_diff diff;

	kx_attach(&kx, vm.fd, 0);
	t.first_gfn = DIRTY_GFN;
	t.npages = DIRTY_PAGES;
	kx_start(&kx, &t);
	dirty_settle(&vm, &kx, &got);
	diff = dirty_round(&vm, &kx, &got, &set);
	if (!dirty_same(&diff))
		bail("the tracker is not exact");
}

static uint32_t pages_of_the_vmm(void)
{
	uint64_t bits[DIRTY_WORDS];
	uint32_t i, n = 0;

	dirty_map(&vm, memory, KVM_MEM_LOG_DIRTY_PAGES);
	memset(bits, 0, sizeof(bits));
	if (vmm_get_log(&vm, DIRTY_SLOT, bits))
		bail("KVM_GET_DIRTY_LOG");
	for (i = 0; i < DIRTY_WORDS; i++)
		n += __builtin_popcountll(bits[i]);
	return n;
}

static void stuck(enum vmm_log log, bool leaves)
{
	struct vmm_config config = { .mode = VMM_64, .log = log, .io_exit = true };
	struct kvm_ext_tracker off = kx_tracker(KVM_EXT_TRACKER_OFF);
	char name[60];

	snprintf(name, sizeof(name), "%s log, %s", dirty_log_name[log],
		 leaves ? "the tracker has ended" : "the tracker runs");
	vmm_create_as(&vm, &config, 1, -1);
	dirty_map(&vm, memory, 0);
	track();
	if (leaves) {
		if (kx_set(kx.fd, &off))
			bail("off");
		ok_eq(kx_vm(kx.fd).logged_pages, DIRTY_PAGES, "%s: the log is still on", name);
	}
	ok_eq(pages_of_the_vmm(), DIRTY_PAGES, "%s: in the VMM's log every page is dirty", name);
	ok_eq(kx_stats(kx.fd).log_more.stuck_pages, DIRTY_PAGES,
	      "%s: the statistics contain the pages", name);
	kx_close(&kx);
	vmm_destroy(&vm);
}

int main(void)
{
	int fd = kx_open();
	enum vmm_log log;

	dirty_seed();
	kx_samples_init(&got);
	memory = vmm_memory(DIRTY_SIZE, VMM_SMALL);
	if (fd < 0 || !memory)
		bail("no device, or no memory");
	if (!(kx_caps(fd).caps & KVM_EXT_CAP_TEST_BUILD)) {
		skip("the module is not a test build with stucklog=1",
		     "KVM refuses to switch a log off");
		return tap_end();
	}
	for (log = VMM_LOG_PLAIN; log <= VMM_LOG_ALL_SET; log++) {
		stuck(log, false);
		stuck(log, true);
	}
	kx_samples_free(&got);
	return tap_end();
}
