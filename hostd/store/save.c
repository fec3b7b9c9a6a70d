// SPDX-License-Identifier: GPL-2.0-or-later
/* This file writes comparisons and experiments, and decides who may write them. */
#include "store-internal.h"

#include <sys/random.h>

#define TRIES 16

/* A comparison or an experiment, as it is written. */
typedef struct {
	KxStoredKind kind;
	char **id;
	const char *name, *stopped, *command;
	const KxReport *host;
	gint64 started_ns;
	guint64 seed;
	guint asked, whole, rounds; /* rounds: begun */
	const GPtrArray *settings;
	const GPtrArray *vms; /* NULL: none to be found by */
	const void *what;
	char *(*head)(const void *what);
	char *(*round)(const void *what, guint round);
} Kept;

/*
 * An ID has eight hexadecimal digits: it is short enough to be typed, and differs between the stores of several users. The
 * number comes from the kernel, because the state of a generator of our own would be the same in a forked process.
 */
static char *draw_id(void)
{
	guint32 drawn;

	if (getrandom(&drawn, sizeof(drawn), 0) != sizeof(drawn))
		drawn = g_random_int();
	return g_strdup_printf("%08x", drawn);
}

static char *labels_of(const GPtrArray *settings)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < settings->len; i++) {
		const KxComparedSetting *s = settings->pdata[i];

		if (!s->left_out)
			g_string_append_printf(text, "%s%s", text->len ? "\n" : "", s->label);
	}
	return g_string_free(text, FALSE);
}

static gint64 now_ns(void)
{
	return g_get_real_time() * 1000;
}

static gboolean no_such(const KxStore *s, const char *id, GError **error)
{
	g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_NONE,
		    "%s has no comparison %s (any more)", s->path, id);
	return FALSE;
}

/* --- who measures it ---------------------------------------------------------------------------------------------- */

static void read_writer(sqlite3_stmt *q, KxWriter *w)
{
	*w = (KxWriter){ sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1),
			 g_strdup((const char *)sqlite3_column_text(q, 2)) };
}

/* FALSE: there is no such comparison, or another process measures it. @before: who does, or did; @whole: its end was written (nullable). */
static gboolean is_free(KxStore *s, const char *id, gboolean *ours, KxWriter *before,
			gboolean *whole, GError **error)
{
	g_autoptr(sqlite3_stmt) q =
		kx_store_prepare(s,
				 "SELECT writer_pid, writer_started, writer_boot, stopped "
				 "FROM comparison WHERE id = ?",
				 error);
	KxWriter self, writer;
	gboolean lives;
	int rc;

	if (!q)
		return FALSE;
	sqlite3_bind_text(q, 1, id, -1, SQLITE_TRANSIENT);
	rc = sqlite3_step(q);
	if (rc == SQLITE_DONE)
		return no_such(s, id, error);
	if (rc != SQLITE_ROW)
		return kx_store_fail(s, "reading the history", error);
	kx_writer_self(&self);
	read_writer(q, &writer);
	if (whole)
		*whole = !writer.pid && sqlite3_column_type(q, 3) == SQLITE_NULL;
	*ours = writer.pid == self.pid && writer.started == self.started;
	kx_writer_clear(&self);
	lives = !*ours && kx_writer_lives(writer.pid, writer.started, writer.boot);
	if (lives)
		g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_BUSY,
			    "comparison %s is being measured by process %" G_GINT64_FORMAT, id,
			    writer.pid);
	if (before && !lives)
		*before = writer;
	else
		kx_writer_clear(&writer);
	return !lives;
}

static void forget_claim(KxStore *s)
{
	g_clear_pointer(&s->claimed, g_free);
	kx_writer_clear(&s->before);
}

static gboolean set_writer(KxStore *s, const char *id, GError **error)
{
	KxWriter self;
	gboolean ok;

	kx_writer_self(&self);
	ok = kx_store_run(s, error,
			  "UPDATE comparison SET writer_pid = ?, writer_started = ?, "
			  "writer_boot = ? WHERE id = ?",
			  "iiss", self.pid, self.started, self.boot, id);
	kx_writer_clear(&self);
	return ok;
}

