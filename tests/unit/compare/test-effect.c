// SPDX-License-Identifier: GPL-2.0-or-later
/* Effects of settings from tables small enough to be worked out by hand. How often intervals cover: test-coverage.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>

#include "compare/effect.h"

static void near(gdouble value, gdouble expected, const char *what)
{
	if (!(fabs(value - expected) <= 1e-6 * fmax(1, fabs(expected))))
		fail_msg("%s: %.9g, expected %.9g", what, value, expected);
}

/* --- pairs ---------------------------------------------------------------------------------------------------------- */

static void effect_is_of_pairs(void **state)
{
	/* rounds differ by much more than settings do */
	const gdouble values[] = { 1, 1.1, 10, 12, 100, 130 };
	KxTrial t = { .settings = 2, .rounds = 3, .vms = 1, .values = values };
	KxEffect e = kx_effect(&t, 1, 0, 1);
	gdouble a = log(1.1), b = log(1.2), c = log(1.3), mean = (a + b + c) / 3, half;

	half = 4.30265273 / sqrt(3) *
	       sqrt(((a - mean) * (a - mean) + (b - mean) * (b - mean) + (c - mean) * (c - mean)) /
		    2);
	near(e.ratio.value, exp(mean), "ratio");
	near(e.ratio.low, exp(mean - half), "low");
	near(e.ratio.high, exp(mean + half), "high");
	near(e.degrees, 2, "degrees");
	near(e.se, half / 4.30265273, "standard error");
	assert_int_equal(e.ratio.method, KX_METHOD_T);
	assert_false(e.drift_out || e.carry_out);
	assert_false(e.differs);
	near(e.within, exp(mean + half) - 1, "the farther end");
}

static void clear_effects_differ(void **state)
{
	const gdouble values[] = { 10, 12, 10, 12.1, 10, 12.2, 10, 12 };
	KxTrial t = { .settings = 2, .rounds = 4, .vms = 1, .values = values };
	KxEffect slower = kx_effect(&t, 1, 0, 1), faster = kx_effect(&t, 0, 1, 1);

	assert_true(slower.differs && slower.ratio.low > 1);
	assert_true(isnan(slower.within));
	assert_true(faster.differs && faster.ratio.high < 1);
	near(faster.ratio.value, 1 / slower.ratio.value, "the other way round");
}

static void rounds_without_a_pair_are_left_out(void **state)
{
	const gdouble values[] = { 10, 12, NAN, 12, 10, NAN, 0, 12, 10, -1, 10, 13, INFINITY, 12 };
	const gdouble whole[] = { 10, 12, 10, 13 };
	KxTrial t = { .settings = 2, .rounds = 7, .vms = 1, .values = values };
	KxTrial two = { .settings = 2, .rounds = 2, .vms = 1, .values = whole };
	KxEffect e = kx_effect(&t, 1, 0, 1), same = kx_effect(&two, 1, 0, 1);

	assert_int_equal(e.ratio.n, 2);
	assert_int_equal(e.ratio.missing, 5);
	near(e.ratio.value, same.ratio.value, "ratio");
	near(e.ratio.low, same.ratio.low, "low");
	near(e.ratio.high, same.ratio.high, "high");
}

static void what_cannot_be_said_has_a_reason(void **state)
{
	const gdouble none[] = { 10, NAN, NAN, 12 }, one[] = { 10, 12, NAN, 12 };
	KxTrial t = { .settings = 2, .rounds = 2, .vms = 1, .values = none };
	KxEffect e = kx_effect(&t, 1, 0, 1);

	assert_string_equal(e.ratio.na,
			    "no round has a value of both the setting and its reference");
	assert_true(isnan(e.ratio.value) && isnan(e.within) && isnan(e.se));
	assert_false(e.differs);
	assert_int_equal(kx_effect_rounds_for(&e, 0.01), G_MAXUINT);
	t.values = one;
	e = kx_effect(&t, 1, 0, 1);
	near(e.ratio.value, 1.2, "ratio");
	assert_string_equal(e.ratio.open,
			    "only one round has a value of both the setting and its reference");
	assert_true(isnan(e.ratio.low) && isnan(e.within));
	assert_false(e.differs);
	assert_int_equal(kx_effect_rounds_for(&e, 0.01), G_MAXUINT);
	assert_string_equal(kx_effect(&t, 2, 0, 1).ratio.na, "there is no such setting");
	t.rounds = 0;
	assert_non_null(kx_effect(&t, 1, 0, 1).ratio.na);
}

