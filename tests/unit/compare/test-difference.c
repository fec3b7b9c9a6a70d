// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two comparisons side by side: which conditions differ, which figures may be compared, how much changed. The intervals are tested
 * with a thousand pairs of comparisons of known truth; text and JSON with tests/golden/compare-diff.* (UPDATE_GOLDEN=1 writes
 * them anew: read the difference before committing).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <locale.h>
#include <math.h>

#include "compare/difference.h"
#include "compare/sameness.h"
#include "vm/environment.h"

#define EXPERIMENTS 1000u

enum {
	OFF,
	ABIT,
	WALK,
	SETTINGS
};

/* What the settings truly cost in a run. */
typedef struct {
	double slowdown[SETTINGS];
	double ns[SETTINGS]; /* host, per sample */
} Truth;

static const Truth before = { { 1, 1.25, 1 }, { 0, 110, 220 } };

/* One window, with 3 % of noise; 5 % from round to round, which hits all settings of a round alike. */
static KxStretch *stretch(const Truth *t, gsl_rng *rng, double round, guint k)
{
	KxStretch *s = kx_stretch_new();

	s->run_ns = 2e9;
	s->vcpu_run_ns = 1.8e9;
	s->progress = 1e6 / t->slowdown[k] * round * exp(gsl_ran_gaussian(rng, 0.03));
	s->lost_samples = 0;
	s->exits = 1000 * round * exp(gsl_ran_gaussian(rng, 0.03));
	s->cpu_ns = s->drain_cpu_ns = 0;
	s->samples = 0;
	if (k == OFF)
		return s;
	s->samples = 10000 * exp(gsl_ran_gaussian(rng, 0.05));
	s->cpu_ns = s->samples * t->ns[k] * exp(gsl_ran_gaussian(rng, 0.03));
	s->truth = 1000;
	s->truth_hit = 900;
	return s;
}

/* @without_trap: a fourth setting was left out. */
static KxComparison *comparison_of(const Truth *t, guint rounds, guint64 seed,
				   gboolean without_trap)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
	KxComparison *c = kx_comparison_new();
	KxComparedVm *v;

	gsl_rng_set(rng, seed);
	c->id = g_strdup_printf("%08x", (guint)seed);
	c->seed = seed;
	c->start_realtime_ns = (gint64)(1700000000 + 3600 * (seed % 1000)) * 1000000000;
	c->window_ns = 2000000000;
	c->settle_ns = 500000000;
	c->rounds = c->whole = c->asked.rounds = rounds;
	c->progress = g_strdup("units of work");
	c->command = g_strdup("compare vm1 --trackers abit:interval=250ms,ept-walk");
	c->host->kernel = g_strdup("6.1.0");
	c->host->cpu_model = g_strdup("a CPU");
	c->host->hardware = g_strdup("bare metal");
	kx_environment_add(c->environment, "microcode", "0x1", NULL);
	kx_environment_add(c->environment, "CONFIG_HZ", "250", NULL);
	kx_environment_add(c->environment, "kvm_ext.build", NULL, "the module is not loaded");
	kx_comparison_add_setting(c, "off", "off");
	kx_comparison_add_setting(c, "abit", "abit:interval=250ms");
	kx_comparison_add_setting(c, "ept-walk", "ept-walk");
	if (without_trap)
		kx_comparison_add_setting(c, "trap", "trap")->left_out = g_strdup("shadow paging");
	v = kx_comparison_add_vm(c, "vm1");
	v->vcpus = 2;
	v->ram_pages = 65536;
	for (guint round = 0; round < rounds; round++) {
		double machine = exp(gsl_ran_gaussian(rng, 0.05));

		for (guint k = 0; k < SETTINGS; k++)
			kx_comparison_put(c, 0, round, k, stretch(t, rng, machine, k));
	}
	gsl_rng_free(rng);
	return c;
}

static KxComparison *comparison(const Truth *t, guint rounds, guint64 seed)
{
	return comparison_of(t, rounds, seed, FALSE);
}

static KxDifference *difference(const KxComparison *a, const KxComparison *b)
{
	g_autoptr(GError) error = NULL;
	KxDifference *d = kx_difference_new(a, b, &error);

	if (!d)
		fail_msg("%s", error->message);
	return d;
}