gboolean kx_store_claim(KxStore *s, const char *id, GError **error)
{
	KxWriter before = { 0 };
	gboolean ours = FALSE, whole = FALSE, ok;

	if (!kx_store_begin(s, error))
		return FALSE;
	ok = is_free(s, id, &ours, &before, &whole, error);
	if (ok && whole)
		g_set_error(error, KX_STORE_ERROR, KX_STORE_ERROR_WHOLE,
			    "comparison %s is whole: there is nothing left to measure", id);
	ok = ok && !whole && set_writer(s, id, error);
	ok = kx_store_end(s, ok, error);
	/* Claimed again, it is as it was before the first time. */
	if (ok && !ours) {
		forget_claim(s);
		s->claimed = g_strdup(id);
		s->before = before;
	} else {
		kx_writer_clear(&before);
	}
	return ok;
}

/* A comparison that was begun and is left: a writer that does not live says that it did not end. */
static gboolean leave(KxStore *s, const char *id, GError **error)
{
	return kx_store_run(
		s, error,
		"UPDATE comparison SET writer_pid = CASE WHEN stopped IS NULL THEN -1 END, "
		"writer_started = NULL, writer_boot = NULL WHERE id = ?",
		"s", id);
}

static gboolean give_back(KxStore *s, const char *id, GError **error)
{
	return kx_store_run(s, error,
			    "UPDATE comparison SET writer_pid = NULLIF(?, 0), "
			    "writer_started = NULLIF(?, 0), writer_boot = ? WHERE id = ?",
			    "iiss", s->before.pid, s->before.started, s->before.boot, id);
}

gboolean kx_store_release(KxStore *s, const char *id, GError **error)
{
	gboolean ours = FALSE, ok, claimed = g_strcmp0(s->claimed, id) == 0;

	if (!kx_store_begin(s, error))
		return FALSE;
	ok = is_free(s, id, &ours, NULL, NULL, error) &&
	     (!ours || (claimed ? give_back(s, id, error) : leave(s, id, error)));
	ok = kx_store_end(s, ok, error);
	if (ok && claimed)
		forget_claim(s);
	return ok;
}

gboolean kx_store_delete(KxStore *s, const char *id, GError **error)
{
	gboolean ours, ok;

	if (!kx_store_begin(s, error))
		return FALSE;
	ok = is_free(s, id, &ours, NULL, NULL, error) &&
	     kx_store_run(s, error, "DELETE FROM comparison WHERE id = ?", "s", id);
	return kx_store_end(s, ok, error);
}

/* --- saving ------------------------------------------------------------------------------------------------------- */

/* Adds the rows of a new comparison, which write_head() then fills in. */
static gboolean insert(KxStore *s, const Kept *k, GError **error)
{
	const char *id = *k->id;
	gboolean ok =
		kx_store_run(s, error,
			     "INSERT INTO comparison (id, kind, name, started_ns, saved_ns, asked, "
			     "whole, seed, settings, head) VALUES (?, ?, ?, 0, 0, 0, 0, 0, '', '')",
			     "sis", id, (gint64)k->kind, k->name) &&
		set_writer(s, id, error);

	for (guint i = 0; ok && k->vms && i < k->vms->len; i++) {
		const KxComparedVm *v = k->vms->pdata[i];

		ok = kx_store_run(s, error,
				  "INSERT INTO vm (comparison, position, name, uuid) "
				  "VALUES (?, ?, ?, ?)",
				  "siss", id, (gint64)i, v->name, v->uuid);
	}
	return ok;
}

/* A comparison that was deleted meanwhile is not added again, because its earlier rounds are gone. */
static gboolean write_head(KxStore *s, const Kept *k, KxStoreStep step, GError **error)
{
	g_autofree char *labels = labels_of(k->settings), *head = k->head(k->what);

	if (!kx_store_run(
		    s, error,
		    "UPDATE comparison SET started_ns = ?, saved_ns = ?, asked = ?, whole = ?, "
		    "stopped = ?, seed = ?, settings = ?, command = ?, kernel = ?, "
		    "hardware = ?, head = ? WHERE id = ?",
		    "iiiisissssss", k->started_ns, now_ns(), (gint64)k->asked, (gint64)k->whole,
		    k->stopped, (gint64)k->seed, labels, k->command, k->host->kernel,
		    k->host->hardware, head, *k->id))
		return FALSE;
	if (sqlite3_changes(s->db) != 1)
		return no_such(s, *k->id, error);
	return step == KX_STORE_GOES_ON ||
	       kx_store_run(s, error,
			    "UPDATE comparison SET writer_pid = NULL, writer_started = NULL, "
			    "writer_boot = NULL WHERE id = ?",
			    "s", *k->id);
}

