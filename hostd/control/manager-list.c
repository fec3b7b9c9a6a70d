// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * List: VMs that run according to libvirt, and VMs that are attached.
 *
 *	kx_manager_list_async → [kx_call_list_work] → list_then
 */
#include "manager-internal.h"

#include "vm/vmfd.h"

static void entry_free(gpointer data)
{
	KxVmEntry *e = data;

	kx_vm_ident_clear(&e->ident);
	g_free(e->state);
	g_free(e->tracker);
	g_free(e->options);
	g_free(e->mechanism);
	g_free(e->yielded);
	g_free(e->waiting);
	g_free(e->progress);
	g_free(e);
}

static KxVmEntry *add_entry(GPtrArray *entries, const char *name, const char *uuid, pid_t pid,
			    const char *state, const char *emulated_by)
{
	KxVmEntry *e = g_new0(KxVmEntry, 1);

	e->ident = (KxVmIdent){ g_strdup(name), g_strdup(uuid), pid };
	e->id = -1;
	e->state = g_strdup(state);
	e->emulated_by = emulated_by;
	g_ptr_array_add(entries, e);
	return e;
}

gboolean kx_call_list_work(KxCall *c, GError **error)
{
	g_autoptr(GPtrArray) domains = NULL;
	guint i;

	c->list.entries = g_ptr_array_new_with_free_func(entry_free);
	if (!c->libvirt)
		return TRUE;
	domains = kx_libvirt_list(c->libvirt, error);
	if (!domains)
		return FALSE;
	for (i = 0; i < domains->len; i++) {
		const KxDomain *d = domains->pdata[i];
		pid_t pid = kx_vmfd_find_pid(c->proc_root, (const char *const *)c->state_dirs,
					     d->name, d->uuid, NULL);

		add_entry(c->list.entries, d->name, d->uuid, pid, d->state,
			  pid ? kx_vmfd_emulator(c->proc_root, pid) : NULL)
			->id = d->id;
	}
	return TRUE;
}

static KxVmEntry *entry_of(GPtrArray *entries, const KxVmIdent *ident)
{
	guint i;

	for (i = 0; i < entries->len; i++) {
		KxVmEntry *e = entries->pdata[i];

		if (e->ident.pid == ident->pid)
			return e;
	}
	return NULL;
}

static void list_then(KxCall *c, GError *error)
{
	guint i;

	if (error) {
		kx_call_done(c, error);
		return;
	}
	for (i = 0; i < c->m->sessions->len; i++) {
		const KxSession *s = c->m->sessions->pdata[i];
		const KxVmIdent *ident = kx_session_ident(s);
		KxVmEntry *e = entry_of(c->list.entries, ident);

		if (!e)
			e = add_entry(c->list.entries, ident->name, ident->uuid, ident->pid,
				      "running", kx_session_emulated_by(s));
		e->attached = TRUE;
		e->tracker = g_strdup(kx_session_options(s)->tracker->name);
		e->options = kx_options_to_string(kx_session_options(s));
		e->mechanism = g_strdup(kx_session_mechanism(s));
		e->yielded = g_strdup(kx_session_yielded(s));
		e->progress = g_strdup(kx_session_doing(s) ? kx_session_doing(s)
							   : kx_session_progress(s));
	}
	for (i = 0; i < c->list.entries->len; i++) {
		KxVmEntry *e = c->list.entries->pdata[i];

		e->waiting = e->ident.uuid ? kx_manager_waits_for(c->m, e->ident.uuid) : NULL;
	}
	g_task_return_pointer(c->task, g_steal_pointer(&c->list.entries),
			      (GDestroyNotify)g_ptr_array_unref);
	kx_call_free(c);
}

void kx_manager_list_async(KxManager *m, GAsyncReadyCallback callback, gpointer data)
{
	KxCall *c = kx_call_new(m, NULL, callback, data);

	/* Without libvirt the list contains only attached VMs; the property LibvirtConnected says that it is incomplete. */
	c->libvirt = kx_domains_hold(m->domains, NULL);
	kx_call_run(c, kx_call_list_work, list_then);
}

GPtrArray *kx_manager_list_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}
