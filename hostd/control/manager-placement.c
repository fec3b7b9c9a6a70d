// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Placement: on which NUMA nodes the hot and the cold memory of one VM lies.
 *	kx_manager_placement_async
 *	memory_entered, [memory_work]   the VM's heat, from its session, which the call then leaves
 *	memory_read
 *	[place_work]                    QEMU's monitor for the layout, the kernel for the pages
 *	placed                          the call is answered
 */
#include "manager-internal.h"

#include "account/placement.h"
#include "base/error.h"
#include "report/json.h"

static const KxNumaSys *numa_of(const KxCall *c)
{
	return c->m->host->numa ? c->m->host->numa : &kx_numa_real;
}

static KxLayout *layout_of(KxCall *c, GError **error)
{
	KxDomainMonitor m;
	const KxMonitor *monitor = kx_call_monitor(c, c->ident.uuid, &m);

	if (monitor)
		return kx_layout_read(monitor, error);
	if (c->place.memory->layout)
		return g_steal_pointer(&c->place.memory->layout);
	g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "where the VM's memory is in QEMU is not known: QEMU's monitor can be "
			    "asked only through libvirt, which does not run this VM or cannot be "
			    "reached");
	return NULL;
}

static KxPlacement *find(KxCall *c, GError **error)
{
	g_autoptr(KxNodes) nodes =
		kx_nodes_read(numa_of(c), c->place.slow_nodes, c->place.memory->vcpus, error);
	g_autoptr(KxLayout) layout = NULL;
	KxPlacement *p;

	if (!nodes)
		return NULL;
	if (nodes->nodes->len == 1) {
		/* Nobody needs to be asked: neither QEMU nor the kernel. */
		p = kx_placement_unknown(g_strdup("the host has one NUMA node"));
		p->host_nodes = 1;
		return p;
	}
	layout = layout_of(c, error);
	if (!layout)
		return NULL;
	return kx_placement_find(&(KxPlacementQuery){
		.sys = numa_of(c),
		.nodes = nodes,
		.proc_root = c->proc_root,
		.pid = c->ident.pid,
		.layout = layout,
		.heat = c->place.memory->vm->heat,
		.seed = g_random_int(),
	});
}

static gboolean place_work(KxCall *c, GError **error)
{
	g_autoptr(GError) why = NULL;
	KxPlacement *p = find(c, &why);
	KxVmReport *v = g_steal_pointer(&c->place.memory->vm);

	v->placement = p ? p : kx_placement_unknown(g_strdup(why->message));
	g_clear_pointer(&v->heat, kx_heat_report_free);
	c->report.made = kx_report_new();
	g_ptr_array_add(c->report.made->vms, v);
	c->report.json = kx_report_to_json(c->report.made);
	return TRUE;
}

/*
 * When a process has ended, its number may become that of another process: only if the session is still alive, the pages were those
 * of the VM.
 */
static void placed(KxCall *c, GError *error)
{
	if (!error && !kx_session_alive(c->session))
		g_set_error(&error, KX_ERROR, KX_ERROR_VM_GONE,
			    "VM \"%s\": the session has ended (%s)", c->target,
			    kx_session_ended(c->session));
	if (error) {
		kx_call_done(c, error);
		return;
	}
	g_task_return_pointer(c->task, g_steal_pointer(&c->report.json), g_free);
	kx_call_free(c);
}

static gboolean memory_work(KxCall *c, GError **error)
{
	c->place.memory = kx_session_memory(c->in);
	return TRUE;
}

static void memory_read(KxCall *c, GError *error)
{
	kx_call_leave(c);
	if (error) {
		kx_call_done(c, error);
		return;
	}
	c->libvirt = kx_domains_hold(c->m->domains, NULL);
	kx_call_run(c, place_work, placed);
}

static void memory_entered(KxCall *c, GError *error)
{
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run(c, memory_work, memory_read);
}

void kx_manager_placement_async(KxManager *m, const char *target, GAsyncReadyCallback callback,
				gpointer data)
{
	KxCall *c = kx_call_new(m, target, callback, data);
	GError *error = NULL;
	KxSession *s = kx_manager_need_alive(m, target, &error);

	if (!s) {
		kx_call_done(c, error);
		return;
	}
	c->session = kx_session_ref(s);
	kx_vm_ident_copy(&c->ident, kx_session_ident(s));
	c->place.slow_nodes = g_strdup(m->config->slow_nodes);
	kx_call_enter(c, s, memory_entered);
}

char *kx_manager_placement_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}
