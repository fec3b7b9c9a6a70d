// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store: what was saved is read back; nothing that was saved is lost or torn if the writer is killed at a random moment, if
 * the disk is full, or if two processes write at once; a file that is damaged, foreign or newer is refused and not changed.
 *
 * What it cannot show: loss of power. SIGKILL leaves what the kernel has taken over; that SQLite waits for the disk
 * (synchronous=EXTRA) is SQLite's own promise.
 */
#define _GNU_SOURCE /* pipe2, F_SETPIPE_SZ */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cases.h"
#include "fake-root.h"
#include "store/store.h"

#define SETTINGS 3u
#define ROUNDS	 12u
#define KILLS	 60
#define NOBODY	 65534

static char *dir;

static int setup(void **state)
{
	dir = fake_root_new();
	return 0;
}

static int teardown(void **state)
{
	chmod(dir, 0700);
	fake_remove(dir);
	g_free(dir);
	return 0;
}

static char *file(void)
{
	return g_build_filename(dir, KX_STORE_FILE, NULL);
}

static KxStore *open_store(KxStoreMode mode)
{
	g_autoptr(GError) error = NULL;
	KxStore *s = kx_store_open(dir, mode, &error);

	if (!s)
		fail_msg("%s", error->message);
	return s;
}

/* Each number tells which window it is of. */
static KxStretch *stretch(guint vm, guint round, guint k)
{
	KxStretch *s = kx_stretch_new();

	s->window = round * SETTINGS + k + 1;
	s->start_realtime_ns = 1000 * round + k;
	s->end_realtime_ns = s->start_realtime_ns + 500;
	s->run_ns = 2e9;
	s->samples = 1000 * vm + 10 * round + k;
	return s;
}

static void add_round(KxComparison *c)
{
	guint round = c->rounds++;

	for (guint vm = 0; vm < c->vms->len; vm++) {
		for (guint k = 0; k < SETTINGS; k++)
			kx_comparison_put(c, vm, round, k, stretch(vm, round, k));
	}
	c->whole = c->rounds;
}

static KxComparison *comparison(const char *vm, guint rounds)
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

static void add_round_of_runs(KxExperiment *e)
{
	for (guint i = 0; i < e->points->len; i++)
		add_round(((KxExperimentPoint *)e->points->pdata[i])->c);
}

/* One VM at the first point, and two at the second. */
static KxExperiment *experiment(guint rounds)
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

static void save_experiment(KxStore *s, KxExperiment *e, guint from, KxStoreStep step)
{
	g_autoptr(GError) error = NULL;

	if (!kx_store_save_experiment(s, e, from, step, &error))
		fail_msg("%s", error->message);
}

static KxExperiment *load_experiment(KxStore *s, const char *id, KxStoredState *state)
{
	g_autoptr(GError) error = NULL;
	KxExperiment *e = kx_store_load_experiment(s, id, state, &error);

	if (!e)
		fail_msg("%s", error->message);
	return e;
}

static void save(KxStore *s, KxComparison *c, guint from, KxStoreStep step)
{
	g_autoptr(GError) error = NULL;

	if (!kx_store_save(s, c, from, step, &error))
		fail_msg("%s", error->message);
}

static KxComparison *load(KxStore *s, const char *id, KxStoredState *state)
{
	g_autoptr(GError) error = NULL;
	KxComparison *c = kx_store_load(s, id, state, &error);

	if (!c)
		fail_msg("%s", error->message);
	return c;
}

static GPtrArray *list(KxStore *s, const char *domain, guint limit)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *all = kx_store_list(s, domain, limit, &error);

	if (!all)
		fail_msg("%s", error->message);
	return all;
}

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

/* Rounds that the store has are not written again until the end; the end rewrites all, and has rounds that are not whole. */
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

static void assert_is_of(KxStore *s, const char *id, KxStoredKind kind)
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

/* From its beginning, before any run, to an end within a round; and the list says what it is. */
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

/* Waits for a child; fails unless it exited with 0. */
static void await(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

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
	/* That process is gone without a word. */
	{
		KxStoredState is;
		g_autoptr(KxComparison) back = load(s, c->id, &is);

		assert_int_equal(is, KX_STORED_KILLED);
	}
	assert_true(kx_store_claim(s, c->id, NULL));
	/* A resumption that cannot begin leaves it as it was, and it can be claimed again. */
	assert_true(kx_store_release(s, c->id, NULL));
	{
		KxStoredState is;
		g_autoptr(KxComparison) back = load(s, c->id, &is);

		assert_int_equal(is, KX_STORED_KILLED);
	}
	assert_true(kx_store_claim(s, c->id, NULL));
}