static const KxChange *change(const KxDifference *d, guint setting, const char *key)
{
	const KxChangedSetting *s = d->settings->pdata[setting];

	for (guint i = 0; i < s->changes->len; i++) {
		const KxChange *c = s->changes->pdata[i];

		if (g_str_equal(c->figure->key, key))
			return c;
	}
	fail_msg("there is no %s", key);
	return NULL;
}

/* --- intervals ---------------------------------------------------------------------------------------------------- */

/* The share of intervals that contain the truth, and of those that find a change, for runs of @rounds_a and @rounds_b rounds. */
static void run_experiments(const Truth *after, guint rounds_a, guint rounds_b, const char *key,
			    double truth, double *covered, double *found)
{
	guint in = 0, changed = 0;

	for (guint i = 0; i < EXPERIMENTS; i++) {
		g_autoptr(KxComparison) a = comparison(&before, rounds_a, 2 * i + 1);
		g_autoptr(KxComparison) b = comparison(after, rounds_b, 2 * i + 2);
		g_autoptr(KxDifference) d = difference(a, b);
		const KxChange *c = change(d, ABIT, key);

		assert_null(c->change.na);
		in += c->change.low <= truth && truth <= c->change.high;
		changed += c->changed;
	}
	*covered = (double)in / EXPERIMENTS;
	*found = (double)changed / EXPERIMENTS;
	print_message("%s, %u and %u rounds: %.1f %% cover, %.1f %% find a change\n", key, rounds_a,
		      rounds_b, 100 * *covered, 100 * *found);
}

static void test_coverage(void **state)
{
	static const struct {
		const char *key;
		guint a, b;
		Truth after;
		double truth;
	} cases[] = {
		{ "slowdown", 6, 6, { { 1, 1.25, 1 }, { 0, 110, 220 } }, 1 },
		{ "slowdown", 12, 5, { { 1, 1.5, 1 }, { 0, 110, 220 } }, 1.2 },
		{ "host_ns_per_sample", 6, 6, { { 1, 1.25, 1 }, { 0, 110, 220 } }, 0 },
		{ "host_ns_per_sample", 4, 12, { { 1, 1.25, 1 }, { 0, 220, 220 } }, 110 },
		{ "exits_per_s", 8, 8, { { 1, 1.25, 1 }, { 0, 110, 220 } }, 0 },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		double covered, found;

		run_experiments(&cases[i].after, cases[i].a, cases[i].b, cases[i].key,
				cases[i].truth, &covered, &found);
		/* 0.93 to 0.97 but for chance: 1000 experiments have a standard error of 0.007. */
		assert_true(covered >= 0.93 && covered <= 0.98);
		if (cases[i].truth == 0 || (cases[i].truth == 1 && i == 0))
			assert_true(found <= 0.07);
		else
			assert_true(found >= 0.9);
	}
}

/* By hand: means 10 and 13, standard errors 1 and 2, 5 and 11 degrees: se = √5, ν = 25 / (1/5 + 16/11), t = 2.131 to 2.120. */
static void test_welch(void **state)
{
	KxFigure a = { .value = 10, .n = 6, .se = 1, .degrees = 5 };
	KxFigure b = { .value = 13, .n = 12, .se = 2, .degrees = 11 };
	KxFigure f = kx_change_of(&a, &b, FALSE), r, none;

	assert_float_equal(f.value, 3, 1e-12);
	assert_float_equal(f.se, sqrt(5), 1e-12);
	assert_float_equal(f.degrees, 25 / (1.0 / 5 + 16.0 / 11), 1e-9);
	assert_float_equal(f.high - f.value, 2.1278 * sqrt(5), 2e-2);
	assert_float_equal(f.high - f.value, f.value - f.low, 1e-9);
	assert_int_equal(f.n, 18);
	a = (KxFigure){ .value = 1.2, .n = 6, .se = 0.1, .degrees = 5 };
	b = (KxFigure){ .value = 1.5, .n = 6, .se = 0.1, .degrees = 5 };
	r = kx_change_of(&a, &b, TRUE);
	assert_float_equal(r.value, 1.25, 1e-12);
	assert_float_equal(r.degrees, 10, 1e-9);
	assert_float_equal(log(r.high / r.value), 2.228 * sqrt(0.02), 1e-3);
	assert_float_equal(r.high / r.value, r.value / r.low, 1e-9);
	/* No scatter at all, in both. */
	a.se = b.se = 0;
	r = kx_change_of(&a, &b, TRUE);
	assert_float_equal(r.low, 1.25, 1e-12);
	assert_float_equal(r.high, 1.25, 1e-12);
	b.degrees = 0;
	none = kx_change_of(&a, &b, TRUE);
	assert_non_null(none.na);
	g_free(none.na);
}

