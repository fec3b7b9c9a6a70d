/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reader of the workload's log. A line is collected and split at spaces; its first word selects a function from a table. An
 * epoch is kept until the next one begins (its touch lines may come in any order), is then joined with every window that it
 * overlaps, and is forgotten.
 */
#include "worklog-internal.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

#define LINE_MAX_BYTES	(64u << 20)  /* the longest possible page list of a guest with 16 GiB */
#define CHUNK_BUDGET	(128u << 10) /* 512 MiB of bitmaps, for all windows together */
#define GFN_LIMIT	(1ull << 40)
#define OPEN_EPOCHS_MAX 16u
#define FIELDS_MAX	64

KxWorklog *kx_worklog_new(void)
{
	KxWorklog *log = g_new0(KxWorklog, 1);

	log->budget = CHUNK_BUDGET;
	log->joins = g_ptr_array_new_with_free_func((GDestroyNotify)kx_join_free);
	log->pauses = g_array_new(FALSE, FALSE, sizeof(KxPause));
	log->epochs = g_ptr_array_new_with_free_func((GDestroyNotify)kx_epoch_free);
	log->arena = kx_gfnset_new_shared(&log->budget);
	log->line = g_string_new(NULL);
	return log;
}

void kx_worklog_free(KxWorklog *log)
{
	if (!log)
		return;
	g_ptr_array_unref(log->joins);
	g_array_unref(log->pauses);
	g_ptr_array_unref(log->epochs);
	kx_gfnset_free(log->arena);
	g_string_free(log->line, TRUE);
	g_free(log->clock_na);
	g_free(log);
}

static gboolean too_many_pages(GError **error)
{
	g_set_error_literal(
		error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
		"the workload log and the windows it is joined with hold more scattered "
		"pages than fit 512 MiB; report fewer windows at once");
	return FALSE;
}

gboolean kx_worklog_add_window(KxWorklog *log, KxWindow *window, const guint64 (*found)[2], gsize n,
			       const char *no_found, GError **error)
{
	KxJoin *j = kx_join_new(window, no_found, &log->budget);

	if (window->pauses)
		g_array_append_vals(log->pauses, window->pauses->data, window->pauses->len);
	j->pauses_lost = window->pauses_total > (window->pauses ? window->pauses->len : 0);
	g_ptr_array_add(log->joins, j);
	for (gsize i = 0; i < n; i++) {
		if (!kx_gfnset_add(j->found, found[i][0], found[i][1]))
			return too_many_pages(error);
	}
	return TRUE;
}

/* --- work and epochs against the windows ----------------------------------- */

/* Divides the work done since the last point among the windows. */
static void share_work(KxWorklog *log, gint64 to, guint64 work)
{
	for (guint i = 0; i < log->joins->len; i++)
		kx_join_work(log->joins->pdata[i], log->pauses, log->point_time, to, work);
}

/* A clock may be set back: a point that is earlier than the last one is ignored. */
static void add_point(KxWorklog *log, gint64 time, guint64 work)
{
	log->last_time = time;
	if (log->has_point && (time <= log->point_time || work < log->point_work))
		return;
	if (log->has_point && log->running)
		share_work(log, time, work - log->point_work);
	log->has_point = TRUE;
	log->point_time = time;
	log->point_work = work;
}

static gboolean join_epoch(KxWorklog *log, const KxEpoch *e, GError **error)
{
	for (guint i = 0; i < log->joins->len; i++) {
		if (!kx_join_epoch(log->joins->pdata[i], e, log->slack))
			return too_many_pages(error);
	}
	return TRUE;
}

static gboolean join_epochs(KxWorklog *log, gboolean open_too, GError **error)
{
	for (guint i = 0; i < log->epochs->len;) {
		const KxEpoch *e = log->epochs->pdata[i];

		if (!e->ended && !open_too) {
			i++;
			continue;
		}
		if (!join_epoch(log, e, error))
			return FALSE;
		g_ptr_array_remove_index(log->epochs, i);
	}
	return TRUE;
}

