/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known while a workload's log is read. For the reader (worklog.c) and for files (worklog-file.c). */
#ifndef KX_WORKLOG_INTERNAL_H
#define KX_WORKLOG_INTERNAL_H

#include "base/gfnset.h"
#include "worklog-join.h"
#include "worklog.h"

struct _KxWorklog {
	guint64 budget;
	GPtrArray *joins;
	GArray *pauses;	   /* KxPause, of all windows: they do not overlap */
	GPtrArray *epochs; /* not yet joined */
	KxGfnSet *arena;
	GString *line;
	guint64 line_number;
	gboolean has_header, has_ready, has_point, has_moved, at_rest;
	gboolean frames;  /* addr=gfn: the addresses are guest-physical */
	gboolean running; /* inside an epoch: work counts only then */
	gboolean gaps;	  /* lines are missing: not all touched pages are known */
	gboolean writes;  /* the log says which pages were written, or that none is ever written */
	gint64 ready, moved;
	gint64 slack;	   /* uncertainty of the log's times */
	gint64 last_time;  /* time of the last line with a time */
	char *clock_na;	   /* why the log's times cannot be compared with the windows' */
	gint64 point_time; /* the last point, (time, work) */
	guint64 point_work;
};

#endif /* KX_WORKLOG_INTERNAL_H */
