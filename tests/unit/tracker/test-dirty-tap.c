// SPDX-License-Identifier: GPL-2.0-or-later
/* dirty-log by a QEMU that copies its log: each page is found once, in its range; invalid data in the shared memory. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "cases.h"
#include "fake-dirty-tap.h"
#include "fake-root.h"
#include "run-pass.h"
#include "tracker/tapoffer.h"
#include "tracker/tracker.h"
#include "vm/dirtytap.h"

#define PID   4711
#define PAGES 8192

typedef struct {
	char *root, *uri;
	struct kvm_ext_vm vm;
	KxTracker *t;
	KxOptions o;
	guint found[PAGES]; /* how often */
	guint64 pages;
	guint ends;
} Fixture;

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);

	fake_init();
	f->root = fake_root_new();
	f->uri = g_strdup(FAKE_URI);
	f->vm.ram_pages = PAGES;
	f->vm.log_mode = KVM_EXT_LOG_MODE_ALL_SET;
	fake_process_state(f->root, "4711", 'S');
	kx_options_init(&f->o);
	assert_true(kx_options_set(&f->o, "tracker", "dirty-log", NULL));
	assert_true(kx_options_set(&f->o, "interval", "10ms", NULL));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;

	kx_tracker_free(f->t);
	assert_int_equal(fake.opened, fake.closed);
	fake_tidy();
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
	const KxTrackerOps *ops = kx_tracker_ops(f->o.tracker, KX_BACKEND_MODULE | KX_BACKEND_TAP);

	assert_string_equal(ops->backend, "qemu-tap");
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

static void refused(Fixture *f, int code, const char *words)
{
	g_autoptr(GError) error = NULL;

	assert_false(start(f, &error));
	assert_true(g_error_matches(error, KX_ERROR, code));
	if (!strstr(error->message, words))
		fail_msg("%s", error->message);
}

static void on_bitmap(void *data, const struct kvm_ext_rec_bitmap *r, const guint64 *bits,
		      gsize nwords)
{
	Fixture *f = data;

	for (gsize i = 0; i < nwords * 64; i++) {
		if (!(bits[i / 64] >> i % 64 & 1))
			continue;
		assert_true(r->gfn + i < PAGES);
		f->found[r->gfn + i]++;
		f->pages++;
	}
}

static void on_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	((Fixture *)data)->ends += !r->h.flags;
}

static const KxStreamOps sink = { .bitmap = on_bitmap, .pass_end = on_end };

/* Until @n passes have ended; all that they found is in f. FALSE: the tracker has ended. */
static gboolean passes(Fixture *f, guint n, GError **error)
{
	gint64 late = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

	while (f->ends < n) {
		if (!f->t->ops->drain(f->t, &sink, f, error))
			return FALSE;
		assert_true(g_get_monotonic_time() < late);
		g_usleep(1000);
	}
	return TRUE;
}

static void ends_with(Fixture *f, const char *words)
{
	g_autoptr(GError) error = NULL;

	assert_false(passes(f, G_MAXUINT, &error));
	if (!strstr(error->message, words))
		fail_msg("%s", error->message);
}

static void set_bit(guint64 *bits, guint64 page)
{
	bits[page / 64] |= 1ull << page % 64;
}

/* --- cases --------------------------------------------------------------------------------------------------------------------- */

