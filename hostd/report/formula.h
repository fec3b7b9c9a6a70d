/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words in which part-*.def say how windows pool. They are used inside a function of the part with @p, its pool, @row,
 * its row, and @has, the offset of the part's gboolean in KxWindow: windows without it count nowhere.
 */
#ifndef KX_FORMULA_H
#define KX_FORMULA_H

#include "pool.h"
#include "tracker/options.h"

/* Offset of a counter of KxWindow, which has to be a guint64. */
#define COUNTER(member)                                                         \
	(G_STRUCT_OFFSET(KxWindow, member) +                                    \
	 0 * sizeof(char[_Generic(((KxWindow *)0)->member, guint64 : 1, default \
				  : -1)]))

/* Over windows. */
#define SUM(member) kx_pool_total(p, has, COUNTER(member), -1)
#define SUM_KNOWN(member, na)                  \
	kx_pool_total(p, has, COUNTER(member), \
		      G_STRUCT_OFFSET(KxWindow, na)) /* not those with a reason */
#define MOST(member) kx_pool_most(p, has, COUNTER(member))
#define LAST(member) (kx_pool_last(p, has)->member)

/* How many there are. */
#define WINDOWS	      (row->windows)
#define PAUSED_PASSES kx_pool_paused_passes(p)
#define ALL_PASSES    (p->passes + PAUSED_PASSES)
#define WALKS         \
	(ALL_PASSES + \
	 WINDOWS) /* every window begins with a pass that primes, and that walks, too */

/* Figures: a value from so many observations; a sum for each of so many; a sum per second, in percent of the time. */
#define VALUE(value, n)	   kx_figure(value, (guint64)(n))
#define PER(sum, n, none)  kx_figure_per(sum, (double)(n), none)
#define RATE(sum, n)	   kx_pool_rate(p, sum, KX_NS_PER_S, (guint64)(n))
#define PERCENT(sum_ns, n) kx_pool_rate(p, sum_ns, 100, n)
#define COST_PER_SAMPLE	   kx_pool_cost_per_sample(p)
#define MISSED_SHARE	   missed_share(p)

/* Why not: n/a for @why, unless that is NULL. */
#define UNLESS(why, figure)                                 \
	({                                                  \
		const char *reason = why;                   \
		reason ? kx_unavailable(reason) : (figure); \
	})
#define IF(condition, why) ((condition) ? (why) : NULL)
#define WHY(na, otherwise) kx_pool_why(p, has, G_STRUCT_OFFSET(KxWindow, na), otherwise)
#define NO_PASSES	   kx_pool_no_passes(p)
/* A LATER counter that a window of an older report has not. */
#define KNOWN(member, figure) UNLESS(WHY(member##_na, NULL), figure)
/* What the tracker's row in kx_trackers[] declares. */
#define CAN(what) \
	(kx_tracker_by_name(row->tracker) && (kx_tracker_by_name(row->tracker)->can & (what)))

#endif /* KX_FORMULA_H */
