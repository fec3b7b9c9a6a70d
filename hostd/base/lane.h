/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lane is entered by one at a time, in the order they came; the others are called when it is their turn. So what takes time, and
 * runs on threads, stays in order without anybody waiting in a lock. The main loop's alone.
 */
#ifndef KX_LANE_H
#define KX_LANE_H

#include <glib.h>

typedef struct _KxLane KxLane;

typedef void (*KxLaneFn)(gpointer data);

KxLane *kx_lane_new(void);
/* Nobody may be in it, or wait. */
void kx_lane_free(KxLane *l);

/* Calls @fn when the lane is free: at once, if it is. Whoever has entered leaves, sooner or later. */
void kx_lane_enter(KxLane *l, KxLaneFn fn, gpointer data);
/* Lets the next one in, if there is one, before it returns. */
void kx_lane_leave(KxLane *l);
gboolean kx_lane_is_taken(const KxLane *l);
gboolean kx_lane_has_waiters(const KxLane *l);

#endif /* KX_LANE_H */