/* Ranges that begin and end anywhere, more words than one record of the stream has, and the end of the ring in the midst of it. */
static void test_finds(void **state)
{
	Fixture *f = *state;
	guint64 bits[PAGES / 64] = { 0 };
	struct kvm_ext_stats st;
	const guint n = 50;

	set_bit(bits, 0);
	set_bit(bits, 63);
	set_bit(bits, 64);
	set_bit(bits, 5000);
	set_bit(bits, 7999);
	set_bit(bits, 8000); /* beyond the range */
	started(f);
	assert_int_equal(fake.interval_ms, 10);
	for (guint i = 0; i < n; i++)
		fake_sync(100, 8000, bits);
	assert_true(passes(f, n, NULL));
	assert_int_equal(f->pages, 5 * n);
	assert_int_equal(f->found[100], n);
	assert_int_equal(f->found[163], n);
	assert_int_equal(f->found[164], n);
	assert_int_equal(f->found[5100], n);
	assert_int_equal(f->found[8099], n);
	assert_true(f->t->ops->stats(f->t, &st, NULL));
	assert_int_equal(st.passes, n);
	assert_int_equal(st.sample_pages, 5 * n);
	assert_int_equal(st.overruns, 0);
	assert_int_equal(st.log.pages, 8000);
	assert_int_equal(st.log.harvest_ns, 1000 * n);
	assert_int_equal(st.log.harvest_pages, 8000 * n);
	assert_int_equal(st.log.clear_ns, 200 * n);
	assert_int_equal(st.log.clear_pages, 5 * n);
	assert_int_equal(st.log.mode, KVM_EXT_LOG_MODE_ALL_SET);
	assert_true(st.cpu_ns >= 1500 * n);
}

static void test_range(void **state)
{
	Fixture *f = *state;
	guint64 bits[PAGES / 64];

	memset(bits, 0xff, sizeof(bits));
	assert_true(kx_options_set(&f->o, "range", "0x41+100", NULL));
	started(f);
	fake_sync(0, PAGES, bits);
	assert_true(passes(f, 1, NULL));
	assert_int_equal(f->pages, 100);
	assert_int_equal(f->found[0x40], 0);
	assert_int_equal(f->found[0x41], 1);
	assert_int_equal(f->found[0x41 + 99], 1);
	assert_int_equal(f->found[0x41 + 100], 0);
}

/* Intervals without a reading count as overruns, and no page is lost. */
static void test_skipped(void **state)
{
	Fixture *f = *state;
	guint64 bits[1] = { 1 };
	struct kvm_ext_stats st;

	started(f);
	fake_sync(0, 64, bits);
	fake.skipped = 7;
	fake_sync(0, 64, bits);
	fake_sync(0, 64, bits);
	assert_true(passes(f, 3, NULL));
	assert_true(f->t->ops->stats(f->t, &st, NULL));
	assert_int_equal(st.overruns, 7);
	assert_int_equal(f->found[0], 3);
}

/* The tap runs and has given a pass; the next start is to have another interval. */
static void started_with_another_interval(Fixture *f)
{
	guint64 bits[1] = { 1 };

	started(f);
	fake_sync(0, 64, bits);
	assert_true(passes(f, 1, NULL));
	assert_true(kx_options_set(&f->o, "interval", "25ms", NULL));
}

static void test_changes_setting(void **state)
{
	Fixture *f = *state;
	guint64 bits[1] = { 1 };

	started_with_another_interval(f);
	started(f);
	assert_int_equal(fake.starts, 2);
	assert_int_equal(fake.replaced, 1);
	assert_int_equal(fake.interval_ms, 25);
	fake_sync(0, 64, bits);
	assert_true(passes(f, 2, NULL));
	/* If QEMU refuses, the running tap continues. */
	fake.refusal = "no more today";
	refused(f, KX_ERROR_BUSY, "no more today");
	fake_sync(0, 64, bits);
	assert_true(passes(f, 3, NULL));
}

static gpointer sync_soon(gpointer data)
{
	const guint64 bits[1] = { 1 };

	g_usleep(20000);
	fake_sync(0, 64, bits);
	return NULL;
}

/* A requested pass waits for QEMU's next reading. */
static void test_run_on_request(void **state)
{
	Fixture *f = *state;
	GThread *qemu;

	started(f);
	qemu = g_thread_new("qemu", sync_soon, NULL);
	assert_true(run_pass(f->t, NULL));
	g_thread_join(qemu);
	assert_true(passes(f, 1, NULL));
	assert_int_equal(f->found[0], 1);
}

/* The tracker closes its socket, so that QEMU ends the tap. */
static void test_stops(void **state)
{
	Fixture *f = *state;
	char byte;

	started(f);
	f->t->ops->stop(f->t);
	assert_int_equal(read(fake.socket, &byte, 1), 0);
}

