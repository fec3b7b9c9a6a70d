/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A store in a directory of its own, and comparisons and experiments in which each number identifies its window. */
#ifndef FAKE_STORE_H
#define FAKE_STORE_H

#include <sys/stat.h>
#include <sys/wait.h>

#include "cases.h"
#include "fake-root.h"
#include "store/store.h"

#define SETTINGS 3u
#define ROUNDS	 12u

static char *dir;

static inline int setup(void **state)
{
	dir = fake_root_new();
	return 0;
}

static inline int teardown(void **state)
{
	chmod(dir, 0700);
	fake_remove(dir);
	g_free(dir);
	return 0;
}

static inline char *file(void)
{
	return g_build_filename(dir, KX_STORE_FILE, NULL);
}

static inline KxStore *open_store(KxStoreMode mode)
{
	g_autoptr(GError) error = NULL;
	KxStore *s = kx_store_open(dir, mode, &error);

	if (!s)
		fail_msg("%s", error->message);
	return s;
}

/* Each number identifies its window. */
static inline KxStretch *stretch(guint vm, guint round, guint k)
{
	KxStretch *s = kx_stretch_new();

	s->window = round * SETTINGS + k + 1;
	s->start_realtime_ns = 1000 * round + k;
	s->end_realtime_ns = s->start_realtime_ns + 500;
	s->run_ns = 2e9;
	s->samples = 1000 * vm + 10 * round + k;
	return s;
}

static inline void add_round(KxComparison *c)
{
	guint round = c->rounds++;

	for (guint vm = 0; vm < c->vms->len; vm++) {
		for (guint k = 0; k < SETTINGS; k++)
			kx_comparison_put(c, vm, round, k, stretch(vm, round, k));
	}
	c->whole = c->rounds;
}

static inline KxComparison *comparison(const char *vm, guint rounds)
{
	KxComparison *c = kx_comparison_new();

	c->seed = 7;
	c->window_ns = 2000000000;
	c->settle_ns = 500000000;
	c->start_realtime_ns = 1700000000000000000 + g_random_int();
	c->command = g_strdup("compare vm1 --trackers abit,ept-walk");
	c->progress = g_strdup("units of work");
	c->host->kernel = g_strdup("6.1.0");
	c->host->hardware = g_strdup("bare metal");
	c->asked.rounds = ROUNDS;
	kx_comparison_add_setting(c, "off", "off");
	kx_comparison_add_setting(c, "abit", "abit:interval=250ms");
	kx_comparison_add_setting(c, "ept-walk", "ept-walk");
	((KxComparedVm *)kx_comparison_add_vm(c, vm))->uuid = g_strdup("6b7f3f2e");
	kx_comparison_add_vm(c, "other vm");
	while (c->rounds < rounds)
		add_round(c);
	return c;
}

#define POINTS 2u

static inline void add_round_of_runs(KxExperiment *e)
{
	for (guint i = 0; i < e->points->len; i++)
		add_round(((KxExperimentPoint *)e->points->pdata[i])->c);
}

/* One VM at the first point, and two at the second. */
static inline KxExperiment *experiment(guint rounds)
{
	KxExperiment *e = g_new0(KxExperiment, 1);

	e->name = g_strdup("gups");
	e->file = g_strdup("[experiment]\ntrackers=abit,ept-walk\n");
	e->command = g_strdup("experiment gups.conf");
	e->seed = 9;
	e->rounds = ROUNDS;
	e->start_realtime_ns = 1700000000000000000 + g_random_int();
	for (guint i = 0; i < POINTS; i++) {
		KxComparison *c = kx_comparison_new();
		KxPoint *at = g_new0(KxPoint, 1);

		at->label = g_strdup_printf("vms=%u", i + 1);
		at->vms = i + 1;
		c->host->kernel = g_strdup("6.1.0");
		kx_comparison_add_setting(c, "off", "off");
		kx_comparison_add_setting(c, "abit", "abit:interval=250ms");
		kx_comparison_add_setting(c, "ept-walk", "ept-walk");
		for (guint vm = 0; vm < at->vms; vm++)
			kx_comparison_add_vm(c, "clone");
		kx_experiment_add_point(e, at, c);
	}
	for (guint i = 0; i < rounds; i++)
		add_round_of_runs(e);
	return e;
}

static inline void save_experiment(KxStore *s, KxExperiment *e, guint from, KxStoreStep step)
{
	g_autoptr(GError) error = NULL;

	if (!kx_store_save_experiment(s, e, from, step, &error))
		fail_msg("%s", error->message);
}

static inline KxExperiment *load_experiment(KxStore *s, const char *id, KxStoredState *state)
{
	g_autoptr(GError) error = NULL;
	KxExperiment *e = kx_store_load_experiment(s, id, state, &error);

	if (!e)
		fail_msg("%s", error->message);
	return e;
}

static inline void save(KxStore *s, KxComparison *c, guint from, KxStoreStep step)
{
	g_autoptr(GError) error = NULL;

	if (!kx_store_save(s, c, from, step, &error))
		fail_msg("%s", error->message);
}

static inline KxComparison *load(KxStore *s, const char *id, KxStoredState *state)
{
	g_autoptr(GError) error = NULL;
	KxComparison *c = kx_store_load(s, id, state, &error);

	if (!c)
		fail_msg("%s", error->message);
	return c;
}

static inline GPtrArray *list(KxStore *s, const char *domain, guint limit)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *all = kx_store_list(s, domain, limit, &error);

	if (!all)
		fail_msg("%s", error->message);
	return all;
}

static inline void assert_is_of(KxStore *s, const char *id, KxStoredKind kind)
{
	g_autoptr(GError) of_comparison = NULL, of_experiment = NULL;
	g_autoptr(KxComparison) c = kx_store_load(s, id, NULL, &of_comparison);
	g_autoptr(KxExperiment) e = kx_store_load_experiment(s, id, NULL, &of_experiment);
	const GError *error = kind == KX_STORED_EXPERIMENT ? of_comparison : of_experiment;
	KxStoredKind found;

	assert_true(kx_store_kind(s, id, &found, NULL));
	assert_int_equal(found, kind);
	assert_true(g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_KIND));
	assert_true((c != NULL) == (kind == KX_STORED_COMPARISON));
	assert_true((e != NULL) == (kind == KX_STORED_EXPERIMENT));
}

/* Checks that the comparison has its whole rounds, and that each number belongs to its window. */
static inline void assert_whole(const KxComparison *c, guint at_least)
{
	if (c->whole < at_least)
		fail_msg("%s has %u rounds, but %u were reported as kept", c->id, c->whole,
			 at_least);
	assert_int_equal(c->rounds, c->whole);
	for (guint vm = 0; vm < c->vms->len; vm++) {
		for (guint i = 0; i < c->whole * SETTINGS; i++) {
			g_autoptr(KxStretch) want = stretch(vm, i / SETTINGS, i % SETTINGS);
			const KxStretch *is = kx_comparison_at(c, vm, i / SETTINGS, i % SETTINGS);

			assert_non_null(is);
			assert_true(is->samples == want->samples);
			assert_int_equal(is->window, want->window);
		}
		assert_null(kx_comparison_at(c, vm, c->whole, 0));
	}
}

/* Waits for a child; fails unless it exited with 0. */
static inline void await(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#endif
