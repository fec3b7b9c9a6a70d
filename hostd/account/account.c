// SPDX-License-Identifier: GPL-2.0-or-later
#include "account-internal.h"

#include <string.h>

#include "base/error.h"
#include "tracker/logmech.h"

static void window_free(gpointer data)
{
	KxAccountWindow *win = data;

	kx_window_free(win->w);
	kx_vm_counters_free(win->start);
	kx_gfnset_free(win->found);
	g_clear_pointer(&win->runs, g_array_unref);
	kx_regions_free(win->coming);
	kx_account_passes_close(win);
	g_free(win);
}

KxAccount *kx_account_new(void)
{
	KxAccount *a = g_new0(KxAccount, 1);

	a->windows = g_ptr_array_new_with_free_func(window_free);
	a->next_id = 1;
	kx_account_passes_init(a);
	return a;
}

void kx_account_free(KxAccount *a)
{
	if (!a)
		return;
	g_ptr_array_unref(a->windows);
	kx_account_passes_free(a);
	g_free(a->pause.why);
	g_free(a->pause.unknown);
	g_free(a);
}

KxAccountWindow *kx_account_last_window(const KxAccount *a)
{
	return a->windows->len ? a->windows->pdata[a->windows->len - 1] : NULL;
}

KxAccountWindow *kx_account_by_id(const KxAccount *a, guint64 id)
{
	KxAccountWindow *first;

	if (!a->windows->len)
		return NULL;
	first = a->windows->pdata[0];
	if (id < first->w->id || id - first->w->id >= a->windows->len)
		return NULL;
	return a->windows->pdata[id - first->w->id];
}

/* --- windows ------------------------------------------------------------------------------------------------------ */

static void forget_found(KxAccount *a, KxAccountWindow *win)
{
	if (win->w->open)
		return;
	a->found_kept -= win->kept;
	win->kept = 0;
	g_clear_pointer(&win->runs, g_array_unref);
	g_clear_pointer(&win->found, kx_gfnset_free);
}

/* Of a window that is closed now, in the smaller of two forms: scattered pages are many runs, and a bitmap is one for all. */
static void keep_found(KxAccount *a, KxAccountWindow *win)
{
	gsize as_runs = kx_gfnset_count_runs(win->found) * sizeof(KxRun);

	win->kept = kx_gfnset_bytes(win->found);
	if (as_runs <= win->kept) {
		win->kept = as_runs;
		win->runs = kx_gfnset_runs(win->found);
		g_clear_pointer(&win->found, kx_gfnset_free);
	}
	a->found_kept += win->kept;
}

static void replace(char **to, const char *from)
{
	g_free(*to);
	*to = g_strdup(from);
}

static void forget_regions(KxAccount *a, KxAccountWindow *win, const char *why)
{
	if (!win->w->regions)
		return;
	a->regions_kept -= win->w->regions->list->len;
	g_clear_pointer(&win->w->regions, kx_regions_free);
	replace(&win->w->regions_na, why);
}

static void stay_bounded(KxAccount *a)
{
	guint i;

	while (a->windows->len > KX_ACCOUNT_WINDOWS_MAX) {
		forget_found(a, a->windows->pdata[0]);
		forget_regions(a, a->windows->pdata[0], NULL);
		if (a->current == a->windows->pdata[0])
			a->current = NULL;
		g_ptr_array_remove_index(a->windows, 0);
	}
	for (i = 0; a->found_kept > KX_ACCOUNT_FOUND_BYTES_MAX && i < a->windows->len; i++)
		forget_found(a, a->windows->pdata[i]);
	for (i = 0; a->regions_kept > KX_ACCOUNT_REGIONS_MAX && i + 1 < a->windows->len; i++)
		forget_regions(a, a->windows->pdata[i],
			       "no longer kept, later windows needed the room");
}

guint64 kx_account_open(KxAccount *a, const KxSetting *setting, const KxVmCounters *start,
			KxInstant now)
{
	KxAccountWindow *win = g_new0(KxAccountWindow, 1);

	win->w = kx_window_new();
	win->w->id = a->next_id++;
	win->w->tracker = g_strdup(setting->tracker);
	win->w->options = g_strdup(setting->options);
	win->w->has_staleness = setting->staleness;
	win->w->has_regions = setting->regions_max != 0;
	win->w->regions_max = setting->regions_max;
	if (win->w->has_regions)
		win->w->regions_na = g_strdup("no aggregation was completed");
	win->w->trap_faults_budget = setting->trap_faults_per_s;
	win->w->trap_time_budget_ppm = setting->trap_time_ppm;
	win->w->open = TRUE;
	win->w->start_realtime_ns = now.realtime_ns;
	win->start_monotonic_ns = now.monotonic_ns;
	win->epoch = setting->epoch;
	win->start = kx_vm_counters_copy(start);
	win->found = kx_gfnset_new(setting->last_gfn);
	win->last_pass = KX_NO_PASS;
	win->w->paused_na = g_strdup(a->pause.unknown);
	kx_account_passes_open(win);
	g_ptr_array_add(a->windows, win);
	stay_bounded(a);
	return win->w->id;
}

