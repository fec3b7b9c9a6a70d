// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The conclusions from the windows of a comparison. A round is one observation: correlation within a round is part of the
 * scatter between rounds. A setting of a round is compared with the reference of the same round and VM.
 */
#include "base/textfmt.h"
#include "comparison-ground.h"
#include "comparison-internal.h"

#include <math.h>

#include "compare/effect.h"
#include "compare/setting.h"
#include "report/figure.h"
#include "tracker/rows.h"

#define NO_PROGRESS "how much the guest got done is not known"
#define STALLED	    "the guest made no progress in any of its windows"
#define UNTOLD	    "how much the guest got done is not known of any of its windows"
#define NO_WINDOW   "none of its windows was measured"
#define NO_TRUTH    "no workload log says what was touched"
#define NO_EPOCH    "no valid epoch of the workload lies inside a window"

/* --- figures ------------------------------------------------------------------------------------------------------ */

static double host_time(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	return s->cpu_ns + (isnan(s->drain_cpu_ns) ? 0 : s->drain_cpu_ns);
}

/* The vCPUs' time minus the time that they would have needed for the same work without tracking. */
static double lost_time(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	double reference = kx_ground_rate(kx_ground_stretch(g, vm, round, KX_REFERENCE));

	return s->vcpu_run_ns * (1 - kx_ground_rate(s) / reference);
}

static double all_time(const KxGround *g, const KxStretch *s, guint vm, guint round)
{
	return host_time(g, s, vm, round) + lost_time(g, s, vm, round);
}