/* --- lines ----------------------------------------------------------------- */

static gboolean malformed(KxWorklog *log, GError **error, const char *what)
{
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
		    "line %" G_GUINT64_FORMAT " of the workload log is malformed: %s",
		    log->line_number, what);
	return FALSE;
}

static gboolean parse_count(const char *text, guint64 *value)
{
	return text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, value, NULL);
}

static gboolean parse_time(const char *text, gint64 *value)
{
	guint64 u;

	if (!text || !g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, &u, NULL))
		return FALSE;
	*value = (gint64)u;
	return TRUE;
}

/* The value of key=value among the fields; NULL if it is not there. */
static const char *value_of(char **fields, const char *key)
{
	gsize len = strlen(key);

	for (; *fields; fields++) {
		if (!strncmp(*fields, key, len) && (*fields)[len] == '=')
			return *fields + len + 1;
	}
	return NULL;
}

/* "gfn+count,gfn+count": hexadecimal frame number, decimal count. */
static gboolean parse_pages(KxWorklog *log, const char *text, KxGfnSet *set, GError **error)
{
	while (text && *text) {
		guint64 gfn, n;
		char *end;

		if (!g_ascii_isxdigit(*text))
			return malformed(log, error, "a page list is hexadecimal gfn+count, ...");
		errno = 0;
		gfn = g_ascii_strtoull(text, &end, 16);
		if (errno || *end != '+' || !g_ascii_isdigit(end[1]))
			return malformed(log, error, "a page list is hexadecimal gfn+count, ...");
		n = g_ascii_strtoull(end + 1, &end, 10);
		if (errno || (*end && *end != ',') || !n || gfn >= GFN_LIMIT || n > GFN_LIMIT - gfn)
			return malformed(log, error, "a run of pages is out of range");
		if (!kx_gfnset_add(set, gfn, n))
			return too_many_pages(error);
		text = *end ? end + 1 : end;
	}
	return TRUE;
}

static KxEpoch *find_epoch(KxWorklog *log, const char *number)
{
	guint64 k;

	if (!parse_count(number, &k))
		return NULL;
	for (guint i = 0; i < log->epochs->len; i++) {
		KxEpoch *e = log->epochs->pdata[i];

		if (e->number == k)
			return e;
	}
	return NULL;
}

/* The log of a workload that never writes has no write lines. */
static gboolean only_reads(const char *read_share)
{
	return read_share && g_ascii_strtod(read_share, NULL) == 1;
}

static gboolean line_header(KxWorklog *log, char **f, GError **error)
{
	if (g_strcmp0(f[1], "1") != 0)
		return malformed(log, error,
				 "its format version is not 1, the one this version reads");
	log->has_header = TRUE;
	log->frames = g_strcmp0(value_of(f, "addr"), "gfn") == 0;
	log->writes = only_reads(value_of(f, "read_share"));
	return TRUE;
}

static gboolean line_arena(KxWorklog *log, char **f, GError **error)
{
	return parse_pages(log, f[1], log->arena, error);
}

/* The frames in earlier arena lines no longer belong to the workload; new arena lines follow. */
static gboolean line_moved(KxWorklog *log, char **f, GError **error)
{
	if (!parse_time(f[1], &log->moved))
		return malformed(log, error, "'moved' needs a time");
	log->has_moved = TRUE;
	kx_gfnset_free(log->arena);
	log->arena = kx_gfnset_new_shared(&log->budget);
	return TRUE;
}

static gboolean line_ready(KxWorklog *log, char **f, GError **error)
{
	if (!parse_time(f[1], &log->ready))
		return malformed(log, error, "'ready' needs a time");
	log->has_ready = TRUE;
	add_point(log, log->ready, 0);
	return TRUE;
}

static gboolean line_work(KxWorklog *log, char **f, GError **error)
{
	guint64 work;
	gint64 time;

	if (!parse_time(f[1], &time) || !parse_count(f[2], &work))
		return malformed(log, error, "'work' needs a time and a count");
	add_point(log, time, work);
	return TRUE;
}

