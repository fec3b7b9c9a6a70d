// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Passes: which of them count, and their sums.
 *
 * A pass finds the pages that were accessed since the beginning of the pass before. If the VM was paused during all that
 * time, there was nothing to find: no sum contains such a pass, neither as a cheap pass nor as a pass that found nothing. A
 * pass with only a part of a pause counts like any other, because everything that it found was accessed while the VM ran.
 *
 * A pause is reported later than the passes in it end. So the latest passes are remembered, and after each report it is
 * decided again which of them were paused.
 */
#include "account-internal.h"

/* One more than the passes that are judged again: the oldest is only kept as the neighbour of the pass after it. */
#define RECENT_MAX (256u + 1)

typedef struct {
	guint64 window;
	guint64 from_ns; /* when the pass before began; 0: not known */
	guint64 between_ns; /* from there to the begin of this pass; 0: the pass before primed, or is not known */
	gboolean cut; /* cut or yielded */
	gboolean paused;
	guint64 index; /* in the series of the window's costs, if it was not cut */
	struct kvm_ext_rec_pass_end r;
} Recent;

typedef struct _KxRecentPasses {
	Recent list[RECENT_MAX];
	guint next, n;
} RecentPasses;

/* A histogram of the passes' durations: each power of two is divided into eight buckets. */
#define SUBBITS	  3u
#define BUCKETS_N ((64u - SUBBITS + 1u) << SUBBITS)

struct _KxPassTimes {
	guint32 count[BUCKETS_N];
};

static guint bucket_of(guint64 ns)
{
	guint shift = ns >> SUBBITS ? 63u - (guint)__builtin_clzll(ns) - SUBBITS : 0;

	return shift ? ((shift + 1) << SUBBITS) + (guint)(ns >> shift & ((1u << SUBBITS) - 1))
		     : (guint)ns;
}

/* The bucket's largest value. */
static guint64 edge_of(guint bucket)
{
	guint shift = bucket >> SUBBITS > 1 ? (bucket >> SUBBITS) - 1 : 0;
	guint64 first = shift ? (1u << SUBBITS) + (bucket & ((1u << SUBBITS) - 1)) : bucket;

	return (first << shift) + ((1ull << shift) - 1);
}

void kx_account_passes_init(KxAccount *a)
{
	a->recent = g_new0(RecentPasses, 1);
}

void kx_account_passes_free(KxAccount *a)
{
	g_free(a->recent);
}

void kx_account_passes_open(KxAccountWindow *win)
{
	win->pass_times = g_new0(KxPassTimes, 1);
}

void kx_account_passes_close(KxAccountWindow *win)
{
	g_clear_pointer(&win->pass_times, g_free);
}

/* --- passes after the last reading of the statistics ---------------------------------------------------------------- */

static gboolean is_after_mark(const KxAccountWindow *win, guint64 pass)
{
	const struct kvm_ext_stats *m = &win->mark;

	return win->marked && pass > m->passes + m->log.yielded_passes + win->unmarked;
}

/* If the pass ended after the mark was read, adds its record to the mark's statistics. */
static void add_after_mark(KxAccountWindow *win, const struct kvm_ext_rec_pass_end *r)
{
	struct kvm_ext_stats *m = &win->mark;
	guint64 start_ns = r->time_ns - r->wall_ns;

	if (!is_after_mark(win, r->pass))
		return;
	if (!m->passes)
		m->first_start_ns = start_ns;
	m->last_start_ns = start_ns;
	m->pass_ns_min = m->passes ? MIN(m->pass_ns_min, r->wall_ns) : r->wall_ns;
	m->pass_ns_max = MAX(m->pass_ns_max, r->wall_ns);
	if (m->passes < 100) /* of fewer than 100 passes the 99th percentile is the longest */
		m->pass_ns_p99 = MAX(m->pass_ns_p99, r->wall_ns);
	m->passes++;
	m->pass_ns_sum += r->wall_ns;
	m->cpu_ns += r->cpu_ns;
#define PASS_STAT(member) m->member += r->member;
#include "model/parts.def"
}

/* --- paused passes: out of the statistics ---------------------------------------------------------------------------- */

