// SPDX-License-Identifier: GPL-2.0-or-later
#include "worklog-join.h"

KxEpoch *kx_epoch_new(guint64 *budget)
{
	KxEpoch *e = g_new0(KxEpoch, 1);

	e->touched = kx_gfnset_new_shared(budget);
	e->written = kx_gfnset_new_shared(budget);
	return e;
}

void kx_epoch_free(KxEpoch *e)
{
	kx_gfnset_free(e->touched);
	kx_gfnset_free(e->written);
	g_free(e);
}

static void pages_init(KxEpochPages *p, guint64 *budget)
{
	p->touched = kx_gfnset_new_shared(budget);
	p->written = kx_gfnset_new_shared(budget);
}

static void pages_clear(KxEpochPages *p)
{
	kx_gfnset_free(p->touched);
	kx_gfnset_free(p->written);
}

static gboolean pages_add(KxEpochPages *p, const KxEpoch *e)
{
	return kx_gfnset_add_set(p->touched, e->touched) &&
	       kx_gfnset_add_set(p->written, e->written);
}

KxJoin *kx_join_new(KxWindow *window, const char *no_found, guint64 *budget)
{
	KxJoin *j = g_new0(KxJoin, 1);

	j->window = window;
	j->no_found = g_strdup(no_found);
	j->found = kx_gfnset_new_shared(budget);
	pages_init(&j->inside, budget);
	pages_init(&j->overlapping, budget);
	return j;
}

void kx_join_free(KxJoin *j)
{
	kx_gfnset_free(j->found);
	pages_clear(&j->inside);
	pages_clear(&j->overlapping);
	g_free(j->no_found);
	g_free(j);
}

/* For how long the VM ran between two moments. */
static double run_ns(const GArray *pauses, gint64 from, gint64 to)
{
	gint64 ns = to - from;

	for (guint i = 0; i < pauses->len; i++) {
		const KxPause *p = &g_array_index(pauses, KxPause, i);

		ns -= MAX(0, MIN(to, p->until_ns) - MAX(from, p->from_ns));
	}
	return (double)MAX(0, ns);
}

void kx_join_work(KxJoin *j, const GArray *pauses, gint64 from, gint64 to, guint64 work)
{
	double whole = run_ns(pauses, from, to), own;
	gint64 start = MAX(from, j->window->start_realtime_ns);
	gint64 end = MIN(to, j->window->end_realtime_ns);

	if (end <= start || !(whole > 0))
		return;
	own = run_ns(pauses, start, end);
	j->work_ns += own;
	j->work += (double)work * (own / whole);
}

/* Whether the tracker could find all accesses of the epoch. */
static gboolean is_inside(const KxWindow *w, const KxEpoch *e, gint64 slack)
{
	gboolean told = w->covered_end_realtime_ns != 0;
	gint64 start = told ? w->covered_start_realtime_ns : w->start_realtime_ns;
	gint64 end = told ? w->covered_end_realtime_ns : w->end_realtime_ns;

	return e->ended && e->valid && e->begin >= start + slack && e->end <= end - slack;
}

/* An epoch that may overlap counts as overlapping; an epoch that may be outside does not count as inside. */
gboolean kx_join_epoch(KxJoin *j, const KxEpoch *e, gint64 slack)
{
	const KxWindow *w = j->window;

	if (e->begin >= w->end_realtime_ns + slack ||
	    (e->ended && e->end <= w->start_realtime_ns - slack))
		return TRUE;
	j->overlaps_unfinished |= !e->ended;
	return pages_add(&j->overlapping, e) &&
	       (!is_inside(w, e, slack) || pages_add(&j->inside, e));
}

void kx_join_fill_work(const KxJoin *j)
{
	KxWindow *w = j->window;

	g_clear_pointer(&w->work_na, g_free);
	if (j->pauses_lost) {
		w->work_na = g_strdup("the VM was paused more often than is kept in the report");
	} else if (j->work_ns > 0) {
		w->work = j->work;
		w->work_ns = j->work_ns;
	} else {
		w->work_na =
			g_strdup("according to its log the workload did not run in the window");
	}
}

void kx_join_fill_truth(const KxJoin *j, const KxGfnSet *arena)
{
	KxWindow *w = j->window;

	w->truth_touched = kx_gfnset_count_common(j->inside.touched, arena, NULL);
	w->truth_hit = kx_gfnset_count_common(j->inside.touched, arena, j->found);
	w->truth_written = kx_gfnset_count_common(j->inside.written, arena, NULL);
	w->truth_written_hit = kx_gfnset_count_common(j->inside.written, arena, j->found);
	w->truth_found = kx_gfnset_count_common(j->found, arena, NULL);
	w->truth_true = kx_gfnset_count_common(j->found, arena, j->overlapping.touched);
	w->truth_written_true = kx_gfnset_count_common(j->found, arena, j->overlapping.written);
}
