// SPDX-License-Identifier: GPL-2.0-or-later
/* qemu-dirty-rate against a fake QEMU: which results are the tracker's own, and which must not count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "cases.h"
#include "fake-dirty-rate.h"
#include "fake-root.h"
#include "model/window.h"
#include "run-pass.h"
#include "tracker/tracker.h"

#define PID 4711

typedef struct {
	char *root, *uri;
	struct kvm_ext_vm vm;
	KxTracker *t;
	KxOptions o;
	KxWindow *w;
	guint64 samples;
	guint ends;
} Fixture;

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);

	memset(&fake, 0, sizeof(fake));
	g_mutex_init(&fake.lock);
	fake.up = TRUE;
	fake.start_s = -1;
	f->root = fake_root_new();
	f->uri = g_strdup(FAKE_URI);
	f->w = kx_window_new();
	fake_process_state(f->root, "4711", 'S');
	kx_options_init(&f->o);
	assert_true(kx_options_set(&f->o, "tracker", "qemu-dirty-rate", NULL));
	*state = f;
	return 0;
}

static gboolean is_connected(void)
{
	gboolean any;

	g_mutex_lock(&fake.lock);
	any = fake.opened != fake.closed;
	g_mutex_unlock(&fake.lock);
	return any;
}

static int teardown(void **state)
{
	Fixture *f = *state;
	gint64 late = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

	kx_tracker_free(f->t);
	/* The thread releases the connection last. */
	while (g_get_monotonic_time() < late && is_connected())
		g_usleep(1000);
	assert_false(is_connected());
	assert_int_equal(fake.collisions, 0);
	kx_window_free(f->w);
	fake_remove(f->root);
	g_free(f->root);
	g_free(f->uri);
	g_free(f);
	return 0;
}

static gboolean start(Fixture *f, GError **error)
{
	const KxTrackerVm vm = { .pid = PID,
				 .uuid = FAKE_UUID,
				 .proc_root = f->root,
				 .vm = &f->vm,
				 .libvirt_uri = &f->uri };
	const KxTrackerOps *ops = kx_tracker_ops(f->o.tracker, FALSE);

	assert_ptr_equal(ops, kx_tracker_ops(f->o.tracker, TRUE));
	if (!f->t)
		f->t = kx_tracker_open(ops, &vm, NULL);
	return f->t->ops->start(f->t, &f->o, error);
}

static void started(Fixture *f)
{
	g_autoptr(GError) error = NULL;

	if (!start(f, &error))
		fail_msg("%s", error->message);
}

static void refused(Fixture *f, const char *words)
{
	g_autoptr(GError) error = NULL;

	assert_false(start(f, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED));
	if (!strstr(error->message, words))
		fail_msg("%s", error->message);
}

static void on_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	Fixture *f = data;

	f->ends += !r->h.flags;
	f->samples += r->samples;
}

static const KxStreamOps sink = { .pass_end = on_end };

static const KxWindow *told(Fixture *f)
{
	f->t->ops->fill(f->t, f->w);
	assert_true(f->w->has_rate);
	return f->w;
}

/* Waits until @member of the window is at least @want. */
#define UNTIL(f, member, want)                                                    \
	do {                                                                      \
		gint64 late = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;       \
                                                                                  \
		while (told(f)->member < (want) && g_get_monotonic_time() < late) \
			g_usleep(10000);                                          \
		assert_true(told(f)->member >= (want));                           \
	} while (0)

/* Waits until the window's reason contains @words. */
static void until_why(Fixture *f, const char *words)
{
	gint64 late = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

	while (!(told(f)->rate_why && strstr(f->w->rate_why, words))) {
		if (g_get_monotonic_time() > late)
			fail_msg("said: %s", f->w->rate_why ? f->w->rate_why : "nothing");
		g_usleep(10000);
	}
}

#define FAKE_SET(member, value)             \
	do {                                \
		g_mutex_lock(&fake.lock);   \
		fake.member = (value);      \
		g_mutex_unlock(&fake.lock); \
	} while (0)