/*
 * Subtracts @r, the sums of @nr passes, from @w, or (@back) adds them again: everything that is both in a window's statistics
 * and in a pass's record.
 */
static void take_out(KxWindow *w, const struct kvm_ext_rec_pass_end *r, guint64 nr, gboolean back)
{
	const struct {
		guint64 *at, by;
	} sums[] = {
		{ &w->passes, nr },
		{ &w->pass_ns_sum, r->wall_ns },
		{ w->has_guest ? &w->guest_cpu_ns : &w->cpu_ns, r->cpu_ns },
#define PASS_STAT(member) { &w->member, r->member },
#include "model/parts.def"
	};

	/* The statistics may be older than the records: no sum becomes negative. */
	for (guint i = 0; i < G_N_ELEMENTS(sums); i++) {
		if (back)
			*sums[i].at += sums[i].by;
		else
			*sums[i].at -= MIN(*sums[i].at, sums[i].by);
	}
}

static void add_up(struct kvm_ext_rec_pass_end *sum, const struct kvm_ext_rec_pass_end *r,
		   gboolean add)
{
	guint64 by = add ? 1 : G_MAXUINT64; /* times -1, modulo 2^64 */

	sum->wall_ns += by * r->wall_ns;
	sum->cpu_ns += by * r->cpu_ns;
#define PASS_STAT(member) sum->member += by * r->member;
#include "model/parts.def"
}

/* Minimum, maximum and 99th percentile cannot be subtracted: they are computed from the records of the passes that count. */
static void put_pass_times(const KxAccountWindow *win, KxWindow *w)
{
	guint64 all = 0, so_far = 0, longest = w->pass_ns_max;

	if (!win->pass_times)
		return;
	for (guint i = 0; i < BUCKETS_N; i++)
		all += win->pass_times->count[i];
	w->pass_ns_min = w->pass_ns_max = w->pass_ns_p99 = 0;
	for (guint i = 0; i < BUCKETS_N; i++) {
		if (!win->pass_times->count[i])
			continue;
		if (!so_far)
			w->pass_ns_min = edge_of(i);
		w->pass_ns_max = MIN(longest, edge_of(i));
		if (so_far * 100 < all * 99)
			w->pass_ns_p99 = w->pass_ns_max;
		so_far += win->pass_times->count[i];
	}
}

static void take_out_staleness(const KxAccountWindow *win, KxWindow *w)
{
	w->stale_passes -= MIN(w->stale_passes, win->paused_passes[0]);
	w->stale_samples -= MIN(w->stale_samples, win->paused_samples[0]);
	w->stale_control_passes -= MIN(w->stale_control_passes, win->paused_passes[1]);
	w->stale_control_samples -= MIN(w->stale_control_samples, win->paused_samples[1]);
}

void kx_account_take_out_paused(const KxAccountWindow *win, KxWindow *w)
{
	guint64 nr = win->paused_passes[0] + win->paused_passes[1];

	w->paused_passes = nr;
	if (!nr || !w->has_stats)
		return;
	take_out(w, &win->paused, nr, FALSE);
	put_pass_times(win, w);
	if (w->has_staleness)
		take_out_staleness(win, w);
}

/* --- counted or not -------------------------------------------------------------------------------------------------- */

static gboolean is_control(const struct kvm_ext_rec_pass_end *r)
{
	return (r->h.flags & KVM_EXT_PASS_CONTROL) != 0;
}

static KxObservation cost_of(const Recent *p)
{
	return (KxObservation){ (double)p->r.cpu_ns, (double)p->r.samples };
}

/* @add: the pass counts; FALSE: it no longer counts. */
static void add_counted(KxAccountWindow *win, const Recent *p, gboolean add)
{
	guint64 times = add ? 1 : G_MAXUINT64; /* times -1, modulo 2^64 */
	KxWindow *w = win->w;

	w->between_ns += times * p->between_ns;
	w->between_n += p->between_ns ? times : 0;
	if (win->pass_times)
		win->pass_times->count[bucket_of(p->r.wall_ns)] += (guint32)times;
}

