/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small count (0 to 255) for each guest frame, as a step function: only the frames at which the count changes are stored,
 * so that memory and work grow with the spans that were added and not with their pages. Both are bounded: if the function
 * would need more steps than the limit, frames are merged into grains of 2, 4, 8, … pages; the count of a grain is that of
 * its highest page.
 *
 * Spans are added to the current pass, in which each frame counts once, however often the frame is added. At the end the
 * pass is taken over or dropped as a whole.
 *
 * A map of the latest numbers replaces the count of a frame by the number that it was added with, instead of adding to it.
 */
#ifndef KX_STEPMAP_H
#define KX_STEPMAP_H

#include <glib.h>

#define KX_STEPMAP_TOP 255u

typedef struct _KxStepMap KxStepMap;

/* @max: the maximum number of steps, of 8 bytes each. The current pass has at most as many spans, of 24 bytes each. */
KxStepMap *kx_stepmap_new(guint max);
/* A map of the latest numbers: in a pass, frames are added with the pass's own number, which is greater than all before. */
KxStepMap *kx_stepmap_new_latest(guint max);
void kx_stepmap_free(KxStepMap *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxStepMap, kx_stepmap_free)

/* Spans in ascending order take about one step each; spans in another order are sorted at the end of the pass. */
void kx_stepmap_add(KxStepMap *m, guint64 gfn, guint64 npages, guint by);
/* The end of a pass: the added spans are counted (take) or discarded (drop). */
void kx_stepmap_take(KxStepMap *m);
void kx_stepmap_drop(KxStepMap *m);
/* Halves all counts. */
void kx_stepmap_halve(KxStepMap *m);
/* Replaces each count c by @to[c]; @to never falls, and @to[0] is 0. */
void kx_stepmap_map(KxStepMap *m, const guint8 to[KX_STEPMAP_TOP + 1]);

guint kx_stepmap_at(KxStepMap *m, guint64 gfn);
/* Calls @fn for each run of frames with equal count from @first to before @end, in order, also if the count is 0. */
typedef void (*KxStepVisit)(gpointer data, guint64 gfn, guint64 npages, guint count);
void kx_stepmap_each(KxStepMap *m, guint64 first, guint64 end, KxStepVisit fn, gpointer data);

guint kx_stepmap_steps(KxStepMap *m);
gsize kx_stepmap_bytes(const KxStepMap *m);   /* of the steps and spans that are stored now */
guint64 kx_stepmap_grain(const KxStepMap *m); /* pages */

#endif /* KX_STEPMAP_H */