static gboolean epoch_begin(KxWorklog *log, char **f, gint64 time, GError **error)
{
	KxEpoch *e;

	if (!join_epochs(log, FALSE, error))
		return FALSE;
	if (log->epochs->len >= OPEN_EPOCHS_MAX || find_epoch(log, f[1])) {
		log->gaps = TRUE;
		return TRUE;
	}
	e = kx_epoch_new(&log->budget);
	e->begin = time;
	g_ptr_array_add(log->epochs, e);
	if (!parse_count(f[1], &e->number))
		return malformed(log, error, "an epoch has no number");
	log->at_rest = FALSE;
	return TRUE;
}

static gboolean epoch_end(KxWorklog *log, char **f, gint64 time, GError **error)
{
	KxEpoch *e = find_epoch(log, f[1]);
	const char *valid = value_of(f, "valid");

	if (!e || e->ended) {
		log->gaps = TRUE;
		return TRUE;
	}
	if (time < e->begin)
		time = e->begin; /* the guest's clock was set back */
	e->end = time;
	e->ended = TRUE;
	e->valid = g_strcmp0(valid, "1") == 0;
	return TRUE;
}

static gboolean line_epoch(KxWorklog *log, char **f, GError **error)
{
	gboolean begin = g_strcmp0(f[1] ? f[2] : NULL, "begin") == 0;
	guint64 work;
	gint64 time;

	if (!f[1] || !f[2] || (!begin && !g_str_equal(f[2], "end")) || !parse_time(f[3], &time) ||
	    !parse_count(value_of(f, "work"), &work))
		return malformed(log, error,
				 "'epoch' needs a number, begin or end, a time and work=");
	add_point(log, time, work);
	log->running = begin;
	return begin ? epoch_begin(log, f, time, error) : epoch_end(log, f, time, error);
}

static gboolean line_touch(KxWorklog *log, char **f, GError **error)
{
	KxEpoch *e = f[1] ? find_epoch(log, f[1]) : NULL;

	if (!e) {
		log->gaps = TRUE;
		return TRUE;
	}
	return parse_pages(log, f[2], e->touched, error);
}

static gboolean line_write(KxWorklog *log, char **f, GError **error)
{
	KxEpoch *e = f[1] ? find_epoch(log, f[1]) : NULL;

	log->writes = TRUE;
	if (!e) {
		log->gaps = TRUE;
		return TRUE;
	}
	return parse_pages(log, f[2], e->written, error);
}

static gboolean line_idle(KxWorklog *log, char **f, GError **error)
{
	gint64 time;

	if (!parse_time(f[1], &time))
		return malformed(log, error, "'idle' needs a time");
	add_point(log, time, log->point_work);
	log->at_rest = TRUE;
	return TRUE;
}

/* The workload says how many lines it could not write in time. */
static gboolean line_log(KxWorklog *log, char **f, GError **error)
{
	guint64 lost;

	if (!parse_count(value_of(f, "lost"), &lost))
		return malformed(log, error, "'log' needs lost=");
	log->gaps |= lost > 0;
	return TRUE;
}

static gboolean line_bye(KxWorklog *log, char **f, GError **error)
{
	guint64 work;
	gint64 time;

	if (!parse_time(f[1], &time) || !parse_count(value_of(f, "work"), &work))
		return malformed(log, error, "'bye' needs a time and work=");
	add_point(log, time, work);
	log->at_rest = TRUE;
	return TRUE;
}

static const struct {
	const char *word;
	gboolean (*parse)(KxWorklog *log, char **fields, GError **error);
} lines[] = {
	{ "kx-workload", line_header }, { "arena", line_arena }, { "ready", line_ready },
	{ "work", line_work },		{ "epoch", line_epoch }, { "touch", line_touch },
	{ "idle", line_idle },		{ "bye", line_bye },	 { "log", line_log },
	{ "moved", line_moved },	{ "write", line_write },
};

