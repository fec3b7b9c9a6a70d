// SPDX-License-Identifier: GPL-2.0-or-later
/* When passes on a thread of the daemon run, what they count, and that nobody waits for a pass that cannot be cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "tracker/passthread.h"

/* What a pass does here. */
typedef struct {
	gint hold; /* passes wait as long as it is set */
	gint held; /* passes that have begun to wait */
	gint freed;
	int fail;	 /* KxError of the next pass; -1: none */
	gboolean polite; /* a held pass looks whether it is cut */
	guint64 pages, cpu_ns;
} Work;

static gboolean work_pass(gpointer work, KxPass *p, GError **error)
{
	Work *w = work;

	if (g_atomic_int_get(&w->hold))
		g_atomic_int_inc(&w->held);
	while (g_atomic_int_get(&w->hold)) {
		if (w->polite && kx_pass_is_cut(p))
			return TRUE;
		g_usleep(1000);
	}
	if (!kx_pass_primes(p) && w->fail >= 0) {
		g_set_error_literal(error, KX_ERROR, w->fail, "it failed");
		return FALSE;
	}
	kx_pass_expect(p, w->pages);
	kx_pass_looked(p, w->pages, w->pages);
	for (guint64 i = 0; i < w->pages; i++)
		kx_pass_found_run(p, i, 1, 0);
	kx_pass_add_cpu(p, w->cpu_ns);
	return TRUE;
}

static void work_free(gpointer work)
{
	g_atomic_int_set(&((Work *)work)->freed, TRUE);
}

static gsize work_bytes(gconstpointer work)
{
	return 1000000;
}

static const KxPassOps work_ops = {
	.thread = "kx-test", .pass = work_pass, .free = work_free, .bytes = work_bytes
};

typedef struct {
	guint begins, primes, cuts, ends;
	guint64 pages, last_epoch, last_pass, samples, lost;
} Seen;

static void on_begin(void *data, const struct kvm_ext_rec_pass_begin *r)
{
	Seen *s = data;

	s->begins++;
	s->last_epoch = r->epoch;
}

static void on_run(void *data, const struct kvm_ext_rec_run *r)
{
	((Seen *)data)->pages += r->npages;
}

static void on_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	Seen *s = data;

	s->primes += (r->h.flags & KVM_EXT_PASS_PRIME) != 0;
	s->cuts += (r->h.flags & KVM_EXT_PASS_CUT) != 0;
	s->ends++;
	s->last_pass = r->pass;
	s->samples += r->h.flags ? 0 : r->samples;
	s->lost += r->lost_samples;
}

static const KxStreamOps sink = { .pass_begin = on_begin, .run = on_run, .pass_end = on_end };

typedef struct {
	struct kvm_ext_vm vm;
	KxTracker t;
	KxOptions o;
	Work work;
	Seen seen;
} Fixture;

static void set_up(Fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->work = (Work){ .fail = -1, .polite = TRUE, .pages = 10, .cpu_ns = 1000000 };
	f->t.vm.vm = &f->vm;
	kx_options_init(&f->o);
	f->o.interval_ns = 0;
	assert_true(kx_passes_open(&f->t, NULL));
}

static void start(Fixture *f)
{
	assert_true(kx_passes_start(&f->t, &f->o, &work_ops, &f->work, NULL));
}

static void drain(Fixture *f)
{
	assert_true(kx_passes_drain(&f->t, &sink, &f->seen, NULL));
}

static guint64 run(Fixture *f, GError **error)
{
	gpointer handle = kx_passes_handle(&f->t);
	guint64 pass = 0;

	if (!kx_passes_run(handle, &pass, error))
		pass = 0;
	kx_passes_handle_free(handle);
	return pass;
}

static void stats(Fixture *f, struct kvm_ext_stats *st)
{
	assert_true(kx_passes_stats(&f->t, st, NULL));
}

static void wait_for(gint *flag, gint value)
{
	while (g_atomic_int_get(flag) < value)
		g_usleep(1000);
}

/* The first pass primes at once, and answers no request; records and statistics agree. */
static void test_on_request(void **state)
{
	struct kvm_ext_stats st;
	Fixture f;

	set_up(&f);
	start(&f);
	assert_int_equal(run(&f, NULL), 1);
	assert_int_equal(run(&f, NULL), 2);
	drain(&f);
	stats(&f, &st);
	assert_int_equal(f.seen.begins, 3);
	assert_int_equal(f.seen.primes, 1);
	assert_int_equal(f.seen.pages, 20);
	assert_int_equal(f.seen.samples, 20);
	assert_int_equal(f.seen.last_epoch, st.epoch);
	assert_int_equal(st.passes, 2);
	assert_int_equal(st.samples, 20);
	assert_int_equal(st.pages_scanned, 20);
	assert_int_equal(st.interval_ns, 0);
	assert_true(st.cpu_ns >= 3 * f.work.cpu_ns && st.prime_cpu_ns >= f.work.cpu_ns &&
		    st.prime_cpu_ns < st.cpu_ns);
	assert_true(st.first_start_ns < st.last_start_ns && st.last_start_ns <= st.now_ns);
	kx_passes_close(&f.t);
	wait_for(&f.work.freed, TRUE);
}

