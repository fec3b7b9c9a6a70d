// SPDX-License-Identifier: GPL-2.0-or-later
/* Orders of settings: what is balanced, and how well, for any number of settings, rounds and VMs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compare/design.h"

#define SETTINGS_MAX 11u
#define SEEDS	     5u

typedef struct {
	guint pairs[SETTINGS_MAX][SETTINGS_MAX];  /* this before that, in a round */
	guint all[SETTINGS_MAX][SETTINGS_MAX];	  /* over borders of rounds as well */
	guint places[SETTINGS_MAX][SETTINGS_MAX]; /* place in the round, setting */
	guint itself;
} Counts;

static guint set_rows(guint settings)
{
	return settings % 2 && settings > 1 ? 2 * settings : settings;
}

static void count_round(const KxDesign *d, guint vm, guint round, Counts *c)
{
	guint k = kx_design_settings(d), seen = 0;

	for (guint p = 0; p < k; p++) {
		guint s = kx_design_for_vm(d, vm, round, p);
		guint before = kx_design_before(d, vm, round, p);

		assert_true(s < k);
		assert_false(seen & 1u << s); /* each once */
		seen |= 1u << s;
		c->places[p][s]++;
		if (p)
			assert_int_equal(before, kx_design_for_vm(d, vm, round, p - 1));
		if (before == KX_NO_SETTING) {
			assert_true(!round && !p);
			continue;
		}
		c->all[before][s]++;
		c->pairs[before][s] += p > 0;
		c->itself += before == s;
	}
}

/* The largest minus the smallest count; @others: without a setting after itself. */
static guint spread(const guint table[SETTINGS_MAX][SETTINGS_MAX], guint k, gboolean others)
{
	guint least = G_MAXUINT, most = 0;

	for (guint a = 0; a < k; a++) {
		for (guint b = 0; b < k; b++) {
			if (others && a == b)
				continue;
			least = MIN(least, table[a][b]);
			most = MAX(most, table[a][b]);
		}
	}
	return most - MIN(least, most);
}

static void full_sets_are_balanced(void **state)
{
	for (guint k = 1; k <= SETTINGS_MAX; k++) {
		for (guint64 seed = 0; seed < SEEDS; seed++) {
			guint rounds = 2 * set_rows(k);
			g_autoptr(KxDesign) d = kx_design_new(k, rounds, seed);

			for (guint vm = 0; vm < k; vm++) {
				Counts c = { 0 };

				for (guint round = 0; round < rounds; round++)
					count_round(d, vm, round, &c);
				assert_int_equal(spread(c.places, k, FALSE), 0);
				assert_int_equal(spread(c.pairs, k, TRUE), 0);
				/* borders of rounds are few, and differ */
				assert_in_range(spread(c.all, k, TRUE), 0, vm ? 4 : 2);
			}
		}
	}
}

static void any_number_of_rounds_is_nearly_balanced(void **state)
{
	for (guint k = 2; k <= SETTINGS_MAX; k++) {
		for (guint64 seed = 0; seed < SEEDS; seed++) {
			g_autoptr(KxDesign) d = kx_design_new(k, 3 * k, seed);
			Counts c = { 0 };

			for (guint round = 0; round < 3 * k; round++) {
				count_round(d, 0, round, &c);
				assert_in_range(spread(c.places, k, FALSE), 0, k % 2 ? 2 : 1);
				assert_in_range(spread(c.all, k, TRUE), 0, k % 2 ? 4 : 2);
			}
		}
	}
}

static void a_setting_does_not_follow_itself(void **state)
{
	for (guint k = 3; k <= SETTINGS_MAX; k++) {
		for (guint64 seed = 0; seed < SEEDS; seed++) {
			g_autoptr(KxDesign) d = kx_design_new(k, 50, seed);
			Counts c = { 0 };

			for (guint round = 0; round < 50; round++)
				count_round(d, 0, round, &c);
			assert_int_equal(c.itself, 0);
		}
	}
}

static gboolean same_rounds(const KxDesign *a, const KxDesign *b, guint rounds)
{
	guint k = kx_design_settings(a);

	for (guint vm = 0; vm < k; vm++) {
		for (guint round = 0; round < rounds; round++) {
			for (guint p = 0; p < k; p++) {
				if (kx_design_for_vm(a, vm, round, p) !=
				    kx_design_for_vm(b, vm, round, p))
					return FALSE;
			}
		}
	}
	return TRUE;
}

