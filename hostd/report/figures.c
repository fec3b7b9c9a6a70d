// SPDX-License-Identifier: GPL-2.0-or-later
/* Figures that all rows have. A figure that was not measured, or cannot be computed from what was measured, has its reason. */
#include "pool.h"

#include <math.h>

#include "tracker/rows.h"

static const char in_guest[] =
	"the tracker runs in the guest, whose CPU time is a figure of its own";

static gboolean has(const KxPool *p, KxPart part)
{
	return kx_row_has(p->row, part);
}

/* The CPU time of draining is known as a total only, not for each pass. */
static double drain_per_sample(const KxPool *p)
{
	double drain = 0;

	for (guint i = 0; i < p->windows->len; i++)
		drain += (double)((KxWindow *)p->windows->pdata[i])->drain_cpu_ns;
	return drain / p->cost.x;
}

/* How much passes resemble their neighbours, and how many independent passes would give as much information. */
static void series_figures(KxPool *p, const char *why)
{
	const char *no_pairs = p->cost_is_old ? "the report is of a version that did not keep it"
					      : "too few passes that follow each other";

	if (!why && isnan(p->cost.lag1))
		why = no_pairs;
	p->row->cost_lag1 = why ? kx_unavailable(why) : kx_figure(p->cost.lag1, p->cost.n);
	p->row->cost_effective_n =
		why ? kx_unavailable(why) : kx_figure(p->cost.effective_n, p->cost.n);
}

static void cost_figures(KxPool *p)
{
	KxRow *row = p->row;
	const char *why = kx_pool_no_cost(p);
	double drain;

	series_figures(p, why);
	if (why) {
		row->cost_per_sample_ns = kx_unavailable(why);
		row->total_cost_per_sample_ns = kx_unavailable(why);
		return;
	}
	drain = drain_per_sample(p);
	if (has(p, KX_PART_GUEST)) {
		row->cost_per_sample_ns = kx_unavailable(in_guest);
		row->total_cost_per_sample_ns = kx_figure(drain, p->cost.n);
		return;
	}
	row->cost_per_sample_ns = kx_figure_of_series(&p->cost);
	/* The mean share of draining shifts the value and both ends of its interval by the same amount. */
	row->total_cost_per_sample_ns = row->cost_per_sample_ns;
	row->total_cost_per_sample_ns.value += drain;
	row->total_cost_per_sample_ns.low += drain;
	row->total_cost_per_sample_ns.high += drain;
}

static KxFigure pages_per_sample(const KxPool *p)
{
	const char *why = kx_pool_no_samples(p);

	if (!why)
		why = kx_pool_no_passes(p);
	if (!why && !p->samples)
		why = "no page was found accessed";
	return why ? kx_unavailable(why)
		   : kx_figure(KX_POOL_TOTAL(p, sample_pages) / (double)p->samples, p->samples);
}

static void count_figures(KxPool *p)
{
	KxRow *row = p->row;
	const char *why = kx_pool_no_counts(p);
	const char *short_why = why ? why : kx_pool_brief(p);

	row->passes = kx_pool_no_account(p) ? kx_unavailable(kx_pool_no_account(p))
					    : kx_figure((double)p->passes, p->row->windows);
	row->samples = why ? kx_unavailable(why) : kx_figure((double)p->samples, p->passes);
	row->pages_per_sample = pages_per_sample(p);
	row->lost_samples = why ? kx_unavailable(why) : kx_figure((double)p->lost, p->samples);
	row->samples_per_s =
		short_why ? kx_unavailable(short_why)
			  : kx_figure((double)p->samples * KX_NS_PER_S / p->ns, p->samples);
}

/* The known pauses; the figure has a footnote if there may have been more: figures-notes.c. */
static void paused_figures(KxPool *p)
{
	KxRow *row = p->row;

	row->paused_seconds = p->paused_na && !(p->paused_ns > 0)
				      ? kx_unavailable(p->paused_na)
				      : kx_figure(p->paused_ns / KX_NS_PER_S, row->windows);
	row->paused_passes = kx_pool_no_account(p)
				     ? kx_unavailable(kx_pool_no_account(p))
				     : kx_figure(KX_POOL_TOTAL(p, paused_passes), row->windows);
}