/* --- what may be compared ------------------------------------------------------------------------------------------- */

static void test_different_conditions_are_reported(void **state)
{
	g_autoptr(KxComparison) a = comparison(&before, 6, 1), b = comparison(&before, 6, 2);
	g_autoptr(GPtrArray) none = kx_comparison_differs(a, b), list = NULL;
	static const char *const what[] = { "kernel",	    "microcode", "UUID of a VM",
					    "vCPUs of vm1", "window",	 "progress command" };

	/* A condition that only one of them knows is no difference. */
	assert_int_equal(none->len, 0);
	g_free(b->host->kernel);
	b->host->kernel = g_strdup("6.12.48");
	g_ptr_array_set_size(b->environment, 0);
	kx_environment_add(b->environment, "microcode", "0x2", NULL);
	kx_environment_add(b->environment, "kvm_ext.build", "deadbeef", NULL);
	((KxComparedVm *)b->vms->pdata[0])->vcpus = 4;
	((KxComparedVm *)a->vms->pdata[0])->uuid = g_strdup("6b7f3f2e");
	((KxComparedVm *)b->vms->pdata[0])->uuid = g_strdup("00000000");
	a->asked.progress_command = g_strdup("redis-cli dbsize");
	b->asked.progress_command = g_strdup("cat /var/count");
	b->window_ns *= 2;
	list = kx_comparison_differs(a, b);
	assert_int_equal(list->len, G_N_ELEMENTS(what));
	for (guint i = 0; i < list->len; i++)
		assert_string_equal(((KxDiffers *)list->pdata[i])->what, what[i]);
	assert_string_equal(((KxDiffers *)list->pdata[1])->a, "0x1");
	assert_string_equal(((KxDiffers *)list->pdata[1])->b, "0x2");
}

/* The same host and plan, but another process of the VM: to go on with the comparison, it is another VM. */
static void test_vms_that_moved_on(void **state)
{
	g_autoptr(KxComparison) a = comparison(&before, 6, 1), b = comparison(&before, 6, 1);
	g_autoptr(GPtrArray) same = NULL, other = NULL;
	KxComparedVm *v = a->vms->pdata[0], *w = b->vms->pdata[0];

	v->pid = w->pid = 4242;
	v->started = w->started = 100;
	same = kx_comparison_moved_on(a, b);
	assert_int_equal(same->len, 0);
	w->started = 200; /* the same number again */
	other = kx_comparison_moved_on(a, b);
	assert_int_equal(other->len, 1);
	assert_string_equal(((KxDiffers *)other->pdata[0])->what, "vm1");
}

static void test_emulated_times_are_not_compared(void **state)
{
	g_autoptr(KxComparison) a = comparison(&before, 6, 1), b = comparison(&before, 6, 2);
	g_autoptr(KxDifference) d = NULL;
	g_autoptr(GError) error = NULL;

	g_free(a->host->hardware);
	a->host->hardware = g_strdup("emulated");
	assert_null(kx_difference_new(a, b, &error));
	assert_non_null(strstr(error->message, "emulated"));
	g_free(b->host->hardware);
	b->host->hardware = g_strdup("emulated");
	d = difference(a, b);
	assert_non_null(strstr(change(d, ABIT, "host_ns_per_sample")->change.na, "emulated"));
	assert_non_null(strstr(change(d, ABIT, "exits_per_s")->change.na, "emulated"));
	assert_null(change(d, ABIT, "slowdown")->change.na);
	assert_null(change(d, ABIT, "recall")->change.na);
}

