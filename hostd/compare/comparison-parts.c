// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parts of a setting's slowdown. All parts are shares of the vCPU time in which the same work would have been done without
 * tracking, at the rate of the reference in the same round, so they add up to the slowdown minus 1. What the measured parts do not
 * explain (for example the guest itself is slower because of cold TLBs and caches) is a part as well.
 *
 * - Exits: time of the vCPU threads outside of the guest, in the kernel or in the VMM, that is more than the same work took without
 *   tracking. It is measured in the run itself: run time of the threads less guest time. The time per exit is this time divided by
 *   the exits that are more. Interrupts for TLB flushes are exits, and have their share of this time by their number.
 * - Waiting: time in which vCPU threads were runnable and something else ran on their CPU, such as the tracker's thread.
 * - Samplers: time of the guest's CPUs that a tracker in the guest takes.
 */
#include "comparison-ground.h"

#include <math.h>

#include "report/figure.h"

#define NOT_THERE "there is nothing to explain: the slowdown is not known"

/* --- one window against that of the reference ------------------------------------------------------------------------- */

static const KxStretch *reference_of(const KxGround *g, guint vm, guint round)
{
	return kx_ground_stretch(g, vm, round, KX_REFERENCE);
}

/* The work of @s in units of the reference's work of that round; NAN: not known. */
static double work_of(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	const KxStretch *reference = reference_of(g, vm, round);

	return reference && reference->progress > 0 && s->progress > 0
		       ? s->progress / reference->progress
		       : NAN;
}

/*
 * Time in which vCPU threads ran or were runnable. vCPUs that have nothing to do lose nothing: their time would only make each part
 * look smaller.
 */
static double busy_of(const KxStretch *s)
{
	return s->vcpu_run_ns + (isnan(s->vcpu_steal_ns) ? 0 : s->vcpu_steal_ns);
}

/* vCPU time that the work of @s takes without tracking. */
static double needed(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	const KxStretch *reference = reference_of(g, vm, round);

	return reference ? busy_of(reference) * work_of(g, s, vm, round) : NAN;
}

static double lost(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	return busy_of(s) - needed(g, s, vm, round);
}

/* How much more of it @s has than the reference's window has for the same work. */
#define MORE(name, of)                                                                   \
	static double name(const KxGround *g, const KxStretch *s, guint vm, guint round) \
	{                                                                                \
		const KxStretch *without = reference_of(g, vm, round);                   \
                                                                                         \
		return without ? of(s) - of(without) * work_of(g, s, vm, round) : NAN;   \
	}

static double outside_of(const KxStretch *s)
{
	return s->vcpu_run_ns - s->vcpu_guest_ns;
}

static double waiting_of(const KxStretch *s)
{
	return s->vcpu_steal_ns;
}

static double exits_of(const KxStretch *s)
{
	return s->exits;
}

/* The reference requests no flush. */
static double interrupts_of(const KxStretch *s)
{
	return s->flush_ipis;
}

MORE(outside, outside_of)
MORE(waiting, waiting_of)
MORE(exits, exits_of)

static double samplers(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	return s->guest_cpu_ns;
}

/* --- parts ------------------------------------------------------------------------------------------------------------ */

/* The parts that are measured by themselves. */
static const struct {
	KxGroundFunc time;
	const char *na;
} parts[] = {
	{ outside, "the time that vCPUs ran outside of the guest is not known" },
	{ waiting, "the time that vCPUs waited for a CPU is not known" },
	{ samplers, "the tracker does not run in the guest" },
};

enum {
	OUTSIDE,
	WAITING,
	SAMPLERS
};

/* The parts that are known of the setting: KxGround.known. */
static double sum_known(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	double sum = 0;

	for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
		if (g->known & 1u << i)
			sum += parts[i].time(g, s, vm, round);
	}
	return sum;
}

static double rest(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	return lost(g, s, vm, round) - sum_known(g, s, vm, round);
}

static KxFigure times(KxFigure f, double by)
{
	f.value *= by;
	f.low *= by;
	f.high *= by;
	f.se *= fabs(by);
	return f;
}