/* The rounds go with it, and a writer that does not know makes no second one of what is left. */
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

/* --- SIGKILL ------------------------------------------------------------------------------------------------------ */

static gboolean write_comparison(KxStore *s, int report, GError **error)
{
	g_autoptr(KxComparison) c = comparison("vm1", 0);
	gboolean ok = kx_store_save(s, c, 0, KX_STORE_GOES_ON, error);

	while (ok && c->rounds < ROUNDS) {
		add_round(c);
		ok = kx_store_save(s, c, c->whole - 1,
				   c->rounds == ROUNDS ? KX_STORE_ENDS : KX_STORE_GOES_ON, error);
		if (ok)
			dprintf(report, "%s %u\n", c->id, c->whole);
	}
	return ok;
}

static gboolean write_experiment(KxStore *s, int report, GError **error)
{
	g_autoptr(KxExperiment) e = experiment(0);
	gboolean ok = kx_store_save_experiment(s, e, 0, KX_STORE_GOES_ON, error);

	for (guint round = 0; ok && round < ROUNDS; round++) {
		add_round_of_runs(e);
		ok = kx_store_save_experiment(
			s, e, round, round + 1 == ROUNDS ? KX_STORE_ENDS : KX_STORE_GOES_ON, error);
		if (ok)
			dprintf(report, "%s %u\n", e->id, round + 1);
	}
	return ok;
}

/* Measures a comparison and an experiment in turns, as fast as it can, and reports "ID ROUNDS\n" after each save that succeeded. */
static void write_for_ever(int report)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxStore) s = kx_store_open(dir, KX_STORE_WRITE, &error);

	while (s && !error && write_comparison(s, report, &error))
		write_experiment(s, report, &error);
	print_error("%s\n", error->message);
	_exit(1);
}

/* The rounds that the comparison says it has are there, whole, and each number is its own. */
static void assert_whole(const KxComparison *c, guint at_least)
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

/* Loads it, whatever it is, checks that it has at least @rounds, all whole, and returns how many it has. */
static guint rounds_kept(KxStore *s, const char *id, guint rounds, KxStoredState *is)
{
	g_autoptr(KxComparison) c = NULL;
	g_autoptr(KxExperiment) e = NULL;
	KxStoredKind kind;

	assert_true(kx_store_kind(s, id, &kind, NULL));
	if (kind == KX_STORED_COMPARISON) {
		c = load(s, id, is);
		assert_whole(c, rounds);
		return c->whole;
	}
	e = load_experiment(s, id, is);
	assert_int_equal(e->points->len, POINTS);
	for (guint i = 0; i < POINTS; i++) {
		const KxExperimentPoint *p = e->points->pdata[i];

		assert_whole(p->c, rounds);
		assert_int_equal(p->c->whole, kx_experiment_whole(e));
	}
	return kx_experiment_whole(e);
}

/* Each line that the writer has reported is true. @said: what it had reported before it was killed. */
static void assert_kept(KxStore *s, const char *said)
{
	g_auto(GStrv) lines = g_strsplit(said, "\n", -1);

	for (char **line = lines; *line && line[1]; line++) {
		g_auto(GStrv) words = g_strsplit(*line, " ", 2);
		KxStoredState is;
		guint said_rounds = (guint)g_ascii_strtoull(words[1], NULL, 10);
		guint rounds = rounds_kept(s, words[0], said_rounds, &is);

		assert_int_equal(is, rounds == ROUNDS ? KX_STORED_WHOLE : KX_STORED_KILLED);
	}
}

static char *read_all(int fd)
{
	GString *text = g_string_new(NULL);
	char buffer[4096];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		g_string_append_len(text, buffer, n);
	close(fd);
	return g_string_free(text, FALSE);
}

/* @us after the writer was started, or after its first report. */
static void kill_after(gulong us, gboolean after_report, GString *said)
{
	int pipes[2], status;
	g_autofree char *text = NULL;
	pid_t child;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	/* All reports of a run must fit, or the writer would wait for the reader. */
	fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20);
	child = fork();
	if (!child)
		write_for_ever(pipes[1]);
	close(pipes[1]);
	if (after_report)
		poll(&(struct pollfd){ .fd = pipes[0], .events = POLLIN }, 1, 60000);
	g_usleep(us);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	text = read_all(pipes[0]);
	g_string_append(said, text);
}