static void add_paused(KxAccountWindow *win, const Recent *p, gboolean add)
{
	guint64 by = add ? 1 : G_MAXUINT64;

	add_up(&win->paused, &p->r, add);
	win->paused_passes[is_control(&p->r)] += by;
	win->paused_samples[is_control(&p->r)] += by * p->r.samples;
	if (win->w->open)
		return;
	/* The sums of a closed window contain the pass as it was judged when the window was closed. */
	win->w->paused_passes += by;
	if (win->w->has_stats)
		take_out(win->w, &p->r, 1, !add);
}

static void tally(KxAccountWindow *win, const Recent *p, gboolean add)
{
	if (p->paused)
		add_paused(win, p, add);
	else
		add_counted(win, p, add);
}

static gboolean was_paused(const KxAccount *a, const Recent *p)
{
	return p->from_ns && kx_stretches_cover(&a->pause.when, p->from_ns, p->r.time_ns);
}

/* --- the series of costs --------------------------------------------------------------------------------------------- */

/* A pass that was cut or lost is no observation, and the passes on both sides of it are no neighbours of each other. */
static void take_cost(KxAccountWindow *win, Recent *p, gboolean follows)
{
	KxSeries *s = &win->w->pass_costs;

	if (!follows || p->cut)
		kx_series_break(s);
	if (!p->cut)
		p->index = p->paused ? kx_series_skip(s) : kx_series_add(s, cost_of(p));
}

/* The pass @by numbers after @p, if it is known and counts. */
static const Recent *neighbour_of(const KxAccount *a, const Recent *p, int by)
{
	for (guint i = 0; i < a->recent->n; i++) {
		const Recent *other = &a->recent->list[i];

		if (other->window == p->window && other->r.pass == p->r.pass + (guint64)by)
			return other->cut || other->paused ? NULL : other;
	}
	return NULL;
}

/* It has changed whether @p was paused. */
static void rejudge_cost(const KxAccount *a, KxAccountWindow *win, const Recent *p)
{
	const Recent *before = neighbour_of(a, p, -1), *after = neighbour_of(a, p, 1);
	KxObservation cost_before = before ? cost_of(before) : (KxObservation){ 0 };
	KxObservation cost_after = after ? cost_of(after) : (KxObservation){ 0 };

	kx_series_rejudge(&win->w->pass_costs, p->index, cost_of(p), before ? &cost_before : NULL,
			  after ? &cost_after : NULL, !p->paused);
}

/* --- pairs of passes ------------------------------------------------------------------------------------------------- */

static void add_pair(KxWindow *w, double policy, double control, double by)
{
	w->stale_pairs += by > 0 ? 1 : G_MAXUINT64;
	w->stale_p += by * policy;
	w->stale_k += by * control;
	w->stale_p2 += by * policy * policy;
	w->stale_k2 += by * control * control;
	w->stale_cross += by * policy * control;
}

static void finish_pair(KxWindow *w, const KxPassPair *p)
{
	if (p->cut || !p->have[0] || !p->have[1])
		w->stale_dropped++;
	else
		add_pair(w, p->samples[0], p->samples[1], 1);
}

/* If no record of a pair was seen, both of its passes were lost. */
static void pair_up(KxAccountWindow *win, const struct kvm_ext_rec_pass_end *r, gboolean paused)
{
	gboolean control = is_control(r);
	guint64 pair = (r->pass + 1) / 2;
	KxPassPair *p = &win->pair;

	if (!win->w->has_staleness)
		return;
	if (pair != p->pair) {
		if (p->ends == 1)
			win->w->stale_dropped++;
		if (pair > p->pair)
			win->w->stale_dropped += pair - p->pair - 1;
		*p = (KxPassPair){ .pair = pair };
	}
	p->ends++;
	p->cut |= paused || (r->h.flags & (KVM_EXT_PASS_CUT | KVM_EXT_PASS_YIELDED)) != 0;
	p->have[control] = TRUE;
	p->samples[control] = (double)r->samples;
	if (p->ends == 2)
		finish_pair(win->w, p);
}

