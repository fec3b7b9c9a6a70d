// SPDX-License-Identifier: GPL-2.0-or-later
#include "lane.h"

typedef struct {
	KxLaneFn fn;
	gpointer data;
} Waiter;

struct _KxLane {
	gboolean taken;
	GQueue waiting; /* Waiter */
};

KxLane *kx_lane_new(void)
{
	KxLane *l = g_new0(KxLane, 1);

	g_queue_init(&l->waiting);
	return l;
}

void kx_lane_free(KxLane *l)
{
	if (!l)
		return;
	g_warn_if_fail(!l->taken && !l->waiting.length);
	g_queue_clear_full(&l->waiting, g_free);
	g_free(l);
}

void kx_lane_enter(KxLane *l, KxLaneFn fn, gpointer data)
{
	Waiter *w;

	if (!l->taken) {
		l->taken = TRUE;
		fn(data);
		return;
	}
	w = g_new(Waiter, 1);
	*w = (Waiter){ fn, data };
	g_queue_push_tail(&l->waiting, w);
}

void kx_lane_leave(KxLane *l)
{
	g_autofree Waiter *next = NULL;

	g_return_if_fail(l->taken);
	next = g_queue_pop_head(&l->waiting);
	if (next)
		next->fn(next->data);
	else
		l->taken = FALSE;
}

gboolean kx_lane_is_taken(const KxLane *l)
{
	return l->taken;
}

gboolean kx_lane_has_waiters(const KxLane *l)
{
	return l->waiting.length != 0;
}