void kx_account_mark(KxAccount *a, guint64 window, const struct kvm_ext_stats *st)
{
	KxAccountWindow *win = kx_account_by_id(a, window);

	if (!win || !win->w->open)
		return;
	win->marked = st != NULL;
	if (st)
		win->mark = *st;
}

/* --- the dirty log ------------------------------------------------------------------------------------------------ */

static gboolean uses_log(const struct kvm_ext_stats *st)
{
	return st->tracker == KVM_EXT_TRACKER_DIRTY_LOG || st->tracker == KVM_EXT_TRACKER_PML_ABIT;
}

static KxAccountWindow *by_epoch(const KxAccount *a, guint64 epoch)
{
	for (guint i = a->windows->len; i-- > 0;) {
		KxAccountWindow *win = a->windows->pdata[i];

		if (win->epoch == epoch)
			return win;
	}
	return NULL;
}

static void put_disabled(const KxAccountWindow *win, KxWindow *w)
{
	if (!w->has_log)
		return;
	w->log_disable_ns = win->disabled.ns;
	w->log_disable_pages = win->disabled.pages;
	replace(&w->log_disable_na,
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
	KxAccountWindow *win = by_epoch(a, st->epoch), *before = by_epoch(a, st->epoch - 1);

	if (before && !before->disabled.known) {
		before->disabled.known = TRUE;
		before->disabled.ns = st->log.disable_ns;
		before->disabled.pages = st->log.disable_pages;
		put_disabled(before, before->w);
	}
	if (win && win->w->open && uses_log(st))
		note_yield(a, win, st);
	a->nested |= (st->state & KVM_EXT_STATE_NESTED) != 0;
}

gboolean kx_account_nested(const KxAccount *a)
{
	return a->nested;
}

void kx_account_yielded_to(KxAccount *a, guint64 window, const char *what)
{
	KxAccountWindow *win = kx_account_by_id(a, window);

	if (win)
		replace(&win->w->log_yielded_to, what);
}

guint64 kx_account_yielded_passes(const KxAccount *a)
{
	return a->yielded_passes;
}

static void take_log(KxWindow *w, const struct kvm_ext_stats *st)
{
	const struct kvm_ext_log_stats *l = &st->log;

	w->has_log = uses_log(st);
	if (!w->has_log)
		return;
	replace(&w->log_mechanism, kx_log_mechanism_name(l->mechanism));
	replace(&w->log_mode, kx_log_mode_name(l->mode));
	w->log_pages = l->pages;
	w->log_vmm_pages = l->vmm_pages;
	w->log_other_pages = l->other_pages;
	w->log_enable_ns = l->enable_ns;
	w->log_enable_pages = l->enable_pages;
	w->log_arm_ns = l->arm_ns;
	w->log_arm_pages = l->arm_pages;
	w->log_harvest_ns = l->harvest_ns;
	w->log_harvest_pages = l->harvest_pages;
	w->log_dirty_pages = st->sample_pages;
	w->log_clear_ns = l->clear_ns;
	w->log_clear_pages = l->clear_pages;
	w->log_clears = l->clears;
	w->pml_full_exits = l->pml_full_exits;
	w->log_candidates = l->candidates;
	w->log_errors = l->errors;
	w->log_last_errno = l->last_errno;
	w->log_aside_passes = st->log_more.aside_passes;
	w->log_stuck_pages = st->log_more.stuck_pages;
	w->log_yields = l->yields;
	w->log_resumes = l->resumes;
	w->log_yielded_passes = l->yielded_passes;
}

/* --- statistics --------------------------------------------------------------------------------------------------- */

static void take_walk(KxWindow *w, const struct kvm_ext_stats *st)
{
	const struct kvm_ext_walk_stats *s = &st->walk;

	w->has_walk = st->tracker == KVM_EXT_TRACKER_EPT_WALK;
	w->walk_tables_read = s->tables_read;
	w->walk_subtrees_skipped = s->subtrees_skipped;
	w->walk_pages_skipped = s->pages_skipped;
	w->walk_upper_cleared = s->upper_cleared;
	w->walk_upper_restored = s->upper_restored;
	w->walk_holds = s->holds;
	w->walk_hold_ns = s->hold_ns;
	w->walk_max_hold_ns = s->max_hold_ns;
	w->walk_contended = s->contended;
	w->walk_nested |= (st->state & KVM_EXT_STATE_NESTED) != 0;
}

static void take_regions(KxWindow *w, const struct kvm_ext_regions_stats *s)
{
	w->regions_now = s->regions;
	w->regions_aggregations = s->aggregations;
	w->regions_checks = s->checks;
	w->regions_max_checks = s->max_checks;
	w->regions_splits = s->splits;
	w->regions_merges = s->merges;
}

static void take_trap(KxWindow *w, const struct kvm_ext_stats *st)
{
	const struct kvm_ext_trap_stats *s = &st->trap;

	w->has_trap = st->tracker == KVM_EXT_TRACKER_TRAP;
	w->trap_eligible = s->eligible;
	w->trap_armed = s->armed;
	w->trap_armings = s->armings;
	w->trap_faults = s->faults;
	w->trap_lost = s->lost;
	w->trap_fault_ns = s->fault_ns;
	w->trap_timed_faults = s->timed_faults;
	w->trap_max_faults_per_s = s->max_faults_per_s;
	w->trap_max_time_ppm = s->max_time_ppm;
	w->trap_zap_ns = s->zap_ns;
	w->trap_held_passes = s->held_passes;
}

static void take_stats(KxWindow *w, const struct kvm_ext_stats *st)
{
	w->has_module = st != NULL;
	if (!st)
		return;
	take_log(w, st);
	take_walk(w, st);
	take_regions(w, &st->regions);
	take_trap(w, st);
	w->stale_passes = st->staleness.passes;
	w->stale_samples = st->staleness.samples;
	w->stale_control_passes = st->staleness.control_passes;
	w->stale_control_samples = st->staleness.control_samples;
	w->interval_ns = st->interval_ns;
	w->passes = st->passes;
	w->overruns = st->overruns;
	w->first_start_ns = st->first_start_ns;
	w->last_start_ns = st->last_start_ns;
	w->pages_scanned = st->pages_scanned;
	w->leaves_tested = st->leaves_tested;
	w->samples = st->samples;
	w->sample_pages = st->sample_pages;
	w->lost_samples = st->lost_samples;
	/* What the guest says it took is no host CPU time. */
	w->cpu_ns = w->has_guest ? 0 : st->cpu_ns;
	w->guest_cpu_ns = w->has_guest ? st->cpu_ns : 0;
	w->prime_cpu_ns = st->prime_cpu_ns;
	w->prime_ns = st->prime_ns;
	w->pass_ns_sum = st->pass_ns_sum;
	w->pass_ns_min = st->pass_ns_min;
	w->pass_ns_max = st->pass_ns_max;
	w->pass_ns_p99 = st->pass_ns_p99;
	w->flushes = st->flushes;
	w->flush_ipis = st->flush_ipis;
	w->flush_ns = st->flush_ns;
	w->max_hold_ns = st->max_hold_ns;
	w->slot_changes = st->slot_changes;
	w->dropped_pages = st->dropped_pages;
}

/* A tracker in the guest looks at the end of its own epochs, and we at the end of ours: up to one of them later. */
static void settle_covered(const KxAccountWindow *win, KxWindow *w)
{
	guint64 start = win->primed_ns ? win->primed_ns : w->has_guest ? 0 : w->first_start_ns;
	guint64 end = w->last_start_ns - (w->has_guest ? MIN(w->interval_ns, w->last_start_ns) : 0);

	if (!w->has_module || !w->passes)
		return;
	start = MAX(start, win->start_monotonic_ns);
	end = MAX(end, start);
	w->covered_start_realtime_ns =
		w->start_realtime_ns + (gint64)(start - win->start_monotonic_ns);
	w->covered_end_realtime_ns = w->start_realtime_ns + (gint64)(end - win->start_monotonic_ns);
}

/* Writes the state at @now into @w, which may be the window's own or a copy of it. */
static void settle(const KxAccountWindow *win, KxWindow *w, const struct kvm_ext_stats *st,
		   const KxVmCounters *end, KxInstant now)
{
	const KxStretch *yield = kx_stretches_now(&win->yield.when);

	take_stats(w, st);
	kx_account_take_out_paused(win, w);
	put_disabled(win, w);
	w->log_yielded_ns = win->yield.ns;
	if (yield && now.monotonic_ns > yield->from_ns)
		w->log_yielded_ns += now.monotonic_ns - yield->from_ns;
	w->end_realtime_ns = now.realtime_ns;
	w->duration_ns = now.monotonic_ns - win->start_monotonic_ns;
	settle_covered(win, w);
	w->found_pages = kx_gfnset_count(win->found);
	kx_vm_counters_delta(win->start, end, w);
}

void kx_account_guest(KxAccount *a, const struct kvm_ext_stats *st, const KxGuestView *view)
{
	KxAccountWindow *win = by_epoch(a, st->epoch);
	KxWindow *w = win ? win->w : NULL;

	if (!w || !w->open)
		return;
	w->has_guest = TRUE;
	replace(&w->guest_event, *view->event ? view->event : NULL);
	replace(&w->guest_release, *view->release ? view->release : NULL);
	replace(&w->guest_silent, kx_account_is_paused(a) ? "the VM is paused" : view->silent);
	w->guest_classified = view->sum.classified;
	w->guest_no_address = view->sum.no_address;
	w->guest_dropped_queue = view->sum.dropped_queue;
	w->guest_dropped_ring = view->sum.dropped_ring;
	w->guest_interrupts = view->sum.interrupts;
	w->guest_interrupt_ns = view->sum.interrupt_ns;
	w->guest_drain_ns = view->sum.drain_ns;
	w->guest_classify_ns = view->sum.classify_ns;
	w->guest_report_ns = view->sum.report_ns;
	w->guest_scan_ns = view->sum.scan_ns;
	w->guest_flush_ns = view->sum.flush_ns;
	w->guest_memory_bytes = view->sum.memory_bytes;
	w->guest_period = view->sum.period;
	w->guest_restarts = view->restarts;
	w->guest_bad_records = view->bad_records;
}

void kx_account_close(KxAccount *a, guint64 window, const struct kvm_ext_stats *st,
		      const KxVmCounters *end, KxInstant now)
{
	KxAccountWindow *win = kx_account_by_id(a, window);

	if (!win || !win->w->open)
		return;
	if (!st && win->marked)
		st = &win->mark;
	settle(win, win->w, st, end, now);
	if (win->w->has_log && !win->disabled.known)
		replace(&win->w->log_disable_na, "not known: the VM ended first");
	win->w->open = FALSE;
	win->end_monotonic_ns = now.monotonic_ns;
	kx_account_passes_close(win);
	keep_found(a, win);
	g_clear_pointer(&win->start, kx_vm_counters_free);
	g_clear_pointer(&win->coming, kx_regions_free);
	if (a->current == win)
		a->current = NULL;
	stay_bounded(a);
}

void kx_account_add_drain(KxAccount *a, guint64 cpu_ns)
{
	guint64 rest = cpu_ns, bytes = 0;
	KxAccountWindow *last = kx_account_last_window(a), *win;

	/* At a switch two windows are open; what is in the ring is mostly the old one's. */
	for (guint i = a->windows->len; i-- > 0;) {
		win = a->windows->pdata[i];
		if (!win->w->open)
			break;
		bytes += win->drained_bytes;
	}
	for (guint i = a->windows->len; i-- > 0;) {
		guint64 part;

		win = a->windows->pdata[i];
		if (!win->w->open)
			break;
		part = bytes ? (guint64)((double)cpu_ns * (double)win->drained_bytes /
					 (double)bytes)
			     : 0;
		part = MIN(part, rest);
		win->w->drain_cpu_ns += part;
		win->drained_bytes = 0;
		rest -= part;
	}
	if (last && last->w->open && !bytes)
		last->w->drain_cpu_ns += rest;
}

void kx_account_windows(const KxAccount *a, GPtrArray *windows, const struct kvm_ext_stats *st,
			const KxVmCounters *counters, KxInstant now)
{
	guint i;

	for (i = 0; i < a->windows->len; i++) {
		const KxAccountWindow *win = a->windows->pdata[i];
		KxWindow *c = kx_window_copy(win->w);

		if (win->w->open)
			settle(win, c, st, counters, now);
		kx_account_put_pauses(a, win, c, now.monotonic_ns);
		g_ptr_array_add(windows, c);
	}
}

KxWindow *kx_account_newest(const KxAccount *a, const struct kvm_ext_stats *st,
			    const KxVmCounters *counters, KxInstant now)
{
	const KxAccountWindow *win = kx_account_last_window(a);
	KxWindow *c = win ? kx_window_copy(win->w) : NULL;

	if (c && win->w->open)
		settle(win, c, st, counters, now);
	if (c)
		kx_account_put_pauses(a, win, c, now.monotonic_ns);
	return c;
}

GArray *kx_account_found(const KxAccount *a, guint64 window, GError **error)
{
	const KxAccountWindow *win = kx_account_by_id(a, window);
	guint64 runs = win && win->found ? kx_gfnset_count_runs(win->found) : 0;

	if (runs > KX_ACCOUNT_RUNS_MAX) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "window %" G_GUINT64_FORMAT " has %" G_GUINT64_FORMAT
			    " runs of pages, more than one D-Bus message can hold",
			    window, runs);
		return NULL;
	}
	if (win && win->found)
		return kx_gfnset_runs(win->found);
	if (win && win->runs)
		return g_array_ref(win->runs);
	g_set_error(error, KX_ERROR, KX_ERROR_INVALID_OPTION,
		    win ? "window %" G_GUINT64_FORMAT
			  ": its pages are no longer kept, later windows needed the room"
			: "there is no window %" G_GUINT64_FORMAT " in this VM's account",
		    window);
	return NULL;
}

