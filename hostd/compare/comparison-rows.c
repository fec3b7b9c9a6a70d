// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The conclusions from the windows of a comparison. A round is one observation: correlation within a round is part of the
 * scatter between rounds. A setting of a round is compared with the reference of the same round and VM.
 */
#include "comparison.h"

#include <math.h>
#include <string.h>

#include "compare/design.h"
#include "compare/effect.h"
#include "compare/estimate.h"
#include "report/figure.h"
#include "tracker/rows.h"

#define NO_PROGRESS "how much the guest got done is not known"
#define NO_TRUTH    "no workload log says what was touched"
#define REFERENCE   0u

/* The input of all rows. */
typedef struct {
	const KxComparison *c;
	guint first_vm, vms;
	GArray *active; /* guint: indices of the comparison's settings that ran */
	KxTrial trial;	/* time per unit of work; its arrays are ours */
	double *values;
	guint *positions, *before;
} Ground;

static double rate_of(const KxStretch *s)
{
	return s && !s->failed && s->progress > 0 && s->run_ns > 0 ? s->progress / s->run_ns : NAN;
}

static const KxStretch *stretch_of(const Ground *g, guint vm, guint round, guint active)
{
	const KxStretch *s = kx_comparison_at(g->c, g->first_vm + vm, round,
					      g_array_index(g->active, guint, active));

	return s && !s->failed ? s : NULL;
}

static void fill_trial(Ground *g, KxDesign *design, guint all_vms)
{
	guint settings = g->active->len, rounds = g->c->rounds;
	gsize all = (gsize)all_vms * rounds * settings;

	g->values = g_new(double, all);
	g->positions = g_new(guint, all);
	g->before = g_new(guint, all);
	kx_trial_order(design, all_vms, g->c->layout == KX_TOGETHER, g->positions, g->before);
	/* A single VM is a part of the arrays. */
	g->trial = (KxTrial){ settings,
			      rounds,
			      g->vms,
			      g->values,
			      g->positions + (gsize)g->first_vm * rounds * settings,
			      g->before + (gsize)g->first_vm * rounds * settings };
	for (guint vm = 0; vm < g->vms; vm++) {
		for (guint round = 0; round < rounds; round++) {
			for (guint k = 0; k < settings; k++)
				g->values[kx_trial_index(&g->trial, vm, round, k)] =
					1 / rate_of(stretch_of(g, vm, round, k));
		}
	}
}

static void ground_init(Ground *g, const KxComparison *c, guint vm)
{
	KxDesign *design;

	*g = (Ground){ .c = c,
		       .first_vm = vm == G_MAXUINT ? 0 : vm,
		       .vms = vm == G_MAXUINT ? c->vms->len : 1,
		       .active = g_array_new(FALSE, FALSE, sizeof(guint)) };
	for (guint i = 0; i < c->settings->len; i++) {
		if (!((const KxComparedSetting *)c->settings->pdata[i])->left_out)
			g_array_append_val(g->active, i);
	}
	if (!g->active->len || !c->rounds || !c->vms->len)
		return;
	design = kx_design_new(g->active->len, c->rounds, c->seed);
	fill_trial(g, design, c->vms->len);
	kx_design_free(design);
}

static void ground_clear(Ground *g)
{
	g_array_unref(g->active);
	g_free(g->values);
	g_free(g->positions);
	g_free(g->before);
}

/* --- figures ------------------------------------------------------------------------------------------------------ */

static KxFigure figure_of(const KxEstimate *e)
{
	if (e->na)
		return kx_unavailable(e->na);
	return (KxFigure){ .value = e->value,
			   .low = e->low,
			   .high = e->high,
			   .n = e->n,
			   .note = g_strdup(e->open),
			   .se = e->se,
			   .degrees = e->degrees };
}

/* A numerator or denominator of a figure, for one window; NAN: not known. */
typedef double (*Part)(const Ground *g, const KxStretch *s, guint vm, guint round);

