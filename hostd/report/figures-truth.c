// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recall and precision: a tracker's findings compared with the accesses in the workload's own log. Trackers differ in what
 * they can find: the dirty log names written pages only, so pages that were only read are no misses of a dirty-log tracker.
 * The tracker's row in kx_trackers[] says whether its recall and its precision are shares of the touched or of the written
 * pages. Recall and precision of the touched pages, and of the written pages, are shown beside them.
 */
#include "pool.h"
#include "tracker/options.h"

/* A share of pages, over the windows in which it is known. */
typedef struct {
	guint64 part, whole;
	const char *na; /* the reason of a window in which it is not known */
} Share;

static void add_share(Share *s, guint64 part, guint64 whole, const char *na)
{
	if (na) {
		s->na = na;
		return;
	}
	s->part += part;
	s->whole += whole;
}

static KxFigure share_figure(const Share *s, const char *if_none)
{
	if (s->whole)
		return kx_figure((double)s->part / (double)s->whole, s->whole);
	return kx_unavailable(s->na ? s->na : if_none);
}

typedef struct {
	Share recall[KX_SEEN_WRITTEN + 1], precision[KX_SEEN_WRITTEN + 1];
} Truth;

static void add_truth(Truth *t, const KxWindow *w)
{
	const char *na = w->truth_na ? w->truth_na : kx_window_yielded(w);
	const char *written_na = na ? na : w->written_na;
	const char *precision_na = w->precision_na;

	add_share(&t->recall[KX_SEEN_TOUCHED], w->truth_hit, w->truth_touched, na);
	add_share(&t->recall[KX_SEEN_WRITTEN], w->truth_written_hit, w->truth_written, written_na);
	add_share(&t->precision[KX_SEEN_TOUCHED], w->truth_true, w->truth_found,
		  na ? na : precision_na);
	add_share(&t->precision[KX_SEEN_WRITTEN], w->truth_written_true, w->truth_found,
		  written_na ? written_na : precision_na);
}

static void no_truth(KxRow *row, const char *why)
{
	KxFigure *const figures[] = {
		&row->recall,	 &row->recall_touched,	  &row->recall_written,
		&row->precision, &row->precision_touched, &row->precision_written,
	};

	for (guint i = 0; i < G_N_ELEMENTS(figures); i++)
		*figures[i] = kx_unavailable(why);
}

/* If the tracker is unknown: the report is of a newer daemon. */
static const KxSees sees_unknown = {
	.no_recall = "this version does not know what the tracker can find",
};

static const KxSees *sees_of(const KxRow *row)
{
	const KxTrackerRow *t = kx_tracker_by_name(row->tracker);

	return t ? &t->sees : &sees_unknown;
}

static void recall_figures(KxRow *row, const KxSees *sees, const Truth *t)
{
	static const char no_epoch[] = "no valid epoch of the workload lies inside a window";
	gboolean any = t->recall[KX_SEEN_TOUCHED].whole;

	if (!sees->finds) {
		row->recall = kx_unavailable(sees->no_recall);
		row->recall_touched = kx_unavailable(sees->no_recall);
		row->recall_written = kx_unavailable(sees->no_recall);
		return;
	}
	row->recall_touched = share_figure(&t->recall[KX_SEEN_TOUCHED], no_epoch);
	row->recall_written =
		share_figure(&t->recall[KX_SEEN_WRITTEN],
			     any ? "the workload wrote nothing in this time" : no_epoch);
	row->recall = kx_figure_copy(sees->finds == KX_SEEN_WRITTEN ? &row->recall_written
								    : &row->recall_touched);
}

static void precision_figures(KxRow *row, const KxSees *sees, const Truth *t)
{
	static const char none[] = "no page of the workload's arena was found";

	if (!sees->says) {
		row->precision = kx_unavailable(sees->no_recall);
		row->precision_touched = kx_unavailable(sees->no_recall);
		row->precision_written = kx_unavailable(sees->no_recall);
		return;
	}
	row->precision_touched = share_figure(&t->precision[KX_SEEN_TOUCHED], none);
	row->precision_written =
		sees->says == KX_SEEN_WRITTEN
			? share_figure(&t->precision[KX_SEEN_WRITTEN], none)
			: kx_unavailable("the tracker does not say of a page that it was written");
	row->precision = kx_figure_copy(sees->says == KX_SEEN_WRITTEN ? &row->precision_written
								      : &row->precision_touched);
}

void kx_truth_figures(KxPool *p)
{
	const KxSees *sees = sees_of(p->row);
	const char *why = kx_pool_no_pages(p);
	Truth t = { 0 };

	if (why) {
		no_truth(p->row, why);
		p->row->parts &= ~(1u << KX_PART_TRUTH);
		return;
	}
	for (guint i = 0; i < p->windows->len; i++)
		add_truth(&t, p->windows->pdata[i]);
	recall_figures(p->row, sees, &t);
	precision_figures(p->row, sees, &t);
}

void kx_note_truth(KxRow *row)
{
	const KxSees *sees = sees_of(row);

	if (sees->recall)
		kx_figure_note(&row->recall, sees->recall);
	if (sees->precision)
		kx_figure_note(&row->precision, sees->precision);
}
