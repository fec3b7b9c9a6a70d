// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The VMM's own use of the dirty log: libvirt is asked for the reason, then an event reports it.
 *
 *	on_yielded → [why_yielded_work] → why_yielded_then → why_yielded_entered
 */
#include "manager-internal.h"

#include "base/log.h"

/* "12:04:05.678 UTC". Log lines contain this time because they are written later than the event. */
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
	g_autofree char *how =
		g_strdup_printf("%s stopped at %s", kx_session_options(s)->tracker->name, when);

	g_autofree char *what = g_strdup_printf("yielded: %s", to);

	tell_yield(m, "yielded", s, to, what, how);
}

/* The beginning is reported before later events of the session, even if libvirt has not answered yet. */
void kx_manager_stop_asking(KxManager *m, KxSession *s)
{
	const KxCall *c = g_hash_table_lookup(m->asking, s);

	if (!c)
		return;
	g_hash_table_remove(m->asking, s);
	say_yielded(m, s, KX_YIELDED_UNKNOWN, c->yield.at);
}

static gboolean why_yielded_work(KxCall *c, GError **error)
{
	c->yield.to = kx_libvirt_uses_log(c->libvirt, kx_session_ident(c->session)->uuid);
	return TRUE;
}

static void why_yielded_entered(KxCall *c, GError *error)
{
	if (g_hash_table_lookup(c->m->asking, c->session) == c) {
		const char *to = c->yield.to ? c->yield.to : KX_YIELDED_UNKNOWN;

		g_hash_table_remove(c->m->asking, c->session);
		kx_session_yielded_to(c->session, to);
		say_yielded(c->m, c->session, to, c->yield.at);
	}
	kx_call_done(c, error);
}

static void why_yielded_then(KxCall *c, GError *error)
{
	if (error)
		kx_call_done(c, error);
	else
		kx_call_enter(c, c->session, why_yielded_entered);
}

static void on_yielded(KxManager *m, KxSession *s, const KxYield *y)
{
	KxLibvirt *l = kx_session_ident(s)->uuid ? kx_domains_hold(m->domains, NULL) : NULL;
	KxCall *c;

	if (!l) {
		say_yielded(m, s, KX_YIELDED_UNKNOWN, y->realtime_ns);
		return;
	}
	c = kx_call_new(m, NULL, NULL, NULL);
	c->libvirt = l;
	c->session = kx_session_ref(s);
	c->yield.at = y->realtime_ns;
	g_hash_table_insert(m->asking, s, c);
	kx_call_run(c, why_yielded_work, why_yielded_then);
}

static void on_resumed(KxManager *m, KxSession *s, const KxYield *y)
{
	g_autofree char *when = time_text(y->realtime_ns);
	g_autofree char *how = g_strdup_printf("%s continues since %s, after a stop of %.3f s",
					       kx_session_options(s)->tracker->name, when,
					       (double)y->lasted_ns / 1e9);

	g_autofree char *what = g_strdup_printf("resumed (yielded: %s)", y->to);

	kx_manager_stop_asking(m, s);
	tell_yield(m, "resumed", s, y->to, what, how);
}

void kx_manager_session_yield(KxSession *s, const KxYield *y, gpointer data)
{
	(y->yielded ? on_yielded : on_resumed)(data, s, y);
}
