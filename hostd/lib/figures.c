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
#include "report-internal.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

#define NS_PER_S    1e9
#define RATE_MIN_NS 10000000.0 /* rates over less than 10 ms say nothing */

#define ROW(figure, unit)                                     \
	{                                                     \
#figure, unit, G_STRUCT_OFFSET(KxRow, figure) \
	}

const KxFigureField kx_row_figures[] = {
	ROW(cost_per_sample_ns, "ns"),
	ROW(total_cost_per_sample_ns, "ns"),
	ROW(cost_vs_cheapest, "ratio"),
	ROW(passes, "passes"),
	ROW(samples, "samples"),
	ROW(samples_per_s, "1/s"),
	ROW(pages_per_sample, "pages"),
	ROW(pages_found, "pages"),
	ROW(pages_total, "pages"),
	ROW(recall, "ratio"),
	ROW(precision, "ratio"),
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
	ROW(log_enable_ns_per_page, "ns"),
	ROW(log_arm_ns_per_page, "ns"),
	ROW(log_harvest_ns_per_page, "ns"),
	ROW(log_harvest_ns_per_dirty, "ns"),
	ROW(log_clear_ns_per_dirty, "ns"),
	ROW(log_disable_ns_per_page, "ns"),
	ROW(pml_full_per_s, "1/s"),
	ROW(log_vmm_pages, "pages"),
	ROW(log_other_pages, "pages"),
	ROW(log_candidates, "pages"),
	ROW(log_yields, "memslots"),
	ROW(log_resumes, "memslots"),
	ROW(log_yielded_seconds, "s"),
	ROW(log_errors, "ioctls"),
	{ NULL, NULL, 0 },
};

