/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A /dev/kvm-ext in memory: the ioctls of the UAPI on one VM, a ring, a descriptor that polls. Every pass "finds" the
 * pages fake.found, costs 1000 ns and takes 2000.
 */
#ifndef FAKE_MODULE_H
#define FAKE_MODULE_H

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/session.h"
#include "tracker/module.h"

#define FAKE_DATA_SIZE 8192u

typedef struct {
	int opens; /* number of calls of open(); descriptors that are not closed yet cannot be seen */
	int fd;	   /* the session's descriptor */
	int peer; /* its other end: a write makes @fd readable, close means that the VM is gone */
	int others[4]; /* the ends of earlier sessions; the oldest ones are dropped */
	guint nr_others;
	int device_errno, attach_errno, set_errno;
	gboolean attached, gone;
	struct kvm_ext_ring *ring; /* of the session that began last; also in @rings */
	GPtrArray *rings;	   /* the rings of all open sessions */
	struct kvm_ext_tracker tracker;
	struct kvm_ext_range range; /* the first range of its list, which belongs to the caller */
	struct kvm_ext_range excluded[KVM_EXT_RANGES_MAX];
	guint nr_excluded, exclusions; /* how often the list was set */
	int exclude_errno;
	struct kvm_ext_stats stats;
	struct kvm_ext_vm vm;
	struct {
		guint64 gfn, npages;
	} found;
	guint64 passes_at_set; /* passes that end between GET_STATS and the switch of the next SET_TRACKER */
	gboolean yielded;		   /* the VMM has the log */
	guint64 disable_ns, disable_pages; /* cost of stopping, in the next statistics */
	guint32 ring_pages;		   /* as attached */
	int selftests;
	gint blocked;		     /* RUN_PASS waits while it is set */
	gint set_blocked, set_waits; /* SET_TRACKER waits while set; it waits now */
} Fake;

static Fake fake;

static inline void fake_put(const void *record, guint32 size)
{
	guint8 *data = (guint8 *)fake.ring + fake.ring->data_offset;
	guint64 head = fake.ring->data_head, at = head & (fake.ring->data_size - 1);

	if (fake.ring->data_size - at < size) {
		struct kvm_ext_record pad = { KVM_EXT_REC_PAD, 0,
					      (guint32)(fake.ring->data_size - at) };

		memcpy(data + at, &pad, sizeof(pad));
		head += pad.size;
		at = 0;
	}
	memcpy(data + at, record, size);
	__atomic_store_n(&fake.ring->data_head, head + size, __ATOMIC_RELEASE);
}

static inline guint64 fake_pass(guint16 flags)
{
	guint64 pass = flags & KVM_EXT_PASS_PRIME
			       ? 0
			       : fake.stats.passes + fake.stats.log.yielded_passes + 1;
	struct kvm_ext_rec_pass_begin begin = {
		.h = { KVM_EXT_REC_PASS_BEGIN, flags, sizeof(begin) },
		.epoch = fake.stats.epoch,
		.pass = pass,
		.tracker = fake.tracker.tracker,
	};
	struct kvm_ext_rec_run run = {
		.h = { KVM_EXT_REC_RUN, 0, sizeof(run) },
		.pass = pass,
		.gfn = fake.found.gfn,
		.npages = fake.found.npages,
	};
	struct kvm_ext_rec_pass_end end = {
		.h = { KVM_EXT_REC_PASS_END, flags, sizeof(end) },
		.pass = pass,
		.time_ns = 10000 * (pass + 1),
		.wall_ns = 2000,
		.cpu_ns = 1000,
		.samples = fake.found.npages,
		.sample_pages = fake.found.npages,
	};

	fake_put(&begin, sizeof(begin));
	if (!(flags & KVM_EXT_PASS_PRIME))
		fake_put(&run, sizeof(run));
	fake_put(&end, sizeof(end));
	if (flags & KVM_EXT_PASS_YIELDED)
		fake.stats.log.yielded_passes++;
	if (flags)
		return pass;
	fake.stats.passes++;
	fake.stats.samples += fake.found.npages;
	fake.stats.sample_pages += fake.found.npages;
	fake.stats.cpu_ns += 1000;
	fake.stats.pass_ns_sum += 2000;
	return pass;
}

