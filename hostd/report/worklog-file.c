// SPDX-License-Identifier: GPL-2.0-or-later
/* A workload's log in a file, whose time of change tells how far the guest's clock and the host's are apart. */
#include "worklog-internal.h"

#include <gio/gio.h>

/* The allowed difference between the guest's and the host's clocks, including the delay of a line in the file. */
#define CLOCK_SLACK_NS (300 * 1000000ll)

/* The file's time of change; 0: not known. */
static gint64 mtime_ns(GFileInputStream *in)
{
	g_autoptr(GFileInfo) info = g_file_input_stream_query_info(
		in, G_FILE_ATTRIBUTE_TIME_MODIFIED "," G_FILE_ATTRIBUTE_TIME_MODIFIED_USEC, NULL,
		NULL);

	if (!info)
		return 0;
	return (gint64)g_file_info_get_attribute_uint64(info, G_FILE_ATTRIBUTE_TIME_MODIFIED) *
		       1000000000ll +
	       g_file_info_get_attribute_uint32(info, G_FILE_ATTRIBUTE_TIME_MODIFIED_USEC) * 1000ll;
}

/*
 * The last line has the guest's time at which it was written, and the file's time of change is the host's time shortly after:
 * so both clocks can be compared. @before, @after: the file's time of change before and after it was read, because the file
 * may have grown meanwhile.
 */
static void compare_clocks(KxWorklog *log, gint64 before, gint64 after)
{
	gint64 off = 0;

	if (log->last_time < before - CLOCK_SLACK_NS)
		off = log->last_time - before;
	else if (log->last_time > after + CLOCK_SLACK_NS)
		off = log->last_time - after;
	if (off)
		log->clock_na = g_strdup_printf(
			"the workload log's clock and this host's are %.1f s apart%s, or the log "
			"is a copy with another time of change",
			(double)ABS(off) / 1e9,
			log->pauses->len && off < 0
				? " (the VM was paused: its clock may have stood still)"
				: "");
}

gboolean kx_worklog_read_file(KxWorklog *log, const char *path, GError **error)
{
	g_autoptr(GFile) file = g_file_new_for_path(path);
	g_autoptr(GFileInputStream) in = g_file_read(file, NULL, error);
	g_autofree char *buffer = g_malloc(65536);
	gint64 before;
	gssize n;

	if (!in)
		return FALSE;
	log->slack = CLOCK_SLACK_NS;
	before = mtime_ns(in);
	while ((n = g_input_stream_read(G_INPUT_STREAM(in), buffer, 65536, NULL, error)) > 0) {
		if (!kx_worklog_feed(log, buffer, (gsize)n, error)) {
			g_prefix_error(error, "%s: ", path);
			return FALSE;
		}
	}
	compare_clocks(log, before, mtime_ns(in));
	if (n < 0 || !kx_worklog_finish(log, error)) {
		g_prefix_error(error, "%s: ", path);
		return FALSE;
	}
	return TRUE;
}

/* FALSE: the file has no beginning of a log. */
static gboolean check_beginning(KxWorklog *log, const char *text, gsize len, GError **error)
{
	if (!kx_worklog_feed(log, text, len, error))
		return FALSE;
	if (!log->has_header)
		g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
				    "it has no complete line of a workload log; start the workload "
				    "first");
	return log->has_header;
}

gboolean kx_worklog_check_file(const char *path, GError **error)
{
	g_autoptr(GFile) file = g_file_new_for_path(path);
	g_autoptr(GFileInputStream) in = NULL;
	g_autofree char *buffer = g_malloc(65536);
	g_autoptr(KxWorklog) log = kx_worklog_new();
	gsize n;

	/* A pipe without a writer would never open. */
	if (g_file_test(path, G_FILE_TEST_EXISTS) && !g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
		g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE, "%s is no regular file",
			    path);
		return FALSE;
	}
	in = g_file_read(file, NULL, error);
	if (!in)
		return FALSE;
	if (g_input_stream_read_all(G_INPUT_STREAM(in), buffer, 65536, &n, NULL, error) &&
	    check_beginning(log, buffer, n, error))
		return TRUE;
	g_prefix_error(error, "%s: ", path);
	return FALSE;
}
