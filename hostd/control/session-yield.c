// SPDX-License-Identifier: GPL-2.0-or-later
/* The VMM's own use of the dirty log: when a tracker yields the log, and when it gets the log back. */
#include "session-internal.h"

void kx_session_told_free(gpointer data)
{
	KxTold *told = data;

	g_free(told->to);
	g_free(told);
}

static void tell_yield(KxSession *s, gboolean yielded, guint64 at_ns, guint64 lasted_ns)
{
	KxInstant now = kx_session_instant();
	KxTold *told = g_new0(KxTold, 1);

	told->to = g_strdup(s->yield.to ? s->yield.to : KX_YIELDED_UNKNOWN);
	told->y = (KxYield){
		.yielded = yielded,
		.to = told->to,
		.realtime_ns = now.realtime_ns - (gint64)(now.monotonic_ns - at_ns),
		.lasted_ns = lasted_ns,
	};
	g_queue_push_tail(&s->told, told);
}

static void begin_yield(KxSession *s, const struct kvm_ext_stats *st)
{
	s->yield.now = TRUE;
	g_clear_pointer(&s->yield.to, g_free);
	s->yield.since_ns = CLAMP(st->log.last_yield_ns, st->start_ns, st->now_ns);
	kx_account_yielded_to(s->account, s->window, KX_YIELDED_UNKNOWN);
	tell_yield(s, TRUE, s->yield.since_ns, 0);
}

static void end_yield(KxSession *s, const struct kvm_ext_stats *st)
{
	guint64 at_ns = st->log.last_resume_ns;

	if (at_ns < s->yield.since_ns || at_ns > st->now_ns)
		at_ns = st->now_ns;
	tell_yield(s, FALSE, at_ns, at_ns - s->yield.since_ns);
	s->yield.now = FALSE;
	g_clear_pointer(&s->yield.to, g_free);
}

/* A yield that began and ended between two readings is noticed by the passes that were due in this time. */
void kx_session_look_for_yield(KxSession *s)
{
	struct kvm_ext_stats st;
	gboolean now;

	s->yield.seen_ends = kx_account_yielded_passes(s->account);
	if (!(s->options.tracker->can & KX_CAN_LOG) || !kx_session_statistics(s, &st))
		return;
	now = st.state & KVM_EXT_STATE_YIELDED;
	if (!s->yield.now && (now || st.log.yielded_passes > s->yield.passes))
		begin_yield(s, &st);
	s->yield.passes = st.log.yielded_passes;
	if (s->yield.now && !now)
		end_yield(s, &st);
}

const char *kx_session_yielded_now(const KxSession *s)
{
	if (!s->tracker || !s->yield.now)
		return NULL;
	return s->yield.to ? s->yield.to : KX_YIELDED_UNKNOWN;
}

void kx_session_yielded_to(KxSession *s, const char *what)
{
	if (!s->yield.now)
		return;
	g_free(s->yield.to);
	s->yield.to = g_strdup(what);
	kx_account_yielded_to(s->account, s->window, what);
}