static void test_refused(void **state)
{
	Fixture *f = *state;

	fake.refusal = "The dirty log is tapped already";
	refused(f, KX_ERROR_BUSY, "tapped already");
	fake.refusal = NULL;
	fake.version = 2;
	refused(f, KX_ERROR_NOT_SUPPORTED, "another version");
	/* This QEMU has taken no descriptor: it keeps none. */
	fake.stock = TRUE;
	fake.closefds = 0;
	refused(f, KX_ERROR_NOT_SUPPORTED, "not been found");
	assert_int_equal(fake.closefds, 2);
	assert_int_equal(fake.passed[0], -1);
	assert_int_equal(fake.passed[1], -1);
}

/* Offered, not offered, and not known. */
static void test_offered(void **state)
{
	g_autoptr(GError) error = NULL;
	gboolean offered = FALSE;

	assert_true(kx_tap_offered(FAKE_URI, FAKE_UUID, &offered, NULL));
	assert_true(offered);
	fake.stock = TRUE;
	assert_true(kx_tap_offered(FAKE_URI, FAKE_UUID, &offered, NULL));
	assert_false(offered);
	fake.unwell = TRUE;
	assert_false(kx_tap_offered(FAKE_URI, FAKE_UUID, &offered, &error));
	assert_non_null(strstr(error->message, "no reason"));
}

static gpointer ask_meanwhile(gpointer data)
{
	GError *error = NULL;
	gboolean offered;

	assert_false(kx_tap_offered(FAKE_URI, FAKE_UUID, &offered, &error));
	return error;
}

static void let_libvirt_go_on(void)
{
	gint64 late = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

	g_mutex_lock(&fake.lock);
	fake.silent = FALSE;
	g_cond_broadcast(&fake.heard);
	while (fake.closed < fake.opened) {
		g_mutex_unlock(&fake.lock);
		assert_true(g_get_monotonic_time() < late);
		g_usleep(1000);
		g_mutex_lock(&fake.lock);
	}
	g_mutex_unlock(&fake.lock);
}

/* libvirt passes commands on only after the daemon has stopped waiting: they no longer do anything. */
static void test_late_start(void **state)
{
	Fixture *f = *state;
	guint64 bits[1] = { 1 };
	g_autoptr(GError) error = NULL;
	GThread *other;

	started_with_another_interval(f);
	fake.silent = TRUE;
	other = g_thread_new("other", ask_meanwhile, NULL);
	refused(f, KX_ERROR_NO_LIBVIRT, "does not answer");
	error = g_thread_join(other);
	assert_non_null(strstr(error->message, "does not answer"));
	let_libvirt_go_on();
	assert_int_equal(fake.starts, 1);
	assert_int_equal(fake.replaced, 0);
	assert_int_equal(fake.interval_ms, 10);
	fake_sync(0, 64, bits);
	assert_true(passes(f, 2, NULL));
}

static void restarts(Fixture *f, guint starts)
{
	gint64 late = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	guint now;

	do {
		assert_true(f->t->ops->drain(f->t, &sink, f, NULL));
		assert_true(g_get_monotonic_time() < late);
		g_usleep(1000);
		g_mutex_lock(&fake.lock);
		now = fake.starts;
		g_mutex_unlock(&fake.lock);
	} while (now < starts);
}

static void test_somebody_ends_it(void **state)
{
	Fixture *f = *state;
	guint64 bits[1] = { 1 };

	started(f);
	fake_sync(0, 64, bits);
	fake_end(1);
	ends_with(f, "somebody has stopped the tap");
	/* The reading before the end is not lost. */
	assert_int_equal(f->found[0], 1);
	started(f);
	fake.taken = TRUE;
	fake_end(3);
	ends_with(
		f,
		"somebody else has replaced the tap by another one, and the tap cannot be started "
		"anew: QEMU, asked to tap the dirty log: The dirty log is tapped already");
}

/* QEMU carries a start out at the very moment at which the daemon stops waiting for it: the running tracker starts its tap again. */
static void test_start_at_the_limit(void **state)
{
	Fixture *f = *state;
	guint64 bits[1] = { 1 };

	started_with_another_interval(f);
	fake.late = TRUE;
	refused(f, KX_ERROR_NO_LIBVIRT, "does not answer");
	restarts(f, 3);
	assert_int_equal(fake.replaced, 1);
	assert_int_equal(fake.interval_ms, 10);
	fake_sync(0, 64, bits);
	assert_true(passes(f, 2, NULL));
}