#define PART(name, expression)                                                           \
	static double name(const KxGround *g, const KxStretch *s, guint vm, guint round) \
	{                                                                                \
		return expression;                                                       \
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
PART(memory, s->memory_bytes)
PART(gibs, s->tracked_pages / 262144)

/* A count, or a cost of CPU time, per second or sample: never negative, whatever the interval's method says of its ends. */
static KxFigure count(const KxGround *g, guint k, KxGroundFunc above, KxGroundFunc below,
		      const char *na)
{
	return kx_figure_within(kx_ground_quotient(g, k, above, below, na), 0, INFINITY);
}

static KxFigure lost_samples(const KxGround *g, guint k)
{
	double sum = 0;
	guint64 n = 0;

	for (guint vm = 0; vm < g->vms; vm++) {
		for (guint round = 0; round < g->c->rounds; round++) {
			const KxStretch *s = kx_ground_stretch(g, vm, round, k);

			if (!s || isnan(s->lost_samples))
				continue;
			sum += s->lost_samples;
			n++;
		}
	}
	return n ? kx_figure(sum, n) : kx_unavailable("the tracker does not count them");
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

#define FIGURE(member, key, title, kind, boxed)                                        \
	{                                                                              \
		key, title, kind, boxed, G_STRUCT_OFFSET(KxComparedRow, member), TABLE \
	}
#define TABLE KX_TABLE_MAIN

const KxComparedFigure kx_compared_figures[] = {
	FIGURE(slowdown, "slowdown", "slowdown\nvs off", KX_COMPARED_RATIO, TRUE),
	FIGURE(host_ns, "host_ns_per_sample", "host\nper sample", KX_COMPARED_NS, TRUE),
	FIGURE(guest_ns, "guest_ns_per_sample", "guest\nper sample", KX_COMPARED_NS, TRUE),
	FIGURE(total_ns, "total_ns_per_sample", "total\nper sample", KX_COMPARED_NS, TRUE),
	FIGURE(samples_per_s, "samples_per_s", "samples/s", KX_COMPARED_RATE, FALSE),
	FIGURE(recall, "recall", "recall", KX_COMPARED_SHARE, FALSE),
	FIGURE(precision, "precision", "precision", KX_COMPARED_SHARE, FALSE),
	FIGURE(host_cpu_percent, "host_cpu_percent", "host\nCPU", KX_COMPARED_PERCENT, FALSE),
	FIGURE(vmm_cpu_percent, "vmm_cpu_percent", "QEMU's other\nthreads", KX_COMPARED_PERCENT,
	       FALSE),
	FIGURE(guest_cpu_percent, "guest_cpu_percent", "samplers'\nCPU in guest",
	       KX_COMPARED_PERCENT, FALSE),
	FIGURE(exits_per_s, "exits_per_s", "exits/s", KX_COMPARED_RATE, FALSE),
	FIGURE(flushes_per_s, "flushes_per_s", "TLB\nflushes/s", KX_COMPARED_RATE, FALSE),
	FIGURE(ipis_per_s, "flush_ipis_per_s", "vCPU\nintr/s", KX_COMPARED_RATE, FALSE),
	FIGURE(lost_samples, "lost_samples", "samples\nlost", KX_COMPARED_RATE, FALSE),
	FIGURE(memory_per_gib, "memory_bytes_per_gib", "memory\nper GiB", KX_COMPARED_BYTES, FALSE),
	FIGURE(carry_over, "carry_over_p", "carry-over\np", KX_COMPARED_P, FALSE),
	FIGURE(llc_per_s, "llc_misses_per_s", "LLC\nmisses/s", KX_COMPARED_RATE, FALSE),
	FIGURE(llc_per_1000, "llc_misses_per_1000_instructions", "LLC misses\nper 1000 instr",
	       KX_COMPARED_RATE, FALSE),
	FIGURE(llc_slowdown, "llc_slowdown_estimate", "slowdown\nby misses", KX_COMPARED_RATIO,
	       FALSE),
#undef TABLE
#define TABLE KX_TABLE_PARTS
	FIGURE(explained_percent, "slowdown_explained_percent", "explained", KX_COMPARED_POINTS,
	       TRUE),
	FIGURE(unexplained_percent, "slowdown_unexplained_percent", "not\nexplained",
	       KX_COMPARED_POINTS, TRUE),
	FIGURE(exits_percent, "slowdown_exits_percent", "exits", KX_COMPARED_POINTS, FALSE),
	FIGURE(flushes_percent, "slowdown_flushes_percent", "interrupts\nfor flushes",
	       KX_COMPARED_POINTS, FALSE),
	FIGURE(waiting_percent, "slowdown_waiting_percent", "waiting\nfor a CPU",
	       KX_COMPARED_POINTS, FALSE),
	FIGURE(samplers_percent, "slowdown_samplers_percent", "samplers\nin guest",
	       KX_COMPARED_POINTS, FALSE),
	FIGURE(ns_per_exit, "ns_per_exit", "time\nper exit", KX_COMPARED_NS, FALSE),
	{ NULL, NULL, KX_COMPARED_RATE, FALSE, 0, TABLE },
};

char *kx_compared_title(const char *title)
{
	g_auto(GStrv) lines = g_strsplit(title, "\n", -1);
	GString *name = g_string_new(lines[0]);

	for (guint i = 1; lines[0] && lines[i]; i++) {
		/* A word that is divided between two lines. */
		if (g_str_has_suffix(name->str, "-"))
			g_string_truncate(name, name->len - 1);
		else
			g_string_append_c(name, ' ');
		g_string_append(name, lines[i]);
	}
	return g_string_free(name, FALSE);
}

char *kx_compared_name(const KxComparedFigure *f)
{
	return kx_compared_title(f->title);
}

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

static void count_windows(const KxGround *g, guint k, KxComparedRow *row)
{
	for (guint vm = 0; vm < g->vms; vm++) {
		for (guint round = 0; round < g->c->rounds; round++) {
			const KxStretch *s = kx_comparison_at(g->c, g->first_vm + vm, round,
							      g_array_index(g->active, guint, k));

			row->windows += s && !s->failed;
			row->failed += s && s->failed;
			row->stalled += s && !s->failed && s->progress == 0;
			row->untold += s && !s->failed && g->c->progress && isnan(s->progress);
		}
	}
}

/* NULL: no influence mattered. */
static char *why_marked(const KxTest *carry, const KxTest *order, gboolean is_reference)
{
	g_autofree char *setting =
		kx_test_matters(carry)
			? g_strdup_printf("the setting before it (p = %.2g)", carry->p)
			: NULL;
	g_autofree char *place =
		kx_test_matters(order)
			? g_strdup_printf("the place in the round (p = %.2g)", order->p)
			: NULL;

	if (!setting && !place)
		return NULL;
	return g_strdup_printf(
		"%s%s%s mattered: the windows are too short, or the time to settle "
		"is%s",
		setting ? setting : "", setting && place ? " and " : "", place ? place : "",
		is_reference ? "; this concerns all rows, which are compared with it" : "");
}

static void fill_slowdown(const KxGround *g, guint k, KxComparedRow *row)
{
	KxTest carry = kx_effect_carry(&g->trial, k), order = kx_effect_order(&g->trial, k);
	KxEffect e = kx_effect(&g->trial, k, KX_REFERENCE, g->c->seed);

	row->slowdown = g->c->progress ? kx_ground_figure(&e.ratio)
				       : kx_unavailable(g->c->progress_na ? g->c->progress_na
									  : NO_PROGRESS);
	if (row->stalled && row->stalled == row->windows)
		kx_figure_void(&row->slowdown, STALLED);
	else if (row->untold && row->untold == row->windows)
		kx_figure_void(&row->slowdown, UNTOLD);
	else if (row->stalled && k != KX_REFERENCE)
		kx_figure_note(&row->slowdown, "at least: it is without the windows in which the "
					       "guest made no progress");
	if (row->untold && k != KX_REFERENCE)
		kx_figure_note(&row->slowdown, "it is without the windows of which the guest's "
					       "progress is not known");
	if (!row->slowdown.na && isfinite(e.se)) {
		row->slowdown.se = e.se;
		row->slowdown.degrees = e.degrees;
	}
	/* The guest's progress is unknown mostly where the guest was slowest: the other windows cannot show that nothing differs. */
	if (k != KX_REFERENCE && !row->slowdown.na && !row->stalled && !row->untold && !e.differs &&
	    isfinite(e.within)) {
		g_autofree char *times = kx_text_number(1 + e.within);

		row->difference =
			e.within < 1
				? g_strdup_printf("no difference found (smaller than %.2g %%)",
						  e.within * 100)
				: g_strdup_printf("no difference found, but too little measured: "
						  "up to %s times cannot be excluded",
						  times);
	}
	row->carry_over =
		carry.na ? kx_unavailable(row->stalled && row->slowdown.na ? row->slowdown.na
									   : carry.na)
			 : kx_figure(carry.p, carry.n);
	row->marked = kx_test_matters(&carry) || kx_test_matters(&order);
	row->mark = why_marked(&carry, &order, k == KX_REFERENCE);
}

static const KxTrackerRow *tracker_at(const KxComparison *c, guint setting)
{
	const KxComparedSetting *s = c->settings->pdata[setting];

	return kx_setting_tracker(s->text);
}

static const KxTrackerRow *tracker_of(const KxGround *g, guint k)
{
	return tracker_at(g->c, g_array_index(g->active, guint, k));
}

const char *kx_compared_no_samples(const KxComparison *c, guint setting)
{
	const KxTrackerRow *t = tracker_at(c, setting);

	return setting == KX_REFERENCE ? "it takes no samples" : t ? t->no_samples : NULL;
}

static KxFigure memory_per_gib(const KxGround *g, guint k)
{
	KxFigure f = kx_ground_quotient(g, k, memory, gibs, "not told");
	const char *more = kx_tracker_more_memory(tracker_of(g, k));

	if (!f.na && more)
		kx_figure_note(&f, more);
	return f;
}

static KxFigure share_of_truth(const KxGround *g, guint k, KxGroundFunc part, KxGroundFunc whole)
{
	return kx_figure_within(
		kx_ground_quotient(g, k, part, whole, g->c->asked.logs ? NO_EPOCH : NO_TRUTH), 0,
		1);
}

static void fill_truth(const KxGround *g, guint k, KxComparedRow *row)
{
	const KxTrackerRow *t = tracker_of(g, k);

	row->recall = t && !t->sees.finds ? kx_unavailable(t->sees.no_recall)
					  : share_of_truth(g, k, truth_hit, truth);
	row->precision = t && !t->sees.says ? kx_unavailable(t->sees.no_recall)
					    : share_of_truth(g, k, found_true, found);
}

static void fill_costs(const KxGround *g, guint k, KxComparedRow *row)
{
	const char *none = kx_compared_no_samples(g->c, g_array_index(g->active, guint, k));
	const char *guest = !g->c->progress    ? NO_PROGRESS
			    : row->slowdown.na ? row->slowdown.na
					       : "how long the vCPUs ran is not known";

	if (none) {
		row->host_ns = kx_unavailable(none);
		row->guest_ns = kx_unavailable(none);
		row->total_ns = kx_unavailable(none);
		row->samples_per_s = kx_unavailable(none);
		row->recall = kx_unavailable(none);
		row->precision = kx_unavailable(none);
	} else {
		row->host_ns = count(g, k, host_time, samples, "no samples were counted");
		row->guest_ns = kx_ground_quotient(g, k, lost_time, samples, guest);
		row->total_ns = kx_ground_quotient(g, k, all_time, samples, guest);
		row->samples_per_s = count(g, k, samples, seconds, "no samples were counted");
		fill_truth(g, k, row);
	}
	row->host_cpu_percent = count(g, k, host_time, run_percent, "not told");
	row->vmm_cpu_percent = count(g, k, vmm_time, run_percent, "not told");
	row->guest_cpu_percent =
		count(g, k, guest_time, run_percent, "the tracker does not run in the guest");
	row->exits_per_s = count(g, k, exits, seconds, "exits cannot be read");
	row->flushes_per_s = count(g, k, flushes, seconds, "flushes cannot be read");
	row->ipis_per_s = count(g, k, ipis, seconds, "not told");
	row->memory_per_gib = memory_per_gib(g, k);
	row->lost_samples = k != KX_REFERENCE && none ? kx_unavailable(none) : lost_samples(g, k);
}

static void void_all(KxComparedRow *row, const char *why)
{
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++)
		kx_figure_void(kx_compared_figure(row, f), why);
}

static KxComparedRow *row_left_out(const KxComparedSetting *s)
{
	KxComparedRow *row = g_new0(KxComparedRow, 1);

	row->label = s->label;
	row->left_out = s->left_out ? s->left_out : "nothing was measured";
	void_all(row, "it did not run");
	return row;
}

GPtrArray *kx_comparison_rows(const KxComparison *c, guint vm)
{
	GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)kx_compared_row_free);
	KxGround g;
	guint k = 0;

	kx_ground_init(&g, c, vm);
	kx_ground_misses(&g);
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
		kx_fill_parts(&g, k, row);
		kx_fill_misses(&g, k, row);
		/* Not even that the reference is 1.000 is known then, and no figure's own reason is the true one. */
		if (!row->windows)
			void_all(row, NO_WINDOW);
		g_ptr_array_add(rows, row);
		k++;
	}
	kx_ground_clear(&g);
	return rows;
}

guint kx_comparison_rounds_for(const KxComparison *c, double precision)
{
	guint most = 0;
	KxGround g;

	kx_ground_init(&g, c, G_MAXUINT);
	for (guint k = 1; g.values && c->progress && k < g.active->len; k++) {
		KxEffect e = kx_effect(&g.trial, k, KX_REFERENCE, c->seed);

		/* A setting that failed in every window will be no better known after more rounds. */
		if (e.ratio.n)
			most = MAX(most, kx_effect_rounds_for(&e, precision));
	}
	kx_ground_clear(&g);
	return most;
}
