// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU's calc-dirty-rate in dirty-bitmap mode uses KVM's dirty log, as a migration does: its result
 * must be the same with a tracker and without, and the tracker must work exactly again afterwards.
 */
#include <errno.h>
#include <string.h>

#include "tap.h"
#include "test.h"
#include "track.h"

#define CALC_S	 1
#define MEASURES 3
#define TRIES	 5

typedef struct {
	double qemu;	      /* QEMU's result in whole MiB/s */
	double truth;	      /* pages whose version changed, in MiB/s */
	unsigned int changed; /* these pages */
} Rate;

static gint64 wait_measured(Vm *vm)
{
	gint64 end = g_get_monotonic_time() + QMP_TIMEOUT_S * G_USEC_PER_SEC;

	for (;;) {
		g_autoptr(JsonNode) node = qmp_call(vm->qmp, "query-dirty-rate", NULL);
		JsonObject *info = json_node_get_object(node);

		if (!strcmp(json_object_get_string_member(info, "status"), "measured"))
			return json_object_get_int_member(info, "dirty-rate");
		if (g_get_monotonic_time() > end) {
			errno = ETIMEDOUT;
			bail("calc-dirty-rate does not end");
		}
		g_usleep(10000);
	}
}

static Rate measure(Vm *vm)
{
	g_autofree uint32_t *before =
		g_memdup2((const void *)vm_versions(vm), GUEST_PAGES * sizeof(uint32_t));
	gint64 start = g_get_monotonic_time();
	Rate r = { 0 };
	unsigned int i;

	qmp_do(vm->qmp, "calc-dirty-rate", "{'calc-time': <%x>, 'mode': <'dirty-bitmap'>}",
	       (gint64)CALC_S);
	r.qemu = (double)wait_measured(vm);
	for (i = 0; i < GUEST_PAGES; i++)
		r.changed += vm_versions(vm)[i] != before[i];
	r.truth = (double)r.changed * GUEST_PAGE / (1 << 20) * G_USEC_PER_SEC /
		  (double)(g_get_monotonic_time() - start);
	return r;
}

/* QEMU measures during a part of our time, and rounds its result down to whole MiB/s. */
static gboolean agrees(Rate r)
{
	return r.changed >= VM_ALIVE_PAGES && r.qemu > 0.7 * r.truth - 1 &&
	       r.qemu < 1.3 * r.truth + 1;
}

/*
 * On a busy machine the guest may have no CPU for a part of our time that QEMU does not measure. What
 * makes QEMU's result wrong beside a tracker does so in every try.
 */
static Rate measure_until_it_agrees(Vm *vm, const char *how)
{
	Rate r = measure(vm);

	for (int i = 1; i < TRIES && !agrees(r); i++) {
		note("%s: try %d: %.0f MiB/s, the guest's own count is %.1f", how, i, r.qemu,
		     r.truth);
		r = measure(vm);
	}
	if (r.changed < VM_ALIVE_PAGES)
		vm_died("it wrote %u pages in a second", r.changed);
	return r;
}

static void measures(Vm *vm, Track *track, const char *how)
{
	struct kvm_ext_stats before = { 0 };
	int i;

	for (i = 1; i <= MEASURES; i++) {
		Rate r;

		if (track)
			before = track_stats(track);
		r = measure_until_it_agrees(vm, how);
		ok(agrees(r), "calc-dirty-rate %d %s: %.0f MiB/s, the guest's own count is %.1f", i,
		   how, r.qemu, r.truth);
		if (!track || !track_yields(track))
			continue;
		ok(track_stats(track).log.yields > before.log.yields,
		   "calc-dirty-rate %d %s: the tracker yielded", i, how);
		ok(track_resumed(track), "calc-dirty-rate %d %s: the tracker works again", i, how);
	}
}

void dirty_rate(const Test *test)
{
	Vm *vm = test_first_vm(test);
	g_autofree char *how = g_strconcat("beside ", test->tracker, NULL);
	Track *track;

	measures(vm, NULL, "alone");
	track = track_new(test, vm->pid);
	if (track) {
		track_check_samples(test, track, vm, "before calc-dirty-rate");
		measures(vm, track, how);
		track_check_samples(test, track, vm, "after calc-dirty-rate");
		track_free(track);
		measures(vm, NULL, "after detaching");
	}
	vm_free(vm);
}
