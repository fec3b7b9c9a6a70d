// SPDX-License-Identifier: GPL-2.0-or-later
/* What the manager is made of, at its beginning and when the configuration changes. */
#include "manager-internal.h"

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
	m->stop = kx_manager_shutdown;
	m->again = kx_manager_attach_by_rule;
	m->sessions = g_ptr_array_new_with_free_func((GDestroyNotify)kx_session_unref);
	g_queue_init(&m->ended);
	m->let_alone = kx_let_alone_new(host->detached_file, host->proc_root);
	m->asking = g_hash_table_new(NULL, NULL);
	m->attaching = g_hash_table_new(NULL, NULL);
	m->recordings = g_hash_table_new(NULL, NULL);
	m->plugging = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	m->retries = kx_manager_retries_new();
	m->domains = kx_domains_new(config->libvirt_uri, kx_manager_on_domains, m);
	kx_manager_refresh_selftest(m);
	kx_manager_sweep_channels(m);
	return m;
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
