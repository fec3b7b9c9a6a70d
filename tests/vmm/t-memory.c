// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trackers of the dirty log and the VMM's memory: the trackers' buffer is mapped in the VMM, but
 * the VM's cgroup is not charged for it. A VMM may unmap the buffer and map something else there,
 * which the tracker does not touch. The memory of a VMM that is killed in a pass is free at once,
 * not only at the end of the pass.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* --- the buffer's mapping ----------------------------------------------------------------- */

/* The address and the size of the module's buffer in this process; NULL: it is not mapped. */
static uint8_t *find_buffer(size_t *size)
{
	unsigned long start, end;
	uint8_t *found = NULL;
	char line[512];
	FILE *f;

	f = fopen("/proc/self/maps", "r");
	if (!f)
		bail("/proc/self/maps");
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, "kvm-ext-log") && sscanf(line, "%lx-%lx", &start, &end) == 2) {
			found = (uint8_t *)start;
			*size = end - start;
		}
	}
	fclose(f);
	return found;
}

static bool is_exact(void)
{
	struct dirty_diff diff = dirty_round(&vm, &kx, &got, &set);

	return dirty_same(&diff);
}

static void ok_own_kept(const uint8_t *own, size_t size, const char *name)
{
	bool kept = true;

	for (size_t i = 0; i < size; i++)
		kept &= own[i] == 0x5a;
	ok(kept, "%s: what the VMM has mapped at the buffer's address stays", name);
}

