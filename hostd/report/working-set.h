/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums over a map of heat over time, for the texts of the working set. */
#ifndef KX_WORKING_SET_H
#define KX_WORKING_SET_H

#include "model/accessmap.h"

typedef struct {
	guint64 passes, found, min, max, pairs, before, stayed, blocks;
	double mean;  /* pages in a pass; NAN: no pass */
	double again; /* the share of a pass's pages that the next pass found, too; NAN: not known */
	double used;  /* the share of the touched blocks of 2 MiB that was found; NAN: not known */
} KxWorkingSet;

KxWorkingSet kx_working_set(const KxAccessMap *m);
/* Pages that were found at any time; those of the ages. */
guint64 kx_access_pages_known(const KxAccessMap *m);

/* Percentiles that are shown. */
#define KX_SIZE_SHARES 7u
extern const double kx_size_shares[KX_SIZE_SHARES];

#endif /* KX_WORKING_SET_H */
