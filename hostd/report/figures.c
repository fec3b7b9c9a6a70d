/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From raw windows to the figures of a report: windows with the same tracker
 * and options are pooled into a row. What was not measured, or cannot be said
 * from what was, carries its reason.
 *
 * What the interval cannot show: passes of one window follow each other, so
 * drift of the guest's behaviour over the window counts as scatter, and a
 * correlation between neighbouring passes makes the interval too narrow.
 */
#include "figures-internal.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

#define ROW(figure, unit)                                                  \
	{                                                                  \
#figure, unit, G_STRUCT_OFFSET(KxRow, figure), KX_PART_ANY \
	}
#define PART(part, figure, unit)                                              \
	{                                                                     \
#figure, unit, G_STRUCT_OFFSET(KxRow, figure), KX_PART_##part \
	}

const KxFigureField kx_row_figures[] = {
	ROW(cost_per_sample_ns, "ns"),
	ROW(total_cost_per_sample_ns, "ns"),
	ROW(cost_vs_cheapest, "ratio"),
	ROW(cost_per_page_vs_cheapest, "ratio"),
	ROW(paused_seconds, "s"),
	ROW(paused_passes, "passes"),
	ROW(passes, "passes"),
	ROW(samples, "samples"),
	ROW(samples_per_s, "1/s"),
	ROW(pages_per_sample, "pages"),
	ROW(pages_found, "pages"),
	ROW(pages_total, "pages"),
	ROW(recall, "ratio"),
	ROW(precision, "ratio"),
	ROW(recall_touched, "ratio"),
	ROW(recall_written, "ratio"),
	ROW(precision_touched, "ratio"),
	ROW(precision_written, "ratio"),
	PART(MISSED, missed, "ratio"),
	PART(MISSED, missed_dropped, "pairs of passes"),
	ROW(cpu_percent, "% of one CPU"),
	ROW(interval_requested_ns, "ns"),
	ROW(interval_achieved_ns, "ns"),
	ROW(pass_mean_ns, "ns"),
	ROW(pass_p99_ns, "ns"),
	ROW(lost_samples, "samples"),
	ROW(flushes_per_s, "1/s"),
	ROW(flush_ipis_per_s, "1/s"),
	ROW(kvm_flushes_per_s, "1/s"),
	ROW(exits_per_s, "1/s"),
	ROW(exits_vs_off, "ratio"),
	ROW(vcpu_run_percent, "% of one CPU"),
	ROW(vcpu_steal_percent, "% of one CPU"),
	ROW(work_per_s, "1/s"),
	ROW(work_vs_off, "ratio"),
	PART(LOG, log_enable_ns_per_page, "ns"),
	PART(LOG, log_arm_ns_per_page, "ns"),
	PART(LOG, log_harvest_ns_per_page, "ns"),
	PART(LOG, log_harvest_ns_per_dirty, "ns"),
	PART(LOG, log_clear_ns_per_dirty, "ns"),
	PART(LOG, log_disable_ns_per_page, "ns"),
	PART(LOG, pml_full_per_s, "1/s"),
	PART(LOG, log_vmm_pages, "pages"),
	PART(LOG, log_other_pages, "pages"),
	PART(LOG, log_candidates, "pages"),
	PART(LOG, log_yields, "memslots"),
	PART(LOG, log_resumes, "memslots"),
	PART(LOG, log_yielded_seconds, "s"),
	PART(LOG, log_errors, "ioctls"),
	PART(LOG, log_aside_passes, "passes"),
	PART(LOG, log_stuck_pages, "pages"),
	PART(WALK, walk_tables_per_pass, "tables"),
	PART(WALK, walk_subtrees_per_pass, "subtrees"),
	PART(WALK, walk_pages_skipped_per_pass, "pages"),
	PART(WALK, walk_cleared, "entries"),
	PART(WALK, walk_restored, "entries"),
	PART(WALK, walk_holds_per_pass, "holds"),
	PART(WALK, walk_hold_mean_ns, "ns"),
	PART(WALK, walk_hold_max_ns, "ns"),
	PART(WALK, walk_contended, "holds"),
	PART(REGIONS, regions_now, "regions"),
	PART(REGIONS, regions_limit, "regions"),
	PART(REGIONS, regions_checks_per_pass, "pages"),
	PART(REGIONS, regions_max_checks, "pages"),
	PART(REGIONS, regions_aggregations, "aggregations"),
	PART(REGIONS, regions_splits, "regions"),
	PART(REGIONS, regions_merges, "regions"),
	PART(TRAP, trap_faults_per_s, "1/s"),
	PART(TRAP, trap_max_faults_per_s, "1/s"),
	PART(TRAP, trap_budget_faults_per_s, "1/s"),
	PART(TRAP, trap_reads, "faults"),
	PART(TRAP, trap_writes, "faults"),
	PART(TRAP, trap_execs, "faults"),
	PART(TRAP, trap_page_walks, "faults"),
	PART(TRAP, trap_ns_per_fault, "ns"),
	PART(TRAP, trap_max_vcpu_percent, "% of the vCPUs' time"),
	PART(TRAP, trap_budget_vcpu_percent, "% of the vCPUs' time"),
	PART(TRAP, trap_armed, "mappings"),
	PART(TRAP, trap_eligible, "mappings"),
	PART(TRAP, trap_zap_ns_per_page, "ns"),
	PART(TRAP, trap_held_passes, "passes"),
	PART(TRAP, trap_lost, "faults"),
	PART(GUEST, guest_cost_per_sample_ns, "ns"),
	PART(GUEST, guest_cost_vs_cheapest, "ratio"),
	PART(GUEST, guest_cost_per_page_vs_cheapest, "ratio"),
	PART(GUEST, guest_cpu_percent, "% of one guest CPU"),
	PART(GUEST, guest_interrupt_ns_per_sample, "ns"),
	PART(GUEST, guest_drain_ns_per_sample, "ns"),
	PART(GUEST, guest_classify_ns_per_sample, "ns"),
	PART(GUEST, guest_report_ns_per_sample, "ns"),
	PART(GUEST, guest_scan_ns_per_sample, "ns"),
	PART(GUEST, guest_flush_ns_per_sample, "ns"),
	PART(GUEST, guest_interrupts_per_s, "1/s"),
	PART(GUEST, guest_classified_share, "ratio"),
	PART(GUEST, guest_period, "events"),
	PART(GUEST, guest_dropped_queue, "samples"),
	PART(GUEST, guest_dropped_ring, "records"),
	PART(GUEST, guest_no_address, "samples"),
	PART(GUEST, guest_memory_bytes, "bytes"),
	{ NULL, NULL, 0, KX_PART_ANY },
};

