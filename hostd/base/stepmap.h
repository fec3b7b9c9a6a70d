/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small count (0 to 255) for each guest frame, as a step function: only the frames at which it changes are kept, so that
 * memory and work go with the spans that were added and not with their pages. Both are bounded: where the function would need
 * more steps than it may have, frames are taken together in grains of 2, 4, 8, … pages, each as high as its highest page.
 *
 * What is added belongs to a pass, in which a frame counts once, however often it is named; the pass is then taken
 * over or dropped as a whole.
 */
#ifndef KX_STEPMAP_H
#define KX_STEPMAP_H

#include <glib.h>

#define KX_STEPMAP_TOP 255u

typedef struct _KxStepMap KxStepMap;

/* @max: steps; of 8 bytes each. A pass at hand has as many spans at most, of 24 bytes. */
KxStepMap *kx_stepmap_new(guint max);
void kx_stepmap_free(KxStepMap *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxStepMap, kx_stepmap_free)

/* Of spans in ascending order each takes a step or so; other orders are sorted at the end of the pass. */
void kx_stepmap_add(KxStepMap *m, guint64 gfn, guint64 npages, guint by);
/* The end of a pass: what was added counts now, or never. */
void kx_stepmap_take(KxStepMap *m);
void kx_stepmap_drop(KxStepMap *m);
/* All counts become half of what they are. */
void kx_stepmap_halve(KxStepMap *m);

guint kx_stepmap_at(KxStepMap *m, guint64 gfn);
/* Calls @fn for each stretch of equal counts from @first to before @end, in order, zeros too. */
typedef void (*KxStepVisit)(gpointer data, guint64 gfn, guint64 npages, guint count);
void kx_stepmap_each(KxStepMap *m, guint64 first, guint64 end, KxStepVisit fn, gpointer data);

guint kx_stepmap_steps(KxStepMap *m);
guint64 kx_stepmap_grain(const KxStepMap *m); /* pages */

#endif /* KX_STEPMAP_H */