static void unmapped(enum vmm_log log)
{
	struct vmm_config config = { .mode = VMM_64, .log = log, .io_exit = true };
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	void *memory = vmm_memory(DIRTY_SIZE, VMM_SMALL);
	uint8_t *buffer, *own, *place;
	size_t size = 0;
	char name[60];

	snprintf(name, sizeof(name), "%s log", dirty_log_name[log]);
	vmm_create_as(&vm, &config, 1, -1);
	dirty_map(&vm, memory, 0);
	kx_attach(&kx, vm.fd, 0);
	t.first_gfn = DIRTY_GFN;
	t.npages = DIRTY_PAGES;
	kx_start(&kx, &t);
	dirty_settle(&vm, &kx, &got);
	ok(is_exact(), "%s: passes are exact", name);
	buffer = find_buffer(&size);
	if (!ok(buffer && size >= 2 * VMM_PAGE, "%s: the buffer is mapped in the VMM", name))
		goto end;
	ok_errno(munmap(buffer, VMM_PAGE), EPERM, "%s: the VMM cannot unmap a part of it", name);
	ok_errno(mprotect(buffer, size, PROT_NONE), EPERM, "%s: the VMM cannot protect the buffer",
		 name);
	ok_errno(madvise(buffer, size, MADV_DOFORK), EINVAL,
		 "%s: the VMM cannot let children inherit the buffer", name);
	place = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ok(mremap(buffer, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED,
	   "%s: the VMM cannot move the buffer", name);
	ok(is_exact(), "%s: after these attempts passes are exact", name);
	madvise(buffer, size, MADV_DONTNEED);
	ok(is_exact(), "%s: passes are exact after the buffer's pages were unmapped", name);
	/* The VMM maps something else at the address of the buffer. */
	own = mmap(buffer, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		   -1, 0);
	if (own == MAP_FAILED)
		bail("mmap");
	memset(own, 0x5a, size);
	ok(is_exact() && is_exact(), "%s: passes are exact when the VMM has replaced the buffer",
	   name);
	ok_own_kept(own, size, name);
	ok_eq(kx_stats(kx.fd).log.errors, 0, "%s: no ioctl of ours was refused", name);
	/* The VMM unmaps the buffer, and then the tracker ends. */
	buffer = find_buffer(&size);
	ok(buffer && !munmap(buffer, size), "%s: the VMM unmaps the buffer", name);
	kx_close(&kx);
	ok_own_kept(own, size, name);
	kx_attach(&kx, vm.fd, 0);
	ok(!kx_vm(kx.fd).logged_pages && !find_buffer(&size),
	   "%s: a tracker whose buffer was unmapped ends cleanly", name);
	munmap(own, size);
end:
	kx_close(&kx);
	vmm_destroy(&vm);
	vmm_free(memory, DIRTY_SIZE);
}

/* --- a VMM with a large memslot, in a process of its own -------------------------------- */

#define LARGE_SLOT  2u
#define LARGE_GPA   (64ul << 30)
#define LARGE_SIZE  (256ul << 30)
#define BITMAP_SIZE (LARGE_SIZE / VMM_PAGE / 8)
#define HUGE_SIZE   (8 * VMM_2M)

static struct child start_large(enum vmm_log log, enum vmm_backing backing)
{
	struct child c;
	int pair[2];

	fflush(stdout);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		bail("socketpair");
	c.pid = fork();
	if (c.pid == 0) {
		/* khugepaged would put a huge page in the place of a page of a stack, at any time. */
		int no_thp = prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
		struct vmm_config config = { .log = log, .io_exit = true };
		void *memory = vmm_memory(HUGE_SIZE, backing);
		void *large = vmm_fresh_memory(LARGE_SIZE, VMM_SMALL);
		static struct vmm own;
		char byte;

		close(pair[0]);
		if (no_thp)
			bail("PR_SET_THP_DISABLE");
		vmm_create_as(&own, &config, 1, -1);
		if (!memory || !large || vmm_map(&own, 1, VMM_DATA_GPA, HUGE_SIZE, memory, 0) ||
		    vmm_map(&own, LARGE_SLOT, LARGE_GPA, LARGE_SIZE, large, 0))
			bail("memslots");
		child_send_fd(pair[1], own.fd);
		if (read(pair[1], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(pair[1]);
	c.socket = pair[0];
	c.vm_fd = child_receive_fd(c.socket);
	return c;
}

/* --- killed in a pass ---------------------------------------------------------------------- */

static long free_huge_pages(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long n = -1;

	if (!f)
		bail("/proc/meminfo");
	while (fgets(line, sizeof(line), f))
		sscanf(line, "HugePages_Free: %ld", &n);
	fclose(f);
	return n;
}

/*
 * Is the memory free long before the pass would have ended? How many pages a pass arms in a time
 * depends on the machine, and so does the time that a kill takes: so the one is measured by the
 * other.
 */
static bool freed_at_once(long want)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	/* The log starts full: the pass first clears all of it, which takes seconds. */
	struct child c = start_large(VMM_LOG_ALL_SET, VMM_HUGETLB);
	struct kvm_ext_stats s;
	uint64_t start;
	bool is_free;

	kx_attach(&kx, c.vm_fd, 0);
	close(c.vm_fd);
	if (kx_set(kx.fd, &t))
		bail("SET_TRACKER");
	do {
		s = kx_stats(kx.fd);
	} while (s.log.arm_pages < 100000 && !s.log.errors);
	start = now_ns();
	kill(c.pid, SIGKILL);
	while (!(is_free = free_huge_pages() >= want) && now_ns() - start < 60000000000ull)
		usleep(1000);
	s = kx_stats(kx.fd);
	note("%s %llu ms after the kill; %llu of %lu pages were armed",
	     is_free ? "free" : "not free", (unsigned long long)(now_ns() - start) / 1000000,
	     (unsigned long long)s.log.arm_pages, LARGE_SIZE / VMM_PAGE);
	waitpid(c.pid, NULL, 0);
	close(c.socket);
	kx_close(&kx);
	return is_free && s.log.arm_pages < LARGE_SIZE / VMM_PAGE / 2;
}

static void killed_in_a_pass(void)
{
	long before = free_huge_pages();
	bool freed = false;

	if (before < (long)(HUGE_SIZE / VMM_2M)) {
		skip("the host has no huge pages", "the memory of a VMM killed in a pass");
		return;
	}
	/* On a busy machine the kill may come late, when most of the pass is over: then once more. */
	for (int i = 0; i < 4 && !freed; i++)
		freed = freed_at_once(before);
	ok(freed,
	   "the memory of a VMM killed in a pass is free long before the pass would have ended");
	ok(soon(vms, 0) && soon(session_threads, 0),
	   "no session thread or VM is left of a VMM killed in a pass");
}

/* --- a VM near the limit of its cgroup ----------------------------------------------------- */

static char group[64];

static bool write_file(const char *name, const char *text)
{
	char path[128];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "%s/%s", group, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return good;
}

static long read_number(const char *name, const char *key)
{
	char path[128], line[128], format[64];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", group, name);
	snprintf(format, sizeof(format), "%s%%ld", key);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f) && sscanf(line, format, &n) != 1)
		;
	fclose(f);
	return n;
}

/* A cgroup for this process and its child. */
static bool enter_group(void)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified",
					      "/run/cg" };
	char pid[20];

	mkdir("/run/cg", 0755);
	if (mount("none", "/run/cg", "cgroup2", 0, NULL))
		note("cgroup2: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(group, sizeof(group), "%s", places[i]);
		write_file("cgroup.subtree_control", "+memory");
		snprintf(group, sizeof(group), "%s/kx-test", places[i]);
		mkdir(group, 0755);
		snprintf(pid, sizeof(pid), "%d", getpid());
		/* The cgroup of an earlier test may still exist. */
		write_file("memory.max", "max");
		if (read_number("memory.current", "") >= 0 && write_file("cgroup.procs", pid))
			return true;
	}
	return false;
}

