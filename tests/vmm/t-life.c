// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Beginnings and ends: attach and detach, changes of the tracker, intervals, a VM that ends while
 * its session is open, a VM that is killed in a pass. To show that nothing is left, the test counts
 * sessions, references to the module, the module's threads, and the VMs that KVM knows.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define DATA_GFN (VMM_DATA_GPA / VMM_PAGE)
#define SIZE	 (24ul << 20)
#define PAGES	 (SIZE / VMM_PAGE)

static struct vmm vm;
static uint32_t list[PAGES];

/* --- ends of the VM ------------------------------------------------------------------------------ */

static void after_the_end(struct kx *kx, const char *how)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_OFF);
	struct kvm_ext_vm info = { .size = sizeof(info) };

	ok(hung_up(kx->fd), "%s: the session polls POLLHUP", how);
	ok(soon(vms, 1), "%s: KVM destroys the VM although the session is open", how);
	ok(soon(session_threads, 0), "%s: the pass thread has ended", how);
	ok_errno(kx_set(kx->fd, &t), ENODEV, "%s: SET_TRACKER", how);
	ok_errno(kx_run_pass(kx->fd, NULL), ENODEV, "%s: RUN_PASS", how);
	ok_errno(ioctl(kx->fd, KVM_EXT_GET_VM, &info), ENODEV, "%s: GET_VM", how);
	ok(kx_stats(kx->fd).state & KVM_EXT_STATE_VM_GONE,
	   "%s: GET_STATS answers, with KVM_EXT_STATE_VM_GONE", how);
	ok_eq(kx_caps(kx->fd).sessions, 0, "%s: no VM is attached any more", how);
	ok_errno(kx_try_attach(kx->fd, vm.fd, 0), EISCONN,
		 "%s: the session does not take another VM", how);
}

static void vmm_exits(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_ABIT_FLUSH);
	struct child c = child_start(PAGES);
	const uint64_t late = now_ns() + 60000000000ull;
	struct kx_samples got;
	struct kx kx;
	int i;

	kx_attach(&kx, c.vm_fd, 0);
	close(c.vm_fd);
	kx_samples_init(&got);
	kx_start(&kx, &t);
	/* The guest may have had no CPU since, or not for long: it gets more time in each round. */
	for (i = 1; got.samples <= PAGES / 2 && now_ns() < late; i++) {
		usleep(i * 1000);
		kx_pass(&kx, &got);
	}
	ok(got.samples > PAGES / 2, "another process's VM is tracked");
	kx_run_pass(kx.fd, NULL);
	close(c.socket);
	waitpid(c.pid, NULL, 0);
	after_the_end(&kx, "VMM exits");
	kx_samples_clear(&got);
	kx_read(&kx, &got);
	ok(got.ends == 1 && got.sum.pages_scanned >= PAGES,
	   "VMM exits: the last pass can still be read");
	kx_samples_free(&got);
	kx_close(&kx);
}

static void killed(int i)
{
	struct kvm_ext_tracker t =
		kx_tracker(i % 2 ? KVM_EXT_TRACKER_ABIT : KVM_EXT_TRACKER_ABIT_FLUSH);
	struct child c = child_start(PAGES);
	struct kx kx;

	/* Passes follow each other at once, so that one of them runs at the kill. */
	t.interval_ns = KVM_EXT_INTERVAL_MIN_NS;
	kx_attach(&kx, c.vm_fd, 0);
	close(c.vm_fd);
	if (kx_set(kx.fd, &t))
		bail("interval");
	usleep(20000 + rand() % 5000);
	kill(c.pid, SIGKILL);
	waitpid(c.pid, NULL, 0);
	close(c.socket);
	if (i == 0)
		after_the_end(&kx, "VMM killed in a pass");
	else if (!hung_up(kx.fd))
		ok(false, "VMM killed in a pass, round %d: POLLHUP", i);
	/* In some rounds the session and the VM end at the same time. */
	kx_close(&kx);
}

static void killed_often(void)
{
	int i;

	for (i = 0; i < 12; i++)
		killed(i);
	ok(soon(vms, 1) && soon(session_threads, 0),
	   "12 VMMs killed in a pass: no session, thread or VM is left");
}