/* Readings with more pages make the tracker ask where the memory is; it tells that once. */
static void test_memory_is_followed(void **state)
{
	Fixture *f = *state;
	const guint64 bits[2] = { 1, 1 };
	gint64 late = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	g_autoptr(KxLayout) layout = NULL;

	fake.ram_bytes = 64 << 12;
	started(f);
	fake_sync(0, 64, bits);
	assert_true(passes(f, 1, NULL));
	assert_null(f->t->ops->layout(f->t));
	fake.ram_bytes = 128 << 12;
	fake_sync(0, 128, bits);
	while (!(layout = f->t->ops->layout(f->t))) {
		assert_true(g_get_monotonic_time() < late);
		g_usleep(1000);
	}
	assert_int_equal(kx_layout_last_gfn(layout), 127);
	fake_sync(0, 128, bits);
	assert_true(passes(f, 3, NULL));
	assert_null(f->t->ops->layout(f->t));
}

static void end_for_a_device(const char *refusal)
{
	g_mutex_lock(&fake.lock);
	fake.refusal = refusal;
	fake_end(4);
	g_mutex_unlock(&fake.lock);
}

/* A device that logs by itself ends the tap, which starts again; if the device cannot log, QEMU says so. */
static void test_device_is_plugged_in(void **state)
{
	Fixture *f = *state;
	guint64 bits[1] = { 1 };
	struct kvm_ext_stats st;

	started(f);
	fake_sync(0, 64, bits);
	end_for_a_device(NULL);
	restarts(f, 2);
	fake_sync(0, 64, bits);
	assert_true(passes(f, 2, NULL));
	assert_int_equal(f->found[0], 2);
	assert_true(f->t->ops->stats(f->t, &st, NULL));
	assert_int_equal(st.overruns, 1);
	end_for_a_device("Migration disabled: vhost lacks VHOST_F_LOG_ALL feature.");
	ends_with(f, "vhost lacks VHOST_F_LOG_ALL");
}

/* The VM has more memory than the shared memory has bits for: at the start, and later. */
static void test_memory_grows(void **state)
{
	Fixture *f = *state;
	guint64 bits[1] = { 1 };
	struct kvm_ext_stats st;

	fake.needed = 100000;
	started(f);
	assert_int_equal(fake.starts, 1);
	assert_true(fake.bytes >= 4 * 100000);
	fake_sync(0, 64, bits);
	assert_true(passes(f, 1, NULL));
	g_mutex_lock(&fake.lock);
	fake.needed = fake.ring->needed = 1000000;
	fake_end(2);
	g_mutex_unlock(&fake.lock);
	restarts(f, 2);
	assert_true(fake.bytes >= 4 * 1000000);
	fake_sync(0, 64, bits);
	fake_sync(0, 64, bits);
	assert_true(passes(f, 3, NULL));
	assert_int_equal(f->found[0], 3);
	assert_true(f->t->ops->stats(f->t, &st, NULL));
	assert_int_equal(st.overruns, 1);
	assert_true(st.memory_bytes > 4 * 1000000);
	/* A number that no VM has. */
	g_mutex_lock(&fake.lock);
	fake.ring->needed = G_MAXUINT64;
	fake_end(2);
	g_mutex_unlock(&fake.lock);
	ends_with(f, "more memory than the daemon shares bits of");
}

/* The session reports the end of QEMU, not the tracker. */
static void test_qemu_ends(void **state)
{
	Fixture *f = *state;
	struct kvm_ext_stats st;
	gint64 late = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

	started(f);
	fake_end(0);
	fake_process_state(f->root, "4711", 'Z');
	do {
		assert_true(f->t->ops->drain(f->t, &sink, f, NULL));
		assert_true(f->t->ops->stats(f->t, &st, NULL));
		assert_true(g_get_monotonic_time() < late);
	} while (!(st.state & KVM_EXT_STATE_VM_GONE));
}

/* --- invalid data ----------------------------------------------------------------------------------------------------------- */

