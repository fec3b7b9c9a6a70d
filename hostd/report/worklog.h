/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workload's log (docs/workload-log.md) joined with windows of a report:
 * how much work the guest did in each, and how much of what it touched was
 * found. The log is read once as a stream; memory is bounded by the windows and
 * the pages they involve, whatever the log holds.
 *
 * The log's clock is the guest's, a window's the host's: the join is as good as
 * the two agree.
 */
#ifndef KX_WORKLOG_H
#define KX_WORKLOG_H

#include "model/report.h"

typedef struct _KxWorklog KxWorklog;

KxWorklog *kx_worklog_new(void);
void kx_worklog_free(KxWorklog *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxWorklog, kx_worklog_free)

/*
 * A window to fill in; all before the first kx_worklog_feed(). @found: ascending
 * (gfn, count) pairs, @n of them. @no_found: NULL, or why the found pages are
 * not known (then only work is computed). Errors: too many pages.
 */
gboolean kx_worklog_add_window(KxWorklog *log, KxWindow *window, const guint64 (*found)[2], gsize n,
			       const char *no_found, GError **error);

/* Text in pieces of any size. Errors name the line. */
gboolean kx_worklog_feed(KxWorklog *log, const char *text, gsize len, GError **error);

/* The end of the log: fills work, work_ns and truth of the windows, or the reasons. */
gboolean kx_worklog_finish(KxWorklog *log, GError **error);

/* Reads a whole file through feed and finish. */
gboolean kx_worklog_read_file(KxWorklog *log, const char *path, GError **error);

#endif /* KX_WORKLOG_H */
