// SPDX-License-Identifier: GPL-2.0-or-later
/* SetTracker, Detach and RunPass, and what QEMU is asked before a window is opened or closed. */
#include "manager-internal.h"

#include "error.h"

/* --- what is to be asked of QEMU before a window is opened or closed ------------------------------------------------ */

static gboolean ask_work(KxCall *c, GError **error)
{
	GHashTableIter it;
	gpointer uuid, st;

	g_hash_table_iter_init(&it, c->kvmstat);
	while (g_hash_table_iter_next(&it, &uuid, &st)) {
		if (!kx_libvirt_kvmstat(c->libvirt, uuid, st, NULL))
			g_hash_table_iter_remove(&it);
	}
	return TRUE; /* what QEMU does not tell is n/a in the report, not an error */
}

/* Goes on with @then at once unless one of @sessions has no better source of KVM's counters. */
void kx_call_ask_qemu(KxCall *c, GPtrArray *sessions, void (*then)(KxCall *, GError *))
{
	guint i;

	c->kvmstat = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (i = 0; i < sessions->len; i++) {
		const char *uuid = kx_session_ident(sessions->pdata[i])->uuid;

		if (uuid && kx_session_wants_qmp(sessions->pdata[i]))
			g_hash_table_insert(c->kvmstat, g_strdup(uuid), g_new0(KxKvmStat, 1));
	}
	c->libvirt = g_hash_table_size(c->kvmstat) ? kx_domains_hold(c->m->domains, NULL) : NULL;
	if (c->libvirt) {
		kx_call_run(c, ask_work, then);
		return;
	}
	g_hash_table_remove_all(c->kvmstat);
	then(c, NULL);
}

const KxKvmStat *kx_call_asked(const KxCall *c, const KxSession *s)
{
	const char *uuid = kx_session_ident(s)->uuid;

	return uuid ? g_hash_table_lookup(c->kvmstat, uuid) : NULL;
}

void kx_call_ask_qemu_for(KxCall *c, void (*then)(KxCall *, GError *))
{
	g_autoptr(GPtrArray) one = g_ptr_array_new();
	GError *error = NULL;
	KxSession *s = kx_manager_need_alive(c->m, c->target, &error);

	if (!s) {
		kx_call_done(c, error);
		return;
	}
	g_ptr_array_add(one, s);
	kx_call_ask_qemu(c, one, then);
}

/* --- set, detach, pass -------------------------------------------------------------------------------------------- */

static void set_then(KxCall *c, GError *error)
{
	KxSession *s = error ? NULL : kx_manager_need_alive(c->m, c->target, &error);
	KxOptions o;

	if (s) {
		o = *kx_session_options(s);
		o.wait_ns = KX_PATIENCE_AUTO;
		if (kx_manager_apply_options(&o, c->options, &error) &&
		    kx_session_set(s, &o, kx_call_asked(c, s), &error))
			kx_manager_tell(c->m, "tracker", s, NULL);
	}
	kx_call_done(c, error);
}

/* The guest runs it by now; the session's window follows. */
static void told_then(KxCall *c, GError *error)
{
	KxSession *s;

	error = kx_call_end_wait(c, error);
	s = error ? NULL : kx_manager_need_alive(c->m, c->target, &error);
	if (s && !kx_session_plug(s))
		kx_session_give_plug(s, g_steal_pointer(&c->plug));
	if (s) {
		g_clear_pointer(&c->libvirt, kx_libvirt_release); /* ask_qemu holds its own */
		kx_call_ask_qemu_for(c, set_then);
	} else if (c->plug && c->session && !kx_session_plug(c->session)) {
		c->error = error;
		kx_call_run(c, kx_call_unplug_work, kx_call_unplug_then);
	} else {
		kx_call_done(c, error);
	}
}

