// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Waiting for the answer of a guest's module: the wait is reported by an event, shown by List, and can be ended. If a rule
 * requests the tracker, the rule is tried again with increasing pauses until the guest answers, the VM ends or the user detaches
 * it.
 */
#include "manager-internal.h"

#include "base/error.h"
#include "base/log.h"

/* A shorter wait is not reported. */
#define TELL_MS	    1000u
#define RETRY_MIN_S 10u
#define RETRY_MAX_S 300u
#define FOR_WHAT    "waiting for the guest's module"

typedef struct {
	KxManager *m; /* owns this structure */
	KxVmIdent ident;
	char *why; /* reason of the last failure */
	guint source, pause_s;
} KxRetry;

/* --- a call that waits -------------------------------------------------------------------------------------------- */

static gboolean tell_waiting(gpointer data)
{
	KxCall *c = data;
	g_autofree char *limit =
		kx_patience_limit(c->m->host->proc_root, c->ident.pid, c->set.options.wait_ns);
	g_autofree char *reason = g_strconcat(FOR_WHAT " (kvm_ext_guest.ko), ", limit, NULL);
	const KxEvent e = {
		.event = "waiting",
		.vm = c->ident.name,
		.uuid = c->ident.uuid,
		.tracker = c->set.options.tracker->name,
		.reason = reason,
		.pid = c->ident.pid,
	};

	c->wait.timer = 0;
	if (c->m->callback && !c->wait.given_up)
		c->m->callback(&e, c->m->data);
	return G_SOURCE_REMOVE;
}

void kx_call_begin_wait(KxCall *c)
{
	if (!kx_manager_runs_in_guest(&c->set.options))
		return;
	c->wait.now = TRUE;
	if (!c->wait.cancellable)
		c->wait.cancellable = g_cancellable_new();
	c->wait.timer = g_timeout_add(TELL_MS, tell_waiting, c);
}

/*
 * TRUE: the wait was given up, but the guest has answered before. Only if the call has plugged in the channel itself: on the
 * session's channel the guest runs the command now, and the caller that ended the wait continues after this call.
 */
static gboolean given_up_too_late(const KxCall *c)
{
	return c->wait.given_up && !c->channel.borrowed;
}

GError *kx_call_end_wait(KxCall *c, GError *error)
{
	if (c->wait.timer)
		g_source_remove(c->wait.timer);
	c->wait.timer = 0;
	c->wait.now = FALSE;
	if (error ? !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)
		  : !given_up_too_late(c))
		return error;
	g_clear_error(&error);
	return g_error_new(KX_ERROR, c->wait.gives_way ? KX_ERROR_BUSY : KX_ERROR_FAILED,
			   "the wait for VM \"%s\" has ended: %s", c->ident.name,
			   c->wait.given_up ? c->wait.given_up : "the caller has disconnected");
}

/* @target NULL: any VM. */
static gboolean waits_for(const KxCall *c, const char *target)
{
	return c->wait.now && (!target || kx_vm_ident_is_called(&c->ident, target));
}

/* Rules do not attach a VM again that a user has detached. */
static void let_alone(KxManager *m, const KxVmIdent *ident, const char *target)
{
	if (target)
		kx_let_alone_add(m->let_alone, ident->uuid, ident->pid);
}

static gboolean drop_retry(gpointer uuid, gpointer value, gpointer target)
{
	const KxRetry *r = value;

	if (target && !kx_vm_ident_is_called(&r->ident, target))
		return FALSE;
	let_alone(r->m, &r->ident, target);
	return TRUE;
}

/* Ends the calls in the queue that have not begun. */
static void drop_behind(KxCall *holder, KxError code, const char *why)
{
	for (GList *l = holder->channel.behind.head, *next; l; l = next) {
		KxCall *c = l->data;

		next = l->next;
		if (!c->set.pending)
			continue;
		g_queue_delete_link(&holder->channel.behind, l);
		kx_call_done(c, g_error_new(KX_ERROR, code, "the wait for VM \"%s\" has ended: %s",
					    c->target, why));
	}
}

gboolean kx_manager_give_up(KxManager *m, const char *target, const char *why)
{
	gboolean any = g_hash_table_foreach_remove(m->retries, drop_retry, (gpointer)target) != 0;
	GHashTableIter it;
	gpointer uuid, value;

	g_hash_table_iter_init(&it, m->plugging);
	while (g_hash_table_iter_next(&it, &uuid, &value)) {
		KxCall *c = value;

		if (!waits_for(c, target) || (c->wait.given_up && !c->wait.gives_way))
			continue;
		drop_behind(c, KX_ERROR_FAILED, why);
		g_free(c->wait.given_up);
		c->wait.given_up = g_strdup(why);
		c->wait.gives_way = FALSE;
		let_alone(m, &c->ident, target);
		g_cancellable_cancel(c->wait.cancellable);
		any = TRUE;
	}
	return any;
}

static void give_way(KxCall *c, const char *why)
{
	if (!c->wait.now || c->wait.given_up)
		return;
	c->wait.given_up = g_strdup(why);
	c->wait.gives_way = TRUE;
	g_cancellable_cancel(c->wait.cancellable);
}