static void pass_figures(KxPool *p)
{
	KxRow *row = p->row;
	const char *why = kx_pool_no_passes(p);
	double between = 0, intervals = 0, p99 = 0;
	const char *no_interval = "only one pass";
	guint64 requested = 0;

	if (why) {
		row->interval_requested_ns = kx_unavailable(why);
		row->interval_achieved_ns = kx_unavailable(why);
		row->pass_mean_ns = kx_unavailable(why);
		row->pass_p99_ns = kx_unavailable(why);
		return;
	}
	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];

		if (!w->has_stats)
			continue;
		requested = w->interval_ns;
		p99 = fmax(p99, (double)w->pass_ns_p99);
		if (kx_window_was_yielded(w)) {
			no_interval = kx_window_yielded(w);
		} else if (w->paused_passes) {
			between += (double)w->between_ns;
			intervals += (double)w->between_n;
		} else if (w->passes > 1) {
			between += (double)(w->last_start_ns - w->first_start_ns);
			intervals += (double)(w->passes - 1);
		}
	}
	row->pass_mean_ns = kx_figure(KX_POOL_TOTAL(p, pass_ns_sum) / (double)p->passes, p->passes);
	/* Quantiles cannot be pooled; the largest of the windows' quantiles is an upper bound. */
	row->pass_p99_ns = kx_figure(p99, p->passes);
	if (!requested) {
		row->interval_requested_ns = kx_unavailable("passes ran on request only");
		row->interval_achieved_ns = kx_unavailable("passes ran on request only");
		return;
	}
	row->interval_requested_ns = kx_figure((double)requested, p->row->windows);
	row->interval_achieved_ns = intervals > 0
					    ? kx_figure(between / intervals, (guint64)intervals)
					    : kx_unavailable(no_interval);
}

static void page_figures(KxPool *p)
{
	const char *why = kx_pool_no_pages(p);
	double found = 0;

	if (why) {
		p->row->pages_found = kx_unavailable(why);
		p->row->pages_total = kx_unavailable(why);
		return;
	}
	for (guint i = 0; i < p->windows->len; i++)
		found += (double)((KxWindow *)p->windows->pdata[i])->found_pages;
	p->row->pages_found = kx_figure(found / p->windows->len, p->windows->len);
	p->row->pages_total =
		has(p, KX_PART_TRAP) ? kx_unavailable("a trap tests no pages")
		: has(p, KX_PART_GUEST) && !(KX_POOL_TOTAL(p, pages_scanned) > 0)
			? kx_unavailable("events are sampled, no pages are tested")
		: kx_row_aggregates(p->row)
			? kx_unavailable(KX_CHECKS_UNKNOWN)
			: kx_figure(KX_POOL_TOTAL(p, pages_scanned) / (double)p->passes, p->passes);
}

static const char kernel_flushes[] = "the kernel flushes when it changes the VMM's page tables for "
				     "this tracker, but does not count these flushes";

static const char qemus_flushes[] =
	"KVM flushes for what QEMU does for this tracker: these flushes "
	"are among KVM's own flushes";

/* Why flushes for the tracker are not counted as the tracker's; NULL: they are counted. */
static const char *flushes_of_others(const KxRow *row)
{
	const KxTrackerRow *t = kx_tracker_by_name(row->tracker);

	return !t						      ? NULL
	       : t->can & KX_CAN_VMM && !(t->blind & KX_BLIND_CACHED) ? kernel_flushes
	       : t->can & KX_CAN_RATE				      ? qemus_flushes
								      : NULL;
}

static void load_figures(KxPool *p)
{
	KxRow *row = p->row;
	const char *why = !p->module ? "the module gave no figures" : kx_pool_brief(p);
	double drain = 0;

	if (why) {
		row->cpu_percent = kx_unavailable(why);
		row->flushes_per_s = kx_unavailable(why);
		row->flush_ipis_per_s = kx_unavailable(why);
		return;
	}
	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];

		drain += w->has_stats ? (double)w->drain_cpu_ns : 0;
	}
	/* The CPU time of a sampler in the guest is CPU time of the guest, which has a figure of its own. */
	row->cpu_percent = kx_figure(
		((has(p, KX_PART_GUEST) ? 0 : KX_POOL_TOTAL(p, cpu_ns)) + drain) * 100 / p->ns,
		p->passes);
	why = flushes_of_others(row);
	if (why) {
		row->flushes_per_s = kx_unavailable(why);
		row->flush_ipis_per_s = kx_unavailable(why);
		return;
	}
	row->flushes_per_s = kx_figure(KX_POOL_TOTAL(p, flushes) * KX_NS_PER_S / p->ns,
				       (guint64)KX_POOL_TOTAL(p, flushes));
	row->flush_ipis_per_s = kx_figure(KX_POOL_TOTAL(p, flush_ipis) * KX_NS_PER_S / p->ns,
					  (guint64)KX_POOL_TOTAL(p, flush_ipis));
}

