// SPDX-License-Identifier: GPL-2.0-or-later
#include "comparison-ground.h"

#include <math.h>

#include "report/figure.h"

double kx_ground_rate(const KxStretch *s)
{
	return s && !s->failed && s->progress > 0 && s->run_ns > 0 ? s->progress / s->run_ns : NAN;
}

const KxStretch *kx_ground_stretch(const KxGround *g, guint vm, guint round, guint active)
{
	const KxStretch *s = kx_comparison_at(g->c, g->first_vm + vm, round,
					      g_array_index(g->active, guint, active));

	return s && !s->failed ? s : NULL;
}

static void fill_trial(KxGround *g, KxDesign *design, guint all_vms)
{
	guint settings = g->active->len, rounds = g->c->rounds;
	gsize all = (gsize)all_vms * rounds * settings;

	g->values = g_new(double, all);
	g->positions = g_new(guint, all);
	g->before = g_new(guint, all);
	kx_trial_order(design, all_vms, g->c->layout == KX_TOGETHER, g->positions, g->before);
	/* A single VM is a part of the arrays. */
	g->trial = (KxTrial){ settings,
			      rounds,
			      g->vms,
			      g->values,
			      g->positions + (gsize)g->first_vm * rounds * settings,
			      g->before + (gsize)g->first_vm * rounds * settings };
	for (guint vm = 0; vm < g->vms; vm++) {
		for (guint round = 0; round < rounds; round++) {
			for (guint k = 0; k < settings; k++)
				g->values[kx_trial_index(&g->trial, vm, round, k)] =
					1 / kx_ground_rate(kx_ground_stretch(g, vm, round, k));
		}
	}
}

void kx_ground_init(KxGround *g, const KxComparison *c, guint vm)
{
	KxDesign *design;

	*g = (KxGround){ .c = c,
			 .first_vm = vm == G_MAXUINT ? 0 : vm,
			 .vms = vm == G_MAXUINT ? c->vms->len : 1,
			 .active = g_array_new(FALSE, FALSE, sizeof(guint)) };
	for (guint i = 0; i < c->settings->len; i++) {
		if (!((const KxComparedSetting *)c->settings->pdata[i])->left_out)
			g_array_append_val(g->active, i);
	}
	if (!g->active->len || !c->rounds || !c->vms->len)
		return;
	design = kx_design_new(g->active->len, c->rounds, c->seed);
	fill_trial(g, design, c->vms->len);
	kx_design_free(design);
}

void kx_ground_clear(KxGround *g)
{
	g_array_unref(g->active);
	g_free(g->values);
	g_free(g->positions);
	g_free(g->before);
}

/* --- figures ------------------------------------------------------------------------------------------------------ */

KxFigure kx_ground_figure(const KxEstimate *e)
{
	if (e->na)
		return kx_unavailable(e->na);
	if (!isfinite(e->value))
		return kx_unavailable("the windows' numbers give no finite value");
	return (KxFigure){ .value = e->value,
			   .low = e->low,
			   .high = e->high,
			   .n = e->n,
			   .note = g_strdup(e->open),
			   .se = e->se,
			   .degrees = e->degrees };
}

/* The sum over all VMs in each round; NAN if no VM has a value. */
static void sum_rounds(const KxGround *g, guint k, KxGroundFunc above, KxGroundFunc below,
		       double *y, double *x)
{
	for (guint round = 0; round < g->c->rounds; round++) {
		gboolean any = FALSE;

		y[round] = x[round] = 0;
		for (guint vm = 0; vm < g->vms; vm++) {
			const KxStretch *s = kx_ground_stretch(g, vm, round, k);
			double a = s ? above(g, s, vm, round) : NAN;
			double b = s ? below(g, s, vm, round) : NAN;

			if (!isfinite(a) || !isfinite(b))
				continue;
			any = TRUE;
			y[round] += a;
			x[round] += b;
		}
		if (!any)
			y[round] = x[round] = NAN;
	}
}

/* @na: the reason if no window has a value. */
KxFigure kx_ground_quotient(const KxGround *g, guint k, KxGroundFunc above, KxGroundFunc below,
			    const char *na)
{
	g_autofree double *y = g_new(double, g->c->rounds);
	g_autofree double *x = g_new(double, g->c->rounds);
	gboolean any = FALSE;
	KxEstimate e;

	sum_rounds(g, k, above, below, y, x);
	for (guint round = 0; round < g->c->rounds; round++)
		any |= isfinite(y[round]);
	if (!any)
		return kx_unavailable(na);
	e = kx_estimate_quotient(y, x, g->c->rounds, g->c->seed);
	return kx_ground_figure(&e);
}
