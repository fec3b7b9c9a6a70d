// SPDX-License-Identifier: GPL-2.0-or-later
#include "track.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"
#include "vm/vmfd.h"

/* For what the tracker does with its next passes, on a machine that may be busy. */
#define SOON_US (60 * G_USEC_PER_SEC)

static const struct tracker {
	const char *name;
	guint32 id;
	gboolean yields;
} trackers[] = {
	{ "none", KVM_EXT_TRACKER_OFF, FALSE },
	{ "off", KVM_EXT_TRACKER_OFF, FALSE },
	{ "abit-flush", KVM_EXT_TRACKER_ABIT_FLUSH, FALSE },
	{ "dirty-log", KVM_EXT_TRACKER_DIRTY_LOG, TRUE },
	{ "pml-abit", KVM_EXT_TRACKER_PML_ABIT, TRUE },
};

struct _Track {
	const struct tracker *tracker;
	struct kx kx;
	struct kx_samples samples;
};

static const struct tracker *find(const char *name)
{
	for (gsize i = 0; i < G_N_ELEMENTS(trackers); i++) {
		if (!strcmp(trackers[i].name, name))
			return &trackers[i];
	}
	return NULL;
}

gboolean track_knows(const char *tracker)
{
	return find(tracker) != NULL;
}

void track_set(const Test *test, Track *t, const char *tracker)
{
	const struct tracker *row = find(tracker);
	struct kvm_ext_tracker set = kx_tracker(row->id);

	set.interval_ns = row->id == KVM_EXT_TRACKER_OFF ? 0 : (guint64)test->interval_ns;
	if (kx_set(t->kx.fd, &set))
		bail("tracker %s", tracker);
	t->tracker = row;
}

Track *track_new(const Test *test, int vmm_pid)
{
	g_autoptr(GError) error = NULL;
	KxVmFd vm_fd;
	Track *t;

	if (!strcmp(test->tracker, "none"))
		return NULL;
	if (!kx_vmfd_open("/proc", vmm_pid, NULL, KX_VMFD_LINK, &vm_fd, &error))
		bail("%s", error->message);
	t = g_new0(Track, 1);
	kx_attach(&t->kx, vm_fd.fd, 0);
	close(vm_fd.fd);
	kx_samples_init(&t->samples);
	track_set(test, t, test->tracker);
	return t;
}

void track_free(Track *t)
{
	if (!t)
		return;
	kx_close(&t->kx);
	kx_samples_free(&t->samples);
	g_free(t);
}

void track_hold(const Test *test, int vmm_pid)
{
	Track *t = track_new(test, vmm_pid);

	puts(TRACK_HOLDS);
	fflush(stdout);
	for (;;) {
		kx_samples_clear(&t->samples);
		kx_read(&t->kx, &t->samples);
		g_usleep(10000);
	}
}

gboolean track_yields(const Track *t)
{
	return t->tracker->yields;
}

struct kvm_ext_stats track_stats(const Track *t)
{
	return kx_stats(t->kx.fd);
}

gboolean track_has_yielded(Track *t)
{
	gint64 end = g_get_monotonic_time() + SOON_US;

	while (!(track_stats(t).state & KVM_EXT_STATE_YIELDED)) {
		if (g_get_monotonic_time() > end)
			return FALSE;
		g_usleep(5000);
	}
	return TRUE;
}

gboolean track_resumed(Track *t)
{
	gint64 end = g_get_monotonic_time() + SOON_US;
	struct kvm_ext_stats first = track_stats(t), now = first;

	while (g_get_monotonic_time() < end) {
		now = track_stats(t);
		/*
		 * Two more passes, because the first of them may have begun before @first was read.
		 */
		if (!(now.state & KVM_EXT_STATE_YIELDED) && now.passes > first.passes + 2)
			return TRUE;
		g_usleep(5000);
	}
	note("state %#x, %llu passes after %llu", now.state, (unsigned long long)now.passes,
	     (unsigned long long)first.passes);
	return FALSE;
}

static void snapshot(const Vm *vm, uint32_t *versions)
{
	memcpy(versions, (const void *)vm_versions(vm), GUEST_PAGES * sizeof(*versions));
}

/* Runs a pass and reads the samples of all passes since the last call. */
static void collect(Track *t)
{
	kx_samples_clear(&t->samples);
	if (kx_run_pass(t->kx.fd, NULL))
		bail("KVM_EXT_RUN_PASS");
	kx_read(&t->kx, &t->samples);
}

void track_check_samples(const Test *test, Track *t, const Vm *vm, const char *when)
{
	static uint32_t outer[GUEST_PAGES], first[GUEST_PAGES], last[GUEST_PAGES], end[GUEST_PAGES];
	unsigned int missed = 0, excess = 0, written = 0, i;
	/*
	 * The guest writes a page first and then its version in the table. Between these writes, a
	 * snapshot does not show that the page was written. There is one such page at a time.
	 */
	uint32_t between, writes;
	gint64 late;

	snapshot(vm, outer);
	collect(t);
	between = vm->box->writing;
	snapshot(vm, first);
	writes = vm->box->writes;
	late = g_get_monotonic_time() + SOON_US;
	test_pause(test, 100, 300);
	/* On a busy machine the guest may have had no CPU meanwhile. */
	while (vm->box->writes - writes < 2 * VM_ALIVE_PAGES && g_get_monotonic_time() < late)
		g_usleep(10000);
	snapshot(vm, last);
	collect(t);
	snapshot(vm, end);
	for (i = 0; i < GUEST_PAGES; i++) {
		gboolean found = t->samples.page[GUEST_FIRST_GFN + i];

		written += first[i] != last[i];
		missed += first[i] != last[i] && !found && i != between;
		excess += outer[i] == end[i] && found && i != vm->box->writing;
	}
	if (written < VM_ALIVE_PAGES)
		vm_died("%s, it wrote %u pages", when, written);
	ok(!missed, "%s: %u of %u pages that the guest wrote were not found", when, missed,
	   written);
	ok(!excess, "%s: %u pages were found that the guest did not write", when, excess);
	if (t->samples.losts || t->samples.bad)
		note("the ring lost %llu samples, %llu records were invalid",
		     (unsigned long long)t->samples.lost_samples,
		     (unsigned long long)t->samples.bad);
}