void kx_row_free(KxRow *row)
{
	if (!row)
		return;
	for (const KxFigureField *f = kx_row_figures; f->key; f++)
		kx_figure_clear((KxFigure *)((char *)row + f->offset));
	g_free(row->tracker);
	g_free(row->options);
	g_free(row->mechanism);
	g_free(row);
}

/* --- the estimator --------------------------------------------------------- */

void kx_ratio_add(KxRatioSums *s, double y, double x)
{
	s->n++;
	s->y += y;
	s->x += x;
	s->y2 += y * y;
	s->x2 += x * x;
	s->xy += x * y;
}

void kx_ratio_pool(KxRatioSums *s, const KxRatioSums *other)
{
	s->n += other->n;
	s->y += other->y;
	s->x += other->x;
	s->y2 += other->y2;
	s->x2 += other->x2;
	s->xy += other->xy;
}

gboolean kx_ratio_estimate(const KxRatioSums *s, double *r, double *se)
{
	double n = (double)s->n, residuals;

	*se = NAN;
	if (!(s->x > 0))
		return FALSE;
	*r = s->y / s->x;
	if (s->n < 2)
		return TRUE;
	/* Σ(y - rx)²; rounding may leave it just below zero */
	residuals = fmax(0, s->y2 - 2 * *r * s->xy + *r * *r * s->x2);
	*se = sqrt(n / (n - 1) * residuals) / s->x;
	return TRUE;
}

double kx_t_quantile(double degrees)
{
	return gsl_cdf_tdist_Pinv(0.975, degrees);
}

/* --- figures --------------------------------------------------------------- */

KxFigure kx_figure(double value, guint64 n)
{
	return (KxFigure){ .value = value, .low = NAN, .high = NAN, .n = n };
}

KxFigure kx_unavailable(const char *reason)
{
	return (KxFigure){ .value = NAN, .low = NAN, .high = NAN, .na = g_strdup(reason) };
}

