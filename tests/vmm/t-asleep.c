// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A task of the VMM sleeps in an ioctl on its dirty log (asleep.h), while a tracker uses the log of
 * another memslot. No other task may wait for the sleeping task: not a task that reads statistics,
 * not a task that detaches the session, not the session of another VM. Passes stand aside and
 * report it, and neither the tracker nor the VMM loses a page. What has to wait ends with the VMM,
 * in whatever way the VMM ends.
 *
 * A task that slept already before the tracker was set has to be found, in whatever state its
 * process is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asleep.h"
#include "child.h"
#include "dirty.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

/* The memslot that the VMM logs; the tracker logs the one of dirty.h. */
#define OWN_SLOT  2u
#define OWN_GPA	  (256ul << 20)
#define OWN_GFN	  (OWN_GPA / VMM_PAGE)
#define OWN_PAGES ((uint32_t)(VMM_2M / VMM_PAGE))

/* A call that has not returned after so long waits for the VMM: others take a second. */
#define NEVER_MS 60000

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static struct dirty_set set;
static struct asleep sleeper;
static void *memory, *own_memory;

/* --- what must not wait for the VMM ------------------------------------------------------ */

static uint64_t began_ns; /* the call that is being tested */
static bool let_go, woken;

static uint64_t since_begin_ms(void)
{
	return (now_ns() - __atomic_load_n(&began_ns, __ATOMIC_SEQ_CST)) / 1000000;
}

/* Wakes the sleeping task if a call waits for it, so that the test does not hang. */
static void *watchdog(void *arg)
{
	(void)arg;
	while (since_begin_ms() < NEVER_MS) {
		if (__atomic_load_n(&let_go, __ATOMIC_SEQ_CST))
			return NULL;
		usleep(10000);
	}
	note("something waits for the VMM: the VMM is woken");
	__atomic_store_n(&woken, true, __ATOMIC_SEQ_CST);
	asleep_wake(sleeper.uffd, sleeper.bitmap);
	return NULL;
}

static void begin(void)
{
	__atomic_store_n(&began_ns, now_ns(), __ATOMIC_SEQ_CST);
}

/* The call has returned, and the VMM still sleeps. */
static void ok_soon(const char *name, const char *what)
{
	ok(!__atomic_load_n(&woken, __ATOMIC_SEQ_CST), "%s: %s does not wait for the VMM (%llu ms)",
	   name, what, (unsigned long long)since_begin_ms());
}

static void statistics_are_read(const char *name)
{
	begin();
	kx_stats(kx.fd);
	ok_soon(name, "GET_STATS");
	begin();
	kx_vm(kx.fd);
	ok_soon(name, "GET_VM");
}

static void passes_stand_aside(const char *name)
{
	struct kvm_ext_stats s;

	begin();
	ok_errno(kx_run_pass(kx.fd, NULL), EAGAIN, "%s: a pass stands aside", name);
	ok_soon(name, "a pass");
	s = kx_stats(kx.fd);
	ok(s.state == KVM_EXT_STATE_ASIDE && s.log_more.aside_passes > 0,
	   "%s: the statistics say that passes stand aside", name);
}

static void changes_are_refused(const char *name)
{
	struct kvm_ext_tracker off = kx_tracker(KVM_EXT_TRACKER_OFF);

	begin();
	ok_errno(kx_set(kx.fd, &off), EAGAIN, "%s: the tracker cannot be changed", name);
	ok_soon(name, "SET_TRACKER");
}

/* A session of another VM, from beginning to end. */
static void others_go_on(const char *name)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	struct child c;
	struct kx other;

	begin();
	c = child_start(64);
	begin();
	kx_attach(&other, c.vm_fd, 0);
	ok(!kx_set(other.fd, &t) && !kx_run_pass(other.fd, NULL),
	   "%s: another VM is tracked by the same tracker", name);
	kx_close(&other);
	ok_soon(name, "another VM's session");
	close(c.vm_fd);
	close(c.socket);
	waitpid(c.pid, NULL, 0);
	begin();
	ok_errno(syscall(SYS_delete_module, "kvm_ext", O_NONBLOCK), EWOULDBLOCK,
		 "%s: rmmod is refused", name);
	ok_soon(name, "rmmod");
}

