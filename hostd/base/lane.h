/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of users of which one at a time is inside the lane, in the order of their requests; each of the others is called
 * when its turn comes. So long operations on threads stay in order, and nobody blocks in a lock. Only the main loop uses
 * these functions.
 */
#ifndef KX_LANE_H
#define KX_LANE_H

#include <glib.h>

typedef struct _KxLane KxLane;

typedef void (*KxLaneFn)(gpointer data);

KxLane *kx_lane_new(void);
/* Nobody may be inside the lane or wait for it. */
void kx_lane_free(KxLane *l);

/* Calls @fn when the lane is free; at once if it is free now. Every user who has entered must leave the lane. */
void kx_lane_enter(KxLane *l, KxLaneFn fn, gpointer data);
/* Lets the next waiting user in, if there is one, before this function returns. */
void kx_lane_leave(KxLane *l);
gboolean kx_lane_is_taken(const KxLane *l);
gboolean kx_lane_has_waiters(const KxLane *l);

#endif /* KX_LANE_H */
