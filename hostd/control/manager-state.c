// SPDX-License-Identifier: GPL-2.0-or-later
/* The parts of the manager that all its files use: references, and the sending of events. */
#include "manager-internal.h"

#include "base/log.h"

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

void kx_manager_unref(KxManager *m)
{
	if (!m || !g_ref_count_dec(&m->refs))
		return;
	if (m->domains)
		m->stop(m);
	g_ptr_array_unref(m->sessions);
	g_queue_clear_full(&m->ended, (GDestroyNotify)kx_session_unref);
	kx_let_alone_free(m->let_alone);
	g_hash_table_unref(m->asking);
	g_hash_table_unref(m->attaching);
	g_hash_table_unref(m->recordings);
	g_hash_table_unref(m->plugging);
	g_hash_table_unref(m->retries);
	kx_selftest_free(m->selftest);
	g_free(m->selftest_key);
	kx_config_free(m->config);
	g_free(m);
}
