// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store: what was saved is read back, found, listed and deleted; one process measures at a time.
 */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake-store.h"

/* --- what was saved is read back ---------------------------------------------------------------------------------- */

static void test_gives_it_back(void **state)
{
	g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
	g_autoptr(KxComparison) c = comparison("vm1", 3), back = NULL;
	g_autofree char *json = NULL, *again = NULL;
	KxStoredState is;

	save(s, c, 0, KX_STORE_GOES_ON);
	assert_int_equal(strlen(c->id), 8);
	back = load(s, c->id, &is);
	assert_int_equal(is, KX_STORED_RUNNING);
	json = kx_comparison_to_json(c);
	again = kx_comparison_to_json(back);
	assert_string_equal(json, again);
}

/* Rounds that the store has are not written again before the end; the end writes all rounds, also those that are not whole. */
static void test_goes_on_and_ends(void **state)
{
	g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
	g_autoptr(KxComparison) c = comparison("vm1", 2), back = NULL;
	g_autofree char *json = NULL, *again = NULL;
	KxStoredState is;

	save(s, c, 0, KX_STORE_GOES_ON);
	add_round(c);
	save(s, c, 2, KX_STORE_GOES_ON);
	add_round(c);
	c->whole = 3; /* an interrupt came within the fourth */
	c->stopped = g_strdup("interrupted");
	((KxStretch *)kx_comparison_at(c, 0, 0, 1))->progress =
		42; /* from a log that is read at the end */
	save(s, c, 0, KX_STORE_ENDS);
	back = load(s, c->id, &is);
	assert_int_equal(is, KX_STORED_ENDED_EARLY);
	assert_int_equal(back->whole, 3);
	assert_int_equal(back->rounds, 4);
	json = kx_comparison_to_json(c);
	again = kx_comparison_to_json(back);
	assert_string_equal(json, again);
}

static void assert_not_found(KxStore *s, const char *start, KxStoreError code);

static void assert_same_experiment(const KxExperiment *a, const KxExperiment *b)
{
	g_autofree char *json = kx_experiment_to_json(a), *again = kx_experiment_to_json(b);

	assert_string_equal(json, again);
}

/* An experiment from its beginning, before any run, to an end within a round; the list shows that it is an experiment. */
static void test_keeps_experiments(void **state)
{
	g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
	g_autoptr(KxExperiment) e = experiment(0), begun = NULL, running = NULL, ended = NULL;
	g_autoptr(KxComparison) c = comparison("vm1", 1);
	g_autoptr(GPtrArray) all = NULL, of_vm = NULL;
	const KxStored *listed;
	KxStoredState is;

	save_experiment(s, e, 0, KX_STORE_GOES_ON);
	begun = load_experiment(s, e->id, &is);
	assert_same_experiment(e, begun);
	add_round_of_runs(e);
	save_experiment(s, e, 0, KX_STORE_GOES_ON);
	add_round_of_runs(e);
	save_experiment(s, e, 1, KX_STORE_GOES_ON);
	running = load_experiment(s, e->id, &is);
	assert_int_equal(is, KX_STORED_RUNNING);
	assert_same_experiment(e, running);
	/* An interrupt ended the third round at the first point. */
	add_round(((KxExperimentPoint *)e->points->pdata[0])->c);
	kx_experiment_set_whole(e, 2);
	e->stopped = g_strdup("interrupted");
	save_experiment(s, e, 0, KX_STORE_ENDS);
	ended = load_experiment(s, e->id, &is);
	assert_int_equal(is, KX_STORED_ENDED_EARLY);
	assert_int_equal(kx_experiment_whole(ended), 2);
	assert_int_equal(kx_experiment_begun(ended), 3);
	assert_same_experiment(e, ended);

	c->start_realtime_ns = 1;
	save(s, c, 0, KX_STORE_ENDS);
	all = list(s, NULL, 0);
	assert_int_equal(all->len, 2);
	listed = all->pdata[0];
	assert_string_equal(listed->id, e->id);
	assert_int_equal(listed->kind, KX_STORED_EXPERIMENT);
	assert_string_equal(listed->name, "gups");
	assert_int_equal(listed->whole, 2);
	assert_int_equal(listed->asked, ROUNDS);
	assert_int_equal(listed->seed, 9);
	assert_null(listed->vms[0]);
	assert_string_equal(listed->settings[1], "abit");
	assert_int_equal(((KxStored *)all->pdata[1])->kind, KX_STORED_COMPARISON);
	of_vm = list(s, "clone", 0);
	assert_int_equal(of_vm->len, 0);
	assert_is_of(s, e->id, KX_STORED_EXPERIMENT);
	assert_is_of(s, c->id, KX_STORED_COMPARISON);
	assert_true(kx_store_delete(s, e->id, NULL));
	assert_not_found(s, e->id, KX_STORE_ERROR_NONE);
}

