/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Macros with which part-*.def say how windows are pooled. They are used inside a function of the part with @p, the pool,
 * @row, its row, and @has, the offset of the part's gboolean in KxWindow: windows in which this gboolean is FALSE do not
 * count.
 */
#ifndef KX_FORMULA_H
#define KX_FORMULA_H

#include "pool.h"
#include "tracker/options.h"

/* The offset of a counter in KxWindow. The counter must be a guint64; else this does not compile. */
#define COUNTER(member)                                                         \
	(G_STRUCT_OFFSET(KxWindow, member) +                                    \
	 0 * sizeof(char[_Generic(((KxWindow *)0)->member, guint64 : 1, default \
				  : -1)]))

/* Over all windows. */
#define SUM(member) kx_pool_total(p, has, COUNTER(member), -1)
#define SUM_KNOWN(member, na)                  \
	kx_pool_total(p, has, COUNTER(member), \
		      G_STRUCT_OFFSET(KxWindow, na)) /* without windows that have a reason */
#define MOST(member) kx_pool_most(p, has, COUNTER(member))
#define LAST(member) (kx_pool_last(p, has)->member)

/* Numbers of windows and passes. */
#define WINDOWS	      (row->windows)
#define PAUSED_PASSES kx_pool_paused_passes(p)
#define ALL_PASSES    (p->passes + PAUSED_PASSES)
#define WALKS	      (ALL_PASSES + WINDOWS) /* each window begins with a priming pass, which walks, too */

/* Figures: a value from @n observations; a sum divided by @n; a sum per second, from @n; a time in percent of tracked time. */
#define VALUE(value, n)	   kx_figure(value, (guint64)(n))
#define PER(sum, n, none)  kx_figure_per(sum, (double)(n), none)
#define RATE(sum, n)	   kx_pool_rate(p, sum, KX_NS_PER_S, (guint64)(n))
#define PERCENT(sum_ns, n) kx_pool_rate(p, sum_ns, 100, n)
#define COST_PER_SAMPLE	   kx_pool_cost_per_sample(p)
#define MISSED_SHARE	   missed_share(p)
#define MEAN_RATE	   mean_rate(p)
#define MEAN_YOUNG	   mean_young(p)

/* The figure, if @why is NULL; else n/a with the reason @why. */
#define UNLESS(why, figure)                                 \
	({                                                  \
		const char *reason = why;                   \
		reason ? kx_unavailable(reason) : (figure); \
	})
#define IF(condition, why) ((condition) ? (why) : NULL)
#define WHY(na, otherwise) kx_pool_why(p, has, G_STRUCT_OFFSET(KxWindow, na), otherwise)
#define NO_PASSES	   kx_pool_no_passes(p)
/* The figure of a LATER counter: windows of older reports do not have this counter. */
#define KNOWN(member, figure) UNLESS(WHY(member##_na, NULL), figure)
/* What the tracker's row in kx_trackers[] declares. */
#define CAN(what) \
	(kx_tracker_by_name(row->tracker) && (kx_tracker_by_name(row->tracker)->can & (what)))

/* DAMON samples the regions, and reports them once per aggregation, after it has merged them. */
#define AGGREGATES     kx_row_aggregates(row)
#define CHECKS_UNKNOWN KX_CHECKS_UNKNOWN

#endif /* KX_FORMULA_H */