static void the_seed_decides(void **state)
{
	for (guint k = 3; k <= 8; k++) {
		g_autoptr(KxDesign) a = kx_design_new(k, 30, 7), again = kx_design_new(k, 30, 7);
		g_autoptr(KxDesign) other = kx_design_new(k, 30, 8);
		g_autoptr(KxDesign) high = kx_design_new(k, 30, 7 + (G_GUINT64_CONSTANT(1) << 40));

		assert_true(same_rounds(a, again, 30));
		assert_false(same_rounds(a, other, 30));
		assert_false(same_rounds(a, high, 30)); /* all of its bits */
	}
}

/* A design with more rounds begins with the rounds of a design with fewer. */
static void more_rounds_begin_alike(void **state)
{
	for (guint k = 1; k <= 8; k++) {
		g_autoptr(KxDesign) all = kx_design_new(k, 40, 3);

		for (guint rounds = 1; rounds < 40; rounds++) {
			g_autoptr(KxDesign) few = kx_design_new(k, rounds, 3);

			assert_int_equal(kx_design_rounds(few), rounds);
			assert_true(same_rounds(few, all, rounds));
		}
	}
}

/* Each setting is first equally often: of 3000 seeds and 6 settings 500 ± 20 (a standard deviation). */
static void no_setting_is_preferred(void **state)
{
	guint first[6] = { 0 };

	for (guint64 seed = 0; seed < 3000; seed++) {
		g_autoptr(KxDesign) d = kx_design_new(6, 1, seed);

		first[kx_design_at(d, 0, 0)]++;
	}
	for (guint i = 0; i < 6; i++)
		assert_in_range(first[i], 420, 580);
}

/* At any time the VMs run all settings, each on equally many VMs, or on one VM more. */
static void vms_run_different_settings(void **state)
{
	for (guint k = 2; k <= SETTINGS_MAX; k++) {
		g_autoptr(KxDesign) d = kx_design_new(k, 2 * k + 1, 5);

		for (guint vms = 2; vms <= 2 * k + 1; vms++) {
			for (guint at = 0; at < (2 * k + 1) * k; at++) {
				guint runs[SETTINGS_MAX] = { 0 };

				for (guint vm = 0; vm < vms; vm++)
					runs[kx_design_for_vm(d, vm, at / k, at % k)]++;
				for (guint s = 0; s < k; s++)
					assert_in_range(runs[s], vms / k, (vms + k - 1) / k);
			}
		}
	}
}

/* The settings that run at the same time change from round to round: with 6 settings, each of the 5 others occurs. */
static void neighbours_change(void **state)
{
	g_autoptr(KxDesign) d = kx_design_new(6, 60, 1);
	guint beside[6][6] = { { 0 } };

	for (guint round = 0; round < 60; round++) {
		for (guint p = 0; p < 6; p++)
			beside[kx_design_for_vm(d, 0, round, p)]
			      [kx_design_for_vm(d, 1, round, p)]++;
	}
	for (guint a = 0; a < 6; a++) {
		for (guint b = 0; b < 6; b++)
			assert_true(a == b ? !beside[a][b] : beside[a][b] > 0);
	}
}

static void one_setting_is_a_design(void **state)
{
	g_autoptr(KxDesign) d = kx_design_new(1, 3, 9);

	assert_int_equal(kx_design_at(d, 2, 0), 0);
	assert_int_equal(kx_design_for_vm(d, 5, 1, 0), 0);
	assert_int_equal(kx_design_before(d, 0, 0, 0), KX_NO_SETTING);
	assert_int_equal(kx_design_before(d, 0, 1, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_sets_are_balanced),
		cmocka_unit_test(any_number_of_rounds_is_nearly_balanced),
		cmocka_unit_test(a_setting_does_not_follow_itself),
		cmocka_unit_test(the_seed_decides),
		cmocka_unit_test(more_rounds_begin_alike),
		cmocka_unit_test(no_setting_is_preferred),
		cmocka_unit_test(vms_run_different_settings),
		cmocka_unit_test(neighbours_change),
		cmocka_unit_test(one_setting_is_a_design),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