/* --- a VMM in this process ---------------------------------------------------------------- */

static uint64_t own_bits[OWN_PAGES / 64];

static void write_own(uint32_t step)
{
	uint32_t list[OWN_PAGES], n = 0, i;

	for (i = 0; i < OWN_PAGES; i += step) {
		list[n++] = vmm_write(OWN_GFN + i);
		own_bits[i / 64] |= 1ull << i % 64;
	}
	vmm_touch(&vm, 0, list, n);
}

static void start_vmm(enum vmm_log log)
{
	struct vmm_config config = { .mode = VMM_64, .log = log, .io_exit = true };
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);

	memory = vmm_memory(DIRTY_SIZE, VMM_SMALL);
	own_memory = vmm_memory(VMM_2M, VMM_SMALL);
	if (!memory || !own_memory)
		bail("guest memory");
	vmm_create_as(&vm, &config, 1, -1);
	dirty_map(&vm, memory, 0);
	if (vmm_map(&vm, OWN_SLOT, OWN_GPA, VMM_2M, own_memory, KVM_MEM_LOG_DIRTY_PAGES))
		bail("memslot");
	memset(own_bits, log == VMM_LOG_ALL_SET ? 0xff : 0, sizeof(own_bits));
	dirty_touch_all(&vm);
	kx_attach(&kx, vm.fd, 0);
	t.first_gfn = DIRTY_GFN;
	t.npages = DIRTY_PAGES;
	kx_start(&kx, &t);
	dirty_settle(&vm, &kx, &got);
}

static void end_vmm(void)
{
	vmm_destroy(&vm);
	vmm_free(memory, DIRTY_SIZE);
	vmm_free(own_memory, VMM_2M);
	asleep_again(&sleeper);
}

static void ok_nothing_lost(const char *name)
{
	struct dirty_diff diff;
	uint64_t lost = 0;

	for (uint32_t i = 0; i < OWN_PAGES / 64; i++)
		lost += __builtin_popcountll(own_bits[i] & ~sleeper.bitmap[i]);
	ok(!sleeper.ret && !lost, "%s: the VMM gets every page that was written", name);
	kx_pass(&kx, &got);
	diff = dirty_compare(&set, &got);
	ok(dirty_same(&diff), "%s: the next pass finds the pages that were written meanwhile",
	   name);
	ok(!kx_stats(kx.fd).state, "%s: passes do not stand aside any more", name);
}

static pthread_t start_watchdog(void)
{
	pthread_t thread;

	let_go = woken = false;
	begin();
	if (pthread_create(&thread, NULL, watchdog, NULL))
		bail("thread");
	return thread;
}