/*
 * At moments between 1 ms after the fork, or after the first round, and the time for some rounds; a moment within a transaction leaves a journal, which
 * the next one to open the file has to undo.
 */
static void test_killed_at_any_moment(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);
	GString *said = g_string_new(NULL);
	guint journals = 0;

	for (int i = 0; i < KILLS; i++) {
		g_autofree char *path = file();
		g_autofree char *journal = g_strconcat(path, "-journal", NULL);
		g_autoptr(KxStore) s = NULL;

		kill_after((gulong)g_rand_int_range(rand, 1000, 60000), i % 4 == 3, said);
		journals += g_file_test(journal, G_FILE_TEST_EXISTS);
		/* Opening for writing checks the whole file; a file without tables is none for readers. */
		s = open_store(i % 2 || !said->len ? KX_STORE_WRITE : KX_STORE_READ);
		assert_kept(s, said->str);
	}
	{
		g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
		g_autoptr(GPtrArray) all = list(s, NULL, 0);

		for (guint i = 0; i < all->len; i++) {
			const KxStored *e = all->pdata[i];
			KxStoredState is;

			assert_int_equal(rounds_kept(s, e->id, e->whole, &is), e->whole);
		}
	}
	print_message("%u of %d kills came within a transaction; %u saves were reported\n",
		      journals, KILLS, (guint)(said->len / 11));
	/* Otherwise nothing was tested. */
	assert_true(journals > 0);
	assert_true(said->len > 0);
	g_string_free(said, TRUE);
}

static void test_two_writers(void **state)
{
	pid_t children[2];
	g_autoptr(KxStore) s = NULL;
	g_autoptr(GPtrArray) all = NULL;

	/* Both find no file. */
	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		for (int n = 0; n < 5; n++) {
			g_autoptr(KxStore) mine = kx_store_open(dir, KX_STORE_WRITE, NULL);
			g_autoptr(KxComparison) c = comparison(i ? "second" : "first", 0);

			if (!mine || !kx_store_save(mine, c, 0, KX_STORE_GOES_ON, NULL))
				_exit(1);
			while (c->rounds < ROUNDS) {
				add_round(c);
				if (!kx_store_save(mine, c, c->whole - 1, KX_STORE_GOES_ON, NULL))
					_exit(2);
			}
			if (!kx_store_save(mine, c, 0, KX_STORE_ENDS, NULL))
				_exit(3);
		}
		_exit(0);
	}
	await(children[0]);
	await(children[1]);
	s = open_store(KX_STORE_WRITE);
	all = list(s, NULL, 0);
	assert_int_equal(all->len, 10);
	for (guint i = 0; i < all->len; i++) {
		const KxStored *e = all->pdata[i];
		g_autoptr(KxComparison) c = load(s, e->id, NULL);

		assert_int_equal(e->state, KX_STORED_WHOLE);
		assert_whole(c, ROUNDS);
	}
}

/* --- no space ----------------------------------------------------------------------------------------------------- */

/* A limit on the size of files stands for a full disk: the write fails in the middle. */
static void test_full_disk(void **state)
{
	g_autofree char *path = file();
	g_autoptr(KxComparison) before = comparison("vm1", ROUNDS);
	g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
	struct stat st;
	pid_t child;

	save(s, before, 0, KX_STORE_ENDS);
	assert_int_equal(stat(path, &st), 0);
	child = fork();
	if (!child) {
		struct rlimit limit = { (rlim_t)st.st_size + 8192, RLIM_INFINITY };
		g_autoptr(KxStore) mine = kx_store_open(dir, KX_STORE_WRITE, NULL);
		g_autoptr(KxComparison) c = comparison("vm2", 0);
		g_autoptr(GError) error = NULL;
		gboolean ok;

		signal(SIGXFSZ, SIG_IGN);
		ok = mine && kx_store_save(mine, c, 0, KX_STORE_GOES_ON, NULL);
		setrlimit(RLIMIT_FSIZE, &limit);
		for (guint i = 0; ok && i < 200; i++) {
			add_round(c);
			if (!kx_store_save(mine, c, c->whole - 1, KX_STORE_GOES_ON, &error))
				break;
		}
		/* It failed, said why, and goes on once there is space again, with the rounds that are missing. */
		ok = ok && error && c->id && c->whole > 1;
		limit.rlim_cur = RLIM_INFINITY;
		setrlimit(RLIMIT_FSIZE, &limit);
		ok = ok && kx_store_save(mine, c, c->whole - 1, KX_STORE_GOES_ON, NULL);
		_exit(!ok);
	}
	await(child);
	{
		g_autoptr(KxStore) again = open_store(KX_STORE_WRITE);
		g_autoptr(GPtrArray) all = list(again, NULL, 0), of_2 = list(again, "vm2", 0);
		g_autoptr(KxComparison) old = load(again, before->id, NULL), new = NULL;

		assert_int_equal(all->len, 2);
		assert_whole(old, ROUNDS);
		new = load(again, ((KxStored *)of_2->pdata[0])->id, NULL);
		assert_whole(new, 2);
	}
}