KxFigure kx_figure_copy(const KxFigure *f)
{
	KxFigure copy = *f;

	copy.na = g_strdup(f->na);
	copy.note = g_strdup(f->note);
	return copy;
}

void kx_figure_clear(KxFigure *f)
{
	g_clear_pointer(&f->na, g_free);
	g_clear_pointer(&f->note, g_free);
}

void kx_figure_void(KxFigure *f, const char *reason)
{
	kx_figure_clear(f);
	*f = kx_unavailable(reason);
}

void kx_figure_note(KxFigure *f, const char *note)
{
	g_autofree char *before = g_steal_pointer(&f->note);

	if (!f->na)
		f->note = before ? g_strdup_printf("%s; %s", before, note) : g_strdup(note);
}

/* No quantity here can be negative, so neither can the lower end. */
KxFigure kx_figure_interval(double value, double half, guint64 n)
{
	return (KxFigure){
		.value = value, .low = fmax(0, value - half), .high = value + half, .n = n
	};
}

KxFigure kx_figure_from_sums(const KxRatioSums *s, double scale, const char *no_x)
{
	double r, se;

	if (!kx_ratio_estimate(s, &r, &se))
		return kx_unavailable(no_x);
	if (isnan(se))
		return kx_figure(r * scale, s->n);
	return kx_figure_interval(r * scale, kx_t_quantile((double)s->n - 1) * se * scale, s->n);
}

/* --- one row --------------------------------------------------------------- */

static const char in_guest[] = "it runs in the guest, whose CPU time is a figure of its own";
static const char off_samples[] = "off takes no samples";
static const char gave_way[] =
	"the VMM logged its memory itself for a part of the window, which was not tracked";

static gboolean yielded(const KxWindow *w)
{
	return w->has_log && (w->log_yielded_ns || w->log_yielded_passes);
}

const char *kx_window_yielded(const KxWindow *w)
{
	return yielded(w) ? gave_way : NULL;
}

double kx_window_run_ns(const KxWindow *w)
{
	return (double)(w->duration_ns - MIN(w->paused_ns, w->duration_ns));
}

double kx_window_tracked_ns(const KxWindow *w)
{
	guint64 yielded_ns = w->has_log ? w->log_yielded_ns : 0;

	yielded_ns -= MIN(yielded_ns, w->paused_yielded_ns);
	return fmax(0, kx_window_run_ns(w) - (double)yielded_ns);
}

static void pool_free(KxPool *p)
{
	kx_row_free(p->row);
	g_ptr_array_unref(p->windows);
	g_free(p);
}

static guint parts_of(const KxWindow *w)
{
	return 1u << KX_PART_ANY | (guint)w->has_log << KX_PART_LOG |
	       (guint)w->has_walk << KX_PART_WALK | (guint)w->has_staleness << KX_PART_MISSED |
	       (guint)w->has_regions << KX_PART_REGIONS | (guint)w->has_trap << KX_PART_TRAP |
	       (guint)w->has_guest << KX_PART_GUEST | (guint)!w->truth_na << KX_PART_TRUTH;
}

static gboolean has(const KxPool *p, KxPart part)
{
	return (p->row->parts & 1u << part) != 0;
}

static void pool_add(KxPool *p, KxWindow *w)
{
	KxRatioSums cost = { w->est_n,	   w->est_cost,	    w->est_samples,
			     w->est_cost2, w->est_samples2, w->est_cross };
	double ns = kx_window_tracked_ns(w);

	g_ptr_array_add(p->windows, w);
	p->row->parts |= parts_of(w);
	p->row->windows++;
	p->row->seconds += ns / KX_NS_PER_S;
	p->paused_ns += (double)w->paused_ns;
	p->paused_na = w->paused_na ? w->paused_na : p->paused_na;
	p->row->paused_for = w->paused_for ? w->paused_for : p->row->paused_for;
	if (w->has_module) {
		p->module = TRUE;
		p->ns += ns;
		p->passes += w->passes;
		p->samples += w->samples;
		p->lost += w->lost_samples;
		kx_ratio_pool(&p->cost, &cost);
	}
	/* What the VM shows cannot be told apart by who caused it. */
	if (w->exits_na || yielded(w))
		p->exits_na = w->exits_na ? w->exits_na : gave_way;
	else if (ns >= KX_RATE_MIN_NS)
		kx_ratio_add(&p->exits, (double)w->exits, ns / KX_NS_PER_S);
	if (w->work_na || yielded(w))
		p->work_na = w->work_na ? w->work_na : gave_way;
	else if (w->work_ns >= KX_RATE_MIN_NS)
		kx_ratio_add(&p->work, w->work, w->work_ns / KX_NS_PER_S);
}