/* Passes begin by themselves; intervals that begin during a longer pass are overruns. */
static void test_by_interval(void **state)
{
	struct kvm_ext_stats st;
	Fixture f;

	set_up(&f);
	f.o.interval_ns = 1000000;
	start(&f);
	do {
		g_usleep(1000);
		drain(&f);
	} while (f.seen.ends < 20);
	g_atomic_int_set(&f.work.hold, TRUE);
	wait_for(&f.work.held, 1);
	g_usleep(20000);
	g_atomic_int_set(&f.work.hold, FALSE);
	run(&f, NULL);
	stats(&f, &st);
	assert_true(st.overruns >= 15);
	assert_true(st.passes >= 19);
	assert_true((st.last_start_ns - st.first_start_ns) / (st.passes - 1) >= 900000);
	kx_passes_close(&f.t);
}

/* After a switch the records of the old setting, up to its cut, are still drained; the next setting has its own epoch. */
static void test_switch(void **state)
{
	Work next = { .fail = -1, .pages = 3 };
	struct kvm_ext_stats old, st;
	Fixture f;

	set_up(&f);
	start(&f);
	run(&f, NULL);
	stats(&f, &old);
	g_atomic_int_set(&f.work.hold, TRUE);
	gpointer handle = kx_passes_handle(&f.t);
	assert_true(kx_passes_start(&f.t, &f.o, &work_ops, &next, NULL));
	assert_int_equal(run(&f, NULL), 1);
	drain(&f);
	stats(&f, &st);
	assert_true(st.epoch > old.epoch);
	assert_int_equal(st.samples, 3);
	assert_int_equal(f.seen.pages, 13);
	assert_int_equal(f.seen.last_epoch, st.epoch);
	/* A caller that still waits for the old setting gets an error. */
	guint64 pass;
	g_autoptr(GError) error = NULL;
	assert_false(kx_passes_run(handle, &pass, &error));
	assert_non_null(strstr(error->message, "cut short"));
	kx_passes_handle_free(handle);
	kx_passes_close(&f.t);
	wait_for(&f.work.freed, TRUE);
	wait_for(&next.freed, TRUE);
}

/* The current pass is cut, and counts nowhere. */
static void test_cut(void **state)
{
	struct kvm_ext_stats st;
	Fixture f;

	set_up(&f);
	f.o.interval_ns = 1000000;
	start(&f);
	run(&f, NULL);
	g_atomic_int_set(&f.work.hold, TRUE);
	wait_for(&f.work.held, 1);
	kx_passes_stop(&f.t);
	drain(&f);
	stats(&f, &st);
	assert_int_equal(f.seen.cuts, 1);
	assert_int_equal(f.seen.ends, st.passes + 2);
	assert_int_equal(st.samples, 10 * st.passes);
	kx_passes_close(&f.t);
	wait_for(&f.work.freed, TRUE);
}

/* A pass in a system call that cannot be interrupted is not waited for. */
static void test_stop_has_a_bound(void **state)
{
	gint64 before;
	Fixture f;

	set_up(&f);
	f.work.polite = FALSE;
	g_atomic_int_set(&f.work.hold, TRUE);
	start(&f);
	wait_for(&f.work.held, 1);
	before = g_get_monotonic_time();
	kx_passes_stop(&f.t);
	assert_true(g_get_monotonic_time() - before >= KX_PASS_STOP_MS * 1000);
	drain(&f);
	kx_passes_close(&f.t);
	assert_false(g_atomic_int_get(&f.work.freed));
	g_atomic_int_set(&f.work.hold, FALSE);
	wait_for(&f.work.freed, TRUE);
}

/* An error ends the session, except that the VM is gone: the session itself notices that. */
static void fails(int code, gboolean drains)
{
	g_autoptr(GError) error = NULL, drain_error = NULL;
	struct kvm_ext_stats st;
	Fixture f;

	set_up(&f);
	f.work.fail = code;
	start(&f);
	assert_int_equal(run(&f, &error), 0);
	assert_true(g_error_matches(error, KX_ERROR, code));
	assert_int_equal(kx_passes_drain(&f.t, &sink, &f.seen, &drain_error), drains);
	assert_true(drains || g_error_matches(drain_error, KX_ERROR, code));
	stats(&f, &st);
	assert_int_equal(st.passes, 0);
	assert_int_equal((st.state & KVM_EXT_STATE_VM_GONE) != 0, drains);
	assert_int_equal(f.seen.cuts, 1);
	kx_passes_close(&f.t);
	wait_for(&f.work.freed, TRUE);
}

static void test_failures(void **state)
{
	fails(KX_ERROR_FAILED, FALSE);
	fails(KX_ERROR_VM_GONE, TRUE);
}