/* --- files that are not ours -------------------------------------------------------------------------------------- */

static void run_sql(const char *sql)
{
	g_autofree char *path = file();
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* In both modes, and the file has the same bytes afterwards. */
static void assert_refused(const char *words)
{
	g_autofree char *path = file(), *before = NULL, *after = NULL;
	gsize size, size_after;

	assert_true(g_file_get_contents(path, &before, &size, NULL));
	for (KxStoreMode mode = KX_STORE_READ; mode <= KX_STORE_WRITE; mode++) {
		g_autoptr(GError) error = NULL;

		assert_null(kx_store_open(dir, mode, &error));
		if (!strstr(error->message, words) || !strstr(error->message, path))
			fail_msg("'%s' has no '%s'", error->message, words);
	}
	assert_true(g_file_get_contents(path, &after, &size_after, NULL));
	assert_int_equal(size, size_after);
	assert_memory_equal(before, after, size);
}

static void fill(void)
{
	g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
	g_autoptr(KxComparison) c = comparison("vm1", ROUNDS);

	save(s, c, 0, KX_STORE_ENDS);
}

/* A file of the version before experiments, as its program left it. */
static void fill_first_version(void)
{
	fill();
	run_sql("ALTER TABLE comparison DROP COLUMN kind; ALTER TABLE comparison DROP COLUMN name;"
		"PRAGMA user_version = 1");
}

/* By whoever may write it, also to read it. */
static void test_older_is_brought_up_to_date(void **state)
{
	for (KxStoreMode mode = KX_STORE_READ; mode <= KX_STORE_WRITE; mode++) {
		g_autofree char *path = file();

		fill_first_version();
		{
			g_autoptr(KxStore) s = open_store(mode);
			g_autoptr(GPtrArray) all = list(s, NULL, 0);
			const KxStored *e = all->pdata[0];
			g_autoptr(KxComparison) c = load(s, e->id, NULL);

			assert_int_equal(all->len, 1);
			assert_int_equal(e->kind, KX_STORED_COMPARISON);
			assert_whole(c, ROUNDS);
			assert_is_of(s, e->id, KX_STORED_COMPARISON);
		}
		{
			g_autoptr(KxStore) s = open_store(KX_STORE_WRITE);
			g_autoptr(KxExperiment) e = experiment(1);

			save_experiment(s, e, 0, KX_STORE_ENDS);
		}
		unlink(path);
	}
}

static void test_newer_is_refused(void **state)
{
	fill();
	run_sql("PRAGMA user_version = 99");
	assert_refused("newer kvm-ext");
}

static void test_foreign_is_refused(void **state)
{
	run_sql("CREATE TABLE cookies (name TEXT)");
	assert_refused("another program");
}

static void test_no_database_is_refused(void **state)
{
	fake_write(dir, KX_STORE_FILE,
		   "These are my notes on 4 KiB pages, and they must not be lost.\n");
	assert_refused("damaged, or no database");
}

/* Zeros in the middle: reading may or may not come across them, writing must not go on. */
static void test_damaged_is_refused(void **state)
{
	g_autofree char *path = file();
	char zeros[4096] = { 0 };
	g_autoptr(GError) error = NULL;
	int fd;

	fill();
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 4096), sizeof(zeros));
	close(fd);
	assert_null(kx_store_open(dir, KX_STORE_WRITE, &error));
	assert_non_null(strstr(error->message, "damaged"));
}

