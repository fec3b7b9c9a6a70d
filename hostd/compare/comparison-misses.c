// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Misses of the last-level cache in guest mode, and the slowdown that is expected from them: what a host can know without any help of the
 * guest, beside the slowdown that was measured.
 *
 * The cost of a miss is not assumed. A straight line is fitted over all windows: the guest's time per instruction as a function of its
 * misses per instruction, with one constant for each round and VM; the slope is the time per miss. The expected slowdown of a setting is
 * (r + slope × m) / r, where r is the reference's time per instruction, and m is how many more misses per instruction the setting has.
 *
 * This cannot show time outside of the guest (exits, waiting), which misses do not measure; nor whether the misses took the time, or
 * something else that grew with them, such as walks of page tables. The interval is over rounds, and takes the slope as exact.
 */
#include "comparison-ground.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

#include "report/figure.h"

/* --- one window ------------------------------------------------------------------------------------------------------- */

static double misses(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	return s->llc_misses;
}

static double seconds(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	return s->run_ns / 1e9;
}

static double thousands(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	return s->guest_instructions / 1000;
}

static double misses_per(const KxStretch *s)
{
	return s->guest_instructions > 0 ? s->llc_misses / s->guest_instructions : NAN;
}

static double ns_per(const KxStretch *s)
{
	return s->guest_instructions > 0 ? s->vcpu_guest_ns / s->guest_instructions : NAN;
}

/* Time that the instructions of @s take at the reference's time per instruction; NAN: not known. */
static double as_reference(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	const KxStretch *reference = kx_ground_stretch(g, vm, round, KX_REFERENCE);
	double ns = reference ? ns_per(reference) : NAN;

	return ns > 0 ? s->guest_instructions * ns : NAN;
}

static double expected(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	const KxStretch *reference = kx_ground_stretch(g, vm, round, KX_REFERENCE);
	double more = reference ? misses_per(s) - misses_per(reference) : NAN;

	return as_reference(g, s, vm, round) + s->guest_instructions * more * g->ns_per_miss;
}

/* --- time per miss ---------------------------------------------------------------------------------------------------- */

/* Sums over windows; each value is taken as its difference from the mean of its round. */
typedef struct {
	double xx, xy, yy;
	guint degrees;
} Line;

static void add_round(const KxGround *g, guint vm, guint round, Line *line)
{
	double x = 0, y = 0, xx = 0, xy = 0, yy = 0;
	guint n = 0;

	for (guint k = 0; k < g->active->len; k++) {
		const KxStretch *s = kx_ground_stretch(g, vm, round, k);
		double by = s ? misses_per(s) : NAN, ns = s ? ns_per(s) : NAN;

		if (!isfinite(by) || !isfinite(ns))
			continue;
		x += by;
		y += ns;
		xx += by * by;
		xy += by * ns;
		yy += ns * ns;
		n++;
	}
	if (n < 2)
		return;
	line->xx += xx - x * x / n;
	line->xy += xy - x * y / n;
	line->yy += yy - y * y / n;
	line->degrees += n - 1;
}

/* NAN: the guest's time per instruction does not clearly grow with its misses. */
static double ns_per_miss(const KxGround *g)
{
	Line line = { 0 };
	double slope, left, t;

	for (guint vm = 0; vm < g->vms; vm++) {
		for (guint round = 0; round < g->c->rounds; round++)
			add_round(g, vm, round, &line);
	}
	if (line.degrees < 3 || !(line.xx > 0))
		return NAN;
	slope = line.xy / line.xx;
	left = fmax(0, line.yy - slope * line.xy) / (line.degrees - 1);
	t = gsl_cdf_tdist_Pinv(0.975, line.degrees - 1);
	return slope > t * sqrt(left / line.xx) ? slope : NAN;
}

/* --- whether the PMU counts misses -------------------------------------------------------------------------------------- */

/*
 * So many instructions, beginning with caches that other work has filled, do not run without a miss. An emulator's PMU, or that of an
 * outer hypervisor, can take the event and count nothing.
 */
#define INSTRUCTIONS_ENOUGH 1e8

/* What was counted in all windows of all VMs and settings: the PMU is the same for all. */
typedef struct {
	guint windows;
	double misses, instructions;
	gboolean ran; /* a vCPU ran in guest mode; if that time is not known: at all */
} Counted;

static Counted count(const KxComparison *c)
{
	Counted n = { 0 };

	for (guint vm = 0; vm < c->vms->len; vm++) {
		for (guint i = 0; i < c->rounds * c->settings->len; i++) {
			const KxStretch *s =
				kx_comparison_at(c, vm, i / c->settings->len, i % c->settings->len);

			if (!s || s->failed || !isfinite(s->llc_misses) ||
			    !isfinite(s->guest_instructions))
				continue;
			n.windows++;
			n.misses += s->llc_misses;
			n.instructions += s->guest_instructions;
			n.ran |= isfinite(s->vcpu_guest_ns) ? s->vcpu_guest_ns > 0
							    : s->vcpu_run_ns > 0;
		}
	}
	return n;
}

/* Why 0 misses are not the guests' own; NULL: what was counted is true. */
static const char *not_counted(const KxComparison *c)
{
	const Counted n = count(c);

	if (!n.windows)
		return NULL;
	if (n.ran && !(n.instructions > 0))
		return "the PMU takes the events of last-level-cache misses and of instructions, "
		       "but counts nothing: no instruction in all windows of this comparison, "
		       "while vCPUs ran";
	if (n.misses > 0)
		return NULL;
	if (n.instructions > INSTRUCTIONS_ENOUGH)
		return "the PMU takes the event of last-level-cache misses, but counts nothing: 0 "
		       "in all windows of this comparison, whatever the guests did";
	return "too little ran: no miss in all windows of this comparison, but the guests ran so "
	       "few instructions (100 million at most) that a PMU that counts no misses would "
	       "look the same";
}

static void fill(KxComparedRow *row, const char *why)
{
	row->llc_per_s = kx_unavailable(why);
	row->llc_per_1000 = kx_unavailable(why);
	row->llc_slowdown = kx_unavailable(why);
}

/* --- figures ---------------------------------------------------------------------------------------------------------- */

/* A ratio's standard error is that of its logarithm. */
static KxFigure of_logarithm(KxFigure f)
{
	if (!f.na)
		f.se /= f.value;
	return f;
}

void kx_ground_misses(KxGround *g)
{
	g->no_misses = not_counted(g->c);
	g->ns_per_miss = ns_per_miss(g);
}

void kx_fill_misses(const KxGround *g, guint k, KxComparedRow *row)
{
	const char *why =
		g->c->llc_na ? g->c->llc_na : "last-level-cache misses of guests were not counted";

	if (g->no_misses) {
		fill(row, g->no_misses);
		return;
	}
	row->llc_per_s = kx_ground_quotient(g, k, misses, seconds, why);
	row->llc_per_1000 = kx_ground_quotient(g, k, misses, thousands, why);
	if (row->llc_per_1000.na)
		row->llc_slowdown = kx_unavailable(row->llc_per_1000.na);
	else if (k == KX_REFERENCE)
		row->llc_slowdown = kx_figure(1, row->llc_per_1000.n);
	else if (isnan(g->ns_per_miss))
		row->llc_slowdown =
			kx_unavailable("the guest's time per instruction does not clearly "
				       "grow with its misses");
	else
		row->llc_slowdown =
			of_logarithm(kx_ground_quotient(g, k, expected, as_reference, why));
}
