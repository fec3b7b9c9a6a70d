/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The figures of a placement, in MiB, for text and JSON. */
#ifndef KX_PLACED_H
#define KX_PLACED_H

#include "figure.h"
#include "model/placement.h"

/*
 * The size in MiB of a part of the hot memory (or of the rest), from @found, the number of its pages among the pages asked about. If not
 * all pages were asked about, it is an estimate with Wilson's 95 % interval for a sample without replacement. The sample is stratified,
 * which makes the true interval shorter, never longer.
 */
KxFigure kx_placed_hot(const KxPlacement *p, guint64 found);
KxFigure kx_placed_rest(const KxPlacement *p, guint64 found);

/* The two sums that a user wants to reduce by moving memory; n/a if it is not known what is hot, or which nodes are slow. */
KxFigure kx_placed_hot_on_slow(const KxPlacement *p);
KxFigure kx_placed_cold_on_fast(const KxPlacement *p);

/* Whether any figure is an estimate. */
gboolean kx_placed_is_sample(const KxPlacement *p);

#endif /* KX_PLACED_H */
