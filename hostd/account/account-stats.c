// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a window takes from statistics: the counters of its parts, as listed in model/part-*.def; the cost of stopping a
 * tracker; and the time in which the VMM had the log.
 */
#include "account-internal.h"

#include "tracker/logmech.h"

/* --- counters --------------------------------------------------------------------------------------------------------- */

/* One function for each part, with its name: take_log, take_walk, … The function of a part without statistics is empty. */
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

/* @ns is a time that the module gives: returns it if it is between the bounds, else the nearer bound. */
static guint64 between(guint64 ns, guint64 low, guint64 high)
{
	return ns >= low && ns <= high ? ns : ns < low ? low : high;
}

/*
 * The statistics contain when the module last yielded a memslot's log to the VMM, and when it last took one back. If a stretch
 * began and ended between two readings, only the count of yielded passes shows it.
 */
static void note_yield(KxAccount *a, KxAccountWindow *win, const struct kvm_ext_stats *st)
{
	const struct kvm_ext_log_stats *l = &st->log;
	const KxStretches *before = &win->yield.when;
	guint64 since = before->n ? before->kept[before->n - 1].until_ns : 0;
	gboolean now = st->state & KVM_EXT_STATE_YIELDED;
	const KxStretch *open;

	since = MAX(st->start_ns, since);
	/* The VMM may have had the log already when the tracker was set. */
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