static KxPool *pool_for(GPtrArray *pools, const KxWindow *w)
{
	const char *mechanism = kx_window_mechanism(w);
	KxPool *p;

	for (guint i = 0; i < pools->len; i++) {
		p = pools->pdata[i];
		if (g_str_equal(p->row->tracker, w->tracker) &&
		    g_str_equal(p->row->options, w->options) &&
		    g_strcmp0(p->row->mechanism, mechanism) == 0)
			return p;
	}
	p = g_new0(KxPool, 1);
	p->windows = g_ptr_array_new();
	p->row = g_new0(KxRow, 1);
	p->row->tracker = g_strdup(w->tracker);
	p->row->options = g_strdup(w->options);
	p->row->mechanism = g_strdup(mechanism);
	p->row->staleness = w->has_staleness;
	p->row->missed_by = pools->len;
	p->off = g_str_equal(w->tracker, "off");
	g_ptr_array_add(pools, p);
	return p;
}

/* Why nothing of the module's account can be said; NULL if it can. */
static const char *no_account(const KxPool *p)
{
	if (p->off)
		return off_samples;
	return p->module ? NULL : "the module gave no figures";
}

static gboolean gave_way_all_the_time(const KxPool *p)
{
	gboolean any = FALSE;

	for (guint i = 0; i < p->windows->len; i++)
		any |= yielded(p->windows->pdata[i]);
	return any && !p->passes;
}

const char *kx_pool_no_passes(const KxPool *p)
{
	const char *why = no_account(p);

	if (why || p->passes)
		return why;
	return gave_way_all_the_time(p) ? "no pass was completed while the log was not the VMM's"
	       : p->paused_ns > 0	? "no pass was completed while the VM ran"
					: "no pass was completed";
}

static const char *brief_ran(const KxPool *p)
{
	return p->paused_ns > 0 ? "the VM ran for less than 10 ms of the time"
				: "tracked for less than 10 ms";
}

const char *kx_pool_brief(const KxPool *p)
{
	return p->ns < KX_RATE_MIN_NS ? brief_ran(p) : NULL;
}

/* Nothing found because nothing was looked at is not 0. */
static const char *no_counts(const KxPool *p)
{
	const char *why = no_account(p);

	if (why || p->passes || !(gave_way_all_the_time(p) || p->paused_ns > 0))
		return why;
	return kx_pool_no_passes(p);
}

/* Why a sample has no price; NULL: it has one. */
static const char *no_cost(const KxPool *p)
{
	const char *why = kx_pool_no_passes(p);

	if (why)
		return why;
	return p->cost.n == 0	  ? "no record of a pass was received"
	       : !(p->cost.x > 0) ? "no page was found accessed"
	       : p->cost.n < 2	  ? "only one pass"
				  : NULL;
}

/* The drain is not known per pass, but what it took in all. */
static double drain_per_sample(const KxPool *p)
{
	double drain = 0;

	for (guint i = 0; i < p->windows->len; i++)
		drain += (double)((KxWindow *)p->windows->pdata[i])->drain_cpu_ns;
	return drain / p->cost.x;
}

static void cost_figures(KxPool *p)
{
	KxRow *row = p->row;
	const char *why = no_cost(p);
	double drain;

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
	row->cost_per_sample_ns = kx_figure_from_sums(&p->cost, 1, "");
	/* Its mean share shifts value and interval alike. */
	row->total_cost_per_sample_ns = row->cost_per_sample_ns;
	row->total_cost_per_sample_ns.value += drain;
	row->total_cost_per_sample_ns.low += drain;
	row->total_cost_per_sample_ns.high += drain;
}

void kx_guest_cost(KxPool *p)
{
	const char *why = no_cost(p);

	p->row->guest_cost_per_sample_ns =
		why ? kx_unavailable(why) : kx_figure_from_sums(&p->cost, 1, "");
}

double kx_pool_total(const KxPool *p, gsize has_offset, gsize offset, gssize na_offset)
{
	double sum = 0;

	for (guint i = 0; i < p->windows->len; i++) {
		const char *w = p->windows->pdata[i];

		if (*(const gboolean *)(w + has_offset) &&
		    !(na_offset >= 0 && *(char *const *)(w + na_offset)))
			sum += (double)*(const guint64 *)(w + offset);
	}
	return sum;
}

