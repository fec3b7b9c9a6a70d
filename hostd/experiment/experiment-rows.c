// SPDX-License-Identifier: GPL-2.0-or-later
/* The figures of an experiment's rows that other comparisons do not have: of a whole run, not per second. */
#include "experiment.h"

#include <math.h>

#include "compare/estimate.h"
#include "compare/setting.h"
#include "report/figure.h"
#include "tracker/rows.h"
#include "tracker/units.h"

#define FIGURE(member, key, title, kind, tables)                            \
	{                                                                   \
		key, title, kind, tables, G_STRUCT_OFFSET(KxRunRow, member) \
	}

const KxRunFigure kx_run_figures[] = {
	FIGURE(elapsed_ns, "elapsed_ns", "elapsed", KX_COMPARED_NS, KX_RUN_MAIN),
	FIGURE(extra_percent, "extra_percent", "more\nthan off", KX_COMPARED_PERCENT,
	       KX_RUN_MAIN | KX_RUN_GROWTH),
	FIGURE(flushes, "tracker_flushes", "TLB flushes\nof the tracker", KX_COMPARED_RATE,
	       KX_RUN_MAIN),
	FIGURE(kvm_flushes, "kvm_flushes", "TLB flushes\nof KVM", KX_COMPARED_RATE, KX_RUN_MAIN),
	FIGURE(ipis, "flush_ipis", "vCPUs inter-\nrupted by them", KX_COMPARED_RATE, KX_RUN_MAIN),
	FIGURE(exits, "exits", "exits", KX_COMPARED_RATE, KX_RUN_MAIN),
	FIGURE(samples, "samples", "samples", KX_COMPARED_RATE, KX_RUN_MAIN),
	FIGURE(host_cpu_ns, "host_cpu_ns", "host\nCPU", KX_COMPARED_NS, KX_RUN_MAIN),
	FIGURE(cpu_all, "host_cpu_percent_all_vms", "host CPU\nall VMs", KX_COMPARED_PERCENT,
	       KX_RUN_GROWTH),
	FIGURE(cpu_per_gib, "host_cpu_percent_per_gib", "host CPU\nper GiB", KX_COMPARED_PERCENT,
	       KX_RUN_GROWTH),
	FIGURE(cpu_per_vcpu, "host_cpu_percent_per_vcpu", "host CPU\nper vCPU", KX_COMPARED_PERCENT,
	       KX_RUN_GROWTH),
	{ NULL, NULL, KX_COMPARED_RATE, 0, 0 },
};

KxFigure *kx_run_figure(KxRunRow *row, const KxRunFigure *f)
{
	return (KxFigure *)((char *)row + f->offset);
}

static void row_free(gpointer data)
{
	KxRunRow *row = data;

	for (const KxRunFigure *f = kx_run_figures; f->key; f++)
		kx_figure_clear(kx_run_figure(row, f));
	kx_compared_row_free(row->compared);
	g_free(row);
}

/* A number of one run in one VM; NAN: not known. */
typedef double (*Number)(const KxStretch *s);

#define NUMBER(name, expression)               \
	static double name(const KxStretch *s) \
	{                                      \
		return expression;             \
	}
NUMBER(elapsed, s->run_ns)
NUMBER(flushes, s->flushes)
NUMBER(kvm_flushes, s->kvm_flushes)
NUMBER(ipis, s->flush_ipis)
NUMBER(exits, s->exits)
NUMBER(samples, s->samples)
NUMBER(host_cpu, s->cpu_ns + (isnan(s->drain_cpu_ns) ? 0 : s->drain_cpu_ns))

/* The mean over the VMs of a round. */
static double of_round(const KxComparison *c, guint round, guint setting, Number number)
{
	double sum = 0;
	guint n = 0;

	for (guint vm = 0; vm < c->vms->len; vm++) {
		const KxStretch *s = kx_comparison_at(c, vm, round, setting);
		double x = s && !s->failed ? number(s) : NAN;

		if (!isfinite(x))
			continue;
		sum += x;
		n++;
	}
	return n ? sum / n : NAN;
}

