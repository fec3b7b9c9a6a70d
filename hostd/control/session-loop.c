// SPDX-License-Identifier: GPL-2.0-or-later
/* A session on the main loop: the order of callers, the state that it shows, and when it reads its tracker or ends by itself. */
#include "session-internal.h"

#include <glib-unix.h>

/* After a domain was stopped, its process ends within this time. */
#define EXPECT_END_US (10 * G_USEC_PER_SEC)

const char *kx_session_yielded(const KxSession *s)
{
	return s->ended ? NULL : s->shown.yielded;
}

void kx_session_on_ended(KxSession *s, KxSessionEnded fn, gpointer data)
{
	s->on_ended = fn;
	s->on_ended_data = data;
}

void kx_session_on_yield(KxSession *s, KxSessionYield fn, gpointer data)
{
	s->on_yield = fn;
	s->on_yield_data = data;
}

const KxVmIdent *kx_session_ident(const KxSession *s)
{
	return &s->ident;
}

const KxOptions *kx_session_options(const KxSession *s)
{
	return &s->shown.options;
}

gboolean kx_session_alive(const KxSession *s)
{
	return !s->ended;
}

void kx_session_does(KxSession *s, const char *what)
{
	s->doing = what;
}

const char *kx_session_doing(const KxSession *s)
{
	return s->doing;
}

const char *kx_session_ended(const KxSession *s)
{
	return s->ended;
}

void kx_session_explain_end(KxSession *s, const char *reason)
{
	if (g_strcmp0(s->ended, "VM gone"))
		return;
	g_mutex_lock(&s->lock); /* a report may read @ended on its thread */
	g_free(s->ended);
	s->ended = g_strdup_printf("VM gone: %s", reason);
	g_mutex_unlock(&s->lock);
}

void kx_session_expect_end(KxSession *s, const char *reason)
{
	g_free(s->expected_end);
	s->expected_end = g_strdup(reason);
	s->expected_at = g_get_monotonic_time();
}

KxPlug *kx_session_plug(const KxSession *s)
{
	return s->plug;
}

void kx_session_give_plug(KxSession *s, KxPlug *plug)
{
	g_return_if_fail(!s->plug);
	s->plug = plug;
}

KxPlug *kx_session_take_plug(KxSession *s)
{
	g_return_val_if_fail(s->ended, NULL);
	return g_steal_pointer(&s->plug);
}

const char *kx_session_emulated_by(const KxSession *s)
{
	return s->emulated_by;
}

const char *kx_session_mechanism(const KxSession *s)
{
	return s->shown.mechanism;
}

gboolean kx_session_wants_qmp(const KxSession *s)
{
	return !s->ended && s->shown.kvm_unread;
}

static void shown_clear(KxShown *shown)
{
	g_clear_pointer(&shown->mechanism, g_free);
	g_clear_pointer(&shown->yielded, g_free);
	g_clear_pointer(&shown->progress, g_free);
	g_clear_pointer(&shown->stats, kx_vm_report_free);
	g_clear_pointer(&shown->totals, kx_vm_report_free);
}

static void show(KxSession *s)
{
	KxShown *to = &s->shown;

	if (!s->tracker)
		return;
	if (to->epoch != s->epoch)
		to->options = s->options;
	to->epoch = s->epoch;
	to->kvm_unread = s->kvm_unread;
	g_free(to->mechanism);
	to->mechanism = g_strdup(kx_session_mechanism_now(s));
	g_free(to->yielded);
	to->yielded = g_strdup(kx_session_yielded_now(s));
	g_free(to->progress);
	to->progress = g_strdup(s->progress);
	if (s->fresh) {
		kx_vm_report_free(to->stats);
		to->stats = g_steal_pointer(&s->fresh);
	}
	if (s->fresh_totals) {
		kx_vm_report_free(to->totals);
		to->totals = g_steal_pointer(&s->fresh_totals);
	}
}