/* --- cases ------------------------------------------------------------------------------------------------------------------ */

/* One after the other without an interval between; a pass is a measurement, and finds nothing. */
static void test_measures(void **state)
{
	Fixture *f = *state;
	struct kvm_ext_stats st;

	fake.results[1] = 7;
	fake.results[2] = 0;
	fake.results[3] = 20;
	started(f);
	UNTIL(f, rate_measured, 3);
	assert_true(f->t->ops->stats(f->t, &st, NULL));
	f->t->ops->stop(f->t);
	/* All later ones are 0. */
	assert_int_equal(told(f)->rate_sum, 27);
	assert_int_equal(f->w->rate_squares, 449);
	assert_int_equal(f->w->rate_most, 20);
	assert_int_equal(f->w->rate_zeros, f->w->rate_measured - 2);
	assert_int_equal(f->w->rate_dropped + f->w->rate_other, 0);
	assert_null(f->w->rate_why);
	assert_int_equal(st.interval_ns, 1000000000);
	assert_int_equal(st.overruns, 0);
	assert_true(f->t->ops->drain(f->t, &sink, f, NULL));
	assert_int_equal(f->ends, f->w->rate_measured);
	assert_int_equal(f->samples, 0);
}

/* The result of the measurement before does not count, nor does a state in which no measurement has begun. */
static void test_qemu_begins_late(void **state)
{
	Fixture *f = *state;

	fake.late = TRUE;
	fake.measured = TRUE;
	fake.start_s = fake.clock_s = 40;
	fake.seconds = 1;
	fake.mode = VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING;
	fake.results[0] = 99;
	fake.results[1] = 6;
	started(f);
	UNTIL(f, rate_measured, 1);
	f->t->ops->stop(f->t);
	assert_int_equal(told(f)->rate_most, 6);
}

static void test_run_on_request(void **state)
{
	Fixture *f = *state;

	started(f);
	assert_true(run_pass(f->t, NULL));
	assert_true(told(f)->rate_measured >= 1);
}

static void test_no_ring(void **state)
{
	Fixture *f = *state;

	fake.refusal = "dirty-ring calculation mode requires dirty-ring feature enabled";
	assert_true(kx_options_set(&f->o, "mode", "dirty-ring", NULL));
	refused(f, "<dirty-ring");
	assert_int_equal(fake.starts, 0);
}

static void test_no_libvirt(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;

	fake.up = FALSE;
	assert_false(start(f, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NO_LIBVIRT));
	g_clear_pointer(&f->uri, g_free);
	refused(f, "through libvirt");
}

/* The caller continues in limited time; the thread that hangs frees everything when libvirt answers. */
static void test_libvirt_hangs(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;

	fake.hangs = TRUE;
	assert_false(start(f, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NO_LIBVIRT));
	assert_non_null(strstr(error->message, "does not answer"));
	g_mutex_lock(&fake.lock);
	fake.hangs = FALSE;
	g_mutex_unlock(&fake.lock);
	while (!fake.opened)
		g_usleep(1000);
}

/* While somebody else measures, the tracker requests no measurement, and that result does not count. */
static void test_somebody_else_measures(void **state)
{
	Fixture *f = *state;

	fake_other(1500);
	started(f);
	until_why(f, "busy");
	assert_int_equal(fake.starts, 0);
	UNTIL(f, rate_measured, 1);
	assert_int_equal(told(f)->rate_other, 1);
	assert_int_equal(f->w->rate_dropped, 0);
}

/* QEMU keeps only one result. */
static void test_result_replaced(void **state)
{
	Fixture *f = *state;

	assert_true(kx_options_set(&f->o, "calc-time", "2s", NULL));
	started(f);
	while (!g_atomic_int_get(&fake.starts))
		g_usleep(1000);
	g_usleep(500000);
	fake_other(10);
	UNTIL(f, rate_dropped, 1);
	assert_non_null(strstr(f->w->rate_dropped_for, "somebody else"));
	assert_int_equal(f->w->rate_measured, 0);
}

