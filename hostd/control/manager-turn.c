// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls that change a VM's channel to its guest run one after the other. */
#include "manager-internal.h"

#include "base/error.h"

/* One call at a time, so that the daemon never has two ends of the same channel. */
gboolean kx_call_begin_plugging(KxCall *c, const char *uuid, GError **error)
{
	if (!uuid || c->channel.uuid)
		return TRUE;
	if (g_hash_table_contains(c->m->plugging, uuid)) {
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
			    "the channel to the guest of VM \"%s\" is being changed already; try "
			    "again when that is done",
			    c->target ? c->target : uuid);
		return FALSE;
	}
	c->channel.uuid = g_strdup(uuid);
	g_hash_table_insert(c->m->plugging, g_strdup(uuid), c);
	return TRUE;
}

void kx_call_after_plugging(KxCall *c, const char *uuid, void (*then)(KxCall *, GError *))
{
	KxCall *holder = uuid ? g_hash_table_lookup(c->m->plugging, uuid) : NULL;

	c->then = then;
	if (holder)
		g_queue_push_tail(&holder->channel.behind, c);
	else
		then(c, NULL);
}

/* The first call may change the channel, too: then the other calls wait for this one. */
void kx_manager_go_on(KxManager *m, const char *uuid, GQueue *behind)
{
	KxCall *c;

	while ((c = g_queue_pop_head(behind))) {
		if (m->domains)
			kx_call_after_plugging(c, uuid, c->then);
		else
			c->then(c, g_error_new_literal(KX_ERROR, KX_ERROR_FAILED,
						       "the daemon is stopping"));
	}
}