void kx_row_free(KxRow *row)
{
	if (!row)
		return;
	for (const KxFigureField *f = kx_row_figures; f->key; f++)
		g_free(((KxFigure *)((char *)row + f->offset))->na);
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

static KxFigure figure(double value, guint64 n)
{
	return (KxFigure){ .value = value, .low = NAN, .high = NAN, .n = n };
}

static KxFigure unavailable(const char *reason)
{
	return (KxFigure){ .value = NAN, .low = NAN, .high = NAN, .na = g_strdup(reason) };
}

/* No quantity here can be negative, so neither can the lower end. */
static KxFigure with_interval(double value, double half, guint64 n)
{
	return (KxFigure){
		.value = value, .low = fmax(0, value - half), .high = value + half, .n = n
	};
}

static KxFigure from_sums(const KxRatioSums *s, double scale, const char *no_x)
{
	double r, se;

	if (!kx_ratio_estimate(s, &r, &se))
		return unavailable(no_x);
	if (isnan(se))
		return figure(r * scale, s->n);
	return with_interval(r * scale, kx_t_quantile((double)s->n - 1) * se * scale, s->n);
}

/*
 * Quotient of two independent ratio estimates: relative variances add, degrees
 * of freedom after Welch and Satterthwaite.
 */
static KxFigure quotient(const KxRatioSums *num, const KxRatioSums *den)
{
	double a, b, se_a, se_b, va, vb, q, degrees;

	if (!kx_ratio_estimate(num, &a, &se_a) || !kx_ratio_estimate(den, &b, &se_b) || b <= 0)
		return unavailable("nothing was measured to compare");
	q = a / b;
	if (isnan(se_a) || isnan(se_b))
		return figure(q, num->n);
	va = a > 0 ? (se_a / a) * (se_a / a) : 0;
	vb = (se_b / b) * (se_b / b);
	if (va + vb <= 0)
		return with_interval(q, 0, num->n);
	degrees = (va + vb) * (va + vb) /
		  (va * va / (double)(num->n - 1) + vb * vb / (double)(den->n - 1));
	return with_interval(q, kx_t_quantile(degrees) * q * sqrt(va + vb), num->n);
}

/* --- one row --------------------------------------------------------------- */

/* What a row's windows add up to. */
typedef struct {
	KxRow *row;
	GPtrArray *windows; /* KxWindow, not owned */
	gboolean off, module;
	double ns; /* time with module figures, without what was yielded */
	guint64 passes, samples, lost;
	KxRatioSums cost, exits, work;
	const char *exits_na, *work_na;
} Pool;

static const char off_samples[] = "off takes no samples";
static const char gave_way[] =
	"the VMM logged its memory itself for a part of the window, which was not tracked";

static gboolean yielded(const KxWindow *w)
{
	return w->has_log && (w->log_yielded_ns || w->log_yielded_passes);
}

/* Time in which the tracker was at work. */
static double tracked_ns(const KxWindow *w)
{
	guint64 away = w->has_log ? MIN(w->log_yielded_ns, w->duration_ns) : 0;

	return (double)(w->duration_ns - away);
}

static void pool_free(Pool *p)
{
	kx_row_free(p->row);
	g_ptr_array_unref(p->windows);
	g_free(p);
}

static void pool_add(Pool *p, KxWindow *w)
{
	KxRatioSums cost = { w->est_n,	   w->est_cost,	    w->est_samples,
			     w->est_cost2, w->est_samples2, w->est_cross };
	double ns = tracked_ns(w);

	g_ptr_array_add(p->windows, w);
	p->row->windows++;
	p->row->seconds += ns / NS_PER_S;
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
	else if (ns >= RATE_MIN_NS)
		kx_ratio_add(&p->exits, (double)w->exits, ns / NS_PER_S);
	if (w->work_na || yielded(w))
		p->work_na = w->work_na ? w->work_na : gave_way;
	else if (w->work_ns >= RATE_MIN_NS)
		kx_ratio_add(&p->work, w->work, w->work_ns / NS_PER_S);
}

static Pool *pool_for(GPtrArray *pools, const KxWindow *w)
{
	const char *mechanism = w->has_log ? w->log_mechanism : NULL;
	Pool *p;

	for (guint i = 0; i < pools->len; i++) {
		p = pools->pdata[i];
		if (g_str_equal(p->row->tracker, w->tracker) &&
		    g_str_equal(p->row->options, w->options) &&
		    g_strcmp0(p->row->mechanism, mechanism) == 0)
			return p;
	}
	p = g_new0(Pool, 1);
	p->windows = g_ptr_array_new();
	p->row = g_new0(KxRow, 1);
	p->row->tracker = g_strdup(w->tracker);
	p->row->options = g_strdup(w->options);
	p->row->mechanism = g_strdup(mechanism);
	p->off = g_str_equal(w->tracker, "off");
	g_ptr_array_add(pools, p);
	return p;
}

/* Why nothing of the module's account can be said; NULL if it can. */
static const char *no_account(const Pool *p)
{
	if (p->off)
		return off_samples;
	return p->module ? NULL : "the module gave no figures";
}

static gboolean gave_way_all_the_time(const Pool *p)
{
	gboolean any = FALSE;

	for (guint i = 0; i < p->windows->len; i++)
		any |= yielded(p->windows->pdata[i]);
	return any && !p->passes;
}

static const char *no_passes(const Pool *p)
{
	const char *why = no_account(p);

	if (why || p->passes)
		return why;
	return gave_way_all_the_time(p) ? "no pass was completed while the log was not the VMM's"
					: "no pass was completed";
}

/* Nothing found because nothing was looked at is not 0. */
static const char *no_counts(const Pool *p)
{
	const char *why = no_account(p);

	return why || !gave_way_all_the_time(p) ? why : no_passes(p);
}

static void cost_figures(Pool *p)
{
	KxRow *row = p->row;
	const char *why = no_passes(p);
	double drain = 0;

	if (!why && p->cost.n == 0)
		why = "no record of a pass was received";
	if (!why && !(p->cost.x > 0))
		why = "no page was found accessed";
	if (!why && p->cost.n < 2)
		why = "only one pass";
	if (why) {
		row->cost_per_sample_ns = unavailable(why);
		row->total_cost_per_sample_ns = unavailable(why);
		return;
	}
	row->cost_per_sample_ns = from_sums(&p->cost, 1, "");
	/* The drain is not known per pass; its mean share shifts value and interval alike. */
	for (guint i = 0; i < p->windows->len; i++)
		drain += (double)((KxWindow *)p->windows->pdata[i])->drain_cpu_ns;
	drain /= p->cost.x;
	row->total_cost_per_sample_ns = row->cost_per_sample_ns;
	row->total_cost_per_sample_ns.value += drain;
	row->total_cost_per_sample_ns.low += drain;
	row->total_cost_per_sample_ns.high += drain;
}

/* Sum of a module counter over the windows that have it. */
static double total(const Pool *p, gsize offset)
{
	double sum = 0;

	for (guint i = 0; i < p->windows->len; i++) {
		const char *w = p->windows->pdata[i];

		if (((const KxWindow *)w)->has_module)
			sum += (double)*(const guint64 *)(w + offset);
	}
	return sum;
}
#define TOTAL(p, member) total(p, G_STRUCT_OFFSET(KxWindow, member))

static KxFigure pages_per_sample(const Pool *p)
{
	const char *why = no_passes(p);

	if (!why && !p->samples)
		why = "no page was found accessed";
	return why ? unavailable(why)
		   : figure(TOTAL(p, sample_pages) / (double)p->samples, p->samples);
}

static void count_figures(Pool *p)
{
	KxRow *row = p->row;
	const char *why = no_counts(p);
	const char *short_why = why		      ? why
				: p->ns < RATE_MIN_NS ? "tracked for less than 10 ms"
						      : NULL;

	row->passes = no_account(p) ? unavailable(no_account(p))
				    : figure((double)p->passes, p->row->windows);
	row->samples = why ? unavailable(why) : figure((double)p->samples, p->passes);
	row->pages_per_sample = pages_per_sample(p);
	row->lost_samples = why ? unavailable(why) : figure((double)p->lost, p->samples);
	row->samples_per_s = short_why ? unavailable(short_why)
				       : figure((double)p->samples * NS_PER_S / p->ns, p->samples);
}

static void pass_figures(Pool *p)
{
	KxRow *row = p->row;
	const char *why = no_passes(p);
	double between = 0, intervals = 0, p99 = 0;
	const char *no_interval = "only one pass";
	guint64 requested = 0;

	if (why) {
		row->interval_requested_ns = unavailable(why);
		row->interval_achieved_ns = unavailable(why);
		row->pass_mean_ns = unavailable(why);
		row->pass_p99_ns = unavailable(why);
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
		} else if (w->passes > 1) {
			between += (double)(w->last_start_ns - w->first_start_ns);
			intervals += (double)(w->passes - 1);
		}
	}
	row->pass_mean_ns = figure(TOTAL(p, pass_ns_sum) / (double)p->passes, p->passes);
	/* Quantiles do not pool; the largest of the windows' is an upper bound. */
	row->pass_p99_ns = figure(p99, p->passes);
	if (!requested) {
		row->interval_requested_ns = unavailable("passes ran on request only");
		row->interval_achieved_ns = unavailable("passes ran on request only");
		return;
	}
	row->interval_requested_ns = figure((double)requested, p->row->windows);
	row->interval_achieved_ns = intervals > 0 ? figure(between / intervals, (guint64)intervals)
						  : unavailable(no_interval);
}

