// SPDX-License-Identifier: GPL-2.0-or-later
/* The time in which the VM was paused, in each window. */
#include "account-internal.h"

static guint64 end_of(const KxAccountWindow *win)
{
	return win->w->open ? KX_NOT_OVER : win->end_monotonic_ns;
}

/* How much of @s lies in the window; an open window lasts until @end_ns. */
static guint64 in_window(const KxAccountWindow *win, const KxStretch *s, guint64 end_ns)
{
	return kx_stretch_in(s, win->start_monotonic_ns, MIN(end_of(win), end_ns));
}

static void list_pause(const KxAccount *a, const KxAccountWindow *win, const KxStretch *s,
		       guint64 end_ns, KxWindow *w)
{
	guint64 from = MAX(s->from_ns, win->start_monotonic_ns);
	guint64 until = MIN(s->until_ns, MIN(end_of(win), end_ns));
	const KxPause pause = { (gint64)from + a->pause.realtime_offset_ns,
				(gint64)until + a->pause.realtime_offset_ns };

	if (!w->pauses)
		w->pauses = g_array_new(FALSE, FALSE, sizeof(KxPause));
	if (w->pauses->len == KX_PAUSES_KEPT)
		g_array_remove_index(w->pauses, 0);
	g_array_append_val(w->pauses, pause);
	w->pauses_total++;
	kx_set_text(&w->paused_for, a->pause.why);
}

/* The pause @s has ended. */
static void add_pause(KxAccount *a, const KxStretch *s)
{
	for (guint i = a->windows->len; i-- > 0;) {
		KxAccountWindow *win = a->windows->pdata[i];

		if (!win->w->open && win->end_monotonic_ns <= s->from_ns)
			break;
		if (!in_window(win, s, KX_NOT_OVER))
			continue;
		win->paused_ns += in_window(win, s, KX_NOT_OVER);
		win->paused_yielded_ns += kx_stretches_over_in(
			&win->yield.when, MAX(s->from_ns, win->start_monotonic_ns),
			MIN(s->until_ns, end_of(win)));
		list_pause(a, win, s, KX_NOT_OVER, win->w);
	}
}

static void begin(KxAccount *a, KxInstant now, guint64 from_ns, const char *why)
{
	a->pause.realtime_offset_ns = now.realtime_ns - (gint64)now.monotonic_ns;
	kx_set_text(&a->pause.why, why);
	kx_stretches_begin(&a->pause.when, from_ns);
	kx_account_judge_passes(a);
}

static void end(KxAccount *a, KxInstant now, guint64 until_ns)
{
	const KxStretch *s = kx_stretches_end(&a->pause.when, until_ns);

	a->pause.realtime_offset_ns = now.realtime_ns - (gint64)now.monotonic_ns;
	if (!s)
		return;
	add_pause(a, s);
	kx_account_judge_passes(a);
}

void kx_account_paused(KxAccount *a, KxInstant at, const char *why)
{
	begin(a, at, at.monotonic_ns, why);
}

void kx_account_resumed(KxAccount *a, KxInstant at)
{
	end(a, at, at.monotonic_ns);
}

guint64 kx_account_paused_in(const KxAccount *a, guint64 from_ns, guint64 until_ns)
{
	const KxStretch *now = kx_stretches_now(&a->pause.when);

	return kx_stretches_over_in(&a->pause.when, from_ns, until_ns) +
	       (now ? kx_stretch_in(now, from_ns, until_ns) : 0);
}

const char *kx_account_is_paused(const KxAccount *a)
{
	return kx_stretches_now(&a->pause.when) ? a->pause.why : NULL;
}

void kx_account_pauses_unknown(KxAccount *a, KxInstant now, const char *why)
{
	KxAccountWindow *win = kx_account_last_window(a);

	a->pause.unknown_since_ns = now.monotonic_ns;
	kx_set_text(&a->pause.unknown, why);
	if (win && win->w->open)
		kx_set_text(&win->w->paused_na, why);
}

void kx_account_asked(KxAccount *a, KxInstant now, const char *why, gboolean ever_since)
{
	/*
	 * If a pause ended while nothing reported pauses, it is known until the reports stopped; if a pause began in that time,
	 * it is known from now on.
	 */
	if (why)
		begin(a, now, ever_since ? 0 : now.monotonic_ns, why);
	else
		end(a, now, a->pause.unknown ? a->pause.unknown_since_ns : now.monotonic_ns);
	kx_set_text(&a->pause.unknown, NULL);
	for (guint i = 0; ever_since && i < a->windows->len; i++)
		kx_set_text(&((KxAccountWindow *)a->windows->pdata[i])->w->paused_na, NULL);
}

void kx_account_put_pauses(const KxAccount *a, const KxAccountWindow *win, KxWindow *w,
			   guint64 now_ns)
{
	const KxStretch *pause = kx_stretches_now(&a->pause.when);
	const KxStretch *yield = kx_stretches_now(&win->yield.when);
	guint64 end_ns = MIN(end_of(win), now_ns);

	w->paused_ns = win->paused_ns;
	w->paused_yielded_ns = win->paused_yielded_ns;
	if (pause && in_window(win, pause, now_ns)) {
		guint64 from = MAX(pause->from_ns, win->start_monotonic_ns);

		w->paused_ns += in_window(win, pause, now_ns);
		w->paused_yielded_ns += kx_stretches_over_in(&win->yield.when, from, end_ns);
		if (yield)
			w->paused_yielded_ns += kx_stretch_in(yield, from, end_ns);
		list_pause(a, win, pause, now_ns, w);
	}
	if (yield)
		w->paused_yielded_ns += kx_stretches_over_in(
			&a->pause.when, MAX(yield->from_ns, win->start_monotonic_ns), end_ns);
}
