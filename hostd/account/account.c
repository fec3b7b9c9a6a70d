// SPDX-License-Identifier: GPL-2.0-or-later
#include "account-internal.h"

#include <string.h>

#include "base/error.h"

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
	a->totals = kx_totals_new();
	kx_account_passes_init(a);
	return a;
}

void kx_account_free(KxAccount *a)
{
	if (!a)
		return;
	g_ptr_array_unref(a->windows);
	g_ptr_array_unref(a->totals);
	kx_account_passes_free(a);
	g_free(a->pause.why);
	g_free(a->pause.unknown);
	g_free(a);
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

/*
 * The window is closed now: its found pages are kept in the smaller of two forms. Scattered pages would be many runs; a bitmap
 * has the same size for any pages in it.
 */
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

void kx_account_forget_regions(KxAccount *a, KxAccountWindow *win, const char *why)
{
	if (!win->w->regions)
		return;
	a->regions_kept -= win->w->regions->list->len;
	g_clear_pointer(&win->w->regions, kx_regions_free);
	kx_set_text(&win->w->regions_na, why);
}

void kx_account_stay_bounded(KxAccount *a)
{
	guint i;

	while (a->windows->len > KX_ACCOUNT_WINDOWS_MAX) {
		forget_found(a, a->windows->pdata[0]);
		kx_account_forget_regions(a, a->windows->pdata[0], NULL);
		if (a->current == a->windows->pdata[0])
			a->current = NULL;
		g_ptr_array_remove_index(a->windows, 0);
	}
	for (i = 0; a->found_kept > KX_ACCOUNT_FOUND_BYTES_MAX && i < a->windows->len; i++)
		forget_found(a, a->windows->pdata[i]);
	for (i = 0; a->regions_kept > KX_ACCOUNT_REGIONS_MAX && i + 1 < a->windows->len; i++)
		kx_account_forget_regions(a, a->windows->pdata[i],
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
	win->parts = setting->parts | KX_PART_BIT(STATS);
	/* The records contain these parts, even if there are no statistics. */
	win->w->has_staleness = (setting->parts & KX_PART_BIT(MISSED)) != 0;
	win->w->has_regions = (setting->parts & KX_PART_BIT(REGIONS)) != 0;
	win->w->regions_max = setting->regions_max;
	if (win->w->has_regions)
		win->w->regions_na = g_strdup("no aggregation was completed");
	win->w->log_backend = g_strdup(setting->log_backend);
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
	kx_account_stay_bounded(a);
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

void kx_account_yielded_to(KxAccount *a, guint64 window, const char *what)
{
	KxAccountWindow *win = kx_account_by_id(a, window);

	if (win)
		kx_set_text(&win->w->log_yielded_to, what);
}

guint64 kx_account_yielded_passes(const KxAccount *a)
{
	return a->yielded_passes;
}

/*
 * The time in which the tracker could find accesses. A tracker in the guest ends its epochs by itself, and the daemon reads what
 * it found up to one interval later.
 */
static void settle_covered(const KxAccountWindow *win, KxWindow *w)
{
	guint64 start = win->primed_ns ? win->primed_ns : w->has_guest ? 0 : w->first_start_ns;
	guint64 end = w->last_start_ns - (w->has_guest ? MIN(w->interval_ns, w->last_start_ns) : 0);

	if (!w->has_stats || !w->passes)
		return;
	start = MAX(start, win->start_monotonic_ns);
	end = MAX(end, start);
	w->covered_start_realtime_ns =
		w->start_realtime_ns + (gint64)(start - win->start_monotonic_ns);
	w->covered_end_realtime_ns = w->start_realtime_ns + (gint64)(end - win->start_monotonic_ns);
}

/* kx_account_held() gave the size of the heat's maps; the found pages and the regions are the account's own memory. */
static void settle_memory(const KxAccountWindow *win, KxWindow *w, const struct kvm_ext_stats *st)
{
	const KxRegions *r = win->w->regions;

	/* A tracker that reports its memory has some: 0 means that an older module does not know this member. */
	kx_set_text(&w->memory_na, !st ? "the tracker's statistics could not be read"
				   : !st->memory_bytes
					   ? "the loaded module is older and does not report it"
					   : NULL);
	if (w->memory_na)
		return;
	w->memory_bytes = st->memory_bytes;
	w->daemon_bytes = win->maps_bytes + kx_gfnset_bytes(win->found) +
			  (r ? r->list->len * sizeof(KxRegion) : 0);
	w->tracked_pages = win->tracked_pages;
}

/* Writes the state at @now into @w, the window's own KxWindow or a copy. */
static void settle(const KxAccountWindow *win, KxWindow *w, const struct kvm_ext_stats *st,
		   const KxVmCounters *end, KxInstant now)
{
	const KxStretch *yield = kx_stretches_now(&win->yield.when);

	kx_account_take_stats(win, w, st);
	kx_account_take_out_paused(win, w);
	kx_account_put_disabled(win, w);
	settle_memory(win, w, st);
	w->log_yielded_ns = win->yield.ns;
	if (yield && now.monotonic_ns > yield->from_ns)
		w->log_yielded_ns += now.monotonic_ns - yield->from_ns;
	w->end_realtime_ns = now.realtime_ns;
	w->duration_ns = now.monotonic_ns - win->start_monotonic_ns;
	settle_covered(win, w);
	w->found_pages = kx_gfnset_count(win->found);
	kx_vm_counters_delta(win->start, end, w);
}

void kx_account_held(KxAccount *a, guint64 epoch, guint64 maps_bytes, guint64 tracked_pages)
{
	KxAccountWindow *win = kx_account_by_epoch(a, epoch);

	if (!win || !win->w->open)
		return;
	win->maps_bytes = maps_bytes;
	win->tracked_pages = tracked_pages;
}

void kx_account_tell(KxAccount *a, guint64 epoch, KxFillFunc fill, gconstpointer knows)
{
	KxAccountWindow *win = kx_account_by_epoch(a, epoch);

	if (!win || !win->w->open)
		return;
	fill(knows, win->w);
	if (win->w->has_guest && kx_account_is_paused(a))
		kx_set_text(&win->w->guest_silent, "the VM is paused");
}

/* What becomes known of the window later (the cost of stopping its tracker, pauses reported late) is only in reports. */
static void add_to_totals(KxAccount *a, const KxAccountWindow *win, KxInstant now)
{
	g_autoptr(KxWindow) c = kx_window_copy(win->w);

	kx_account_put_pauses(a, win, c, now.monotonic_ns);
	kx_totals_add(a->totals, c);
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
		kx_set_text(&win->w->log_disable_na, "not known: the VM ended first");
	win->w->open = FALSE;
	win->end_monotonic_ns = now.monotonic_ns;
	add_to_totals(a, win, now);
	kx_account_passes_close(win);
	keep_found(a, win);
	g_clear_pointer(&win->start, kx_vm_counters_free);
	g_clear_pointer(&win->coming, kx_regions_free);
	if (a->current == win)
		a->current = NULL;
	kx_account_stay_bounded(a);
}

void kx_account_add_drain(KxAccount *a, guint64 cpu_ns)
{
	guint64 rest = cpu_ns, bytes = 0;
	KxAccountWindow *last = kx_account_last_window(a), *win;

	/* During a switch two windows are open; most records in the ring belong to the older one. */
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

void kx_account_add_recording(KxAccount *a, guint64 cpu_ns, guint64 bytes, guint64 lost)
{
	KxAccountWindow *last = kx_account_last_window(a);

	if (!last)
		return;
	last->w->record_cpu_ns += cpu_ns;
	last->w->record_bytes += bytes;
	last->w->record_lost += lost;
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

GPtrArray *kx_account_totals(const KxAccount *a, const KxWindow *newest)
{
	GPtrArray *totals = kx_totals_copy(a->totals);

	if (newest && newest->open)
		kx_totals_add(totals, newest);
	return totals;
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
