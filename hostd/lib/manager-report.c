// SPDX-License-Identifier: GPL-2.0-or-later
/* Report, Found and Heat: from the accounts. */
#include "manager-internal.h"

#include <string.h>

#include "error.h"
#include "hostinfo.h"

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
	g_autoptr(GError) why = NULL;
	KxSession *s = kx_manager_find_account(m, target, &why);

	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	else if (!s)
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

static char *make_report(const KxCall *c, GPtrArray *sessions)
{
	g_autoptr(KxHostInfo) host = kx_hostinfo_read(NULL, NULL);
	g_autoptr(KxReport) r = kx_report_new();
	guint i;

	kx_hostinfo_to_report(host, r);
	r->version = g_strdup(KX_VERSION);
	r->generated_realtime_ns = g_get_real_time() * 1000;
	kx_manager_selftest_to_report(c->m, r);
	for (i = 0; i < sessions->len; i++)
		g_ptr_array_add(r->vms, kx_session_report(sessions->pdata[i],
							  kx_call_asked(c, sessions->pdata[i])));
	return kx_report_to_json(r);
}

static void report_then(KxCall *c, GError *error)
{
	g_autoptr(GPtrArray) sessions =
		error ? NULL : accounts(c->m, (const char *const *)c->targets, &error);

	if (!sessions) {
		kx_call_done(c, error);
		return;
	}
	g_task_return_pointer(c->task, make_report(c, sessions), g_free);
	kx_call_free(c);
}

void kx_manager_report_async(KxManager *m, const char *const *targets, GAsyncReadyCallback callback,
			     gpointer data)
{
	KxCall *c = kx_call_new(m, NULL, callback, data);
	g_autoptr(GPtrArray) sessions = NULL;
	GError *error = NULL;

	c->targets = g_strdupv((char **)targets);
	sessions = accounts(m, targets, &error);
	if (sessions)
		kx_call_ask_qemu(c, sessions, report_then);
	else
		kx_call_done(c, error);
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
