/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A straight line through the logarithms of a setting over rounds. */
#include "effect.h"
#include "estimate-internal.h"
#include "fit.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_fit.h>
#include <math.h>

static const gchar too_few[] = "fewer than 3 rounds";

/* The value of a round whose trend is computed; NAN: missing. */
static gdouble observed(const KxTrial *t, guint vm, guint round, guint setting, guint reference)
{
	gdouble log_of = kx_trial_log(t, kx_trial_index(t, vm, round, setting));

	if (reference == KX_NO_SETTING)
		return log_of;
	return log_of - kx_trial_log(t, kx_trial_index(t, vm, round, reference));
}

/* VMs differ, and not every VM is in every round, so each VM's mean is subtracted. */
static gdouble mean_of_vm(const KxTrial *t, guint vm, guint setting, guint reference)
{
	gdouble sum = 0;
	guint n = 0;

	for (guint round = 0; round < t->rounds; round++) {
		gdouble y = observed(t, vm, round, setting, reference);

		if (isnan(y))
			continue;
		sum += y;
		n++;
	}
	return n ? sum / n : NAN;
}

static guint by_round(const KxTrial *t, guint setting, guint reference, gdouble *x, gdouble *y)
{
	g_autofree gdouble *sums = g_new0(gdouble, t->rounds + 1);
	g_autofree guint *there = g_new0(guint, t->rounds + 1);
	guint n = 0;

	for (guint vm = 0; vm < t->vms; vm++) {
		gdouble mean = mean_of_vm(t, vm, setting, reference);

		for (guint round = 0; round < t->rounds; round++) {
			gdouble value = observed(t, vm, round, setting, reference);

			if (isnan(value))
				continue;
			sums[round] += value - mean;
			there[round]++;
		}
	}
	for (guint round = 0; round < t->rounds; round++) {
		if (!there[round])
			continue;
		x[n] = round;
		y[n++] = sums[round] / there[round];
	}
	return n;
}

static KxTrend line_through(const gdouble *x, const gdouble *y, guint n, guint missing)
{
	gdouble start, slope, var_start, cov, var_slope, squares, se, half;

	if (n < 3)
		return (KxTrend){ .per_round = { .value = NAN,
						 .low = NAN,
						 .high = NAN,
						 .n = n,
						 .missing = missing,
						 .na = too_few,
						 .open = too_few },
				  .test = { .p = NAN, .n = n, .na = too_few } };
	gsl_fit_linear(x, 1, y, 1, n, &start, &slope, &var_start, &cov, &var_slope, &squares);
	se = sqrt(var_slope);
	half = kx_estimate_t(n - 2) * se;
	return (KxTrend){
		.per_round = { .value = exp(slope),
			       .low = exp(slope - half),
			       .high = exp(slope + half),
			       .n = n,
			       .missing = missing,
			       .method = KX_METHOD_T },
		.test = { .p = se > 0 ? 2 * gsl_cdf_tdist_Q(fabs(slope) / se, n - 2) : slope == 0,
			  .n = n },
	};
}

static KxTrend trend(const KxTrial *t, guint setting, guint reference)
{
	g_autofree gdouble *x = g_new(gdouble, t->rounds + 1), *y = g_new(gdouble, t->rounds + 1);
	guint n = by_round(t, setting, reference, x, y);

	return line_through(x, y, n, t->rounds - n);
}

KxTrend kx_trend(const KxTrial *t, guint setting)
{
	return trend(t, setting, KX_NO_SETTING);
}

KxTrend kx_trend_of_effect(const KxTrial *t, guint setting, guint reference)
{
	return trend(t, setting, reference);
}
