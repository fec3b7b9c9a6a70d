// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A tracker that uses the dirty log leaves nothing behind. In whatever way the tracker ends (by
 * `off`, by another tracker, by close(), by SIGKILL of the process that has the session), no
 * memslot is logged afterwards, KVM maps huge pages again when the guest accesses its memory, the
 * guest is as fast as before, and no memory of the module is mapped in the VMM. The VMM may also be
 * killed in any pass.
 *
 * What it cannot show: the guest's speed on hardware; it only compares the speed before and after.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "dirty.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

static struct vmm vm;
static struct kx_samples got;
static struct dirty_set set;

static const uint32_t ids[] = { KVM_EXT_TRACKER_DIRTY_LOG, KVM_EXT_TRACKER_PML_ABIT };
static const char *const id_name[] = { "dirty-log", "pml-abit" };

static struct kvm_ext_tracker tracker(uint32_t id, uint64_t interval_ns)
{
	struct kvm_ext_tracker t = kx_tracker(id);

	t.first_gfn = DIRTY_GFN;
	t.npages = DIRTY_PAGES;
	t.interval_ns = interval_ns;
	return t;
}

/* --- ways to end ---------------------------------------------------------- */

static void some_rounds(struct kx *kx, uint32_t id)
{
	struct kvm_ext_tracker t = tracker(id, 0);
	int i;

	kx_start(kx, &t);
	for (i = 0; i < 3; i++)
		dirty_round(&vm, kx, &got, &set);
}

static void by_off(uint32_t id)
{
	struct kvm_ext_tracker off = kx_tracker(KVM_EXT_TRACKER_OFF);
	struct kx kx;

	kx_attach(&kx, vm.fd, 0);
	some_rounds(&kx, id);
	ok_eq(kx_vm(kx.fd).logged_pages, DIRTY_PAGES,
	      "while the tracker runs, the memory is logged");
	kx_set(kx.fd, &off);
	ok_eq(kx_vm(kx.fd).logged_pages, 0, "by off: logs are off when the call returns");
	ok(kx_stats(kx.fd).log.disable_pages == DIRTY_PAGES && kx_stats(kx.fd).log.disable_ns,
	   "by off: the next account contains the cost of switching the logs off");
	kx_close(&kx);
}

static void by_other(uint32_t id)
{
	struct kvm_ext_tracker other = kx_tracker(KVM_EXT_TRACKER_ABIT);
	struct kx kx;

	kx_attach(&kx, vm.fd, 0);
	some_rounds(&kx, id);
	kx_start(&kx, &other);
	ok_eq(kx_vm(kx.fd).logged_pages, 0, "by another tracker: logs are off");
	kx_close(&kx);
}

static void by_close(uint32_t id)
{
	struct kx kx;

	kx_attach(&kx, vm.fd, 0);
	some_rounds(&kx, id);
	kx_close(&kx);
}

/* A process that only has the session, whose passes run all the time. */
static void by_kill(uint32_t id)
{
	struct kvm_ext_tracker t = tracker(id, KVM_EXT_INTERVAL_MIN_NS);
	int ready[2];
	char byte;
	pid_t pid;

	fflush(stdout);
	if (pipe2(ready, O_CLOEXEC))
		bail("pipe");
	pid = fork();
	if (pid == 0) {
		int fd = kx_open();

		if (kx_try_attach(fd, vm.fd, 0) || kx_set(fd, &t) || kx_run_pass(fd, NULL) ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		bail("the other process has no session");
	close(ready[0]);
	dirty_pick(&set, DIRTY_MAX);
	dirty_touch(&vm, &set);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	soon(session_threads, 0);
}

static void ok_clean(const char *how, const struct kvm_ext_vm *before)
{
	struct kvm_ext_vm after;
	struct kx kx;

	kx_attach(&kx, vm.fd, 0);
	ok_eq(kx_vm(kx.fd).logged_pages, 0, "%s: no memslot is logged", how);
	dirty_touch_all(&vm);
	after = kx_vm(kx.fd);
	ok(after.mapped_2m == before->mapped_2m && after.mapped_4k <= before->mapped_4k,
	   "%s: leaves of 2M are back (%llu of %llu)", how, (unsigned long long)after.mapped_2m,
	   (unsigned long long)before->mapped_2m);
	kx_close(&kx);
}

static void ends(enum vmm_log log, enum vmm_backing backing)
{
	static const struct {
		const char *name;
		void (*end)(uint32_t id);
	} ways[] = {
		{ "off", by_off },
		{ "another tracker", by_other },
		{ "close", by_close },
		{ "SIGKILL", by_kill },
	};
	struct vmm_config config = { .mode = VMM_64, .log = log, .io_exit = true };
	void *memory = vmm_memory(DIRTY_SIZE, backing);
	struct kvm_ext_vm before;
	char how[100];
	struct kx kx;
	size_t i, id;

	if (!memory) {
		skip("the host has no such pages", "%s log, %s", dirty_log_name[log],
		     dirty_backing_name[backing]);
		return;
	}
	/* After a fork, a write by the VMM would copy these pages, as small pages. */
	madvise(memory, DIRTY_SIZE, MADV_DONTFORK);
	vmm_create_as(&vm, &config, 1, -1);
	dirty_map(&vm, memory, 0);
	dirty_touch_all(&vm);
	kx_attach(&kx, vm.fd, 0);
	before = kx_vm(kx.fd);
	kx_close(&kx);
	if (before.mapped_2m < DIRTY_SIZE / VMM_2M)
		bail("the guest's memory is not mapped by 2M");
	for (id = 0; id < 2; id++) {
		for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			snprintf(how, sizeof(how), "%s ended by %s, %s log, %s", id_name[id],
				 ways[i].name, dirty_log_name[log], dirty_backing_name[backing]);
			ways[i].end(ids[id]);
			ok_clean(how, &before);
		}
	}
	vmm_destroy(&vm);
	vmm_free(memory, DIRTY_SIZE);
}

/* --- the VMM's address space ---------------------------------------------- */

static char maps[2][1 << 16];

static void read_maps(char *text)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got_bytes;

	if (fd < 0)
		bail("/proc/self/maps");
	while ((got_bytes = read(fd, text + n, sizeof(maps[0]) - 1 - n)) > 0)
		n += got_bytes;
	text[n] = '\0';
	close(fd);
}

