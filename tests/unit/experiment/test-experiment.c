// SPDX-License-Identifier: GPL-2.0-or-later
/* The conclusions from runs of known length; the table; and that writing and reading JSON loses nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "experiment/experiment.h"

enum {
	OFF,
	FLUSH,
	WALK,
	GUEST,
	SETTINGS
};

#define ROUNDS 8u

static const double longer[SETTINGS] = { 1, 6.5, 1, 1.24 };

/* A run of 300 s, with 1 % of noise between rounds; more VMs take longer under a tracker. */
static KxStretch *a_run(guint vms, guint vm, guint round, guint k)
{
	KxStretch *s = kx_stretch_new();
	double noise = 1 + 0.003 * (double)((vm * 5 + round * 3 + k * 2) % 4);

	s->exits = 1e6;
	s->kvm_flushes = 10;
	s->flushes = k == FLUSH ? 89e6 : 0;
	s->flush_ipis = k == FLUSH ? 89e6 : 0;
	s->samples = k == OFF ? 0 : 1e6;
	s->cpu_ns = k == OFF ? 0 : k == FLUSH ? 60e9 * vms : 3e9;
	s->drain_cpu_ns = 0;
	s->vcpu_run_ns = 300e9 * longer[k] * noise;
	kx_experiment_whole_run(s, 300e9 * longer[k] * noise);
	return s;
}

static void add_point(KxExperiment *e, guint vms)
{
	KxComparison *c = kx_comparison_new();
	KxPoint *at = g_new0(KxPoint, 1);

	at->vms = vms;
	at->working_set = g_strdup("2G");
	at->label = g_strdup_printf("vms=%u", vms);
	c->seed = e->seed + vms;
	c->rounds = ROUNDS;
	c->progress = g_strdup("whole runs of the workload");
	c->host->kernel = g_strdup("6.1.0");
	c->host->version = g_strdup("0.1.0");
	kx_comparison_add_setting(c, "off", "off");
	kx_comparison_add_setting(c, "abit-flush", "abit-flush:flush-scope=page");
	kx_comparison_add_setting(c, "ept-walk", "ept-walk");
	kx_comparison_add_setting(c, "guest-abit", "guest-abit");
	for (guint vm = 0; vm < vms; vm++) {
		KxComparedVm *v = kx_comparison_add_vm(c, "clone");

		v->vcpus = 4;
		v->ram_pages = 1 << 20;
		for (guint round = 0; round < ROUNDS; round++) {
			for (guint k = 0; k < SETTINGS; k++)
				kx_comparison_put(c, vm, round, k, a_run(vms, vm, round, k));
		}
	}
	kx_experiment_add_point(e, at, c);
}

static KxExperiment *experiment(void)
{
	KxExperiment *e = g_new0(KxExperiment, 1);

	e->name = g_strdup("gups");
	e->file = g_strdup("[experiment]\n# as it was\n");
	e->command = g_strdup("experiment gups.conf");
	e->seed = 5;
	e->rounds = ROUNDS;
	add_point(e, 1);
	add_point(e, 2);
	return e;
}

static void assert_near(const KxFigure *f, double want, double share)
{
	if (f->na)
		fail_msg("n/a: %s, where %g is wanted", f->na, want);
	if (fabs(f->value - want) > fabs(want) * share)
		fail_msg("%g is not %g", f->value, want);
}

