// SPDX-License-Identifier: GPL-2.0-or-later
/* Report, Stats, Found and Heat. They read the accounts of one session after the other. */
#include "manager-internal.h"

#include <string.h>

#include <kvm-ext/version.h>

#include "base/error.h"
#include "report/json.h"
#include "vm/hostinfo.h"

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

/* The accounts of @targets; if @targets is empty, the latest account of each VM. */
static GPtrArray *accounts(KxManager *m, const char *const *targets, GError **error)
{
	g_autoptr(GPtrArray) list =
		g_ptr_array_new_with_free_func((GDestroyNotify)kx_session_unref);
	const GList *l;
	guint i;

	for (; targets && *targets; targets++) {
		KxSession *s = kx_manager_need_account(m, *targets, error);

		if (!s)
			return NULL;
		g_ptr_array_add(list, kx_session_ref(s));
	}
	if (list->len)
		return g_steal_pointer(&list);
	for (i = 0; i < m->sessions->len; i++)
		g_ptr_array_add(list, kx_session_ref(m->sessions->pdata[i]));
	for (l = m->ended.head; l; l = l->next) {
		if (!has_ident(list, l->data))
			g_ptr_array_add(list, kx_session_ref(l->data));
	}
	return g_steal_pointer(&list);
}

/* A D-Bus message has at most 128 MiB. */
#define MESSAGE_MAX (100u << 20)

static KxReport *report_new(void)
{
	KxReport *r = kx_report_new();

	r->version = g_strdup(KVM_EXT_VERSION);
	r->generated_realtime_ns = g_get_real_time() * 1000;
	return r;
}

static gboolean json_work(KxCall *c, GError **error)
{
	c->report.json = kx_report_to_json(c->report.made);
	if (strlen(c->report.json) <= MESSAGE_MAX)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "the report has %" G_GSIZE_FORMAT " MiB, more than a D-Bus message can hold; "
		    "ask for some of the VMs by name",
		    strlen(c->report.json) >> 20);
	return FALSE;
}

static void json_then(KxCall *c, GError *error)
{
	if (error) {
		kx_call_done(c, error);
		return;
	}
	g_task_return_pointer(c->task, g_steal_pointer(&c->report.json), g_free);
	kx_call_free(c);
}

/*
 * Report:
 *	kx_manager_report_async    chooses the accounts
 *	[ask_work]                 asks QEMU for KVM's counters (manager-set.c)
 *	report_then
 *	next_report                for each session, one after the other:
 *	    report_entered, [report_work], reported
 *	[host_work]                describes the host and writes the text
 *	json_then                  the call is answered
 */

/* --- a report --------------------------------------------------------------------------------------------------------- */

static gboolean report_work(KxCall *c, GError **error)
{
	g_ptr_array_add(c->report.made->vms, kx_session_report(c->in, kx_call_asked(c, c->in)));
	return TRUE;
}

static gboolean host_work(KxCall *c, GError **error)
{
	g_autoptr(KxHostInfo) host = kx_hostinfo_read(NULL, NULL);

	kx_hostinfo_to_report(host, c->report.made);
	return json_work(c, error);
}

static void next_report(KxCall *c);

static void reported(KxCall *c, GError *error)
{
	kx_call_leave(c);
	if (error)
		kx_call_done(c, error);
	else
		next_report(c);
}

static void report_entered(KxCall *c, GError *error)
{
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run(c, report_work, reported);
}

static void next_report(KxCall *c)
{
	if (c->report.at < c->report.sessions->len)
		kx_call_enter(c, c->report.sessions->pdata[c->report.at++], report_entered);
	else
		kx_call_run(c, host_work, json_then);
}

static void report_then(KxCall *c, GError *error)
{
	if (error) {
		kx_call_done(c, error);
		return;
	}
	c->report.made = report_new();
	kx_manager_selftest_to_report(c->m, c->report.made);
	next_report(c);
}

void kx_manager_report_async(KxManager *m, const char *const *targets, GAsyncReadyCallback callback,
			     gpointer data)
{
	KxCall *c = kx_call_new(m, NULL, callback, data);
	GError *error = NULL;

	c->report.sessions = accounts(m, targets, &error);
	if (c->report.sessions)
		kx_call_ask_qemu(c, c->report.sessions, report_then);
	else
		kx_call_done(c, error);
}

char *kx_manager_report_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}

/*
 * Stats:
 *	kx_manager_stats_async     chooses the sessions, and enters all free sessions at once
 *	[read_together_work]       reads these sessions
 *	read_together_then
 *	next_stats                 for each other session, one after the other:
 *	    stats_entered, [read_work], stats_read
 *	answer_stats
 */

/* --- current figures --------------------------------------------------------------------------------------------------- */

static gboolean read_work(KxCall *c, GError **error)
{
	kx_session_read(c->in);
	return TRUE;
}

static void next_stats(KxCall *c);

static void stats_read(KxCall *c, GError *error)
{
	kx_call_leave(c);
	if (error)
		kx_call_done(c, error);
	else
		next_stats(c);
}

static void stats_entered(KxCall *c, GError *error)
{
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run(c, read_work, stats_read);
}

