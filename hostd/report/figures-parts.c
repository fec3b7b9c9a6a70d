/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Figures of what only some rows have: the dirty log, the walk of the page table, missed accesses, regions, traps. Each
 * part is a row of a table: how it is computed, and why it is not there.
 */
#include "figures-internal.h"

#include <math.h>
#include <string.h>

/* Passes that are not counted, for the VM was paused, but are in what the module sums up over all passes. */
static guint64 paused_passes(const KxPool *p)
{
	guint64 sum = 0;

	for (guint i = 0; i < p->windows->len; i++)
		sum += ((const KxWindow *)p->windows->pdata[i])->paused_passes;
	return sum;
}

/* --- the dirty log --------------------------------------------------------- */

#define HAS(member)	 G_STRUCT_OFFSET(KxWindow, member)
#define SUM(has, member) kx_pool_total(p, HAS(has), G_STRUCT_OFFSET(KxWindow, member), -1)
#define LOG(member)	 SUM(has_log, member)
#define LOG_NA(member, na)                                                \
	kx_pool_total(p, HAS(has_log), G_STRUCT_OFFSET(KxWindow, member), \
		      G_STRUCT_OFFSET(KxWindow, na))

static KxFigure per_page(double ns, double pages, const char *if_none)
{
	return pages > 0 ? kx_figure(ns / pages, (guint64)pages) : kx_unavailable(if_none);
}

static const char *why_not_disabled(const KxPool *p)
{
	for (guint i = p->windows->len; i-- > 0;) {
		const KxWindow *w = p->windows->pdata[i];

		if (w->has_log && w->log_disable_na)
			return w->log_disable_na;
	}
	return "no memslot was left to switch off";
}

static int last_errno(const KxPool *p)
{
	int err = 0;

	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];

		if (w->has_log && w->log_errors)
			err = (int)w->log_last_errno;
	}
	return err;
}

static KxFigure pml_full(const KxPool *p)
{
	if (g_strcmp0(p->row->mechanism, "pml") != 0)
		return kx_unavailable("the mechanism is not PML");
	if (kx_pool_brief(p))
		return kx_unavailable(kx_pool_brief(p));
	return kx_figure(LOG(pml_full_exits) * KX_NS_PER_S / p->ns, (guint64)LOG(pml_full_exits));
}

static void log_costs(KxPool *p)
{
	KxRow *row = p->row;

	row->log_enable_ns_per_page =
		per_page(LOG(log_enable_ns), LOG(log_enable_pages), "no memslot was switched on");
	row->log_arm_ns_per_page = per_page(LOG(log_arm_ns), LOG(log_arm_pages),
					    "the log does not start all set, or nothing was armed");
	row->log_harvest_ns_per_page =
		per_page(LOG(log_harvest_ns), LOG(log_harvest_pages), "the log was not read");
	row->log_harvest_ns_per_dirty =
		paused_passes(p) ? kx_unavailable("the log was also read while the VM was paused")
				 : per_page(LOG(log_harvest_ns), LOG(log_dirty_pages),
					    "no page was found written");
	row->log_clear_ns_per_dirty =
		per_page(LOG(log_clear_ns), LOG(log_clear_pages),
			 g_strcmp0(kx_pool_last(p, HAS(has_log))->log_mode, "plain") == 0
				 ? "reading the log clears it, too"
				 : "no page was cleared");
	row->log_disable_ns_per_page =
		per_page(LOG_NA(log_disable_ns, log_disable_na),
			 LOG_NA(log_disable_pages, log_disable_na), why_not_disabled(p));
}

