/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a setting changes, against a reference that ran in the same rounds (`off`).
 *
 * From each round comes one observation: the logarithm of the setting's value over the reference's value of the same round and VM,
 * mean of the VMs. Its mean over rounds, as a ratio, is the effect; its scatter between rounds gives the interval (estimate.h). Two
 * things that would add to scatter or mean are estimated from all settings together and taken out before: drift (a slope over the
 * positions in the round), and carry-over (what each setting leaves behind for the window after it), as far as the windows
 * speak for it. The interval is longer by what is not known of them. Neither is taken out of a few rounds, where that would
 * make it much longer.
 */
#ifndef KX_EFFECT_H
#define KX_EFFECT_H

#include <glib.h>

#include "compare/estimate.h"
#include "compare/trial.h"

/* Below this a test's p says that something mattered. */
#define KX_MATTERS_P 0.01

/**
 * struct KxEffect - a setting against its reference
 * @ratio: setting / reference; 1.05: by 5 % more
 * @differs: the interval does not include 1
 * @within: where it does: an effect, if there is any, is smaller than that (0.02: 2 %), by the farther end of the interval;
 *	NAN with @differs, or without an interval
 * @drift_out: drift was taken out
 * @carry_out: carry-over was taken out; FALSE: too few rounds, or there was no sign of it
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
 * kx_effect() - what @setting changes against @reference
 * @seed: of the bootstrap
 *
 * For a slowdown let the values be a cost (time per unit of work), or kx_effect_inverse() the effect on progress.
 * Of the reference itself: 1, without an interval.
 */
KxEffect kx_effect(const KxTrial *t, guint setting, guint reference, guint64 seed);

/* The same effect, on the reciprocal of the values. */
KxEffect kx_effect_inverse(const KxEffect *e);

/**
 * kx_effect_rounds_for() - rounds in all that a precision takes, if further rounds scatter as those so far
 * @precision: half of the width of the ratio's interval: 0.01 is ± 1 % of the reference
 *
 * Return: as many as there are, or fewer, if it is reached; G_MAXUINT: not known yet.
 */
guint kx_effect_rounds_for(const KxEffect *e, gdouble precision);

/**
 * struct KxTest - whether something mattered
 * @p: probability of such data, or stranger, if it did not; NAN with @na set
 * @n: windows that were looked at
 * @na: why it could not be tested; static text
 */
typedef struct {
	gdouble p;
	guint n;
	const gchar *na;
} KxTest;

/*
 * Whether what a window found depends on what was before it. A setting whose test matters is to be marked: its effect is that of
 * the setting in this company.
 */
/* Whether @setting came out differently after different predecessors (F test, drift taken out). */
KxTest kx_effect_carry(const KxTrial *t, guint setting);
/* Whether windows of all settings together depend on which setting was the one before. */
KxTest kx_effect_carry_any(const KxTrial *t);
/* Whether @setting depends on its place in the round in another way than the others do. */
KxTest kx_effect_order(const KxTrial *t, guint setting);
/* p of the test above says that it mattered: mark the setting. */
gboolean kx_test_matters(const KxTest *test);

/**
 * struct KxTrend - change over rounds
 * @per_round: ratio from one round to the next; 1.001: 0.1 % more each round
 * @test: whether there is any
 */
typedef struct {
	KxEstimate per_round;
	KxTest test;
} KxTrend;

/* Of one setting's values (its drift), mean of the VMs. */
KxTrend kx_trend(const KxTrial *t, guint setting);
/* Of its effect: whether what it costs changes while the comparison lasts. */
KxTrend kx_trend_of_effect(const KxTrial *t, guint setting, guint reference);

#endif /* KX_EFFECT_H */
