/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that compute figures share. */
#ifndef KX_FIGURES_INTERNAL_H
#define KX_FIGURES_INTERNAL_H

#include "model/report-internal.h"

#define KX_NS_PER_S    1e9
#define KX_RATE_MIN_NS 10000000.0 /* rates over less than 10 ms say nothing */

/* What a row's windows add up to. */
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

KxFigure kx_figure(double value, guint64 n);
KxFigure kx_unavailable(const char *reason);
/* Of an estimate; no quantity here can be negative, so neither can the lower end. */
KxFigure kx_figure_interval(double value, double half, guint64 n);
/* The ratio estimate with its interval; n/a for @no_x where Σx is 0. */
KxFigure kx_figure_from_sums(const KxRatioSums *s, double scale, const char *no_x);
/* In place of what @f was. */
void kx_figure_void(KxFigure *f, const char *reason);
void kx_figure_clear(KxFigure *f);
KxFigure kx_figure_copy(const KxFigure *f);
/*
 * Adds a footnote, unless @f was not measured. To be called when all figures are computed, for figures are made from
 * copies of others before that.
 */
void kx_figure_note(KxFigure *f, const char *note);

/* Why there are no rates, where the tracker was at work too briefly; NULL: there are. */
const char *kx_pool_brief(const KxPool *p);
/* Why a row has no passes to speak of; NULL if it has. */
const char *kx_pool_no_passes(const KxPool *p);
/* Why nothing can be said of its single pages; NULL if it can. */
const char *kx_pool_no_pages(const KxPool *p);
/* Why a window's truth and its VM's own figures do not count: the VMM had the log for a part of it; NULL: they do. */
const char *kx_window_yielded(const KxWindow *w);
/* Sum of a guint64 over the windows with the gboolean at @has_offset, without those whose reason at @na_offset is set. */
double kx_pool_total(const KxPool *p, gsize has_offset, gsize offset, gssize na_offset);
/* The last window with that gboolean; NULL: none. */
const KxWindow *kx_pool_last(const KxPool *p, gsize has_offset);

/* What a sample costs the guest, where the tracker runs there. */
void kx_guest_cost(KxPool *p);
/* Figures of the parts that the row has, and n/a for those that it has not. */
void kx_part_figures(KxPool *p);
/* Footnotes, when all figures are computed. */
void kx_note_figures(GPtrArray *pools, const KxVmReport *v);
/* Recall and precision; their footnotes, when all figures are there. */
void kx_truth_figures(KxPool *p);
void kx_note_truth(KxRow *row);
/* Against the rows without a tracker, and against the cheapest, when the figures of each row are computed. */
void kx_compare_figures(GPtrArray *pools);
/* Rows that were measured without staleness show what was measured for the same setting. */
void kx_lend_missed(GPtrArray *pools);

#endif /* KX_FIGURES_INTERNAL_H */