static void the_reference_is_1(void **state)
{
	const gdouble values[] = { 10, 12, NAN, 12, 10, 13 };
	KxTrial t = { .settings = 2, .rounds = 3, .vms = 1, .values = values };
	KxEffect e = kx_effect(&t, 0, 0, 1);

	near(e.ratio.value, 1, "ratio");
	assert_int_equal(e.ratio.n, 2);
	assert_int_equal(e.ratio.missing, 1);
	assert_string_equal(e.ratio.open, "it is the reference itself");
	assert_false(e.differs);
}

static void inverse_swaps_the_ends(void **state)
{
	const gdouble values[] = { 10, 8, 10, 7.8, 10, 8.1, 10, 8 };
	gdouble reciprocal[8];
	KxTrial t = { .settings = 2, .rounds = 4, .vms = 1, .values = values };
	KxEffect progress = kx_effect(&t, 1, 0, 1), slowdown = kx_effect_inverse(&progress), direct;

	for (guint i = 0; i < 8; i++)
		reciprocal[i] = 1 / values[i];
	t.values = reciprocal;
	direct = kx_effect(&t, 1, 0, 1);
	near(slowdown.ratio.value, direct.ratio.value, "value");
	near(slowdown.ratio.low, direct.ratio.low, "low");
	near(slowdown.ratio.high, direct.ratio.high, "high");
	assert_true(slowdown.differs && slowdown.ratio.low > 1);
}

/* A VM that is ten times as fast, and a VM that misses a round: each VM counts with its own ratios. */
static void vms_count_alike(void **state)
{
	const gdouble values[] = { 10, 12, 10, 14, 100, 110, NAN, 140 };
	KxTrial t = { .settings = 2, .rounds = 2, .vms = 2, .values = values };
	KxTrial second = { .settings = 2, .rounds = 2, .vms = 1, .values = values + 4 };
	KxEffect e = kx_effect(&t, 1, 0, 1);

	near(e.ratio.value, exp(((log(1.2) + log(1.1)) / 2 + log(1.4)) / 2), "ratio");
	assert_int_equal(e.ratio.n, 2);
	assert_int_equal(e.ratio.missing, 0);
	near(kx_effect(&second, 1, 0, 1).ratio.value, 1.1, "of the second alone");
}

/* --- drift and carry-over ------------------------------------------------------------------------------------------- */

#define K 4u
#define N 12u

typedef struct {
	gdouble values[K * N];
	guint positions[K * N], before[K * N];
	KxTrial t;
} Table;

/* Settings by 0, 10, 20, … %; @drift per window, what setting 2 does to the window after it, and scatter. */
static void fill(Table *table, guint64 seed, gdouble drift, gdouble carry, gdouble scatter)
{
	g_autoptr(KxDesign) d = kx_design_new(K, N, seed);
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);

	gsl_rng_set(rng, seed + 1);
	table->t = (KxTrial){ .settings = K,
			      .rounds = N,
			      .vms = 1,
			      .values = table->values,
			      .positions = table->positions,
			      .before = table->before };
	kx_trial_order(d, 1, TRUE, table->positions, table->before);
	for (guint i = 0; i < K * N; i++)
		table->values[i] =
			(1 + 0.1 * (i % K)) *
			exp(drift * (i / K * K + table->positions[i]) +
			    (table->before[i] == 2 ? carry : 0) + gsl_ran_gaussian(rng, scatter));
	gsl_rng_free(rng);
}