/* What a comparison has in the store is JSON of anybody who could write there. */
static void test_bad_json_is_an_error(void **state)
{
	g_autoptr(KxStore) s = NULL;
	g_autoptr(GPtrArray) all = NULL;
	g_autoptr(GError) error = NULL;

	fill();
	run_sql("UPDATE round SET windows = '{\"vms\": [' WHERE number = 3");
	s = open_store(KX_STORE_READ);
	all = list(s, NULL, 0);
	assert_int_equal(all->len, 1);
	assert_null(kx_store_load(s, ((KxStored *)all->pdata[0])->id, NULL, &error));
	assert_non_null(strstr(error->message, "cannot be read"));
}

/* --- directories -------------------------------------------------------------------------------------------------- */

static void test_nothing_is_created_for_readers(void **state)
{
	g_autofree char *path = file(), *deep = g_build_filename(dir, "not", "there", NULL);
	g_autoptr(GError) error = NULL, none = NULL;

	assert_null(kx_store_open(dir, KX_STORE_READ, &error));
	assert_true(g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_NONE));
	assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
	assert_null(kx_store_open(deep, KX_STORE_READ, &none));
	assert_true(g_error_matches(none, KX_STORE_ERROR, KX_STORE_ERROR_NONE));
	/* As a writer that was killed right after it had created the file leaves it. */
	fake_write(dir, KX_STORE_FILE, "");
	g_clear_error(&error);
	assert_null(kx_store_open(dir, KX_STORE_READ, &error));
	assert_true(g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_NONE));
	fill();
}

static void test_permissions(void **state)
{
	g_autofree char *deep = g_build_filename(dir, "a", "b", NULL);
	g_autofree char *path = g_build_filename(deep, KX_STORE_FILE, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(KxStore) s = kx_store_open(deep, KX_STORE_WRITE, &error);
	struct stat st;

	assert_non_null(s);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0137, 0); /* others: nothing; the group: at most reading */
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 0027, 0);
}

/* As a user without privileges: root is refused nothing. */
static int as_user(int (*work)(void))
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0) ? 99 : work());
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int write_is_refused(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxStore) s = kx_store_open(dir, KX_STORE_WRITE, &error);

	return s || !g_error_matches(error, KX_STORE_ERROR, KX_STORE_ERROR_READ_ONLY);
}

/* Reading works, if only that is allowed. */
static int read_works(void)
{
	g_autoptr(KxStore) s = kx_store_open(dir, KX_STORE_READ, NULL);
	g_autoptr(GPtrArray) all = s ? kx_store_list(s, NULL, 0, NULL) : NULL;
	g_autoptr(KxComparison) c =
		all && all->len == 1 ? kx_store_load(s, ((KxStored *)all->pdata[0])->id, NULL, NULL)
				     : NULL;

	return !c || c->whole != ROUNDS;
}

static int older_is_refused(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxStore) s = kx_store_open(dir, KX_STORE_READ, &error);

	return s || !strstr(error->message, "was written by an older kvm-ext");
}

/* Who may not write it cannot bring it up to date. */
static void test_older_and_read_only(void **state)
{
	g_autofree char *path = file();

	fill_first_version();
	chmod(dir, 0555);
	chmod(path, 0444);
	assert_int_equal(as_user(older_is_refused), 0);
}

static void test_read_only(void **state)
{
	g_autofree char *path = file();

	chmod(dir, 0555);
	assert_int_equal(as_user(write_is_refused), 0);
	chmod(dir, 0755);
	fill();
	chmod(path, 0444);
	chmod(dir, 0555);
	assert_int_equal(as_user(write_is_refused), 0);
	assert_int_equal(as_user(read_works), 0);
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
		CASE(test_deletes),
		CASE(test_killed_at_any_moment),
		CASE(test_two_writers),
		CASE(test_full_disk),
		CASE(test_older_is_brought_up_to_date),
		CASE(test_newer_is_refused),
		CASE(test_foreign_is_refused),
		CASE(test_no_database_is_refused),
		CASE(test_damaged_is_refused),
		CASE(test_bad_json_is_an_error),
		CASE(test_nothing_is_created_for_readers),
		CASE(test_permissions),
		CASE(test_older_and_read_only),
		CASE(test_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
