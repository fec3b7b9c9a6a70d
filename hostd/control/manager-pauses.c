// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Times at which VMs do not run, whatever the reason. Events of libvirt report when such a time begins and ends. If it may have
 * begun or ended without an event, libvirt is asked.
 *
 *	kx_manager_paused → told_entered                    an event of libvirt
 *	not_known → unknown_entered                         events are not available
 *	ask → [ask_work] → ask_then → answer_entered        libvirt is asked; again if an event came meanwhile
 */
#include "manager-internal.h"

#include <time.h>

#include "base/error.h"
#include "base/log.h"

static const char no_domain[] =
	"the VM is none of libvirt's domains: nothing reports when it is paused";
static const char no_libvirt[] =
	"libvirt could not be reached: nothing reports when the VM is paused";
static const char not_yet[] = "libvirt has not said yet whether the VM is paused";

static guint64 monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (guint64)ts.tv_sec * G_GUINT64_CONSTANT(1000000000) + (guint64)ts.tv_nsec;
}

/* Converts a past time of CLOCK_REALTIME. */
static KxInstant moment(gint64 realtime_ns)
{
	gint64 ago = MAX(0, g_get_real_time() * 1000 - realtime_ns);
	guint64 now = monotonic_ns();

	return (KxInstant){ realtime_ns, now - MIN((guint64)ago, now) };
}

static KxInstant now(void)
{
	return moment(g_get_real_time() * 1000);
}

static KxCall *call_for(KxManager *m, KxSession *s)
{
	KxCall *c = kx_call_new(m, NULL, NULL, NULL);

	c->session = kx_session_ref(s);
	c->pause.moment = now();
	return c;
}

/* --- events of libvirt -------------------------------------------------------------------------------------------------- */

static void told_entered(KxCall *c, GError *error)
{
	KxAccount *a = kx_session_account(c->session);
	gboolean was = kx_account_is_paused(a) != NULL;

	if (c->pause.why)
		kx_account_paused(a, c->pause.moment, c->pause.why);
	else
		kx_account_resumed(a, c->pause.moment);
	if (kx_session_alive(c->session) && was != (c->pause.why != NULL))
		kx_manager_tell(c->m, c->pause.why ? "paused" : "unpaused", c->session,
				c->pause.why);
	kx_call_done(c, error);
}

void kx_manager_paused(KxManager *m, const KxDomain *d, const char *why, gint64 realtime_ns)
{
	KxSession *s = kx_manager_find_account(m, d->uuid, NULL);
	KxCall *c;

	m->pause_news++;
	if (!s)
		return;
	c = call_for(m, s);
	c->pause.moment = moment(realtime_ns);
	c->pause.why = why;
	kx_call_enter(c, s, told_entered);
}

/* --- no events ---------------------------------------------------------------------------------------------------------- */

static void unknown_entered(KxCall *c, GError *error)
{
	kx_account_pauses_unknown(kx_session_account(c->session), c->pause.moment, c->pause.why);
	kx_call_done(c, error);
}

static void not_known(KxManager *m, KxSession *s, const char *why)
{
	KxCall *c = call_for(m, s);

	c->pause.why = why;
	kx_call_enter(c, s, unknown_entered);
}

/* --- asking ------------------------------------------------------------------------------------------------------------- */

static void ask(KxManager *m, KxSession *s, gboolean since_attach);

static void answer_entered(KxCall *c, GError *error)
{
	kx_account_asked(kx_session_account(c->session), c->pause.moment, c->pause.why,
			 c->pause.since_attach);
	kx_call_done(c, error);
}

static gboolean ask_work(KxCall *c, GError **error)
{
	gboolean runs;

	return kx_libvirt_runs(c->libvirt, kx_session_ident(c->session)->uuid, &runs, &c->pause.why,
			       error);
}

static void ask_then(KxCall *c, GError *error)
{
	gboolean none = g_error_matches(error, KX_ERROR, KX_ERROR_NO_SUCH_VM);

	c->pause.moment = now();
	if (!error && c->pause.news == c->m->pause_news) {
		kx_call_enter(c, c->session, answer_entered);
		return;
	}
	if (error)
		not_known(c->m, c->session, none ? no_domain : no_libvirt);
	else
		ask(c->m, c->session,
		    c->pause.since_attach); /* the answer may be older than the event */
	kx_call_done(c, error);
}

static void ask(KxManager *m, KxSession *s, gboolean since_attach)
{
	gboolean named = kx_session_ident(s)->uuid != NULL;
	KxLibvirt *l = named ? kx_domains_hold(m->domains, NULL) : NULL;
	KxCall *c;

	if (!l) {
		not_known(m, s, named ? no_libvirt : no_domain);
		return;
	}
	c = call_for(m, s);
	c->libvirt = l;
	c->pause.since_attach = since_attach;
	c->pause.news = m->pause_news;
	kx_call_run(c, ask_work, ask_then);
}

void kx_manager_watch_pauses(KxManager *m, KxSession *s)
{
	not_known(m, s, not_yet);
	ask(m, s, TRUE);
}

void kx_manager_ask_pauses(KxManager *m)
{
	for (guint i = 0; i < m->sessions->len; i++)
		ask(m, m->sessions->pdata[i], FALSE);
}

void kx_manager_lose_pauses(KxManager *m)
{
	for (guint i = 0; i < m->sessions->len; i++) {
		if (kx_session_ident(m->sessions->pdata[i])->uuid)
			not_known(m, m->sessions->pdata[i], no_libvirt);
	}
}