static void order_is_that_of_the_design(void **state)
{
	g_autoptr(KxDesign) d = kx_design_new(K, N, 4);
	guint positions[2 * K * N], before[2 * K * N];
	KxTrial t = { .settings = K, .rounds = N, .vms = 2 };

	for (guint together = 0; together < 2; together++) {
		kx_trial_order(d, 2, together, positions, before);
		for (guint i = 0; i < 2 * K * N; i++) {
			guint vm = i / (K * N), like = together ? 0 : vm, round = i / K % N;

			assert_int_equal(kx_trial_index(&t, vm, round, i % K), i);
			assert_int_equal(kx_design_for_vm(d, like, round, positions[i]), i % K);
			assert_int_equal(kx_design_before(d, like, round, positions[i]), before[i]);
		}
	}
}

static void drift_is_taken_out(void **state)
{
	Table table;
	KxEffect e;

	fill(&table, 1, 0.05, 0, 0);
	e = kx_effect(&table.t, 1, 0, 1);
	assert_true(e.drift_out);
	near(e.ratio.value, 1.1, "ratio");
	near(e.ratio.high, 1.1, "high");
	table.t.positions = NULL;
	table.t.before = NULL;
	e = kx_effect(&table.t, 1, 0, 1);
	assert_false(e.drift_out);
	near(e.ratio.value, 1.1, "a full square has none"); /* but scatter */
	assert_true(e.ratio.high > 1.15);
}

static void carry_over_is_taken_out(void **state)
{
	Table table;
	KxEffect e;

	fill(&table, 1, 0.01, 0.2, 1e-6);
	e = kx_effect(&table.t, 1, 2, 1);
	assert_true(e.carry_out);
	assert_true(fabs(e.ratio.value - 1.1 / 1.2) < 1e-4);
	assert_true(e.ratio.high < 1.1 / 1.2 + 1e-3);
	/* the reference never follows itself: if the order is not known, the effect is wrong */
	table.t.before = NULL;
	e = kx_effect(&table.t, 1, 2, 1);
	assert_false(e.carry_out);
	assert_true(e.ratio.value > 1.1 / 1.2 + 0.02);
}

static void carry_over_is_found(void **state)
{
	Table table;
	KxTest any, test;

	fill(&table, 3, 0, 0.1, 0.02);
	any = kx_effect_carry_any(&table.t);
	assert_null(any.na);
	assert_int_equal(any.n, K * N);
	assert_true(kx_test_matters(&any));
	test = kx_effect_carry(&table.t, 1);
	assert_null(test.na);
	assert_true(test.p >= 0 && test.p <= 1);

	fill(&table, 3, 0.02, 0, 0.02);
	any = kx_effect_carry_any(&table.t);
	assert_false(kx_test_matters(&any));
	table.t.before = NULL;
	any = kx_effect_carry_any(&table.t);
	assert_string_equal(any.na, "it is not known in which order windows were");
	assert_false(kx_test_matters(&any));
	assert_non_null(kx_effect_carry(&table.t, 1).na);
}

/* Only setting 3 depends on whether setting 1 ran before it: it is marked, the others are not. */
static void what_suffers_is_marked(void **state)
{
	Table table;

	fill(&table, 5, 0, 0, 0.02);
	for (guint i = 0; i < K * N; i++)
		table.values[i] *= i % K == 3 && table.before[i] == 1 ? 1.2 : 1;
	for (guint s = 0; s < K; s++) {
		KxTest test = kx_effect_carry(&table.t, s);

		assert_int_equal(kx_test_matters(&test), s == 3);
	}
}

static void place_in_the_round_is_tested(void **state)
{
	Table table;

	fill(&table, 6, 0.01, 0, 0.02);
	for (guint i = 0; i < K * N; i++)
		table.values[i] *= i % K == 2 ? 1 + 0.05 * table.positions[i] : 1;
	for (guint s = 0; s < K; s++) {
		KxTest test = kx_effect_order(&table.t, s);

		assert_null(test.na);
		if (s == 2)
			assert_true(kx_test_matters(&test));
		else
			assert_true(test.p > kx_effect_order(&table.t, 2).p);
	}
	table.t.positions = NULL;
	assert_non_null(kx_effect_order(&table.t, 2).na);
}

