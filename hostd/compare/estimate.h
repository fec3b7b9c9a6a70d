/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An estimate from one value, or one pair of values, per round, with its 95 % interval. The round is the unit of repetition:
 * correlation within a window or a round is part of the scatter between rounds.
 *
 * With fewer than KX_BOOTSTRAP_ROUNDS rounds the interval is Student's t. From there on the BCa bootstrap (Efron 1987) over
 * rounds is computed as well, which does not assume symmetric scatter; its ends are moved outwards by the ratio of Student's t
 * to the normal distribution (the expanded interval of Hesterberg 2015). With a dozen rounds the bootstrap covers the truth too
 * rarely if the scatter has long tails, and Student's t does if the scatter is skewed; so each end of the interval is the
 * farther of the two.
 */
#ifndef KX_ESTIMATE_H
#define KX_ESTIMATE_H

#include <glib.h>

#define KX_BOOTSTRAP_ROUNDS 8u
#define KX_BOOTSTRAP_DRAWS  1999u

/* How an interval was computed; kx_method_name() returns the method's name for users. */
typedef enum {
	KX_METHOD_NONE, /* there is no interval */
	KX_METHOD_T,
	KX_METHOD_BCA,
	KX_METHOD_FIELLER, /* for a ratio of sums, with Student's t */
} KxMethod;

/**
 * struct KxEstimate - one figure over rounds
 * @value: NAN with @na set
 * @low: lower end of the 95 % interval; NAN with @open set
 * @high: upper end, likewise
 * @n: number of rounds in the estimate
 * @missing: number of rounds without a value (NAN)
 * @method: of the interval
 * @na: why there is no value, a clause; NULL: there is one. Static text
 * @open: why there is no interval, a clause; NULL: there is one. Static text
 * @se: standard error of the value; of a quotient the linearised one
 * @degrees: of freedom, of @se; 0: @se is not known
 */
typedef struct {
	gdouble value, low, high;
	guint n, missing;
	KxMethod method;
	const gchar *na, *open;
	gdouble se, degrees;
} KxEstimate;

/* "Student's t", "BCa bootstrap", "Fieller", "none". */
const gchar *kx_method_name(KxMethod method);

/**
 * kx_estimate_mean() - mean over rounds, for figures without a reference (samples per second)
 * @values: one per round; NAN: missing
 * @seed: of the bootstrap
 */
KxEstimate kx_estimate_mean(const gdouble *values, guint rounds, guint64 seed);

/**
 * kx_estimate_quotient() - Σ @above / Σ @below over rounds (ns per sample)
 * @above: one per round, of any sign; NAN: missing
 * @below: one per round, 0 or more; NAN: missing
 * @seed: of the bootstrap
 *
 * A round with @below 0 counts: its cost belongs to the samples of the other rounds. If @below is 0 in every round there is no
 * value; if the sum of @below does not differ significantly from 0 (Fieller's interval has no end) there is a value without an
 * interval.
 */
KxEstimate kx_estimate_quotient(const gdouble *above, const gdouble *below, guint rounds,
				guint64 seed);

#endif /* KX_ESTIMATE_H */
