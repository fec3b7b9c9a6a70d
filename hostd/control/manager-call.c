// SPDX-License-Identifier: GPL-2.0-or-later
/* A call: work on a thread, then the rest on the main loop. */
#include "manager-internal.h"

#include "base/error.h"
#include "vm/vmfd.h"

KxCall *kx_call_new(KxManager *m, const char *target, GAsyncReadyCallback callback, gpointer data)
{
	KxCall *c = g_new0(KxCall, 1);

	g_ref_count_inc(&m->refs);
	c->m = m;
	c->target = g_strdup(target);
	c->task = callback ? g_task_new(NULL, NULL, callback, data) : NULL;
	c->proc_root = m->host->proc_root;
	c->state_dirs = kx_vmfd_state_dirs();
	return c;
}

static void forget_recording(KxCall *c)
{
	if (c->record.caller && c->record.gone)
		g_signal_handler_disconnect(c->record.caller, c->record.gone);
	g_clear_object(&c->record.caller);
	if (c->record.recorder) {
		kx_recorder_forget_callback(c->record.recorder);
		if (g_hash_table_lookup(c->m->recordings, c->session) == c)
			g_hash_table_remove(c->m->recordings, c->session);
		g_clear_pointer(&c->record.recorder, kx_recorder_unref);
	}
	g_clear_pointer(&c->record.parts, kx_over_time_free);
}

void kx_call_free(KxCall *c)
{
	g_clear_object(&c->task);
	g_free(c->target);
	g_clear_pointer(&c->set.given, g_hash_table_unref);
	g_strfreev(c->state_dirs);
	kx_libvirt_release(c->libvirt);
	kx_vm_ident_clear(&c->ident);
	g_clear_pointer(&c->list.entries, g_ptr_array_unref);
	g_clear_pointer(&c->kvmstat, g_hash_table_unref);
	kx_selftest_free(c->selftest);
	g_clear_pointer(&c->report.together, g_ptr_array_unref);
	g_clear_pointer(&c->report.rest, g_ptr_array_unref);
	g_clear_pointer(&c->report.sessions, g_ptr_array_unref);
	g_clear_pointer(&c->report.made, kx_report_free);
	g_clear_pointer(&c->pass.handle, kx_session_pass_free);
	g_clear_pointer(&c->found.runs, g_array_unref);
	g_clear_pointer(&c->environment, g_ptr_array_unref);
	g_clear_pointer(&c->place.memory, kx_session_memory_free);
	g_free(c->place.slow_nodes);
	forget_recording(c);
	g_free(c->report.json);
	g_clear_pointer(&c->metrics.busy, g_ptr_array_unref);
	g_clear_pointer(&c->metrics.reads, g_array_unref);
	g_clear_handle_id(&c->metrics.timer, g_source_remove);
	g_free(c->metrics.text);
	kx_plug_unref(c->channel.plug);
	if (c->channel.uuid)
		g_hash_table_remove(c->m->plugging, c->channel.uuid);
	if (c->wait.timer)
		g_source_remove(c->wait.timer);
	g_clear_object(&c->wait.cancellable);
	g_free(c->wait.given_up);
	g_clear_error(&c->error);
	kx_call_leave(
		c); /* the next caller may start here; it may do anything except use this call */
	g_clear_pointer(&c->session, kx_session_unref);
	kx_manager_go_on(c->m, c->channel.uuid, &c->channel.behind);
	g_free(c->channel.uuid);
	c->m->passes -= c->pass.waits;
	kx_manager_unref(c->m);
	g_free(c);
}

void kx_call_done(KxCall *c, GError *error)
{
	if (!c->task)
		g_clear_error(&error);
	else if (error)
		g_task_return_error(c->task, error);
	else
		g_task_return_boolean(c->task, TRUE);
	kx_call_free(c);
}

static void call_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
	KxCall *c = data;
	GError *error = NULL;

	gboolean ok = c->work(c, &error);

	if (c->in)
		kx_session_hand_back(c->in);
	if (ok)
		g_task_return_boolean(task, TRUE);
	else
		g_task_return_error(task, error);
}

static void call_worked(GObject *source, GAsyncResult *result, gpointer data)
{
	KxCall *c = data;
	GError *error = NULL;

	g_task_propagate_boolean(G_TASK(result), &error);
	if (!error && !c->m->domains)
		error = g_error_new_literal(KX_ERROR, KX_ERROR_FAILED, "the daemon is stopping");
	c->then(c, error);
}

static GTask *task_of(KxCall *c, gboolean (*work)(KxCall *, GError **),
		      void (*then)(KxCall *, GError *))
{
	GTask *task = g_task_new(NULL, NULL, call_worked, c);

	c->work = work;
	c->then = then;
	g_task_set_task_data(task, c, NULL);
	if (c->in)
		kx_session_hand_over(c->in);
	return task;
}

void kx_call_run(KxCall *c, gboolean (*work)(KxCall *, GError **), void (*then)(KxCall *, GError *))
{
	g_autoptr(GTask) task = task_of(c, work, then);

	g_task_run_in_thread(task, call_thread);
}

static gpointer call_apart(gpointer data)
{
	g_autoptr(GTask) task = data;

	call_thread(task, NULL, g_task_get_task_data(task), NULL);
	return NULL;
}

void kx_call_run_apart(KxCall *c, gboolean (*work)(KxCall *, GError **),
		       void (*then)(KxCall *, GError *))
{
	g_thread_unref(g_thread_new(KX_CALL_APART, call_apart, task_of(c, work, then)));
}

static void entered(gpointer data)
{
	KxCall *c = data;
	GError *error = NULL;

	if (!c->m->domains)
		error = g_error_new_literal(KX_ERROR, KX_ERROR_FAILED, "the daemon is stopping");
	c->once_in(c, error);
}

void kx_call_enter(KxCall *c, KxSession *s, void (*then)(KxCall *, GError *))
{
	g_return_if_fail(!c->in);
	c->in = s;
	c->once_in = then;
	kx_session_enter(s, entered, c);
}

void kx_call_leave(KxCall *c)
{
	KxSession *s = g_steal_pointer(&c->in);

	if (s)
		kx_session_leave(s);
}

const KxMonitor *kx_call_monitor(const KxCall *c, const char *uuid, KxDomainMonitor *m)
{
	return c->libvirt && uuid ? kx_domain_monitor(m, c->libvirt, uuid) : NULL;
}