static void log_figures_of(KxPool *p)
{
	KxRow *row = p->row;
	const KxWindow *last = kx_pool_last(p, HAS(has_log));

	log_costs(p);
	row->pml_full_per_s = pml_full(p);
	row->log_vmm_pages = kx_figure((double)last->log_vmm_pages, 1);
	row->log_other_pages = kx_figure((double)last->log_other_pages, 1);
	row->log_candidates = g_str_equal(row->tracker, "pml-abit")
				      ? kx_figure((double)last->log_candidates, 1)
				      : kx_unavailable("only pml-abit watches candidates");
	row->log_yields = kx_figure(LOG(log_yields), row->windows);
	row->log_resumes = kx_figure(LOG(log_resumes), row->windows);
	row->log_errors = kx_figure(LOG(log_errors), row->windows);
	row->log_last_errno = last_errno(p);
	row->log_aside_passes = kx_figure(LOG(log_aside_passes), row->windows);
	row->log_stuck_pages = kx_figure((double)last->log_stuck_pages, 1);
	row->log_yielded_seconds = kx_figure(LOG(log_yielded_ns) / KX_NS_PER_S, row->windows);
}

/* --- the walk of the nested page table ------------------------------------- */

#define WALK(member) SUM(has_walk, member)

static void walk_figures(KxPool *p)
{
	KxRow *row = p->row;
	/* Every window begins with a priming pass, and that walks, too; so do those in a pause. */
	guint64 n = p->passes + paused_passes(p) + row->windows;
	double passes = (double)n, longest = 0;

	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];

		if (!w->has_walk)
			continue;
		longest = fmax(longest, (double)w->walk_max_hold_ns);
	}
	row->walk_tables_per_pass = kx_figure(WALK(walk_tables_read) / passes, n);
	row->walk_subtrees_per_pass = kx_figure(WALK(walk_subtrees_skipped) / passes, n);
	row->walk_pages_skipped_per_pass = kx_figure(WALK(walk_pages_skipped) / passes, n);
	row->walk_cleared = kx_figure(WALK(walk_upper_cleared), n);
	row->walk_restored = kx_figure(WALK(walk_upper_restored), n);
	row->walk_holds_per_pass = kx_figure(WALK(walk_holds) / passes, n);
	row->walk_hold_mean_ns =
		per_page(WALK(walk_hold_ns), WALK(walk_holds), "it was never held");
	row->walk_hold_max_ns = WALK(walk_holds) > 0 ? kx_figure(longest, (guint64)WALK(walk_holds))
						     : kx_unavailable("it was never held");
	row->walk_contended = kx_figure(WALK(walk_contended), (guint64)WALK(walk_holds));
}

/* --- accesses missed ------------------------------------------------------- */

/* Of what the control finds, the share that the policy does not; it can be below 0 by chance. */
static KxFigure missed(const KxRatioSums *s)
{
	double r, se, half;

	if (!s->n)
		return kx_unavailable("no pair of passes was completed");
	if (!kx_ratio_estimate(s, &r, &se))
		return kx_unavailable("the control found no page accessed");
	if (s->n < 2)
		return kx_unavailable("only one pair of passes");
	half = kx_t_quantile((double)s->n - 1) * se;
	return (KxFigure){ .value = 1 - r, .low = 1 - r - half, .high = 1 - r + half, .n = s->n };
}

static void missed_figures(KxPool *p)
{
	KxRatioSums s = { 0 };

	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];
		KxRatioSums own = { w->stale_pairs, w->stale_p,	 w->stale_k,
				    w->stale_p2,    w->stale_k2, w->stale_cross };

		if (w->has_staleness)
			kx_ratio_pool(&s, &own);
	}
	p->row->missed = missed(&s);
	p->row->missed_dropped = kx_figure(SUM(has_staleness, stale_dropped), s.n);
}

/* The text of the options with and without the one word. */
static gboolean differ_by_staleness(const KxRow *with, const KxRow *without)
{
	static const char word[] = " staleness=yes";
	const char *at = strstr(with->options, word);

	return at && g_str_equal(with->tracker, without->tracker) &&
	       g_strcmp0(with->mechanism, without->mechanism) == 0 &&
	       strncmp(with->options, without->options, (gsize)(at - with->options)) == 0 &&
	       g_str_equal(at + strlen(word), without->options + (at - with->options));
}

