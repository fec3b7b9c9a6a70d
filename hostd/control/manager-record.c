// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Record: a session that is recorded until something ends it.
 *	kx_manager_record_async
 *	[prepare_work]                what the head of the recording says of host and memory
 *	prepared
 *	record_entered, [begin_work]  the session begins to record
 *	begun                         the call leaves the session, and rests
 *	…
 *	ended                         the file cannot be written, StopRecord, the session ended; or caller_gone
 *	end_entered, [end_work]       the session ends the recording
 *	stopped
 *	[wait_work]                   waits for the file, which may be slow
 *	told                          the call is answered
 */
#include "manager-internal.h"

#include <unistd.h>

#include <kvm-ext/version.h>

#include "base/error.h"
#include "vm/hostinfo.h"

/* How long the end of the daemon waits for all files. */
#define STOP_US (2 * G_USEC_PER_SEC)

/* --- the end ------------------------------------------------------------------------------------------------------------- */

static void told(KxCall *c, GError *error)
{
	KxRecorderStats sum = kx_recorder_stats(c->record.recorder);
	GVariantDict d;

	if (error) {
		kx_call_done(c, error);
		return;
	}
	g_variant_dict_init(&d, NULL);
	g_variant_dict_insert(&d, "why", "s", c->record.why ? c->record.why : "the session ended");
	g_variant_dict_insert(&d, "records", "t", sum.records);
	g_variant_dict_insert(&d, "lost", "t", sum.lost);
	g_variant_dict_insert(&d, "reports_lost", "t", sum.reports_lost);
	g_variant_dict_insert(&d, "bytes", "t", sum.bytes);
	g_variant_dict_insert(&d, "cpu_ns", "t", sum.cpu_ns);
	g_task_return_pointer(c->task, g_variant_ref_sink(g_variant_dict_end(&d)),
			      (GDestroyNotify)g_variant_unref);
	kx_call_free(c);
}

static gboolean wait_work(KxCall *c, GError **error)
{
	return kx_recorder_wait(c->record.recorder, -1, error);
}

static void stopped(KxCall *c, GError *error)
{
	kx_call_leave(c);
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run_apart(c, wait_work, told);
}

static gboolean end_work(KxCall *c, GError **error)
{
	kx_session_record_stop(c->in, c->record.why ? c->record.why : "asked to");
	kx_recorder_end(c->record.recorder);
	return TRUE;
}

static void end_entered(KxCall *c, GError *error)
{
	if (error)
		kx_call_done(c, error);
	else
		kx_call_run(c, end_work, stopped);
}

static void end_because(KxCall *c, const char *why)
{
	if (c->record.ending)
		return;
	c->record.ending = TRUE;
	c->record.why = why;
	kx_call_enter(c, c->session, end_entered);
}

static void ended(gpointer data)
{
	KxCall *c = data;

	if (!c->record.begun) {
		c->record.due = TRUE;
		return;
	}
	end_because(c, kx_session_alive(c->session) ? c->record.why : "the session ended");
}

/* Ends the recording later, because a signal of the bus may not enter a session. */
static void caller_gone(GCancellable *cancellable, gpointer data)
{
	KxCall *c = data;

	c->record.why = "the caller has disconnected";
	kx_recorder_ask_end(c->record.recorder);
}

/* --- the beginning ------------------------------------------------------------------------------------------------------- */

static void begun(KxCall *c, GError *error)
{
	kx_call_leave(c);
	if (error) {
		kx_call_done(c, error);
		return;
	}
	c->record.begun = TRUE;
	if (c->record.due)
		ended(c);
	else if (g_cancellable_is_cancelled(c->record.caller))
		caller_gone(c->record.caller, c);
	else
		c->record.gone =
			g_signal_connect(c->record.caller, "cancelled", G_CALLBACK(caller_gone), c);
}

static gboolean begin_work(KxCall *c, GError **error)
{
	kx_session_record(c->in, kx_recorder_ref(c->record.recorder),
			  g_steal_pointer(&c->report.made), g_steal_pointer(&c->record.parts));
	return TRUE;
}

