// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a measurement on this host depends on, for whoever keeps the measurement.
 *
 *	kx_manager_environment_async → [environment_work] → environment_then
 */
#include "manager-internal.h"

#include "vm/environment.h"

static gboolean environment_work(KxCall *c, GError **error)
{
	c->environment = kx_environment_read(c->m->host->root, c->libvirt);
	return TRUE;
}

static void environment_then(KxCall *c, GError *error)
{
	if (error) {
		kx_call_done(c, error);
		return;
	}
	g_task_return_pointer(c->task, g_steal_pointer(&c->environment),
			      (GDestroyNotify)g_ptr_array_unref);
	kx_call_free(c);
}

void kx_manager_environment_async(KxManager *m, GAsyncReadyCallback callback, gpointer data)
{
	KxCall *c = kx_call_new(m, NULL, callback, data);

	c->libvirt = kx_domains_hold(m->domains, NULL);
	kx_call_run(c, environment_work, environment_then);
}

GPtrArray *kx_manager_environment_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}
