// SPDX-License-Identifier: GPL-2.0-or-later
#include "manager.h"

#include <string.h>

#include "error.h"
#include "hostinfo.h"
#include "log.h"
#include "vmfd.h"

struct _KxManager {
	grefcount refs; /* the owner, and each call under way */
	const KxHost *host;
	KxConfig *config;
	KxManagerCallback callback; /* NULL after shutdown */
	KxManagerLibvirt libvirt;
	gpointer data;
	KxDomains *domains;  /* NULL after shutdown */
	GPtrArray *sessions; /* KxSession, alive */
	GQueue ended;	     /* KxSession, the latest first */
	GHashTable *
		let_alone; /* "PID UUID" of VMs that a user detached: rules do not attach them again */
	GHashTable *asking; /* KxSession → the Call that asks libvirt why it yielded; not owned */
	gboolean was_connected;
	KxSelftest *selftest; /* of the dirty log; NULL: not yet */
	char *selftest_key;   /* for which it holds, or is under way */
	GHashTable *plugging; /* UUIDs of VMs whose channel is being changed */
};

/* --- a call: work on a thread, then the rest on the main loop ------------------------------------------------------- */

typedef struct _Call Call;
struct _Call {
	KxManager *m;
	GTask *task; /* the caller's; NULL: the manager's own doing */
	char *target;
	char **targets;
	GHashTable *options;
	KxOptions auto_options; /* of the rule that made this call */
	const char *proc_root;
	char **state_dirs;
	KxLibvirt *libvirt; /* NULL: do without */
	/* what the thread found out */
	KxVmIdent ident;
	GPtrArray *entries;  /* KxVmEntry */
	GHashTable *kvmstat; /* UUID → KxKvmStat, asked of QEMU */
	KxSelftest *selftest;
	KxSession *session;	/* that yielded */
	gint64 yielded_at;	/* CLOCK_REALTIME, ns */
	const char *yielded_to; /* NULL: libvirt knows of nothing */
	KxPlug *plug;		/* of the guest's channel */
	gboolean gone;		/* the VM has ended */
	char *plugging;		/* the UUID that is in the manager's set for us */
	GError *error;		/* to be answered with when what comes after it is done */
	gboolean (*work)(Call *c, GError **error);
	void (*then)(Call *c, GError *error); /* owns the call; @error is the work's, to take */
};

static Call *call_new(KxManager *m, const char *target, GAsyncReadyCallback callback, gpointer data)
{
	Call *c = g_new0(Call, 1);

	g_ref_count_inc(&m->refs);
	c->m = m;
	c->target = g_strdup(target);
	c->task = callback ? g_task_new(NULL, NULL, callback, data) : NULL;
	c->proc_root = m->host->proc_root;
	c->state_dirs = kx_vmfd_state_dirs();
	return c;
}

static void call_free(Call *c)
{
	g_clear_object(&c->task);
	g_free(c->target);
	g_strfreev(c->targets);
	g_clear_pointer(&c->options, g_hash_table_unref);
	g_strfreev(c->state_dirs);
	kx_libvirt_release(c->libvirt);
	kx_vm_ident_clear(&c->ident);
	g_clear_pointer(&c->entries, g_ptr_array_unref);
	g_clear_pointer(&c->kvmstat, g_hash_table_unref);
	kx_selftest_free(c->selftest);
	g_clear_pointer(&c->session, kx_session_unref);
	kx_plug_unref(c->plug);
	if (c->plugging)
		g_hash_table_remove(c->m->plugging, c->plugging);
	g_free(c->plugging);
	g_clear_error(&c->error);
	kx_manager_unref(c->m);
	g_free(c);
}

static void call_done(Call *c, GError *error)
{
	if (!c->task)
		g_clear_error(&error);
	else if (error)
		g_task_return_error(c->task, error);
	else
		g_task_return_boolean(c->task, TRUE);
	call_free(c);
}

static void call_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
	Call *c = data;
	GError *error = NULL;

	if (c->work(c, &error))
		g_task_return_boolean(task, TRUE);
	else
		g_task_return_error(task, error);
}

static void call_worked(GObject *source, GAsyncResult *result, gpointer data)
{
	Call *c = data;
	GError *error = NULL;

	g_task_propagate_boolean(G_TASK(result), &error);
	if (!error && !c->m->domains)
		error = g_error_new_literal(KX_ERROR, KX_ERROR_FAILED, "the daemon is stopping");
	c->then(c, error);
}

static void call_run(Call *c, gboolean (*work)(Call *, GError **), void (*then)(Call *, GError *))
{
	g_autoptr(GTask) task = g_task_new(NULL, NULL, call_worked, c);

	c->work = work;
	c->then = then;
	g_task_set_task_data(task, c, NULL);
	g_task_run_in_thread(task, call_thread);
}