/* The round that was not whole is replaced. */
static void test_resumes(void **state)
{
	g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
	g_autoptr(KxComparison) c = comparison("vm1", 3), back = NULL;
	g_autoptr(GError) error = NULL;
	KxStoredState is;

	c->whole = 2;
	c->stopped = g_strdup("interrupted");
	save(s, c, 0, KX_STORE_ENDS);
	assert_true(kx_store_claim(s, c->id, &error));
	kx_comparison_cut(c, 2);
	g_clear_pointer(&c->stopped, g_free);
	save(s, c, 2, KX_STORE_GOES_ON);
	back = load(s, c->id, &is);
	assert_int_equal(is, KX_STORED_RUNNING);
	assert_int_equal(back->rounds, 2);
	assert_null(kx_comparison_at(back, 0, 2, 0));
	add_round(c);
	save(s, c, 0, KX_STORE_ENDS);
	g_clear_pointer(&back, kx_comparison_free);
	back = load(s, c->id, &is);
	assert_int_equal(is, KX_STORED_WHOLE);
	assert_non_null(kx_comparison_at(back, 1, 2, 2));
}

static void test_lists(void **state)
{
	g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
	g_autoptr(KxComparison) a = comparison("vm1", 2), b = comparison("web; DROP TABLE vm", 1);
	g_autoptr(GPtrArray) all = NULL, of_vm = NULL, of_uuid = NULL, newest = NULL, none = NULL;
	const KxStored *e;

	a->start_realtime_ns = 1;
	b->start_realtime_ns = 2;
	save(s, a, 0, KX_STORE_ENDS);
	save(s, b, 0, KX_STORE_GOES_ON);
	all = list(s, NULL, 0);
	assert_int_equal(all->len, 2);
	e = all->pdata[0];
	assert_string_equal(e->id, b->id);
	assert_int_equal(e->state, KX_STORED_RUNNING);
	assert_int_equal(e->whole, 1);
	assert_int_equal(e->asked, ROUNDS);
	assert_string_equal(e->vms[0], "web; DROP TABLE vm");
	assert_string_equal(e->vms[1], "other vm");
	assert_string_equal(e->settings[2], "ept-walk");
	assert_string_equal(e->kernel, "6.1.0");
	assert_int_equal(e->seed, 7);
	of_vm = list(s, "vm1", 0);
	assert_int_equal(of_vm->len, 1);
	assert_string_equal(((KxStored *)of_vm->pdata[0])->id, a->id);
	of_uuid = list(s, "6b7f3f2e", 0);
	assert_int_equal(of_uuid->len, 2);
	newest = list(s, NULL, 1);
	assert_int_equal(newest->len, 1);
	assert_string_equal(((KxStored *)newest->pdata[0])->id, b->id);
	none = list(s, "vm", 0);
	assert_int_equal(none->len, 0);
}

