// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attach: finds the process for a name, plugs in a channel if the tracker needs one, and makes a session.
 *
 *	kx_manager_attach_async    reads the options, takes a reference on libvirt's connection
 *	[kx_call_attach_work]      finds the VM
 *	kx_call_resolve_then       waits until no other call changes the VM's channel
 *	plug_then_attach
 *	[kx_call_plug_work]        plugs in a channel and commands the guest; this may wait for the guest
 *	attach_then                ends the call if the VM has a session meanwhile
 *	[session_work]             makes the session
 *	session_then               the session begins; the call is answered
 *
 * An attach by a rule begins with the second step (manager-rules.c). After an error:
 *	attach_failed → [kx_call_unplug_work] → kx_call_unplug_then
 */
#include "manager-internal.h"

#include "base/error.h"
#include "base/log.h"
#include "vm/vmfd.h"

/* Whether the name can be written to logs and terminals unchanged. Names from libvirt always can. */
static gboolean is_plain(const char *name)
{
	if (!g_utf8_validate(name, -1, NULL))
		return FALSE;
	for (; *name; name = g_utf8_next_char(name)) {
		if (!g_unichar_isprint(g_utf8_get_char(name)))
			return FALSE;
	}
	return TRUE;
}

/*
 * The user who started the process chose its UUID. Where libvirt runs the domain of that UUID as another process, what libvirt and that
 * QEMU answer is not about this VM, and a channel would be plugged into, or out of, the other one.
 */
static gboolean is_anothers_uuid(const KxCall *c, const char *uuid, pid_t pid)
{
	g_autoptr(KxDomain) d =
		c->libvirt && uuid ? kx_libvirt_lookup(c->libvirt, uuid, NULL) : NULL;
	pid_t runs;

	if (!d || !d->active || g_ascii_strcasecmp(d->uuid, uuid))
		return FALSE;
	runs = kx_vmfd_find_pid(c->proc_root, (const char *const *)c->state_dirs, d->name, uuid,
				NULL);
	if (!runs || runs == pid)
		return FALSE;
	kx_log(G_LOG_LEVEL_WARNING, "uuid", NULL, NULL,
	       "process %d has the UUID of domain \"%s\", which process %d runs: neither its UUID "
	       "nor its name counts",
	       pid, d->name, runs);
	return TRUE;
}

static gboolean resolve_pid(KxCall *c, pid_t pid, GError **error)
{
	g_auto(KxQemuIdent) q = { 0 };

	if (!kx_vmfd_ident(c->proc_root, pid, &q, error))
		return FALSE;
	if (is_anothers_uuid(c, q.uuid, pid))
		kx_qemu_ident_clear(&q);
	c->ident.name = q.name && is_plain(q.name) ? g_steal_pointer(&q.name)
						   : g_strdup_printf("pid:%d", pid);
	c->ident.uuid = g_steal_pointer(&q.uuid);
	c->ident.pid = pid;
	return TRUE;
}

static gboolean take_error(GError **why, GError **error)
{
	if (*why)
		g_propagate_error(error, g_steal_pointer(why));
	return FALSE;
}

/* libvirt does not know the name: a domain of another libvirt may have it, or a VM that no libvirt runs. */
static void say_who_else(const KxCall *c, GError **why)
{
	g_autofree char *pids = kx_vmfd_find_named(c->proc_root, c->target);
	g_autofree char *hint =
		*pids ? g_strdup_printf(
				"process %s runs a VM of that name, which this libvirt does "
				"not know: name it by --pid or by its UUID",
				pids)
		      : g_strdup(
				"a VM of another libvirt, such as qemu:///session, is named by its "
				"UUID or by --pid");
	GError *full = g_error_new(KX_ERROR, KX_ERROR_NO_SUCH_VM, "%s; %s", (*why)->message, hint);

	g_clear_error(why);
	*why = full;
}

static gboolean resolve_domain(KxCall *c, const KxDomain *d, GError **error)
{
	if (!d->active) {
		g_set_error(error, KX_ERROR, KX_ERROR_NO_SUCH_VM,
			    "domain \"%s\" is not running (%s); start it first", d->name, d->state);
		return FALSE;
	}
	c->ident.name = g_strdup(d->name);
	c->ident.uuid = g_strdup(d->uuid);
	c->ident.pid = kx_vmfd_find_pid(c->proc_root, (const char *const *)c->state_dirs, d->name,
					d->uuid, error);
	return c->ident.pid != 0;
}

gboolean kx_call_attach_work(KxCall *c, GError **error)
{
	g_autoptr(KxDomain) d = NULL;
	g_autoptr(GError) why = NULL;
	pid_t pid;

	if (kx_target_process(c->target, &pid))
		return resolve_pid(c, pid, error);
	d = c->libvirt ? kx_libvirt_lookup(c->libvirt, c->target, &why) : NULL;
	if (d)
		return resolve_domain(c, d, error);
	if (why && !g_error_matches(why, KX_ERROR, KX_ERROR_NO_SUCH_VM))
		return take_error(&why, error);
	if (kx_target_pid_form(c->target, &pid))
		return resolve_pid(c, pid, error);
	/* QEMU's command line contains the UUID, also if another libvirt or no libvirt runs the VM. */
	if (!why || g_uuid_string_is_valid(c->target)) {
		pid = kx_vmfd_find_pid(c->proc_root, NULL, NULL, c->target, why ? NULL : error);
		if (pid)
			return resolve_pid(c, pid, error);
	}
	if (why)
		say_who_else(c, &why);
	return take_error(&why, error);
}