/*
 * @c must wait for the current call if @c uses the same channel, or if the guest already has the command of the current call: @c,
 * the later command, must be carried out last.
 */
gboolean kx_call_takes_over(KxCall *c, const KxSession *s)
{
	const char *uuid = kx_session_ident(s)->uuid;
	KxCall *holder = uuid ? g_hash_table_lookup(c->m->plugging, uuid) : NULL;
	g_autofree char *why = NULL;
	gboolean sets, waits;

	if (!holder)
		return FALSE;
	why = g_strdup_printf("another tracker, %s, was set meanwhile",
			      c->set.options.tracker->name);
	sets = holder->set.pending;
	waits = holder->wait.now;
	drop_behind(holder, KX_ERROR_BUSY, why);
	if (sets)
		give_way(holder, why);
	return kx_manager_runs_in_guest(&c->set.options) ||
	       (sets && (!waits || kx_session_plug(s)));
}

gboolean kx_call_takes_over_rule(KxCall *c, const char *uuid)
{
	KxCall *holder = uuid ? g_hash_table_lookup(c->m->plugging, uuid) : NULL;

	if (!c->task || !holder || holder->task || !holder->wait.now)
		return FALSE;
	give_way(holder, "a command attaches it");
	return TRUE;
}

char *kx_manager_waits_for(const KxManager *m, const char *uuid)
{
	const KxCall *c = g_hash_table_lookup(m->plugging, uuid);
	const KxRetry *r = g_hash_table_lookup(m->retries, uuid);

	if (c && c->wait.now && !c->wait.given_up)
		return g_strdup(FOR_WHAT);
	return r ? g_strdup_printf(FOR_WHAT ", tried again every %u s at most: %s", r->pause_s,
				   r->why)
		 : NULL;
}

/* --- retries of rules --------------------------------------------------------------------------------------------- */

static void retry_free(gpointer data)
{
	KxRetry *r = data;

	if (r->source)
		g_source_remove(r->source);
	kx_vm_ident_clear(&r->ident);
	g_free(r->why);
	g_free(r);
}

GHashTable *kx_manager_retries_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, retry_free);
}

/*
 * Tries the current rule for the VM again. Ends the retries if no rule matches any more, or if libvirt is not connected: its
 * events will start the rules again when the connection is back.
 */
static gboolean try_again(gpointer data)
{
	KxRetry *r = data;

	/* Another call already waits for this guest. */
	if (g_hash_table_contains(r->m->plugging, r->ident.uuid))
		return G_SOURCE_CONTINUE;
	r->source = 0;
	if (kx_config_match(r->m->config, r->ident.name) && kx_domains_connected(r->m->domains))
		r->m->again(r->m, r->ident.name, r->ident.uuid);
	else
		kx_manager_no_retry(r->m, r->ident.uuid);
	return G_SOURCE_REMOVE;
}

static gboolean may_pass(const GError *error)
{
	static const int lasting[] = { KX_ERROR_NO_SUCH_VM, KX_ERROR_ALREADY_ATTACHED,
				       KX_ERROR_INVALID_OPTION, KX_ERROR_VM_GONE };

	for (guint i = 0; i < G_N_ELEMENTS(lasting); i++) {
		if (g_error_matches(error, KX_ERROR, lasting[i]))
			return FALSE;
	}
	return TRUE;
}

/* The wait was ended, and not in favour of another call: the rule is not tried again. */
static gboolean was_ended(const KxCall *c)
{
	return c->wait.given_up && !c->wait.gives_way;
}

gboolean kx_manager_retry_later(KxManager *m, const KxCall *c, const GError *error)
{
	KxRetry *r = g_hash_table_lookup(m->retries, c->target);

	if (!c->ident.uuid || was_ended(c) || !kx_manager_runs_in_guest(&c->set.options) ||
	    !may_pass(error) || !m->domains) {
		kx_manager_no_retry(m, c->target);
		return was_ended(c);
	}
	if (!r) {
		r = g_new0(KxRetry, 1);
		r->m = m;
		kx_vm_ident_copy(&r->ident, &c->ident);
		g_hash_table_insert(m->retries, g_strdup(c->target), r); /* target: the UUID */
		kx_log(G_LOG_LEVEL_WARNING, "auto-attach-waits", c->ident.name,
		       c->set.options.tracker->name,
		       "%s is not attached yet though a rule of the configuration says so; it is "
		       "tried again until the guest answers: %s",
		       c->ident.name, error->message);
	}
	g_free(r->why);
	r->why = g_strdup(error->message);
	r->pause_s = r->pause_s ? MIN(r->pause_s * 2, RETRY_MAX_S) : RETRY_MIN_S;
	if (r->source)
		g_source_remove(r->source);
	r->source = g_timeout_add_seconds(r->pause_s, try_again, r);
	return TRUE;
}

void kx_manager_no_retry(KxManager *m, const char *uuid)
{
	g_hash_table_remove(m->retries, uuid);
}