static int fake_open(void)
{
	int pair[2];

	if (fake.device_errno) {
		errno = fake.device_errno;
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -1;
	fake.opens++;
	if (fake.peer > 0) {
		int *slot = &fake.others[fake.nr_others++ % G_N_ELEMENTS(fake.others)];

		if (*slot > 0)
			close(*slot);
		*slot = fake.peer;
	}
	fake.peer = pair[1];
	fake.fd = pair[0];
	return pair[0];
}

static inline int fake_fail(int err)
{
	errno = err;
	return -1;
}

static inline guint64 fake_now(void)
{
	return (guint64)g_get_monotonic_time() * 1000;
}

static inline int fake_set(const struct kvm_ext_tracker *t)
{
	g_atomic_int_set(&fake.set_waits, TRUE);
	while (g_atomic_int_get(&fake.set_blocked))
		g_usleep(1000);
	g_atomic_int_set(&fake.set_waits, FALSE);
	if (fake.set_errno)
		return fake_fail(fake.set_errno);
	if (fake.gone)
		return fake_fail(ENODEV);
	for (; fake.passes_at_set; fake.passes_at_set--)
		fake_pass(0);
	fake.tracker = *t;
	if (t->nr_ranges)
		fake.range = *(const struct kvm_ext_range *)(guintptr)t->ranges;
	fake.stats = (struct kvm_ext_stats){ .epoch = fake.stats.epoch + 1,
					     .tracker = t->tracker,
					     .start_ns = fake_now(),
					     .memory_bytes = 70000,
					     .log = { .disable_ns = fake.disable_ns,
						      .disable_pages = fake.disable_pages } };
	fake.disable_ns = fake.disable_pages = 0;
	if (t->tracker == KVM_EXT_TRACKER_DIRTY_LOG || t->tracker == KVM_EXT_TRACKER_PML_ABIT)
		fake.stats.log.mechanism = fake.vm.log_mechanism;
	if (t->tracker != KVM_EXT_TRACKER_OFF)
		fake_pass(KVM_EXT_PASS_PRIME);
	return 0;
}

static inline int fake_exclude(struct kvm_ext_excluded *x)
{
	const struct kvm_ext_range *r = (const struct kvm_ext_range *)(guintptr)x->ranges;

	if (fake.exclude_errno)
		return fake_fail(fake.exclude_errno);
	for (guint i = 0; i < x->nr_ranges; i++) {
		if (!r[i].npages || (i && r[i].gfn <= r[i - 1].gfn + r[i - 1].npages))
			return fake_fail(EINVAL);
	}
	x->pages = 0;
	for (guint i = 0; i < x->nr_ranges; i++) {
		fake.excluded[i] = r[i];
		x->pages += r[i].npages;
	}
	fake.nr_excluded = x->nr_ranges;
	fake.exclusions++;
	return 0;
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	switch (request) {
	case KVM_EXT_GET_CAPS:
		((struct kvm_ext_caps *)arg)->api_version = KVM_EXT_API_VERSION;
		return 0;
	case KVM_EXT_ATTACH:
		if (fake.attach_errno)
			return fake_fail(fake.attach_errno);
		fake.attached = TRUE;
		if (!((struct kvm_ext_attach *)arg)->ring_pages)
			((struct kvm_ext_attach *)arg)->ring_pages = FAKE_DATA_SIZE / 4096;
		fake.ring_pages = ((struct kvm_ext_attach *)arg)->ring_pages;
		return 0;
	case KVM_EXT_GET_VM:
		if (fake.gone)
			return fake_fail(ENODEV);
		fake.vm.size = sizeof(fake.vm);
		fake.vm.exits += 10;
		memcpy(arg, &fake.vm, sizeof(fake.vm));
		return 0;
	case KVM_EXT_SET_TRACKER:
		return fake_set(arg);
	case KVM_EXT_SET_EXCLUDED:
		return fake_exclude(arg);
	case KVM_EXT_GET_STATS:
		fake.stats.size = sizeof(fake.stats);
		fake.stats.state = (fake.gone ? KVM_EXT_STATE_VM_GONE : 0) |
				   (fake.yielded ? KVM_EXT_STATE_YIELDED : 0);
		fake.stats.now_ns = fake_now();
		memcpy(arg, &fake.stats, sizeof(fake.stats));
		return 0;
	case KVM_EXT_RUN_PASS:
		while (g_atomic_int_get(&fake.blocked))
			g_usleep(1000);
		if (fake.gone)
			return fake_fail(ENODEV);
		if (fake.tracker.tracker == KVM_EXT_TRACKER_OFF)
			return fake_fail(EINVAL);
		((struct kvm_ext_run_pass *)arg)->pass = fake_pass(0);
		return 0;
	}
	return fake_fail(ENOTTY);
}

static void *fake_map(int fd, gsize len)
{
	fake.ring = g_malloc0(len);
	fake.ring->magic = KVM_EXT_RING_MAGIC;
	fake.ring->api_version = KVM_EXT_API_VERSION;
	fake.ring->data_offset = 4096;
	fake.ring->data_size = (guint64)fake.ring_pages * 4096;
	if (!fake.rings)
		fake.rings = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(fake.rings, fake.ring);
	return fake.ring;
}

static void fake_unmap(void *map, gsize len)
{
	g_ptr_array_remove(fake.rings, map);
	fake.ring = fake.rings->len ? fake.rings->pdata[fake.rings->len - 1] : NULL;
	fake.attached = fake.rings->len > 0;
	if (!fake.rings->len)
		g_clear_pointer(&fake.rings, g_ptr_array_unref);
}

static const KxModuleSys fake_sys = { fake_open, fake_ioctl, fake_map, fake_unmap };

static gboolean fake_open_vm(const char *proc_root, pid_t pid, const char *uuid, KxVmFd *out,
			     GError **error)
{
	*out = (KxVmFd){ dup(0), 7 };
	return TRUE;
}

static KxSelftest *fake_selftest(const char *root)
{
	g_atomic_int_inc(&fake.selftests);
	return kx_selftest_judge(
		&(KxSelftestRaw){ .count = { [KX_SELFTEST_HLT] = { 1, 9, 3, 0 } } },
		KVM_EXT_LOG_PML);
}

static const KxHost fake_host = {
	.proc_root = "/proc",
	.debugfs_root = "/nonexistent",
	.module_sys = &fake_sys,
	.open_vm = fake_open_vm,
	.root = "/nonexistent",
	.selftest = fake_selftest,
};

static inline void fake_reset(void)
{
	if (fake.peer > 0)
		close(fake.peer);
	for (guint i = 0; i < G_N_ELEMENTS(fake.others); i++) {
		if (fake.others[i] > 0)
			close(fake.others[i]);
	}
	fake = (Fake){ .found = { 0x100, 4 },
		       .vm = { .vcpus = 2,
			       .last_gfn = 0x10000,
			       .paging = KVM_EXT_PAGING_NPT,
			       .ad_bits = 1 } };
}

/* Makes the descriptor readable, so that the main loop reads the ring. */
static inline void fake_signal(void)
{
	char byte = 0;

	if (send(fake.peer, &byte, 1, MSG_NOSIGNAL) != 1)
		return;
	while (g_main_context_iteration(NULL, FALSE))
		;
}

/* There are records: the descriptor is readable until the main loop has read once. */
static inline void fake_wake(void)
{
	char byte = 0;

	if (send(fake.peer, &byte, 1, MSG_NOSIGNAL) != 1)
		return;
	g_main_context_iteration(NULL, TRUE);
	if (recv(fake.fd, &byte, 1, MSG_DONTWAIT) != 1)
		g_error("the session's descriptor was closed meanwhile");
}

static inline void fake_vm_goes(void)
{
	fake.gone = TRUE;
	close(fake.peer);
	fake.peer = 0;
}

#endif /* FAKE_MODULE_H */