static void assert_rows(const KxExperiment *e)
{
	for (guint i = 0; i < 2; i++) {
		g_autoptr(GPtrArray) rows = kx_experiment_rows(e->points->pdata[i]);
		const KxRunRow *off = rows->pdata[OFF], *flush = rows->pdata[FLUSH];
		const KxRunRow *walk = rows->pdata[WALK], *guest = rows->pdata[GUEST];

		assert_int_equal(rows->len, SETTINGS);
		assert_near(&off->elapsed_ns, 301e9, 0.01);
		assert_near(&flush->elapsed_ns, 1950e9, 0.02);
		assert_near(&flush->extra_percent, 550, 0.02);
		assert_true(flush->extra_percent.low < flush->extra_percent.value);
		assert_near(&guest->extra_percent, 24, 0.05);
		assert_non_null(walk->compared->difference);
		assert_null(flush->compared->difference);
		assert_near(&flush->flushes, 89e6, 1e-9);
		assert_near(&flush->kvm_flushes, 10, 1e-9);
		assert_near(&walk->samples, 1e6, 1e-9);
		assert_non_null(off->samples.na);
		assert_non_null(off->compared->host_ns.na);
		/* 60 s of CPU time, for each of the VMs, by a million samples */
		assert_near(&flush->compared->host_ns, 60e3 * (i + 1), 1e-6);
		assert_near(&flush->compared->guest_ns, 1650e3, 0.02);
		assert_string_equal(off->where, "-");
		assert_string_equal(flush->where, "host");
		assert_string_equal(guest->where, "guest");
		/* in percent of a CPU: 60 s of 1950, in a VM with 4 vCPUs and 2 GiB in use; twice as much in each of two */
		assert_near(&flush->compared->host_cpu_percent, 3.07 * (i + 1), 0.02);
		assert_near(&flush->cpu_all, 3.07 * (i + 1) * (i + 1), 0.02);
		assert_near(&flush->cpu_per_gib, 3.07 * (i + 1) / 2, 0.02);
		assert_near(&flush->cpu_per_vcpu, 3.07 * (i + 1) / 4, 0.02);
	}
}

static void concludes(void **state)
{
	g_autoptr(KxExperiment) e = experiment();

	assert_rows(e);
}

static void keeps_all_in_json(void **state)
{
	g_autoptr(KxExperiment) e = experiment(), read = NULL;
	g_autofree char *json = kx_experiment_to_json(e), *again = NULL;
	g_autoptr(GError) error = NULL;

	read = kx_experiment_from_json(json, &error);
	if (!read)
		fail_msg("%s", error->message);
	assert_rows(read);
	again = kx_experiment_to_json(read);
	assert_string_equal(json, again);
}

static void has_the_published_layout(void **state)
{
	g_autoptr(KxExperiment) e = experiment();
	g_autofree char *text = kx_experiment_to_text(e, 0);
	static const char *const has[] = {
		"experiment gups: 8 rounds",
		"where  what",
		"elapsed",
		"than off",
		"of the tracker",
		"of KVM",
		"samples",
		"per sample",
		"guest  guest-abit",
		"-      off",
		"abit-flush: the workload takes 6.5 times as long",
		"ept-walk: no difference found (smaller than",
		"-- vms=2",
		"2 VMs at a time, 4 vCPUs and 4",
		"-- how the cost grows",
		"per vCPU",
	};

	for (guint i = 0; i < G_N_ELEMENTS(has); i++) {
		if (!strstr(text, has[i]))
			fail_msg("'%s' is not in the text", has[i]);
	}
}

/* Runs that failed are named, and have no numbers. */
static void reports_what_is_missing(void **state)
{
	g_autoptr(KxExperiment) e = experiment();
	KxComparison *c = ((KxExperimentPoint *)e->points->pdata[0])->c;
	g_autofree char *text = NULL;

	for (guint round = 0; round < ROUNDS; round++)
		kx_comparison_put(c, 0, round, WALK, kx_stretch_failed("the VM has gone"));
	kx_comparison_put(c, 0, 2, FLUSH, kx_stretch_failed("the VM was paused"));
	text = kx_experiment_to_text(e, 0);
	assert_non_null(strstr(text, "ept-walk: 8 of 8 runs are missing"));
	assert_non_null(strstr(text, "a run of ept-walk is missing: the VM has gone"));
	assert_non_null(strstr(text, "abit-flush: 1 of 8 runs are missing"));
	assert_null(strstr(text, "of ept-walk: n/a"));
	for (const KxRunFigure *f = kx_run_figures; f->key; f++) {
		if (strchr(f->key, '_') && strstr(text, f->key))
			fail_msg("the text has the key %s, which is JSON's", f->key);
	}
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++) {
		if (strchr(f->key, '_') && strstr(text, f->key))
			fail_msg("the text has the key %s, which is JSON's", f->key);
	}
}