/* --- sessions by name --------------------------------------------------------------------------------------------- */

static gboolean parse_pid(const char *target, pid_t *pid)
{
	guint64 n;

	if (!g_str_has_prefix(target, "pid:") ||
	    !g_ascii_string_to_unsigned(target + strlen("pid:"), 10, 1, G_MAXINT, &n, NULL))
		return FALSE;
	*pid = (pid_t)n;
	return TRUE;
}

static gboolean is_called(const KxSession *s, const char *target)
{
	const KxVmIdent *i = kx_session_ident(s);
	pid_t pid;

	if (parse_pid(target, &pid))
		return i->pid == pid;
	return !strcmp(i->name, target) || (i->uuid && !g_ascii_strcasecmp(i->uuid, target));
}

static KxSession *find_alive(const KxManager *m, const char *target)
{
	guint i;

	for (i = 0; i < m->sessions->len; i++) {
		if (is_called(m->sessions->pdata[i], target))
			return m->sessions->pdata[i];
	}
	return NULL;
}

static KxSession *find_pid(const KxManager *m, pid_t pid)
{
	g_autofree char *target = g_strdup_printf("pid:%d", pid);

	return find_alive(m, target);
}

/* Alive, else the one that ended last. */
static KxSession *find_account(const KxManager *m, const char *target)
{
	KxSession *s = find_alive(m, target);
	const GList *l;

	for (l = m->ended.head; !s && l; l = l->next) {
		if (is_called(l->data, target))
			s = l->data;
	}
	return s;
}

static KxSession *need_alive(const KxManager *m, const char *target, GError **error)
{
	KxSession *s = find_account(m, target);

	if (s && kx_session_alive(s))
		return s;
	if (s && strcmp(kx_session_ended(s), "detached"))
		g_set_error(error, KX_ERROR, KX_ERROR_VM_GONE,
			    "VM \"%s\": the session has ended (%s)", target, kx_session_ended(s));
	else
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_ATTACHED,
			    "VM \"%s\" is not attached; kvm-ext attach first", target);
	return NULL;
}

