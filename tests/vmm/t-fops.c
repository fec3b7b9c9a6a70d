// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Another module (tests/fops) replaces the operations of a VM's file, before a tracker of the dirty
 * log replaces them, or after. The tracker does not start if the operations are not KVM's, and does
 * not restore operations that are not its own. As long as operations lead to the module, it stays
 * loaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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
static int other;

static void order(const char *fmt, int fd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), fmt, fd);

	if (write(other, text, n) != n)
		bail("%s", text);
}

static unsigned int calls(void)
{
	FILE *f = fopen("/sys/module/kx_fops/parameters/calls", "r");
	unsigned int n;

	if (!f || fscanf(f, "%u", &n) != 1)
		bail("calls");
	fclose(f);
	return n;
}

static void attach(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);

	kx_attach(&kx, vm.fd, 0);
	t.first_gfn = DIRTY_GFN;
	t.npages = DIRTY_PAGES;
	if (kx_set(kx.fd, &t))
		bail("SET_TRACKER");
}

static bool is_exact(void)
{
	struct dirty_diff diff;

	dirty_settle(&vm, &kx, &got);
	diff = dirty_round(&vm, &kx, &got, &set);
	return dirty_same(&diff);
}

/* The VMM switches its own log on, reads it, and switches it off. */
static bool vmm_uses_log(void)
{
	uint64_t bits[DIRTY_WORDS];
	bool all = true;

	dirty_map(&vm, memory, KVM_MEM_LOG_DIRTY_PAGES);
	dirty_touch_all(&vm);
	if (vmm_get_log(&vm, DIRTY_SLOT, bits))
		return false;
	for (uint32_t i = 0; i < DIRTY_WORDS; i++)
		all &= bits[i] == ~0ull;
	dirty_map(&vm, memory, 0);
	return all;
}

static void before_us(void)
{
	order("take %d", vm.fd);
	attach();
	ok_errno(kx_run_pass(kx.fd, NULL), EBUSY,
		 "operations that are not KVM's: the tracker does not start");
	ok_eq(kx_stats(kx.fd).log.pages, 0, "operations that are not KVM's: no log is touched");
	ok(vmm_uses_log(), "operations that are not KVM's: the VMM can use its log");
	order("back", 0);
	ok(!kx_run_pass(kx.fd, NULL) && is_exact(), "with KVM's operations the tracker starts");
	kx_close(&kx);
	ok(soon(module_references, 0), "after its end the module is not in use");
}

static void after_us(void)
{
	struct kvm_ext_tracker off = kx_tracker(KVM_EXT_TRACKER_OFF);
	unsigned int before;

	attach();
	ok(is_exact(), "a tracker runs");
	order("take %d", vm.fd);
	before = calls();
	ok(vmm_uses_log() && calls() > before && kx_stats(kx.fd).log.yields == 1,
	   "operations replaced after the module: the VMM gets its log through both");
	ok(is_exact(), "operations replaced after the module: the tracker continues");
	ok(!kx_set(kx.fd, &off) && !kx_vm(kx.fd).logged_pages,
	   "operations replaced after the module: the tracker ends");
	before = calls();
	ok(vmm_uses_log() && calls() > before, "the other module's operations stay in place");
	kx_close(&kx);
	ok(soon(session_threads, 0) && module_references() == 1,
	   "without a session the module is in use: the other's operations lead to it");
	ok_errno(syscall(SYS_delete_module, "kvm_ext", O_NONBLOCK), EWOULDBLOCK,
		 "the module cannot be unloaded");
	attach();
	ok_errno(kx_run_pass(kx.fd, NULL), EBUSY, "no other tracker starts");
	kx_close(&kx);
	order("back", 0);
	ok(vmm_uses_log(), "with this module's operations again, the VMM can use its log");
	attach();
	ok(is_exact(), "a tracker starts again");
	kx_close(&kx);
	ok(soon(module_references, 0), "after its end the module is not in use, again");
	before = calls();
	ok(vmm_uses_log() && calls() == before, "the operations are KVM's");
}

int main(void)
{
	struct vmm_config config = { .mode = VMM_64, .io_exit = true };

	dirty_seed();
	kx_samples_init(&got);
	other = open("/dev/kx-fops", O_WRONLY | O_CLOEXEC);
	if (other < 0)
		bail("/dev/kx-fops: insmod kx_fops.ko first");
	memory = vmm_memory(DIRTY_SIZE, VMM_SMALL);
	vmm_create_as(&vm, &config, 1, -1);
	dirty_map(&vm, memory, 0);
	before_us();
	after_us();
	vmm_destroy(&vm);
	kx_samples_free(&got);
	return tap_end();
}
