// SPDX-License-Identifier: GPL-2.0-or-later
/* The ring of trackers in the daemon, read by the reader of the module's ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tracker/ring.h"

typedef struct {
	guint64 next, runs, ends, losts, lost_samples;
} Seen;

static void on_run(void *data, const struct kvm_ext_rec_run *r)
{
	Seen *s = data;

	assert_true(r->gfn >= s->next); /* in order, whatever was lost */
	s->next = r->gfn + 1;
	s->runs++;
}

static void on_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	((Seen *)data)->ends++;
}

static void on_lost(void *data, const struct kvm_ext_rec_lost *r)
{
	Seen *s = data;

	s->losts++;
	s->lost_samples += r->samples;
}

static const KxStreamOps ops = { .run = on_run, .pass_end = on_end, .lost = on_lost };

static gboolean put_run(KxRing *r, guint64 gfn)
{
	const struct kvm_ext_rec_run run = {
		.h = { KVM_EXT_REC_RUN, 0, sizeof(run) }, .pass = 1, .gfn = gfn, .npages = 1
	};

	return kx_ring_put(r, &run.h, 1);
}

static gboolean put_end(KxRing *r)
{
	const struct kvm_ext_rec_pass_end end = { .h = { KVM_EXT_REC_PASS_END, 0, sizeof(end) },
						  .pass = 1 };

	return kx_ring_put(r, &end.h, 0);
}

/* Records of two sizes, many times around the ring: each record is read once. */
static void test_wraps(void **state)
{
	g_autoptr(KxRing) r = kx_ring_new(2, NULL);
	Seen seen = { 0 };

	assert_non_null(r);
	for (guint64 i = 0; i < 5000; i++) {
		assert_true(put_run(r, i));
		assert_true(i % 3 || put_end(r));
		if (i % 7 == 0)
			assert_true(kx_stream_drain(kx_ring_stream(r), &ops, &seen, NULL, NULL));
	}
	assert_true(kx_stream_drain(kx_ring_stream(r), &ops, &seen, NULL, NULL));
	assert_int_equal(seen.runs, 5000);
	assert_int_equal(seen.next, 5000);
	assert_int_equal(seen.ends, (5000 + 2) / 3);
	assert_int_equal(seen.losts, 0);
}

/* Records that do not fit are counted, and reported when there is space; the end of a pass still fits. */
static void test_counts_what_is_lost(void **state)
{
	g_autoptr(KxRing) r = kx_ring_new(1, NULL);
	Seen seen = { 0 };
	guint64 fit = 0, lost = 0;

	assert_false(kx_ring_is_half_full(r));
	for (guint64 i = 0; i < 1000; i++) {
		if (put_run(r, i))
			fit++;
		else
			lost++;
	}
	assert_true(fit > 10 && lost > 10);
	assert_true(kx_ring_is_half_full(r));
	assert_true(put_end(r));
	assert_true(kx_stream_drain(kx_ring_stream(r), &ops, &seen, NULL, NULL));
	assert_int_equal(seen.runs, fit);
	assert_int_equal(seen.ends, 1);
	assert_true(put_run(r, 1000));
	assert_true(kx_stream_drain(kx_ring_stream(r), &ops, &seen, NULL, NULL));
	assert_int_equal(seen.runs, fit + 1);
	assert_int_equal(seen.losts, 1);
	assert_int_equal(seen.lost_samples, lost);
	assert_int_equal(kx_stream_lost_samples(kx_ring_stream(r)), lost);
	assert_int_equal(kx_stream_lost_records(kx_ring_stream(r)), lost);
}

typedef struct {
	KxRing *ring;
	guint64 n;
} Writer;

static gpointer write_runs(gpointer data)
{
	const Writer *w = data;

	for (guint64 i = 0; i < w->n;) {
		if (put_run(w->ring, i))
			i++;
		else
			g_usleep(10);
	}
	return NULL;
}

/* A writer and a reader at once. */
static void test_two_threads(void **state)
{
	g_autoptr(KxRing) r = kx_ring_new(1, NULL);
	Writer w = { r, 20000 };
	GThread *thread = g_thread_new("writer", write_runs, &w);
	Seen seen = { 0 };

	while (seen.runs < w.n)
		assert_true(kx_stream_drain(kx_ring_stream(r), &ops, &seen, NULL, NULL));
	g_thread_join(thread);
	assert_int_equal(seen.next, w.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wraps),
		cmocka_unit_test(test_counts_what_is_lost),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
