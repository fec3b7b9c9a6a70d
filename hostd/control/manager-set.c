// SPDX-License-Identifier: GPL-2.0-or-later
/* SetTracker, Detach and RunPass, and what QEMU is asked before a window is opened or closed. */
#include "manager-internal.h"

#include "base/error.h"

/*
 * The first steps of whatever opens or closes windows, up to its own @then:
 *	kx_call_ask_qemu           whether KVM's counters have no better source
 *	[ask_work]                 if so
 */

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

/*
 * SetTracker:
 *	kx_manager_set_async       options are read; a call that waits for this guest gives way
 *	set_begin                  after whoever changes the VM's channel
 *	[kx_call_plug_work]        a tracker in the guest: a channel, and the guest is told; it may be waited for
 *	told_then, told_entered    the channel is the session's
 *	[ask_work]                 QEMU, for KVM's counters
 *	set_then, set_entered      in the session
 *	[set_work]                 the switch
 *	set_done                   left, told, answered
 * After an error behind the guest's answer:
 *	take_back → [kx_call_unplug_work] → kx_call_unplug_then
 *
 * Detach:
 *	kx_manager_detach_async    whoever waits for this guest gives up
 *	[ask_work]                 QEMU, for KVM's counters
 *	detach_then, detach_entered
 *	[finish_work]              the tracker stops, the account is closed
 *	detach_done                ended, told; with a channel kx_call_unplug_after, which answers
 *
 * RunPass:
 *	kx_manager_run_pass_async
 *	pass_entered               a handle; the session is left, which goes on while the pass runs
 *	[pass_work]                the pass
 *	pass_ran, pass_entered_again
 *	[drain_work]               its samples
 *	pass_drained               answered
 */

/* --- set, detach, pass -------------------------------------------------------------------------------------------- */

static gboolean set_work(KxCall *c, GError **error)
{
	KxCallMonitor m;

	return kx_session_set(c->in, &c->set.options, kx_call_asked(c, c->in),
			      kx_call_monitor(c, kx_session_ident(c->in)->uuid, &m), error);
}

static void set_done(KxCall *c, GError *error)
{
	g_autoptr(KxSession) s = kx_session_ref(c->in);

	kx_session_does(s, NULL);
	kx_call_leave(c); /* from here on the session shows what it was set to */
	if (!error)
		kx_manager_tell(c->m, "tracker", s, NULL);
	kx_call_done(c, error);
}

/* The session that was entered, unless it ended while the call waited for its turn. */
static KxSession *still_alive(const KxCall *c, GError **error)
{
	if (kx_session_alive(c->in))
		return c->in;
	g_set_error(error, KX_ERROR, KX_ERROR_VM_GONE, "VM \"%s\": the session has ended (%s)",
		    c->target, kx_session_ended(c->in));
	return NULL;
}

/*
 * From those of now, which another call may have set while this one waited; with "fresh" from the defaults, but for what holds as
 * long as the VM is attached.
 */
static gboolean make_options(KxCall *c, const KxSession *s, GError **error)
{
	c->set.options = *kx_session_options(s);
	if (c->set.fresh) {
		kx_options_init(&c->set.options);
		c->set.options.ring_pages = kx_session_options(s)->ring_pages;
	}
	c->set.options.wait_ns = KX_PATIENCE_AUTO; /* each call's own */
	return kx_manager_apply_options(&c->set.options, c->set.given, error);
}

static void set_entered(KxCall *c, GError *error)
{
	KxSession *s = error ? NULL : still_alive(c, &error);

	if (!s || !make_options(c, s, &error)) {
		kx_call_done(c, error);
		return;
	}
	if (!c->libvirt && c->m->domains)
		c->libvirt = kx_domains_hold(c->m->domains, NULL); /* whose monitor may be asked */
	kx_session_does(s, "the tracker is being set");
	kx_call_run(c, set_work, set_done);
}

static void set_then(KxCall *c, GError *error)
{
	KxSession *s = error ? NULL : kx_manager_need_alive(c->m, c->target, &error);

	if (s)
		kx_call_enter(c, s, set_entered);
	else
		kx_call_done(c, error);
}

/* The guest has been told, and the session is gone: the device, if it is ours, goes, too. */
static void take_back(KxCall *c, GError *error)
{
	kx_call_leave(c);
	c->set.pending = FALSE;
	if (!c->channel.plug || c->channel.borrowed || kx_session_plug(c->session)) {
		kx_call_done(c, error);
		return;
	}
	c->error = error;
	kx_call_run_apart(c, kx_call_unplug_work, kx_call_unplug_then);
}

static void told_entered(KxCall *c, GError *error)
{
	KxSession *s = error ? NULL : still_alive(c, &error);

	if (!s) {
		take_back(c, error);
		return;
	}
	if (!kx_session_plug(s))
		kx_session_give_plug(s, g_steal_pointer(&c->channel.plug));
	kx_call_leave(c);
	g_clear_pointer(&c->libvirt, kx_libvirt_release); /* ask_qemu holds its own */
	kx_call_ask_qemu_for(c, set_then);
}