static KxFigure percent(const KxGround *g, guint k, KxGroundFunc above, const char *na)
{
	return times(kx_ground_quotient(g, k, above, needed, na), 100);
}

/* The share of the flushes' interrupts in the exits that are more; NAN: not known. */
static double flush_share(const KxGround *g, guint k, gboolean *counted)
{
	double interrupts = 0, more = 0;

	*counted = FALSE;

	for (guint vm = 0; vm < g->vms; vm++) {
		for (guint round = 0; round < g->c->rounds; round++) {
			const KxStretch *s = kx_ground_stretch(g, vm, round, k);
			double by = s ? exits(g, s, vm, round) : NAN;

			if (isnan(by) || isnan(interrupts_of(s)))
				continue;
			more += by;
			interrupts += interrupts_of(s);
			*counted = TRUE;
		}
	}
	return more > 0 ? fmin(1, interrupts / more) : NAN;
}

/* Exits for flushes apart, if it is known how many they are. */
static void split_exits(const KxGround *g, guint k, KxComparedRow *row, KxFigure all)
{
	gboolean counted = FALSE;
	double share = all.na ? NAN : flush_share(g, k, &counted);

	row->exits_percent = all;
	if (isnan(share)) {
		row->flushes_percent =
			kx_unavailable(all.na	 ? all.na
				       : counted ? "there are no more exits than without tracking"
						 : "interrupts for flushes were not counted");
		return;
	}
	row->flushes_percent = times(kx_figure_copy(&all), share);
	row->exits_percent = times(all, 1 - share);
}

static KxFigure ns_per_exit(const KxGround *g, guint k)
{
	KxFigure f = kx_ground_quotient(g, k, outside, exits, parts[OUTSIDE].na);

	/* without an interval, the divisor may be 0 */
	if (f.na ? !g_str_equal(f.na, parts[OUTSIDE].na) : isnan(f.low) || f.value < 0)
		kx_figure_void(&f,
			       g->c->rounds > 1 || f.value < 0
				       ? "there are not clearly more exits than without tracking"
				       : "a single round does not tell whether there are more "
					 "exits than without tracking");
	return f;
}

/* What is left of the slowdown that the row shows; the scatter is that of single rounds. */
static KxFigure left_of(const KxGround *g, guint k, const KxComparedRow *row)
{
	KxFigure f = percent(g, k, rest, NOT_THERE);
	double left = (row->slowdown.value - 1) * 100 - row->explained_percent.value;

	if (f.na)
		return f;
	f.low += left - f.value;
	f.high += left - f.value;
	f.value = left;
	return f;
}

static void fill_all(KxComparedRow *row, const char *why)
{
	KxFigure *const all[] = { &row->exits_percent,	   &row->flushes_percent,
				  &row->waiting_percent,   &row->samplers_percent,
				  &row->explained_percent, &row->unexplained_percent,
				  &row->ns_per_exit };

	for (guint i = 0; i < G_N_ELEMENTS(all); i++)
		*all[i] = kx_unavailable(why);
}

void kx_fill_parts(const KxGround *g, guint k, KxComparedRow *row)
{
	KxFigure single[G_N_ELEMENTS(parts)];
	KxGround own = *g;

	if (k == KX_REFERENCE || row->slowdown.na) {
		fill_all(row,
			 row->slowdown.na ? row->slowdown.na : "the others are compared with it");
		return;
	}
	own.known = 0;
	for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
		single[i] = percent(g, k, parts[i].time, parts[i].na);
		own.known |= single[i].na ? 0 : 1u << i;
	}
	split_exits(g, k, row, single[OUTSIDE]);
	row->waiting_percent = single[WAITING];
	row->samplers_percent = single[SAMPLERS];
	row->ns_per_exit = ns_per_exit(g, k);
	row->explained_percent = own.known ? percent(&own, k, sum_known, NOT_THERE)
					   : kx_unavailable("no part of it could be measured");
	row->unexplained_percent = row->explained_percent.na
					   ? kx_unavailable(row->explained_percent.na)
					   : left_of(&own, k, row);
}
