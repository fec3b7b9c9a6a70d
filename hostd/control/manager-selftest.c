// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The dirty log's self-test. Every report contains its outcome.
 *
 *	kx_manager_refresh_selftest → [selftest_work] → selftest_then
 */
#include "manager-internal.h"

#include "base/log.h"

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

/* Runs again if KVM's module was loaded again; in the background, because the self-test can take a second. */
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
