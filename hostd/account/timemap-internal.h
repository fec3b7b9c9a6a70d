/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A map while it is made. For the map (timemap.c) and for what is told of it (timemap-report.c). */
#ifndef KX_TIMEMAP_INTERNAL_H
#define KX_TIMEMAP_INTERNAL_H

#include "ages.h"
#include "base/gfnset.h"
#include "timemap.h"

/* While a pass runs, and in the rows, cells are in the order in which their columns were found first (slots). */
struct _KxTimeMap {
	KxTimeMapKind kind;
	gboolean apart;
	guint64 last_gfn; /* frames beyond it do not exist */
	guint64 origin_ns, bin_ns;
	guint order;	   /* log2 of a column's pages */
	GArray *bins;	   /* guint64: the bin of each slot */
	GHashTable *slots; /* bin → slot + 1 */
	guint64 last_bin; /* of the last page: memory is found in ascending order, so the next page is mostly in the same bin */
	guint last_slot;
	GPtrArray *rows; /* KxAccessRow; a row has no cells for slots that were made after it */
	/* the current pass */
	KxAccessRow *pass;
	KxGfnSet *found;	   /* for KX_TIMEMAP_PAGES */
	guint64 aggregation_pages; /* regions: pages × accesses */
	guint32 checks, regions;   /* of the aggregation: checks of a region; regions so far */
	gboolean complete;	   /* all regions of the aggregation were received */
	/* the pass before, if the current one follows it directly */
	KxGfnSet *before;
	gboolean follows;
	guint64 last_pass, last_start_ns;
	guint64 between_ns, between_n;	   /* sums over passes that follow each other */
	guint64 first_end_ns, last_end_ns; /* of the passes in the rows; 0: none yet */
	KxAges *ages; /* NULL for KX_TIMEMAP_EVENTS: single accesses give no ages */
	GArray *sizes;
	guint32 sizes_every, sizes_skipped;
	guint64 block_use[KX_ACCESS_BLOCK_CLASSES];
};

#endif /* KX_TIMEMAP_INTERNAL_H */