/* The other pass of the pair, if it has ended and counts. */
static const Recent *partner_of(const KxAccount *a, const Recent *p)
{
	for (guint i = 0; i < a->recent->n; i++) {
		const Recent *other = &a->recent->list[i];

		if (other != p && other->window == p->window && !other->cut && !other->paused &&
		    (other->r.pass + 1) / 2 == (p->r.pass + 1) / 2 &&
		    is_control(&other->r) != is_control(&p->r))
			return other;
	}
	return NULL;
}

/* It has changed whether @p was paused. If the other pass of its pair does not count, the pair was dropped and stays dropped. */
static void rejudge_pair(const KxAccount *a, KxAccountWindow *win, const Recent *p, gboolean paused)
{
	const Recent *other = partner_of(a, p);
	gboolean control = is_control(&p->r);

	if (!win->w->has_staleness)
		return;
	if (win->pair.ends == 1 && win->pair.pair == (p->r.pass + 1) / 2) {
		win->pair.cut = paused;
		return;
	}
	if (!other)
		return;
	add_pair(win->w, (double)(control ? other : p)->r.samples,
		 (double)(control ? p : other)->r.samples, paused ? -1 : 1);
	win->w->stale_dropped += paused ? 1 : G_MAXUINT64;
}

/* --- ends of passes ---------------------------------------------------------------------------------------------------- */

static Recent *remember(KxAccount *a, KxAccountWindow *win, const struct kvm_ext_rec_pass_end *r,
			gboolean follows)
{
	RecentPasses *list = a->recent;
	guint64 start_ns = r->time_ns - r->wall_ns;
	Recent *p = &list->list[list->next];

	list->next = (list->next + 1) % RECENT_MAX;
	list->n = MIN(list->n + 1, RECENT_MAX);
	*p = (Recent){
		.window = win->w->id,
		.from_ns = follows ? win->last_pass_start : 0,
		.cut = (r->h.flags & (KVM_EXT_PASS_CUT | KVM_EXT_PASS_YIELDED)) != 0,
		.r = *r,
	};
	if (follows && r->pass > 1 && start_ns > win->last_pass_start)
		p->between_ns = start_ns - win->last_pass_start;
	p->paused = was_paused(a, p);
	return p;
}

void kx_account_pass_ended(KxAccount *a, KxAccountWindow *win, const struct kvm_ext_rec_pass_end *r)
{
	gboolean follows = win->last_pass != KX_NO_PASS && r->pass == win->last_pass + 1;
	Recent *p;

	if (r->h.flags & KVM_EXT_PASS_PRIME) {
		kx_series_break(&win->w->pass_costs);
		win->last_pass = r->pass;
		win->last_pass_start = r->time_ns - r->wall_ns;
		win->primed_ns = r->time_ns;
		return;
	}
	p = remember(a, win, r, follows);
	take_cost(win, p, follows);
	win->last_pass = r->pass;
	win->last_pass_start = r->time_ns - r->wall_ns;
	pair_up(win, r, p->paused);
	if (p->cut) {
		gboolean cut = r->h.flags & KVM_EXT_PASS_CUT;

		a->yielded_passes += !cut;
		win->unmarked += cut || is_after_mark(win, r->pass);
		return;
	}
	tally(win, p, TRUE);
	add_after_mark(win, r);
}

gboolean kx_account_last_was_paused(const KxAccount *a)
{
	const RecentPasses *list = a->recent;

	return list->n && list->list[(list->next + RECENT_MAX - 1) % RECENT_MAX].paused;
}

/* Whether pass @i is the oldest of a full list. */
static gboolean is_oldest(const RecentPasses *list, guint i)
{
	return list->n == RECENT_MAX && i == list->next;
}

void kx_account_judge_passes(KxAccount *a)
{
	for (guint i = 0; i < a->recent->n; i++) {
		Recent *p = &a->recent->list[i];
		KxAccountWindow *win = kx_account_by_id(a, p->window);

		if (!win || p->cut || is_oldest(a->recent, i) || was_paused(a, p) == p->paused)
			continue;
		rejudge_pair(a, win, p, !p->paused);
		tally(win, p, FALSE);
		p->paused = !p->paused;
		tally(win, p, TRUE);
		rejudge_cost(a, win, p);
	}
}
