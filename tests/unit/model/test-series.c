// SPDX-License-Identifier: GPL-2.0-or-later
/* Running sums over observations against the same from all of them; how often intervals cover, by simulation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

#include "model/series.h"

#define N_MAX 3000u

static void near(gdouble value, gdouble expected, const char *what)
{
	if (!(fabs(value - expected) <= 1e-9 * fmax(1, fabs(expected))))
		fail_msg("%s: %.12g, expected %.12g", what, value, expected);
}

static KxSeriesEstimate estimate(const KxSeries *s)
{
	const KxSeries *list[] = { s };
	KxSeriesEstimate e;

	assert_true(kx_series_estimate(list, 1, &e));
	return e;
}

/* y / x of 3 with an AR(1) error. */
static void make_up(gsl_rng *rng, gdouble rho, KxObservation *list, guint n)
{
	gdouble error = gsl_ran_gaussian_ziggurat(rng, 1);

	for (guint i = 0; i < n; i++) {
		list[i].x = gsl_ran_poisson(rng, 20);
		list[i].y = 3 * list[i].x + 5 * error;
		error = rho * error + gsl_ran_gaussian_ziggurat(rng, sqrt(1 - rho * rho));
	}
}

/* --- sums ----------------------------------------------------------------------------------------------------------- */

static void lag1_is_that_of_the_library(void **state)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	gdouble values[500];

	for (guint n = 5; n <= 500; n += 45) {
		KxSeries s = { 0 };

		for (guint i = 0; i < n; i++) {
			values[i] = (i ? 0.6 * values[i - 1] : 0) + gsl_ran_gaussian(rng, 1) + 2;
			kx_series_add(&s, (KxObservation){ values[i], 1 });
		}
		near(estimate(&s).value, gsl_stats_mean(values, 1, n), "mean");
		if (fabs(estimate(&s).lag1 - gsl_stats_lag1_autocorrelation(values, 1, n)) > 1e-9)
			fail_msg("%g", estimate(&s).lag1);
	}
	gsl_rng_free(rng);
}

static void correlation_of_ratios(void **state)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	KxObservation list[N_MAX];
	KxSeriesEstimate e;
	KxSeries s = { 0 };

	make_up(rng, 0.7, list, N_MAX);
	for (guint i = 0; i < N_MAX; i++)
		assert_int_equal(kx_series_add(&s, list[i]), i);
	e = estimate(&s);
	assert_true(fabs(e.lag1 - 0.7) < 0.05);
	assert_true(fabs(e.effective_n / N_MAX - 0.3 / 1.7) < 0.04);
	assert_int_equal(e.n, N_MAX);
	assert_in_range(e.units, KX_SERIES_BATCHES / 2, KX_SERIES_BATCHES);
	gsl_rng_free(rng);
}

static void batches_hold_everything(void **state)
{
	KxSeries s = { 0 };

	for (guint n = 1; n <= N_MAX; n++) {
		gdouble y = 0, x = 0;

		kx_series_add(&s, (KxObservation){ n, 1 });
		assert_true(s.size * KX_SERIES_BATCHES >= n);
		assert_true(s.size == 1 || s.size * (KX_SERIES_BATCHES / 2) < n);
		for (guint i = 0; i < KX_SERIES_BATCHES; i++) {
			y += s.batch[i].y;
			x += s.batch[i].x;
			/* all full but the last */
			assert_true(s.batch[i].x == (gdouble)s.size || (i + 1) * s.size > n);
		}
		assert_true(y == n * (n + 1.0) / 2 && x == n);
	}
}

static void same_sums(const KxSeries *a, const KxSeries *b)
{
	assert_int_equal(a->sums.n, b->sums.n);
	assert_int_equal(a->pairs, b->pairs);
	assert_int_equal(a->taken, b->taken);
	assert_int_equal(a->size, b->size);
	near(a->sums.y, b->sums.y, "y");
	near(a->sums.xy, b->sums.xy, "x y");
	near(a->yy, b->yy, "y y");
	near(a->xx, b->xx, "x x");
	near(a->xy, b->xy, "x y of neighbours");
	for (guint i = 0; i < KX_SERIES_BATCHES; i++) {
		near(a->batch[i].y, b->batch[i].y, "batch");
		near(a->batch[i].x, b->batch[i].x, "batch");
	}
}