static double host_time(const Ground *g, const KxStretch *s, guint vm, guint round)
{
	return s->cpu_ns + (isnan(s->drain_cpu_ns) ? 0 : s->drain_cpu_ns);
}

/* The vCPUs' time minus the time that they would have needed for the same work without tracking. */
static double lost_time(const Ground *g, const KxStretch *s, guint vm, guint round)
{
	double reference = rate_of(stretch_of(g, vm, round, REFERENCE));

	return s->vcpu_run_ns * (1 - rate_of(s) / reference);
}

static double all_time(const Ground *g, const KxStretch *s, guint vm, guint round)
{
	return host_time(g, s, vm, round) + lost_time(g, s, vm, round);
}

#define PART(name, expression)                                                         \
	static double name(const Ground *g, const KxStretch *s, guint vm, guint round) \
	{                                                                              \
		return expression;                                                     \
	}
PART(samples, s->samples)
PART(seconds, s->run_ns / 1e9)
PART(run_percent, s->run_ns / 100)
PART(guest_time, s->guest_cpu_ns)
PART(vmm_time, s->vmm_cpu_ns)
PART(exits, s->exits)
PART(flushes, s->flushes + (isnan(s->kvm_flushes) ? 0 : s->kvm_flushes))
PART(ipis, s->flush_ipis)
PART(truth, s->truth)
PART(truth_hit, s->truth_hit)
PART(found, s->found)
PART(found_true, s->found_true)

/* The sum over all VMs in each round; NAN if no VM has a value. */
static void sum_rounds(const Ground *g, guint k, Part above, Part below, double *y, double *x)
{
	for (guint round = 0; round < g->c->rounds; round++) {
		gboolean any = FALSE;

		y[round] = x[round] = 0;
		for (guint vm = 0; vm < g->vms; vm++) {
			const KxStretch *s = stretch_of(g, vm, round, k);
			double a = s ? above(g, s, vm, round) : NAN;
			double b = s ? below(g, s, vm, round) : NAN;

			if (!isfinite(a) || !isfinite(b))
				continue;
			any = TRUE;
			y[round] += a;
			x[round] += b;
		}
		if (!any)
			y[round] = x[round] = NAN;
	}
}

/* @na: the reason if no window has a value. */
static KxFigure quotient(const Ground *g, guint k, Part above, Part below, const char *na)
{
	g_autofree double *y = g_new(double, g->c->rounds);
	g_autofree double *x = g_new(double, g->c->rounds);
	gboolean any = FALSE;
	KxEstimate e;

	sum_rounds(g, k, above, below, y, x);
	for (guint round = 0; round < g->c->rounds; round++)
		any |= isfinite(y[round]);
	if (!any)
		return kx_unavailable(na);
	e = kx_estimate_quotient(y, x, g->c->rounds, g->c->seed);
	return figure_of(&e);
}

/* A share lies between 0 and 1, and a cost of CPU time is not negative, whatever the interval's method says of its ends. */
static KxFigure within(KxFigure f, double least, double most)
{
	if (!f.na && !isnan(f.low)) {
		f.low = CLAMP(f.low, least, f.value);
		f.high = CLAMP(f.high, f.value, most);
	}
	return f;
}