static void mappings(void)
{
	static const struct vmm_config config = { .io_exit = true };
	void *memory = vmm_memory(DIRTY_SIZE, VMM_SMALL);
	struct kx kx;
	size_t id;

	vmm_create_as(&vm, &config, 1, -1);
	dirty_map(&vm, memory, 0);
	dirty_touch_all(&vm);
	fflush(stdout);
	for (id = 0; id < 2; id++) {
		read_maps(maps[0]);
		kx_attach(&kx, vm.fd, 0);
		some_rounds(&kx, ids[id]);
		kx_close(&kx);
		read_maps(maps[1]);
		if (!ok(!strcmp(maps[0], maps[1]),
			"%s: the VMM's address space is as it was before", id_name[id]))
			note("before:\n%s\nafter:\n%s", maps[0], maps[1]);
	}
	vmm_destroy(&vm);
	vmm_free(memory, DIRTY_SIZE);
}

/* --- the guest's speed ---------------------------------------------------- */

#define SPEED_PAGES 256u

/* How often per millisecond the guest goes through its list: the best of @tries. */
static double speed(uint32_t iters, int tries)
{
	double best = 0, now;
	uint64_t start;
	int i;

	for (i = 0; i < tries; i++) {
		start = now_ns();
		vmm_wait_iters(&vm, 0, iters);
		now = iters * 1e6 / (now_ns() - start);
		best = now > best ? now : best;
	}
	return best;
}

static void throughput(void)
{
	static const struct vmm_config config = { .mode = VMM_64, .io_exit = true };
	void *memory = vmm_memory(DIRTY_SIZE, VMM_THP);
	struct kvm_ext_tracker t = tracker(KVM_EXT_TRACKER_DIRTY_LOG, 1000000);
	double before, during, after = 0, now;
	uint32_t list[SPEED_PAGES], i;
	uint64_t late;
	struct kx kx;

	vmm_create_as(&vm, &config, 1, -1);
	dirty_map(&vm, memory, 0);
	dirty_touch_all(&vm);
	for (i = 0; i < SPEED_PAGES; i++)
		list[i] = vmm_write(DIRTY_GFN + i);
	vmm_loop(&vm, 0, list, SPEED_PAGES);
	before = speed(2000, 5);
	kx_attach(&kx, vm.fd, 0);
	kx_start(&kx, &t);
	during = speed(20, 3);
	kx_close(&kx);
	/* Other work of the machine may begin meanwhile: what the tracker leaves behind, stays. */
	late = now_ns() + 60000000000ull;
	do {
		now = speed(2000, 5);
		after = now > after ? now : after;
	} while (after <= before / 3 && now_ns() < late);
	vmm_halt(&vm, 0);
	ok(after > before / 3,
	   "the guest's speed after the tracker is %.2f of the speed before (during the tracker: "
	   "%.2f)",
	   after / before, during / before);
	vmm_destroy(&vm);
	vmm_free(memory, DIRTY_SIZE);
}

/* --- a VMM that dies ------------------------------------------------------ */

static void killed(int i)
{
	struct kvm_ext_tracker t = tracker(ids[i % 2], KVM_EXT_INTERVAL_MIN_NS);
	struct child c = child_start(DIRTY_PAGES);
	struct kx kx;

	kx_attach(&kx, c.vm_fd, 0);
	close(c.vm_fd);
	if (kx_set(kx.fd, &t) || kx_run_pass(kx.fd, NULL))
		bail("interval");
	usleep(dirty_random(5000));
	kill(c.pid, SIGKILL);
	if (i % 3 == 2) {
		/* The session ends at the same time as the VM. */
		usleep(dirty_random(2000));
		kx_close(&kx);
		waitpid(c.pid, NULL, 0);
		close(c.socket);
		return;
	}
	waitpid(c.pid, NULL, 0);
	close(c.socket);
	if (!hung_up(kx.fd) || !(kx_stats(kx.fd).state & KVM_EXT_STATE_VM_GONE))
		ok(false, "VMM killed in a pass, round %d: the session polls POLLHUP", i);
	kx_close(&kx);
}

static void killed_often(void)
{
	int i;

	for (i = 0; i < 15; i++)
		killed(i);
	ok(soon(vms, 0) && soon(session_threads, 0),
	   "15 VMMs killed in passes over the log: no session, thread or VM is left");
}

int main(void)
{
	enum vmm_log log;

	dirty_seed();
	kx_samples_init(&got);
	for (log = VMM_LOG_PLAIN; log <= VMM_LOG_ALL_SET; log++)
		ends(log, VMM_THP);
	ends(VMM_LOG_PLAIN, VMM_HUGETLB);
	mappings();
	throughput();
	killed_often();
	ok_eq(module_references(), 0, "at the end the module is not in use");
	kx_samples_free(&got);
	return tap_end();
}
