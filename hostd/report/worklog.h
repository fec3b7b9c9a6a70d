/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workload's log (docs/workload-log.md), joined with the windows of a report: how much work the guest did in each window,
 * and how many of the touched pages were found. The log is read once as a stream; memory is bounded by the windows and their
 * pages, regardless of the log's contents.
 *
 * The log has times of the guest's clock, windows have times of the host's clock: the join is only as accurate as the two clocks
 * agree.
 */
#ifndef KX_WORKLOG_H
#define KX_WORKLOG_H

#include "model/report.h"

typedef struct _KxWorklog KxWorklog;

KxWorklog *kx_worklog_new(void);
void kx_worklog_free(KxWorklog *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxWorklog, kx_worklog_free)

/*
 * Adds a window that is to be filled in. Add all windows before the first kx_worklog_feed(). @found: @n pairs (gfn, count),
 * ascending. @no_found: why the found pages are not known, then only work is computed; NULL: they are known. Errors: too many
 * pages.
 */
gboolean kx_worklog_add_window(KxWorklog *log, KxWindow *window, const guint64 (*found)[2], gsize n,
			       const char *no_found, GError **error);

/* Text in pieces of any size. Errors name the line. */
gboolean kx_worklog_feed(KxWorklog *log, const char *text, gsize len, GError **error);

/* The end of the log: fills in work, work_ns and truth of the windows, or the reasons why they are not known. */
gboolean kx_worklog_finish(KxWorklog *log, GError **error);

/* Reads a whole file: feed and finish. */
gboolean kx_worklog_read_file(KxWorklog *log, const char *path, GError **error);

/*
 * Whether the file can be read and begins as a workload log, before anything depends on it: of a large file the first 64 KiB are looked
 * at. FALSE: @error names the file.
 */
gboolean kx_worklog_check_file(const char *path, GError **error);

#endif /* KX_WORKLOG_H */
