// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * OverTime: the heat over time of one VM, with the borders of its memory.
 *	kx_manager_over_time_async
 *	over_time_entered, [read_work]   from the session, which the call then leaves
 *	over_time_read
 *	[parts_work]                     QEMU's monitor for the layout, if the VM runs; the text
 *	told                             answers the call
 */
#include "manager-internal.h"

#include "report/json.h"

static void take_parts(KxOverTime *t, const KxLayout *layout)
{
	for (guint i = 0; i < layout->parts->len; i++) {
		const KxLayoutPart *p = &g_array_index(layout->parts, KxLayoutPart, i);
		KxAccessPart part = { p->gfn, p->npages };

		g_array_append_val(t->parts, part);
	}
}

/* If the monitor does not answer, a layout that was read earlier is used: it changes only when memory is plugged in or out. */
void kx_call_read_parts(const KxCall *c, KxLayout *known, KxOverTime *t)
{
	g_autoptr(GError) why = NULL;
	KxDomainMonitor m;
	const KxMonitor *monitor = kx_call_monitor(c, c->ident.uuid, &m);
	g_autoptr(KxLayout) layout = monitor ? kx_layout_read(monitor, &why) : NULL;

	if (layout) {
		kx_layout_free(known);
	} else {
		layout = known;
	}
	if (layout)
		take_parts(t, layout);
	else
		t->parts_na = g_strdup(why ? why->message
					   : "QEMU's monitor can be asked only through libvirt, "
					     "and only while the VM runs");
}

static gboolean parts_work(KxCall *c, GError **error)
{
	KxVmReport *v = g_steal_pointer(&c->place.memory->vm);

	kx_call_read_parts(c, g_steal_pointer(&c->place.memory->layout), v->over_time);
	c->report.made = kx_report_new();
	g_ptr_array_add(c->report.made->vms, v);
	c->report.json = kx_report_to_json(c->report.made);
	return TRUE;
}

static void told(KxCall *c, GError *error)
{
	if (error) {
		kx_call_done(c, error);
		return;
	}
	g_task_return_pointer(c->task, g_steal_pointer(&c->report.json), g_free);
	kx_call_free(c);
}

static gboolean read_work(KxCall *c, GError **error)
{
	c->place.memory = kx_session_over_time(c->in);
	return TRUE;
}

static void over_time_read(KxCall *c, GError *error)
{
	kx_call_leave(c);
	if (error) {
		kx_call_done(c, error);
		return;
	}
	if (kx_session_alive(c->session))
		c->libvirt = kx_domains_hold(c->m->domains, NULL);
	kx_call_run(c, parts_work, told);
}

static void over_time_entered(KxCall *c, GError *error)
{
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run(c, read_work, over_time_read);
}

void kx_manager_over_time_async(KxManager *m, const char *target, GAsyncReadyCallback callback,
				gpointer data)
{
	KxCall *c = kx_call_new(m, target, callback, data);
	GError *error = NULL;
	KxSession *s = kx_manager_need_account(m, target, &error);

	if (!s) {
		kx_call_done(c, error);
		return;
	}
	c->session = kx_session_ref(s);
	kx_vm_ident_copy(&c->ident, kx_session_ident(s));
	kx_call_enter(c, s, over_time_entered);
}

char *kx_manager_over_time_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}