/* Runs that did not start have no numbers, not even off; what a tracker does not count is n/a, with the reason. */
static void has_no_numbers_of_what_was_not_measured(void **state)
{
	g_autoptr(KxExperiment) e = experiment(), rate = experiment();
	const KxExperimentPoint *p = e->points->pdata[0], *q = rate->points->pdata[0];
	KxComparedSetting *setting = q->c->settings->pdata[GUEST];
	g_autoptr(GPtrArray) rows = NULL, rates = NULL;
	g_autofree char *text = NULL;

	for (guint i = 0; i < ROUNDS * SETTINGS; i++)
		kx_comparison_put(p->c, 0, i / SETTINGS, i % SETTINGS,
				  kx_stretch_failed("the VM did not start"));
	rows = kx_experiment_rows(p);
	for (guint k = 0; k < SETTINGS; k++) {
		for (const KxRunFigure *f = kx_run_figures; f->key; f++) {
			if (!kx_run_figure(rows->pdata[k], f)->na)
				fail_msg("%s of setting %u is %g", f->key, k,
					 kx_run_figure(rows->pdata[k], f)->value);
		}
	}

	g_free(setting->text);
	setting->text = g_strdup("qemu-dirty-rate");
	for (guint round = 0; round < ROUNDS; round++) {
		for (guint k = FLUSH; k < SETTINGS; k++) {
			KxStretch *s = (KxStretch *)kx_comparison_at(q->c, 0, round, k);

			s->samples = k == GUEST ? 0 : s->samples;
			s->kvm_flushes = k == FLUSH ? s->kvm_flushes : NAN;
		}
	}
	rates = kx_experiment_rows(q);
	assert_non_null(strstr(((KxRunRow *)rates->pdata[GUEST])->samples.na, "neither samples"));
	text = kx_experiment_to_text(rate, 0);
	assert_non_null(strstr(text, "- samples of guest-abit: n/a, "));
	assert_non_null(strstr(text, "- host per sample of guest-abit: n/a, "));
	assert_non_null(strstr(text, "- guest per sample of guest-abit: n/a, "));
	assert_non_null(strstr(text, "- total per sample of guest-abit: n/a, "));
	assert_non_null(
		strstr(text, "- TLB flushes of KVM of ept-walk and guest-abit: n/a, KVM's"));
}

/* Lines of words are folded to the width; the columns of a table keep theirs. */
static void is_folded(void **state)
{
	g_autoptr(KxExperiment) e = experiment();
	KxComparison *c = ((KxExperimentPoint *)e->points->pdata[0])->c;
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	kx_comparison_put(
		c, 0, 2, FLUSH,
		kx_stretch_failed("the VM was paused by somebody who gave a long reason for "
				  "it, which does not fit a line"));
	text = kx_experiment_to_text(e, 80);
	lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		if (strlen(lines[i]) > 80)
			fail_msg("'%s' is longer than 80 columns", lines[i]);
	}
}

static void interrupted_at_once(void **state)
{
	g_autoptr(KxExperiment) e = experiment(), read = NULL;
	g_autofree char *text = NULL, *json = NULL, *one = NULL;

	for (guint i = 0; i < 2; i++)
		((KxExperimentPoint *)e->points->pdata[i])->c->rounds = 0;
	e->stopped = g_strdup("interrupted");
	text = kx_experiment_to_text(e, 120);
	assert_non_null(strstr(text, "ended early: interrupted"));
	((KxExperimentPoint *)e->points->pdata[0])->c->rounds = 1;
	one = kx_experiment_to_text(e, 0);
	assert_non_null(strstr(one, "experiment gups: 0 whole rounds and a part of another, "));
	json = kx_experiment_to_json(e);
	read = kx_experiment_from_json(json, NULL);
	assert_non_null(read);
}

