/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a row's windows add up to: what figures are computed from, and why some cannot be. */
#ifndef KX_POOL_H
#define KX_POOL_H

#include "row.h"

#define KX_NS_PER_S    1e9
#define KX_RATE_MIN_NS 10000000.0 /* rates over less than 10 ms say nothing */

typedef struct {
	KxRow *row;
	GPtrArray *windows; /* KxWindow, not owned */
	gboolean off, module;
	double ns; /* time with module figures, without what was yielded and in which the VM was paused */
	double paused_ns;
	const char *paused_na; /* why there may have been more */
	guint64 passes, samples, lost;
	KxRatioSums cost, exits, work;
	const char *exits_na, *work_na;
} KxPool;

/* Of a VM's windows: KxPool, each with a row that has no figures yet. */
GPtrArray *kx_pools_new(const KxVmReport *v);

/* --- why not ---------------------------------------------------------------------------------------------------------- */

/* Why nothing of the module's account can be said; NULL if it can. */
const char *kx_pool_no_account(const KxPool *p);
/* Why a row has no passes to speak of; NULL if it has. */
const char *kx_pool_no_passes(const KxPool *p);
/* Why nothing was counted: nothing found because nothing was looked at is not 0. */
const char *kx_pool_no_counts(const KxPool *p);
/* Why nothing can be said of its single pages; NULL if it can. */
const char *kx_pool_no_pages(const KxPool *p);
/* Why a sample has no price; NULL: it has one. */
const char *kx_pool_no_cost(const KxPool *p);
/* Why there are no rates, where the tracker was at work too briefly; NULL: there are. */
const char *kx_pool_brief(const KxPool *p);
/* The same of the VM: that it ran, or was tracked, for so short a time. */
const char *kx_pool_brief_ran(const KxPool *p);
/* Why a window's truth and its VM's own figures do not count: the VMM had the log for a part of it; NULL: they do. */
const char *kx_window_yielded(const KxWindow *w);

/* --- over windows ----------------------------------------------------------------------------------------------------- */

/* All offsets are those of KxWindow: @has of a gboolean without which a window counts nowhere, @at of a guint64. */

/* Sum, without windows whose reason at @na is set; @na -1: there is none. */
double kx_pool_total(const KxPool *p, gsize has, gsize at, gssize na);
double kx_pool_most(const KxPool *p, gsize has, gsize at);
/* The last window; NULL: none. */
const KxWindow *kx_pool_last(const KxPool *p, gsize has);
/* Of the last window in which @where is not 0; 0: there is none. */
guint64 kx_pool_last_where(const KxPool *p, gsize has, gsize where, gsize at);
/* The reason at @na of the last window that has one; @otherwise if none has. */
const char *kx_pool_why(const KxPool *p, gsize has, gsize na, const char *otherwise);
/* @sum for each ns in which the tracker was at work, @scale times, from @n; n/a if that was too brief. */
KxFigure kx_pool_rate(const KxPool *p, double sum, double scale, guint64 n);
/* Passes that are not counted, for the VM was paused, but are in what the module sums up over all passes. */
guint64 kx_pool_paused_passes(const KxPool *p);
/* What a sample cost, by the records of passes. */
KxFigure kx_pool_cost_per_sample(const KxPool *p);

/* Sum of a counter that all trackers have. */
#define KX_POOL_TOTAL(p, member)                                                                   \
	kx_pool_total(p, G_STRUCT_OFFSET(KxWindow, has_stats), G_STRUCT_OFFSET(KxWindow, member), \
		      -1)

/* --- figures, in the order in which they are computed ------------------------------------------------------------------ */

/* Of a row by itself: what all rows have; recall and precision; parts, with n/a for those that the row has not. */
void kx_row_figures(KxPool *p);
void kx_truth_figures(KxPool *p);
void kx_part_figures(KxPool *p);
/* Rows that were measured without staleness show what was measured for the same setting. */
void kx_lend_missed(GPtrArray *pools);
/* Against the rows without a tracker, and against the cheapest. */
void kx_compare_figures(GPtrArray *pools);
/* Footnotes, when all figures are computed. */
void kx_note_figures(GPtrArray *pools, const KxVmReport *v);
void kx_note_truth(KxRow *row);

#endif /* KX_POOL_H */