static void too_few_rounds_for_a_test(void **state)
{
	Table table;

	fill(&table, 1, 0, 0, 0.02);
	table.t.rounds = 1;
	assert_non_null(kx_effect_carry_any(&table.t).na);
	assert_non_null(kx_effect_order(&table.t, 1).na);
	assert_non_null(kx_effect(&table.t, 1, 0, 1).ratio.open);
}

/* --- whatever is missing -------------------------------------------------------------------------------------------- */

#define TABLE_MAX (6u * 14u * 3u)

static void check_effect(const KxTrial *t, const KxEffect *e)
{
	const KxEstimate *r = &e->ratio;

	assert_int_equal(r->n + r->missing, t->rounds);
	assert_int_equal(r->na != NULL, isnan(r->value));
	assert_int_equal(r->open != NULL, isnan(r->low));
	assert_int_equal(r->open != NULL, isnan(r->high));
	assert_true(r->open || (r->low <= r->value && r->value <= r->high && r->low > 0));
	assert_int_equal(e->differs, r->low > 1 || r->high < 1);
	assert_int_equal(isnan(e->within), e->differs || r->open);
	assert_true(kx_effect_rounds_for(e, 0.01) >= r->n);
}

static void check_test(KxTest test)
{
	assert_int_equal(test.na != NULL, isnan(test.p));
	assert_true(test.na || (test.p >= 0 && test.p <= 1));
}

static void fill_any(KxTrial *t, gdouble *values, guint *positions, guint *before, gsl_rng *rng)
{
	guint missing = (guint)gsl_rng_uniform_int(rng, 11),
	      never = (guint)gsl_rng_uniform_int(rng, 12);
	g_autoptr(KxDesign) d = NULL;

	*t = (KxTrial){ .settings = 2 + (guint)gsl_rng_uniform_int(rng, 5),
			.rounds = 1 + (guint)gsl_rng_uniform_int(rng, 14),
			.vms = 1 + (guint)gsl_rng_uniform_int(rng, 3),
			.values = values,
			.positions = gsl_rng_uniform_int(rng, 5) ? positions : NULL,
			.before = gsl_rng_uniform_int(rng, 5) ? before : NULL };
	d = kx_design_new(t->settings, t->rounds, gsl_rng_get(rng));
	kx_trial_order(d, t->vms, gsl_rng_uniform_int(rng, 2), positions, before);
	for (guint i = 0; i < t->vms * t->rounds * t->settings; i++) {
		values[i] = exp(gsl_ran_gaussian(rng, 0.05));
		if (gsl_rng_uniform_int(rng, 10) < missing || i % t->settings == never)
			values[i] = NAN;
	}
}

/* There is a value or a reason; and a factor on a whole round of a VM changes no effect. */
static void any_windows_may_be_missing(void **state)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	gdouble values[TABLE_MAX];
	guint positions[TABLE_MAX], before[TABLE_MAX];
	KxTrial t;

	for (guint i = 0; i < 600; i++) {
		KxEffect e, scaled;

		fill_any(&t, values, positions, before, rng);
		e = kx_effect(&t, 1, 0, i);
		check_effect(&t, &e);
		check_test(kx_effect_carry(&t, 1));
		check_test(kx_effect_carry_any(&t));
		check_test(kx_effect_order(&t, 1));
		check_test(kx_trend(&t, 0).test);
		check_test(kx_trend_of_effect(&t, 1, 0).test);
		for (guint j = 0; j < t.vms * t.rounds * t.settings; j++)
			values[j] *= 1 + j / t.settings % 7;
		scaled = kx_effect(&t, 1, 0, i);
		check_effect(&t, &scaled);
		if (!e.ratio.na)
			near(scaled.ratio.value, e.ratio.value, "ratio");
		if (!e.ratio.open)
			near(scaled.se, e.se, "standard error");
	}
	gsl_rng_free(rng);
}

/* --- how many rounds, trends ---------------------------------------------------------------------------------------- */