const KxWindow *kx_pool_last(const KxPool *p, gsize has_offset)
{
	const char *last = NULL;

	for (guint i = 0; i < p->windows->len; i++) {
		const char *w = p->windows->pdata[i];

		if (*(const gboolean *)(w + has_offset))
			last = w;
	}
	return (const KxWindow *)last;
}

/* Sum of a module counter over the windows that have it. */
static double total(const KxPool *p, gsize offset)
{
	return kx_pool_total(p, G_STRUCT_OFFSET(KxWindow, has_module), offset, -1);
}
#define TOTAL(p, member) total(p, G_STRUCT_OFFSET(KxWindow, member))

static KxFigure pages_per_sample(const KxPool *p)
{
	const char *why = kx_pool_no_passes(p);

	if (!why && !p->samples)
		why = "no page was found accessed";
	return why ? kx_unavailable(why)
		   : kx_figure(TOTAL(p, sample_pages) / (double)p->samples, p->samples);
}

static void count_figures(KxPool *p)
{
	KxRow *row = p->row;
	const char *why = no_counts(p);
	const char *short_why = why ? why : kx_pool_brief(p);

	row->passes = no_account(p) ? kx_unavailable(no_account(p))
				    : kx_figure((double)p->passes, p->row->windows);
	row->samples = why ? kx_unavailable(why) : kx_figure((double)p->samples, p->passes);
	row->pages_per_sample = pages_per_sample(p);
	row->lost_samples = why ? kx_unavailable(why) : kx_figure((double)p->lost, p->samples);
	row->samples_per_s =
		short_why ? kx_unavailable(short_why)
			  : kx_figure((double)p->samples * KX_NS_PER_S / p->ns, p->samples);
}

/* What is known of it, and a word if that may not be all. */
static void paused_figures(KxPool *p)
{
	KxRow *row = p->row;

	row->paused_seconds = p->paused_na && !(p->paused_ns > 0)
				      ? kx_unavailable(p->paused_na)
				      : kx_figure(p->paused_ns / KX_NS_PER_S, row->windows);
	row->paused_passes = no_account(p) ? kx_unavailable(no_account(p))
					   : kx_figure(TOTAL(p, paused_passes), row->windows);
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

		if (!w->has_module)
			continue;
		requested = w->interval_ns;
		p99 = fmax(p99, (double)w->pass_ns_p99);
		if (yielded(w)) {
			no_interval = gave_way;
		} else if (w->paused_passes) {
			between += (double)w->between_ns;
			intervals += (double)w->between_n;
		} else if (w->passes > 1) {
			between += (double)(w->last_start_ns - w->first_start_ns);
			intervals += (double)(w->passes - 1);
		}
	}
	row->pass_mean_ns = kx_figure(TOTAL(p, pass_ns_sum) / (double)p->passes, p->passes);
	/* Quantiles do not pool; the largest of the windows' is an upper bound. */
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

const char *kx_pool_no_pages(const KxPool *p)
{
	const char *why = kx_pool_no_passes(p);

	if (!why && has(p, KX_PART_REGIONS))
		why = "regions: one page stands for all of its region";
	return why;
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
		has(p, KX_PART_TRAP) ? kx_unavailable("a trap looks at no page")
		: has(p, KX_PART_GUEST) && !(TOTAL(p, pages_scanned) > 0)
			? kx_unavailable("events are sampled, no page is looked at")
			: kx_figure(TOTAL(p, pages_scanned) / (double)p->passes, p->passes);
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

		drain += w->has_module ? (double)w->drain_cpu_ns : 0;
	}
	/* The sampler's time is the guest's, and has a figure of its own. */
	row->cpu_percent = kx_figure(
		((has(p, KX_PART_GUEST) ? 0 : TOTAL(p, cpu_ns)) + drain) * 100 / p->ns, p->passes);
	row->flushes_per_s =
		kx_figure(TOTAL(p, flushes) * KX_NS_PER_S / p->ns, (guint64)TOTAL(p, flushes));
	row->flush_ipis_per_s = kx_figure(TOTAL(p, flush_ipis) * KX_NS_PER_S / p->ns,
					  (guint64)TOTAL(p, flush_ipis));
}

