// SPDX-License-Identifier: GPL-2.0-or-later
/* Figures over rounds: against values worked out by hand, and how often the intervals cover by simulation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>

#include "compare/estimate.h"

static void near(gdouble value, gdouble expected, const char *what)
{
	if (!(fabs(value - expected) <= 1e-6 * fmax(1, fabs(expected))))
		fail_msg("%s: %.9g, expected %.9g", what, value, expected);
}

/* --- mean ----------------------------------------------------------------------------------------------------------- */

static void mean_of_few_rounds(void **state)
{
	const gdouble values[] = { 4, NAN, 6, 8 };
	KxEstimate e = kx_estimate_mean(values, 4, 1);

	near(e.value, 6, "mean");
	near(e.low, 6 - 4.30265273 * 2 / sqrt(3), "low"); /* t of 2 degrees, deviation 2 */
	near(e.high, 6 + 4.30265273 * 2 / sqrt(3), "high");
	assert_int_equal(e.n, 3);
	assert_int_equal(e.missing, 1);
	assert_int_equal(e.method, KX_METHOD_T);
	assert_null(e.na);
	assert_null(e.open);
}

static void mean_without_rounds(void **state)
{
	const gdouble values[] = { NAN, NAN, 5 };
	KxEstimate none = kx_estimate_mean(values, 2, 1), one = kx_estimate_mean(values, 3, 1);

	assert_string_equal(none.na, "no round has a value");
	assert_true(isnan(none.value) && isnan(none.low) && isnan(none.high));
	assert_int_equal(none.missing, 2);
	near(one.value, 5, "value");
	assert_null(one.na);
	assert_string_equal(one.open, "only one round has a value");
	assert_true(isnan(one.low) && isnan(one.high));
	assert_string_equal(kx_method_name(one.method), "none");
	assert_string_equal(kx_estimate_mean(NULL, 0, 1).na, "no round has a value");
}

static void equal_rounds_leave_no_doubt(void **state)
{
	const gdouble values[] = { 3, 3, 3, 3, 3, 3, 3, 3, 3 };
	KxEstimate few = kx_estimate_mean(values, 3, 1), many = kx_estimate_mean(values, 9, 1);

	near(few.low, 3, "low");
	near(few.high, 3, "high");
	near(many.low, 3, "low");
	near(many.high, 3, "high");
}

/* If values have a long tail upwards, the interval's upper end is above that of Student's t, and its lower end is not above it. */
static void bootstrap_sees_skew(void **state)
{
	const gdouble values[] = { 1, 1.1, 1.2, 1, 0.9, 1.1, 1.3, 1, 4, 1.2 };
	KxEstimate e = kx_estimate_mean(values, 10, 5), again = kx_estimate_mean(values, 10, 5);
	KxEstimate other = kx_estimate_mean(values, 10, 6);
	gdouble half = 2.26215716 * 0.9283199 / sqrt(10); /* t of 9 degrees, deviation */

	near(e.value, 1.38, "mean");
	assert_int_equal(e.method, KX_METHOD_BCA);
	assert_true(e.high > 1.38 + 1.2 * half);
	assert_true(e.low <= 1.38 - half + 1e-6);
	assert_true(e.low == again.low && e.high == again.high);
	assert_true(e.high != other.high);
}

/* --- quotient ------------------------------------------------------------------------------------------------------- */

static void quotient_is_of_sums(void **state)
{
	const gdouble ns[] = { 100, 300, NAN, 50 }, samples[] = { 10, 20, 30, 0 };
	KxEstimate e = kx_estimate_quotient(ns, samples, 3, 1);

	near(e.value, 400.0 / 30, "two rounds");
	assert_int_equal(e.n, 2);
	assert_int_equal(e.missing, 1);
	/* time that was spent without finding anything counts */
	near(kx_estimate_quotient(ns, samples, 4, 1).value, 450.0 / 30, "with nothing below");
}

/*
 * Fieller by hand: means 2 and 4; of the means, variances 1/3 · (1, 1/4) and covariance 0 for y = 1, 2, 3 and x = 4.5, 3.5, 4 … (x
 * chosen so that Σ(y - 2)(x - 4) = -0.5, thus covariance -1/12). t² = 18.5128205 for 2 degrees.
 */
