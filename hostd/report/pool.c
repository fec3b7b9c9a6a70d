// SPDX-License-Identifier: GPL-2.0-or-later
#include "pool.h"

#include <math.h>

#include "tracker/rows.h"

static const char off_samples[] = "off takes no samples";
static const char gave_way[] =
	"the VMM logged its memory itself for a part of the window, which was not tracked";

const char *kx_window_yielded(const KxWindow *w)
{
	return kx_window_was_yielded(w) ? gave_way : NULL;
}

/* --- pooling ---------------------------------------------------------------------------------------------------------- */

static void pool_free(KxPool *p)
{
	kx_row_free(p->row);
	g_ptr_array_unref(p->windows);
	g_array_unref(p->places);
	g_free(p);
}

static guint parts_of(const KxWindow *w)
{
	guint parts = KX_PART_BIT(ANY) | (w->truth_na ? 0 : KX_PART_BIT(TRUTH));

	for (guint i = 0; i < KX_PARTS; i++) {
		if (kx_parts[i].has >= 0 && G_STRUCT_MEMBER(gboolean, w, kx_parts[i].has))
			parts |= 1u << i;
	}
	return parts;
}

static void pool_add(KxPool *p, KxWindow *w, guint place)
{
	double ns = kx_window_tracked_ns(w), y, x;

	g_ptr_array_add(p->windows, w);
	g_array_append_val(p->places, place);
	p->row->parts |= parts_of(w);
	p->row->windows++;
	p->row->seconds += ns / KX_NS_PER_S;
	p->paused_ns += (double)w->paused_ns;
	p->paused_na = w->paused_na ? w->paused_na : p->paused_na;
	p->row->paused_for = w->paused_for ? w->paused_for : p->row->paused_for;
	if (w->has_stats) {
		p->module = TRUE;
		p->ns += ns;
		p->passes += w->passes;
		p->samples += w->samples;
		p->lost += w->lost_samples;
	}
	if (w->exits_na || kx_window_was_yielded(w))
		p->exits_na = w->exits_na ? w->exits_na : gave_way;
	if (w->work_na || kx_window_was_yielded(w))
		p->work_na = w->work_na ? w->work_na : gave_way;
	if (kx_window_exits(w, &y, &x))
		kx_ratio_add(&p->exits, y, x);
	if (kx_window_work(w, &y, &x))
		kx_ratio_add(&p->work, y, x);
}

/* Call this after all windows were added to the pool. */
static void estimate_cost(KxPool *p)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new();

	for (guint i = 0; i < p->windows->len; i++) {
		KxWindow *w = p->windows->pdata[i];

		if (!w->has_stats)
			continue;
		g_ptr_array_add(list, &w->pass_costs);
		p->cost_is_old |= w->pass_costs.sums.n && !w->pass_costs.taken;
	}
	kx_series_estimate((const KxSeries *const *)list->pdata, list->len, &p->cost);
}

gboolean kx_row_pools(const KxRow *row, const KxWindow *w)
{
	return g_str_equal(row->tracker, w->tracker) && g_str_equal(row->options, w->options) &&
	       g_strcmp0(row->mechanism, kx_window_mechanism(w)) == 0;
}

static KxPool *pool_for(GPtrArray *pools, const KxWindow *w)
{
	KxPool *p;

	for (guint i = 0; i < pools->len; i++) {
		p = pools->pdata[i];
		if (kx_row_pools(p->row, w))
			return p;
	}
	p = g_new0(KxPool, 1);
	p->windows = g_ptr_array_new();
	p->places = g_array_new(FALSE, FALSE, sizeof(guint));
	p->row = g_new0(KxRow, 1);
	p->row->tracker = g_strdup(w->tracker);
	p->row->options = g_strdup(w->options);
	p->row->mechanism = g_strdup(kx_window_mechanism(w));
	p->row->staleness = w->has_staleness;
	p->row->missed_by = pools->len;
	p->off = g_str_equal(w->tracker, "off");
	g_ptr_array_add(pools, p);
	return p;
}

GPtrArray *kx_pools_new(const KxVmReport *v)
{
	GPtrArray *pools = g_ptr_array_new_with_free_func((GDestroyNotify)pool_free);

	for (guint i = 0; i < v->windows->len; i++) {
		KxWindow *w = v->windows->pdata[i];

		pool_add(pool_for(pools, w), w, i);
	}
	for (guint i = 0; i < pools->len; i++)
		estimate_cost(pools->pdata[i]);
	return pools;
}

/* --- rates of single windows ------------------------------------------------------------------------------------------ */

gboolean kx_window_cost(const KxWindow *w, double *y, double *x)
{
	*y = w->pass_costs.sums.y;
	*x = w->pass_costs.sums.x;
	return w->has_stats && *x > 0;
}

/* If the VMM had the log for a part of the window, it is not known which exits the tracker caused: the window does not count. */
gboolean kx_window_exits(const KxWindow *w, double *y, double *x)
{
	double ns = kx_window_tracked_ns(w);

	*y = (double)w->exits;
	*x = ns / KX_NS_PER_S;
	return !w->exits_na && !kx_window_was_yielded(w) && ns >= KX_RATE_MIN_NS;
}

gboolean kx_window_work(const KxWindow *w, double *y, double *x)
{
	*y = w->work;
	*x = w->work_ns / KX_NS_PER_S;
	return !w->work_na && !kx_window_was_yielded(w) && w->work_ns >= KX_RATE_MIN_NS;
}

