// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a window takes from statistics: its parts' counters, as model/part-*.def have them; what leaving a tracker took; and
 * when the log was the VMM's.
 */
#include "account-internal.h"

#include "tracker/logmech.h"

/* --- counters --------------------------------------------------------------------------------------------------------- */

/* A function of each part, by its name: take_log, take_walk, … A part that has no statistics takes nothing. */
#define PART(id, name, has, none, heading, manual)                           \
	static void take_##name(KxWindow *w, const struct kvm_ext_stats *st) \
	{
#define STAT(type, member, source)  KX_PUT_##type(w->member, source);
#define LATER(type, member, source) KX_PUT_##type(w->member, source);
#define PART_END		    }
#define TABLE(id, name, heading, manual)                                     \
	static void take_##name(KxWindow *w, const struct kvm_ext_stats *st) \
	{
#include "model/parts.def"

static void (*const take[KX_PARTS])(KxWindow *w, const struct kvm_ext_stats *st) = {
#define PART(id, name, has, none, heading, manual) [KX_PART_##id] = take_##name,
#define TABLE(id, name, heading, manual)	   [KX_PART_##id] = take_##name,
#include "model/parts.def"
};

void kx_account_take_stats(const KxAccountWindow *win, KxWindow *w, const struct kvm_ext_stats *st)
{
	w->has_stats = FALSE;
	if (!st)
		return;
#define PART(id, name, has, none, heading, manual) \
	if (win->parts & KX_PART_BIT(id))          \
		w->has = TRUE;
#include "model/parts.def"
	for (guint i = 0; i < KX_PARTS; i++) {
		if (take[i] && win->parts & 1u << i)
			take[i](w, st);
	}
	w->guest_cpu_ns = w->has_guest ? st->cpu_ns : 0;
}

/* --- the dirty log ---------------------------------------------------------------------------------------------------- */

void kx_account_put_disabled(const KxAccountWindow *win, KxWindow *w)
{
	if (!w->has_log)
		return;
	w->log_disable_ns = win->disabled.ns;
	w->log_disable_pages = win->disabled.pages;
	kx_set_text(&w->log_disable_na,
		    win->disabled.known ? NULL : "known when the tracker is left: it still runs");
}

static void end_yield(KxAccount *a, KxAccountWindow *win, guint64 until_ns)
{
	const KxStretch *s = kx_stretches_end(&win->yield.when, until_ns);

	win->yield.ns += s->until_ns - s->from_ns;
	win->paused_yielded_ns += kx_stretches_over_in(&a->pause.when, s->from_ns, s->until_ns);
}

/* A moment that the module gives, if it lies where it must; else the nearest bound. */
static guint64 between(guint64 ns, guint64 low, guint64 high)
{
	return ns >= low && ns <= high ? ns : ns < low ? low : high;
}

/*
 * The module says when it last gave a memslot away and when it last took one back. A stretch between two readings shows
 * only in the passes that were due in it.
 */
static void note_yield(KxAccount *a, KxAccountWindow *win, const struct kvm_ext_stats *st)
{
	const struct kvm_ext_log_stats *l = &st->log;
	const KxStretches *before = &win->yield.when;
	guint64 since = before->n ? before->kept[before->n - 1].until_ns : 0;
	gboolean now = st->state & KVM_EXT_STATE_YIELDED;
	const KxStretch *open;

	since = MAX(st->start_ns, since);
	/* The tracker may have been set when the VMM had the log already. */
	if (!kx_stretches_now(before) && (now || l->yielded_passes > win->yield.passes))
		kx_stretches_begin(&win->yield.when,
				   l->last_yield_ns ? between(l->last_yield_ns, since, st->now_ns)
						    : since);
	open = kx_stretches_now(before);
	if (open && !now)
		end_yield(a, win, between(l->last_resume_ns, open->from_ns, st->now_ns));
	win->yield.passes = l->yielded_passes;
}

void kx_account_saw(KxAccount *a, const struct kvm_ext_stats *st)
{
	KxAccountWindow *win = kx_account_by_epoch(a, st->epoch),
			*before = kx_account_by_epoch(a, st->epoch - 1);

	if (before && !before->disabled.known) {
		before->disabled.known = TRUE;
		before->disabled.ns = st->log.disable_ns;
		before->disabled.pages = st->log.disable_pages;
		kx_account_put_disabled(before, before->w);
	}
	if (win && win->w->open && win->parts & KX_PART_BIT(LOG))
		note_yield(a, win, st);
	a->nested |= (st->state & KVM_EXT_STATE_NESTED) != 0;
}

gboolean kx_account_nested(const KxAccount *a)
{
	return a->nested;
}