static KxFigure mean(const KxComparison *c, guint setting, Number number, const char *na)
{
	g_autofree double *values = g_new(double, c->rounds ? c->rounds : 1);
	gboolean any = FALSE;
	KxEstimate e;

	for (guint round = 0; round < c->rounds; round++) {
		values[round] = of_round(c, round, setting, number);
		any |= isfinite(values[round]);
	}
	if (!any)
		return kx_unavailable(na);
	e = kx_estimate_mean(values, c->rounds, c->seed);
	if (e.na)
		return kx_unavailable(e.na);
	/* times and counts */
	return kx_figure_within((KxFigure){ .value = e.value,
					    .low = e.low,
					    .high = e.high,
					    .n = e.n,
					    .note = g_strdup(e.open) },
				0, INFINITY);
}

static KxFigure percent_of(const KxFigure *slowdown)
{
	KxFigure f = kx_figure_copy(slowdown);

	f.value = (f.value - 1) * 100;
	f.low = (f.low - 1) * 100;
	f.high = (f.high - 1) * 100;
	return f;
}

/* @text: a setting, "TRACKER:OPTION=…". */
static const char *where(const char *text)
{
	const KxTrackerRow *row = kx_setting_tracker(text);

	if (!row || !(row->can & ~(guint)KX_CAN_ALONE))
		return "-";
	return row->can & KX_CAN_GUEST ? "guest" : "host";
}

guint64 kx_experiment_bytes(const KxExperimentPoint *p)
{
	const KxComparedVm *v = p->c->vms->len ? p->c->vms->pdata[0] : NULL;
	guint64 bytes;

	if (p->at->working_set && kx_parse_size(p->at->working_set, &bytes, NULL))
		return bytes;
	return p->at->memory_bytes ? p->at->memory_bytes : v ? v->ram_pages * 4096 : 0;
}

static guint vcpus_of(const KxExperimentPoint *p)
{
	const KxComparedVm *v = p->c->vms->len ? p->c->vms->pdata[0] : NULL;

	return p->at->vcpus ? p->at->vcpus : v ? v->vcpus : 0;
}

static KxFigure scaled(const KxFigure *f, double by, const char *na)
{
	KxFigure out = kx_figure_copy(f);

	if (!(by > 0) || !isfinite(by)) {
		kx_figure_void(&out, na);
		return out;
	}
	out.value *= by;
	out.low *= by;
	out.high *= by;
	return out;
}

/* How the host's CPU time grows with the number and the size of the VMs. */
static void fill_growth(const KxExperimentPoint *p, KxRunRow *row)
{
	const KxFigure *one = &row->compared->host_cpu_percent;
	double gib = (double)kx_experiment_bytes(p) / 1073741824;

	row->cpu_all = scaled(one, p->c->vms->len, "there is no VM");
	row->cpu_per_gib = scaled(one, 1 / gib, "the size is not known");
	row->cpu_per_vcpu = scaled(one, 1.0 / vcpus_of(p), "the number of vCPUs is not known");
}

static void fill(const KxComparison *c, guint k, KxRunRow *row)
{
	const char *none = row->compared->left_out   ? "it did not run"
			   : !row->compared->windows ? "no run was measured"
						     : NULL;
	const char *uncounted = none ? none : "the tracker does not count them";
	const char *unread = none ? none : "KVM's counter cannot be read";
	const char *no_samples = kx_compared_no_samples(c, k);

	row->elapsed_ns = mean(c, k, elapsed, none ? none : "not told");
	row->extra_percent = percent_of(&row->compared->slowdown);
	row->flushes = mean(c, k, flushes, uncounted);
	row->kvm_flushes = mean(c, k, kvm_flushes, unread);
	row->ipis = mean(c, k, ipis, uncounted);
	row->exits = mean(c, k, exits, unread);
	row->samples = no_samples ? kx_unavailable(no_samples) : mean(c, k, samples, uncounted);
	row->host_cpu_ns = mean(c, k, host_cpu, none ? none : "not told");
}

GPtrArray *kx_experiment_rows(const KxExperimentPoint *p)
{
	GPtrArray *rows = g_ptr_array_new_with_free_func(row_free);
	g_autoptr(GPtrArray) compared = kx_comparison_rows(p->c, G_MAXUINT);

	for (guint k = 0; compared->len; k++) {
		KxRunRow *row = g_new0(KxRunRow, 1);

		row->compared = g_ptr_array_steal_index(compared, 0);
		row->where = where(((KxComparedSetting *)p->c->settings->pdata[k])->text);
		fill(p->c, k, row);
		fill_growth(p, row);
		g_ptr_array_add(rows, row);
	}
	return rows;
}