static KxVmReport *stats_of(const KxSession *s)
{
	KxVmReport *v = kx_vm_report_copy(kx_session_stats(s));

	if (!kx_session_doing(s))
		return v;
	g_free(v->progress);
	v->progress = g_strdup(kx_session_doing(s));
	return v;
}

static void answer_stats(KxCall *c)
{
	GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)kx_vm_report_free);

	for (guint i = 0; i < c->report.sessions->len; i++) {
		const KxSession *s = c->report.sessions->pdata[i];

		if (kx_session_stats(s))
			g_ptr_array_add(list, stats_of(s));
	}
	g_task_return_pointer(c->task, list, (GDestroyNotify)g_ptr_array_unref);
	kx_call_free(c);
}

static void next_stats(KxCall *c)
{
	while (c->report.at < c->report.rest->len) {
		KxSession *s = c->report.rest->pdata[c->report.at++];

		if (!kx_session_alive(s))
			continue;
		kx_call_enter(c, s, stats_entered);
		return;
	}
	answer_stats(c);
}

static gboolean read_together_work(KxCall *c, GError **error)
{
	for (guint i = 0; i < c->report.together->len; i++) {
		kx_session_read(c->report.together->pdata[i]);
		kx_session_hand_back(c->report.together->pdata[i]);
	}
	return TRUE;
}

static void read_together_then(KxCall *c, GError *error)
{
	for (guint i = 0; i < c->report.together->len; i++)
		kx_session_leave(c->report.together->pdata[i]);
	if (error)
		kx_call_done(c, error);
	else
		next_stats(c);
}

static void nothing(gpointer data)
{
}

/*
 * Free sessions are entered now and read together, on one thread; the other sessions are read one by one afterwards. A session
 * that is busy for long is not read: the answer contains the figures that were read last, so that the other sessions need not
 * wait.
 */
static void sort_out(KxCall *c)
{
	c->report.together = g_ptr_array_new();
	c->report.rest = g_ptr_array_new();
	for (guint i = 0; i < c->report.sessions->len; i++) {
		KxSession *s = c->report.sessions->pdata[i];

		if (!kx_session_alive(s) || (kx_session_doing(s) && kx_session_stats(s)))
			continue;
		if (!kx_session_is_free(s)) {
			g_ptr_array_add(c->report.rest, s);
			continue;
		}
		kx_session_enter(s, nothing, NULL);
		kx_session_hand_over(s);
		g_ptr_array_add(c->report.together, s);
	}
}

static gboolean any_alive(const GPtrArray *sessions)
{
	for (guint i = 0; i < sessions->len; i++) {
		if (kx_session_alive(sessions->pdata[i]))
			return TRUE;
	}
	return FALSE;
}

void kx_manager_stats_async(KxManager *m, const char *const *targets, GAsyncReadyCallback callback,
			    gpointer data)
{
	KxCall *c = kx_call_new(m, NULL, callback, data);
	GError *error = NULL;

	c->report.sessions = accounts(m, targets, &error);
	if (!c->report.sessions) {
		kx_call_done(c, error);
		return;
	}
	if (targets && *targets && !any_alive(c->report.sessions)) {
		kx_manager_need_alive(m, *targets, &error);
		kx_call_done(c, error);
		return;
	}
	sort_out(c);
	kx_call_run(c, read_together_work, read_together_then);
}

GPtrArray *kx_manager_stats_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}

/*
 * Found:
 *	kx_manager_found_async, found_entered, [found_work], found_then
 *
 * Heat:
 *	kx_manager_heat_async, heat_entered, [heat_work], json_then
 */

/* --- Found and Heat of a single VM ------------------------------------------------------------------------------------- */

static void enter_account(KxCall *c, void (*then)(KxCall *, GError *))
{
	GError *error = NULL;
	KxSession *s = kx_manager_need_account(c->m, c->target, &error);

	if (!s) {
		kx_call_done(c, error);
		return;
	}
	c->session = kx_session_ref(s);
	kx_call_enter(c, s, then);
}

static gboolean found_work(KxCall *c, GError **error)
{
	c->found.runs = kx_session_found(c->in, c->found.window, error);
	return c->found.runs != NULL;
}

static void found_then(KxCall *c, GError *error)
{
	if (error) {
		kx_call_done(c, error);
		return;
	}
	g_task_return_pointer(c->task, g_steal_pointer(&c->found.runs),
			      (GDestroyNotify)g_array_unref);
	kx_call_free(c);
}

static void found_entered(KxCall *c, GError *error)
{
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run(c, found_work, found_then);
}

void kx_manager_found_async(KxManager *m, const char *target, guint64 window,
			    GAsyncReadyCallback callback, gpointer data)
{
	KxCall *c = kx_call_new(m, target, callback, data);

	c->found.window = window;
	enter_account(c, found_entered);
}

GArray *kx_manager_found_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}

static gboolean heat_work(KxCall *c, GError **error)
{
	c->report.made = report_new();
	g_ptr_array_add(c->report.made->vms, kx_session_heat(c->in));
	return json_work(c, error);
}

static void heat_entered(KxCall *c, GError *error)
{
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run(c, heat_work, json_then);
}

void kx_manager_heat_async(KxManager *m, const char *target, GAsyncReadyCallback callback,
			   gpointer data)
{
	enter_account(kx_call_new(m, target, callback, data), heat_entered);
}

char *kx_manager_heat_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}