/* The guest runs it by now; the session's window follows. */
static void told_then(KxCall *c, GError *error)
{
	KxSession *s;

	error = kx_call_end_wait(c, error);
	s = error ? NULL : kx_manager_need_alive(c->m, c->target, &error);
	if (s)
		kx_call_enter(c, s, told_entered);
	else
		take_back(c, error);
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
	c->channel.plug = kx_session_plug(s) ? kx_plug_ref(kx_session_plug(s)) : NULL;
	c->channel.borrowed = c->channel.plug != NULL;
	c->libvirt = kx_domains_hold(c->m->domains, NULL);
	kx_call_begin_wait(c);
	kx_call_run_apart(c, kx_call_plug_work, told_then);
}

/* What was decided when the VM was attached. */
static gboolean can_be_set(GHashTable *options, GError **error)
{
	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		if (!k->at_attach || !options || !g_hash_table_contains(options, k->key))
			continue;
		g_set_error(error, KX_ERROR, KX_ERROR_INVALID_OPTION,
			    "%s holds as long as the VM is attached and cannot be set now; detach "
			    "the VM, then attach it with --%s",
			    k->key, k->key);
		return FALSE;
	}
	return TRUE;
}

static void set_begin(KxCall *c, GError *error)
{
	KxSession *s = error ? NULL : kx_manager_need_alive(c->m, c->target, &error);

	if (!s || !make_options(c, s, &error))
		kx_call_done(c, error);
	else if (kx_manager_runs_in_guest(&c->set.options))
		tell_guest(c, s);
	else
		kx_call_ask_qemu_for(c, set_then);
}

void kx_manager_set_async(KxManager *m, const char *target, GHashTable *options,
			  GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
	KxCall *c = kx_call_new(m, target, callback, data);
	GError *error = NULL;
	KxSession *s = kx_manager_need_alive(m, target, &error);

	c->set.fresh = options && g_strcmp0(g_hash_table_lookup(options, "fresh"), "yes") == 0;
	if (options)
		g_hash_table_remove(options, "fresh");
	c->set.given = options ? g_hash_table_ref(options) : NULL;
	c->wait.cancellable = cancellable ? g_object_ref(cancellable) : NULL;
	c->set.pending = TRUE;
	if (!s || !can_be_set(options, &error) || !make_options(c, s, &error))
		kx_call_done(c, error);
	else if (options && g_hash_table_contains(options, "tracker") && kx_call_takes_over(c, s))
		kx_call_after_plugging(c, kx_session_ident(s)->uuid, set_begin);
	else
		set_begin(c, NULL);
}

static gboolean finish_work(KxCall *c, GError **error)
{
	kx_session_finish(c->in, kx_call_asked(c, c->in));
	return TRUE;
}

static void detach_done(KxCall *c, GError *error)
{
	g_autoptr(KxSession) s = kx_session_ref(c->in);
	gboolean ours = !error && kx_session_alive(s);

	if (ours) {
		kx_session_finished(s, "detached");
		kx_manager_retire(c->m, s);
		kx_let_alone_add(c->m->let_alone, kx_session_ident(s)->uuid,
				 kx_session_ident(s)->pid);
		kx_manager_tell(c->m, "detached", s, NULL);
	}
	kx_call_leave(c);
	if (ours && kx_session_plug(s))
		kx_call_unplug_after(c, s, FALSE);
	else
		kx_call_done(c, error);
}

static void detach_entered(KxCall *c, GError *error)
{
	KxSession *s = error ? NULL : still_alive(c, &error);

	if (!s) {
		kx_call_done(c, error);
		return;
	}
	kx_session_does(s, "is being detached");
	kx_call_run(c, finish_work, detach_done);
}

static void detach_then(KxCall *c, GError *error)
{
	KxSession *s = error ? NULL : kx_manager_need_alive(c->m, c->target, &error);

	if (s)
		kx_call_enter(c, s, detach_entered);
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

/* --- a pass now ------------------------------------------------------------------------------------------------------- */

static gboolean drain_work(KxCall *c, GError **error)
{
	return kx_session_drain(c->in, error);
}

static void pass_drained(KxCall *c, GError *error)
{
	if (error) {
		kx_call_done(c, error);
		return;
	}
	g_task_return_pointer(c->task, g_memdup2(&c->pass.number, sizeof(c->pass.number)), g_free);
	kx_call_free(c);
}

/* The pass' records are in the ring: PASS_END is written before the module answers. */
static void pass_entered_again(KxCall *c, GError *error)
{
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run(c, drain_work, pass_drained);
}

static void pass_ran(KxCall *c, GError *error)
{
	if (error)
		kx_call_done(c, error);
	else
		kx_call_enter(c, c->session, pass_entered_again);
}

static gboolean pass_work(KxCall *c, GError **error)
{
	return kx_session_pass_run(c->pass.handle, &c->pass.number, error);
}

static void pass_entered(KxCall *c, GError *error)
{
	if (!error)
		c->pass.handle = kx_session_pass_new(c->in, &error);
	kx_call_leave(c); /* the session goes on while the pass runs */
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run(c, pass_work, pass_ran);
}

void kx_manager_run_pass_async(KxManager *m, const char *target, GAsyncReadyCallback callback,
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
	kx_call_enter(c, s, pass_entered);
}

gboolean kx_manager_run_pass_finish(GAsyncResult *result, guint64 *pass, GError **error)
{
	g_autofree guint64 *p = g_task_propagate_pointer(G_TASK(result), error);

	if (p)
		*pass = *p;
	return p != NULL;
}