static void page_figures(Pool *p)
{
	const char *why = no_passes(p);
	double found = 0;

	if (why) {
		p->row->pages_found = unavailable(why);
		p->row->pages_total = unavailable(why);
		return;
	}
	for (guint i = 0; i < p->windows->len; i++)
		found += (double)((KxWindow *)p->windows->pdata[i])->found_pages;
	p->row->pages_found = figure(found / p->windows->len, p->windows->len);
	p->row->pages_total = figure(TOTAL(p, pages_scanned) / (double)p->passes, p->passes);
}

static void load_figures(Pool *p)
{
	KxRow *row = p->row;
	const char *why = !p->module		? "the module gave no figures"
			  : p->ns < RATE_MIN_NS ? "tracked for less than 10 ms"
						: NULL;
	double drain = 0;

	if (why) {
		row->cpu_percent = unavailable(why);
		row->flushes_per_s = unavailable(why);
		row->flush_ipis_per_s = unavailable(why);
		return;
	}
	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];

		drain += w->has_module ? (double)w->drain_cpu_ns : 0;
	}
	row->cpu_percent = figure((TOTAL(p, cpu_ns) + drain) * 100 / p->ns, p->passes);
	row->flushes_per_s =
		figure(TOTAL(p, flushes) * NS_PER_S / p->ns, (guint64)TOTAL(p, flushes));
	row->flush_ipis_per_s =
		figure(TOTAL(p, flush_ipis) * NS_PER_S / p->ns, (guint64)TOTAL(p, flush_ipis));
}

/* A counter of the VM against wall time, over the windows where it was read. */
static KxFigure vm_rate(const Pool *p, gsize value_offset, gsize na_offset, double scale)
{
	KxRatioSums s = { 0 };
	const char *why = "tracked for less than 10 ms";

	for (guint i = 0; i < p->windows->len; i++) {
		const char *w = p->windows->pdata[i];
		const char *na = *(char *const *)(w + na_offset);
		double ns = (double)((const KxWindow *)w)->duration_ns;

		if (na || yielded((const KxWindow *)w))
			why = na ? na : gave_way;
		else if (ns >= RATE_MIN_NS)
			kx_ratio_add(&s, (double)*(const guint64 *)(w + value_offset), ns);
	}
	return from_sums(&s, scale, why);
}
#define VM_RATE(p, member, na, scale) \
	vm_rate(p, G_STRUCT_OFFSET(KxWindow, member), G_STRUCT_OFFSET(KxWindow, na), scale)