static char *alone_key(const KxVmIdent *i)
{
	return g_strdup_printf("%d %s", i->pid, i->uuid ? i->uuid : "");
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void tell(KxManager *m, const char *event, KxSession *s, const char *reason)
{
	const KxVmIdent *i = s ? kx_session_ident(s) : NULL;
	const KxOptions *o = s ? kx_session_options(s) : NULL;
	g_autofree char *options = o ? kx_options_to_string(o) : NULL;
	const KxEvent e = {
		.event = event,
		.vm = i ? i->name : NULL,
		.uuid = i ? i->uuid : NULL,
		.tracker = o ? o->tracker->name : NULL,
		.options = options,
		.reason = reason,
		.pid = i ? i->pid : 0,
	};

	if (options)
		kx_log(G_LOG_LEVEL_MESSAGE, event, e.vm, e.tracker, "%s (pid %d): %s%s%s%s%s", e.vm,
		       e.pid, event, reason ? ": " : "", reason ? reason : "", *options ? ", " : "",
		       options);
	if (m->callback)
		m->callback(&e, m->data);
}

/* --- the VMM's own use of the dirty log --------------------------------------------------------------------------- */

/* "12:04:05.678 UTC": a log line comes later than what it tells of. */
static char *time_text(gint64 realtime_ns)
{
	g_autoptr(GDateTime) second = g_date_time_new_from_unix_utc(realtime_ns / 1000000000);
	g_autofree char *text = second ? g_date_time_format(second, "%H:%M:%S") : g_strdup("?");

	return g_strdup_printf("%s.%03d UTC", text, (int)(realtime_ns / 1000000 % 1000));
}

static void tell_yield(KxManager *m, const char *event, KxSession *s, const char *reason,
		       const char *what, const char *how)
{
	const KxVmIdent *i = kx_session_ident(s);
	const KxOptions *o = kx_session_options(s);
	g_autofree char *options = kx_options_to_string(o);
	const KxEvent e = {
		.event = event,
		.vm = i->name,
		.uuid = i->uuid,
		.tracker = o->tracker->name,
		.options = options,
		.reason = reason,
		.pid = i->pid,
	};

	kx_log(G_LOG_LEVEL_MESSAGE, event, i->name, o->tracker->name, "%s (pid %d): %s; %s",
	       i->name, i->pid, what, how);
	if (m->callback)
		m->callback(&e, m->data);
}

static void say_yielded(KxManager *m, KxSession *s, const char *to, gint64 realtime_ns)
{
	g_autofree char *when = time_text(realtime_ns);
	g_autofree char *how = g_strdup_printf("%s stands still since %s",
					       kx_session_options(s)->tracker->name, when);

	g_autofree char *what = g_strdup_printf("yielded: %s", to);

	tell_yield(m, "yielded", s, to, what, how);
}

/* The beginning is told before what comes after it, whether libvirt has answered or not. */
static void stop_asking(KxManager *m, KxSession *s)
{
	const Call *c = g_hash_table_lookup(m->asking, s);

	if (!c)
		return;
	g_hash_table_remove(m->asking, s);
	say_yielded(m, s, KX_YIELDED_UNKNOWN, c->yielded_at);
}

static gboolean why_yielded_work(Call *c, GError **error)
{
	c->yielded_to = kx_libvirt_uses_log(c->libvirt, kx_session_ident(c->session)->uuid);
	return TRUE;
}

static void why_yielded_then(Call *c, GError *error)
{
	if (g_hash_table_lookup(c->m->asking, c->session) == c) {
		const char *to = c->yielded_to ? c->yielded_to : KX_YIELDED_UNKNOWN;

		g_hash_table_remove(c->m->asking, c->session);
		kx_session_yielded_to(c->session, to);
		say_yielded(c->m, c->session, to, c->yielded_at);
	}
	call_done(c, error);
}

static void on_yielded(KxManager *m, KxSession *s, const KxYield *y)
{
	KxLibvirt *l = kx_session_ident(s)->uuid ? kx_domains_hold(m->domains, NULL) : NULL;
	Call *c;

	if (!l) {
		say_yielded(m, s, KX_YIELDED_UNKNOWN, y->realtime_ns);
		return;
	}
	c = call_new(m, NULL, NULL, NULL);
	c->libvirt = l;
	c->session = kx_session_ref(s);
	c->yielded_at = y->realtime_ns;
	g_hash_table_insert(m->asking, s, c);
	call_run(c, why_yielded_work, why_yielded_then);
}

static void on_resumed(KxManager *m, KxSession *s, const KxYield *y)
{
	g_autofree char *when = time_text(y->realtime_ns);
	g_autofree char *how = g_strdup_printf("%s goes on since %s, it stood still for %.3f s",
					       kx_session_options(s)->tracker->name, when,
					       (double)y->lasted_ns / 1e9);

	g_autofree char *what = g_strdup_printf("resumed (yielded: %s)", kx_session_yielded(s));

	stop_asking(m, s);
	tell_yield(m, "resumed", s, kx_session_yielded(s), what, how);
}

static void on_session_yield(KxSession *s, const KxYield *y, gpointer data)
{
	(y->yielded ? on_yielded : on_resumed)(data, s, y);
}

/* --- the channel to the guest ------------------------------------------------------------------------------------- */

static gboolean runs_in_guest(const KxOptions *o)
{
	return o->tracker->can & KX_CAN_GUEST;
}

/* One change at a time: two ends of a channel on our side would be one too many. */
static gboolean begin_plugging(Call *c, const char *uuid, GError **error)
{
	if (!uuid || c->plugging)
		return TRUE;
	if (g_hash_table_contains(c->m->plugging, uuid)) {
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
			    "the channel to the guest of VM \"%s\" is being changed already; try "
			    "again when that is done",
			    c->target ? c->target : uuid);
		return FALSE;
	}
	c->plugging = g_strdup(uuid);
	g_hash_table_add(c->m->plugging, g_strdup(uuid));
	return TRUE;
}

static KxPlugVm plug_vm(const Call *c)
{
	const KxHost *h = c->m->host;

	return (KxPlugVm){
		.sys = h->plug_sys,
		.domain = h->plug_domain,
		.dir = h->shm_dir,
		.proc_root = h->proc_root,
		.libvirt = c->libvirt,
		.name = c->ident.name,
		.uuid = c->ident.uuid,
		.pid = c->ident.pid,
		.gone = c->gone,
	};
}

static gboolean unplug_work(Call *c, GError **error)
{
	KxPlugVm vm = plug_vm(c);

	return kx_plug_out(c->plug, &vm, KX_PLUG_PATIENCE_MS, error);
}

/* The error before it says more than one of the cleaning up. */
static void unplug_then(Call *c, GError *error)
{
	if (error && (c->error || !c->task))
		kx_log(G_LOG_LEVEL_WARNING, "channel", c->ident.name, NULL, "%s", error->message);
	if (c->error) {
		g_clear_error(&error);
		error = g_steal_pointer(&c->error);
	}
	call_done(c, error);
}

