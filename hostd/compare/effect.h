/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The effect of a setting, compared with a reference that ran in the same rounds (`off`).
 *
 * Each round gives one observation: the logarithm of the setting's value divided by the reference's value in the same round and
 * VM, averaged over the VMs. The mean of the observations over rounds, as a ratio, is the effect; their scatter between rounds
 * gives the interval (estimate.h). Two influences on mean and scatter are estimated from all settings together and removed
 * before: drift (a slope over the positions in the round), and carry-over (the influence of each setting on the window after
 * it), as far as the windows show it. The uncertainty of these estimates makes the interval longer. With few rounds they
 * are not removed if the interval would become much longer.
 */
#ifndef KX_EFFECT_H
#define KX_EFFECT_H

#include <glib.h>

#include "compare/estimate.h"
#include "compare/trial.h"

/* If a test's p is below this, the tested influence mattered. */
#define KX_MATTERS_P 0.01

/**
 * struct KxEffect - a setting against its reference
 * @ratio: setting / reference; 1.05: 5 % more
 * @differs: the interval does not include 1
 * @within: if the interval includes 1: an effect, if there is any, is smaller than this (0.02: 2 %), by the farther end of the
 *	interval; NAN with @differs, or without an interval
 * @drift_out: drift was removed
 * @carry_out: carry-over was removed; FALSE: too few rounds, or no sign of carry-over
 * @se: standard error of the logarithm of the ratio; NAN: not known
 * @degrees: of freedom, of @se
 */
typedef struct {
	KxEstimate ratio;
	gboolean differs;
	gdouble within;
	gboolean drift_out, carry_out;
	gdouble se, degrees;
} KxEffect;

/**
 * kx_effect() - the effect of @setting compared with @reference
 * @seed: of the bootstrap
 *
 * For a slowdown use values that are a cost (time per unit of work), or apply kx_effect_inverse() to the effect on progress.
 * The effect of the reference itself is 1, without an interval.
 */
KxEffect kx_effect(const KxTrial *t, guint setting, guint reference, guint64 seed);

/* The effect on the reciprocal of the values. */
KxEffect kx_effect_inverse(const KxEffect *e);

/**
 * kx_effect_rounds_for() - total number of rounds for a precision, if further rounds scatter as the rounds so far
 * @precision: half of the width of the ratio's interval: 0.01 is ± 1 % of the reference
 *
 * Return: the present number of rounds, or fewer, if the precision is reached; G_MAXUINT: not known yet.
 */
guint kx_effect_rounds_for(const KxEffect *e, gdouble precision);

/**
 * struct KxTest - a test whether an influence mattered
 * @p: probability of such data, or more extreme data, if there is no influence; NAN with @na set
 * @n: number of tested windows
 * @na: why the test was not possible; static text
 */
typedef struct {
	gdouble p;
	guint n;
	const gchar *na;
} KxTest;

/*
 * Tests whether a window's value depends on the window before it. Mark a setting whose test says so: its effect is valid only
 * together with these other settings.
 */
/* Whether the values of @setting differ between predecessors (F test, drift removed). */
KxTest kx_effect_carry(const KxTrial *t, guint setting);
/* Whether the windows of all settings together depend on the preceding setting. */
KxTest kx_effect_carry_any(const KxTrial *t);
/* Whether @setting depends on its position in the round in another way than the other settings do. */
KxTest kx_effect_order(const KxTrial *t, guint setting);
/* TRUE: p of a test above says that the influence mattered; mark the setting. */
gboolean kx_test_matters(const KxTest *test);

/**
 * struct KxTrend - change over rounds
 * @per_round: ratio from one round to the next; 1.001: 0.1 % more each round
 * @test: whether there is any change
 */
typedef struct {
	KxEstimate per_round;
	KxTest test;
} KxTrend;

/* The trend of one setting's values (its drift), averaged over the VMs. */
KxTrend kx_trend(const KxTrial *t, guint setting);
/* The trend of a setting's effect: whether its cost changes during the comparison. */
KxTrend kx_trend_of_effect(const KxTrial *t, guint setting, guint reference);

#endif /* KX_EFFECT_H */
