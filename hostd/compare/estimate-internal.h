/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that estimate share. */
#ifndef KX_ESTIMATE_INTERNAL_H
#define KX_ESTIMATE_INTERNAL_H

#include "estimate.h"

/* Of Student's t: half the width of the 95 % interval in standard errors. */
gdouble kx_estimate_t(gdouble degrees);

/*
 * The BCa interval of Σ @y / Σ @x over @n rounds, expanded as Student's t with @degrees asks for. An end may be infinite, where
 * many rounds have x = 0.
 */
void kx_estimate_bca(const gdouble *y, const gdouble *x, guint n, gdouble degrees, guint64 seed,
		     gdouble *low, gdouble *high);

#endif /* KX_ESTIMATE_INTERNAL_H */
