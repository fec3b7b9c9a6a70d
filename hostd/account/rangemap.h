/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How hot guest-physical memory is by one tracker's samples. It is the same range classifier that the guest's module uses
 * (kvm-ext/common/ranges.h), with addresses in bytes. Its memory is fixed: KX_RANGES_MAX ranges. When an epoch is due, it ends
 * with the next pass that ends, so that each epoch has the samples of at least one pass.
 */
#ifndef KX_RANGEMAP_H
#define KX_RANGEMAP_H

#include <glib.h>

#include "model/heatmap.h"

#define KX_RANGEMAP_EPOCH_NS G_GUINT64_CONSTANT(500000000)
#define KX_RANGEMAP_ORDER    12u /* log2 of the smallest range's bytes */

typedef struct _KxRangeMap KxRangeMap;

/* @epoch_ns, @order: 0: the defaults above. */
KxRangeMap *kx_rangemap_new(guint64 last_gfn, guint vcpus, guint64 epoch_ns, guint order);
void kx_rangemap_free(KxRangeMap *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxRangeMap, kx_rangemap_free)
gboolean kx_rangemap_is(const KxRangeMap *m, guint64 epoch_ns, guint order);

gsize kx_rangemap_bytes(const KxRangeMap *m);

/* The VM has more memory now: its last frame is @last_gfn. Nothing known is lost. */
void kx_rangemap_grow(KxRangeMap *m, guint64 last_gfn);

/*
 * Adds samples of the current pass; the first samples after the end of a pass begin the next one. They count when
 * kx_rangemap_end_pass is called, and no result shows them before. @accesses: the total, spread evenly over the pages.
 */
void kx_rangemap_add(KxRangeMap *m, guint64 gfn, guint64 npages, guint64 accesses);
/* One access of @gfn + i for each bit i. */
void kx_rangemap_add_bits(KxRangeMap *m, guint64 gfn, const guint64 *bits, gsize nwords);
/* The current pass does not count: its samples are discarded. */
void kx_rangemap_drop_pass(KxRangeMap *m);
/* @time_ns: CLOCK_MONOTONIC. */
void kx_rangemap_end_pass(KxRangeMap *m, guint64 time_ns);

/* The ranges at the end of the last epoch. The caller fills in tracker, options and mechanism. */
KxHeatMap *kx_rangemap_report(KxRangeMap *m);

#endif /* KX_RANGEMAP_H */