/*
 * A recording counts until its file is closed, also after a new attach: what waits for a file that takes nothing, such as a pipe that
 * nobody reads, is kept in memory, with a thread, and is thus bounded for each VM.
 */
static gboolean is_recorded(const KxManager *m, pid_t pid)
{
	GHashTableIter iter;
	gpointer other;

	g_hash_table_iter_init(&iter, m->recordings);
	while (g_hash_table_iter_next(&iter, NULL, &other)) {
		if (((const KxCall *)other)->ident.pid == pid)
			return TRUE;
	}
	return FALSE;
}

static void record_entered(KxCall *c, GError *error)
{
	if (!error && !kx_session_alive(c->session))
		g_set_error(&error, KX_ERROR, KX_ERROR_VM_GONE,
			    "VM \"%s\": the session has ended (%s)", c->target,
			    kx_session_ended(c->session));
	if (!error && is_recorded(c->m, c->ident.pid))
		g_set_error(
			&error, KX_ERROR, KX_ERROR_BUSY,
			"VM \"%s\" is being recorded already, or the file of its last recording "
			"is still being written",
			c->target);
	if (error) {
		close(c->record.fd);
		kx_call_done(c, error);
		return;
	}
	c->record.recorder = kx_recorder_new(c->record.fd, ended, c);
	g_hash_table_insert(c->m->recordings, c->session, c);
	kx_call_run(c, begin_work, begun);
}

static void prepared(KxCall *c, GError *error)
{
	if (error) {
		close(c->record.fd);
		kx_call_done(c, error);
		return;
	}
	kx_call_enter(c, c->session, record_entered);
}

static gboolean prepare_work(KxCall *c, GError **error)
{
	g_autoptr(KxHostInfo) host = kx_hostinfo_read(NULL, NULL);

	kx_hostinfo_to_report(host, c->report.made);
	c->record.parts = kx_over_time_new();
	kx_call_read_parts(c, NULL, c->record.parts);
	return TRUE;
}

void kx_manager_record_async(KxManager *m, const char *target, int fd, GCancellable *caller,
			     GAsyncReadyCallback callback, gpointer data)
{
	KxCall *c = kx_call_new(m, target, callback, data);
	GError *error = NULL;
	KxSession *s = kx_manager_need_alive(m, target, &error);

	c->record.fd = fd;
	c->record.caller = g_object_ref(caller);
	if (!s) {
		close(fd);
		kx_call_done(c, error);
		return;
	}
	c->session = kx_session_ref(s);
	kx_vm_ident_copy(&c->ident, kx_session_ident(s));
	c->report.made = kx_report_new();
	c->report.made->version = g_strdup(KVM_EXT_VERSION);
	kx_manager_selftest_to_report(m, c->report.made);
	c->libvirt = kx_domains_hold(m->domains, NULL);
	kx_call_run(c, prepare_work, prepared);
}

GVariant *kx_manager_record_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}

gboolean kx_manager_stop_record(KxManager *m, const char *target, GError **error)
{
	KxSession *s = kx_manager_need_account(m, target, error);
	KxCall *c = s ? g_hash_table_lookup(m->recordings, s) : NULL;

	if (c) {
		c->record.why = "on request";
		kx_recorder_ask_end(c->record.recorder);
		return TRUE;
	}
	if (s)
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_ATTACHED,
			    "VM \"%s\" is not being recorded", target);
	return FALSE;
}

void kx_manager_stop_recordings(KxManager *m)
{
	gint64 until = g_get_monotonic_time() + STOP_US;
	GHashTableIter iter;
	gpointer call;

	/* The sessions have ended, and their recordings with them: here only the files are waited for. */
	g_hash_table_iter_init(&iter, m->recordings);
	while (g_hash_table_iter_next(&iter, NULL, &call))
		kx_recorder_wait(((KxCall *)call)->record.recorder,
				 MAX(until - g_get_monotonic_time(), 0), NULL);
}