static void rounds_for_a_precision(void **state)
{
	Table table;
	KxEffect e;
	guint rounds;

	fill(&table, 2, 0, 0, 0.03);
	e = kx_effect(&table.t, 1, 0, 1);
	assert_int_equal(kx_effect_rounds_for(&e, 1), N);
	rounds = kx_effect_rounds_for(&e, 0.01);
	/* 3 % in each of two windows: about (1.96 · 1.1 · 4.24 % / 1 %)² = 84 */
	assert_in_range(rounds, 30, 200);
	assert_true(kx_effect_rounds_for(&e, 0.005) > 3 * rounds);
	assert_int_equal(kx_effect_rounds_for(&e, (e.ratio.high - e.ratio.low) / 2), N);
	assert_int_equal(kx_effect_rounds_for(&e, 0), G_MAXUINT);
	assert_int_equal(kx_effect_rounds_for(&e, NAN), G_MAXUINT);
}

static void trend_over_rounds(void **state)
{
	Table table;
	KxTrend trend, effect;

	fill(&table, 2, 0.01, 0, 0.002);
	trend = kx_trend(&table.t, 0);
	assert_true(fabs(trend.per_round.value - exp(0.01 * K)) < 2e-3);
	assert_true(trend.per_round.low < exp(0.01 * K) && trend.per_round.high > exp(0.01 * K));
	assert_true(kx_test_matters(&trend.test));
	effect = kx_trend_of_effect(&table.t, 1, 0);
	assert_false(kx_test_matters(&effect.test));
	assert_int_equal(effect.per_round.n, N);
	for (guint i = 0; i < K * N; i++)
		table.values[i] *= i % K == 1 ? exp(0.05 * (i / K)) : 1;
	effect = kx_trend_of_effect(&table.t, 1, 0);
	assert_true(kx_test_matters(&effect.test));
	assert_true(fabs(effect.per_round.value - exp(0.05)) < 5e-3);
}

static void trend_of_few_rounds(void **state)
{
	const gdouble values[] = { 1, 2, 2, 4, NAN, 8, 8, 16 };
	KxTrial t = { .settings = 2, .rounds = 4, .vms = 1, .values = values };
	KxTrend trend = kx_trend(&t, 1);

	near(trend.per_round.value, 2, "per round");
	near(trend.per_round.high, 2, "no scatter");
	assert_int_equal(trend.per_round.n, 4);
	trend = kx_trend(&t, 0);
	assert_int_equal(trend.per_round.missing, 1);
	t.rounds = 2;
	trend = kx_trend(&t, 0);
	assert_string_equal(trend.per_round.na, "fewer than 3 rounds");
	assert_string_equal(trend.test.na, "fewer than 3 rounds");
	assert_false(kx_test_matters(&trend.test));
}

/* A VM that joins late and is slower is no trend. */
static void vms_that_differ_are_no_trend(void **state)
{
	const gdouble values[] = { 10, 10, 10, 10, NAN, NAN, 1, 1 };
	KxTrial t = { .settings = 1, .rounds = 4, .vms = 2, .values = values };
	KxTrend trend = kx_trend(&t, 0);

	near(trend.per_round.value, 1, "per round");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(effect_is_of_pairs),
		cmocka_unit_test(clear_effects_differ),
		cmocka_unit_test(rounds_without_a_pair_are_left_out),
		cmocka_unit_test(what_cannot_be_said_has_a_reason),
		cmocka_unit_test(the_reference_is_1),
		cmocka_unit_test(inverse_swaps_the_ends),
		cmocka_unit_test(vms_count_alike),
		cmocka_unit_test(order_is_that_of_the_design),
		cmocka_unit_test(drift_is_taken_out),
		cmocka_unit_test(carry_over_is_taken_out),
		cmocka_unit_test(carry_over_is_found),
		cmocka_unit_test(what_suffers_is_marked),
		cmocka_unit_test(place_in_the_round_is_tested),
		cmocka_unit_test(too_few_rounds_for_a_test),
		cmocka_unit_test(any_windows_may_be_missing),
		cmocka_unit_test(rounds_for_a_precision),
		cmocka_unit_test(trend_over_rounds),
		cmocka_unit_test(trend_of_few_rounds),
		cmocka_unit_test(vms_that_differ_are_no_trend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