/* The session is closed while the VM's process is being killed. */
static void both_end(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_ABIT);
	struct child c;
	struct kx kx;
	int i;

	t.interval_ns = 50000;
	for (i = 0; i < 12; i++) {
		c = child_start(PAGES);
		kx_attach(&kx, c.vm_fd, 1);
		close(c.vm_fd);
		kx_set(kx.fd, &t);
		kill(c.pid, SIGKILL);
		usleep(rand() % 3000);
		kx_close(&kx);
		waitpid(c.pid, NULL, 0);
		close(c.socket);
	}
	ok(soon(vms, 1) && soon(session_threads, 0),
	   "session and VM end at the same time, 12 times: nothing is left");
}

/* --- sessions ---------------------------------------------------------------------------------------- */

static void *pass_forever(void *arg)
{
	int fd = *(int *)arg;
	long passes = 0, err = 0;

	while (!err) {
		if (kx_run_pass(fd, NULL) == 0)
			passes++;
		else if (errno != ECANCELED)
			err = errno;
	}
	return (void *)(err == EINVAL ? passes : -err);
}

static void live_switches(void)
{
	static const uint32_t ids[] = { KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_TRACKER_ABIT };
	struct kvm_ext_tracker t;
	uint64_t longest = 0, start;
	pthread_t thread;
	struct kx kx;
	void *passes;
	int i;

	kx_attach(&kx, vm.fd, 0);
	t = kx_tracker(KVM_EXT_TRACKER_ABIT);
	kx_set(kx.fd, &t);
	pthread_create(&thread, NULL, pass_forever, &kx.fd);
	for (i = 0; i < 200; i++) {
		t = kx_tracker(ids[i % 2]);
		t.interval_ns = i % 3 ? 100000 : 0;
		t.granularity = i % 5 ? 12 : 21;
		t.cpu = i % 4 - 1 > 1 ? -1 : i % 4 - 1;
		start = now_ns();
		if (kx_set(kx.fd, &t))
			bail("switch %d", i);
		longest = now_ns() - start > longest ? now_ns() - start : longest;
		usleep(rand() % 2000);
	}
	ok_eq(kx_stats(kx.fd).epoch, 201, "200 changes of the tracker while passes run on request");
	note("longest SET_TRACKER: %llu us", (unsigned long long)longest / 1000);
	/* `off` makes RUN_PASS fail, which ends the other thread. */
	t = kx_tracker(KVM_EXT_TRACKER_OFF);
	kx_set(kx.fd, &t);
	pthread_join(thread, &passes);
	ok((long)passes > 0, "passes on request ran between the changes (%ld)", (long)passes);
	kx_close(&kx);
	ok(soon(session_threads, 0), "200 changes of the tracker: no thread is left");
}

static void attach_cycles(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_ABIT_FLUSH);
	long before = 0, after;
	uint64_t late;
	struct kx kx;
	int i;

	t.interval_ns = 200000;
	for (i = 0; i < 220; i++) {
		/* The first cycles fill caches of the kernel, which are not freed. */
		if (i == 20)
			before = kernel_memory_kb();
		kx_attach(&kx, vm.fd, 64);
		if (i % 3 && kx_set(kx.fd, &t))
			bail("SET_TRACKER");
		if (i % 4 == 0)
			usleep(rand() % 1500);
		kx_close(&kx);
	}
	ok(soon(session_threads, 0), "200 attach and detach cycles: no thread is left");
	ok_eq(module_references(), 0, "200 attach and detach cycles: the module is not in use");
	/* The kernel frees stacks and other memory some time after the last use. */
	late = now_ns() + 60000000000ull;
	while ((after = kernel_memory_kb()) - before >= 4096 && now_ns() < late)
		usleep(100000);
	/* The loss of a single ring would be 256 KiB. */
	ok(after - before < 4096,
	   "200 attach and detach cycles: no kernel memory is lost (%ld KiB)", after - before);
}

/* The kernel refuses to unload the module while a session is open. */
static void unload_refused(void)
{
	struct kx kx;

	kx_attach(&kx, vm.fd, 0);
	ok_errno(syscall(SYS_delete_module, "kvm_ext", O_NONBLOCK), EWOULDBLOCK,
		 "the module cannot be unloaded while a session is open");
	kx_close(&kx);
}

/* --- intervals ------------------------------------------------------------------------------------------ */