/* Plugged in, taken by the module there, and told: an error leaves no channel that was not there before. */
static gboolean plug_work(Call *c, GError **error)
{
	KxPlugVm vm = plug_vm(c);
	gboolean ours = !c->plug;

	if (!runs_in_guest(&c->auto_options)) {
		if (ours && vm.uuid && kx_plug_left_behind(vm.dir, vm.uuid))
			c->plug = kx_plug_find(&vm);
		return TRUE;
	}
	if (ours)
		c->plug = kx_plug_in(&vm, error);
	if (!c->plug)
		return FALSE;
	if (kx_plug_wait_claimed(c->plug, KX_PLUG_CLAIM_MS, error) &&
	    kx_tracker_guest_propose(kx_plug_channel(c->plug), &c->auto_options, error))
		return TRUE;
	if (ours)
		kx_plug_out(c->plug, &vm, KX_PLUG_PATIENCE_MS, NULL);
	g_clear_pointer(&c->plug, kx_plug_unref);
	return FALSE;
}

/* After a session: the VM gets its slot back. */
static void unplug_after(Call *c, KxSession *s, gboolean gone)
{
	c->plug = kx_session_take_plug(s);
	if (!c->plug || !begin_plugging(c, kx_session_ident(s)->uuid, NULL)) {
		call_done(c, NULL);
		return;
	}
	kx_vm_ident_clear(&c->ident);
	kx_vm_ident_copy(&c->ident, kx_session_ident(s));
	c->gone = gone;
	if (!c->libvirt)
		c->libvirt = kx_domains_hold(c->m->domains, NULL);
	call_run(c, unplug_work, unplug_then);
}

/* --- sessions that end --------------------------------------------------------------------------------------------- */

static void retire(KxManager *m, KxSession *s)
{
	g_queue_push_head(&m->ended, kx_session_ref(s));
	g_ptr_array_remove(m->sessions, s);
	while (m->ended.length > KX_MANAGER_ENDED_MAX)
		kx_session_unref(g_queue_pop_tail(&m->ended));
}

static void on_session_ended(KxSession *s, gpointer data)
{
	g_autoptr(KxSession) held = kx_session_ref(s);
	KxManager *m = data;

	stop_asking(m, s);
	retire(m, s);
	tell(m, "vm-gone", s, kx_session_ended(s));
	if (kx_session_plug(s) && m->domains)
		unplug_after(call_new(m, NULL, NULL, NULL), s, TRUE);
}

/* --- the dirty log's self-test ------------------------------------------------------------------------------------ */

static gboolean selftest_work(Call *c, GError **error)
{
	c->selftest = c->m->host->selftest(c->m->host->root);
	return TRUE;
}

static void selftest_then(Call *c, GError *error)
{
	KxManager *m = c->m;

	kx_selftest_free(m->selftest);
	m->selftest = g_steal_pointer(&c->selftest);
	if (m->selftest && m->callback)
		kx_log(m->selftest->outcome == KX_SELFTEST_WRONG ? G_LOG_LEVEL_WARNING
								 : G_LOG_LEVEL_MESSAGE,
		       "log-selftest", NULL, NULL, "the dirty log's self-test: %s",
		       m->selftest->text);
	call_done(c, error);
}

/* Anew when KVM's module was loaded anew; in the background, for it can take a second. */
static void refresh_selftest(KxManager *m)
{
	g_autofree char *key = m->host->selftest ? kx_selftest_key(m->host->root) : NULL;

	if (!key || g_strcmp0(key, m->selftest_key) == 0)
		return;
	g_free(m->selftest_key);
	m->selftest_key = g_steal_pointer(&key);
	g_clear_pointer(&m->selftest, kx_selftest_free);
	call_run(call_new(m, NULL, NULL, NULL), selftest_work, selftest_then);
}

static void selftest_to_report(KxManager *m, KxReport *r)
{
	g_autoptr(KxSelftest) t = NULL;

	refresh_selftest(m);
	if (!m->host->selftest)
		return;
	t = m->selftest ? kx_selftest_copy(m->selftest)
			: kx_selftest_not_run("it has not come to an end yet");
	r->log_selftest = g_strdup(kx_selftest_outcome_name(t->outcome));
	r->log_selftest_text = g_strdup(t->text);
}

/* --- list --------------------------------------------------------------------------------------------------------- */

static void entry_free(gpointer data)
{
	KxVmEntry *e = data;

	kx_vm_ident_clear(&e->ident);
	g_free(e->state);
	g_free(e->tracker);
	g_free(e->options);
	g_free(e->mechanism);
	g_free(e->yielded);
	g_free(e);
}

static KxVmEntry *add_entry(GPtrArray *entries, const char *name, const char *uuid, pid_t pid,
			    const char *state)
{
	KxVmEntry *e = g_new0(KxVmEntry, 1);

	e->ident = (KxVmIdent){ g_strdup(name), g_strdup(uuid), pid };
	e->state = g_strdup(state);
	g_ptr_array_add(entries, e);
	return e;
}

