// SPDX-License-Identifier: GPL-2.0-or-later
/* This file finds comparisons and experiments, reads them back, and lists them. */
#include "store-internal.h"

#include <string.h>

#include "base/textfmt.h"
#include "writer.h"

/* --- by ID -------------------------------------------------------------------------------------------------------- */

/* TRUE: @start can be the beginning of an ID, because it has only hexadecimal digits. */
static gboolean is_id(const char *start)
{
	return *start && strlen(start) <= 32 && strspn(start, "0123456789abcdef") == strlen(start);
}

char *kx_store_find(KxStore *s, const char *start, GError **error)
{
	g_autofree char *lower = g_ascii_strdown(start, -1);
	g_autoptr(sqlite3_stmt) q = NULL;
	g_autofree char *id = NULL;
	int rc;

	if (is_id(lower)) {
		q = kx_store_prepare(s,
				     "SELECT id FROM comparison WHERE id >= ?1 AND "
				     "id < ?1 || 'g' LIMIT 2",
				     error);
		if (!q)
			return NULL;
		sqlite3_bind_text(q, 1, lower, -1, SQLITE_TRANSIENT);
		rc = sqlite3_step(q);
		if (rc == SQLITE_ROW) {
			id = g_strdup((const char *)sqlite3_column_text(q, 0));
			rc = sqlite3_step(q);
		}
		if (rc == SQLITE_ROW) {
			g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_AMBIGUOUS,
				    "several comparisons have an ID that begins with %s", lower);
			return NULL;
		}
		if (rc != SQLITE_DONE) {
			kx_store_fail(s, "reading the history", error);
			return NULL;
		}
	}
	if (!id)
		g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_NONE,
			    "there is no comparison %s (kvm-ext history shows what there is)",
			    start);
	return g_steal_pointer(&id);
}

/* A column's text; "" for NULL, which a file that others made may contain. */
static const char *text_of(sqlite3_stmt *q, int column)
{
	const char *text = (const char *)sqlite3_column_text(q, column);

	return text ? text : "";
}

/* --- a comparison ------------------------------------------------------------------------------------------------- */

static gboolean damaged(const KxStore *s, const char *id, const GError *why, GError **error)
{
	g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_FAILED,
		    "%s: comparison %s cannot be read: %s", s->path, id,
		    why ? why->message : "no reason is given");
	return FALSE;
}

/* The state, from four columns: writer_pid, which is column @first, writer_started, writer_boot and stopped. */
static KxStoredState state_of(sqlite3_stmt *q, int first)
{
	gint64 pid = sqlite3_column_int64(q, first);

	if (pid)
		return kx_writer_lives(pid, sqlite3_column_int64(q, first + 1),
				       (const char *)sqlite3_column_text(q, first + 2))
			       ? KX_STORED_RUNNING
			       : KX_STORED_KILLED;
	return sqlite3_column_type(q, first + 3) == SQLITE_NULL ? KX_STORED_WHOLE
								: KX_STORED_ENDED_EARLY;
}

const char *kx_stored_kind_name(KxStoredKind kind)
{
	return kind == KX_STORED_EXPERIMENT ? "experiment" : "comparison";
}

gboolean kx_store_kind(KxStore *s, const char *id, KxStoredKind *kind, GError **error)
{
	g_autoptr(sqlite3_stmt) q =
		kx_store_prepare(s, "SELECT kind FROM comparison WHERE id = ?", error);
	int rc;

	if (!q)
		return FALSE;
	sqlite3_bind_text(q, 1, id, -1, SQLITE_TRANSIENT);
	rc = sqlite3_step(q);
	if (rc == SQLITE_ROW) {
		*kind = sqlite3_column_int64(q, 0) ? KX_STORED_EXPERIMENT : KX_STORED_COMPARISON;
		return TRUE;
	}
	if (rc != SQLITE_DONE)
		return kx_store_fail(s, "reading the history", error);
	g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_NONE,
		    "%s has no comparison %s (any more)", s->path, id);
	return FALSE;
}