static void interval(uint64_t ns)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_ABIT);
	uint64_t counted, least, most;
	struct kx_samples got;
	struct kvm_ext_stats s;
	struct kx kx;

	kx_attach(&kx, vm.fd, 0);
	kx_samples_init(&got);
	t.first_gfn = DATA_GFN;
	t.npages = 16;
	t.interval_ns = ns;
	kx_set(kx.fd, &t);
	do {
		usleep(20000);
		s = kx_stats(kx.fd);
	} while (s.passes < 20 || s.now_ns - s.start_ns < 300000000);
	/*
	 * Intervals begin at the priming pass, which begins some time after the account was opened.
	 * In each interval up to the last pass, a pass was run or counted as skipped; none in later
	 * ones.
	 */
	most = (now_ns() - s.start_ns) / ns;
	kx_read(&kx, &got);
	least = (s.last_start_ns - got.prime_ns) / ns;
	counted = s.passes + s.overruns;
	ok(got.prime_ns >= s.start_ns && counted >= least && counted <= most,
	   "interval %llu us: %llu passes and %llu overruns make %llu to %llu intervals",
	   (unsigned long long)ns / 1000, (unsigned long long)s.passes,
	   (unsigned long long)s.overruns, (unsigned long long)least, (unsigned long long)most);
	ok(s.pass_ns_min <= s.pass_ns_sum / s.passes && s.pass_ns_sum / s.passes <= s.pass_ns_max &&
		   s.pass_ns_p99 >= s.pass_ns_min &&
		   s.pass_ns_p99 <= s.pass_ns_max + s.pass_ns_max / 8 && s.cpu_ns > 0,
	   "interval %llu us: the statistics are consistent", (unsigned long long)ns / 1000);
	kx_samples_free(&got);
	kx_close(&kx);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The CPU time of a pass of microseconds is exact to microseconds, not to timer ticks. */
static void cpu_time(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_ABIT);
	uint64_t cpu[100], wall[100];
	struct kx_samples got;
	struct kx kx;
	int i;

	kx_attach(&kx, vm.fd, 0);
	kx_samples_init(&got);
	t.first_gfn = DATA_GFN;
	t.npages = 64;
	kx_start(&kx, &t);
	for (i = 0; i < 100; i++) {
		kx_pass(&kx, &got);
		cpu[i] = got.sum.cpu_ns;
		wall[i] = got.sum.wall_ns;
	}
	qsort(cpu, 100, sizeof(cpu[0]), by_value);
	qsort(wall, 100, sizeof(wall[0]), by_value);
	note("100 passes over 64 pages, median: %.1f us of CPU, %.1f us on the clock",
	     cpu[50] / 1e3, wall[50] / 1e3);
	ok(cpu[0] > 0 && cpu[50] < 1000000,
	   "the CPU time of a pass is more exact than a timer tick");
	/* The CPU time also contains the thread's wake-up, and its way to sleep. */
	ok(cpu[50] > wall[50] / 2 && cpu[50] < 3 * wall[50] + 200000,
	   "the CPU time of a pass is near its wall time");
	kx_samples_free(&got);
	kx_close(&kx);
}

/*
 * Pages of two blocks. A pass over them has many stretches, and takes only some milliseconds, so
 * that also on a busy machine it is undisturbed sometimes.
 */
#define HOLD_FIRST 256u
#define HOLD_PAGES 512u

static void touch_some(void)
{
	vmm_touch(&vm, 0, list + HOLD_FIRST, HOLD_PAGES);
}

static void holds(uint32_t id, const char *name)
{
	struct kvm_ext_tracker t = kx_tracker(id);
	struct kx kx;

	kx_attach(&kx, vm.fd, 0);
	t.first_gfn = DATA_GFN + HOLD_FIRST;
	t.npages = HOLD_PAGES;
	kx_ok_stretch(&kx, &t, 400, touch_some, name);
	kx_close(&kx);
}

/* --- passes that are cut --------------------------------------------------------------------- */

/* Excludes no pages: the only effect is that the running pass is cut. */
static void cut(int fd)
{
	struct kvm_ext_excluded none = { .size = sizeof(none) };

	if (ioctl(fd, KVM_EXT_SET_EXCLUDED, &none))
		bail("KVM_EXT_SET_EXCLUDED");
}

/* Waits until a priming pass runs, and cuts it. True: the pass was cut before its end. */
static bool cut_priming(struct kx *kx, struct kx_samples *got)
{
	struct kvm_ext_stats s;

	do {
		s = kx_stats(kx->fd);
	} while (s.progress.flags & KVM_EXT_PASS_PRIME && !s.progress.pages);
	cut(kx->fd);
	kx_read(kx, got);
	return got->primes && got->cuts;
}

/*
 * The guest has accessed all of its memory before the tracker is set, and is idle afterwards. So a
 * pass that counts must find nothing.
 */