static void already_attached(const KxSession *s, GError **error)
{
	g_set_error(error, KX_ERROR, KX_ERROR_ALREADY_ATTACHED,
		    "VM \"%s\" is attached already (tracker %s); kvm-ext set changes the tracker",
		    kx_session_ident(s)->name, kx_session_options(s)->tracker->name);
}

static gboolean is_free(const KxManager *m, const KxVmIdent *ident, GError **error)
{
	const KxSession *s = kx_manager_find_pid(m, ident->pid);

	if (s)
		already_attached(s, error);
	else if (g_hash_table_contains(m->attaching, GINT_TO_POINTER(ident->pid)))
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
			    "VM \"%s\" is being attached already; try again when that is done",
			    ident->name);
	else
		return TRUE;
	return FALSE;
}

static void attach_failed(KxCall *c, GError *error)
{
	if (!c->task && !kx_manager_retry_later(c->m, c, error))
		kx_log(G_LOG_LEVEL_WARNING, "auto-attach-failed", c->target,
		       c->set.options.tracker->name,
		       "%s is not attached though a rule of the configuration says so: %s",
		       c->target, error->message);
	if (!c->channel.plug) {
		kx_call_done(c, error);
		return;
	}
	c->error = error;
	kx_call_run_apart(c, kx_call_unplug_work, kx_call_unplug_then);
}

static gboolean session_work(KxCall *c, GError **error)
{
	KxDomainMonitor m;

	c->session = kx_session_attach(c->m->host, &c->ident, &c->set.options, c->channel.plug,
				       kx_call_monitor(c, c->ident.uuid, &m), error);
	if (c->session)
		c->channel.plug = NULL; /* now the session owns it */
	return c->session != NULL;
}

static void session_then(KxCall *c, GError *error)
{
	KxManager *m = c->m;
	KxSession *s = c->session;

	g_hash_table_remove(m->attaching, GINT_TO_POINTER(c->ident.pid));
	if (error) {
		attach_failed(c, error);
		return;
	}
	kx_manager_refresh_selftest(m);
	kx_session_on_ended(s, kx_manager_session_ended, m);
	kx_session_on_yield(s, kx_manager_session_yield, m);
	g_ptr_array_add(m->sessions, kx_session_ref(s));
	kx_session_begin(s);
	kx_manager_watch_pauses(m, s);
	kx_let_alone_remove(m->let_alone, c->ident.uuid);
	if (c->ident.uuid)
		kx_manager_no_retry(m, c->ident.uuid);
	kx_manager_tell(m, "attached", s, NULL);
	kx_call_done(c, NULL);
}

static void attach_then(KxCall *c, GError *error)
{
	error = kx_call_end_wait(c, error);
	if (error || !is_free(c->m, &c->ident, &error)) {
		attach_failed(c, error);
		return;
	}
	g_hash_table_add(c->m->attaching, GINT_TO_POINTER(c->ident.pid));
	kx_call_run(c, session_work, session_then);
}

static void plug_then_attach(KxCall *c, GError *error)
{
	KxSession *s = error ? NULL : kx_manager_find_pid(c->m, c->ident.pid);

	c->set.pending = FALSE;
	/* If the VM is already attached, attach_then() refuses the call, and the session's channel stays unchanged. */
	if (error || s || !kx_call_begin_plugging(c, c->ident.uuid, &error))
		attach_then(c, error);
	else {
		kx_call_begin_wait(c);
		kx_call_run_apart(c, kx_call_plug_work, attach_then);
	}
}

void kx_call_resolve_then(KxCall *c, GError *error)
{
	c->set.pending = !error && kx_call_takes_over_rule(c, c->ident.uuid);
	if (c->set.pending)
		kx_call_after_plugging(c, c->ident.uuid, plug_then_attach);
	else
		plug_then_attach(c, error);
}

gboolean kx_manager_apply_options(KxOptions *o, GHashTable *options, GError **error)
{
	GHashTableIter it;
	gpointer given;

	if (!options)
		return TRUE;
	g_hash_table_iter_init(&it, options);
	while (g_hash_table_iter_next(&it, &given, NULL)) {
		if (!kx_option_key(given))
			return kx_options_set(o, given, "", error);
	}
	/* In the order of the table: the tracker is first, and the meaning of the other keys depends on it. */
	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		const char *value = g_hash_table_lookup(options, k->key);

		if (value && !kx_options_set(o, k->key, value, error))
			return FALSE;
	}
	return kx_options_check(o, error);
}

void kx_manager_attach_async(KxManager *m, const char *target, GHashTable *options,
			     GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
	KxCall *c = kx_call_new(m, target, callback, data);
	GError *error = NULL;
	KxSession *s;
	pid_t pid;

	c->wait.cancellable = cancellable ? g_object_ref(cancellable) : NULL;
	kx_options_init(&c->set.options);
	if (kx_manager_apply_options(&c->set.options, options, &error)) {
		c->libvirt = kx_domains_hold(m->domains, &error);
		s = error ? kx_manager_find_alive(m, target, NULL) : NULL;
		if (s || g_uuid_string_is_valid(target) || kx_target_process(target, &pid) ||
		    kx_target_pid_form(target, &pid))
			g_clear_error(&error);
		if (s)
			already_attached(s, &error);
	}
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run(c, kx_call_attach_work, kx_call_resolve_then);
}