static gboolean list_work(Call *c, GError **error)
{
	g_autoptr(GPtrArray) domains = NULL;
	guint i;

	c->entries = g_ptr_array_new_with_free_func(entry_free);
	if (!c->libvirt)
		return TRUE;
	domains = kx_libvirt_list(c->libvirt, error);
	if (!domains)
		return FALSE;
	for (i = 0; i < domains->len; i++) {
		const KxDomain *d = domains->pdata[i];

		add_entry(c->entries, d->name, d->uuid,
			  kx_vmfd_find_pid(c->proc_root, (const char *const *)c->state_dirs,
					   d->name, d->uuid, NULL),
			  d->state);
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

static void list_then(Call *c, GError *error)
{
	guint i;

	if (error) {
		call_done(c, error);
		return;
	}
	for (i = 0; i < c->m->sessions->len; i++) {
		const KxSession *s = c->m->sessions->pdata[i];
		const KxVmIdent *ident = kx_session_ident(s);
		KxVmEntry *e = entry_of(c->entries, ident);

		if (!e)
			e = add_entry(c->entries, ident->name, ident->uuid, ident->pid, "running");
		e->attached = TRUE;
		e->tracker = g_strdup(kx_session_options(s)->tracker->name);
		e->options = kx_options_to_string(kx_session_options(s));
		e->mechanism = g_strdup(kx_session_mechanism(s));
		e->yielded = g_strdup(kx_session_yielded(s));
	}
	g_task_return_pointer(c->task, g_steal_pointer(&c->entries),
			      (GDestroyNotify)g_ptr_array_unref);
	call_free(c);
}

void kx_manager_list_async(KxManager *m, GAsyncReadyCallback callback, gpointer data)
{
	Call *c = call_new(m, NULL, callback, data);

	/* Without libvirt there is still what is attached; LibvirtConnected says that the list is not whole. */
	c->libvirt = kx_domains_hold(m->domains, NULL);
	call_run(c, list_work, list_then);
}

GPtrArray *kx_manager_list_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}

/* --- attach ------------------------------------------------------------------------------------------------------- */

static gboolean resolve_pid(Call *c, pid_t pid, GError **error)
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

static gboolean resolve_domain(Call *c, GError **error)
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

static gboolean attach_work(Call *c, GError **error)
{
	pid_t pid;

	if (parse_pid(c->target, &pid))
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
	KxSession *s = find_pid(m, ident->pid);

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
	refresh_selftest(m);
	kx_session_on_ended(s, on_session_ended, m);
	kx_session_on_yield(s, on_session_yield, m);
	g_ptr_array_add(m->sessions, s);
	return s;
}

static void attach_then(Call *c, GError *error)
{
	KxSession *s = error ? NULL : attach(c->m, &c->ident, &c->auto_options, &c->plug, &error);

	if (s) {
		g_autofree char *key = alone_key(&c->ident);

		g_hash_table_remove(c->m->let_alone, key);
		tell(c->m, "attached", s, NULL);
	} else if (!c->task) {
		kx_log(G_LOG_LEVEL_WARNING, "auto-attach-failed", c->target,
		       c->auto_options.tracker->name,
		       "%s is not attached though a rule of the configuration says so: %s",
		       c->target, error->message);
	}
	if (!error || !c->plug) {
		call_done(c, error);
		return;
	}
	c->error = error;
	call_run(c, unplug_work, unplug_then);
}

static void resolve_then(Call *c, GError *error)
{
	KxSession *s = error ? NULL : find_pid(c->m, c->ident.pid);

	/* One that is attached already has its channel: attaching is refused, it is left alone. */
	if (error || s || !begin_plugging(c, c->ident.uuid, &error))
		attach_then(c, error);
	else
		call_run(c, plug_work, attach_then);
}

static gboolean apply_options(KxOptions *o, GHashTable *options, GError **error)
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
			     GAsyncReadyCallback callback, gpointer data)
{
	Call *c = call_new(m, target, callback, data);
	KxSession *s = find_alive(m, target);
	GError *error = NULL;
	pid_t pid;

	kx_options_init(&c->auto_options);
	if (s) {
		g_set_error(&error, KX_ERROR, KX_ERROR_ALREADY_ATTACHED,
			    "VM \"%s\" is attached already (tracker %s); kvm-ext set changes the "
			    "tracker",
			    target, kx_session_options(s)->tracker->name);
	} else if (apply_options(&c->auto_options, options, &error)) {
		c->libvirt = kx_domains_hold(m->domains, &error);
		if (g_uuid_string_is_valid(target) || parse_pid(target, &pid))
			g_clear_error(&error);
	}
	if (error)
		call_done(c, error);
	else
		call_run(c, attach_work, resolve_then);
}

/* --- what is to be asked of QEMU before a window is opened or closed ------------------------------------------------ */