static void test_other_progress(void **state)
{
	g_autoptr(KxComparison) a = comparison(&before, 6, 1), b = comparison(&before, 6, 2);
	g_autoptr(KxDifference) d = NULL;

	g_free(b->progress);
	b->progress = g_strdup("instructions");
	d = difference(a, b);
	assert_non_null(strstr(change(d, ABIT, "slowdown")->change.na, "guest progress"));
	assert_non_null(
		strstr(change(d, ABIT, "total_ns_per_sample")->change.na, "guest progress"));
	assert_null(change(d, ABIT, "host_ns_per_sample")->change.na);
}

static void test_settings_in_common(void **state)
{
	g_autoptr(KxComparison) a = comparison(&before, 6, 1), b = comparison(&before, 6, 2);
	g_autoptr(GError) error = NULL;
	KxComparedSetting *abit = b->settings->pdata[ABIT], *walk = b->settings->pdata[WALK];
	g_autoptr(KxDifference) d = NULL;

	g_free(abit->text);
	abit->text = g_strdup("abit:interval=1s");
	d = difference(a, b);
	assert_int_equal(d->settings->len, 2); /* off, ept-walk */
	assert_string_equal(d->only_a->pdata[0], "abit:interval=250ms");
	assert_string_equal(d->only_b->pdata[0], "abit:interval=1s");
	walk->left_out = g_strdup("shadow paging");
	assert_null(kx_difference_new(a, b, &error));
	assert_non_null(strstr(error->message, "no setting in common"));
}

/* One round gives no interval, so no change can be distinguished from chance. */
static void test_one_round(void **state)
{
	g_autoptr(KxComparison) a = comparison(&before, 6, 1), b = comparison(&before, 1, 2);
	g_autoptr(KxDifference) d = difference(a, b);
	g_autofree char *text = kx_difference_to_text(d, a, "a", b, "b", 120);

	assert_non_null(change(d, ABIT, "slowdown")->change.na);
	assert_non_null(change(d, ABIT, "host_ns_per_sample")->change.na);
	assert_non_null(strstr(text, "no figure can be compared"));
}

/* --- text and JSON ------------------------------------------------------------------------------------------------ */

static void compare_golden(const char *suffix, const char *text)
{
	g_autofree char *path = g_strconcat("tests/golden/compare-diff", suffix, NULL);
	g_autofree char *expected = NULL;
	g_autoptr(GError) error = NULL;

	if (g_getenv("UPDATE_GOLDEN")) {
		assert_true(g_file_set_contents(path, text, -1, NULL));
		return;
	}
	if (!g_file_get_contents(path, &expected, NULL, &error))
		fail_msg("%s", error->message);
	if (!g_str_equal(text, expected))
		fail_msg("%s differs; written now:\n%s", path, text);
}

static void test_golden(void **state)
{
	static const Truth after = { { 1, 1.6, 1 }, { 0, 110, 300 } };
	g_autoptr(KxComparison) a = comparison(&before, 8, 1);
	g_autoptr(KxComparison) b = comparison_of(&after, 6, 2, TRUE);
	g_autofree char *wide = NULL, *narrow = NULL, *json = NULL;
	g_autoptr(KxDifference) d = NULL;

	g_free(b->host->kernel);
	b->host->kernel = g_strdup("6.12.48");
	b->stopped = g_strdup("interrupted");
	d = difference(a, b);
	narrow = kx_difference_to_text(d, a, a->id, b, "after.json", 100);
	wide = kx_difference_to_text(d, a, a->id, b, "after.json", 200);
	json = kx_difference_to_json(d, a, b);
	compare_golden(".100.txt", narrow);
	compare_golden(".200.txt", wide);
	compare_golden(".json", json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_welch),
		cmocka_unit_test(test_different_conditions_are_reported),
		cmocka_unit_test(test_vms_that_moved_on),
		cmocka_unit_test(test_emulated_times_are_not_compared),
		cmocka_unit_test(test_other_progress),
		cmocka_unit_test(test_settings_in_common),
		cmocka_unit_test(test_one_round),
		cmocka_unit_test(test_golden),
	};

	g_setenv("TZ", "UTC", TRUE);
	setlocale(LC_ALL, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
