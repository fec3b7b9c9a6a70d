/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One figure that a user sees. */
#ifndef KX_MODEL_FIGURE_H
#define KX_MODEL_FIGURE_H

#include <glib.h>

/*
 * Either measured (@na is NULL) or not (@na says why, one clause, no full stop). An estimate carries the 95 % confidence
 * interval [@low, @high] and the number of observations @n; low = high = NAN where it is no estimate. @note: what must be
 * known to read the value right, one clause; NULL: nothing.
 */
typedef struct {
	double value;
	double low, high;
	guint64 n;
	char *na;
	char *note;
} KxFigure;

#endif /* KX_MODEL_FIGURE_H */