static gboolean ask_work(Call *c, GError **error)
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
static void ask_qemu(Call *c, GPtrArray *sessions, void (*then)(Call *, GError *))
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
		call_run(c, ask_work, then);
		return;
	}
	g_hash_table_remove_all(c->kvmstat);
	then(c, NULL);
}

static const KxKvmStat *asked(const Call *c, const KxSession *s)
{
	const char *uuid = kx_session_ident(s)->uuid;

	return uuid ? g_hash_table_lookup(c->kvmstat, uuid) : NULL;
}

static void ask_qemu_for(Call *c, void (*then)(Call *, GError *))
{
	g_autoptr(GPtrArray) one = g_ptr_array_new();
	GError *error = NULL;
	KxSession *s = need_alive(c->m, c->target, &error);

	if (!s) {
		call_done(c, error);
		return;
	}
	g_ptr_array_add(one, s);
	ask_qemu(c, one, then);
}

/* --- set, detach, pass -------------------------------------------------------------------------------------------- */

static void set_then(Call *c, GError *error)
{
	KxSession *s = error ? NULL : need_alive(c->m, c->target, &error);
	KxOptions o;

	if (s) {
		o = *kx_session_options(s);
		if (apply_options(&o, c->options, &error) &&
		    kx_session_set(s, &o, asked(c, s), &error))
			tell(c->m, "tracker", s, NULL);
	}
	call_done(c, error);
}

/* The guest runs it by now; the session's window follows. */
static void told_then(Call *c, GError *error)
{
	KxSession *s = error ? NULL : need_alive(c->m, c->target, &error);

	if (s && !kx_session_plug(s))
		kx_session_give_plug(s, g_steal_pointer(&c->plug));
	if (s) {
		g_clear_pointer(&c->libvirt, kx_libvirt_release); /* ask_qemu holds its own */
		ask_qemu_for(c, set_then);
	} else if (c->plug && c->session && !kx_session_plug(c->session)) {
		c->error = error;
		call_run(c, unplug_work, unplug_then);
	} else {
		call_done(c, error);
	}
}

/* A tracker in the guest is first told to the guest, which can refuse it. */
static void tell_guest(Call *c, KxSession *s)
{
	GError *error = NULL;

	if (!begin_plugging(c, kx_session_ident(s)->uuid, &error)) {
		call_done(c, error);
		return;
	}
	c->session = kx_session_ref(s);
	kx_vm_ident_copy(&c->ident, kx_session_ident(s));
	c->plug = kx_session_plug(s) ? kx_plug_ref(kx_session_plug(s)) : NULL;
	c->libvirt = kx_domains_hold(c->m->domains, NULL);
	call_run(c, plug_work, told_then);
}

void kx_manager_set_async(KxManager *m, const char *target, GHashTable *options,
			  GAsyncReadyCallback callback, gpointer data)
{
	Call *c = call_new(m, target, callback, data);
	GError *error = NULL;
	KxSession *s = need_alive(m, target, &error);

	c->options = options ? g_hash_table_ref(options) : NULL;
	if (s)
		c->auto_options = *kx_session_options(s);
	if (!s || !apply_options(&c->auto_options, options, &error))
		call_done(c, error);
	else if (runs_in_guest(&c->auto_options))
		tell_guest(c, s);
	else
		ask_qemu_for(c, set_then);
}

static void detach_then(Call *c, GError *error)
{
	g_autoptr(KxSession) s = error ? NULL : need_alive(c->m, c->target, &error);

	if (s) {
		kx_session_ref(s);
		kx_session_end(s, "detached", asked(c, s));
		retire(c->m, s);
		g_hash_table_add(c->m->let_alone, alone_key(kx_session_ident(s)));
		tell(c->m, "detached", s, NULL);
	}
	if (s && kx_session_plug(s))
		unplug_after(c, s, FALSE);
	else
		call_done(c, error);
}

void kx_manager_detach_async(KxManager *m, const char *target, GAsyncReadyCallback callback,
			     gpointer data)
{
	ask_qemu_for(call_new(m, target, callback, data), detach_then);
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
	KxSession *s = need_alive(m, target, &error);
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

/* --- report ------------------------------------------------------------------------------------------------------- */

static gboolean has_ident(const GPtrArray *sessions, const KxSession *s)
{
	const KxVmIdent *a = kx_session_ident(s);
	guint i;

	for (i = 0; i < sessions->len; i++) {
		const KxVmIdent *b = kx_session_ident(sessions->pdata[i]);

		if (a->uuid && b->uuid ? !strcmp(a->uuid, b->uuid) : a->pid == b->pid)
			return TRUE;
	}
	return FALSE;
}

static KxSession *need_account(KxManager *m, const char *target, GError **error)
{
	KxSession *s = find_account(m, target);

	if (!s)
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_ATTACHED,
			    "VM \"%s\" has no account: it has not been attached since the daemon "
			    "started",
			    target);
	return s;
}