static gboolean parse_line(KxWorklog *log, GError **error)
{
	g_auto(GStrv) fields = NULL;

	log->line_number++;
	if (log->line->len != strlen(log->line->str))
		return malformed(log, error, "it holds a zero byte");
	if (log->line->len && log->line->str[log->line->len - 1] == '\r')
		g_string_truncate(log->line, log->line->len - 1); /* from a serial line */
	fields = g_strsplit(log->line->str, " ", FIELDS_MAX);
	if (!log->has_header && g_strcmp0(fields[0], "kx-workload") != 0) {
		g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
			    "this is not a workload log: its first line does not start with "
			    "'kx-workload 1'");
		return FALSE;
	}
	for (guint i = 0; fields[0] && i < G_N_ELEMENTS(lines); i++) {
		if (g_str_equal(lines[i].word, fields[0]))
			return lines[i].parse(log, fields, error);
	}
	return TRUE;
}

gboolean kx_worklog_feed(KxWorklog *log, const char *text, gsize len, GError **error)
{
	while (len) {
		const char *newline = memchr(text, '\n', len);
		gsize n = newline ? (gsize)(newline - text) : len;

		if (log->line->len + n > LINE_MAX_BYTES) {
			log->line_number++;
			return malformed(log, error, "it is longer than 64 MiB");
		}
		g_string_append_len(log->line, text, (gssize)n);
		if (!newline)
			return TRUE;
		if (!parse_line(log, error))
			return FALSE;
		g_string_truncate(log->line, 0);
		text = newline + 1;
		len -= n + 1;
	}
	return TRUE;
}

/* --- results --------------------------------------------------------------- */

static void set_reason(char **reason, const char *text)
{
	g_free(*reason);
	*reason = g_strdup(text);
}

/*
 * For precision, every access of the workload in the window must be known. The log does not contain accesses before the
 * workload was ready (its initialisation touches the whole arena), in an epoch without an end, and after the log's end.
 */
static const char *why_no_precision(const KxWorklog *log, const KxJoin *j)
{
	if (!log->has_ready || j->window->start_realtime_ns < log->ready)
		return "the window begins before the workload was ready";
	if (j->overlaps_unfinished ||
	    (!log->at_rest && log->point_time < j->window->end_realtime_ns))
		return "the workload log ends inside the window";
	return NULL;
}

static const char *why_no_truth(const KxWorklog *log, const KxJoin *j)
{
	if (j->no_found)
		return j->no_found;
	if (!log->frames)
		return "the workload log holds no guest-physical pages";
	if (log->has_moved && j->window->start_realtime_ns < log->moved)
		return "the guest moved the workload's pages after the window began";
	if (log->gaps)
		return "lines of the workload log are missing";
	if (!kx_gfnset_count(log->arena))
		return "the workload log names no arena";
	return NULL;
}

static void fill_window(const KxWorklog *log, KxJoin *j)
{
	KxWindow *w = j->window;

	if (log->clock_na) {
		set_reason(&w->work_na, log->clock_na);
		set_reason(&w->truth_na, log->clock_na);
		set_reason(&w->written_na, log->clock_na);
		return;
	}
	kx_join_fill_work(j);
	if (why_no_truth(log, j)) {
		set_reason(&w->truth_na, why_no_truth(log, j));
		set_reason(&w->written_na, why_no_truth(log, j));
		return;
	}
	g_clear_pointer(&w->truth_na, g_free);
	set_reason(&w->written_na,
		   log->writes ? NULL : "the workload log does not say which pages were written");
	set_reason(&w->precision_na, why_no_precision(log, j));
	kx_join_fill_truth(j, log->arena);
}

gboolean kx_worklog_finish(KxWorklog *log, GError **error)
{
	if (!log->has_header) {
		g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
				    "this is not a workload log: it holds no complete line");
		return FALSE;
	}
	if (!join_epochs(log, TRUE, error))
		return FALSE;
	for (guint i = 0; i < log->joins->len; i++)
		fill_window(log, log->joins->pdata[i]);
	return TRUE;
}