static void vm_figures(Pool *p)
{
	static const char brief[] = "tracked for less than 10 ms";

	p->row->exits_per_s = from_sums(&p->exits, 1, p->exits_na ? p->exits_na : brief);
	p->row->work_per_s = from_sums(
		&p->work, 1, p->work_na ? p->work_na : "the workload log covers less than 10 ms");
	p->row->kvm_flushes_per_s = VM_RATE(p, remote_tlb_flushes, remote_tlb_flushes_na, NS_PER_S);
	p->row->vcpu_run_percent = VM_RATE(p, vcpu_run_ns, vcpu_run_na, 100);
	p->row->vcpu_steal_percent = VM_RATE(p, vcpu_steal_ns, vcpu_steal_na, 100);
}

static KxFigure share(guint64 part, guint64 whole, const char *why, const char *if_none)
{
	if (whole)
		return figure((double)part / (double)whole, whole);
	return unavailable(why ? why : if_none);
}

static void truth_figures(Pool *p)
{
	guint64 touched = 0, hit = 0, found = 0, right = 0;
	const char *recall_na = NULL, *precision_na = NULL;

	if (no_passes(p)) {
		p->row->recall = unavailable(no_passes(p));
		p->row->precision = unavailable(no_passes(p));
		return;
	}
	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];

		if (w->truth_na || yielded(w)) {
			recall_na = precision_na = w->truth_na ? w->truth_na : gave_way;
			continue;
		}
		touched += w->truth_touched;
		hit += w->truth_hit;
		if (w->precision_na) {
			precision_na = w->precision_na;
			continue;
		}
		found += w->truth_found;
		right += w->truth_true;
	}
	p->row->recall = share(hit, touched, recall_na,
			       "no valid epoch of the workload lies inside a window");
	p->row->precision =
		share(right, found, precision_na, "no page of the workload's arena was found");
}

/* --- the dirty log --------------------------------------------------------- */

static double log_total(const Pool *p, gsize offset, gsize na_offset)
{
	double sum = 0;

	for (guint i = 0; i < p->windows->len; i++) {
		const char *w = p->windows->pdata[i];

		if (((const KxWindow *)w)->has_log &&
		    !(na_offset && *(char *const *)(w + na_offset)))
			sum += (double)*(const guint64 *)(w + offset);
	}
	return sum;
}
#define LOG(member) log_total(p, G_STRUCT_OFFSET(KxWindow, member), 0)
#define LOG_NA(member, na) \
	log_total(p, G_STRUCT_OFFSET(KxWindow, member), G_STRUCT_OFFSET(KxWindow, na))

static KxFigure per_page(double ns, double pages, const char *if_none)
{
	return pages > 0 ? figure(ns / pages, (guint64)pages) : unavailable(if_none);
}

static const char *why_not_disabled(const Pool *p)
{
	for (guint i = p->windows->len; i-- > 0;) {
		const KxWindow *w = p->windows->pdata[i];

		if (w->has_log && w->log_disable_na)
			return w->log_disable_na;
	}
	return "no memslot was left to switch off";
}

static const KxWindow *last_log(const Pool *p)
{
	const KxWindow *last = NULL;

	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];

		if (w->has_log)
			last = w;
	}
	return last;
}

static int last_errno(const Pool *p)
{
	int err = 0;

	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];

		if (w->has_log && w->log_errors)
			err = (int)w->log_last_errno;
	}
	return err;
}

static KxFigure pml_full(const Pool *p)
{
	if (g_strcmp0(p->row->mechanism, "pml") != 0)
		return unavailable("the mechanism is not PML");
	if (p->ns < RATE_MIN_NS)
		return unavailable("tracked for less than 10 ms");
	return figure(LOG(pml_full_exits) * NS_PER_S / p->ns, (guint64)LOG(pml_full_exits));
}

