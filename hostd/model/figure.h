/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One figure that a user sees. */
#ifndef KX_MODEL_FIGURE_H
#define KX_MODEL_FIGURE_H

#include <glib.h>

/*
 * A figure was measured (@na is NULL), or was not (@na is the reason, one clause without a full stop). An estimate has the 95 %
 * confidence interval [@low, @high] and the number of observations @n; for other figures low = high = NAN. @note: what the reader
 * must know to understand the value, one clause; NULL: nothing. @se and @degrees: standard error of the value (of a slowdown: of
 * its logarithm) and the degrees of freedom, for comparisons with another estimate; @degrees 0: not known.
 */
typedef struct {
	double value;
	double low, high;
	guint64 n;
	char *na;
	char *note;
	double se, degrees;
} KxFigure;

#endif /* KX_MODEL_FIGURE_H */
