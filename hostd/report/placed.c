// SPDX-License-Identifier: GPL-2.0-or-later
#include "placed.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

#define PAGES_PER_MIB 256.0

/* @found of @asked, of @pages in all. */
static KxFigure share(guint64 pages, guint64 asked, guint64 found)
{
	double p, n, z = gsl_cdf_ugaussian_Pinv(0.975), middle, half;
	KxFigure f;

	if (asked == pages)
		return kx_figure((double)found / PAGES_PER_MIB, asked);
	if (!asked)
		return kx_unavailable("no page was asked about");
	p = (double)found / (double)asked;
	f = kx_figure(p * (double)pages / PAGES_PER_MIB, asked);
	/* A sample without replacement has as much information as a larger sample with replacement: this is its size. */
	n = (double)asked * ((double)pages - 1) / ((double)pages - (double)asked);
	middle = (p + z * z / (2 * n)) / (1 + z * z / n);
	half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
	/* Pages that were found are certain. At both ends of the scale a rounding error must not remain. */
	f.low = found ? MAX((middle - half) * (double)pages, (double)found) / PAGES_PER_MIB : 0;
	f.high = found < asked
			 ? MIN((middle + half) * (double)pages, (double)(pages - (asked - found))) /
				   PAGES_PER_MIB
			 : (double)pages / PAGES_PER_MIB;
	return f;
}

KxFigure kx_placed_hot(const KxPlacement *p, guint64 found)
{
	return p->hot_na ? kx_unavailable(p->hot_na) : share(p->hot_pages, p->hot_asked, found);
}

KxFigure kx_placed_rest(const KxPlacement *p, guint64 found)
{
	return p->na ? kx_unavailable(p->na) : share(p->rest_pages, p->rest_asked, found);
}

KxFigure kx_placed_hot_on_slow(const KxPlacement *p)
{
	guint64 found = 0;

	if (p->slow_na && !p->hot_na)
		return kx_unavailable(p->slow_na);
	for (guint i = 0; i < p->nodes->len; i++) {
		const KxPlacedNode *n = &g_array_index(p->nodes, KxPlacedNode, i);

		found += n->slow ? n->hot : 0;
	}
	return kx_placed_hot(p, found);
}

KxFigure kx_placed_cold_on_fast(const KxPlacement *p)
{
	guint64 found = 0;

	if (p->hot_na || p->slow_na)
		return kx_unavailable(p->hot_na ? p->hot_na : p->slow_na);
	for (guint i = 0; i < p->nodes->len; i++) {
		const KxPlacedNode *n = &g_array_index(p->nodes, KxPlacedNode, i);

		found += n->slow ? 0 : n->rest;
	}
	return kx_placed_rest(p, found);
}

gboolean kx_placed_is_sample(const KxPlacement *p)
{
	return p->hot_asked < p->hot_pages || p->rest_asked < p->rest_pages;
}
