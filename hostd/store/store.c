// SPDX-License-Identifier: GPL-2.0-or-later
/* This file finds the store, creates it and opens it. */
#include "store-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/names.h"

/* Writers hold the lock for some milliseconds; a disk that is busy with other work may take longer. */
#define BUSY_MS 10000

/* --- places ------------------------------------------------------------------------------------------------------- */

char **kx_store_places(void)
{
	const char *given = g_getenv("KVM_EXT_STATE_DIR");
	g_autoptr(GStrvBuilder) b = g_strv_builder_new();
	g_autofree char *own = g_build_filename(g_get_user_state_dir(), "kvm-ext", NULL);

	if (given && *given) {
		g_strv_builder_add(b, given);
	} else {
		if (geteuid() != 0)
			g_strv_builder_add(b, own);
		g_strv_builder_add(b, KX_STORE_SYSTEM);
	}
	return g_strv_builder_end(b);
}

/* root's store is for the group that may use the daemon, any other store for its owner alone. */
static gboolean group_of_daemon(gid_t *gid)
{
	const struct group *g = geteuid() == 0 ? getgrnam(KX_GROUP) : NULL;

	if (g)
		*gid = g->gr_gid;
	return g != NULL;
}

static gboolean system_error(const char *path, const char *doing, GError **error)
{
	int code = errno;

	g_set_error(error, KX_STORE_ERROR,
		    code == EACCES || code == EPERM || code == EROFS ? KX_STORE_ERROR_READ_ONLY
								     : KX_STORE_ERROR_FAILED,
		    "%s: %s: %s", path, doing, g_strerror(code));
	return FALSE;
}

/* Creates what is missing. The file is created here, because SQLite would give it other permissions. */
static gboolean create(const KxStore *s, GError **error)
{
	gid_t gid = 0;
	gboolean shared = group_of_daemon(&gid);
	gboolean there = g_file_test(s->directory, G_FILE_TEST_IS_DIR);
	int fd;

	if (!there && g_mkdir_with_parents(s->directory, 0700) != 0)
		return system_error(s->directory, "the directory cannot be created", error);
	if (!there && shared &&
	    (chown(s->directory, (uid_t)-1, gid) != 0 || chmod(s->directory, 0750) != 0))
		return system_error(s->directory, "the directory cannot be given to the group",
				    error);
	fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == EEXIST)
		return TRUE;
	if (fd < 0)
		return system_error(s->path, "the file cannot be created", error);
	if (shared && (fchown(fd, (uid_t)-1, gid) != 0 || fchmod(fd, 0640) != 0)) {
		system_error(s->path, "the file cannot be given to the group", error);
		close(fd);
		return FALSE;
	}
	close(fd);
	return TRUE;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

/*
 * The file has a rollback journal, not WAL, so that members of the group can read the file without the right to write beside it.
 * With EXTRA the end of a transaction is on the disk as well: nothing that was reported as kept disappears if the power fails.
 */
static gboolean configure(KxStore *s, GError **error)
{
	sqlite3_busy_timeout(s->db, BUSY_MS);
	sqlite3_extended_result_codes(s->db, 1);
	return sqlite3_exec(s->db,
			    "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
			    "PRAGMA foreign_keys = ON; PRAGMA synchronous = EXTRA",
			    NULL, NULL, NULL) == SQLITE_OK ||
	       kx_store_fail(s, "opening the history", error);
}

/* Checks the whole file before it is written, because a write need not come across the damage. */
static gboolean is_sound(KxStore *s, GError **error)
{
	g_autoptr(sqlite3_stmt) q = kx_store_prepare(s, "PRAGMA quick_check(1)", error);
	const char *answer;

	if (!q)
		return FALSE;
	if (sqlite3_step(q) != SQLITE_ROW)
		return kx_store_fail(s, "opening the history", error);
	answer = (const char *)sqlite3_column_text(q, 0);
	if (g_strcmp0(answer, "ok") == 0)
		return TRUE;
	g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_FAILED,
		    "%s is damaged and left as it is (%s); move it away to begin a new one",
		    s->path, answer ? answer : "no reason given");
	return FALSE;
}

static gboolean open_file(KxStore *s, KxStoreMode mode, GError **error)
{
	/* READWRITE also for readers: they undo what a killed writer left, if this user can write; otherwise SQLite opens to read. */
	if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return kx_store_fail(s, "opening the history", error);
	if (!configure(s, error))
		return FALSE;
	if (mode == KX_STORE_WRITE && sqlite3_db_readonly(s->db, "main") == 1) {
		g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_READ_ONLY,
			    "%s: this user may not write it", s->path);
		return FALSE;
	}
	return kx_store_check_schema(s, mode, error) &&
	       (mode == KX_STORE_READ || is_sound(s, error));
}

KxStore *kx_store_open(const char *directory, KxStoreMode mode, GError **error)
{
	g_autoptr(KxStore) s = g_new0(KxStore, 1);

	s->directory = g_strdup(directory);
	s->path = g_build_filename(directory, KX_STORE_FILE, NULL);
	if (mode == KX_STORE_WRITE && !create(s, error))
		return NULL;
	if (mode == KX_STORE_READ && access(s->path, F_OK) != 0 && errno == ENOENT) {
		g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_NONE, "there is no %s", s->path);
		return NULL;
	}
	return open_file(s, mode, error) ? g_steal_pointer(&s) : NULL;
}

void kx_store_close(KxStore *s)
{
	if (!s)
		return;
	sqlite3_close(s->db);
	kx_writer_clear(&s->before);
	g_free(s->claimed);
	g_free(s->directory);
	g_free(s->path);
	g_free(s);
}

const char *kx_store_directory(const KxStore *s)
{
	return s->directory;
}