static FakeRecord good_record(void)
{
	return (FakeRecord){ .size = sizeof(FakeRecord),
			     .ranges = 1,
			     .bytes = sizeof(FakeRecord) + 16 + 8,
			     .syncs = 1 };
}

static void is_invalid(Fixture *f, const FakeRecord *r, guint64 address, guint64 pages)
{
	const guint64 rest[3] = { address, pages, 1 };

	started(f);
	fake_put(r, sizeof(*r));
	fake_put(rest, sizeof(rest));
	fake_publish();
	ends_with(f, "is not valid");
	assert_int_equal(f->pages, 0);
}

static void test_invalid(void **state)
{
	Fixture *f = *state;
	FakeRecord r = good_record();

	r.size = 8;
	is_invalid(f, &r, 0, 64);
	r = good_record();
	r.size = G_MAXUINT32 - 7;
	is_invalid(f, &r, 0, 64);
	r = good_record();
	r.bytes = G_MAXUINT64 - 7;
	is_invalid(f, &r, 0, 64);
	r = good_record();
	r.bytes = 0;
	is_invalid(f, &r, 0, 64);
	r = good_record();
	r.ranges = G_MAXUINT32;
	is_invalid(f, &r, 0, 64);
	r = good_record();
	is_invalid(f, &r, 0, 65);
	is_invalid(f, &r, 1, 64);
	is_invalid(f, &r, G_MAXUINT64 << 12, 64);
	is_invalid(f, &r, G_GUINT64_CONSTANT(1) << 52, 64);
	is_invalid(f, &r, 0, G_MAXUINT64);
}

static void costs_are_refused(Fixture *f, guint64 cpu_ns, guint64 sync_ns, guint64 skipped)
{
	const guint64 rest[3] = { 0, 64, 1 };
	FakeRecord r = good_record();

	r.cpu_ns = cpu_ns;
	r.sync_ns = sync_ns;
	r.skipped = skipped;
	started(f);
	fake_put(&r, sizeof(r));
	fake_put(rest, sizeof(rest));
	fake_publish();
	ends_with(f, "more than the time that has passed");
}

/* A sum that wraps around would make the tracker cheaper than it is. */
static void test_impossible_costs(void **state)
{
	const guint64 hour = 3600 * G_GUINT64_CONSTANT(1000000000);

	costs_are_refused(*state, G_MAXUINT64, 0, 0);
	costs_are_refused(*state, hour, 0, 0);
	costs_are_refused(*state, 0, G_MAXUINT64 - 7, 0);
	costs_are_refused(*state, 0, hour, 0);
	costs_are_refused(*state, 0, 0, G_MAXUINT64);
}

/* Of an interval of 10 ms, many readings at once. */
static void test_flood(void **state)
{
	Fixture *f = *state;
	const guint64 rest[3] = { 0, 64, 1 };
	FakeRecord r = good_record();

	started(f);
	assert_true(fake.bytes - FAKE_DATA > 200 * r.bytes);
	for (guint i = 0; i < 200; i++) {
		fake_put(&r, sizeof(r));
		fake_put(rest, sizeof(rest));
	}
	fake_publish();
	ends_with(f, "more readings than intervals have passed");
	assert_true(f->ends < 200);
}

static void test_head_out_of_bounds(void **state)
{
	Fixture *f = *state;

	started(f);
	fake.head += fake.bytes * 2;
	fake_publish();
	ends_with(f, "is not valid");
	started(f);
	fake.head += 8;
	fake_publish();
	ends_with(f, "is not valid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_finds),
		CASE(test_range),
		CASE(test_skipped),
		CASE(test_changes_setting),
		CASE(test_stops),
		CASE(test_refused),
		CASE(test_offered),
		CASE(test_late_start),
		CASE(test_somebody_ends_it),
		CASE(test_start_at_the_limit),
		CASE(test_qemu_ends),
		CASE(test_memory_grows),
		CASE(test_device_is_plugged_in),
		CASE(test_memory_is_followed),
		CASE(test_invalid),
		CASE(test_impossible_costs),
		CASE(test_flood),
		CASE(test_head_out_of_bounds),
		CASE(test_run_on_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