/* After observations were judged again, any number of times, the sums are as if the last decision had been known from the beginning. */
static void judged_again(void **state)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	KxObservation list[200];
	gboolean counts[200];

	for (guint i = 0; i < 200; i++)
		list[i] = (KxObservation){ (gdouble)gsl_rng_uniform_int(rng, 100),
					   (gdouble)gsl_rng_uniform_int(rng, 9) };
	for (guint round = 0; round < 50; round++) {
		guint n = 3 + (guint)gsl_rng_uniform_int(rng, 190);
		KxSeries s = { 0 }, again = { 0 };

		for (guint i = 0; i < n; i++) {
			counts[i] = gsl_rng_uniform_int(rng, 4) > 0;
			assert_int_equal(
				counts[i] ? kx_series_add(&s, list[i]) : kx_series_skip(&s), i);
		}
		for (guint change = 0; change < 100; change++) {
			guint i = (guint)gsl_rng_uniform_int(rng, n);

			counts[i] = !counts[i];
			kx_series_rejudge(&s, i, list[i], i && counts[i - 1] ? &list[i - 1] : NULL,
					  i + 1 < n && counts[i + 1] ? &list[i + 1] : NULL,
					  counts[i]);
		}
		for (guint i = 0; i < n; i++)
			counts[i] ? kx_series_add(&again, list[i]) : kx_series_skip(&again);
		kx_series_add(&s, list[n]);
		kx_series_add(&again, list[n]);
		same_sums(&s, &again);
	}
	gsl_rng_free(rng);
}

static void what_is_missing_parts_neighbours(void **state)
{
	KxSeries s = { 0 };

	kx_series_add(&s, (KxObservation){ 1, 1 });
	kx_series_add(&s, (KxObservation){ 2, 1 });
	kx_series_break(&s);
	kx_series_add(&s, (KxObservation){ 3, 1 });
	assert_int_equal(s.pairs, 1);
	assert_int_equal(s.taken, 3);
	near(s.yy, 2, "1 · 2");

	/* the last observation counts after all, but the one after the gap is no neighbour of it */
	kx_series_skip(&s);
	kx_series_break(&s);
	kx_series_rejudge(&s, 3, (KxObservation){ 4, 1 }, &(KxObservation){ 3, 1 }, NULL, TRUE);
	kx_series_add(&s, (KxObservation){ 5, 1 });
	assert_int_equal(s.pairs, 2);
	near(s.yy, 2 + 12, "3 · 4");
}

/* Numbers that no series can have are refused when they are read from a file. */
static void what_is_sound(void **state)
{
	KxSeries s = { 0 };

	assert_true(kx_series_is_sound(&s));
	s.sums.n = 7; /* of a report without batches */
	assert_true(kx_series_is_sound(&s));
	s = (KxSeries){ .taken = 1 };
	assert_false(kx_series_is_sound(&s));
	s = (KxSeries){ .size = 3 };
	assert_false(kx_series_is_sound(&s));
	s = (KxSeries){ .taken = 60, .size = 3, .sums.n = 60, .pairs = 59 };
	assert_true(kx_series_is_sound(&s));
	s.taken = G_MAXUINT64;
	assert_false(kx_series_is_sound(&s));
	s.taken = 59;
	assert_false(kx_series_is_sound(&s));
}

/* A batch without an observation that counts is no unit. */
static void paused_stretches_are_no_units(void **state)
{
	KxSeriesEstimate e;
	KxSeries s = { 0 };

	for (guint i = 0; i < KX_SERIES_BATCHES; i++) {
		if (i < 5)
			kx_series_add(&s, (KxObservation){ 6 + i % 2, 2 });
		else
			kx_series_skip(&s);
	}
	e = estimate(&s);
	assert_int_equal(e.n, 5);
	assert_int_equal(e.units, 5);
}

/* --- what cannot be said -------------------------------------------------------------------------------------------- */