static KxFigure lost_samples(const Ground *g, guint k)
{
	double sum = 0;
	guint64 n = 0;

	for (guint vm = 0; vm < g->vms; vm++) {
		for (guint round = 0; round < g->c->rounds; round++) {
			const KxStretch *s = stretch_of(g, vm, round, k);

			if (!s || isnan(s->lost_samples))
				continue;
			sum += s->lost_samples;
			n++;
		}
	}
	return n ? kx_figure(sum, n) : kx_unavailable("the tracker does not count them");
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

#define FIGURE(member, key, title, kind, boxed)                                 \
	{                                                                       \
		key, title, kind, boxed, G_STRUCT_OFFSET(KxComparedRow, member) \
	}

const KxComparedFigure kx_compared_figures[] = {
	FIGURE(slowdown, "slowdown", "slowdown\nvs off", KX_CELL_RATIO, TRUE),
	FIGURE(host_ns, "host_ns_per_sample", "host\nper sample", KX_CELL_NS, TRUE),
	FIGURE(guest_ns, "guest_ns_per_sample", "guest\nper sample", KX_CELL_NS, TRUE),
	FIGURE(total_ns, "total_ns_per_sample", "total\nper sample", KX_CELL_NS, TRUE),
	FIGURE(samples_per_s, "samples_per_s", "samples/s", KX_CELL_RATE, FALSE),
	FIGURE(recall, "recall", "recall", KX_CELL_SHARE, FALSE),
	FIGURE(precision, "precision", "precision", KX_CELL_SHARE, FALSE),
	FIGURE(host_cpu_percent, "host_cpu_percent", "host\nCPU", KX_CELL_PERCENT, FALSE),
	FIGURE(vmm_cpu_percent, "vmm_cpu_percent", "QEMU's other\nthreads", KX_CELL_PERCENT, FALSE),
	FIGURE(guest_cpu_percent, "guest_cpu_percent", "samplers'\nCPU in guest", KX_CELL_PERCENT,
	       FALSE),
	FIGURE(exits_per_s, "exits_per_s", "exits/s", KX_CELL_RATE, FALSE),
	FIGURE(flushes_per_s, "flushes_per_s", "TLB\nflushes/s", KX_CELL_RATE, FALSE),
	FIGURE(ipis_per_s, "flush_ipis_per_s", "vCPU\nintr/s", KX_CELL_RATE, FALSE),
	FIGURE(lost_samples, "lost_samples", "samples\nlost", KX_CELL_RATE, FALSE),
	FIGURE(carry_over, "carry_over_p", "carry-over\np", KX_CELL_P, FALSE),
	{ NULL, NULL, KX_CELL_RATE, FALSE, 0 },
};

KxFigure *kx_compared_figure(KxComparedRow *row, const KxComparedFigure *f)
{
	return (KxFigure *)((char *)row + f->offset);
}

void kx_compared_row_free(KxComparedRow *row)
{
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++)
		kx_figure_clear(kx_compared_figure(row, f));
	g_free(row->difference);
	g_free(row->mark);
	g_free(row);
}

static void count_windows(const Ground *g, guint k, KxComparedRow *row)
{
	for (guint vm = 0; vm < g->vms; vm++) {
		for (guint round = 0; round < g->c->rounds; round++) {
			const KxStretch *s = kx_comparison_at(g->c, g->first_vm + vm, round,
							      g_array_index(g->active, guint, k));

			row->windows += s && !s->failed;
			row->failed += s && s->failed;
		}
	}
}

static void fill_slowdown(const Ground *g, guint k, KxComparedRow *row)
{
	KxTest carry = kx_effect_carry(&g->trial, k), order = kx_effect_order(&g->trial, k);
	KxEffect e = kx_effect(&g->trial, k, REFERENCE, g->c->seed);

	row->slowdown = g->c->progress ? figure_of(&e.ratio)
				       : kx_unavailable(g->c->progress_na ? g->c->progress_na
									  : NO_PROGRESS);
	if (!row->slowdown.na && isfinite(e.se)) {
		row->slowdown.se = e.se;
		row->slowdown.degrees = e.degrees;
	}
	if (k != REFERENCE && !row->slowdown.na && !e.differs && isfinite(e.within))
		row->difference =
			e.within < 1
				? g_strdup_printf("no difference found (smaller than %.2g %%)",
						  e.within * 100)
				: g_strdup_printf("no difference found, but too little measured: "
						  "up to %.2g times cannot be excluded",
						  1 + e.within);
	row->carry_over = carry.na ? kx_unavailable(carry.na) : kx_figure(carry.p, carry.n);
	row->marked = kx_test_matters(&carry) || kx_test_matters(&order);
	if (row->marked)
		row->mark =
			g_strdup_printf("the setting before, or the place in the round, mattered "
					"(p = %.2g): its windows are too short, or it settles too "
					"briefly",
					kx_test_matters(&carry) ? carry.p : order.p);
}