/* The accounts that @targets name; all of them, each VM's latest, if it names none. */
static GPtrArray *accounts(KxManager *m, const char *const *targets, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new();
	const GList *l;
	guint i;

	for (; targets && *targets; targets++) {
		KxSession *s = need_account(m, *targets, error);

		if (!s)
			return NULL;
		g_ptr_array_add(list, s);
	}
	if (list->len)
		return g_steal_pointer(&list);
	for (i = 0; i < m->sessions->len; i++)
		g_ptr_array_add(list, m->sessions->pdata[i]);
	for (l = m->ended.head; l; l = l->next) {
		if (!has_ident(list, l->data))
			g_ptr_array_add(list, l->data);
	}
	return g_steal_pointer(&list);
}

static char *make_report(const Call *c, GPtrArray *sessions)
{
	g_autoptr(KxHostInfo) host = kx_hostinfo_read(NULL, NULL);
	g_autoptr(KxReport) r = kx_report_new();
	guint i;

	kx_hostinfo_to_report(host, r);
	r->version = g_strdup(KX_VERSION);
	r->generated_realtime_ns = g_get_real_time() * 1000;
	selftest_to_report(c->m, r);
	for (i = 0; i < sessions->len; i++)
		g_ptr_array_add(r->vms, kx_session_report(sessions->pdata[i],
							  asked(c, sessions->pdata[i])));
	return kx_report_to_json(r);
}

static void report_then(Call *c, GError *error)
{
	g_autoptr(GPtrArray) sessions =
		error ? NULL : accounts(c->m, (const char *const *)c->targets, &error);

	if (!sessions) {
		call_done(c, error);
		return;
	}
	g_task_return_pointer(c->task, make_report(c, sessions), g_free);
	call_free(c);
}

void kx_manager_report_async(KxManager *m, const char *const *targets, GAsyncReadyCallback callback,
			     gpointer data)
{
	Call *c = call_new(m, NULL, callback, data);
	g_autoptr(GPtrArray) sessions = NULL;
	GError *error = NULL;

	c->targets = g_strdupv((char **)targets);
	sessions = accounts(m, targets, &error);
	if (sessions)
		ask_qemu(c, sessions, report_then);
	else
		call_done(c, error);
}

char *kx_manager_report_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}

GArray *kx_manager_found(KxManager *m, const char *target, guint64 window, GError **error)
{
	KxSession *s = need_account(m, target, error);

	return s ? kx_session_found(s, window, error) : NULL;
}