/* Each point comes once in a round, and the orders differ. */
static void order_of_points(void **state)
{
	g_autoptr(KxExperiment) e = experiment();
	gboolean differ = FALSE;

	add_point(e, 4);
	add_point(e, 8);
	for (guint round = 0; round < 20; round++) {
		g_autofree guint *order = kx_experiment_order(e, round);
		g_autofree guint *again = kx_experiment_order(e, round);
		g_autofree guint *next = kx_experiment_order(e, round + 1);
		guint seen = 0;

		for (guint i = 0; i < 4; i++)
			seen |= 1u << order[i];
		assert_int_equal(seen, 15);
		assert_memory_equal(order, again, 4 * sizeof(*order));
		differ |= memcmp(order, next, 4 * sizeof(*order)) != 0;
	}
	assert_true(differ);
}

static void refuses_hostile_files(void **state)
{
	static const char *const files[] = {
		"",
		"[]",
		"{}",
		"{\"schema\":7}",
		"{\"schema\":\"kvm-ext-compare/1\"}",
		"{\"schema\":\"kvm-ext-experiment/1\"}",
		"{\"schema\":\"kvm-ext-experiment/1\",\"points\":7}",
		"{\"schema\":\"kvm-ext-experiment/1\",\"points\":[]}",
		"{\"schema\":\"kvm-ext-experiment/1\",\"points\":[7]}",
		"{\"schema\":\"kvm-ext-experiment/1\",\"points\":[{}]}",
		"{\"schema\":\"kvm-ext-experiment/1\",\"points\":[{\"comparison\":[]}]}",
		"{\"schema\":\"kvm-ext-experiment/1\",\"points\":[{\"comparison\":{}}]}",
	};

	for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autoptr(GError) error = NULL;

		if (kx_experiment_from_json(files[i], &error))
			fail_msg("it was taken: %s", files[i]);
		assert_non_null(error);
	}
}

/* Wrong types, and texts that a terminal would obey. */
static void survives_strange_members(void **state)
{
	static const char json[] =
		"{\"schema\":\"kvm-ext-experiment/1\",\"name\":{},\"seed\":\"x\",\"rounds\":-1,"
		"\"stopped\":\"\\u001b[2J\",\"file\":[],\"points\":[{\"label\":\"\\u001b]0;"
		"x\\u0007\","
		"\"vcpus\":-5,\"memory_bytes\":1e300,\"working_set\":\"-1\",\"comparison\":"
		"{\"schema\":\"" KX_COMPARISON_SCHEMA
		"\",\"rounds\":3,\"settings\":[{\"label\":\"off\","
		"\"setting\":\"off\"},{\"label\":\"y\",\"setting\":\"no such\"}],\"vms\":[]}}]}";
	g_autoptr(GError) error = NULL;
	g_autoptr(KxExperiment) e = kx_experiment_from_json(json, &error);
	g_autofree char *text = NULL;

	if (!e)
		fail_msg("%s", error->message);
	text = kx_experiment_to_text(e, 100);
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, '\a'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(concludes),
		cmocka_unit_test(keeps_all_in_json),
		cmocka_unit_test(has_the_published_layout),
		cmocka_unit_test(reports_what_is_missing),
		cmocka_unit_test(has_no_numbers_of_what_was_not_measured),
		cmocka_unit_test(is_folded),
		cmocka_unit_test(interrupted_at_once),
		cmocka_unit_test(order_of_points),
		cmocka_unit_test(refuses_hostile_files),
		cmocka_unit_test(survives_strange_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