static void test_no_result(void **state)
{
	Fixture *f = *state;

	fake.results[1] = -1;
	started(f);
	UNTIL(f, rate_dropped, 1);
	assert_int_equal(f->w->rate_measured, 0);
	assert_non_null(strstr(f->w->rate_dropped_for, "without a result"));
}

static void test_paused(void **state)
{
	Fixture *f = *state;

	fake.paused = TRUE;
	started(f);
	until_why(f, "paused");
	assert_int_equal(fake.starts, 0);
	FAKE_SET(paused, FALSE);
	UNTIL(f, rate_measured, 1);
	/* A pause during a measurement. */
	FAKE_SET(paused, TRUE);
	UNTIL(f, rate_dropped, 1);
	assert_non_null(strstr(f->w->rate_dropped_for, "paused"));
	FAKE_SET(paused, FALSE);
	UNTIL(f, rate_measured, 2);
}

/* The tracker continues by itself; it is not known whether the VM was paused during the measurement that ran meanwhile. */
static void test_libvirtd_restarts(void **state)
{
	Fixture *f = *state;

	started(f);
	UNTIL(f, rate_measured, 1);
	FAKE_SET(up, FALSE);
	until_why(f, "libvirtd");
	FAKE_SET(generation, 1);
	FAKE_SET(up, TRUE);
	UNTIL(f, rate_measured, 2);
	assert_int_equal(told(f)->rate_dropped, 1);
	assert_int_equal(fake.opened, 2);
}

/* The tracker does not report that the VM has gone: the session itself notices this. */
static void test_gone(void **state)
{
	Fixture *f = *state;
	struct kvm_ext_stats st;
	gint64 late = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

	started(f);
	fake_process_state(f->root, "4711", 'Z');
	do {
		g_usleep(10000);
		assert_true(f->t->ops->stats(f->t, &st, NULL));
	} while (!(st.state & KVM_EXT_STATE_VM_GONE) && g_get_monotonic_time() < late);
	assert_true(st.state & KVM_EXT_STATE_VM_GONE);
	assert_true(f->t->ops->drain(f->t, &sink, f, NULL));
}

/* Stopping the tracker does not wait for QEMU; the next setting begins to measure when QEMU has ended the last measurement. */
static void test_left_in_the_midst(void **state)
{
	Fixture *f = *state;

	assert_true(kx_options_set(&f->o, "calc-time", "5s", NULL));
	started(f);
	assert_true(kx_options_set(&f->o, "calc-time", "1s", NULL));
	assert_true(kx_options_set(&f->o, "mode", "dirty-bitmap", NULL));
	started(f);
	assert_int_equal(fake.ended, 0);
	UNTIL(f, rate_measured, 1);
	assert_int_equal(told(f)->rate_other, 1);
	assert_int_equal(fake.mode, VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP);
}

/* QEMU begins another measurement, the last one of the setting before for example, after the tracker has asked whether one runs. */
static void test_forestalled(void **state)
{
	Fixture *f = *state;

	fake.pending = TRUE;
	fake.seconds = 1;
	fake.mode = VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING;
	fake.until_us = g_get_monotonic_time() + G_USEC_PER_SEC;
	started(f);
	UNTIL(f, rate_measured, 1);
	assert_int_equal(fake.collisions, 1);
	fake.collisions = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_measures),
		CASE(test_qemu_begins_late),
		CASE(test_run_on_request),
		CASE(test_no_ring),
		CASE(test_no_libvirt),
		CASE(test_libvirt_hangs),
		CASE(test_somebody_else_measures),
		CASE(test_result_replaced),
		CASE(test_no_result),
		CASE(test_paused),
		CASE(test_libvirtd_restarts),
		CASE(test_gone),
		CASE(test_left_in_the_midst),
		CASE(test_forestalled),
	};

	/* The parameters of statistics are the library's own. */
	assert_int_equal(virInitialize(), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