char *kx_manager_heat(KxManager *m, const char *target, GError **error)
{
	KxSession *s = need_account(m, target, error);
	g_autoptr(KxReport) r = NULL;

	if (!s)
		return NULL;
	r = kx_report_new();
	r->version = g_strdup(KX_VERSION);
	r->generated_realtime_ns = g_get_real_time() * 1000;
	g_ptr_array_add(r->vms, kx_session_heat(s));
	return kx_report_to_json(r);
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

static void attach_by_rule(KxManager *m, const char *name, const char *uuid)
{
	const KxRule *rule = kx_config_match(m->config, name);
	Call *c;

	if (!rule || find_alive(m, uuid))
		return;
	c = call_new(m, uuid, NULL, NULL);
	c->auto_options = rule->options;
	c->libvirt = kx_domains_hold(m->domains, NULL);
	if (c->libvirt)
		call_run(c, attach_work, resolve_then);
	else
		call_done(c, NULL);
}

static void rules_then(Call *c, GError *error)
{
	guint i;

	if (error) {
		kx_log(G_LOG_LEVEL_WARNING, "rules", NULL, NULL, "the rules cannot be applied: %s",
		       error->message);
		call_done(c, error);
		return;
	}
	for (i = 0; i < c->entries->len; i++) {
		const KxVmEntry *e = c->entries->pdata[i];
		g_autofree char *key = alone_key(&e->ident);

		if (!g_hash_table_contains(c->m->let_alone, key))
			attach_by_rule(c->m, e->ident.name, e->ident.uuid);
	}
	call_done(c, NULL);
}

/* For the domains that run already. */
static void apply_rules(KxManager *m)
{
	Call *c;

	if (!m->config->rules->len || !kx_domains_connected(m->domains))
		return;
	c = call_new(m, NULL, NULL, NULL);
	c->libvirt = kx_domains_hold(m->domains, NULL);
	call_run(c, list_work, rules_then);
}

static gboolean forget_uuid(gpointer key, gpointer value, gpointer uuid)
{
	return g_str_has_suffix(key, uuid);
}

/*
 * Says why a VM went. The session ends by its own descriptor, mostly before libvirt's event; and an event may be of an
 * earlier life of the domain, so a process that still is this VM is left alone.
 */
static void domain_stopped(KxManager *m, const KxDomain *d, const char *why)
{
	KxSession *s = find_account(m, d->uuid);
	g_auto(KxQemuIdent) q = { 0 };

	g_hash_table_foreach_remove(m->let_alone, forget_uuid, d->uuid);
	if (!s)
		return;
	if (kx_session_alive(s)) {
		if (kx_vmfd_ident(m->host->proc_root, kx_session_ident(s)->pid, &q, NULL) &&
		    q.uuid) {
			kx_session_expect_end(s, why);
			return;
		}
		kx_session_end(s, "VM gone", NULL);
		kx_session_explain_end(s, why);
		on_session_ended(s, m);
		return;
	}
	kx_session_explain_end(s, why);
}

static void on_domains(KxDomainsEvent event, const KxDomain *d, const char *detail, gpointer data)
{
	KxManager *m = data;

	switch (event) {
	case KX_DOMAINS_CONNECTED:
		m->libvirt(TRUE, m->data);
		if (m->was_connected)
			tell(m, "libvirt-back", NULL, NULL);
		m->was_connected = TRUE;
		apply_rules(m);
		break;
	case KX_DOMAINS_LOST:
		m->libvirt(FALSE, m->data);
		tell(m, "libvirt-lost", NULL, NULL);
		break;
	case KX_DOMAINS_STARTED:
		attach_by_rule(m, d->name, d->uuid);
		break;
	case KX_DOMAINS_STOPPED:
		domain_stopped(m, d, detail);
		break;
	}
}

/* --- life --------------------------------------------------------------------------------------------------------- */

KxManager *kx_manager_new(const KxHost *host, KxConfig *config, KxManagerCallback callback,
			  KxManagerLibvirt libvirt, gpointer data)
{
	KxManager *m = g_new0(KxManager, 1);

	g_ref_count_init(&m->refs);
	m->host = host;
	m->config = config;
	m->callback = callback;
	m->libvirt = libvirt;
	m->data = data;
	m->sessions = g_ptr_array_new_with_free_func((GDestroyNotify)kx_session_unref);
	g_queue_init(&m->ended);
	m->let_alone = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	m->asking = g_hash_table_new(NULL, NULL);
	m->plugging = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	m->domains = kx_domains_new(config->libvirt_uri, on_domains, m);
	refresh_selftest(m);
	return m;
}

/* There is no main loop to wait in any more, and a guest that does not let go keeps the device for the next daemon. */
static void unplug_now(KxManager *m, KxSession *s)
{
	g_autoptr(KxPlug) plug = kx_session_take_plug(s);
	g_autoptr(KxLibvirt) libvirt = plug ? kx_domains_hold(m->domains, NULL) : NULL;
	const KxVmIdent *i = kx_session_ident(s);
	g_autoptr(GError) error = NULL;
	const KxPlugVm vm = { .sys = m->host->plug_sys,
			      .domain = m->host->plug_domain,
			      .dir = m->host->shm_dir,
			      .proc_root = m->host->proc_root,
			      .libvirt = libvirt,
			      .name = i->name,
			      .uuid = i->uuid,
			      .pid = i->pid };

	if (plug && !kx_plug_out(plug, &vm, KX_PLUG_SHUTDOWN_MS, &error))
		kx_log(G_LOG_LEVEL_WARNING, "channel", i->name, NULL, "%s", error->message);
}

void kx_manager_shutdown(KxManager *m)
{
	while (m->sessions->len) {
		g_autoptr(KxSession) s = kx_session_ref(m->sessions->pdata[0]);

		kx_session_end(s, "the daemon stopped", NULL);
		retire(m, s);
		tell(m, "detached", s, "the daemon stopped");
		unplug_now(m, s);
	}
	m->callback = NULL;
	g_clear_pointer(&m->domains, kx_domains_free);
}

void kx_manager_unref(KxManager *m)
{
	if (!m || !g_ref_count_dec(&m->refs))
		return;
	if (m->domains)
		kx_manager_shutdown(m);
	g_ptr_array_unref(m->sessions);
	g_queue_clear_full(&m->ended, (GDestroyNotify)kx_session_unref);
	g_hash_table_unref(m->let_alone);
	g_hash_table_unref(m->asking);
	g_hash_table_unref(m->plugging);
	kx_selftest_free(m->selftest);
	g_free(m->selftest_key);
	kx_config_free(m->config);
	g_free(m);
}

const KxConfig *kx_manager_config(const KxManager *m)
{
	return m->config;
}

void kx_manager_reload(KxManager *m, KxConfig *config)
{
	kx_config_free(m->config);
	m->config = config;
	apply_rules(m);
}