static void rename_to(const char *from, const char *to)
{
	g_autofree char *path = file();
	g_autofree char *sql =
		g_strdup_printf("UPDATE comparison SET id = '%s' WHERE id = '%s'", to, from);
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void assert_not_found(KxStore *s, const char *start, KxStoreError code)
{
	g_autoptr(GError) error = NULL;

	assert_null(kx_store_find(s, start, &error));
	assert_true(g_error_matches(error, KX_STORE_ERROR, (int)code));
}

static void test_finds(void **state)
{
	g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
	g_autoptr(KxComparison) a = comparison("vm1", 1), b = comparison("vm1", 1);
	g_autofree char *id = NULL, *upper = NULL;

	save(s, a, 0, KX_STORE_ENDS);
	save(s, b, 0, KX_STORE_ENDS);
	rename_to(a->id, "00abcdef");
	rename_to(b->id, "00abd000");
	id = kx_store_find(s, "00abc", NULL);
	assert_string_equal(id, "00abcdef");
	upper = kx_store_find(s, "00ABD", NULL);
	assert_string_equal(upper, "00abd000");
	assert_not_found(s, "00ab", KX_STORE_ERROR_AMBIGUOUS);
	assert_not_found(s, "00abcdef0", KX_STORE_ERROR_NONE);
	assert_not_found(s, "", KX_STORE_ERROR_NONE);
	assert_not_found(s, "%", KX_STORE_ERROR_NONE);
	assert_not_found(s, "_0abcdef", KX_STORE_ERROR_NONE);
}

/* --- who measures it ---------------------------------------------------------------------------------------------- */

static void test_one_measures_at_a_time(void **state)
{
	g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
	g_autoptr(KxComparison) c = comparison("vm1", 1);
	pid_t child;

	save(s, c, 0, KX_STORE_GOES_ON);
	child = fork();
	if (!child) {
		g_autoptr(KxStore) mine = kx_store_open(dir, KX_STORE_WRITE, NULL);
		g_autoptr(GError) error = NULL, deleted = NULL;
		gboolean ok = mine && !kx_store_claim(mine, c->id, &error) &&
			      g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_BUSY) &&
			      !kx_store_delete(mine, c->id, &deleted) &&
			      g_error_matches(deleted, KX_STORE_ERROR, KX_STORE_ERROR_BUSY);

		_exit(!ok);
	}
	await(child);
	assert_true(kx_store_release(s, c->id, NULL));
	child = fork();
	if (!child) {
		g_autoptr(KxStore) mine = kx_store_open(dir, KX_STORE_WRITE, NULL);

		_exit(!mine || !kx_store_claim(mine, c->id, NULL));
	}
	await(child);
	/* That process has ended without saying so. */
	{
		KxStoredState is;
		g_autoptr(KxComparison) back = load(s, c->id, &is);

		assert_int_equal(is, KX_STORED_KILLED);
	}
	assert_true(kx_store_claim(s, c->id, NULL));
	/* If the comparison cannot be resumed, it stays as it was, and can be claimed again. */
	assert_true(kx_store_release(s, c->id, NULL));
	{
		KxStoredState is;
		g_autoptr(KxComparison) back = load(s, c->id, &is);

		assert_int_equal(is, KX_STORED_KILLED);
	}
	assert_true(kx_store_claim(s, c->id, NULL));
}

static void assert_state(KxStore *s, const char *id, KxStoredState expected)
{
	KxStoredState is;
	g_autoptr(KxComparison) back = load(s, id, &is);

	assert_int_equal(is, expected);
}