static void too_little(void **state)
{
	KxSeries s = { 0 };
	const KxSeries *list[] = { &s };
	KxSeriesEstimate e;

	assert_false(kx_series_estimate(list, 1, &e));
	assert_false(kx_series_estimate(list, 0, &e));
	kx_series_skip(&s);
	kx_series_add(&s, (KxObservation){ 5, 0 });
	assert_false(kx_series_estimate(list, 1, &e));
	assert_true(isnan(e.value));
	kx_series_break(&s);
	s = (KxSeries){ 0 };
	kx_series_add(&s, (KxObservation){ 5, 2 });
	e = estimate(&s);
	near(e.value, 2.5, "value");
	assert_true(isnan(e.low) && isnan(e.high) && isnan(e.lag1) && isnan(e.effective_n));
	kx_series_add(&s, (KxObservation){ 6, 2 });
	e = estimate(&s);
	assert_true(isnan(e.lag1) && e.low < e.value && e.high > e.value);
}

static void equal_observations(void **state)
{
	KxSeriesEstimate e;
	KxSeries s = { 0 };

	for (guint i = 0; i < 100; i++)
		kx_series_add(&s, (KxObservation){ 6, 2 });
	e = estimate(&s);
	near(e.low, 3, "low");
	near(e.high, 3, "high");
}

/* --- coverage ------------------------------------------------------------------------------------------------------- */

typedef struct {
	gdouble rho;
	guint n, windows;
	guint least, most;	       /* intervals of a thousand that cover */
	guint naive_least, naive_most; /* those that take observations for independent */
} Case;

static gboolean naive_covers(const KxSeries *s, guint windows)
{
	gdouble n = 0, y = 0, x = 0, squares = 0;

	for (guint i = 0; i < windows; i++) {
		n += (gdouble)s[i].sums.n;
		y += s[i].sums.y;
		x += s[i].sums.x;
	}
	for (guint i = 0; i < windows; i++)
		squares += s[i].sums.y2 - 2 * y / x * s[i].sums.xy + y / x * y / x * s[i].sums.x2;
	return fabs(y / x - 3) <=
	       gsl_cdf_tdist_Pinv(0.975, n - 1) * sqrt(n / (n - 1) * squares) / x;
}

static void check_coverage(const Case *c)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	KxObservation list[N_MAX];
	guint covered = 0, naive = 0;

	for (guint i = 0; i < 1000; i++) {
		KxSeries s[8] = { 0 };
		const KxSeries *windows[8];
		KxSeriesEstimate e;

		for (guint w = 0; w < c->windows; w++) {
			windows[w] = &s[w];
			make_up(rng, c->rho, list, c->n);
			for (guint j = 0; j < c->n; j++)
				kx_series_add(&s[w], list[j]);
		}
		assert_true(kx_series_estimate(windows, c->windows, &e));
		covered += e.low <= 3 && 3 <= e.high;
		naive += naive_covers(s, c->windows);
	}
	print_message("rho %.1f, %u windows of %u: %u covered, %u if taken for independent\n",
		      c->rho, c->windows, c->n, covered, naive);
	assert_in_range(covered, c->least, c->most);
	assert_in_range(naive, c->naive_least, c->naive_most);
	gsl_rng_free(rng);
}

static void intervals_cover(void **state)
{
	const Case cases[] = {
		{ 0, 30, 1, 930, 980, 920, 970 },    { 0, 1000, 1, 930, 985, 930, 970 },
		{ 0.5, 100, 1, 920, 970, 690, 790 }, { 0.5, 1000, 1, 930, 985, 690, 790 },
		{ 0.8, 300, 1, 920, 970, 440, 560 }, { 0.8, 1000, 1, 930, 980, 440, 560 },
		{ 0.8, 100, 3, 930, 975, 440, 560 }, { 0.8, 100, 6, 930, 970, 440, 560 },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
		check_coverage(&cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lag1_is_that_of_the_library),
		cmocka_unit_test(correlation_of_ratios),
		cmocka_unit_test(batches_hold_everything),
		cmocka_unit_test(judged_again),
		cmocka_unit_test(what_is_missing_parts_neighbours),
		cmocka_unit_test(what_is_sound),
		cmocka_unit_test(paused_stretches_are_no_units),
		cmocka_unit_test(too_little),
		cmocka_unit_test(equal_observations),
		cmocka_unit_test(intervals_cover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
