// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Metrics: the totals of all attached VMs as Prometheus reads them.
 *
 *	kx_manager_metrics_async   enters all free sessions at once
 *	[metrics_work]             reads these sessions, and writes the text
 *	metrics_then               leaves them; the call is answered
 *
 * No session is waited for: one that is busy has the figures that were read last.
 */
#include "manager-internal.h"

#include <sys/resource.h>

#include <kvm-ext/version.h>

/* Copies, because the sessions are not entered. */
static void keep_busy(KxCall *c, const KxSession *s)
{
	const KxVmReport *last = kx_session_totals(s);

	if (last)
		g_ptr_array_add(c->metrics.busy, kx_vm_report_copy(last));
}

static void nothing(gpointer data)
{
}

static void enter_free(KxCall *c)
{
	c->report.sessions = g_ptr_array_new_with_free_func((GDestroyNotify)kx_session_unref);
	c->metrics.busy = g_ptr_array_new_with_free_func((GDestroyNotify)kx_vm_report_free);
	for (guint i = 0; i < c->m->sessions->len; i++) {
		KxSession *s = c->m->sessions->pdata[i];

		if (!kx_session_alive(s))
			continue;
		if (!kx_session_is_free(s)) {
			keep_busy(c, s);
			continue;
		}
		kx_session_enter(s, nothing, NULL);
		kx_session_hand_over(s);
		g_ptr_array_add(c->report.sessions, kx_session_ref(s));
	}
}

static double own_cpu_seconds(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static gboolean metrics_work(KxCall *c, GError **error)
{
	g_autoptr(GPtrArray) vms = g_ptr_array_new(); /* owned by the sessions, and by @busy */
	KxDaemonMetrics about = c->metrics.about;

	for (guint i = 0; i < c->report.sessions->len; i++) {
		const KxVmReport *v = kx_session_read_totals(c->report.sessions->pdata[i]);

		if (v)
			g_ptr_array_add(vms, (gpointer)v);
	}
	for (guint i = 0; i < c->metrics.busy->len; i++)
		g_ptr_array_add(vms, c->metrics.busy->pdata[i]);
	about.version = KVM_EXT_VERSION;
	about.cpu_seconds = own_cpu_seconds();
	c->metrics.text = kx_metrics_text(vms, &about, c->metrics.format);
	for (guint i = 0; i < c->report.sessions->len; i++)
		kx_session_hand_back(c->report.sessions->pdata[i]);
	return TRUE;
}

static void metrics_then(KxCall *c, GError *error)
{
	for (guint i = 0; i < c->report.sessions->len; i++)
		kx_session_leave(c->report.sessions->pdata[i]);
	if (error) {
		kx_call_done(c, error);
		return;
	}
	g_task_return_pointer(c->task, g_steal_pointer(&c->metrics.text), g_free);
	kx_call_free(c);
}

void kx_manager_metrics_async(KxManager *m, KxMetricsFormat format, GAsyncReadyCallback callback,
			      gpointer data)
{
	KxCall *c = kx_call_new(m, NULL, callback, data);

	c->metrics.format = format;
	c->metrics.about.libvirt = kx_domains_connected(m->domains);
	enter_free(c);
	/* Not on the pool's threads, which may all be waiting for libvirt. */
	kx_call_run_apart(c, metrics_work, metrics_then);
}

char *kx_manager_metrics_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}