static gboolean is_kind(KxStore *s, const char *id, KxStoredKind kind, GError **error)
{
	KxStoredKind found;

	if (!kx_store_kind(s, id, &found, error))
		return FALSE;
	if (found == kind)
		return TRUE;
	g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_KIND,
		    "%s is %s %s, and %s %s is wanted (kvm-ext show %s shows it)", id,
		    kind == KX_STORED_EXPERIMENT ? "a" : "an", kx_stored_kind_name(found),
		    kind == KX_STORED_EXPERIMENT ? "an" : "a", kx_stored_kind_name(kind), id);
	return FALSE;
}

/* How the two kinds are read: functions that read a head, and a round. */
typedef struct {
	KxStoredKind kind;
	void *(*read)(const char *json, GError **error);
	gboolean (*take)(void *what, const char *json, GError **error);
	GDestroyNotify free;
} Reader;

static void *load_head(KxStore *s, const Reader *r, const char *id, KxStoredState *state,
		       GError **error)
{
	g_autoptr(sqlite3_stmt) q =
		kx_store_prepare(s,
				 "SELECT head, writer_pid, writer_started, writer_boot, stopped "
				 "FROM comparison WHERE id = ?",
				 error);
	g_autoptr(GError) why = NULL;
	void *what;

	if (!q)
		return NULL;
	sqlite3_bind_text(q, 1, id, -1, SQLITE_TRANSIENT);
	if (sqlite3_step(q) != SQLITE_ROW) {
		kx_store_fail(s, "reading the history", error);
		return NULL;
	}
	what = r->read(text_of(q, 0), &why);
	if (!what)
		damaged(s, id, why, error);
	else if (state)
		*state = state_of(q, 1);
	return what;
}

static gboolean load_rounds(KxStore *s, const Reader *r, void *what, const char *id, GError **error)
{
	g_autoptr(sqlite3_stmt) q =
		kx_store_prepare(s,
				 "SELECT number, windows FROM round WHERE comparison = ? "
				 "ORDER BY number",
				 error);
	int rc;

	if (!q)
		return FALSE;
	sqlite3_bind_text(q, 1, id, -1, SQLITE_TRANSIENT);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		g_autoptr(GError) why = NULL;

		if (!r->take(what, text_of(q, 1), &why))
			return damaged(s, id, why, error);
	}
	return rc == SQLITE_DONE || kx_store_fail(s, "reading the history", error);
}

/* Reads head and rounds in one transaction, because another process may be writing the next round. */
static void *load(KxStore *s, const Reader *r, const char *id, KxStoredState *state, GError **error)
{
	void *what = NULL;
	gboolean ok;

	if (sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK) {
		kx_store_fail(s, "reading the history", error);
		return NULL;
	}
	if (is_kind(s, id, r->kind, error))
		what = load_head(s, r, id, state, error);
	ok = what && load_rounds(s, r, what, id, error);
	sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	if (ok)
		return what;
	if (what)
		r->free(what);
	return NULL;
}

static void *read_comparison(const char *json, GError **error)
{
	return kx_comparison_from_json(json, error);
}

static gboolean take_of_comparison(void *what, const char *json, GError **error)
{
	return kx_comparison_take_round(what, json, error);
}

static void free_comparison(void *what)
{
	kx_comparison_free(what);
}

KxComparison *kx_store_load(KxStore *s, const char *id, KxStoredState *state, GError **error)
{
	static const Reader reader = { KX_STORED_COMPARISON, read_comparison, take_of_comparison,
				       free_comparison };
	KxComparison *c = load(s, &reader, id, state, error);

	if (!c)
		return NULL;
	/* Later rounds are saved to the row from which the comparison was read. */
	g_free(c->id);
	c->id = g_strdup(id);
	return c;
}

static void *read_experiment(const char *json, GError **error)
{
	return kx_experiment_from_json(json, error);
}

static gboolean take_of_experiment(void *what, const char *json, GError **error)
{
	return kx_experiment_take_round(what, json, error);
}

static void free_experiment(void *what)
{
	kx_experiment_free(what);
}

