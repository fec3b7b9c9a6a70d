// SPDX-License-Identifier: GPL-2.0-or-later
/* Attach: from a name to a process, its channel if the tracker wants one, and a session. */
#include "manager-internal.h"

#include "error.h"
#include "log.h"
#include "vmfd.h"

static gboolean resolve_pid(KxCall *c, pid_t pid, GError **error)
{
	g_auto(KxQemuIdent) q = { 0 };

	if (!kx_vmfd_ident(c->proc_root, pid, &q, error))
		return FALSE;
	c->ident.name = q.name && g_utf8_validate(q.name, -1, NULL)
				? g_steal_pointer(&q.name)
				: g_strdup_printf("pid:%d", pid);
	c->ident.uuid = g_steal_pointer(&q.uuid);
	c->ident.pid = pid;
	return TRUE;
}

static gboolean resolve_domain(KxCall *c, GError **error)
{
	g_autoptr(KxDomain) d = kx_libvirt_lookup(c->libvirt, c->target, error);

	if (!d)
		return FALSE;
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
	pid_t pid;

	if (kx_manager_parse_pid(c->target, &pid))
		return resolve_pid(c, pid, error);
	if (c->libvirt)
		return resolve_domain(c, error);
	/* A UUID is on QEMU's command line, libvirt or not. */
	pid = kx_vmfd_find_pid(c->proc_root, NULL, NULL, c->target, error);
	return pid && resolve_pid(c, pid, error);
}

static KxSession *attach(KxManager *m, const KxVmIdent *ident, const KxOptions *o, KxPlug **plug,
			 GError **error)
{
	KxSession *s = kx_manager_find_pid(m, ident->pid);

	if (s) {
		g_set_error(error, KX_ERROR, KX_ERROR_ALREADY_ATTACHED,
			    "VM \"%s\" is attached already (tracker %s); kvm-ext set changes the "
			    "tracker",
			    ident->name, kx_session_options(s)->tracker->name);
		return NULL;
	}
	s = kx_session_attach(m->host, ident, o, *plug, error);
	if (!s)
		return NULL;
	*plug = NULL;
	kx_manager_refresh_selftest(m);
	kx_session_on_ended(s, kx_manager_session_ended, m);
	kx_session_on_yield(s, kx_manager_session_yield, m);
	g_ptr_array_add(m->sessions, s);
	return s;
}

static void attach_then(KxCall *c, GError *error)
{
	KxSession *s;

	error = kx_call_end_wait(c, error);
	s = error ? NULL : attach(c->m, &c->ident, &c->auto_options, &c->plug, &error);
	if (s) {
		kx_let_alone_remove(c->m->let_alone, c->ident.uuid);
		if (c->ident.uuid)
			kx_manager_no_retry(c->m, c->ident.uuid);
		kx_manager_tell(c->m, "attached", s, NULL);
	} else if (!c->task && !kx_manager_retry_later(c->m, c, error)) {
		kx_log(G_LOG_LEVEL_WARNING, "auto-attach-failed", c->target,
		       c->auto_options.tracker->name,
		       "%s is not attached though a rule of the configuration says so: %s",
		       c->target, error->message);
	}
	if (!error || !c->plug) {
		kx_call_done(c, error);
		return;
	}
	c->error = error;
	kx_call_run(c, kx_call_unplug_work, kx_call_unplug_then);
}

void kx_call_resolve_then(KxCall *c, GError *error)
{
	KxSession *s = error ? NULL : kx_manager_find_pid(c->m, c->ident.pid);

	/* One that is attached already has its channel: attaching is refused, it is left alone. */
	if (error || s || !kx_call_begin_plugging(c, c->ident.uuid, &error))
		attach_then(c, error);
	else {
		kx_call_begin_wait(c);
		kx_call_run(c, kx_call_plug_work, attach_then);
	}
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
	/* In the table's order: the tracker comes first and decides what the others mean. */
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
	KxSession *s = kx_manager_find_alive(m, target);
	GError *error = NULL;
	pid_t pid;

	c->cancellable = cancellable ? g_object_ref(cancellable) : NULL;
	kx_options_init(&c->auto_options);
	if (s) {
		g_set_error(&error, KX_ERROR, KX_ERROR_ALREADY_ATTACHED,
			    "VM \"%s\" is attached already (tracker %s); kvm-ext set changes the "
			    "tracker",
			    target, kx_session_options(s)->tracker->name);
	} else if (kx_manager_apply_options(&c->auto_options, options, &error)) {
		c->libvirt = kx_domains_hold(m->domains, &error);
		if (g_uuid_string_is_valid(target) || kx_manager_parse_pid(target, &pid))
			g_clear_error(&error);
	}
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run(c, kx_call_attach_work, kx_call_resolve_then);
}
