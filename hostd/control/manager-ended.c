// SPDX-License-Identifier: GPL-2.0-or-later
/* Sessions that have ended: their accounts are kept, within bounds of number and memory. */
#include "manager-internal.h"

/*
 * To save memory, sessions first lose their lists of pages found, the oldest session first. Without these lists accounts are
 * small; if they still take too much memory, whole accounts are dropped.
 */
static void forget_found(gpointer data)
{
	KxSession *s = data;

	kx_session_forget_found(s);
	kx_session_leave(s);
}

static gsize ended_bytes(const KxManager *m)
{
	gsize sum = 0;

	for (const GList *l = m->ended.head; l; l = l->next)
		sum += kx_session_bytes(l->data);
	return sum;
}

static void bound_ended(KxManager *m)
{
	gsize sum = ended_bytes(m);

	for (const GList *l = m->ended.tail; l && sum > KX_MANAGER_ENDED_BYTES; l = l->prev) {
		sum -= kx_session_found_bytes(l->data);
		kx_session_enter(l->data, forget_found, l->data);
	}
	while (sum > KX_MANAGER_ENDED_BYTES && m->ended.length > 1) {
		KxSession *oldest = g_queue_pop_tail(&m->ended);

		sum -= kx_session_bytes(oldest);
		kx_session_unref(oldest);
	}
}

void kx_manager_retire(KxManager *m, KxSession *s)
{
	g_queue_push_head(&m->ended, kx_session_ref(s));
	g_ptr_array_remove(m->sessions, s);
	while (m->ended.length > KX_MANAGER_ENDED_MAX)
		kx_session_unref(g_queue_pop_tail(&m->ended));
	bound_ended(m);
}

void kx_manager_session_ended(KxSession *s, gpointer data)
{
	g_autoptr(KxSession) held = kx_session_ref(s);
	KxManager *m = data;

	kx_manager_stop_asking(m, s);
	kx_manager_retire(m, s);
	kx_manager_tell(m, "vm-gone", s, kx_session_ended(s));
	if (kx_session_plug(s) && m->domains)
		kx_call_unplug_after(kx_call_new(m, NULL, NULL, NULL), s, TRUE);
}
