// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store's file: one that is damaged, foreign or newer is refused and not changed; who may read it and write it.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake-store.h"

#define NOBODY 65534

/* --- files that are not ours -------------------------------------------------------------------------------------- */

static void run_sql(const char *sql)
{
	g_autofree char *path = file();
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* The file is refused in both modes, and has the same bytes afterwards. */
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

/* A file of the version before there were experiments, as that program left it. */
static void fill_first_version(void)
{
	fill();
	run_sql("ALTER TABLE comparison DROP COLUMN kind; ALTER TABLE comparison DROP COLUMN name;"
		"PRAGMA user_version = 1");
}

/* A user who may write the file updates it, also when the user opens it only to read. */
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

/* Zeros in the middle of the file: reading may or may not meet them, but writing must be refused. */
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

/* The JSON in the store may come from anybody who could write there. */
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
	/* The file as a writer leaves it that was killed right after it had created the file. */
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

/* Runs @work as a user without privileges, because root is refused nothing. */
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

/* Reading works if only reading is allowed. */
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

/* A user who may not write the file cannot update it. */
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