/* A pass finds more than the ring can hold: samples are counted as lost, and the pass is complete. */
static void test_full_ring(void **state)
{
	struct kvm_ext_stats st;
	Fixture f;

	set_up(&f);
	f.o.ring_pages = 1;
	f.work.pages = 1000;
	start(&f);
	assert_int_equal(run(&f, NULL), 1);
	drain(&f);
	stats(&f, &st);
	assert_int_equal(st.samples, 1000);
	assert_true(st.lost_samples > 0 && st.lost_samples < 1000);
	assert_int_equal(f.seen.pages, 1000 - st.lost_samples);
	assert_int_equal(f.seen.lost, st.lost_samples);
	assert_int_equal(f.seen.ends, 2);
	kx_passes_close(&f.t);
	wait_for(&f.work.freed, TRUE);
}

/* --- a pace that is not the thread's ---------------------------------------------------------------------------------- */

static gint given, left; /* how many times there is something to find; the thread has left */

static gboolean work_await(gpointer work, KxPass *p, GError **error)
{
	const Work *w = work;

	while (!g_atomic_int_get(&given)) {
		if (kx_pass_is_cut(p))
			return TRUE;
		if (w->fail >= 0) {
			g_set_error_literal(error, KX_ERROR, w->fail, "it went away");
			return FALSE;
		}
		g_usleep(1000);
	}
	g_atomic_int_add(&given, -1);
	return TRUE;
}

static void work_leave(gpointer work)
{
	g_atomic_int_set(&left, TRUE);
}

static const KxPassOps paced_ops = { "kx-test",	 work_pass,  work_free,
				     work_await, work_leave, work_bytes };

static void start_paced(Fixture *f)
{
	g_atomic_int_set(&given, 0);
	g_atomic_int_set(&left, FALSE);
	set_up(f);
	f->o.interval_ns = 1000000; /* which does not set the pace of its passes */
	assert_true(kx_passes_start(&f->t, &f->o, &paced_ops, &f->work, NULL));
}

/* Passes run when there is something to find; the first one primes; a request gets the next pass. */
static void test_paced(void **state)
{
	struct kvm_ext_stats st;
	Fixture f;

	start_paced(&f);
	g_usleep(20000);
	stats(&f, &st);
	assert_int_equal(st.passes, 0);
	assert_true(st.progress.flags & KVM_EXT_PASS_PRIME);
	g_atomic_int_set(&given, 3);
	do {
		g_usleep(1000);
		drain(&f);
	} while (f.seen.ends < 3);
	assert_int_equal(f.seen.primes, 1);
	g_atomic_int_set(&given, 1);
	assert_int_equal(run(&f, NULL), 3);
	drain(&f);
	stats(&f, &st);
	assert_int_equal(st.passes, 3);
	assert_int_equal(st.overruns, 0);
	assert_int_equal(st.interval_ns, 1000000);
	assert_int_equal(f.seen.samples, 30);
	/* Stopped while it waits: no pass had begun, so none was cut, and the thread has called leave(). */
	kx_passes_stop(&f.t);
	wait_for(&left, TRUE);
	drain(&f);
	assert_int_equal(f.seen.cuts, 0);
	kx_passes_close(&f.t);
	wait_for(&f.work.freed, TRUE);
}

/* The event that the tracker waits for cannot come any more. */
static void test_paced_fails(void **state)
{
	g_autoptr(GError) error = NULL, ends = NULL;
	Fixture f;

	start_paced(&f);
	g_atomic_int_set(&given, 1);
	do {
		g_usleep(1000);
		drain(&f);
	} while (f.seen.ends < 1);
	f.work.fail = KX_ERROR_FAILED;
	assert_int_equal(run(&f, &error), 0);
	assert_string_equal(error->message, "it went away");
	wait_for(&left, TRUE);
	assert_false(kx_passes_drain(&f.t, &sink, &f.seen, &ends));
	kx_passes_close(&f.t);
	wait_for(&f.work.freed, TRUE);
}

/* Memory is that of the ring and that which the tracker reports; a larger ring adds its pages. */
static void test_reports_its_memory(void **state)
{
	struct kvm_ext_stats small, large;
	Fixture f;

	set_up(&f);
	f.o.ring_pages = 64;
	start(&f);
	stats(&f, &small);
	f.o.ring_pages = 256;
	start(&f);
	stats(&f, &large);
	assert_in_range(small.memory_bytes, 1000000 + 65 * 4096, 1000000 + 66 * 4096);
	assert_int_equal(large.memory_bytes - small.memory_bytes, 192 * 4096);
	kx_passes_close(&f.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports_its_memory),
		cmocka_unit_test(test_on_request),
		cmocka_unit_test(test_by_interval),
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_stop_has_a_bound),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_full_ring),
		cmocka_unit_test(test_paced),
		cmocka_unit_test(test_paced_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