KxExperiment *kx_store_load_experiment(KxStore *s, const char *id, KxStoredState *state,
				       GError **error)
{
	static const Reader reader = { KX_STORED_EXPERIMENT, read_experiment, take_of_experiment,
				       free_experiment };
	KxExperiment *e = load(s, &reader, id, state, error);

	if (!e)
		return NULL;
	g_free(e->id);
	e->id = g_strdup(id);
	return e;
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

const char *kx_stored_state_name(KxStoredState state)
{
	static const char *const names[] = {
		[KX_STORED_WHOLE] = "whole",
		[KX_STORED_RUNNING] = "running",
		[KX_STORED_ENDED_EARLY] = "ended early",
		[KX_STORED_KILLED] = "killed",
	};

	return names[state];
}

void kx_stored_free(KxStored *e)
{
	if (!e)
		return;
	g_free(e->id);
	g_free(e->name);
	g_strfreev(e->settings);
	g_free(e->command);
	g_free(e->kernel);
	g_free(e->hardware);
	g_free(e->stopped);
	g_strfreev(e->vms);
	g_free(e);
}

/* The columns of the list, in the order of the query. */
enum {
	ID,
	STARTED,
	SAVED,
	WRITER, /* the first of the columns that state_of() reads */
	STOPPED = WRITER + 3,
	ASKED,
	WHOLE,
	SEED,
	SETTINGS,
	COMMAND,
	KERNEL,
	HARDWARE,
	KIND,
	NAME,
	VMS
};

static const char list_sql[] =
	"SELECT id, started_ns, saved_ns, writer_pid, writer_started, writer_boot, stopped, "
	"asked, whole, seed, settings, command, kernel, hardware, kind, name, "
	"(SELECT group_concat(name, char(10)) FROM "
	"(SELECT name FROM vm WHERE comparison = id ORDER BY position)) FROM comparison "
	"WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM vm WHERE comparison = id AND (name = ?1 OR uuid "
	"= ?1)) "
	"ORDER BY started_ns DESC, id LIMIT ?2";

static char *text_at(sqlite3_stmt *q, int column)
{
	const char *text = (const char *)sqlite3_column_text(q, column);

	return text ? kx_text_clean(text) : NULL;
}

/* The lines of a text. */
static char **texts_at(sqlite3_stmt *q, int column)
{
	const char *text = (const char *)sqlite3_column_text(q, column);
	char **texts = g_strsplit(text ? text : "", "\n", -1);

	for (char **t = texts; *t; t++) {
		char *clean = kx_text_clean(*t);

		g_free(*t);
		*t = clean;
	}
	return texts;
}

static KxStored *entry_of(const KxStore *s, sqlite3_stmt *q)
{
	KxStored *e = g_new0(KxStored, 1);

	e->directory = s->directory;
	e->id = text_at(q, ID);
	e->start_realtime_ns = sqlite3_column_int64(q, STARTED);
	e->saved_realtime_ns = sqlite3_column_int64(q, SAVED);
	e->asked = (guint)sqlite3_column_int64(q, ASKED);
	e->whole = (guint)sqlite3_column_int64(q, WHOLE);
	e->stopped = text_at(q, STOPPED);
	e->seed = (guint64)sqlite3_column_int64(q, SEED);
	e->settings = texts_at(q, SETTINGS);
	e->command = text_at(q, COMMAND);
	e->kernel = text_at(q, KERNEL);
	e->hardware = text_at(q, HARDWARE);
	e->kind = sqlite3_column_int64(q, KIND) ? KX_STORED_EXPERIMENT : KX_STORED_COMPARISON;
	e->name = text_at(q, NAME);
	e->vms = texts_at(q, VMS);
	e->state = state_of(q, WRITER);
	return e;
}

GPtrArray *kx_store_list(KxStore *s, const char *domain, guint limit, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)kx_stored_free);
	g_autoptr(sqlite3_stmt) q = kx_store_prepare(s, list_sql, error);
	int rc;

	if (!q)
		return NULL;
	sqlite3_bind_text(q, 1, domain, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(q, 2, limit ? (gint64)limit : -1);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		g_ptr_array_add(list, entry_of(s, q));
	if (rc == SQLITE_DONE)
		return g_steal_pointer(&list);
	kx_store_fail(s, "reading the history", error);
	return NULL;
}
