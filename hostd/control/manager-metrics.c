// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Metrics: the totals of all attached VMs as Prometheus reads them.
 *
 *	kx_manager_metrics_async   enters all free sessions at once
 *	[metrics_work]             reads these sessions, and writes the text
 *	metrics_then               leaves them; the call is answered
 *
 * No session is waited for: one that is busy has the figures that were read last. If the reading of a session takes long, because its
 * module waits in KVM,
 *
 *	on_tick                    leaves the other sessions; the call is answered with what was read last of each
 *	metrics_then               leaves that session, when it is read
 *
 * A VM's figures have their age beside them.
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

/* The state of the reading of a session, which the thread and the main loop change atomically. */
enum {
	UNREAD,
	READING,
	READ,
	TAKEN /* by the main loop */
};

typedef struct {
	gint state;
	gboolean left; /* the call has left the session; the main loop's */
} Read;

/* Who makes the text: the thread; or the main loop, if it can no longer wait for the thread. */
enum {
	PHASE_READS,
	PHASE_TEXT,
	PHASE_LATE
};

#define TICK_MS 1000u

static Read *read_of(const KxCall *c, guint i)
{
	return &g_array_index(c->metrics.reads, Read, i);
}

static void enter_free(KxCall *c)
{
	c->report.sessions = g_ptr_array_new_with_free_func((GDestroyNotify)kx_session_unref);
	c->metrics.busy = g_ptr_array_new_with_free_func((GDestroyNotify)kx_vm_report_free);
	c->metrics.reads = g_array_new(FALSE, TRUE, sizeof(Read));
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
	g_array_set_size(c->metrics.reads, c->report.sessions->len);
}

static void leave(KxCall *c, guint i)
{
	if (!read_of(c, i)->left)
		kx_session_leave(c->report.sessions->pdata[i]);
	read_of(c, i)->left = TRUE;
}

static double own_cpu_seconds(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* On any thread. */
static char *text_of(const KxCall *c, const GPtrArray *vms)
{
	KxDaemonMetrics about = c->metrics.about;

	about.version = KVM_EXT_VERSION;
	about.cpu_seconds = own_cpu_seconds();
	about.realtime_ns = g_get_real_time() * 1000;
	return kx_metrics_text(vms, &about, c->metrics.format);
}

/* --- the thread --------------------------------------------------------------------------------------------------------- */

/* Reads a session, unless the main loop has taken the session back. NULL: the main loop has, or there are no figures. */
static const KxVmReport *read_one(KxCall *c, guint i)
{
	KxSession *s = c->report.sessions->pdata[i];
	Read *r = read_of(c, i);
	const KxVmReport *v;

	g_atomic_int_set(&c->metrics.at, (gint)i + 1);
	if (!g_atomic_int_compare_and_exchange(&r->state, UNREAD, READING))
		return NULL;
	v = kx_session_read_totals(s);
	if (g_atomic_int_compare_and_exchange(&r->state, READING, READ))
		return v;
	kx_session_hand_back(s);
	return NULL;
}

static gboolean metrics_work(KxCall *c, GError **error)
{
	g_autoptr(GPtrArray) vms = g_ptr_array_new(); /* owned by the sessions, and by @busy */

	for (guint i = 0; i < c->report.sessions->len; i++) {
		const KxVmReport *v = read_one(c, i);

		if (v)
			g_ptr_array_add(vms, (gpointer)v);
	}
	if (!g_atomic_int_compare_and_exchange(&c->metrics.phase, PHASE_READS, PHASE_TEXT))
		return TRUE;
	for (guint i = 0; i < c->metrics.busy->len; i++)
		g_ptr_array_add(vms, c->metrics.busy->pdata[i]);
	c->metrics.text = text_of(c, vms);
	for (guint i = 0; i < c->report.sessions->len; i++)
		kx_session_hand_back(c->report.sessions->pdata[i]);
	return TRUE;
}

/* --- the main loop ------------------------------------------------------------------------------------------------------ */

/* The text of the figures that were read last of each VM, as its session shows them. */
static char *text_of_last(const KxCall *c)
{
	g_autoptr(GPtrArray) vms = g_ptr_array_new();

	for (guint i = 0; i < c->m->sessions->len; i++) {
		const KxVmReport *v = kx_session_totals(c->m->sessions->pdata[i]);

		if (v)
			g_ptr_array_add(vms, (gpointer)v);
	}
	return text_of(c, vms);
}

/* Takes a session back from the thread. Returns the state before. */
static gint take(Read *r)
{
	gint was;

	do {
		was = g_atomic_int_get(&r->state);
	} while (!g_atomic_int_compare_and_exchange(&r->state, was, TAKEN));
	return was;
}

/* Answers the call while the thread still reads a session. The call leaves this session when the thread has ended. */
static void answer_late(KxCall *c)
{
	if (!g_atomic_int_compare_and_exchange(&c->metrics.phase, PHASE_READS, PHASE_LATE))
		return;
	for (guint i = 0; i < c->report.sessions->len; i++) {
		Read *r = read_of(c, i);

		/* The thread itself hands back the session that it is reading. */
		if (take(r) == READING)
			continue;
		kx_session_hand_back(c->report.sessions->pdata[i]);
		leave(c, i);
	}
	g_task_return_pointer(c->task, text_of_last(c), g_free);
	g_clear_object(&c->task);
}

/*
 * If a session was begun since the last tick, the call goes on waiting, as long as it takes on a busy machine. If one session took
 * all of the time between two ticks, it is not waited for.
 */
static gboolean on_tick(gpointer data)
{
	KxCall *c = data;
	gint at = g_atomic_int_get(&c->metrics.at);

	if (at != c->metrics.seen || !c->m->domains) {
		c->metrics.seen = at;
		return G_SOURCE_CONTINUE;
	}
	c->metrics.timer = 0;
	answer_late(c);
	return G_SOURCE_REMOVE;
}

static void metrics_then(KxCall *c, GError *error)
{
	for (guint i = 0; i < c->report.sessions->len; i++)
		leave(c, i);
	if (error || !c->task) {
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
	c->metrics.timer = g_timeout_add(TICK_MS, on_tick, c);
	/* Not on the pool's threads, which may all be waiting for libvirt. */
	kx_call_run_apart(c, metrics_work, metrics_then);
}

char *kx_manager_metrics_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}