void kx_account_grow(KxAccount *a, guint64 last_gfn)
{
	for (guint i = 0; i < a->windows->len; i++) {
		const KxAccountWindow *win = a->windows->pdata[i];

		if (win->w->open)
			kx_gfnset_grow(win->found, last_gfn);
	}
}

gsize kx_account_bytes(const KxAccount *a)
{
	gsize sum = a->found_kept + a->regions_kept * sizeof(KxRegion);

	for (guint i = 0; i < a->windows->len; i++) {
		const KxAccountWindow *win = a->windows->pdata[i];

		sum += sizeof(KxAccountWindow) + sizeof(KxWindow) + strlen(win->w->options);
		if (win->w->open)
			sum += kx_gfnset_bytes(win->found);
	}
	return sum;
}

gsize kx_account_found_bytes(const KxAccount *a)
{
	return a->found_kept;
}

void kx_account_forget_found(KxAccount *a)
{
	for (guint i = 0; i < a->windows->len; i++)
		forget_found(a, a->windows->pdata[i]);
}

guint64 kx_account_stray(const KxAccount *a)
{
	return a->stray;
}

guint64 kx_account_last_pass(const KxAccount *a)
{
	const KxAccountWindow *win = kx_account_last_window(a);

	return win ? win->last_pass : KX_NO_PASS;
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static void on_pass_begin(void *data, const struct kvm_ext_rec_pass_begin *r)
{
	KxAccount *a = data;
	guint i;

	a->in_pass = TRUE;
	a->current = NULL;
	a->current_pass = r->pass;
	a->current_prime = r->h.flags & KVM_EXT_PASS_PRIME;
	for (i = a->windows->len; i-- > 0;) {
		KxAccountWindow *win = a->windows->pdata[i];

		if (win->w->open && win->epoch == r->epoch) {
			a->current = win;
			win->drained_bytes += r->h.size;
			return;
		}
	}
}

/*
 * The window a record of @pass belongs to. Where its PASS_BEGIN was lost it can only be said if a single window is open;
 * and samples of a pass that primes do not count.
 */
static KxAccountWindow *window_of(KxAccount *a, guint64 pass)
{
	KxAccountWindow *only;

	if (a->in_pass && a->current_pass == pass)
		return a->current;
	only = kx_account_last_window(a);
	if (!only || !only->w->open)
		return NULL;
	if (a->windows->len > 1 &&
	    ((KxAccountWindow *)a->windows->pdata[a->windows->len - 2])->w->open)
		return NULL;
	a->in_pass = TRUE;
	a->current = only;
	a->current_pass = pass;
	a->current_prime = pass == 0;
	return only;
}

static KxAccountWindow *sample_window(KxAccount *a, guint64 pass, const struct kvm_ext_record *h)
{
	KxAccountWindow *win = window_of(a, pass);

	if (win)
		win->drained_bytes += h->size;
	else
		a->stray++;
	return win && !a->current_prime ? win : NULL;
}

static void on_run(void *data, const struct kvm_ext_rec_run *r)
{
	KxAccountWindow *win = sample_window(data, r->pass, &r->h);

	if (win)
		kx_gfnset_add(win->found, r->gfn, r->npages);
}

static void on_bitmap(void *data, const struct kvm_ext_rec_bitmap *r, const guint64 *bits,
		      gsize nwords)
{
	KxAccountWindow *win = sample_window(data, r->pass, &r->h);

	if (win)
		kx_gfnset_add_bits(win->found, r->gfn, bits, nwords);
}

static void count_access(KxWindow *w, const struct kvm_ext_fault *f)
{
	guint64 *const of_access[] = {
		[KVM_EXT_ACCESS_READ] = &w->trap_reads,
		[KVM_EXT_ACCESS_WRITE] = &w->trap_writes,
		[KVM_EXT_ACCESS_EXEC] = &w->trap_execs,
	};

	++*of_access[f->access];
	w->trap_page_walks += (f->flags & KVM_EXT_FAULT_PAGE_WALK) != 0;
}

/* Of a larger mapping only the page is known that was accessed, and it alone was found. */
static void on_faults(void *data, const struct kvm_ext_rec_faults *r,
		      const struct kvm_ext_fault *faults)
{
	KxAccountWindow *win = sample_window(data, r->pass, &r->h);

	for (guint32 i = 0; win && i < r->nr; i++) {
		kx_gfnset_add(win->found, faults[i].gfn, 1);
		count_access(win->w, &faults[i]);
	}
}

/* A window that has more than all may keep, keeps the hottest. */
static void trim_regions(KxRegions *r)
{
	GArray *ranked;

	if (r->list->len <= KX_ACCOUNT_REGIONS_MAX)
		return;
	ranked = kx_regions_ranked(r);
	g_array_set_size(ranked, KX_ACCOUNT_REGIONS_MAX);
	g_array_unref(r->list);
	r->list = ranked;
	kx_regions_sort(r);
}

static void finish_regions(KxAccount *a, KxAccountWindow *win)
{
	trim_regions(win->coming);
	forget_regions(a, win, NULL);
	win->w->regions = g_steal_pointer(&win->coming);
	replace(&win->w->regions_na, NULL);
	a->regions_kept += win->w->regions->list->len;
	stay_bounded(a);
}

/* One in which the VM was paused for more than a tenth says less of the memory than the one before it. */
static gboolean was_paused(const KxAccount *a, const KxAccountWindow *win, guint64 until_ns)
{
	guint64 from_ns = MAX(win->aggregated_ns, win->start_monotonic_ns);

	return until_ns > from_ns &&
	       kx_account_paused_in(a, from_ns, until_ns) * 10 > until_ns - from_ns;
}

/* An aggregation of which a record was lost is no picture of the memory: it is dropped. */
static void on_regions(void *data, const struct kvm_ext_rec_regions *r,
		       const struct kvm_ext_region *regions)
{
	KxAccount *a = data;
	KxAccountWindow *win = sample_window(a, r->pass, &r->h);

	if (!win)
		return;
	if (!r->first) {
		kx_regions_free(win->coming);
		win->coming = kx_regions_new();
		win->coming->aggregation = r->aggregation;
		win->coming->checks = r->checks;
		win->coming->total = r->total;
	}
	if (!win->coming || win->coming->aggregation != r->aggregation ||
	    win->coming->total != r->total || win->coming->list->len != r->first) {
		g_clear_pointer(&win->coming, kx_regions_free);
		return;
	}
	for (guint32 i = 0; i < r->nr; i++) {
		KxRegion g = { regions[i].gfn, regions[i].npages, regions[i].as_id,
			       regions[i].accesses, regions[i].age };

		g_array_append_val(win->coming->list, g);
	}
	if (win->coming->list->len != r->total)
		return;
	if (was_paused(a, win, r->time_ns))
		g_clear_pointer(&win->coming, kx_regions_free);
	else
		finish_regions(a, win);
	win->aggregated_ns = r->time_ns;
}

static void on_pass_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	KxAccount *a = data;
	KxAccountWindow *win = window_of(a, r->pass);

	a->in_pass = FALSE;
	a->current = NULL;
	if (!win)
		return;
	win->drained_bytes += r->h.size;
	kx_account_pass_ended(a, win, r);
}

const KxStreamOps kx_account_sink = {
	.pass_begin = on_pass_begin,
	.run = on_run,
	.bitmap = on_bitmap,
	.pass_end = on_pass_end,
	.faults = on_faults,
	.regions = on_regions,
};
