/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An estimate from one value, or one pair of values, for each round, with its 95 % interval. The round is what repeats:
 * whatever was correlated within a window or a round is in the scatter between rounds as it is.
 *
 * Student's t where there are fewer than KX_BOOTSTRAP_ROUNDS rounds. From there on the BCa bootstrap (Efron 1987) over rounds as well,
 * which does not take scatter for symmetric; its ends are moved as far out as Student's t is from the normal distribution (the
 * expanded interval of Hesterberg 2015). Of a dozen rounds it covers too seldom where scatter has long tails, as Student's t does
 * where scatter is skewed: so each end is that of the two which is farther away.
 */
#ifndef KX_ESTIMATE_H
#define KX_ESTIMATE_H

#include <glib.h>

#define KX_BOOTSTRAP_ROUNDS 8u
#define KX_BOOTSTRAP_DRAWS  1999u

/* How an interval was found; kx_method_name() has its name for people. */
typedef enum {
	KX_METHOD_NONE, /* there is none */
	KX_METHOD_T,
	KX_METHOD_BCA,
	KX_METHOD_FIELLER, /* of a ratio of sums, by Student's t */
} KxMethod;

/**
 * struct KxEstimate - one figure over rounds
 * @value: NAN with @na set
 * @low: end of the 95 % interval; NAN with @open set
 * @high: likewise
 * @n: rounds that are in it
 * @missing: rounds that are not: a value of theirs was missing (NAN)
 * @method: of the interval
 * @na: why there is no value, a clause; NULL: there is one. Static text
 * @open: why there is no interval, a clause; NULL: there is one. Static text
 */
typedef struct {
	gdouble value, low, high;
	guint n, missing;
	KxMethod method;
	const gchar *na, *open;
} KxEstimate;

/* "Student's t", "BCa bootstrap", "Fieller", "none". */
const gchar *kx_method_name(KxMethod method);

/**
 * kx_estimate_mean() - mean over rounds, for figures that stand for themselves (samples per second)
 * @values: one a round; NAN: missing
 * @seed: of the bootstrap
 */
KxEstimate kx_estimate_mean(const gdouble *values, guint rounds, guint64 seed);

/**
 * kx_estimate_quotient() - Σ @above / Σ @below over rounds (ns per sample)
 * @above: one a round, of any sign; NAN: missing
 * @below: one a round, 0 or more; NAN: missing
 * @seed: of the bootstrap
 *
 * A round with nothing below counts: its cost belongs to the others' samples. Without anything below in any round there is no
 * value; where it cannot be told from nothing (Fieller's interval has no end) there is a value and no interval.
 */
KxEstimate kx_estimate_quotient(const gdouble *above, const gdouble *below, guint rounds,
				guint64 seed);

#endif /* KX_ESTIMATE_H */