static void stop_watchdog(pthread_t thread)
{
	__atomic_store_n(&let_go, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
}

/* The session of a VM ends shortly after the session's thread. */
static int sessions(void)
{
	int fd = kx_open(), n = (int)kx_caps(fd).sessions;

	close(fd);
	return n;
}

static void asleep_beside_a_tracker(enum vmm_log log)
{
	pthread_t dog;
	char name[60];
	int again;

	snprintf(name, sizeof(name), "VMM asleep, %s log", dirty_log_name[log]);
	start_vmm(log);
	write_own(3);
	asleep_begin(&sleeper, vm.fd, OWN_SLOT);
	dog = start_watchdog();
	dirty_pick(&set, 300);
	dirty_touch(&vm, &set);
	statistics_are_read(name);
	passes_stand_aside(name);
	changes_are_refused(name);
	others_go_on(name);
	stop_watchdog(dog);
	asleep_end(&sleeper);
	ok_nothing_lost(name);

	/* The session is closed before the VMM leaves its ioctl. */
	asleep_again(&sleeper);
	asleep_begin(&sleeper, vm.fd, OWN_SLOT);
	dog = start_watchdog();
	begin();
	kx_close(&kx);
	ok_soon(name, "closing the session");
	again = kx_open();
	ok_errno(kx_try_attach(again, vm.fd, 0), EBUSY,
		 "%s: the VM keeps its session until it can be released", name);
	others_go_on(name);
	stop_watchdog(dog);
	asleep_end(&sleeper);
	ok(soon(sessions, 0), "%s: the VM is released when the VMM leaves its ioctl", name);
	close(again);
	kx_attach(&kx, vm.fd, 0);
	ok_eq(kx_vm(kx.fd).logged_pages, OWN_PAGES, "%s: after that only the VMM's log is on",
	      name);
	kx_close(&kx);
	end_vmm();
	ok(soon(module_references, 0), "%s: at the end the module is not in use", name);
}

/* --- a VMM in another process ----------------------------------------------------------------- */

struct other {
	pid_t pid;
	int socket, vm_fd, uffd;
	uint64_t *bitmap;
};

enum way {
	LIVING,	      /* a thread sleeps */
	WITHOUT_MAIN, /* a thread sleeps, and the main thread has exited */
	BY_X32,	      /* a thread sleeps in the system call of the x32 ABI */
};

static void send_fds(int socket, const int *fds, void *address)
{
	char buffer[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec iov = { &address, sizeof(address) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = buffer,
			      .msg_controllen = sizeof(buffer) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), fds, 2 * sizeof(int));
	if (sendmsg(socket, &msg, 0) < 0)
		bail("sendmsg");
}

static void receive_fds(struct other *o)
{
	char buffer[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec iov = { &o->bitmap, sizeof(o->bitmap) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = buffer,
			      .msg_controllen = sizeof(buffer) };
	int fds[2];

	if (recvmsg(o->socket, &msg, 0) < 0 || !CMSG_FIRSTHDR(&msg))
		bail("recvmsg");
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fds));
	o->vm_fd = fds[0];
	o->uffd = fds[1];
}