/* Whoever claims a comparison and gives it up leaves it as it was: ended early, or killed with all rounds. */
static void test_given_up_is_as_it_was(void **state)
{
	g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
	g_autoptr(KxComparison) all = comparison("vm1", ROUNDS), early = comparison("vm1", 1);
	pid_t child;

	early->stopped = g_strdup("interrupted");
	save(s, early, 0, KX_STORE_ENDS);
	for (guint i = 0; i < 2; i++) {
		assert_true(kx_store_claim(s, early->id, NULL));
		assert_state(s, early->id, KX_STORED_RUNNING);
		assert_true(kx_store_claim(s, early->id, NULL));
		assert_true(kx_store_release(s, early->id, NULL));
		assert_state(s, early->id, KX_STORED_ENDED_EARLY);
	}
	/* Of two claims the first one is given up last. */
	assert_true(kx_store_claim(s, early->id, NULL));
	child = fork();
	if (!child) {
		g_autoptr(KxStore) mine = kx_store_open(dir, KX_STORE_WRITE, NULL);

		_exit(!mine || kx_store_claim(mine, early->id, NULL));
	}
	await(child);
	assert_true(kx_store_release(s, early->id, NULL));
	assert_state(s, early->id, KX_STORED_ENDED_EARLY);
	/* What was written since the claim is no end. */
	assert_true(kx_store_claim(s, early->id, NULL));
	g_clear_pointer(&early->stopped, g_free);
	save(s, early, 0, KX_STORE_GOES_ON);
	assert_true(kx_store_release(s, early->id, NULL));
	assert_state(s, early->id, KX_STORED_KILLED);
	/* Killed with all of its rounds, before it could say that it had ended. */
	save(s, all, 0, KX_STORE_GOES_ON);
	assert_true(kx_store_release(s, all->id, NULL));
	assert_true(kx_store_claim(s, all->id, NULL));
	assert_true(kx_store_release(s, all->id, NULL));
	assert_state(s, all->id, KX_STORED_KILLED);
}

/* Nobody can claim a whole comparison, so a process that is killed cannot leave it as one that has not ended. Logs are joined without. */
static void test_whole_stays_whole(void **state)
{
	g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
	g_autoptr(KxComparison) whole = comparison("vm1", ROUNDS), back = NULL;
	g_autoptr(GError) error = NULL;
	pid_t child;

	save(s, whole, 0, KX_STORE_ENDS);
	assert_false(kx_store_claim(s, whole->id, &error));
	assert_true(g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_WHOLE));
	assert_state(s, whole->id, KX_STORED_WHOLE);
	child = fork();
	if (!child) {
		g_autoptr(KxStore) mine = kx_store_open(dir, KX_STORE_WRITE, NULL);

		if (!mine || kx_store_claim(mine, whole->id, NULL))
			_exit(1);
		/* without closing anything */
		_exit(0);
	}
	await(child);
	assert_state(s, whole->id, KX_STORED_WHOLE);
	/* What is given up without a claim stays so, too. */
	assert_true(kx_store_release(s, whole->id, NULL));
	assert_state(s, whole->id, KX_STORED_WHOLE);
	((KxStretch *)kx_comparison_at(whole, 0, 0, 0))->progress = 4711;
	save(s, whole, 0, KX_STORE_ENDS);
	assert_state(s, whole->id, KX_STORED_WHOLE);
	back = load(s, whole->id, NULL);
	assert_true(kx_comparison_at(back, 0, 0, 0)->progress == 4711);
}

/* The rounds are deleted with the comparison, and a writer that does not know of it does not save the comparison again. */
static void test_deletes(void **state)
{
	g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
	g_autoptr(KxComparison) c = comparison("vm1", 2);
	g_autoptr(GError) error = NULL, again = NULL;
	g_autoptr(GPtrArray) all = NULL;
	g_autofree char *id = NULL;

	save(s, c, 0, KX_STORE_GOES_ON);
	id = g_strdup(c->id);
	assert_true(kx_store_delete(s, id, NULL));
	add_round(c);
	assert_false(kx_store_save(s, c, 2, KX_STORE_GOES_ON, &error));
	assert_true(g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_NONE));
	assert_false(kx_store_delete(s, id, &again));
	assert_true(g_error_matches(again, KX_STORE_ERROR, KX_STORE_ERROR_NONE));
	all = list(s, NULL, 0);
	assert_int_equal(all->len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_gives_it_back),
		CASE(test_goes_on_and_ends),
		CASE(test_keeps_experiments),
		CASE(test_resumes),
		CASE(test_lists),
		CASE(test_finds),
		CASE(test_one_measures_at_a_time),
		CASE(test_given_up_is_as_it_was),
		CASE(test_whole_stays_whole),
		CASE(test_deletes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
