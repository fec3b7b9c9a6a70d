// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tables of the store and their versions. To change the tables, add a step at the end of steps[]; do not change a step that
 * was ever released. Step n leads from version n to version n + 1; version 0 is a new, empty file.
 */
#include "store-internal.h"

/* "KVMX" distinguishes our files from other SQLite files (sqlite.org, magic.txt). */
#define APPLICATION_ID 0x4b564d58

static const char *const steps[] = {
	/*
	 * writer_*: the process that measures the comparison; NULL: none. boot and started identify the process beyond its number.
	 * settings: labels, one a line. head, windows: parts of a comparison's JSON. Rounds from whole on are not complete: an interrupt ended them.
	 */
	"CREATE TABLE comparison ("
	"  id TEXT PRIMARY KEY NOT NULL,"
	"  started_ns INTEGER NOT NULL,"
	"  saved_ns INTEGER NOT NULL,"
	"  writer_pid INTEGER, writer_started INTEGER, writer_boot TEXT,"
	"  asked INTEGER NOT NULL,"
	"  whole INTEGER NOT NULL,"
	"  stopped TEXT,"
	"  seed INTEGER NOT NULL,"
	"  settings TEXT NOT NULL,"
	"  command TEXT,"
	"  kernel TEXT,"
	"  hardware TEXT,"
	"  head TEXT NOT NULL"
	") WITHOUT ROWID;"
	"CREATE INDEX comparison_started ON comparison (started_ns);"
	"CREATE TABLE vm ("
	"  comparison TEXT NOT NULL REFERENCES comparison ON DELETE CASCADE,"
	"  position INTEGER NOT NULL,"
	"  name TEXT NOT NULL,"
	"  uuid TEXT,"
	"  PRIMARY KEY (comparison, position)"
	") WITHOUT ROWID;"
	"CREATE INDEX vm_name ON vm (name);"
	"CREATE TABLE round ("
	"  comparison TEXT NOT NULL REFERENCES comparison ON DELETE CASCADE,"
	"  number INTEGER NOT NULL,"
	"  windows TEXT NOT NULL,"
	"  PRIMARY KEY (comparison, number)"
	");",
	/*
	 * kind: KxStoredKind. name: an experiment's; NULL: a comparison has none. head and windows of an experiment are parts of an experiment's
	 * JSON (experiment/experiment.h), and it has no rows in vm: its VMs are gone.
	 */
	"ALTER TABLE comparison ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE comparison ADD COLUMN name TEXT;",
};

/* Reads the number that the PRAGMA or SELECT @sql returns. */
static gboolean number(KxStore *s, const char *sql, gint64 *value, GError **error)
{
	g_autoptr(sqlite3_stmt) q = kx_store_prepare(s, sql, error);

	if (!q)
		return FALSE;
	if (sqlite3_step(q) != SQLITE_ROW)
		return kx_store_fail(s, "reading the history", error);
	*value = sqlite3_column_int64(q, 0);
	return TRUE;
}

typedef struct {
	gint64 version, application, tables;
} Found;

static gboolean look(KxStore *s, Found *f, GError **error)
{
	return number(s, "PRAGMA user_version", &f->version, error) &&
	       number(s, "PRAGMA application_id", &f->application, error) &&
	       number(s, "SELECT count(*) FROM sqlite_schema", &f->tables, error);
}

static gboolean refuse(const KxStore *s, GError **error, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
static gboolean refuse(const KxStore *s, GError **error, const char *format, ...)
{
	va_list args;
	g_autofree char *why = NULL;

	va_start(args, format);
	why = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_FOREIGN, "%s %s", s->path, why);
	return FALSE;
}

static gboolean is_ours(const KxStore *s, const Found *f, GError **error)
{
	if (!f->version && !f->application && !f->tables)
		return TRUE; /* new */
	if (f->application != APPLICATION_ID || f->version < 1)
		return refuse(
			s, error,
			"is a database of another program: it is left as it is; move it away, "
			"or set KVM_EXT_STATE_DIR");
	if (f->version > (gint64)G_N_ELEMENTS(steps))
		return refuse(s, error,
			      "was written by a newer kvm-ext (version %" G_GINT64_FORMAT
			      " of its tables; this program knows %u): it is left as it is",
			      f->version, (guint)G_N_ELEMENTS(steps));
	return TRUE;
}

static gboolean run_steps(KxStore *s, gint64 version, GError **error)
{
	g_autofree char *stamp =
		g_strdup_printf("PRAGMA application_id = %d; PRAGMA user_version = %u",
				APPLICATION_ID, (guint)G_N_ELEMENTS(steps));

	for (gsize i = (gsize)version; i < G_N_ELEMENTS(steps); i++) {
		if (sqlite3_exec(s->db, steps[i], NULL, NULL, NULL) != SQLITE_OK)
			return kx_store_fail(s, "making the tables of the history", error);
	}
	if (sqlite3_exec(s->db, stamp, NULL, NULL, NULL) != SQLITE_OK)
		return kx_store_fail(s, "making the tables of the history", error);
	return TRUE;
}

/* Looks at the file again within the transaction, because another process may do the same at this moment. */
static gboolean bring_up_to_date(KxStore *s, GError **error)
{
	Found f;
	gboolean ok;

	if (!kx_store_begin(s, error))
		return FALSE;
	ok = look(s, &f, error) && is_ours(s, &f, error) && run_steps(s, f.version, error);
	return kx_store_end(s, ok, error);
}

gboolean kx_store_check_schema(KxStore *s, KxStoreMode mode, GError **error)
{
	Found f;

	if (!look(s, &f, error) || !is_ours(s, &f, error))
		return FALSE;
	if (f.version == (gint64)G_N_ELEMENTS(steps))
		return TRUE;
	if (!f.version && mode == KX_STORE_READ) {
		g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_NONE, "%s is empty", s->path);
		return FALSE;
	}
	if (mode == KX_STORE_WRITE || sqlite3_db_readonly(s->db, "main") == 0)
		return bring_up_to_date(s, error);
	return refuse(
		s, error,
		"was written by an older kvm-ext: its owner's next 'kvm-ext history' brings it "
		"up to date");
}
