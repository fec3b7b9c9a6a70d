// SPDX-License-Identifier: GPL-2.0-or-later
#include "manager-internal.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "vm/vmfd.h"

/* --- events ------------------------------------------------------------------------------------------------------- */

void kx_manager_tell(KxManager *m, const char *event, KxSession *s, const char *reason)
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
		kx_log(G_LOG_LEVEL_MESSAGE, event, e.vm, e.tracker, "%s (pid %d): %s%s%s%s %s%s%s",
		       e.vm, e.pid, event, reason ? ": " : "", reason ? reason : "",
		       g_str_equal(event, "tracker") ? "" : ", tracker", e.tracker,
		       *options ? ", " : "", options);
	if (m->callback)
		m->callback(&e, m->data);
}

/* --- sessions that end --------------------------------------------------------------------------------------------- */

/* Found pages of the oldest first, then accounts as a whole: what is left without pages is small. */
static void forget_found(gpointer data)
{
	KxSession *s = data;

	kx_session_forget_found(s);
	kx_session_leave(s);
}

static gsize ended_bytes(const KxManager *m)
{
	gsize sum = 0;

	for (const GList *l = m->ended.head; l; l = l->next)
		sum += kx_session_bytes(l->data);
	return sum;
}

static void bound_ended(KxManager *m)
{
	gsize sum = ended_bytes(m);

	for (const GList *l = m->ended.tail; l && sum > KX_MANAGER_ENDED_BYTES; l = l->prev) {
		sum -= kx_session_found_bytes(l->data);
		kx_session_enter(l->data, forget_found, l->data);
	}
	while (sum > KX_MANAGER_ENDED_BYTES && m->ended.length > 1) {
		KxSession *oldest = g_queue_pop_tail(&m->ended);

		sum -= kx_session_bytes(oldest);
		kx_session_unref(oldest);
	}
}

void kx_manager_retire(KxManager *m, KxSession *s)
{
	g_queue_push_head(&m->ended, kx_session_ref(s));
	g_ptr_array_remove(m->sessions, s);
	while (m->ended.length > KX_MANAGER_ENDED_MAX)
		kx_session_unref(g_queue_pop_tail(&m->ended));
	bound_ended(m);
}

void kx_manager_session_ended(KxSession *s, gpointer data)
{
	g_autoptr(KxSession) held = kx_session_ref(s);
	KxManager *m = data;

	kx_manager_stop_asking(m, s);
	kx_manager_retire(m, s);
	kx_manager_tell(m, "vm-gone", s, kx_session_ended(s));
	if (kx_session_plug(s) && m->domains)
		kx_call_unplug_after(kx_call_new(m, NULL, NULL, NULL), s, TRUE);
}

/* --- the dirty log's self-test ------------------------------------------------------------------------------------ */

static gboolean selftest_work(KxCall *c, GError **error)
{
	c->selftest = c->m->host->selftest(c->m->host->root);
	return TRUE;
}

static void selftest_then(KxCall *c, GError *error)
{
	KxManager *m = c->m;

	kx_selftest_free(m->selftest);
	m->selftest = g_steal_pointer(&c->selftest);
	if (m->selftest && m->callback)
		kx_log(m->selftest->outcome == KX_SELFTEST_WRONG ? G_LOG_LEVEL_WARNING
								 : G_LOG_LEVEL_MESSAGE,
		       "log-selftest", NULL, NULL, "the dirty log's self-test: %s",
		       m->selftest->text);
	kx_call_done(c, error);
}

/* Anew when KVM's module was loaded anew; in the background, for it can take a second. */
void kx_manager_refresh_selftest(KxManager *m)
{
	g_autofree char *key = m->host->selftest ? kx_selftest_key(m->host->root) : NULL;

	if (!key || g_strcmp0(key, m->selftest_key) == 0)
		return;
	g_free(m->selftest_key);
	m->selftest_key = g_steal_pointer(&key);
	g_clear_pointer(&m->selftest, kx_selftest_free);
	kx_call_run(kx_call_new(m, NULL, NULL, NULL), selftest_work, selftest_then);
}

void kx_manager_selftest_to_report(KxManager *m, KxReport *r)
{
	g_autoptr(KxSelftest) t = NULL;

	kx_manager_refresh_selftest(m);
	if (!m->host->selftest)
		return;
	t = m->selftest ? kx_selftest_copy(m->selftest)
			: kx_selftest_not_run("it has not come to an end yet");
	r->log_selftest = g_strdup(kx_selftest_outcome_name(t->outcome));
	r->log_selftest_text = g_strdup(t->text);
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
	m->let_alone = kx_let_alone_new(host->detached_file, host->proc_root);
	m->asking = g_hash_table_new(NULL, NULL);
	m->attaching = g_hash_table_new(NULL, NULL);
	m->plugging = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	m->retries = kx_manager_retries_new();
	m->domains = kx_domains_new(config->libvirt_uri, kx_manager_on_domains, m);
	kx_manager_refresh_selftest(m);
	kx_manager_sweep_channels(m);
	return m;
}

void kx_manager_unref(KxManager *m)
{
	if (!m || !g_ref_count_dec(&m->refs))
		return;
	if (m->domains)
		kx_manager_shutdown(m);
	g_ptr_array_unref(m->sessions);
	g_queue_clear_full(&m->ended, (GDestroyNotify)kx_session_unref);
	kx_let_alone_free(m->let_alone);
	g_hash_table_unref(m->asking);
	g_hash_table_unref(m->attaching);
	g_hash_table_unref(m->plugging);
	g_hash_table_unref(m->retries);
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
	kx_manager_apply_rules(m);
}