void kx_lend_missed(GPtrArray *pools)
{
	for (guint i = 0; i < pools->len; i++) {
		const KxRow *from = ((const KxPool *)pools->pdata[i])->row;

		for (guint k = 0; from->staleness && k < pools->len; k++) {
			KxRow *to = ((KxPool *)pools->pdata[k])->row;

			if (to->staleness || !differ_by_staleness(from, to))
				continue;
			to->parts |= 1u << KX_PART_MISSED;
			to->missed_by = i;
			kx_figure_clear(&to->missed);
			kx_figure_clear(&to->missed_dropped);
			to->missed = kx_figure_copy(&from->missed);
			to->missed_dropped = kx_figure_copy(&from->missed_dropped);
		}
	}
}

/* --- regions --------------------------------------------------------------- */

#define REGIONS(member) SUM(has_regions, member)

static void regions_figures(KxPool *p)
{
	KxRow *row = p->row;
	const KxWindow *last = kx_pool_last(p, HAS(has_regions));
	guint64 passes = p->passes + paused_passes(p);
	const char *why = kx_pool_no_passes(p);
	double most = 0;

	for (guint i = 0; i < p->windows->len; i++)
		most = fmax(most,
			    (double)((const KxWindow *)p->windows->pdata[i])->regions_max_checks);
	row->regions = last->regions;
	row->regions_na = last->regions_na ? last->regions_na : "not in the report";
	row->regions_limit = kx_figure((double)last->regions_max, row->windows);
	row->regions_now = why ? kx_unavailable(why) : kx_figure((double)last->regions_now, 1);
	row->regions_checks_per_pass =
		why ? kx_unavailable(why)
		    : kx_figure(REGIONS(regions_checks) / (double)passes, passes);
	row->regions_max_checks = why ? kx_unavailable(why) : kx_figure(most, p->passes);
	row->regions_aggregations = kx_figure(REGIONS(regions_aggregations), row->windows);
	row->regions_splits = kx_figure(REGIONS(regions_splits), row->windows);
	row->regions_merges = kx_figure(REGIONS(regions_merges), row->windows);
}

/* --- traps ----------------------------------------------------------------- */

#define TRAP(member) SUM(has_trap, member)

static void trap_counts(KxPool *p)
{
	KxRow *row = p->row;
	guint64 n = (guint64)TRAP(trap_faults);

	row->trap_reads = kx_figure(TRAP(trap_reads), n);
	row->trap_writes = kx_figure(TRAP(trap_writes), n);
	row->trap_execs = kx_figure(TRAP(trap_execs), n);
	row->trap_page_walks = kx_figure(TRAP(trap_page_walks), n);
	row->trap_lost = kx_figure(TRAP(trap_lost), n);
	row->trap_held_passes = kx_figure(TRAP(trap_held_passes), p->passes);
}

static void trap_figures(KxPool *p)
{
	KxRow *row = p->row;
	const KxWindow *last = kx_pool_last(p, HAS(has_trap));
	double faults = 0, ppm = 0;

	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];

		faults = fmax(faults, (double)w->trap_max_faults_per_s);
		ppm = fmax(ppm, (double)w->trap_max_time_ppm);
	}
	trap_counts(p);
	row->trap_faults_per_s = kx_pool_brief(p)
					 ? kx_unavailable(kx_pool_brief(p))
					 : kx_figure(TRAP(trap_faults) * KX_NS_PER_S / p->ns,
						     (guint64)TRAP(trap_faults));
	row->trap_max_faults_per_s = kx_figure(faults, row->windows);
	row->trap_budget_faults_per_s = kx_figure((double)last->trap_faults_budget, row->windows);
	row->trap_ns_per_fault =
		per_page(TRAP(trap_fault_ns), TRAP(trap_timed_faults), "no fault was timed");
	row->trap_max_vcpu_percent = kx_figure(ppm / 10000, row->windows);
	row->trap_budget_vcpu_percent =
		kx_figure((double)last->trap_time_budget_ppm / 10000, row->windows);
	row->trap_armed = kx_figure((double)last->trap_armed, 1);
	row->trap_eligible = kx_figure((double)last->trap_eligible, 1);
	row->trap_zap_ns_per_page =
		per_page(TRAP(trap_zap_ns), TRAP(trap_armings), "nothing was armed");
}