/* A counter of the VM against the time in which it ran, over the windows where it was read. */
static KxFigure vm_rate(const KxPool *p, gsize value_offset, gsize na_offset, double scale)
{
	KxRatioSums s = { 0 };
	const char *why = brief_ran(p);

	for (guint i = 0; i < p->windows->len; i++) {
		const char *w = p->windows->pdata[i];
		const char *na = *(char *const *)(w + na_offset);
		double ns = kx_window_run_ns((const KxWindow *)w);

		if (na || yielded((const KxWindow *)w))
			why = na ? na : gave_way;
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
		kx_figure_from_sums(&p->exits, 1, p->exits_na ? p->exits_na : brief_ran(p));
	p->row->work_per_s = kx_figure_from_sums(
		&p->work, 1, p->work_na ? p->work_na : "the workload log covers less than 10 ms");
	p->row->kvm_flushes_per_s =
		VM_RATE(p, remote_tlb_flushes, remote_tlb_flushes_na, KX_NS_PER_S);
	p->row->vcpu_run_percent = VM_RATE(p, vcpu_run_ns, vcpu_run_na, 100);
	p->row->vcpu_steal_percent = VM_RATE(p, vcpu_steal_ns, vcpu_steal_na, 100);
}

/* --- all rows -------------------------------------------------------------- */

/* What the control takes cannot be told from what the policy under test takes. */
static void void_costs(KxRow *row)
{
	static const char why[] = "measured with staleness, whose control flushes after each page";
	KxFigure *const costs[] = {
		&row->cost_per_sample_ns, &row->total_cost_per_sample_ns,
		&row->pass_mean_ns,	  &row->pass_p99_ns,
		&row->cpu_percent,	  &row->flushes_per_s,
		&row->flush_ipis_per_s,	  &row->kvm_flushes_per_s,
		&row->exits_per_s,	  &row->vcpu_run_percent,
		&row->vcpu_steal_percent, &row->work_per_s,
	};

	for (guint i = 0; i < G_N_ELEMENTS(costs); i++)
		kx_figure_void(costs[i], why);
	kx_figure_void(
		&row->interval_achieved_ns,
		"with staleness an interval is from the end of a pass to the start of the next");
}

GPtrArray *kx_vm_rows(const KxVmReport *v)
{
	g_autoptr(GPtrArray) pools = g_ptr_array_new_with_free_func((GDestroyNotify)pool_free);
	GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)kx_row_free);

	for (guint i = 0; i < v->windows->len; i++) {
		KxWindow *w = v->windows->pdata[i];

		pool_add(pool_for(pools, w), w);
	}
	for (guint i = 0; i < pools->len; i++) {
		KxPool *p = pools->pdata[i];

		paused_figures(p);
		cost_figures(p);
		count_figures(p);
		pass_figures(p);
		page_figures(p);
		load_figures(p);
		vm_figures(p);
		kx_truth_figures(p);
		kx_part_figures(p);
		if (p->row->staleness)
			void_costs(p->row);
	}
	kx_lend_missed(pools);
	kx_compare_figures(pools);
	kx_note_figures(pools, v);
	for (guint i = 0; i < pools->len; i++) {
		kx_note_truth(((KxPool *)pools->pdata[i])->row);
		g_ptr_array_add(rows, g_steal_pointer(&((KxPool *)pools->pdata[i])->row));
	}
	return rows;
}

/* --- what goes with the rows ----------------------------------------------- */

const char *kx_window_mechanism(const KxWindow *w)
{
	return w->has_log ? w->log_mechanism : w->has_guest ? w->guest_event : NULL;
}

char *kx_tracker_label(const char *tracker, const char *mechanism)
{
	if (!mechanism || g_str_equal(mechanism, "unknown"))
		return g_strdup(tracker);
	return g_strdup_printf("%s (%s)", tracker, mechanism);
}

char *kx_row_label(const GPtrArray *rows, guint index)
{
	const KxRow *row = rows->pdata[index];
	g_autofree char *name = kx_tracker_label(row->tracker, row->mechanism);
	guint same = 0, before = 0;

	for (guint i = 0; i < rows->len; i++) {
		if (!g_str_equal(((const KxRow *)rows->pdata[i])->tracker, row->tracker))
			continue;
		same++;
		before += i < index;
	}
	return same == 1 ? g_steal_pointer(&name) : g_strdup_printf("%s #%u", name, before + 1);
}