const char *kx_session_progress(const KxSession *s)
{
	return s->ended ? NULL : s->shown.progress;
}

const KxVmReport *kx_session_stats(const KxSession *s)
{
	return s->ended ? NULL : s->shown.stats;
}

const KxVmReport *kx_session_totals(const KxSession *s)
{
	return s->ended ? NULL : s->shown.totals;
}

static void stop_source(GSource **source)
{
	if (!*source)
		return;
	g_source_destroy(*source);
	g_clear_pointer(source, g_source_unref);
}

static void stop_sources(KxSession *s)
{
	stop_source(&s->source);
	stop_source(&s->gone);
	stop_source(&s->poll);
}

static void look(KxSession *s);

static gboolean on_fd(gint fd, GIOCondition condition, gpointer data)
{
	KxSession *s = data;

	s->look.condition |= condition;
	look(s);
	return G_SOURCE_REMOVE; /* entering has destroyed this source, and leaving makes a new one */
}

/* The pidfd of the process becomes readable when the process has ended, and at no other time. */
static gboolean on_process_gone(gint fd, GIOCondition condition, gpointer data)
{
	KxSession *s = data;

	s->look.condition |= G_IO_HUP;
	look(s);
	return G_SOURCE_REMOVE;
}

/* If a caller is inside, nothing is read now; a later timeout reads after the caller has left. */
static gboolean on_poll(gpointer data)
{
	KxSession *s = data;

	s->poll_due = TRUE;
	if (!kx_lane_is_taken(s->lane))
		look(s);
	return G_SOURCE_CONTINUE;
}

static GSource *watch_fd(KxSession *s, int fd, GIOCondition condition, GUnixFDSourceFunc fn)
{
	GSource *source = g_unix_fd_source_new(fd, condition);

	g_source_set_callback(source, G_SOURCE_FUNC(fn), s, NULL);
	g_source_attach(source, NULL);
	return source;
}

static void watch(KxSession *s)
{
	int fd = s->tracker->ops->poll_fd(s->tracker);
	int module = s->module ? kx_module_fd(s->module) : -1;
	gboolean poll = s->options.tracker->can & KX_CAN_LOG || s->plug || !s->primed;

	/* If the tracker has its own descriptor, another descriptor shows that the VM has gone. */
	if (fd >= 0)
		s->source = watch_fd(s, fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_fd);
	if (module < 0)
		s->gone = watch_fd(s, s->process, G_IO_IN | G_IO_HUP | G_IO_ERR, on_process_gone);
	else if (fd != module)
		s->gone = watch_fd(s, module, G_IO_HUP | G_IO_ERR, on_fd);
	if (!poll)
		stop_source(&s->poll);
	if (!poll || s->poll)
		return;
	s->poll = g_timeout_source_new(KX_SESSION_POLL_MS);
	g_source_set_callback(s->poll, on_poll, s, NULL);
	g_source_attach(s->poll, NULL);
}

typedef struct {
	KxSession *s;
	KxSessionEntered fn;
	gpointer data;
} Entry;

static void entered(gpointer data)
{
	g_autofree Entry *e = data;

	stop_source(&e->s->source);
	stop_source(&e->s->gone);
	e->fn(e->data);
}

void kx_session_enter(KxSession *s, KxSessionEntered fn, gpointer data)
{
	Entry *e = g_new(Entry, 1);

	*e = (Entry){ kx_session_ref(s), fn, data };
	kx_lane_enter(s->lane, entered, e);
}

gboolean kx_session_is_free(const KxSession *s)
{
	return !kx_lane_is_taken(s->lane);
}

void kx_session_leave(KxSession *s)
{
	g_autoptr(KxSession) owned = s; /* the reference taken at entering */
	KxTold *told;

	show(s);
	while ((told = g_queue_pop_head(&s->told))) {
		if (s->on_yield)
			s->on_yield(s, &told->y, s->on_yield_data);
		kx_session_told_free(told);
	}
	if (!s->ended && s->tracker && !kx_lane_has_waiters(s->lane))
		watch(s);
	kx_lane_leave(s->lane);
}