/* --- trackers in the guest ------------------------------------------------- */

#define GUEST(member) SUM(has_guest, member)

static KxFigure guest_rate(const KxPool *p, double sum, double scale)
{
	return kx_pool_brief(p) ? kx_unavailable(kx_pool_brief(p))
				: kx_figure(sum * scale / p->ns, p->passes);
}

static void guest_stages(KxPool *p)
{
	const struct {
		KxFigure *figure;
		double ns;
	} stages[] = {
		{ &p->row->guest_interrupt_ns_per_sample, GUEST(guest_interrupt_ns) },
		{ &p->row->guest_drain_ns_per_sample, GUEST(guest_drain_ns) },
		{ &p->row->guest_classify_ns_per_sample, GUEST(guest_classify_ns) },
		{ &p->row->guest_report_ns_per_sample, GUEST(guest_report_ns) },
		{ &p->row->guest_scan_ns_per_sample, GUEST(guest_scan_ns) },
		{ &p->row->guest_flush_ns_per_sample, GUEST(guest_flush_ns) },
	};
	double all = 0;

	for (guint i = 0; i < G_N_ELEMENTS(stages); i++) {
		*stages[i].figure =
			per_page(stages[i].ns, (double)p->samples, "no sample was taken");
		all += stages[i].ns;
	}
	p->row->guest_cpu_percent = guest_rate(p, all, 100);
}

static void guest_figures(KxPool *p)
{
	KxRow *row = p->row;
	const KxWindow *last = kx_pool_last(p, HAS(has_guest));

	kx_guest_cost(p);
	guest_stages(p);
	row->guest_silent = last->guest_silent;
	row->guest_bad_records = GUEST(guest_bad_records);
	row->guest_interrupts_per_s = guest_rate(p, GUEST(guest_interrupts), KX_NS_PER_S);
	row->guest_classified_share =
		per_page(GUEST(guest_classified), (double)p->samples, "no sample was taken");
	row->guest_period = last->guest_event ? kx_figure((double)last->guest_period, 1)
					      : kx_unavailable("no events are sampled");
	row->guest_dropped_queue = kx_figure(GUEST(guest_dropped_queue), p->samples);
	row->guest_dropped_ring = kx_figure(GUEST(guest_dropped_ring), p->passes);
	row->guest_no_address = last->guest_event ? kx_figure(GUEST(guest_no_address), p->samples)
						  : kx_unavailable("no events are sampled");
	row->guest_memory_bytes = kx_figure((double)last->guest_memory_bytes, 1);
}

/* --- all of them ----------------------------------------------------------- */

static const struct {
	void (*compute)(KxPool *p);
	const char *none;
} parts[KX_PARTS] = {
	[KX_PART_LOG] = { log_figures_of, "the tracker does not use the dirty log" },
	[KX_PART_WALK] = { walk_figures, "only ept-walk walks the page table" },
	[KX_PART_MISSED] = { missed_figures, "not measured for this setting: set staleness" },
	[KX_PART_REGIONS] = { regions_figures, "no regions were asked for" },
	[KX_PART_TRAP] = { trap_figures, "only trap sets traps" },
	[KX_PART_GUEST] = { guest_figures, "the tracker does not run in the guest" },
};

void kx_part_figures(KxPool *p)
{
	for (const KxFigureField *f = kx_row_figures; f->key; f++) {
		if (!(p->row->parts & 1u << f->part))
			*(KxFigure *)((char *)p->row + f->offset) =
				kx_unavailable(parts[f->part].none);
	}
	for (guint i = 0; i < KX_PARTS; i++) {
		if (parts[i].compute && p->row->parts & 1u << i)
			parts[i].compute(p);
	}
}