/* Deletes rounds from @end on: an interrupt ended such a round before it was whole, and the round is run again. */
static gboolean write_rounds(KxStore *s, const Kept *k, guint from, guint end, GError **error)
{
	for (guint round = from; round < end; round++) {
		g_autofree char *windows = k->round(k->what, round);

		if (!kx_store_run(s, error,
				  "INSERT OR REPLACE INTO round (comparison, number, windows) "
				  "VALUES (?, ?, ?)",
				  "sis", *k->id, (gint64)round, windows))
			return FALSE;
	}
	return kx_store_run(s, error, "DELETE FROM round WHERE comparison = ? AND number >= ?",
			    "si", *k->id, (gint64)end);
}

static gboolean has_id(KxStore *s, const char *id)
{
	g_autoptr(sqlite3_stmt) q =
		kx_store_prepare(s, "SELECT 1 FROM comparison WHERE id = ?", NULL);

	if (!q)
		return FALSE;
	sqlite3_bind_text(q, 1, id, -1, SQLITE_TRANSIENT);
	return sqlite3_step(q) == SQLITE_ROW;
}

static gboolean save(KxStore *s, const Kept *k, guint from, KxStoreStep step, GError **error)
{
	gboolean is_new = !*k->id;
	guint end = step == KX_STORE_ENDS ? k->rounds : k->whole;

	for (guint i = 0; is_new && (!*k->id || (i < TRIES && has_id(s, *k->id))); i++) {
		g_free(*k->id);
		*k->id = draw_id();
	}
	return (!is_new || insert(s, k, error)) && write_head(s, k, step, error) &&
	       write_rounds(s, k, is_new ? 0 : from, end, error);
}

static gboolean keep(KxStore *s, const Kept *k, guint from, KxStoreStep step, GError **error)
{
	gboolean is_new = !*k->id;

	if (!kx_store_begin(s, error))
		return FALSE;
	if (kx_store_end(s, save(s, k, from, step, error), error)) {
		/* It is not any more what it was before the claim. */
		if (g_strcmp0(s->claimed, *k->id) == 0)
			forget_claim(s);
		return TRUE;
	}
	if (is_new)
		g_clear_pointer(k->id, g_free);
	return FALSE;
}

static char *head_of_comparison(const void *c)
{
	return kx_comparison_head_to_json(c);
}

static char *round_of_comparison(const void *c, guint round)
{
	return kx_comparison_round_to_json(c, round);
}

gboolean kx_store_save(KxStore *s, KxComparison *c, guint from, KxStoreStep step, GError **error)
{
	return keep(s,
		    &(Kept){ .kind = KX_STORED_COMPARISON,
			     .id = &c->id,
			     .stopped = c->stopped,
			     .command = c->command,
			     .host = c->host,
			     .started_ns = c->start_realtime_ns,
			     .seed = c->seed,
			     .asked = c->asked.rounds,
			     .whole = c->whole,
			     .rounds = c->rounds,
			     .settings = c->settings,
			     .vms = c->vms,
			     .what = c,
			     .head = head_of_comparison,
			     .round = round_of_comparison },
		    from, step, error);
}

static char *head_of_experiment(const void *e)
{
	return kx_experiment_head_to_json(e);
}

static char *round_of_experiment(const void *e, guint round)
{
	return kx_experiment_round_to_json(e, round);
}

gboolean kx_store_save_experiment(KxStore *s, KxExperiment *e, guint from, KxStoreStep step,
				  GError **error)
{
	/* All points have the same host and the same settings. */
	const KxComparison *first = ((const KxExperimentPoint *)e->points->pdata[0])->c;

	return keep(s,
		    &(Kept){ .kind = KX_STORED_EXPERIMENT,
			     .id = &e->id,
			     .name = e->name,
			     .stopped = e->stopped,
			     .command = e->command,
			     .host = first->host,
			     .started_ns = e->start_realtime_ns,
			     .seed = e->seed,
			     .asked = e->rounds,
			     .whole = kx_experiment_whole(e),
			     .rounds = kx_experiment_begun(e),
			     .settings = first->settings,
			     .what = e,
			     .head = head_of_experiment,
			     .round = round_of_experiment },
		    from, step, error);
}
