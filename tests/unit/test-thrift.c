// SPDX-License-Identifier: GPL-2.0-or-later
/* The period that keeps sampling within its budget: on average, also if single epochs are far too expensive. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>

#include "thrift.h"

#define EPOCH_NS  200000000.0
#define BUDGET_NS (EPOCH_NS * 0.03)
#define EPOCHS	  600

/* Costs of an epoch, in budgets. */
struct load {
	const char *name;
	double fixed;	   /* independent of the period */
	double samples;	   /* at period 1 */
	double spread;	   /* of the logarithm */
	double interrupts; /* share of the epochs that something interrupts */
	double interrupt;  /* the mean cost of an interruption */
};

static double drawn(GRand *r)
{
	return sqrt(-2 * log(1 - g_rand_double(r))) * cos(2 * G_PI * g_rand_double(r));
}

static double cost(const struct load *l, uint64_t period, GRand *r)
{
	double c = (l->fixed + l->samples / (double)period) * exp(l->spread * drawn(r));

	if (g_rand_double(r) < l->interrupts)
		c -= l->interrupt * log(1 - g_rand_double(r));
	return c;
}

/* The mean cost of an epoch in budgets, once the period has settled. */
static double simulate(const struct load *l, uint64_t *period)
{
	g_autoptr(GRand) r = g_rand_new_with_seed(20);
	struct kx_thrift t = { 0 };
	double sum = 0;

	*period = 1;
	for (unsigned int i = 0; i < EPOCHS; i++) {
		double c = cost(l, *period, r);

		sum += i < EPOCHS / 4 ? 0 : c;
		*period = kx_thrift_period(&t, *period, (uint64_t)(c * BUDGET_NS),
					   (uint64_t)BUDGET_NS);
		if (!*period)
			*period = 1;
	}
	return sum / (EPOCHS - EPOCHS / 4);
}

static void the_average_is_the_budget(void **state)
{
	static const struct load loads[] = {
		{ "even", 0.15, 1.3, 0.05, 0, 0 },
		{ "uneven", 0.15, 1.3, 0.3, 0, 0 },
		{ "interrupted", 0.15, 1.3, 0.3, 0.2, 1.3 },
		{ "often interrupted", 0.3, 1.5, 0.3, 0.2, 1.7 },
		{ "dear and interrupted", 0.15, 16, 0.3, 0.2, 1.3 },
		{ "very dear", 0.15, 160, 0.1, 0, 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(loads); i++) {
		uint64_t period;
		double mean = simulate(&loads[i], &period);

		print_message("%s: %.3f of the budget\n", loads[i].name, mean);
		assert_true(mean > 0.95 && mean < 1.05);
	}
}

static void cheap_sampling_stays_at_the_shortest_period(void **state)
{
	static const struct load cheap = { "cheap", 0.1, 0.5, 0.1, 0, 0 };
	uint64_t period;
	double mean = simulate(&cheap, &period);

	assert_true(mean > 0.55 && mean < 0.65);
	assert_int_equal(period, 1);
}

/* What does not depend on the period cannot be held down: the period grows to its end, and stays there. */
static void what_is_dear_without_samples_ends_at_the_longest_period(void **state)
{
	struct kx_thrift t = { 0 };
	uint64_t period = 1;

	for (unsigned int i = 0; i < 100; i++)
		period = kx_thrift_period(&t, period, 2000, 1000);
	assert_int_equal(period, KX_THRIFT_MAX_PERIOD);
}

/* An idle hour buys two epochs' worth, an hour of overspending costs sixteen. */
static void the_past_is_forgotten(void **state)
{
	struct kx_thrift t = { 0 };

	for (unsigned int i = 0; i < 1000; i++)
		kx_thrift_period(&t, 64, 0, 1000);
	assert_int_equal(t.balance_ns, 2000);
	for (unsigned int i = 0; i < 1000; i++)
		kx_thrift_period(&t, 64, UINT64_MAX, 1000);
	assert_int_equal(t.balance_ns, -16000);
}

static void the_period_changes_by_two_at_most(void **state)
{
	struct kx_thrift t = { 0 };

	assert_int_equal(kx_thrift_period(&t, 100, 1000000, 1000), 200);
	t.balance_ns = 0;
	assert_in_range(kx_thrift_period(&t, 100, 1, 1000), 49, 50);
	t.balance_ns = 0;
	/* within a sixth of the budget and what was saved of it */
	assert_int_equal(kx_thrift_period(&t, 100, 1100, 1000), 100);
	/* no epoch, no budget: nothing is known */
	assert_int_equal(kx_thrift_period(&t, 100, 0, 0), 100);
	t.balance_ns = 0;
	assert_int_equal(kx_thrift_period(&t, 1, 1400, 1000), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_average_is_the_budget),
		cmocka_unit_test(cheap_sampling_stays_at_the_shortest_period),
		cmocka_unit_test(what_is_dear_without_samples_ends_at_the_longest_period),
		cmocka_unit_test(the_past_is_forgotten),
		cmocka_unit_test(the_period_changes_by_two_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