/* Why the setting has no samples, whatever it did; NULL: it has. */
static const char *no_samples(const Ground *g, guint k)
{
	const KxComparedSetting *s = g->c->settings->pdata[g_array_index(g->active, guint, k)];
	g_autofree char *name = g_strndup(s->text, strcspn(s->text, ":"));
	const KxTrackerRow *t = kx_tracker_by_name(name);

	return k == REFERENCE ? "it takes no samples" : t ? t->no_samples : NULL;
}

static void fill_costs(const Ground *g, guint k, KxComparedRow *row)
{
	const char *none = no_samples(g, k);
	const char *guest = g->c->progress ? "how long the vCPUs ran is not known" : NO_PROGRESS;

	if (none) {
		row->host_ns = kx_unavailable(none);
		row->guest_ns = kx_unavailable(none);
		row->total_ns = kx_unavailable(none);
		row->samples_per_s = kx_unavailable(none);
		row->recall = kx_unavailable(none);
		row->precision = kx_unavailable(none);
	} else {
		row->host_ns = within(quotient(g, k, host_time, samples, "no samples were counted"),
				      0, INFINITY);
		row->guest_ns = quotient(g, k, lost_time, samples, guest);
		row->total_ns = quotient(g, k, all_time, samples, guest);
		row->samples_per_s = quotient(g, k, samples, seconds, "no samples were counted");
		row->recall = within(quotient(g, k, truth_hit, truth, NO_TRUTH), 0, 1);
		row->precision = within(quotient(g, k, found_true, found, NO_TRUTH), 0, 1);
	}
	row->host_cpu_percent = quotient(g, k, host_time, run_percent, "not told");
	row->vmm_cpu_percent = quotient(g, k, vmm_time, run_percent, "not told");
	row->guest_cpu_percent =
		quotient(g, k, guest_time, run_percent, "the tracker does not run in the guest");
	row->exits_per_s = quotient(g, k, exits, seconds, "exits cannot be read");
	row->flushes_per_s = quotient(g, k, flushes, seconds, "flushes cannot be read");
	row->ipis_per_s = quotient(g, k, ipis, seconds, "not told");
	row->lost_samples = k != REFERENCE && none ? kx_unavailable(none) : lost_samples(g, k);
}

static KxComparedRow *row_left_out(const KxComparedSetting *s)
{
	KxComparedRow *row = g_new0(KxComparedRow, 1);

	row->label = s->label;
	row->left_out = s->left_out ? s->left_out : "nothing was measured";
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++)
		*kx_compared_figure(row, f) = kx_unavailable("it did not run");
	return row;
}

GPtrArray *kx_comparison_rows(const KxComparison *c, guint vm)
{
	GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)kx_compared_row_free);
	Ground g;
	guint k = 0;

	ground_init(&g, c, vm);
	for (guint i = 0; i < c->settings->len; i++) {
		const KxComparedSetting *s = c->settings->pdata[i];
		KxComparedRow *row;

		if (s->left_out || !g.values) {
			g_ptr_array_add(rows, row_left_out(s));
			continue;
		}
		row = g_new0(KxComparedRow, 1);
		row->label = s->label;
		count_windows(&g, k, row);
		fill_slowdown(&g, k, row);
		fill_costs(&g, k, row);
		g_ptr_array_add(rows, row);
		k++;
	}
	ground_clear(&g);
	return rows;
}

guint kx_comparison_rounds_for(const KxComparison *c, double precision)
{
	guint most = 0;
	Ground g;

	ground_init(&g, c, G_MAXUINT);
	for (guint k = 1; g.values && c->progress && k < g.active->len; k++) {
		KxEffect e = kx_effect(&g.trial, k, REFERENCE, c->seed);

		/* A setting that failed in every window will be no better known after more rounds. */
		if (e.ratio.n)
			most = MAX(most, kx_effect_rounds_for(&e, precision));
	}
	ground_clear(&g);
	return most;
}
