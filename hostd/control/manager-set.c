// SPDX-License-Identifier: GPL-2.0-or-later
/* SetTracker, Detach and RunPass; and KVM's counters from QEMU before a window is opened or closed. */
#include "manager-internal.h"

#include "base/error.h"

/*
 * The first steps of operations that open or close windows, before their own @then:
 *	kx_call_ask_qemu           decides whether QEMU is the best source of KVM's counters
 *	[ask_work]                 if QEMU is, asks it
 */

/* --- KVM's counters from QEMU --------------------------------------------------------------------------------------- */

static gboolean ask_work(KxCall *c, GError **error)
{
	GHashTableIter it;
	gpointer uuid, st;

	g_hash_table_iter_init(&it, c->kvmstat);
	while (g_hash_table_iter_next(&it, &uuid, &st)) {
		if (!kx_libvirt_kvmstat(c->libvirt, uuid, st, NULL))
			g_hash_table_iter_remove(&it);
	}
	return TRUE; /* counters that QEMU does not return are n/a in the report, not an error */
}

/* Continues with @then at once if all @sessions have a better source of KVM's counters than QEMU. */
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
 *	kx_manager_set_async       reads the options; a call that waits for this guest ends in favour of this call
 *	set_begin                  runs when no other call changes the VM's channel
 *	[kx_call_plug_work]        for a tracker in the guest: plugs in a channel, commands the guest, may wait for it
 *	told_then, told_entered    gives the channel to the session
 *	[ask_work]                 asks QEMU for KVM's counters
 *	set_then, set_entered      enters the session
 *	[set_work]                 switches the tracker
 *	set_done                   leaves the session, sends the event, answers
 * After an error that follows the guest's answer:
 *	take_back → [kx_call_unplug_work] → kx_call_unplug_then
 *
 * Detach:
 *	kx_manager_detach_async    ends calls that wait for this guest
 *	[ask_work]                 asks QEMU for KVM's counters
 *	detach_then, detach_entered
 *	[finish_work]              stops the tracker, closes the account
 *	detach_done                marks the session as ended, sends the event; kx_call_unplug_after answers if there is a channel
 *
 * RunPass:
 *	kx_manager_run_pass_async
 *	pass_entered               makes a handle and leaves the session, which continues while the pass runs
 *	[pass_work]                runs the pass
 *	pass_ran, pass_entered_again
 *	[drain_work]               reads the samples of the pass
 *	pass_drained               answers
 */

/* --- SetTracker and Detach ---------------------------------------------------------------------------------------- */

static gboolean set_work(KxCall *c, GError **error)
{
	KxDomainMonitor m;

	return kx_session_set(c->in, &c->set.options, kx_call_asked(c, c->in),
			      kx_call_monitor(c, kx_session_ident(c->in)->uuid, &m), error);
}

static void set_done(KxCall *c, GError *error)
{
	g_autoptr(KxSession) s = kx_session_ref(c->in);

	kx_session_does(s, NULL);
	kx_call_leave(c); /* from now on the main loop sees the new setting */
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
 * The given options on top of the current options, which another call may have changed while this call waited. With "fresh", on
 * top of the defaults, except for options that are valid as long as the VM is attached.
 */
static gboolean make_options(KxCall *c, const KxSession *s, GError **error)
{
	c->set.options = *kx_session_options(s);
	if (c->set.fresh) {
		kx_options_init(&c->set.options);
		c->set.options.ring_pages = kx_session_options(s)->ring_pages;
	}
	c->set.options.wait_ns = KX_PATIENCE_AUTO; /* not kept: each call has its own */
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
		c->libvirt = kx_domains_hold(c->m->domains, NULL); /* for QEMU's monitor */
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

/* The guest has its command, but the session has ended: the device is unplugged if this call has plugged it in. */
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
	g_clear_pointer(&c->libvirt,
			kx_libvirt_release); /* the next step takes its own reference */
	kx_call_ask_qemu_for(c, set_then);
}

/* The guest now runs the tracker; next the session opens a window for it. */
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

/* The guest gets the command before the session is switched, because the guest can refuse the command. */
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

/* FALSE: an option is given that can be set only when the VM is attached. */
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

	/* The VM was not attached yet: the attaching call, whose wait has ended, cleans up. */
	if (gave_up && !kx_manager_find_alive(m, target, NULL))
		kx_call_done(c, NULL);
	else
		kx_call_ask_qemu_for(c, detach_then);
}

gboolean kx_manager_done_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_boolean(G_TASK(result), error);
}

/* --- RunPass ---------------------------------------------------------------------------------------------------------- */

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

/* The records of the pass are in the ring: PASS_END is written before the module returns. */
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

/* Calls that wait for a pass. Each has a thread, for as long as the kernel or QEMU takes for the pass. */
#define PASSES_MAX 64u

static void pass_entered(KxCall *c, GError *error)
{
	if (!error)
		c->pass.handle = kx_session_pass_new(c->in, &error);
	kx_call_leave(c); /* the session continues while the pass runs */
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run_apart(c, pass_work, pass_ran);
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
	if (m->passes >= PASSES_MAX) {
		kx_call_done(c, g_error_new_literal(KX_ERROR, KX_ERROR_BUSY,
						    "too many callers wait for a pass"));
		return;
	}
	m->passes++;
	c->pass.waits = TRUE;
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