static const gsize log_figures[] = {
	G_STRUCT_OFFSET(KxRow, log_enable_ns_per_page),
	G_STRUCT_OFFSET(KxRow, log_arm_ns_per_page),
	G_STRUCT_OFFSET(KxRow, log_disable_ns_per_page),
	G_STRUCT_OFFSET(KxRow, log_harvest_ns_per_page),
	G_STRUCT_OFFSET(KxRow, log_harvest_ns_per_dirty),
	G_STRUCT_OFFSET(KxRow, log_clear_ns_per_dirty),
	G_STRUCT_OFFSET(KxRow, pml_full_per_s),
	G_STRUCT_OFFSET(KxRow, log_vmm_pages),
	G_STRUCT_OFFSET(KxRow, log_other_pages),
	G_STRUCT_OFFSET(KxRow, log_yields),
	G_STRUCT_OFFSET(KxRow, log_resumes),
	G_STRUCT_OFFSET(KxRow, log_yielded_seconds),
	G_STRUCT_OFFSET(KxRow, log_candidates),
	G_STRUCT_OFFSET(KxRow, log_errors),
};

static void no_log(KxRow *row)
{
	for (guint i = 0; i < G_N_ELEMENTS(log_figures); i++)
		*(KxFigure *)((char *)row + log_figures[i]) =
			unavailable("the tracker does not use the dirty log");
}

static void log_costs(Pool *p)
{
	KxRow *row = p->row;

	row->log_enable_ns_per_page =
		per_page(LOG(log_enable_ns), LOG(log_enable_pages), "no memslot was switched on");
	row->log_arm_ns_per_page = per_page(LOG(log_arm_ns), LOG(log_arm_pages),
					    "the log does not start all set, or nothing was armed");
	row->log_harvest_ns_per_page =
		per_page(LOG(log_harvest_ns), LOG(log_harvest_pages), "the log was not read");
	row->log_harvest_ns_per_dirty =
		per_page(LOG(log_harvest_ns), LOG(log_dirty_pages), "no page was found written");
	row->log_clear_ns_per_dirty = per_page(LOG(log_clear_ns), LOG(log_clear_pages),
					       g_strcmp0(last_log(p)->log_mode, "plain") == 0
						       ? "reading the log clears it, too"
						       : "no page was cleared");
	row->log_disable_ns_per_page =
		per_page(LOG_NA(log_disable_ns, log_disable_na),
			 LOG_NA(log_disable_pages, log_disable_na), why_not_disabled(p));
}

static void log_figures_of(Pool *p)
{
	KxRow *row = p->row;
	const KxWindow *last = last_log(p);

	if (!last) {
		no_log(row);
		return;
	}
	log_costs(p);
	row->pml_full_per_s = pml_full(p);
	row->log_vmm_pages = figure((double)last->log_vmm_pages, 1);
	row->log_other_pages = figure((double)last->log_other_pages, 1);
	row->log_candidates = g_str_equal(row->tracker, "pml-abit")
				      ? figure((double)last->log_candidates, 1)
				      : unavailable("only pml-abit watches candidates");
	row->log_yields = figure(LOG(log_yields), row->windows);
	row->log_resumes = figure(LOG(log_resumes), row->windows);
	row->log_errors = figure(LOG(log_errors), row->windows);
	row->log_last_errno = last_errno(p);
	row->log_yielded_seconds = figure(LOG(log_yielded_ns) / NS_PER_S, row->windows);
}

/* --- against other rows ---------------------------------------------------- */

static KxFigure against_off(const KxFigure *own, const KxRatioSums *num, const KxRatioSums *off,
			    gboolean have_off, const char *off_na, gboolean is_off)
{
	if (own->na)
		return unavailable(own->na);
	if (is_off)
		return figure(1, num->n);
	if (!have_off)
		return unavailable("no off window to compare with");
	if (!(off->x > 0))
		return unavailable(off_na ? off_na
					  : "the off windows are too short to compare with");
	if (!(off->y > 0))
		return unavailable("the off windows counted none to compare with");
	return quotient(num, off);
}

static void compare_with_off(GPtrArray *pools)
{
	KxRatioSums exits = { 0 }, work = { 0 };
	const char *exits_na = NULL, *work_na = NULL;
	gboolean have_off = FALSE;

	for (guint i = 0; i < pools->len; i++) {
		const Pool *p = pools->pdata[i];

		if (!p->off)
			continue;
		have_off = TRUE;
		kx_ratio_pool(&exits, &p->exits);
		kx_ratio_pool(&work, &p->work);
		exits_na = p->exits_na;
		work_na = p->work_na;
	}
	for (guint i = 0; i < pools->len; i++) {
		Pool *p = pools->pdata[i];

		p->row->exits_vs_off = against_off(&p->row->exits_per_s, &p->exits, &exits,
						   have_off, exits_na, p->off);
		p->row->work_vs_off = against_off(&p->row->work_per_s, &p->work, &work, have_off,
						  work_na, p->off);
	}
}