static void fieller_by_hand(void **state)
{
	const gdouble y[] = { 1, 2, 3 }, x[] = { 4.5, 3.5, 4 };
	const gdouble t2 = 18.5128205, vy = 1.0 / 3, vx = 0.25 / 3, vxy = -0.25 / 3;
	KxEstimate e = kx_estimate_quotient(y, x, 3, 1);

	assert_int_equal(e.method, KX_METHOD_FIELLER);
	near(e.value, 0.5, "value");
	/* each end r is where (2 - 4 r)² = t² (vy - 2 r vxy + r² vx) */
	for (guint i = 0; i < 2; i++) {
		gdouble r = i ? e.high : e.low;

		near((2 - 4 * r) * (2 - 4 * r), t2 * (vy - 2 * r * vxy + r * r * vx), "end");
	}
	assert_true(e.low < 0.5 && e.high > 0.5);
}

static void quotient_that_cannot_be_had(void **state)
{
	const gdouble ns[] = { 100, 110, 90, 105 }, none[] = { 0, 0, 0, 0 },
		      rare[] = { 0, 0, 3, 0 };
	KxEstimate e = kx_estimate_quotient(ns, none, 4, 1);

	assert_string_equal(e.na, "there is nothing to divide by in any round");
	assert_true(isnan(e.value));
	e = kx_estimate_quotient(ns, rare, 4, 1);
	assert_null(e.na);
	near(e.value, 135, "value");
	assert_string_equal(e.open, "what it is divided by cannot be told from nothing");
	assert_true(isnan(e.low) && isnan(e.high));
	e = kx_estimate_quotient(ns, rare + 2, 1, 1);
	assert_string_equal(e.open, "only one round has a value");
}

/* The lost vCPU time may be below 0, and so may an end of its interval. */
static void quotient_may_be_negative(void **state)
{
	const gdouble lost[] = { -5, 3, -2, 4, -3, 2, -4, 1, 0, -1 };
	const gdouble samples[] = { 10, 11, 9, 10, 12, 10, 8, 10, 11, 10 };
	KxEstimate e = kx_estimate_quotient(lost, samples, 10, 1);

	near(e.value, -5.0 / 101, "value");
	assert_true(e.low < e.value && e.high > 0);
	assert_int_equal(e.method, KX_METHOD_BCA);
}

/* --- coverage ------------------------------------------------------------------------------------------------------- */

static guint covered(guint rounds, gdouble (*draw)(gsl_rng *), gdouble truth, gboolean ratio)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	g_autofree gdouble *y = g_new(gdouble, rounds), *x = g_new(gdouble, rounds);
	guint hits = 0;

	for (guint i = 0; i < 1000; i++) {
		KxEstimate e;

		for (guint j = 0; j < rounds; j++) {
			x[j] = gsl_ran_poisson(rng, 6); /* 0 now and then */
			y[j] = ratio ? truth * x[j] + draw(rng) : truth + draw(rng);
		}
		e = ratio ? kx_estimate_quotient(y, x, rounds, i) : kx_estimate_mean(y, rounds, i);
		hits += e.low <= truth && truth <= e.high;
	}
	gsl_rng_free(rng);
	return hits;
}

static gdouble normal(gsl_rng *rng)
{
	return gsl_ran_gaussian(rng, 1);
}

static gdouble long_tails(gsl_rng *rng)
{
	return gsl_ran_laplace(rng, 1);
}

static gdouble skewed(gsl_rng *rng)
{
	return gsl_ran_exponential(rng, 1) - 1;
}

static void intervals_cover(void **state)
{
	for (guint ratio = 0; ratio < 2; ratio++) {
		assert_in_range(covered(5, normal, 3, ratio), 930, 980);
		assert_in_range(covered(8, normal, 3, ratio), 930, 975);
		assert_in_range(covered(12, normal, 3, ratio), 930, 975);
		assert_in_range(covered(12, long_tails, 3, ratio), 930, 980);
		/* a dozen rounds of an exponential distribution: Student's t covers 905 of 1000 */
		assert_in_range(covered(12, skewed, 3, ratio), 920, 970);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mean_of_few_rounds),
		cmocka_unit_test(mean_without_rounds),
		cmocka_unit_test(equal_rounds_leave_no_doubt),
		cmocka_unit_test(bootstrap_sees_skew),
		cmocka_unit_test(quotient_is_of_sums),
		cmocka_unit_test(fieller_by_hand),
		cmocka_unit_test(quotient_that_cannot_be_had),
		cmocka_unit_test(quotient_may_be_negative),
		cmocka_unit_test(intervals_cover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