static void leave_group(void)
{
	char name[64], pid[20];

	snprintf(name, sizeof(name), "%s", group);
	*strrchr(group, '/') = '\0';
	snprintf(pid, sizeof(pid), "%d", getpid());
	write_file("cgroup.procs", pid);
	snprintf(group, sizeof(group), "%s", name);
}

static void near_the_limit(uint32_t id, const char *name)
{
	struct kvm_ext_tracker t = kx_tracker(id);
	long before, after;
	char limit[30];
	struct child c;

	if (!enter_group()) {
		skip("no memory controller of cgroup v2", "%s: a VM near its limit", name);
		return;
	}
	/* A plain log starts empty: a pass over memory that was never mapped is short. */
	c = start_large(VMM_LOG_PLAIN, VMM_SMALL);
	leave_group();
	before = read_number("memory.current", "");
	snprintf(limit, sizeof(limit), "%ld", before + (2l << 20));
	if (!write_file("memory.max", limit))
		bail("memory.max");
	write_file("memory.swap.max", "0");
	kx_attach(&kx, c.vm_fd, 0);
	close(c.vm_fd);
	ok(!kx_set(kx.fd, &t) && !kx_run_pass(kx.fd, NULL) && !kx_run_pass(kx.fd, NULL) &&
		   kx_stats(kx.fd).log.pages >= LARGE_SIZE / VMM_PAGE,
	   "%s: all memory of a VM near its cgroup's limit is logged", name);
	after = read_number("memory.current", "");
	note("%s: %ld KiB more than before, a bitmap is %lu KiB", name, (after - before) / 1024,
	     BITMAP_SIZE / 1024);
	ok(after - before < 512 << 10, "%s: the VM's cgroup is not charged for the buffer", name);
	ok(!read_number("memory.events", "oom_kill ") && !kill(c.pid, 0) &&
		   !waitpid(c.pid, NULL, WNOHANG),
	   "%s: the VMM still runs", name);
	kx_close(&kx);
	close(c.socket);
	waitpid(c.pid, NULL, 0);
	rmdir(group);
}

int main(void)
{
	enum vmm_log log;

	dirty_seed();
	kx_samples_init(&got);
	for (log = VMM_LOG_PLAIN; log <= VMM_LOG_ALL_SET; log++)
		unmapped(log);
	killed_in_a_pass();
	near_the_limit(KVM_EXT_TRACKER_DIRTY_LOG, "dirty-log");
	near_the_limit(KVM_EXT_TRACKER_PML_ABIT, "pml-abit");
	ok(soon(module_references, 0), "at the end the module is not in use");
	kx_samples_free(&got);
	return tap_end();
}