static void compare_costs(GPtrArray *pools)
{
	const Pool *cheapest = NULL;

	for (guint i = 0; i < pools->len; i++) {
		const Pool *p = pools->pdata[i];

		if (!p->row->cost_per_sample_ns.na && p->row->cost_per_sample_ns.value > 0 &&
		    (!cheapest ||
		     p->row->cost_per_sample_ns.value < cheapest->row->cost_per_sample_ns.value))
			cheapest = p;
	}
	for (guint i = 0; i < pools->len; i++) {
		Pool *p = pools->pdata[i];
		const KxFigure *cost = &p->row->cost_per_sample_ns;

		if (cost->na)
			p->row->cost_vs_cheapest = unavailable(cost->na);
		else if (!cheapest)
			p->row->cost_vs_cheapest =
				unavailable("no tracker used measurable CPU time");
		else if (p == cheapest)
			p->row->cost_vs_cheapest = figure(1, cost->n);
		else
			p->row->cost_vs_cheapest = quotient(&p->cost, &cheapest->cost);
	}
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
		Pool *p = pools->pdata[i];

		cost_figures(p);
		count_figures(p);
		pass_figures(p);
		page_figures(p);
		load_figures(p);
		vm_figures(p);
		truth_figures(p);
		log_figures_of(p);
	}
	compare_with_off(pools);
	compare_costs(pools);
	for (guint i = 0; i < pools->len; i++)
		g_ptr_array_add(rows, g_steal_pointer(&((Pool *)pools->pdata[i])->row));
	return rows;
}

/* --- what goes with the rows ----------------------------------------------- */

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

static void note_candidates(GPtrArray *notes, const char *label, const KxRow *row)
{
	if (row->log_candidates.na)
		return;
	g_ptr_array_add(notes,
			g_strdup_printf("%s misses pages that are only read: it tests accessed "
					"bits of those pages alone that the dirty log has "
					"named, at last %.0f pages.",
					label, row->log_candidates.value));
}

static void note_untracked(GPtrArray *notes, const char *label, const KxRow *row)
{
	if (row->log_vmm_pages.value > 0)
		g_ptr_array_add(notes,
				g_strdup_printf("%s: %.0f pages were not tracked at the end, for "
						"the VMM logs them itself.",
						label, row->log_vmm_pages.value));
	if (row->log_other_pages.value > 0)
		g_ptr_array_add(notes,
				g_strdup_printf("%s: %.0f pages were not tracked, for KVM keeps "
						"no log of their memslots.",
						label, row->log_other_pages.value));
	if (row->log_errors.value > 0)
		g_ptr_array_add(notes,
				g_strdup_printf("%s: KVM refused %.0f of the tracker's own ioctls, "
						"the last with: %s.",
						label, row->log_errors.value,
						g_strerror(row->log_last_errno)));
	if (row->log_yielded_seconds.value > 0)
		g_ptr_array_add(notes,
				g_strdup_printf("%s: yielded for %.3f s, in which the VMM logged "
						"its memory; that time counts nowhere.",
						label, row->log_yielded_seconds.value));
}

static void note_log(GPtrArray *notes, const KxVmReport *v)
{
	g_ptr_array_add(
		notes,
		g_strdup("The dirty log names pages written, not pages read. Pages that the "
			 "guest's CPU writes by itself (page tables' A/D bits) are included: "
			 "the guest half that tells them apart is not there."));
	if (v->address_spaces > 1)
		g_ptr_array_add(
			notes,
			g_strdup_printf(
				"The VM has %u address spaces (SMM has its own), each with a "
				"log of its own: pages are looked at and counted in each.",
				v->address_spaces));
}

GPtrArray *kx_vm_notes(const KxVmReport *v, const GPtrArray *rows)
{
	GPtrArray *notes = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < rows->len; i++) {
		const KxRow *row = rows->pdata[i];
		g_autofree char *label = kx_row_label(rows, i);

		if (row->log_yields.na)
			continue;
		if (!notes->len)
			note_log(notes, v);
		note_candidates(notes, label, row);
		note_untracked(notes, label, row);
	}
	return notes;
}
