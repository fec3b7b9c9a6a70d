/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A window of a report, joined with the workload's log of the same time. Internal to the log's reader. */
#ifndef KX_WORKLOG_JOIN_H
#define KX_WORKLOG_JOIN_H

#include "base/gfnset.h"
#include "model/report.h"

typedef struct {
	guint64 number;
	gint64 begin, end;
	gboolean ended, valid;
	KxGfnSet *touched, *written;
} KxEpoch;

KxEpoch *kx_epoch_new(guint64 *budget);
void kx_epoch_free(KxEpoch *e);

/* Pages of the workload's epochs in a window. */
typedef struct {
	KxGfnSet *touched, *written;
} KxEpochPages;

typedef struct {
	KxWindow *window;
	KxGfnSet *found;
	char *no_found;		  /* why the found pages are not known; NULL: they are known */
	KxEpochPages inside;	  /* T1: valid epochs inside the time that the tracker covered */
	KxEpochPages overlapping; /* T2: epochs that overlap the window */
	gboolean overlaps_unfinished;
	gboolean pauses_lost; /* the VM was paused more often than the report's list holds */
	double work, work_ns;
} KxJoin;

KxJoin *kx_join_new(KxWindow *window, const char *no_found, guint64 *budget);
void kx_join_free(KxJoin *j);

/*
 * The guest did @work units of work between @from and @to. The units are spread evenly over the time in which the VM ran (the time
 * without @pauses, KxPause), and the window gets its share.
 */
void kx_join_work(KxJoin *j, const GArray *pauses, gint64 from, gint64 to, guint64 work);
/* @slack: the uncertainty of the log's times. FALSE: the budget of pages is used up. */
gboolean kx_join_epoch(KxJoin *j, const KxEpoch *e, gint64 slack);

/* Writes to the window: work, or why it is not known; how many pages of @arena were touched, written, found. */
void kx_join_fill_work(const KxJoin *j);
void kx_join_fill_truth(const KxJoin *j, const KxGfnSet *arena);

#endif /* KX_WORKLOG_JOIN_H */
