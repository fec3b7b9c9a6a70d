// SPDX-License-Identifier: GPL-2.0-or-later
/* Counts of pages as a step function, against a plain array of counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/stepmap.h"

#define PAGES 4096u

typedef struct {
	guint count[PAGES]; /* as they must be */
	guint pass[PAGES];  /* of the current pass */
} Model;

static void model_add(Model *m, guint gfn, guint n)
{
	for (guint i = gfn; i < gfn + n; i++)
		m->pass[i] = 1;
}

static void model_end(Model *m, gboolean counts)
{
	for (guint i = 0; i < PAGES; i++) {
		if (counts)
			m->count[i] = MIN(m->count[i] + m->pass[i], KX_STEPMAP_TOP);
		m->pass[i] = 0;
	}
}

typedef struct {
	guint64 at;
	guint got[PAGES];
} Seen;

static void on_stretch(gpointer data, guint64 gfn, guint64 npages, guint count)
{
	Seen *s = data;

	assert_int_equal(gfn, s->at); /* no gap, no overlap */
	assert_true(npages > 0 && gfn + npages <= PAGES);
	s->at = gfn + npages;
	for (guint64 i = gfn; i < s->at; i++)
		s->got[i] = count;
}

static void check(KxStepMap *m, const Model *model)
{
	Seen seen = { 0 };

	kx_stepmap_each(m, 0, PAGES, on_stretch, &seen);
	assert_int_equal(seen.at, PAGES);
	for (guint i = 0; i < PAGES; i++)
		assert_int_equal(seen.got[i], model->count[i]);
}

/* Passes in order and out of order, overlapping, dropped, halved. */
static void equals_a_plain_array(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(21);
	g_autoptr(KxStepMap) m = kx_stepmap_new(1 << 20);
	g_autofree Model *model = g_new0(Model, 1);

	for (guint pass = 0; pass < 600; pass++) {
		guint at = 0;
		gboolean ascending = pass % 3 != 0, counts = pass % 5 != 4;

		for (guint i = 0; i < 20; i++) {
			guint n = (guint)g_rand_int_range(rand, 1, 90);
			guint gfn = ascending ? at + (guint)g_rand_int_range(rand, 0, 100)
					      : (guint)g_rand_int_range(rand, 0, PAGES - 100);

			if (gfn + n > PAGES)
				break;
			at = gfn + n;
			kx_stepmap_add(m, gfn, n, 1);
			model_add(model, gfn, n);
		}
		if (counts)
			kx_stepmap_take(m);
		else
			kx_stepmap_drop(m);
		model_end(model, counts);
		if (pass % 64 == 63) {
			kx_stepmap_halve(m);
			for (guint i = 0; i < PAGES; i++)
				model->count[i] /= 2;
		}
		if (pass % 7 == 0)
			check(m, model);
		assert_int_equal(kx_stepmap_at(m, pass), model->count[pass]);
	}
	check(m, model);
	assert_int_equal(kx_stepmap_grain(m), 1);
}

static void counts_end_at_the_top(void **state)
{
	g_autoptr(KxStepMap) m = kx_stepmap_new(100);

	for (guint i = 0; i < 300; i++) {
		kx_stepmap_add(m, 10, 5, 1);
		kx_stepmap_add(m, 12, 9, 1); /* named twice in one pass */
		kx_stepmap_take(m);
		if (i == 2)
			assert_int_equal(kx_stepmap_at(m, 13), 3);
	}
	assert_int_equal(kx_stepmap_at(m, 13), KX_STEPMAP_TOP);
	assert_int_equal(kx_stepmap_at(m, 21), 0);
	assert_int_equal(kx_stepmap_steps(m), 2);
}

/* The count of a hot page stays the same; pages in the same grain get the same count. */
static void coarser_where_there_is_no_room(void **state)
{
	g_autoptr(KxStepMap) m = kx_stepmap_new(64);
	guint64 grain;

	for (guint pass = 0; pass < 5; pass++) {
		for (guint i = 0; i < 1000; i++)
			kx_stepmap_add(m, i * 64, 1, 1);
		kx_stepmap_take(m);
	}
	for (guint pass = 0; pass < 3; pass++) {
		kx_stepmap_add(m, 640, 1, 1);
		kx_stepmap_take(m);
	}
	assert_true(kx_stepmap_steps(m) <= 64);
	grain = kx_stepmap_grain(m);
	assert_true(grain >= 64 && grain <= 64 * 64);
	assert_int_equal(kx_stepmap_at(m, 640), 8);
	assert_int_equal(kx_stepmap_at(m, 640 / grain * grain), 8);
	for (guint i = 0; i < 1000; i++)
		assert_true(kx_stepmap_at(m, i * 64) >= 5);
	assert_int_equal(kx_stepmap_at(m, 1000 * 64 + grain), 0);
}

/* Work grows with spans, not with pages: a terabyte, a thousand times, needs as few steps as it has borders. */
static void huge_spans_are_cheap(void **state)
{
	g_autoptr(KxStepMap) m = kx_stepmap_new(1 << 20);

	for (guint pass = 0; pass < 1000; pass++) {
		for (guint i = 0; i < 1024; i++)
			kx_stepmap_add(m, (guint64)i << 18, 1 << 18, 1);
		kx_stepmap_take(m);
	}
	assert_int_equal(kx_stepmap_steps(m), 2);
	assert_int_equal(kx_stepmap_at(m, (1ull << 28) - 1), KX_STEPMAP_TOP);
	assert_int_equal(kx_stepmap_at(m, 1ull << 28), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_a_plain_array),
		cmocka_unit_test(counts_end_at_the_top),
		cmocka_unit_test(coarser_where_there_is_no_room),
		cmocka_unit_test(huge_spans_are_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