/* A counter of the VM, divided by the time in which the VM ran, over the windows in which the counter was read. */
static KxFigure vm_rate(const KxPool *p, gsize value_offset, gsize na_offset, double scale)
{
	KxRatioSums s = { 0 };
	const char *why = kx_pool_brief_ran(p);

	for (guint i = 0; i < p->windows->len; i++) {
		const char *w = p->windows->pdata[i];
		const char *na = *(char *const *)(w + na_offset);
		double ns = kx_window_run_ns((const KxWindow *)w);

		if (na || kx_window_was_yielded((const KxWindow *)w))
			why = na ? na : kx_window_yielded((const KxWindow *)w);
		else if (ns >= KX_RATE_MIN_NS)
			kx_ratio_add(&s, (double)*(const guint64 *)(w + value_offset), ns);
	}
	return kx_figure_from_sums(&s, scale, why);
}
#define VM_RATE(p, member, na, scale) \
	vm_rate(p, G_STRUCT_OFFSET(KxWindow, member), G_STRUCT_OFFSET(KxWindow, na), scale)

static void vm_figures(KxPool *p)
{
	p->row->exits_per_s =
		kx_figure_from_sums(&p->exits, 1, p->exits_na ? p->exits_na : kx_pool_brief_ran(p));
	p->row->work_per_s = kx_figure_from_sums(
		&p->work, 1, p->work_na ? p->work_na : "the workload log covers less than 10 ms");
	p->row->kvm_flushes_per_s =
		VM_RATE(p, remote_tlb_flushes, remote_tlb_flushes_na, KX_NS_PER_S);
	p->row->vcpu_run_percent = VM_RATE(p, vcpu_run_ns, vcpu_run_na, 100);
	p->row->vcpu_steal_percent = VM_RATE(p, vcpu_steal_ns, vcpu_steal_na, 100);
	p->row->vmm_cpu_percent = VM_RATE(p, vmm_cpu_ns, vmm_cpu_na, 100);
}

#define PAGES_PER_GIB 262144.0

static void memory_figures(KxPool *p)
{
	KxRow *row = p->row;
	const KxWindow *w = p->windows->pdata[p->windows->len - 1];
	double bytes = (double)w->memory_bytes + (double)w->daemon_bytes;
	double gib = (double)w->tracked_pages / PAGES_PER_GIB;

	if (w->memory_na) {
		row->memory_bytes = kx_unavailable(w->memory_na);
		row->daemon_bytes = kx_unavailable(w->memory_na);
		row->memory_per_gib = kx_unavailable(w->memory_na);
		return;
	}
	row->memory_bytes = kx_figure((double)w->memory_bytes, 1);
	row->daemon_bytes = kx_figure((double)w->daemon_bytes, 1);
	row->memory_per_gib = kx_figure_per(bytes, gib, "how much memory is tracked is not known");
}

/* The costs of the control cannot be separated from the costs of the policy under test. */
static void void_costs(KxRow *row)
{
	static const char why[] = "measured with staleness, whose control flushes after each page";
	KxFigure *const costs[] = {
		&row->cost_per_sample_ns, &row->total_cost_per_sample_ns,
		&row->cost_lag1,	  &row->cost_effective_n,
		&row->pass_mean_ns,	  &row->pass_p99_ns,
		&row->cpu_percent,	  &row->flushes_per_s,
		&row->flush_ipis_per_s,	  &row->kvm_flushes_per_s,
		&row->exits_per_s,	  &row->vcpu_run_percent,
		&row->vcpu_steal_percent, &row->vmm_cpu_percent,
		&row->work_per_s,
	};

	for (guint i = 0; i < G_N_ELEMENTS(costs); i++)
		kx_figure_void(costs[i], why);
	kx_figure_void(
		&row->interval_achieved_ns,
		"with staleness an interval is from the end of a pass to the start of the next");
}

void kx_row_figures(KxPool *p)
{
	paused_figures(p);
	cost_figures(p);
	count_figures(p);
	pass_figures(p);
	page_figures(p);
	load_figures(p);
	vm_figures(p);
	memory_figures(p);
	if (p->row->staleness)
		void_costs(p->row);
}
