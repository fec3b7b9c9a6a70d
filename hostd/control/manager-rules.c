// SPDX-License-Identifier: GPL-2.0-or-later
/* libvirt's events, and the rules of the configuration. */
#include "manager-internal.h"

#include "base/log.h"
#include "vm/vmfd.h"

void kx_manager_attach_by_rule(KxManager *m, const char *name, const char *uuid)
{
	const KxRule *rule = kx_config_match(m->config, name);
	KxCall *c;

	if (!rule || kx_manager_find_alive(m, uuid, NULL) ||
	    g_hash_table_contains(m->plugging, uuid))
		return;
	c = kx_call_new(m, uuid, NULL, NULL);
	c->set.options = rule->options;
	c->wait.cancellable = g_cancellable_new();
	c->libvirt = kx_domains_hold(m->domains, NULL);
	if (c->libvirt)
		kx_call_run(c, kx_call_attach_work, kx_call_resolve_then);
	else
		kx_call_done(c, NULL);
}

static void rules_then(KxCall *c, GError *error)
{
	guint i;

	if (error) {
		kx_log(G_LOG_LEVEL_WARNING, "rules", NULL, NULL, "the rules cannot be applied: %s",
		       error->message);
		kx_call_done(c, error);
		return;
	}
	for (i = 0; i < c->list.entries->len; i++) {
		const KxVmEntry *e = c->list.entries->pdata[i];

		if (!kx_let_alone_has(c->m->let_alone, e->ident.uuid, e->ident.pid))
			kx_manager_attach_by_rule(c->m, e->ident.name, e->ident.uuid);
	}
	kx_call_done(c, NULL);
}

/* Applies the rules to domains that already run. */
void kx_manager_apply_rules(KxManager *m)
{
	KxCall *c;

	if (!m->config->rules->len || !kx_domains_connected(m->domains))
		return;
	c = kx_call_new(m, NULL, NULL, NULL);
	c->libvirt = kx_domains_hold(m->domains, NULL);
	kx_call_run(c, kx_call_list_work, rules_then);
}

/*
 * Passes the reason for a VM's end to its session. The descriptor ends the session by itself, usually before libvirt's event
 * arrives. The event may belong to an earlier run of the domain; so if the process still runs this VM, the session goes on.
 */
static void domain_stopped(KxManager *m, const KxDomain *d, const char *why)
{
	KxSession *s = kx_manager_find_account(m, d->uuid, NULL);
	g_auto(KxQemuIdent) q = { 0 };

	kx_manager_no_retry(m, d->uuid);
	kx_let_alone_remove(m->let_alone, d->uuid);
	if (!s)
		return;
	if (kx_session_alive(s)) {
		if (kx_vmfd_ident(m->host->proc_root, kx_session_ident(s)->pid, &q, NULL) &&
		    q.uuid) {
			kx_session_expect_end(s, why);
			return;
		}
		kx_session_expect_end(s, why);
		kx_session_vm_gone(s);
		return;
	}
	kx_session_explain_end(s, why);
}

/* Now the guest can answer, so a failed rule is tried again at once. */
static void domain_resumed(KxManager *m, const KxDomain *d)
{
	if (g_hash_table_contains(m->retries, d->uuid))
		kx_manager_attach_by_rule(m, d->name, d->uuid);
}

void kx_manager_on_domains(KxDomainsEvent event, const KxDomain *d, const char *detail,
			   gint64 realtime_ns, gpointer data)
{
	KxManager *m = data;

	switch (event) {
	case KX_DOMAINS_CONNECTED:
		m->libvirt(TRUE, m->data);
		if (m->was_connected)
			kx_manager_tell(m, "libvirt-back", NULL, NULL);
		m->was_connected = TRUE;
		kx_manager_ask_pauses(m);
		kx_manager_apply_rules(m);
		break;
	case KX_DOMAINS_LOST:
		m->libvirt(FALSE, m->data);
		kx_manager_lose_pauses(m);
		kx_manager_tell(m, "libvirt-lost", NULL, NULL);
		break;
	case KX_DOMAINS_STARTED:
		kx_manager_attach_by_rule(m, d->name, d->uuid);
		break;
	case KX_DOMAINS_STOPPED:
		domain_stopped(m, d, detail);
		break;
	case KX_DOMAINS_PAUSED:
		kx_manager_paused(m, d, detail, realtime_ns);
		break;
	case KX_DOMAINS_RESUMED:
		kx_manager_paused(m, d, NULL, realtime_ns);
		domain_resumed(m, d);
		break;
	}
}
