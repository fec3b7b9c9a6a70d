// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store: nothing that was saved is lost or torn if the writer is killed at a random moment, if the disk is full, or if two
 * processes write at once.
 *
 * What it cannot show: loss of power. After SIGKILL the kernel still writes what it has taken over; that SQLite waits for the disk
 * (synchronous=EXTRA) is SQLite's own promise.
 */
#define _GNU_SOURCE /* pipe2, F_SETPIPE_SZ */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake-store.h"

#define KILLS 60

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

/* Loads the comparison or experiment, checks that it has at least @rounds rounds, all whole, and returns their number. */
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

/* Checks each line that the writer has reported. @said: what the writer had reported before it was killed. */
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
		/* Opening for writing checks the whole file; for readers a file without tables does not exist. */
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
		/* A save failed with a reason; when there is space again, the missing rounds are saved. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_killed_at_any_moment),
		CASE(test_two_writers),
		CASE(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
