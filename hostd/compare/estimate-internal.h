/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files that compute estimates. */
#ifndef KX_ESTIMATE_INTERNAL_H
#define KX_ESTIMATE_INTERNAL_H

#include "estimate.h"

/* Half the width of Student's 95 % interval, in standard errors. */
gdouble kx_estimate_t(gdouble degrees);

/*
 * The BCa interval of Σ @y / Σ @x over @n rounds, expanded in the same way as Student's t with @degrees. An end may be infinite
 * if many rounds have x = 0.
 */
void kx_estimate_bca(const gdouble *y, const gdouble *x, guint n, gdouble degrees, guint64 seed,
		     gdouble *low, gdouble *high);

#endif /* KX_ESTIMATE_INTERNAL_H */