/* A tracker in the guest is first told to the guest, which can refuse it. */
static void tell_guest(KxCall *c, KxSession *s)
{
	GError *error = NULL;

	if (!kx_call_begin_plugging(c, kx_session_ident(s)->uuid, &error)) {
		kx_call_done(c, error);
		return;
	}
	c->session = kx_session_ref(s);
	kx_vm_ident_copy(&c->ident, kx_session_ident(s));
	c->plug = kx_session_plug(s) ? kx_plug_ref(kx_session_plug(s)) : NULL;
	c->libvirt = kx_domains_hold(c->m->domains, NULL);
	kx_call_begin_wait(c);
	kx_call_run(c, kx_call_plug_work, told_then);
}

void kx_manager_set_async(KxManager *m, const char *target, GHashTable *options,
			  GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
	KxCall *c = kx_call_new(m, target, callback, data);
	GError *error = NULL;
	KxSession *s = kx_manager_need_alive(m, target, &error);

	c->options = options ? g_hash_table_ref(options) : NULL;
	c->cancellable = cancellable ? g_object_ref(cancellable) : NULL;
	if (s) {
		c->auto_options = *kx_session_options(s);
		c->auto_options.wait_ns = KX_PATIENCE_AUTO; /* each call's own */
	}
	if (!s || !kx_manager_apply_options(&c->auto_options, options, &error))
		kx_call_done(c, error);
	else if (kx_manager_runs_in_guest(&c->auto_options))
		tell_guest(c, s);
	else
		kx_call_ask_qemu_for(c, set_then);
}

static void detach_then(KxCall *c, GError *error)
{
	g_autoptr(KxSession) s = error ? NULL : kx_manager_need_alive(c->m, c->target, &error);

	if (s) {
		kx_session_ref(s);
		kx_session_end(s, "detached", kx_call_asked(c, s));
		kx_manager_retire(c->m, s);
		kx_let_alone_add(c->m->let_alone, kx_session_ident(s)->uuid,
				 kx_session_ident(s)->pid);
		kx_manager_tell(c->m, "detached", s, NULL);
	}
	if (s && kx_session_plug(s))
		kx_call_unplug_after(c, s, FALSE);
	else
		kx_call_done(c, error);
}

void kx_manager_detach_async(KxManager *m, const char *target, GAsyncReadyCallback callback,
			     gpointer data)
{
	gboolean gave_up = kx_manager_give_up(m, target, "it was detached meanwhile");
	KxCall *c = kx_call_new(m, target, callback, data);

	/* One that was about to be attached: the call that waited cleans up. */
	if (gave_up && !kx_manager_find_alive(m, target, NULL))
		kx_call_done(c, NULL);
	else
		kx_call_ask_qemu_for(c, detach_then);
}

gboolean kx_manager_done_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_boolean(G_TASK(result), error);
}

typedef struct {
	KxSession *session;
	GTask *task;
} Pass;

static void pass_done(GObject *source, GAsyncResult *result, gpointer data)
{
	g_autofree Pass *p = data;
	g_autofree guint64 *pass = g_new0(guint64, 1);
	GError *error = NULL;

	if (kx_session_run_pass_finish(p->session, result, pass, &error))
		g_task_return_pointer(p->task, g_steal_pointer(&pass), g_free);
	else
		g_task_return_error(p->task, error);
	g_object_unref(p->task);
}

void kx_manager_run_pass_async(KxManager *m, const char *target, GAsyncReadyCallback callback,
			       gpointer data)
{
	GTask *task = g_task_new(NULL, NULL, callback, data);
	GError *error = NULL;
	KxSession *s = kx_manager_need_alive(m, target, &error);
	Pass *p;

	if (!s) {
		g_task_return_error(task, error);
		g_object_unref(task);
		return;
	}
	p = g_new(Pass, 1);
	*p = (Pass){ s, task };
	kx_session_run_pass_async(s, pass_done, p);
}

gboolean kx_manager_run_pass_finish(GAsyncResult *result, guint64 *pass, GError **error)
{
	g_autofree guint64 *p = g_task_propagate_pointer(G_TASK(result), error);

	if (p)
		*pass = *p;
	return p != NULL;
}