void kx_session_hand_over(KxSession *s)
{
	g_mutex_lock(&s->lock);
	s->away = TRUE;
	g_mutex_unlock(&s->lock);
}

void kx_session_hand_back(KxSession *s)
{
	g_mutex_lock(&s->lock);
	s->away = FALSE;
	g_cond_signal(&s->back);
	g_mutex_unlock(&s->lock);
}

static void on_thread(KxSession *s, GTaskThreadFunc work, GAsyncReadyCallback then)
{
	g_autoptr(GTask) task = g_task_new(NULL, NULL, then, s);

	g_task_set_task_data(task, s, NULL);
	kx_session_hand_over(s);
	g_task_run_in_thread(task, work);
}

/* --- what the session does by itself -------------------------------------------------------------------------------- */

static gboolean is_expected(const KxSession *s)
{
	return s->expected_end && g_get_monotonic_time() - s->expected_at < EXPECT_END_US;
}

static void finish_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
	KxSession *s = data;

	kx_session_finish(s, NULL);
	kx_session_hand_back(s);
	g_task_return_boolean(task, TRUE);
}

static void end_told(GObject *source, GAsyncResult *result, gpointer data)
{
	KxSession *s = data;
	gboolean unasked = !s->ended;

	kx_session_finished(s, s->look.error ? s->look.error->message : "VM gone");
	if (unasked && is_expected(s))
		kx_session_explain_end(s, s->expected_end);
	if (unasked && s->on_ended)
		s->on_ended(s, s->on_ended_data);
	kx_session_leave(s);
}

static void look_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
	KxSession *s = data;

	kx_session_look(s);
	kx_session_hand_back(s);
	g_task_return_boolean(task, TRUE);
}

static void looked(GObject *source, GAsyncResult *result, gpointer data)
{
	KxSession *s = data;

	if (!s->ended && (s->look.error || s->look.condition & (G_IO_HUP | G_IO_ERR | G_IO_NVAL)))
		on_thread(s, finish_thread, end_told);
	else
		kx_session_leave(s);
}

static void look_entered(gpointer data)
{
	KxSession *s = data;

	if (s->ended) {
		kx_session_leave(s);
		return;
	}
	s->look.poll = s->poll_due;
	s->poll_due = FALSE;
	on_thread(s, look_thread, looked);
}

static void look(KxSession *s)
{
	kx_session_enter(s, look_entered, s);
}

void kx_session_vm_gone(KxSession *s)
{
	s->look.condition |= G_IO_HUP;
	look(s);
}

static void begin(gpointer data)
{
	kx_session_leave(data);
}

void kx_session_begin(KxSession *s)
{
	kx_session_enter(s, begin, s);
}

/* --- end ---------------------------------------------------------------------------------------------------------- */

void kx_session_finished(KxSession *s, const char *reason)
{
	if (s->ended)
		return;
	s->ended = g_strdup(reason);
	stop_sources(s);
}

/* Works on the session without entering it: a caller that enters later finds that the session has ended. */
void kx_session_end(KxSession *s, const char *reason)
{
	if (s->ended)
		return;
	stop_sources(s);
	g_mutex_lock(&s->lock);
	while (s->away)
		g_cond_wait(&s->back, &s->lock);
	g_mutex_unlock(&s->lock);
	kx_session_finish(s, NULL);
	kx_session_finished(s, reason);
	/* A look that still runs returns later, when the owner of the callbacks may no longer exist. */
	s->on_ended = NULL;
	s->on_yield = NULL;
}

KxSession *kx_session_ref(KxSession *s)
{
	g_ref_count_inc(&s->refs);
	return s;
}

void kx_session_unref(KxSession *s)
{
	if (!s || !g_ref_count_dec(&s->refs))
		return;
	kx_session_end(s, "detached");
	shown_clear(&s->shown);
	kx_session_free(s);
}
