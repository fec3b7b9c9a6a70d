/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pooled windows of a row: sums from which its figures are computed, and why some figures cannot be computed. */
#ifndef KX_POOL_H
#define KX_POOL_H

/* The reason for a tracker with KX_CAN_AGGREGATE. */
#define KX_CHECKS_UNKNOWN \
	"DAMON reports how often regions were accessed, not its checks, splits and merges"

#include "row.h"
#include "turns.h"

#define KX_NS_PER_S    1e9
#define KX_RATE_MIN_NS 10000000.0 /* rates over less than 10 ms say nothing */

typedef struct {
	KxRow *row;
	GPtrArray *windows; /* KxWindow, not owned */
	GArray *places;	    /* guint: index of each of them among all windows of the VM */
	gboolean off, module;
	double ns; /* time with statistics, without the time that was yielded or in which the VM was paused */
	double paused_ns;
	const char *paused_na; /* why there may have been more pauses; NULL: all are known */
	guint64 passes, samples, lost;
	KxSeriesEstimate cost; /* of a sample, from the records of passes */
	gboolean
		cost_is_old; /* the report does not contain how much passes resemble their neighbours */
	KxRatioSums exits, work;
	const char *exits_na, *work_na;
} KxPool;

/* Pools the windows of a VM: an array of KxPool, each with a row without figures. */
GPtrArray *kx_pools_new(const KxVmReport *v);

/* --- reasons ---------------------------------------------------------------------------------------------------------- */

/* Why no figure of the module's account is available; NULL: figures are available. */
const char *kx_pool_no_account(const KxPool *p);
/* Why a row has no completed passes; NULL: it has some. */
const char *kx_pool_no_passes(const KxPool *p);
/* Why counts are not available; NULL: they are. If nothing was tested, the number of found pages is not known: it is not 0. */
const char *kx_pool_no_counts(const KxPool *p);
/* Why the tracker has no samples at all, whatever it did; NULL: it has, or this version does not know the tracker. */
const char *kx_pool_no_samples(const KxPool *p);
/* Why the row says nothing about single pages; NULL: it does. */
const char *kx_pool_no_pages(const KxPool *p);
/* KX_CAN_AGGREGATE: the tracker finds regions as a whole. */
gboolean kx_row_aggregates(const KxRow *row);
/* Why the cost of a sample is not known; NULL: it is known. */
const char *kx_pool_no_cost(const KxPool *p);
/* Why there are no rates: the tracker was at work too briefly; NULL: there are rates. */
const char *kx_pool_brief(const KxPool *p);
/* The reason of too short a time: the VM ran, or was tracked, for less than 10 ms. */
const char *kx_pool_brief_ran(const KxPool *p);
/* Why a window's truth and the VM's counters do not count: the VMM had the log for a part of the window; NULL: they count. */
const char *kx_window_yielded(const KxWindow *w);

/* --- over windows ----------------------------------------------------------------------------------------------------- */

/* All offsets are in KxWindow: @has of a gboolean, and only windows in which it is TRUE count; @at of a guint64. */

/* The sum, without windows that have a reason at offset @na; @na -1: all windows. */
double kx_pool_total(const KxPool *p, gsize has, gsize at, gssize na);
double kx_pool_most(const KxPool *p, gsize has, gsize at);
/* The last such window; NULL: none. */
const KxWindow *kx_pool_last(const KxPool *p, gsize has);
/* The value in the last window in which the counter at @where is not 0; 0: there is no such window. */
guint64 kx_pool_last_where(const KxPool *p, gsize has, gsize where, gsize at);
/* The reason at @na of the last window that has a reason; @otherwise if no window has one. */
const char *kx_pool_why(const KxPool *p, gsize has, gsize na, const char *otherwise);
/* @sum * @scale / ns in which the tracker was at work, from @n observations; n/a if that time is too short. */
KxFigure kx_pool_rate(const KxPool *p, double sum, double scale, guint64 n);
/* Number of passes that do not count because the VM was paused, but are in the module's sums over all passes. */
guint64 kx_pool_paused_passes(const KxPool *p);
/* The cost of a sample, by the records of passes. */
KxFigure kx_pool_cost_per_sample(const KxPool *p);

/* A window's part of a rate: @y for each @x. FALSE: the window has none that counts. */
typedef gboolean (*KxRateFunc)(const KxWindow *w, double *y, double *x);
gboolean kx_window_cost(const KxWindow *w, double *y, double *x);  /* ns, samples */
gboolean kx_window_exits(const KxWindow *w, double *y, double *x); /* exits, seconds */
gboolean kx_window_work(const KxWindow *w, double *y, double *x);  /* units of work, seconds */
/* Appends a KxTurn for each window of @p that has a part of the rate. */
void kx_pool_turns(const KxPool *p, KxRateFunc rate, GArray *turns);

/* The sum of a counter that all trackers have. */
#define KX_POOL_TOTAL(p, member)                                                                  \
	kx_pool_total(p, G_STRUCT_OFFSET(KxWindow, has_stats), G_STRUCT_OFFSET(KxWindow, member), \
		      -1)

/* --- figures, in the order in which they are computed ------------------------------------------------------------------ */

/* Figures of a row by itself: those of all rows; recall and precision; those of parts, n/a for parts that the row lacks. */
void kx_row_figures(KxPool *p);
void kx_truth_figures(KxPool *p);
void kx_part_figures(KxPool *p);
/* A row that ran without staleness gets the misses from the row that ran the same setting with staleness. */
void kx_lend_missed(GPtrArray *pools);
/* Ratios to `off`, and to the row that is called @reference; NULL: no reference was named. */
void kx_compare_figures(GPtrArray *pools, const char *reference);
/* Footnotes; call these functions after all figures were computed. */
void kx_note_figures(GPtrArray *pools, const KxVmReport *v);
void kx_note_truth(KxRow *row);

#endif /* KX_POOL_H */
