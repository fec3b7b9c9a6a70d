/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How hot guest-physical memory is by one tracker's samples: the range classifier that the guest's module uses for its
 * own (kvm-ext/common/ranges.h), in bytes. Its memory is fixed: KX_RANGES_MAX ranges. An epoch ends with the first pass
 * that ends when it is due, so that none ends without the samples of a pass.
 */
#ifndef KX_RANGEMAP_H
#define KX_RANGEMAP_H

#include <glib.h>

#include "model/heatmap.h"

#define KX_RANGEMAP_EPOCH_NS G_GUINT64_CONSTANT(500000000)
#define KX_RANGEMAP_ORDER    12u /* log2 of the smallest range's bytes */

typedef struct _KxRangeMap KxRangeMap;

/* @epoch_ns, @order: 0 for those above. */
KxRangeMap *kx_rangemap_new(guint64 last_gfn, guint vcpus, guint64 epoch_ns, guint order);
void kx_rangemap_free(KxRangeMap *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxRangeMap, kx_rangemap_free)
gboolean kx_rangemap_is(const KxRangeMap *m, guint64 epoch_ns, guint order);

/* Memory has appeared up to @last_gfn. What was known stays known. */
void kx_rangemap_grow(KxRangeMap *m, guint64 last_gfn);

/*
 * Of the pass at hand, which begins with the first of them: it counts once kx_rangemap_end_pass says that it does, and until
 * then is nowhere to be seen. @accesses in all, evenly over the pages.
 */
void kx_rangemap_add(KxRangeMap *m, guint64 gfn, guint64 npages, guint64 accesses);
/* One access of @gfn + i for each bit i. */
void kx_rangemap_add_bits(KxRangeMap *m, guint64 gfn, const guint64 *bits, gsize nwords);
/* The pass does not count: it has never been. */
void kx_rangemap_drop_pass(KxRangeMap *m);
/* @time_ns: CLOCK_MONOTONIC. */
void kx_rangemap_end_pass(KxRangeMap *m, guint64 time_ns);

/* What it knows as of the last epoch; who it is is left to the caller. */
KxHeatMap *kx_rangemap_report(KxRangeMap *m);

#endif /* KX_RANGEMAP_H */
