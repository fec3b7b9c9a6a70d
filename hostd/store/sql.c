// SPDX-License-Identifier: GPL-2.0-or-later
/* This file runs statements and transactions, and turns SQLite's answers into errors. */
#include "store-internal.h"

#include <errno.h>
#include <unistd.h>

G_DEFINE_QUARK(kx_store_error, kx_store_error)

gboolean kx_store_fail(const KxStore *s, const char *doing, GError **error)
{
	int code = sqlite3_extended_errcode(s->db);
	const char *why = sqlite3_errmsg(s->db);
	KxStoreError kind = KX_STORE_ERROR_FAILED;

	switch (code & 0xff) {
	case SQLITE_FULL:
		why = "there is no space left";
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		why = "the file is damaged, or no database; it is left as it is: move it away to "
		      "begin a "
		      "new one ('sqlite3 FILE .recover' may save what is in it)";
		break;
	case SQLITE_READONLY:
		kind = KX_STORE_ERROR_READ_ONLY;
		why = code == SQLITE_READONLY_ROLLBACK ? "a command that wrote it was killed: it "
							 "can be read after its owner's "
							 "next 'kvm-ext history'"
						       : "this user may not write it";
		break;
	case SQLITE_CANTOPEN:
		if (access(s->path, R_OK) && errno == EACCES) {
			kind = KX_STORE_ERROR_READ_ONLY;
			why = "this user may not read it";
		}
		break;
	case SQLITE_BUSY:
		why = "another process keeps it locked";
		break;
	default:
		break;
	}
	g_set_error(error, KX_STORE_ERROR, kind, "%s: %s: %s", s->path, doing, why);
	return FALSE;
}

sqlite3_stmt *kx_store_prepare(KxStore *s, const char *sql, GError **error)
{
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) == SQLITE_OK)
		return q;
	kx_store_fail(s, "reading the history", error);
	return NULL;
}

gboolean kx_store_run(KxStore *s, GError **error, const char *sql, const char *format, ...)
{
	g_autoptr(sqlite3_stmt) q = kx_store_prepare(s, sql, error);
	va_list args;
	int n = 0;

	if (!q)
		return FALSE;
	va_start(args, format);
	for (const char *f = format; *f; f++) {
		if (*f == 'i')
			sqlite3_bind_int64(q, ++n, va_arg(args, gint64));
		else
			sqlite3_bind_text(q, ++n, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
	}
	va_end(args);
	return sqlite3_step(q) == SQLITE_DONE || kx_store_fail(s, "writing the history", error);
}

/* IMMEDIATE takes the lock at once: what the transaction has read is still so when it writes. */
gboolean kx_store_begin(KxStore *s, GError **error)
{
	return sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK ||
	       kx_store_fail(s, "writing the history", error);
}

gboolean kx_store_end(KxStore *s, gboolean ok, GError **error)
{
	if (ok && sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return TRUE;
	if (ok)
		kx_store_fail(s, "writing the history", error);
	/* Some errors roll back by themselves. */
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return FALSE;
}