void kx_pool_turns(const KxPool *p, KxRateFunc rate, GArray *turns)
{
	for (guint i = 0; i < p->windows->len; i++) {
		KxTurn turn = { .place = g_array_index(p->places, guint, i) };

		if (rate(p->windows->pdata[i], &turn.y, &turn.x))
			g_array_append_val(turns, turn);
	}
}

/* --- why not ---------------------------------------------------------------------------------------------------------- */

const char *kx_pool_no_account(const KxPool *p)
{
	if (p->off)
		return off_samples;
	return p->module ? NULL : "the module gave no figures";
}

static gboolean gave_way_all_the_time(const KxPool *p)
{
	gboolean any = FALSE;

	for (guint i = 0; i < p->windows->len; i++)
		any |= kx_window_was_yielded(p->windows->pdata[i]);
	return any && !p->passes;
}

const char *kx_pool_no_passes(const KxPool *p)
{
	const char *why = kx_pool_no_account(p);

	if (why || p->passes)
		return why;
	return gave_way_all_the_time(p) ? "no pass was completed while the tracker had the log"
	       : p->paused_ns > 0	? "no pass was completed while the VM ran"
					: "no pass was completed";
}

const char *kx_pool_brief_ran(const KxPool *p)
{
	return p->paused_ns > 0 ? "the VM ran for less than 10 ms of the time"
				: "tracked for less than 10 ms";
}

const char *kx_pool_brief(const KxPool *p)
{
	return p->ns < KX_RATE_MIN_NS ? kx_pool_brief_ran(p) : NULL;
}

const char *kx_pool_no_samples(const KxPool *p)
{
	const KxTrackerRow *t = kx_tracker_by_name(p->row->tracker);

	return t ? t->no_samples : NULL;
}

const char *kx_pool_no_counts(const KxPool *p)
{
	const char *why = kx_pool_no_account(p);

	if (!why)
		why = kx_pool_no_samples(p);
	if (why || p->passes || !(gave_way_all_the_time(p) || p->paused_ns > 0))
		return why;
	return kx_pool_no_passes(p);
}

const char *kx_pool_no_cost(const KxPool *p)
{
	const char *why = kx_pool_no_samples(p);

	if (!why)
		why = kx_pool_no_passes(p);
	if (why)
		return why;
	return p->cost.n == 0	  ? "no record of a pass was received"
	       : !(p->cost.x > 0) ? "no page was found accessed"
	       : p->cost.n < 2	  ? "only one pass"
				  : NULL;
}

gboolean kx_row_aggregates(const KxRow *row)
{
	const KxTrackerRow *t = kx_tracker_by_name(row->tracker);

	return t && t->can & KX_CAN_AGGREGATE;
}

const char *kx_pool_no_pages(const KxPool *p)
{
	const KxTrackerRow *t = kx_tracker_by_name(p->row->tracker);
	const char *why = t ? t->no_pages : NULL;

	if (!why)
		why = kx_pool_no_passes(p);
	if (!why && kx_row_has(p->row, KX_PART_REGIONS) && !kx_row_aggregates(p->row))
		why = "regions: one page stands for all of its region";
	return why;
}

/* --- over windows ----------------------------------------------------------------------------------------------------- */

static const KxWindow *window_with(const KxPool *p, guint i, gsize has)
{
	const KxWindow *w = p->windows->pdata[i];

	return G_STRUCT_MEMBER(gboolean, w, has) ? w : NULL;
}

double kx_pool_total(const KxPool *p, gsize has, gsize at, gssize na)
{
	double sum = 0;

	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = window_with(p, i, has);

		if (w && !(na >= 0 && G_STRUCT_MEMBER(char *, w, na)))
			sum += (double)G_STRUCT_MEMBER(guint64, w, at);
	}
	return sum;
}

double kx_pool_most(const KxPool *p, gsize has, gsize at)
{
	double most = 0;

	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = window_with(p, i, has);

		if (w)
			most = fmax(most, (double)G_STRUCT_MEMBER(guint64, w, at));
	}
	return most;
}

const KxWindow *kx_pool_last(const KxPool *p, gsize has)
{
	const KxWindow *last = NULL;

	for (guint i = p->windows->len; i-- > 0 && !last;)
		last = window_with(p, i, has);
	return last;
}

guint64 kx_pool_last_where(const KxPool *p, gsize has, gsize where, gsize at)
{
	for (guint i = p->windows->len; i-- > 0;) {
		const KxWindow *w = window_with(p, i, has);

		if (w && G_STRUCT_MEMBER(guint64, w, where))
			return G_STRUCT_MEMBER(guint64, w, at);
	}
	return 0;
}

const char *kx_pool_why(const KxPool *p, gsize has, gsize na, const char *otherwise)
{
	for (guint i = p->windows->len; i-- > 0;) {
		const KxWindow *w = window_with(p, i, has);

		if (w && G_STRUCT_MEMBER(char *, w, na))
			return G_STRUCT_MEMBER(char *, w, na);
	}
	return otherwise;
}

KxFigure kx_pool_rate(const KxPool *p, double sum, double scale, guint64 n)
{
	const char *why = kx_pool_brief(p);

	return why ? kx_unavailable(why) : kx_figure(sum * scale / p->ns, n);
}

guint64 kx_pool_paused_passes(const KxPool *p)
{
	guint64 sum = 0;

	for (guint i = 0; i < p->windows->len; i++)
		sum += ((const KxWindow *)p->windows->pdata[i])->paused_passes;
	return sum;
}

KxFigure kx_pool_cost_per_sample(const KxPool *p)
{
	const char *why = kx_pool_no_cost(p);

	return why ? kx_unavailable(why) : kx_figure_of_series(&p->cost);
}