static void priming_cut(uint32_t id, const char *name)
{
	struct kvm_ext_tracker t = kx_tracker(id);
	struct kx_samples got;
	struct kvm_ext_stats s;
	bool was_cut = false;
	struct kx kx;
	int i;

	kx_attach(&kx, vm.fd, 0);
	kx_samples_init(&got);
	/* This makes the priming pass slow, so that it can be cut before its end. */
	t.flush_scope = KVM_EXT_FLUSH_PAGE;
	for (i = 0; i < 50 && !was_cut; i++) {
		vmm_touch(&vm, 0, list, PAGES);
		kx_samples_clear(&got);
		if (kx_set(kx.fd, &t))
			bail("KVM_EXT_SET_TRACKER");
		was_cut = cut_priming(&kx, &got);
	}
	ok(was_cut, "%s: a priming pass was cut (try %d)", name, i);
	if (kx_run_pass(kx.fd, NULL))
		bail("KVM_EXT_RUN_PASS");
	/* The records of the second priming pass may have been read together with those of the first. */
	kx_read(&kx, &got);
	s = kx_stats(kx.fd);
	ok(got.primes == 2 && got.cuts == 1 && got.sum.samples == 0 && got.samples == 0 &&
		   s.samples == 0,
	   "%s: priming is repeated before a pass counts: %llu samples of an idle guest", name,
	   (unsigned long long)s.samples);
	ok(s.passes == 1 && got.last_pass == 1 && s.prime_ns == got.all.wall_ns - got.sum.wall_ns &&
		   !got.bad,
	   "%s: the second priming pass has the same number, and the time of both is counted",
	   name);
	kx_samples_free(&got);
	kx_close(&kx);
}

/* A cut pass changes no regions, and the numbers of accesses in the regions stay right. */
static void regions_cut(uint32_t id, const char *name)
{
	struct kvm_ext_tracker t = kx_tracker(id);
	uint64_t cuts = 0, bad = 0, zero = 0, records = 0;
	struct kvm_ext_stats s;
	struct kx_samples got;
	struct kx kx;
	int i;

	kx_attach(&kx, vm.fd, 0);
	kx_samples_init(&got);
	t.interval_ns = 100000;
	t.regions_min = t.regions_max = PAGES / 4;
	t.aggregation_passes = 3;
	t.first_gfn = DATA_GFN;
	t.npages = PAGES;
	kx_start(&kx, &t);
	vmm_loop(&vm, 0, list, PAGES);
	for (i = 0; i < 2000 && (cuts < 20 || !records); i++) {
		kx_samples_clear(&got);
		usleep(rand() % 4000);
		cut(kx.fd);
		s = kx_stats(kx.fd);
		zero += !s.regions.regions || s.regions.checks > s.passes * t.regions_max ||
			s.samples > s.regions.checks;
		kx_read(&kx, &got);
		cuts += got.cuts;
		bad += got.bad;
		records += got.regions;
	}
	vmm_halt(&vm, 0);
	ok(cuts >= 20 && records, "%s: %llu passes over regions were cut", name,
	   (unsigned long long)cuts);
	ok_eq(zero, 0, "%s: a cut pass does not reset the statistics of regions", name);
	ok_eq(bad, 0, "%s: no region has more accesses than checks", name);
	kx_samples_free(&got);
	kx_close(&kx);
}

int main(void)
{
	void *memory = vmm_memory(SIZE, VMM_SMALL);
	uint32_t i;

	srand(time(NULL));
	vmm_create(&vm, 1, -1);
	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, SIZE, memory, 0))
		bail("guest memory");
	for (i = 0; i < PAGES; i++)
		list[i] = vmm_write(DATA_GFN + i);
	vmm_touch(&vm, 0, list, PAGES);

	vmm_exits();
	killed_often();
	both_end();
	live_switches();
	attach_cycles();
	unload_refused();
	interval(100000);
	interval(1000000);
	interval(20000000);
	cpu_time();
	priming_cut(KVM_EXT_TRACKER_ABIT_FLUSH, "abit-flush");
	priming_cut(KVM_EXT_TRACKER_EPT_WALK, "ept-walk");
	regions_cut(KVM_EXT_TRACKER_ABIT, "abit");
	regions_cut(KVM_EXT_TRACKER_EPT_WALK, "ept-walk");
	holds(KVM_EXT_TRACKER_ABIT, "abit");
	holds(KVM_EXT_TRACKER_ABIT_FLUSH, "abit-flush");
	ok_eq(module_references(), 0, "at the end the module is not in use");
	vmm_destroy(&vm);
	ok(soon(vms, 0), "at the end KVM has no VM");
	return tap_end();
}