/* The other VMM: sleeps at each request, and then sends KVM's answer. */
static void *other_sleeper(void *arg)
{
	int socket = *(int *)arg;
	char byte;

	while (read(socket, &byte, 1) == 1) {
		asleep_here(&sleeper);
		asleep_again(&sleeper);
		byte = (char)sleeper.err;
		if (write(socket, &byte, 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static void other_vmm(int socket, const void *arg)
{
	static const struct vmm_config config = { .io_exit = true };
	static struct vmm own;
	enum way way = *(const enum way *)arg;
	pthread_t thread;
	void *data;

	if (!asleep_init(&sleeper))
		bail("userfaultfd");
	data = vmm_memory(VMM_2M, VMM_SMALL);
	own_memory = vmm_memory(VMM_2M, VMM_SMALL);
	vmm_create_as(&own, &config, 1, -1);
	if (!data || !own_memory || vmm_map(&own, DIRTY_SLOT, VMM_DATA_GPA, VMM_2M, data, 0) ||
	    vmm_map(&own, OWN_SLOT, OWN_GPA, VMM_2M, own_memory, KVM_MEM_LOG_DIRTY_PAGES))
		bail("memslots");
	sleeper.vm_fd = own.fd;
	sleeper.slot = OWN_SLOT;
	sleeper.x32 = way == BY_X32;
	send_fds(socket, (int[]){ own.fd, sleeper.uffd }, sleeper.bitmap);
	if (pthread_create(&thread, NULL, other_sleeper, &socket))
		bail("thread");
	if (way == WITHOUT_MAIN)
		pthread_exit(NULL);
	for (;;)
		pause();
}

static struct other start_other(enum way way)
{
	struct other o;

	o.pid = child_fork(&o.socket, other_vmm, &way);
	receive_fds(&o);
	return o;
}

static void put_to_sleep(const struct other *o)
{
	if (write(o->socket, "", 1) != 1)
		bail("the other VMM");
	if (!asleep_is(o->uffd, 60000))
		bail("KVM_GET_DIRTY_LOG does not reach its bitmap");
}

static int answer(const struct other *o)
{
	char byte;

	if (read(o->socket, &byte, 1) != 1)
		bail("the other VMM");
	return byte;
}

static void end_other(struct other *o)
{
	kill(o->pid, SIGKILL);
	waitpid(o->pid, NULL, 0);
	close(o->socket);
	close(o->uffd);
}

static void attach_other(struct kx *session, struct other *o)
{
	kx_attach(session, o->vm_fd, 0);
	close(o->vm_fd);
}

static void killed_while_asleep(bool closed_before)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	const char *name = closed_before ? "VMM killed asleep, its session closed before"
					 : "VMM killed asleep";
	struct other o = start_other(LIVING);
	struct kx session;

	attach_other(&session, &o);
	kx_start(&session, &t);
	put_to_sleep(&o);
	if (closed_before)
		kx_close(&session);
	end_other(&o);
	if (!closed_before) {
		ok(hung_up(session.fd), "%s: the session polls POLLHUP", name);
		kx_close(&session);
	}
	ok(soon(session_threads, 0) && soon(vms, 0) && soon(module_references, 0),
	   "%s: no session, thread or VM is left", name);
}

/* If the tracker had the log of this memslot, the VMM's call would have to wait for the log. */
static void asleep_before(enum way way)
{
	static const char *const names[] = {
		[LIVING] = "VMM asleep before the tracker",
		[WITHOUT_MAIN] = "VMM without its main thread, asleep before the tracker",
		[BY_X32] = "VMM asleep before the tracker, by x32's ioctl",
	};
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	struct other o = start_other(way);
	struct kx session;
	int err;

	if (way == BY_X32) {
		/* Not asleep, only to see whether this kernel has x32. */
		asleep_wake(o.uffd, o.bitmap);
		if (write(o.socket, "", 1) != 1 || (err = answer(&o)) == ENOSYS) {
			skip("the kernel has no x32", "%s", names[way]);
			close(o.vm_fd);
			end_other(&o);
			return;
		}
		ok_eq(err, 0, "%s: KVM answers", names[way]);
	}
	put_to_sleep(&o);
	attach_other(&session, &o);
	if (kx_set(session.fd, &t))
		bail("SET_TRACKER");
	ok_errno(kx_run_pass(session.fd, NULL), EAGAIN, "%s: the sleeping task is found",
		 names[way]);
	ok_eq(kx_stats(session.fd).log.pages, 0, "%s: no log is touched", names[way]);
	asleep_wake(o.uffd, o.bitmap);
	ok_eq(answer(&o), 0, "%s: KVM answers the task when it wakes up", names[way]);
	ok(!kx_run_pass(session.fd, NULL) && kx_stats(session.fd).log.pages >= OWN_PAGES,
	   "%s: then the tracker logs what the VMM does not log", names[way]);
	put_to_sleep(&o);
	asleep_wake(o.uffd, o.bitmap);
	ok_eq(answer(&o), 0, "%s: the VMM can use its own log", names[way]);
	kx_close(&session);
	end_other(&o);
}

int main(void)
{
	enum vmm_log log;

	signal(SIGPIPE, SIG_IGN);
	dirty_seed();
	kx_samples_init(&got);
	if (!asleep_init(&sleeper)) {
		skip("no userfaultfd that the kernel waits for", "a VMM asleep in KVM");
		return tap_end();
	}
	for (log = VMM_LOG_PLAIN; log <= VMM_LOG_ALL_SET; log++)
		asleep_beside_a_tracker(log);
	killed_while_asleep(false);
	killed_while_asleep(true);
	asleep_before(LIVING);
	asleep_before(WITHOUT_MAIN);
	asleep_before(BY_X32);
	ok(soon(module_references, 0), "at the end the module is not in use");
	kx_samples_free(&got);
	return tap_end();
}
