/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the store. */
#ifndef KX_STORE_INTERNAL_H
#define KX_STORE_INTERNAL_H

#include <sqlite3.h>

#include "store.h"
#include "writer.h"

struct _KxStore {
	sqlite3 *db;
	char *directory, *path;
	char *claimed; /* ID of the comparison that was claimed last, of which nothing was saved since; NULL: none */
	KxWriter before; /* who measured it before; pid 0: nobody, it had ended */
};

/* Sets @error to the error of the last call, with the file's name. @doing: "writing the history". Returns FALSE. */
gboolean kx_store_fail(const KxStore *s, const char *doing, GError **error);

/* Prepares a statement; NULL: @error is set. */
sqlite3_stmt *kx_store_prepare(KxStore *s, const char *sql, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

/* Runs a statement without results to its end; binds @format's arguments in their order: s char * (NULL: null), i gint64. */
gboolean kx_store_run(KxStore *s, GError **error, const char *sql, const char *format, ...);

/* Begin and end a transaction. kx_store_end() commits if @ok, else rolls back; it returns TRUE if it has committed. */
gboolean kx_store_begin(KxStore *s, GError **error);
gboolean kx_store_end(KxStore *s, gboolean ok, GError **error);

/*
 * Brings the file's tables up to this version, or refuses it. KX_STORE_READ: a file without tables stays so, and an older version is
 * refused if this user may not write the file.
 */
gboolean kx_store_check_schema(KxStore *s, KxStoreMode mode, GError **error);

#endif /* KX_STORE_INTERNAL_H */
