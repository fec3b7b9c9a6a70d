/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures against values worked out by hand, and the interval's coverage by simulation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/textfmt.h"
#include "report/pool.h"
#include "report/text-internal.h"
#include "tracker/options.h"

#define MS 1000000ull
#define S  1000000000ull

static void print_sentence(const char *sentence, gboolean first, gpointer text)
{
	if (first)
		g_string_append_c(text, '\n');
	kx_text_fold(text, 0, sentence, 2);
}

static void print_sentences(const GPtrArray *rows, const char *reference, GString *text)
{
	kx_row_sentences(rows, reference, print_sentence, text);
}

static void near(double value, double expected, const char *what)
{
	if (!(fabs(value - expected) <= 1e-6 * fmax(1, fabs(expected))))
		fail_msg("%s: %.9g, expected %.9g", what, value, expected);
}

static void is_na(const KxFigure *f, const char *reason)
{
	if (!f->na)
		fail_msg("%g, expected n/a: %s", f->value, reason);
	assert_string_equal(f->na, reason);
	assert_true(isnan(f->value));
}

static void replace(char **to, const char *text)
{
	g_free(*to);
	*to = g_strdup(text);
}

static KxWindow *add_window(KxVmReport *v, const char *tracker, const char *options,
			    guint64 duration)
{
	KxWindow *w = kx_window_new();

	w->id = v->windows->len + 1;
	w->tracker = g_strdup(tracker);
	w->options = g_strdup(options);
	w->duration_ns = duration;
	w->has_stats = TRUE;
	w->exits_na = g_strdup("not read");
	w->remote_tlb_flushes_na = g_strdup("not read");
	w->vcpu_run_na = g_strdup("not read");
	w->vcpu_steal_na = g_strdup("not read");
	w->vmm_cpu_na = g_strdup("not read");
	g_ptr_array_add(v->windows, w);
	return w;
}

/* Passes given as (cost, samples). */
static void add_passes(KxWindow *w, const double (*passes)[2], guint n)
{
	for (guint i = 0; i < n; i++) {
		double c = passes[i][0], s = passes[i][1];

		w->passes++;
		w->samples += (guint64)s;
		w->cpu_ns += (guint64)c;
		kx_series_add(&w->pass_costs, (KxObservation){ c, s });
	}
}

/* The number of notes without those at the end, about what trackers cannot see. */
static guint without_blind(const GPtrArray *notes)
{
	guint n = 0;

	while (n < notes->len && !g_str_has_prefix(notes->pdata[n], "Not seen by "))
		n++;
	return n;
}

static KxRow *only_row(GPtrArray *rows)
{
	assert_int_equal(rows->len, 1);
	return rows->pdata[0];
}

/* Memory per tracked GiB, of the last window; or the reason why it is not known; and a note about memory that others hold. */
static void test_memory(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new(), none = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, unknown = NULL;
	KxWindow *w;
	KxRow *row;

	add_window(v, "dirty-log", "interval=1s", S)->memory_bytes = 5;
	w = add_window(v, "dirty-log", "interval=1s", S);
	w->memory_bytes = 3000000;
	w->daemon_bytes = 500000;
	w->tracked_pages = 262144 / 2;
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	near(row->memory_per_gib.value, 7000000, "per GiB");
	near(row->memory_bytes.value, 3000000, "of the tracker");
	near(row->daemon_bytes.value, 500000, "of the daemon's maps");
	assert_non_null(strstr(row->memory_bytes.note, "two bits for each page"));
	add_window(none, "abit", "interval=1s", S)->memory_na = g_strdup("not in the report");
	unknown = kx_vm_rows(none, NULL);
	row = only_row(unknown);
	assert_string_equal(row->memory_per_gib.na, "not in the report");
	assert_string_equal(row->daemon_bytes.na, "not in the report");
}

/*
 * Passes (100, 10) (220, 20) (270, 30): r = 590/60. Residuals c - r s: 1.6667, 23.3333, -25; their squares sum to
 * 1172.2222. var = 3/2 · 1172.2222 / 3600 = 0.4884259; se = 0.6988747; t(0.975, 2) = 4.3026527; half = 3.0070150.
 */
static void test_cost_per_sample(void **state)
{
	static const double first[][2] = { { 100, 10 }, { 220, 20 } },
			    second[][2] = { { 270, 30 } };
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	KxRow *row;

	/* split over two windows of one setting: pooling must not change the estimate */
	add_passes(add_window(v, "abit", "interval=1s", S), first, 2);
	add_passes(add_window(v, "abit", "interval=1s", S), second, 1);
	((KxWindow *)v->windows->pdata[0])->drain_cpu_ns = 60;
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	assert_int_equal(row->windows, 2);
	near(row->cost_per_sample_ns.value, 9.8333333, "r");
	near(row->cost_per_sample_ns.low, 9.8333333 - 3.0070150, "low");
	near(row->cost_per_sample_ns.high, 9.8333333 + 3.0070150, "high");
	assert_int_equal(row->cost_per_sample_ns.n, 3);
	near(row->total_cost_per_sample_ns.value, 10.8333333, "with draining");
	near(row->total_cost_per_sample_ns.high - row->total_cost_per_sample_ns.low, 2 * 3.0070150,
	     "width with draining");
	is_na(&row->cost_vs_reference, "no reference was named (--reference)");
	is_na(&row->cost_lag1, "too few passes that follow each other");
}

/* 40 passes of 10 samples that cost 9 and 11 in turn: a negative correlation of neighbours makes no interval shorter. */
static void test_correlation(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, old = NULL;
	KxWindow *w = add_window(v, "abit", "o", S);
	KxSeries *s = &w->pass_costs;
	KxRow *row;

	for (guint i = 0; i < 40; i++) {
		const double pass[][2] = { { i % 2 ? 110 : 90, 10 } };

		add_passes(w, pass, 1);
	}
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	near(row->cost_lag1.value, -39.0 / 40, "lag 1");
	near(row->cost_effective_n.value, 40, "no more than there are");
	near(row->cost_per_sample_ns.low, 10 - kx_t_quantile(39) * sqrt(40 / 39.0 * 4000) / 400,
	     "as if independent");

	/* of a version that had only the sums */
	*s = (KxSeries){ .sums = s->sums };
	old = kx_vm_rows(v, NULL);
	row = only_row(old);
	near(row->cost_per_sample_ns.value, 10, "value");
	assert_true(isnan(row->cost_per_sample_ns.low) && isnan(row->cost_per_sample_ns.high));
	assert_non_null(strstr(row->cost_per_sample_ns.note,
			       "without an interval: the report is of a version"));
	is_na(&row->cost_effective_n, "the report is of a version that did not keep it");
}

static void test_not_available(void **state)
{
	static const double one[][2] = { { 100, 10 } }, nothing[][2] = { { 100, 0 }, { 90, 0 } };
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	KxRow *row;

	add_window(v, "off", "", S);
	add_passes(add_window(v, "abit", "one", S), one, 1);
	add_passes(add_window(v, "abit", "nothing", S), nothing, 2);
	add_window(v, "abit", "none", 5 * MS);
	add_window(v, "abit", "lost", S)->passes = 3;
	add_window(v, "abit", "no module", S)->has_stats = FALSE;
	rows = kx_vm_rows(v, NULL);
	assert_int_equal(rows->len, 6);

	row = rows->pdata[0];
	is_na(&row->cost_per_sample_ns, "off takes no samples");
	is_na(&row->samples, "off takes no samples");
	is_na(&row->pages_found, "off takes no samples");
	is_na(&row->recall, "off takes no samples");
	is_na(&row->lost_samples, "off takes no samples");
	assert_null(row->flushes_per_s.na);
	assert_null(row->cpu_percent.na);

	row = rows->pdata[1];
	is_na(&row->cost_per_sample_ns, "only one pass");
	is_na(&row->cost_vs_reference, "only one pass");
	is_na(&row->exits_per_s, "not read");
	is_na(&row->exits_vs_off, "not read");
	is_na(&row->work_per_s, "no workload log was given");
	is_na(&row->recall, "no workload log was given");
	assert_null(row->samples.na);

	row = rows->pdata[2];
	is_na(&row->cost_per_sample_ns, "no page was found accessed");
	is_na(&row->pages_per_sample, "no page was found accessed");
	assert_null(row->samples.na);
	near(row->samples.value, 0, "a measured zero");

	row = rows->pdata[3];
	is_na(&row->cost_per_sample_ns, "no pass was completed");
	is_na(&row->samples_per_s, "tracked for less than 10 ms");
	is_na(&row->cpu_percent, "tracked for less than 10 ms");
	is_na(&row->interval_achieved_ns, "no pass was completed");

	row = rows->pdata[4];
	is_na(&row->cost_per_sample_ns, "no record of a pass was received");

	row = rows->pdata[5];
	is_na(&row->cost_per_sample_ns, "the module gave no figures");
	is_na(&row->samples, "the module gave no figures");
	is_na(&row->cpu_percent, "the module gave no figures");
	is_na(&row->flushes_per_s, "the module gave no figures");
}

/* Flushes by the kernel for a tracker of the VMM's page tables are not counted, so they are n/a and not 0. */
static void test_kernel_flushes(void **state)
{
	static const char why[] =
		"the kernel flushes when it changes the VMM's page tables for this "
		"tracker, but does not count these flushes";
	static const double two[][2] = { { 100, 10 }, { 220, 20 } };
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	KxRow *row;

	add_passes(add_window(v, "soft-dirty", "", S), two, 2);
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	is_na(&row->flushes_per_s, why);
	is_na(&row->flush_ipis_per_s, why);
	near(row->cost_per_sample_ns.value, 320.0 / 30, "cost");
	assert_null(row->cpu_percent.na);
}

static KxWindow *add_rates(KxVmReport *v, guint64 n, guint64 sum, guint64 squares)
{
	KxWindow *w = add_window(v, "qemu-dirty-rate", "mode=page-sampling calc-time=1s", 4 * S);

	w->has_rate = TRUE;
	w->passes = w->rate_measured = n;
	w->rate_sum = sum;
	w->rate_squares = squares;
	w->rate_most = 20;
	w->rate_zeros = 1;
	w->rate_other = 1;
	return w;
}

/* A rate has neither samples nor pages: figures of samples and pages are n/a for this reason, and never 0. */
static void test_dirty_rate(void **state)
{
	static const char why[] = "QEMU reports a rate in MB/s, and neither samples nor pages";
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	KxRow *row;
	KxWindow *w;

	/* 10 20 0 in one window, 14 in the other: 11, s = 8.406, t(3) = 3.182 */
	add_rates(v, 3, 30, 500);
	w = add_rates(v, 1, 14, 196);
	replace(&w->vmm_cpu_na, NULL);
	w->vmm_cpu_ns = 40 * MS;
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	near(row->dirty_rate_mib_per_s.value, 11, "mean rate");
	if (fabs(row->dirty_rate_mib_per_s.high - (11 + 3.1824463 * 8.406347 / 2)) > 1e-4)
		fail_msg("high: %.9g", row->dirty_rate_mib_per_s.high);
	assert_int_equal(row->dirty_rate_mib_per_s.n, 4);
	near(row->rate_measured.value, 4, "measurements");
	near(row->rate_zeros.value, 2, "zeros");
	near(row->rate_other.value, 2, "waited");
	near(row->passes.value, 4, "passes");
	near(row->vmm_cpu_percent.value, 1, "QEMU's other threads: 40 ms of 4 s");
	is_na(&row->cost_per_sample_ns, why);
	is_na(&row->total_cost_per_sample_ns, why);
	is_na(&row->samples, why);
	is_na(&row->samples_per_s, why);
	is_na(&row->lost_samples, why);
	is_na(&row->pages_per_sample, why);
	is_na(&row->pages_found, why);
	is_na(&row->pages_total, why);
	is_na(&row->recall, why);
	is_na(&row->precision, why);
	assert_non_null(row->flushes_per_s.na);
	assert_null(row->cpu_percent.na);
}

/* Without a result there is the reason, and not 0. */
static void test_dirty_rate_without_results(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	KxWindow *w = add_rates(v, 0, 0, 0);

	w->rate_zeros = 0;
	w->rate_why = g_strdup("QEMU is busy");
	rows = kx_vm_rows(v, NULL);
	is_na(&only_row(rows)->dirty_rate_mib_per_s, "QEMU is busy");
	is_na(&only_row(rows)->rate_most, "nothing was measured");
}

/* Counts of pages give a cost per page, but no recall: it is not known which pages they are. */
static void test_pages_by_age(void **state)
{
	static const char why[] = "lru_gen reports how many pages were used, and not which";
	static const double passes[][2] = { { 1e6, 100 }, { 3e6, 300 } };
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, notes = NULL;
	KxWindow *w = add_window(v, "mglru", "interval=1s", 2 * S);
	KxRow *row;

	add_passes(w, passes, 2);
	w->has_ages = TRUE;
	w->ages_passes = 2;
	w->ages_young = 400;
	w->ages_squares = 100 * 100 + 300 * 300;
	w->ages_total = 5000;
	w->ages_oldest = 4000;
	w->ages_oldest_ms = 7000;
	w->ages_others = 3;
	w->ages_group = g_strdup("/machine/vm");
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	near(row->working_set_pages.value, 200, "mean");
	near(row->samples.value, 400, "samples");
	near(row->cost_per_sample_ns.value, 1e4, "cost");
	near(row->ages_total.value, 5000, "total");
	near(row->ages_oldest.value, 4000, "oldest");
	near(row->ages_oldest_ns.value, 7e9, "age");
	is_na(&row->pages_found, why);
	is_na(&row->recall, why);
	is_na(&row->precision, why);
	notes = kx_vm_notes(v, rows);
	for (guint i = 0; i < notes->len; i++) {
		if (strstr(notes->pdata[i], "/machine/vm holds 3 other processes"))
			return;
	}
	fail_msg("nothing is said of other processes");
}

static void give_exits(KxWindow *w, guint64 exits)
{
	replace(&w->exits_na, NULL);
	w->exits = exits;
}

static void give_work(KxWindow *w, double work, double ns)
{
	replace(&w->work_na, NULL);
	w->work = work;
	w->work_ns = ns;
}

static void test_against_off(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	KxRow *off, *abit;

	/* off in two windows, 1000 exits in 4 s; abit 300 in 1 s */
	give_exits(add_window(v, "off", "", S), 250);
	give_exits(add_window(v, "abit", "o", S), 300);
	give_exits(add_window(v, "off", "", 3 * S), 750);
	give_work(v->windows->pdata[0], 1000, 1e9);
	give_work(v->windows->pdata[1], 450, 0.5e9);
	rows = kx_vm_rows(v, NULL);
	assert_int_equal(rows->len, 2);
	off = rows->pdata[0];
	abit = rows->pdata[1];
	near(off->exits_per_s.value, 250, "off exits/s");
	near(off->exits_vs_off.value, 1, "off against itself");
	near(abit->exits_per_s.value, 300, "abit exits/s");
	near(abit->exits_vs_off.value, 1.2, "exits ratio");
	assert_true(isnan(abit->exits_vs_off.low));
	assert_true(g_str_has_prefix(abit->exits_vs_off.note, "not interleaved: "));
	near(abit->work_per_s.value, 900, "work/s of the covered part");
	near(abit->work_vs_off.value, 0.9, "work ratio");
}

/*
 * Windows of 1 s that took turns: off 100, abit 150, off 120, abit 130. Their logarithms about a line over the places 0 to 3, with a
 * step for abit: by least squares of what the step has that neither constant nor place explains, (-0.2, 0.6, -0.6, 0.2):
 * step = (0.2 ln 130/100 + 0.6 ln 150/120) / 0.8 = 0.2329487. What is left has one degree of freedom, along (1, -1, -1, 1) / 2 less
 * nothing: (ln 100 - ln 150 - ln 120 + ln 130) / 2 = -0.1627112; se = 0.1627112 / sqrt(0.8) = 0.1819167; t(0.975, 1) = 12.7062047.
 */
static void test_ratio_interval(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new(), one_by_one = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, other = NULL;
	const double step = (0.2 * log(1.3) + 0.6 * log(1.25)) / 0.8;
	const double se = (log(1.5) - log(1.3 / 1.2)) / 2 / sqrt(0.8);
	KxRow *abit;

	near(step, 0.2329487, "as worked out");
	near(se, 0.1819167, "as worked out");
	give_exits(add_window(v, "off", "", S), 100);
	give_exits(add_window(v, "abit", "o", S), 150);
	give_exits(add_window(v, "off", "", S), 120);
	give_exits(add_window(v, "abit", "o", S), 130);
	rows = kx_vm_rows(v, NULL);
	abit = rows->pdata[1];
	near(abit->exits_per_s.high - abit->exits_per_s.value, kx_t_quantile(1) * 10,
	     "rate's half");
	near(abit->exits_vs_off.value, exp(step), "ratio");
	near(abit->exits_vs_off.low, exp(step - kx_t_quantile(1) * se), "ratio's low end");
	near(abit->exits_vs_off.high, exp(step + kx_t_quantile(1) * se), "ratio's high end");
	assert_int_equal(abit->exits_vs_off.n, 4);
	assert_null(abit->exits_vs_off.note);
	near(kx_t_quantile(1), 12.7062047, "t, 1 degree");
	near(kx_t_quantile(2), 4.3026527, "t, 2 degrees");
	near(kx_t_quantile(99), 1.9842170, "t, 99 degrees");

	give_exits(add_window(one_by_one, "off", "", S), 100);
	give_exits(add_window(one_by_one, "off", "", S), 120);
	give_exits(add_window(one_by_one, "abit", "o", S), 150);
	give_exits(add_window(one_by_one, "abit", "o", S), 130);
	other = kx_vm_rows(one_by_one, NULL);
	abit = other->pdata[1];
	near(abit->exits_vs_off.value, 280.0 / 220, "ratio of all");
	assert_true(isnan(abit->exits_vs_off.low) && isnan(abit->exits_vs_off.high));
	assert_string_equal(abit->exits_vs_off.note,
			    "not interleaved: the windows of the two did not take turns, so what "
			    "changed with time is part of the ratio");
}

/* If the guest becomes faster all the time, the ratio of windows that took turns does not contain this. */
static void test_drift_is_no_effect(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	const KxFigure *f;

	for (guint i = 0; i < 8; i++)
		give_exits(add_window(v, i % 2 ? "trap" : "off", "", S),
			   (guint64)(1e12 * pow(1.1, i) * (i % 2 ? 2 : 1)));
	rows = kx_vm_rows(v, NULL);
	f = &((KxRow *)rows->pdata[1])->exits_vs_off;
	assert_int_equal(f->n, 8);
	near(f->value, 2, "the effect alone");
	near(f->low, 2, "low");
	near(f->high, 2, "high");
}

/* Runs of several windows, with one more run of one setting; and a window in which nothing was counted. */
static void test_turns(void **state)
{
	static const KxTurn own[] = { { 1, 6, 2 }, { 2, 3, 1 }, { 5, 8, 2 }, { 9, 4, 2 } };
	static const KxTurn base[] = { { 0, 1, 1 }, { 3, 1, 1 }, { 4, 2, 2 }, { 10, 1, 1 } };
	g_autoptr(GArray) a = g_array_new(FALSE, FALSE, sizeof(KxTurn));
	g_autoptr(GArray) b = g_array_new(FALSE, FALSE, sizeof(KxTurn));
	KxFigure f = { 0 };

	assert_non_null(kx_turns_ratio(a, b, &f));
	g_array_append_vals(a, own, G_N_ELEMENTS(own));
	assert_non_null(kx_turns_ratio(a, b, &f));
	assert_non_null(kx_turns_ratio(b, a, &f));
	g_array_append_vals(b, base, G_N_ELEMENTS(base));
	/* off 1, own 9/3, off 3/3, own 12/4, off 1 */
	assert_null(kx_turns_ratio(a, b, &f));
	assert_int_equal(f.n, 5);
	near(f.value, 3, "ratio");
	assert_null(kx_turns_ratio(b, a, &f));
	near(f.value, 1.0 / 3, "the other way round");
	g_array_index(b, KxTurn, 0).y = 0;
	assert_string_equal(kx_turns_ratio(a, b, &f), "without an interval: a window counted none");
}

static void test_no_off(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, with_zero = NULL, with_short = NULL;

	give_exits(add_window(v, "abit", "o", S), 300);
	rows = kx_vm_rows(v, NULL);
	is_na(&((KxRow *)rows->pdata[0])->exits_vs_off, "no off window to compare with");
	give_exits(add_window(v, "off", "", S / 1000), 5);
	with_short = kx_vm_rows(v, NULL);
	is_na(&((KxRow *)with_short->pdata[0])->exits_vs_off,
	      "the off windows are too short to compare with");
	give_exits(add_window(v, "off", "", S), 0);
	with_zero = kx_vm_rows(v, NULL);
	is_na(&((KxRow *)with_zero->pdata[0])->exits_vs_off,
	      "nothing was counted in the off windows to compare with");
}

static void test_rates_and_times(void **state)
{
	static const double passes[][2] = { { 1e6, 100 }, { 1e6, 100 }, { 1e6, 100 } };
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	KxWindow *w = add_window(v, "abit-flush", "o", 2 * S);
	KxRow *row;

	add_passes(w, passes, 3);
	w->interval_ns = 100 * MS;
	w->first_start_ns = 5 * S;
	w->last_start_ns = 5 * S + 210 * MS;
	w->pass_ns_sum = 6 * MS;
	w->pass_ns_p99 = 3 * MS;
	w->pages_scanned = 3000;
	w->found_pages = 120;
	w->sample_pages = 300 * 512;
	w->flushes = 3;
	w->flush_ipis = 5;
	w->drain_cpu_ns = 1 * MS;
	w->lost_samples = 7;
	replace(&w->vcpu_run_na, NULL);
	w->vcpu_run_ns = 3 * S;
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	near(row->seconds, 2, "seconds");
	near(row->passes.value, 3, "passes");
	near(row->samples_per_s.value, 150, "samples/s");
	near(row->interval_achieved_ns.value, 105e6, "achieved interval");
	near(row->interval_requested_ns.value, 100e6, "requested interval");
	near(row->pass_mean_ns.value, 2e6, "pass time");
	near(row->pass_p99_ns.value, 3e6, "p99");
	near(row->pages_found.value, 120, "found");
	near(row->pages_per_sample.value, 512, "pages per sample");
	near(row->pages_total.value, 1000, "total");
	near(row->cpu_percent.value, 0.2, "CPU: 3 ms of passes and 1 ms of draining in 2 s");
	near(row->flushes_per_s.value, 1.5, "flushes/s");
	near(row->flush_ipis_per_s.value, 2.5, "interruptions/s");
	near(row->lost_samples.value, 7, "lost");
	near(row->vcpu_run_percent.value, 150, "vCPU run");
	is_na(&row->vcpu_steal_percent, "not read");
}

static void test_truth(void **state)
{
	static const double passes[][2] = { { 1e6, 100 }, { 1e6, 100 } };
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, none = NULL;
	KxWindow *a = add_window(v, "abit", "o", S), *b = add_window(v, "abit", "o", S);
	KxRow *row;

	add_passes(a, passes, 2);
	add_passes(b, passes, 2);
	replace(&a->truth_na, NULL);
	replace(&b->truth_na, NULL);
	none = kx_vm_rows(v, NULL);
	is_na(&only_row(none)->recall, "no valid epoch of the workload lies inside a window");
	is_na(&only_row(none)->precision, "no page of the workload's arena was found");
	a->truth_touched = 100;
	a->truth_hit = 90;
	a->truth_found = 95;
	a->truth_true = 94;
	b->truth_touched = 300;
	b->truth_hit = 300;
	b->truth_found = 1;
	b->precision_na = g_strdup("the log ends");
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	near(row->recall.value, 390.0 / 400, "pooled recall");
	near(row->precision.value, 94.0 / 95, "precision of the windows that have one");
}

/* Half of what is touched is only read; @found_reads: as many pages that were only read were found as well. */
static KxRow *truth_row(GPtrArray **rows, const char *tracker, guint64 found_reads)
{
	static const double passes[][2] = { { 1e6, 100 }, { 1e6, 100 } };
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	KxWindow *w = add_window(v, tracker, "o", S);

	add_passes(w, passes, 2);
	replace(&w->truth_na, NULL);
	replace(&w->written_na, NULL);
	w->truth_touched = 200;
	w->truth_written = w->truth_written_hit = 100;
	w->truth_found = w->truth_hit = w->truth_true = 100 + found_reads;
	w->truth_written_true = 100;
	*rows = kx_vm_rows(v, NULL);
	return only_row(*rows);
}

/* The dirty log has found all written pages: its recall is 1, although half of the touched pages were only read. */
static void test_truth_of_writes(void **state)
{
	g_autoptr(GPtrArray) rows = NULL, mapped = NULL;
	const KxRow *row = truth_row(&rows, "dirty-log", 0);

	near(row->recall.value, 1, "recall of what was written");
	assert_int_equal(row->recall.n, 100);
	assert_non_null(strstr(row->recall.note, "of the pages written"));
	near(row->recall_written.value, 1, "the same");
	near(row->recall_touched.value, 0.5, "of all that was touched");
	assert_null(row->recall_touched.note);
	near(row->precision.value, 1, "precision");
	/* pages that KVM names because they were mapped for the first time, by a read */
	row = truth_row(&mapped, "dirty-log", 25);
	near(row->precision.value, 0.8, "precision: of those found, written");
	assert_non_null(strstr(row->precision.note, "mapped for the first time"));
	near(row->precision_touched.value, 1, "all of them were touched");
}

/* pml-abit finds pages that were written once, and says of a page that it was accessed. */
static void test_truth_of_candidates(void **state)
{
	g_autoptr(GPtrArray) rows = NULL;
	const KxRow *row = truth_row(&rows, "pml-abit", 50);

	near(row->recall.value, 1, "recall of what was written");
	near(row->recall_touched.value, 0.75, "of all that was touched");
	near(row->precision.value, 1, "precision: of those found, touched");
	is_na(&row->precision_written, "the tracker does not say of a page that it was written");
}

static void test_truth_of_accesses(void **state)
{
	static const char *const trackers[] = { "abit", "abit-flush", "ept-walk" };

	for (guint i = 0; i < G_N_ELEMENTS(trackers); i++) {
		g_autoptr(GPtrArray) rows = NULL;
		const KxRow *row = truth_row(&rows, trackers[i], 50);

		near(row->recall.value, 0.75, "recall of what was touched");
		assert_null(row->recall.note);
		near(row->recall_written.value, 1, "of what was written");
		near(row->precision.value, 1, "precision");
	}
}

/* Ranges are found as a whole: a footnote of the figure says so. */
static void test_truth_of_ranges(void **state)
{
	g_autoptr(GPtrArray) rows = NULL, newer = NULL;
	const KxRow *row = truth_row(&rows, "guest-abit", 50);

	near(row->recall.value, 0.75, "recall");
	assert_non_null(strstr(row->precision.note, "ranges"));
	row = truth_row(&newer, "tracker-of-2031", 50);
	is_na(&row->recall, "this version does not know what the tracker can find");
	is_na(&row->precision, "this version does not know what the tracker can find");
}

/* A log that does not name writes differs from a workload that does not write; in both cases recall is not 0. */
static void test_truth_without_writes(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) none = NULL, untold = NULL;
	static const double passes[][2] = { { 1e6, 100 }, { 1e6, 100 } };
	KxWindow *w = add_window(v, "dirty-log", "o", S);

	add_passes(w, passes, 2);
	replace(&w->truth_na, NULL);
	replace(&w->written_na, NULL);
	w->truth_touched = 10;
	none = kx_vm_rows(v, NULL);
	is_na(&only_row(none)->recall, "the workload wrote nothing in this time");
	replace(&w->written_na, "not told");
	untold = kx_vm_rows(v, NULL);
	is_na(&only_row(untold)->recall, "not told");
	near(only_row(untold)->recall_touched.value, 0, "of what was touched none was found");
}

/* The table of trackers has this property for each tracker that finds something. */
static void test_every_tracker_sees(void **state)
{
	for (const KxTrackerRow *t = kx_trackers; t->name; t++) {
		if (!(t->can & KX_CAN_FIND))
			continue;
		if (!t->sees.says || (!t->sees.finds && !t->sees.no_recall))
			fail_msg("%s: what it sees is not told", t->name);
	}
}

/* A footnote goes with its figure, in the text and in the JSON; a figure that was not measured has its reason alone. */
static void test_footnotes(void **state)
{
	KxFigure f = kx_figure(0.75, 1), na = kx_unavailable("not looked at");

	kx_figure_note(&f, "of ranges");
	kx_figure_note(&f, "and more");
	kx_figure_note(&na, "of ranges");
	assert_string_equal(f.note, "of ranges; and more");
	assert_null(na.note);
	kx_figure_void(&f, "void");
	assert_null(f.note);
	kx_figure_clear(&f);
	kx_figure_clear(&na);
}

/* --- the dirty log --------------------------------------------------------- */

static KxWindow *add_log_window(KxVmReport *v, const char *tracker, guint64 duration)
{
	static const double passes[][2] = { { 1e6, 100 }, { 1e6, 100 }, { 1e6, 100 } };
	KxWindow *w = add_window(v, tracker, "o", duration);

	add_passes(w, passes, 3);
	w->interval_ns = 100 * MS;
	w->first_start_ns = 1;
	w->last_start_ns = 1 + 200 * MS;
	w->has_log = TRUE;
	w->log_mechanism = g_strdup("pml");
	w->log_mode = g_strdup("initially-all-set");
	w->log_enable_ns = 2000;
	w->log_enable_pages = 1000;
	w->log_arm_ns = 5000;
	w->log_arm_pages = 1000;
	w->log_harvest_ns = 9000;
	w->log_harvest_pages = 3000;
	w->log_dirty_pages = 300;
	w->log_clear_ns = 6000;
	w->log_clear_pages = 300;
	w->log_clears = 3;
	w->log_disable_ns = 4000;
	w->log_disable_pages = 1000;
	w->pml_full_exits = 50;
	give_exits(w, 1000);
	return w;
}

static void test_log_costs(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	KxWindow *one, *open;
	KxRow *off, *row;

	add_window(v, "off", "", S);
	one = add_log_window(v, "dirty-log", S);
	one->log_vmm_pages = 77;
	open = add_log_window(v, "dirty-log", S);
	open->log_harvest_ns = 27000;
	open->log_disable_ns = open->log_disable_pages = 999999;
	replace(&open->log_disable_na, "known when the tracker is left");
	open->log_vmm_pages = 16;
	open->log_yields = 2;
	open->log_resumes = 1;
	rows = kx_vm_rows(v, NULL);
	off = rows->pdata[0];
	is_na(&off->log_enable_ns_per_page, "the tracker does not use the dirty log");
	is_na(&off->log_yields, "the tracker does not use the dirty log");
	row = rows->pdata[1];
	assert_string_equal(row->mechanism, "pml");
	assert_int_equal(row->windows, 2);
	near(row->log_enable_ns_per_page.value, 2, "enable");
	near(row->log_arm_ns_per_page.value, 5, "arm");
	near(row->log_harvest_ns_per_page.value, 6, "harvest per page");
	near(row->log_harvest_ns_per_dirty.value, 60, "harvest per dirty page");
	near(row->log_clear_ns_per_dirty.value, 20, "clear");
	near(row->log_disable_ns_per_page.value, 4, "disable: of the window that has it");
	near(row->pml_full_per_s.value, 50, "PML-full");
	near(row->log_vmm_pages.value, 16, "not tracked, at the last reading");
	near(row->log_yields.value, 2, "yields");
	near(row->log_resumes.value, 1, "resumes");
	near(row->log_yielded_seconds.value, 0, "a measured zero");
	is_na(&row->log_candidates, "only pml-abit watches candidates");
	near(row->exits_per_s.value, 1000, "memslots alone do not spoil a window");
}

static void test_log_not_available(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, notes = NULL;
	KxWindow *w = add_log_window(v, "pml-abit", S);
	KxRow *row;

	replace(&w->log_mechanism, "write-protect");
	replace(&w->log_mode, "plain");
	w->log_arm_pages = w->log_clear_pages = w->log_enable_pages = w->log_dirty_pages = 0;
	w->log_harvest_pages = w->log_disable_pages = 0;
	w->log_candidates = 5;
	w->log_other_pages = 3;
	w->log_errors = 2;
	w->log_last_errno = 12;
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	is_na(&row->log_enable_ns_per_page, "no memslot was switched on");
	is_na(&row->log_arm_ns_per_page,
	      "the log does not start with every page set, or no page was armed");
	is_na(&row->log_harvest_ns_per_page, "the log was not read");
	is_na(&row->log_harvest_ns_per_dirty, "no page was found written");
	is_na(&row->log_clear_ns_per_dirty, "reading the log clears it, too");
	is_na(&row->log_disable_ns_per_page, "no memslot was left to switch off");
	is_na(&row->pml_full_per_s, "the mechanism is not PML");
	near(row->log_candidates.value, 5, "candidates");
	notes = kx_vm_notes(v, rows);
	assert_int_equal(without_blind(notes), 4);
	assert_non_null(strstr(notes->pdata[0], "A/D bits in page tables"));
	assert_non_null(
		strstr(notes->pdata[1], "pml-abit (write-protect) tests the accessed bits"));
	assert_non_null(strstr(notes->pdata[2], "3 pages were not tracked"));
	assert_non_null(strstr(notes->pdata[3], "refused 2 of the tracker's own ioctls"));
	assert_non_null(strstr(notes->pdata[3], "Cannot allocate memory"));
}

/* Time in which the VMM had the log counts in no figure. */
static void test_yielded(void **state)
{
	static const char no_pass[] = "no pass was completed while the tracker had the log";
	static const char why[] =
		"the VMM logged its memory itself for a part of the window, which was not tracked";
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) mixed = NULL, only = NULL, never = NULL;
	KxWindow *w;
	KxRow *row;

	w = add_log_window(v, "dirty-log", 10 * S);
	w->log_yielded_ns = 9 * S;
	w->log_yielded_passes = 90;
	w->last_start_ns = 1 + 10 * S;
	replace(&w->vcpu_run_na, NULL);
	replace(&w->truth_na, NULL);
	w->truth_touched = 100;
	w->truth_hit = 1;
	give_work(w, 1, 1e9);
	only = kx_vm_rows(v, NULL);
	row = only_row(only);
	near(row->seconds, 1, "tracked time");
	near(row->samples_per_s.value, 300, "samples over the tracked time");
	near(row->pml_full_per_s.value, 50, "PML-full over the tracked time");
	near(row->log_yielded_seconds.value, 9, "yielded");
	assert_null(row->cost_per_sample_ns.na);
	is_na(&row->exits_per_s, why);
	is_na(&row->work_per_s, why);
	is_na(&row->vcpu_run_percent, why);
	is_na(&row->recall, why);
	is_na(&row->interval_achieved_ns, why);

	add_log_window(v, "dirty-log", S);
	mixed = kx_vm_rows(v, NULL);
	row = only_row(mixed);
	near(row->exits_per_s.value, 1000, "of the window that did not yield");
	near(row->interval_achieved_ns.value, 100e6, "likewise");

	g_ptr_array_set_size(v->windows, 0);
	w = add_window(v, "dirty-log", "o", S);
	w->has_log = TRUE;
	w->log_mechanism = g_strdup("pml");
	w->log_mode = g_strdup("plain");
	w->log_yielded_ns = S;
	never = kx_vm_rows(v, NULL);
	row = only_row(never);
	is_na(&row->samples, no_pass);
	is_na(&row->cost_per_sample_ns, no_pass);
	near(row->passes.value, 0, "passes");
	near(row->seconds, 0, "nothing was tracked");
}

/* --- time in which the VM did not run ----------------------------------------- */

static KxRow *find_row(GPtrArray *rows, const char *tracker)
{
	for (guint i = 0; i < rows->len; i++) {
		if (g_str_equal(((KxRow *)rows->pdata[i])->tracker, tracker))
			return rows->pdata[i];
	}
	fail_msg("there is no row %s", tracker);
	return NULL;
}

/* A pause of half of the window changes no rate, and the passes in the pause do not make the cost smaller. */
static void test_paused(void **state)
{
	static const double passes[][2] = { { 100, 10 }, { 220, 20 }, { 270, 30 } };
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, notes = NULL;
	KxWindow *w;
	KxRow *row;

	w = add_window(v, "off", "", 2 * S);
	replace(&w->exits_na, NULL);
	w->exits = 2000;
	give_work(w, 100, 2e9);
	w = add_window(v, "abit", "o", 10 * S);
	add_passes(w, passes, 3);
	w->interval_ns = 100 * MS;
	w->paused_ns = 8 * S;
	w->paused_for = g_strdup("suspended");
	w->paused_passes = 80;
	w->between_ns = 200 * MS;
	w->between_n = 2;
	w->first_start_ns = 1;
	w->last_start_ns = 1 + 9 * S;
	replace(&w->exits_na, NULL);
	w->exits = 3000;
	replace(&w->vcpu_run_na, NULL);
	w->vcpu_run_ns = S;
	rows = kx_vm_rows(v, NULL);
	row = find_row(rows, "abit");
	near(row->seconds, 2, "tracked");
	near(row->paused_seconds.value, 8, "paused");
	assert_null(row->paused_seconds.note);
	near(row->paused_passes.value, 80, "passes in it");
	near(row->samples_per_s.value, 30, "samples per second of running");
	near(row->exits_per_s.value, 1500, "exits per second of running");
	near(row->exits_vs_off.value, 1.5, "against off");
	near(row->vcpu_run_percent.value, 50, "of the time in which it ran");
	near(row->interval_achieved_ns.value, 100e6, "intervals");
	near(row->cpu_percent.value, 590 * 100 / 2e9, "host CPU");
	assert_int_equal(row->cost_per_sample_ns.n, 3);
	near(find_row(rows, "off")->paused_seconds.value, 0, "off was not paused");
	notes = kx_vm_notes(v, rows);
	assert_int_equal(without_blind(notes), 1);
	assert_string_equal(notes->pdata[0],
			    "abit: the VM was paused for 8.000 s (suspended): this time counts "
			    "nowhere, nor do the passes that could find nothing in it.");
}

static void test_paused_all_the_time(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	KxWindow *w = add_window(v, "abit", "o", 10 * S);
	KxRow *row;

	w->paused_ns = 10 * S;
	w->paused_passes = 100;
	replace(&w->exits_na, NULL);
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	is_na(&row->cost_per_sample_ns, "no pass was completed while the VM ran");
	is_na(&row->exits_per_s, "the VM ran for less than 10 ms of the time");
	is_na(&row->samples, "no pass was completed while the VM ran");
	is_na(&row->samples_per_s, "no pass was completed while the VM ran");
	is_na(&row->recall, "no pass was completed while the VM ran");
}

/* If nothing reports pauses, the paused time is n/a and not 0; known pauses may not be all pauses. */
static void test_pauses_unknown(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) none = NULL, some = NULL, notes = NULL;
	KxWindow *w = add_window(v, "off", "", 10 * S);

	w->paused_na = g_strdup("nobody tells");
	none = kx_vm_rows(v, NULL);
	is_na(&only_row(none)->paused_seconds, "nobody tells");
	notes = kx_vm_notes(v, none);
	assert_int_equal(notes->len, 1);
	assert_non_null(strstr(notes->pdata[0], "not known"));
	w->paused_ns = S;
	some = kx_vm_rows(v, NULL);
	near(only_row(some)->paused_seconds.value, 1, "what is known");
	assert_string_equal(only_row(some)->paused_seconds.note, "at least; nobody tells");
}

/* --- trackers in the guest --------------------------------------------------- */

/* The cost that the guest reports is in no figure of host CPU time, and no figure combines the two. */
static void test_guest_costs_apart(void **state)
{
	static const double cheap[][2] = { { 10, 10 }, { 22, 20 }, { 27, 30 },
					   { 10, 10 }, { 22, 20 }, { 27, 30 } };
	static const double dear[][2] = { { 100, 10 }, { 220, 20 }, { 270, 30 },
					  { 100, 10 }, { 220, 20 }, { 270, 30 } };
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, host = NULL;
	const char *why = "the tracker runs in the guest, whose CPU time is a figure of its own";
	KxWindow *w;
	KxRow *row;

	w = add_window(v, "guest-abit", "o", S);
	add_passes(w, cheap, 6);
	w->has_guest = TRUE;
	w->guest_cpu_ns = w->cpu_ns;
	w->cpu_ns = 0;
	w->drain_cpu_ns = 240;
	w = add_window(v, "guest-pebs", "o", S);
	add_passes(w, dear, 6);
	w->has_guest = TRUE;
	w->guest_event = g_strdup("icelake-x:stores");
	w->guest_no_address = 7;
	add_passes(add_window(v, "abit", "o", S), dear, 6);
	add_passes(add_window(v, "abit-flush", "o", S), dear, 6);
	rows = kx_vm_rows(v, "guest-abit");
	host = kx_vm_rows(v, "abit");
	row = find_row(rows, "guest-abit");
	is_na(&row->cost_per_sample_ns, why);
	is_na(&row->cost_vs_reference, why);
	near(row->total_cost_per_sample_ns.value, 2, "the daemon's part");
	near(row->guest_cost_per_sample_ns.value, 59.0 / 60, "the guest's");
	near(row->guest_cost_vs_reference.value, 1, "the reference itself");
	near(row->cpu_percent.value, 240 * 100 / 1e9, "host CPU");
	near(find_row(rows, "guest-pebs")->guest_cost_vs_reference.value, 10, "against it");
	near(find_row(rows, "guest-pebs")->guest_no_address.value, 7, "samples without address");
	is_na(&row->guest_no_address, "no events are sampled");
	row = find_row(rows, "abit");
	is_na(&row->cost_vs_reference, "of the reference: the tracker runs in the guest, whose CPU "
				       "time is a figure of its own");
	is_na(&row->guest_cost_per_sample_ns, "the tracker does not run in the guest");
	is_na(&row->guest_cost_vs_reference, "the tracker does not run in the guest");
	near(find_row(host, "abit")->cost_vs_reference.value, 1, "the reference itself");
	near(find_row(host, "abit-flush")->cost_vs_reference.value, 1, "against it");
	is_na(&find_row(host, "guest-pebs")->guest_cost_vs_reference,
	      "of the reference: the tracker does not run in the guest");
}

static gboolean has_note(const GPtrArray *notes, const char *text)
{
	for (guint i = 0; i < notes->len; i++) {
		if (strstr(notes->pdata[i], text))
			return TRUE;
	}
	return FALSE;
}

/* What is known of the host's own use of PEBS meanwhile; nothing is said of it where no PEBS is sampled. */
static void test_guest_without_samples(void **state)
{
	static const double passes[][2] = { { 10, 10 }, { 22, 20 }, { 27, 30 } };
	static const char known[] = "guest-pebs (icelake-x:stores): 2 of its epochs had no sample";
	static const char none[] = "No epoch was without a sample; whether it happened for less "
				   "than an epoch, or on some CPUs only, cannot be known.";
	static const char old[] = "notifies nobody. Whether it happened cannot be known.";
	static const struct {
		const char *event;
		guint64 empty;
		const char *why, *said;
	} cases[] = {
		{ "icelake-x:stores", 2, NULL, known },
		{ "icelake-x:stores", 0, NULL, none },
		{ "icelake-x:stores", 0, "an earlier version", old },
		{ "sw:page-faults, surrogate", 2, NULL, NULL },
		{ "ibs-op, surrogate", 2, NULL, NULL },
		{ NULL, 2, NULL, NULL },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(KxVmReport) v = kx_vm_report_new();
		g_autoptr(GPtrArray) rows = NULL, notes = NULL;
		KxWindow *w = add_window(v, cases[i].event ? "guest-pebs" : "guest-abit", "o", S);

		add_passes(w, passes, 3);
		w->has_guest = TRUE;
		w->guest_event = g_strdup(cases[i].event);
		w->guest_empty_epochs = cases[i].empty;
		w->guest_empty_epochs_na = g_strdup(cases[i].why);
		rows = kx_vm_rows(v, NULL);
		notes = kx_vm_notes(v, rows);
		if (cases[i].said)
			assert_true(has_note(notes, cases[i].said));
		else
			assert_false(has_note(notes, "on the host"));
		/* IBS is not PEBS, but it samples memory accesses. */
		assert_int_equal(has_note(notes, "surrogate, not PEBS: its cost"), i == 4);
		assert_int_equal(
			has_note(notes, "surrogate, not a memory access that the CPU samples"),
			i == 3);
	}
}

/* --- address spaces ------------------------------------------------------------- */

/* If a row has more pages than the VM, a footnote of the figure says why; other rows have no footnote. */
static void test_address_spaces_are_marked(void **state)
{
	static const double passes[][2] = { { 100, 10 }, { 220, 20 } };
	static const char says[] = "counted in each of the VM's 2 address spaces (SMM has its "
				   "own); the VM has 66048 pages";
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) one = NULL, two = NULL;
	KxWindow *w;

	w = add_window(v, "dirty-log", "o", S);
	add_passes(w, passes, 2);
	w->has_log = TRUE;
	w->log_mode = g_strdup("plain");
	w->pages_scanned = 2 * 131072;
	w = add_window(v, "abit", "o", S);
	add_passes(w, passes, 2);
	w->pages_scanned = 2 * 66048;
	v->ram_pages = 66048;
	v->address_spaces = 1;
	one = kx_vm_rows(v, NULL);
	assert_null(find_row(one, "dirty-log")->pages_total.note);
	v->address_spaces = 2;
	two = kx_vm_rows(v, NULL);
	near(find_row(two, "dirty-log")->pages_total.value, 131072, "of both");
	assert_string_equal(find_row(two, "dirty-log")->pages_total.note, says);
	assert_null(find_row(two, "dirty-log")->pages_found.note);
	assert_null(find_row(two, "abit")->pages_total.note);
}

/* --- against the reference ----------------------------------------------------- */

/* @n passes of @samples that scatter a little around @cost each. */
static KxWindow *add_even(KxVmReport *v, const char *tracker, guint n, double samples, double cost)
{
	KxWindow *w = add_window(v, tracker, "o", S);

	for (guint i = 0; i < n; i++) {
		const double pass[][2] = { { samples * (cost + (i % 2 ? 1 : -1)), samples } };

		add_passes(w, pass, 1);
	}
	w->sample_pages = w->samples;
	return w;
}

/* Whether the text has these words, wherever lines are folded. */
static gboolean says(const char *text, const char *words)
{
	g_autoptr(GRegex) folds = g_regex_new("\\n +", 0, 0, NULL);
	g_autofree char *whole = g_regex_replace_literal(folds, text, -1, 0, " ", 0, NULL);

	return strstr(whole, words) != NULL;
}

/* A sample of one row is a 2M leaf, of the other a page: the first costs more per sample, but less per page. */
static void test_ratio_by_page(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	KxWindow *w;
	KxRow *row;

	for (guint i = 0; i < 2; i++) {
		w = add_even(v, "abit", 20, 10, 1000);
		w->sample_pages = w->samples * 512;
		add_even(v, "dirty-log", 20, 1000, 10);
	}
	w = add_even(v, "abit-flush", 20, 10, 20);
	w->has_regions = TRUE;
	rows = kx_vm_rows(v, "dirty-log");
	row = find_row(rows, "abit");
	near(row->cost_vs_reference.value, 100, "by sample");
	near(row->cost_vs_reference.high, 100, "windows took turns and were the same each time");
	near(row->cost_per_page_vs_reference.value, 100.0 / 512, "by page");
	near(row->cost_per_page_vs_reference.high, row->cost_vs_reference.high / 512, "its end");
	is_na(&row->guest_cost_per_page_vs_reference, "the tracker does not run in the guest");
	row = find_row(rows, "dirty-log");
	near(row->cost_per_page_vs_reference.value, 1, "the reference itself");
	row = find_row(rows, "abit-flush");
	near(row->cost_vs_reference.value, 2, "of a check");
	assert_true(isnan(row->cost_vs_reference.high));
	is_na(&row->cost_per_page_vs_reference, "regions: one page stands for all of its region");
	print_sentences(rows, "dirty-log", text);
	if (!says(text->str, "A sample of abit costs 100 times one of dirty-log [95 % interval ") ||
	    !says(text->str,
		  "] (a sample of abit covers 512 pages; per page the ratio is 0.195).") ||
	    !says(text->str, "A sample of abit-flush costs 2.00 times one of dirty-log [not "
			     "interleaved: the windows of the two did not take turns, so what "
			     "changed with time is part of the ratio]."))
		fail_msg("%s", text->str);
}

/* The reference is the row that was named, even if another row is cheaper; without a reference nothing is compared. */
static void test_reference_is_named(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) none = NULL, dear = NULL, off = NULL, two = NULL;
	g_autoptr(GString) text = g_string_new(NULL);

	add_window(v, "off", "", S);
	add_even(v, "abit", 20, 10, 1000);
	add_even(v, "abit-flush", 20, 10, 10);
	none = kx_vm_rows(v, NULL);
	is_na(&find_row(none, "abit")->cost_vs_reference, "no reference was named (--reference)");
	print_sentences(none, NULL, text);
	assert_string_equal(text->str, "");
	dear = kx_vm_rows(v, "abit");
	near(find_row(dear, "abit-flush")->cost_vs_reference.value, 0.01, "against the dear one");
	assert_true(find_row(dear, "abit")->is_reference);
	off = kx_vm_rows(v, "off");
	is_na(&find_row(off, "abit")->cost_vs_reference, "of the reference: off takes no samples");
	print_sentences(off, "off", text);
	assert_true(says(text->str, "Costs are not compared with off: off takes no samples."));

	/* by its number, if two rows have the tracker's name */
	add_window(v, "abit", "other", S);
	two = kx_vm_rows(v, "abit");
	is_na(&find_row(two, "abit-flush")->cost_vs_reference, "no row is called 'abit'");
	assert_int_equal(kx_row_called(two, "abit #2"), 3);
	assert_int_equal(kx_row_called(two, "off"), 0);
	print_sentences(two, "ab\nit", text);
	assert_null(strstr(text->str, "ab\nit"));
}

/* A row with too few samples is not compared, and is no reference, however cheap it looks. */
static void test_too_few_to_compare(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, few = NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	KxRow *row;

	add_even(v, "abit", 2, 1, 2);
	add_even(v, "abit-flush", 4, 100, 2);
	add_even(v, "trap", 29, 1, 2);
	add_even(v, "ept-walk", 5, 6, 100);
	add_even(v, "dirty-log", 5, 6, 200);
	rows = kx_vm_rows(v, "ept-walk");
	row = find_row(rows, "abit");
	is_na(&row->cost_vs_reference,
	      "too few samples to compare: 2 in 2 passes, and at least 30 in 5 are needed");
	is_na(&row->cost_per_page_vs_reference,
	      "too few samples to compare: 2 in 2 passes, and at least 30 in 5 are needed");
	assert_null(row->cost_per_sample_ns.na);
	is_na(&find_row(rows, "abit-flush")->cost_vs_reference,
	      "too few samples to compare: 400 in 4 passes, and at least 30 in 5 are needed");
	is_na(&find_row(rows, "trap")->cost_vs_reference,
	      "too few samples to compare: 29 in 29 passes, and at least 30 in 5 are needed");
	near(find_row(rows, "ept-walk")->cost_vs_reference.value, 1, "the reference itself");
	assert_null(find_row(rows, "dirty-log")->cost_vs_reference.na);
	print_sentences(rows, "ept-walk", text);
	assert_true(says(text->str, " abit: too few samples to compare: 2 in 2 passes, "));
	assert_true(says(text->str, "A sample of dirty-log costs 2.00 times one of ept-walk ["));
	assert_false(says(text->str, "A sample of abit"));
	few = kx_vm_rows(v, "abit");
	is_na(&find_row(few, "dirty-log")->cost_vs_reference,
	      "too few samples of the reference to compare: 2 in 2 passes, and at least 30 in 5 "
	      "are needed");
}

/* --- losses ------------------------------------------------------------------- */

/* Each figure that is wrong because of a loss has a footnote, and no other figure has one. */
static void test_losses_are_marked(void **state)
{
	static const double passes[][2] = { { 100, 10 }, { 220, 20 }, { 270, 30 } };
	static const char pages[] = "without 6 of 60 samples, which were lost";
	static const char cost[] = "with 6 of 60 samples that were lost, and cost less than others";
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, fewer = NULL;
	KxWindow *w = add_window(v, "abit", "o", S);
	KxRow *row;

	add_passes(w, passes, 3);
	w->lost_samples = 6;
	w->found_pages = 50;
	add_passes(add_window(v, "abit-flush", "o", S), passes, 3);
	rows = kx_vm_rows(v, NULL);
	row = find_row(rows, "abit");
	assert_string_equal(row->cost_per_sample_ns.note, cost);
	assert_string_equal(row->total_cost_per_sample_ns.note, cost);
	assert_string_equal(row->pages_found.note, pages);
	assert_null(row->samples_per_s.note);
	assert_null(row->cpu_percent.note);
	row = find_row(rows, "abit-flush");
	assert_null(row->cost_per_sample_ns.note);
	assert_null(row->pages_found.note);

	w->lost_samples = 0;
	w->passes = 5; /* two of them left no record */
	fewer = kx_vm_rows(v, NULL);
	row = find_row(fewer, "abit");
	assert_string_equal(row->cost_per_sample_ns.note,
			    "from 3 of 5 passes: the records of the others were lost");
	assert_non_null(row->pages_found.note);
}

/* --- parts ----------------------------------------------------------------- */

static void add_pairs(KxWindow *w, const double (*pairs)[2], guint n)
{
	w->has_staleness = TRUE;
	w->stale_pairs += n;
	for (guint i = 0; i < n; i++) {
		double p = pairs[i][0], k = pairs[i][1];

		w->stale_p += p;
		w->stale_k += k;
		w->stale_p2 += p * p;
		w->stale_k2 += k * k;
		w->stale_cross += p * k;
	}
}

/*
 * Pairs (80, 100) (90, 110) (70, 90): r = 240/300 = 0.8. Residuals p - r k: 0, 2, -2; their squares sum to 8.
 * se = sqrt(3/2 · 8) / 300 = 0.0115470; t(0.975, 2) = 4.3026527; half = 0.0496828.
 */
static void test_missed(void **state)
{
	static const double first[][2] = { { 80, 100 } }, second[][2] = { { 90, 110 }, { 70, 90 } };
	static const double passes[][2] = { { 100, 10 }, { 220, 20 }, { 300, 30 } };
	static const char why[] = "measured with staleness, whose control flushes after each page";
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	const KxRow *row;
	KxWindow *w;

	add_passes(add_window(v, "abit", "interval=1s granularity=4K", S), passes, 3);
	w = add_window(v, "abit", "interval=1s granularity=4K staleness=yes", S);
	add_passes(w, passes, 3);
	add_pairs(w, first, 1);
	w->stale_dropped = 2;
	w = add_window(v, "abit", "interval=1s granularity=4K staleness=yes", S);
	add_passes(w, passes, 3);
	add_pairs(w, second, 2);
	replace(&w->exits_na, NULL);
	w->exits = 1000;
	/* others: another interval, another tracker */
	add_passes(add_window(v, "abit", "interval=2s granularity=4K", S), passes, 3);
	add_passes(add_window(v, "abit-flush", "interval=1s granularity=4K", S), passes, 3);
	rows = kx_vm_rows(v, NULL);
	assert_int_equal(rows->len, 4);

	row = rows->pdata[1];
	near(row->missed.value, 0.2, "missed");
	near(row->missed.low, 0.2 - 0.0496828, "low");
	near(row->missed.high, 0.2 + 0.0496828, "high");
	assert_int_equal(row->missed.n, 3);
	near(row->missed_dropped.value, 2, "dropped");
	assert_int_equal(row->missed_by, 1);
	is_na(&row->cost_per_sample_ns, why);
	is_na(&row->total_cost_per_sample_ns, why);
	is_na(&row->cost_vs_reference, why);
	is_na(&row->cpu_percent, why);
	is_na(&row->exits_per_s, why);
	is_na(&row->exits_vs_off, why);
	is_na(&row->pass_mean_ns, why);
	is_na(&row->flushes_per_s, why);
	near(row->samples.value, 120, "samples stay");

	row = rows->pdata[0];
	near(row->missed.value, 0.2, "lent to the same setting");
	assert_int_equal(row->missed.n, 3);
	assert_int_equal(row->missed_by, 1);
	assert_null(row->cost_per_sample_ns.na);
	is_na(&((KxRow *)rows->pdata[2])->missed, "not measured for this setting: set staleness");
	is_na(&((KxRow *)rows->pdata[3])->missed, "not measured for this setting: set staleness");
}

static void test_missed_not_available(void **state)
{
	static const double one[][2] = { { 80, 100 } }, none[][2] = { { 5, 0 }, { 0, 0 } },
			    more[][2] = { { 101, 100 }, { 103, 100 } };
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;

	add_window(v, "abit", "a staleness=yes", S)->has_staleness = TRUE;
	add_pairs(add_window(v, "abit", "b staleness=yes", S), one, 1);
	add_pairs(add_window(v, "abit", "c staleness=yes", S), none, 2);
	add_pairs(add_window(v, "abit", "d staleness=yes", S), more, 2);
	rows = kx_vm_rows(v, NULL);
	is_na(&((KxRow *)rows->pdata[0])->missed, "no pair of passes was completed");
	is_na(&((KxRow *)rows->pdata[1])->missed, "only one pair of passes");
	is_na(&((KxRow *)rows->pdata[2])->missed, "the control found no page accessed");
	/* more than the control by chance: below 0, and said so */
	near(((KxRow *)rows->pdata[3])->missed.value, -0.02, "below 0");
	assert_true(((KxRow *)rows->pdata[3])->missed.low < -0.02);
}

static void test_walk(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, notes = NULL;
	const KxRow *row;

	for (guint i = 0; i < 2; i++) {
		KxWindow *w = add_window(v, "ept-walk", "o", S);

		w->passes = 9; /* and a priming pass */
		w->has_walk = TRUE;
		w->walk_tables_read = 40;
		w->walk_subtrees_skipped = 20;
		w->walk_pages_skipped = 10240;
		w->walk_holds = 10 * i;
		w->walk_hold_ns = 5000 * i;
		w->walk_max_hold_ns = 900 * i;
		w->walk_upper_restored = i;
		w->walk_nested = i == 1;
	}
	add_window(v, "abit", "o", S)->passes = 1;
	rows = kx_vm_rows(v, NULL);
	row = rows->pdata[0];
	near(row->walk_tables_per_pass.value, 4, "tables");
	near(row->walk_subtrees_per_pass.value, 2, "subtrees");
	near(row->walk_pages_skipped_per_pass.value, 1024, "pages skipped");
	near(row->walk_hold_mean_ns.value, 500, "mean hold");
	near(row->walk_hold_max_ns.value, 900, "longest hold");
	near(row->walk_restored.value, 1, "restored");
	notes = kx_vm_notes(v, rows);
	assert_int_equal(without_blind(notes), 1);
	assert_non_null(strstr(notes->pdata[0], "NESTED GUESTS WERE SEEN"));
	assert_non_null(strstr(notes->pdata[0], "(L2) are missing from what ept-walk found"));
	row = rows->pdata[1];
	is_na(&row->walk_tables_per_pass, "only ept-walk walks the page table");
}

static void test_regions(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL;
	const KxRow *row;

	for (guint i = 0; i < 2; i++) {
		KxWindow *w = add_window(v, "abit", "regions=1:100", S);

		w->passes = 10;
		w->has_regions = TRUE;
		w->regions_max = 100;
		w->regions_now = 50 + i;
		w->regions_checks = 400;
		w->regions_max_checks = 90 - i;
		w->regions_aggregations = 3;
		w->regions_splits = 5;
		w->regions_na = g_strdup("no aggregation was completed");
		replace(&w->truth_na, NULL);
	}
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	near(row->regions_now.value, 51, "of the last window");
	near(row->regions_checks_per_pass.value, 40, "checks per pass");
	near(row->regions_max_checks.value, 90, "most");
	near(row->regions_limit.value, 100, "limit");
	near(row->regions_aggregations.value, 6, "aggregations");
	is_na(&row->recall, "regions: one page stands for all of its region");
	is_na(&row->pages_found, "regions: one page stands for all of its region");
	assert_null(row->regions);
	assert_string_equal(row->regions_na, "no aggregation was completed");
}

/* DAMON's regions are found as a whole; figures that DAMON does not report are n/a and not 0. */
static void test_aggregates(void **state)
{
	static const char why[] =
		"DAMON reports how often regions were accessed, not its checks, splits and merges";
	static const double two[][2] = { { 100, 10 }, { 220, 20 } };
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	KxWindow *w = add_window(v, "damon", "interval=5ms", S);
	g_autoptr(GPtrArray) rows = NULL;
	KxRow *row;

	add_passes(w, two, 2);
	w->has_regions = TRUE;
	w->regions_max = 1000;
	w->regions_now = 30;
	w->regions_aggregations = 2;
	w->found_pages = 512;
	w->truth_touched = 100;
	w->truth_hit = 80;
	w->truth_found = 160;
	w->truth_true = 80;
	replace(&w->truth_na, NULL);
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	near(row->regions_now.value, 30, "regions");
	near(row->regions_aggregations.value, 2, "aggregations");
	near(row->cost_per_sample_ns.value, 320.0 / 30, "cost");
	is_na(&row->regions_checks_per_pass, why);
	is_na(&row->regions_max_checks, why);
	is_na(&row->regions_splits, why);
	is_na(&row->regions_merges, why);
	is_na(&row->pages_total, why);
	near(row->pages_found.value, 512, "pages of regions with accesses");
	near(row->recall.value, 0.8, "recall");
	near(row->precision.value, 0.5, "precision");
	near(row->flushes_per_s.value, 0, "DAMON flushes nothing");
}

static void test_regions_ranked(void **state)
{
	static const KxRegion list[] = {
		{ 0, 10, 0, 5, 1 }, { 10, 10, 0, 9, 0 }, { 20, 30, 0, 9, 0 }, { 50, 10, 0, 5, 7 }
	};
	static const guint64 order[] = { 20, 10, 50, 0 };
	g_autoptr(KxRegions) r = kx_regions_new();
	g_autoptr(GArray) ranked = NULL;

	g_array_append_vals(r->list, list, G_N_ELEMENTS(list));
	ranked = kx_regions_ranked(r);
	for (guint i = 0; i < G_N_ELEMENTS(order); i++)
		assert_int_equal(g_array_index(ranked, KxRegion, i).gfn, order[i]);
	assert_int_equal(g_array_index(r->list, KxRegion, 0).gfn, 0);
}

static void test_trap(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, over = NULL, notes = NULL;
	const KxRow *row;
	KxWindow *w;

	for (guint i = 0; i < 2; i++) {
		w = add_window(v, "trap", "pages=all", 2 * S);
		w->passes = w->samples = w->trap_faults = 100;
		w->has_trap = TRUE;
		w->trap_faults_budget = 100;
		w->trap_time_budget_ppm = 10000;
		w->trap_eligible = 4000 + i;
		w->trap_armed = 60 + i;
		w->trap_armings = 150;
		w->trap_zap_ns = 300000;
		w->trap_fault_ns = 90000;
		w->trap_timed_faults = 90;
		w->trap_max_faults_per_s = 95 + 20 * i;
		w->trap_max_time_ppm = 5000 + 1000 * i;
		w->trap_reads = 70;
		w->trap_lost = 3;
		w->trap_listened_ns = 3 * S / 4;
		w->trap_idle = 20;
		w->trap_late_faults = 4 + i;
		w->truth_touched = w->truth_hit = 5;
		replace(&w->truth_na, NULL);
	}
	rows = kx_vm_rows(v, NULL);
	row = only_row(rows);
	near(row->trap_faults_per_s.value, 50, "faults per s");
	near(row->trap_max_faults_per_s.value, 115, "most");
	near(row->trap_budget_faults_per_s.value, 100, "budget");
	near(row->trap_ns_per_fault.value, 1000, "time per fault");
	near(row->trap_max_vcpu_percent.value, 0.6, "vCPU time");
	near(row->trap_budget_vcpu_percent.value, 1, "its budget");
	near(row->trap_armed.value, 61, "armed");
	near(row->trap_zap_ns_per_page.value, 2000, "arming");
	near(row->trap_reads.value, 140, "reads");
	near(row->trap_listened_seconds.value, 1.5, "listened");
	near(row->trap_idle.value, 40, "not accessed");
	near(row->trap_late_faults.value, 9, "late");
	is_na(&row->recall, "traps: only pages that are armed can be found");
	w = v->windows->pdata[0];
	w->trap_max_time_ppm = 20000;
	w->trap_listened_ns_na =
		g_strdup("not in the report"); /* a part of the sum is not the sum */
	over = kx_vm_rows(v, NULL);
	is_na(&only_row(over)->trap_listened_seconds, "not in the report");
	notes = kx_vm_notes(v, over);
	assert_int_equal(without_blind(notes), 4);
	assert_non_null(strstr(notes->pdata[2],
			       "faults took 2.00 % of the vCPUs' time; the budget is 1.00 %"));
	g_ptr_array_unref(notes);
	notes = kx_vm_notes(v, rows);
	assert_int_equal(without_blind(notes), 3);
	assert_non_null(strstr(notes->pdata[0], "The vCPU spends the time of the fault"));
	assert_non_null(strstr(notes->pdata[1], "for 6 of its faults there was no room"));
	assert_non_null(strstr(notes->pdata[2], "OVER ITS BUDGET: 115 faults"));
}

static gboolean any_says(const GPtrArray *notes, const char *one, const char *two)
{
	for (guint i = 0; i < notes->len; i++) {
		if (strstr(notes->pdata[i], one) && strstr(notes->pdata[i], two))
			return TRUE;
	}
	return FALSE;
}

/* The notes about blind spots name the trackers that ran. */
static void test_blind(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new(), off = kx_vm_report_new();
	g_autoptr(GPtrArray) rows = NULL, notes = NULL, none = NULL, no_notes = NULL;

	add_window(v, "off", "", S);
	add_window(v, "abit", "o", S);
	add_window(v, "abit", "p", S);
	add_window(v, "dirty-log", "o", S);
	rows = kx_vm_rows(v, NULL);
	notes = kx_vm_notes(v, rows);
	assert_true(any_says(notes, "Not seen by any tracker here: ", "VFIO"));
	assert_true(any_says(notes, "Not seen by any tracker here: ", "vhost"));
	assert_true(any_says(notes, "Not seen by abit: ", "paravirtual clocks"));
	assert_true(any_says(notes, "Not seen by dirty-log: ", "only read"));
	assert_false(any_says(notes, "Not seen by", "L2"));
	add_window(off, "off", "", S);
	none = kx_vm_rows(off, NULL);
	no_notes = kx_vm_notes(off, none);
	assert_int_equal(no_notes->len, 0);
}

/* Every tracker that finds something has its blind spots in its row, and every blind spot belongs to some tracker. */
static void test_blind_table(void **state)
{
	guint all = 0;

	for (const KxTrackerRow *t = kx_trackers; t->name; t++) {
		all |= t->blind;
		if ((t->can & KX_CAN_FIND) && !(t->blind & KX_BLIND_DMA))
			fail_msg("%s sees DMA?", t->name);
	}
	for (const KxBlindSpot *s = kx_blind_spots; s->what; s++) {
		g_autofree char *names = kx_blind_trackers(s->bit);

		if (!(all & s->bit))
			fail_msg("nobody is blind to %s", s->what);
		all &= ~s->bit;
		assert_true(!names || *names);
	}
	assert_int_equal(all, 0);
}

static void test_labels(void **state)
{
	g_autofree char *pml = kx_tracker_label("dirty-log", "pml");
	g_autofree char *plain = kx_tracker_label("abit", NULL);
	g_autofree char *unknown = kx_tracker_label("dirty-log", "unknown");

	assert_string_equal(pml, "dirty-log (pml)");
	assert_string_equal(plain, "abit");
	assert_string_equal(unknown, "dirty-log");
}

/* --- simulation ------------------------------------------------------------ */

/* A sum of uniform numbers: bounded and symmetric, which is good enough beside a skewed multiplier. */
static double noise(GRand *rand)
{
	double sum = 0;

	for (int i = 0; i < 12; i++)
		sum += g_rand_double(rand);
	return sum - 6;
}

/* Cost = 400 ns a sample and 50 us a pass, with scatter; samples vary from pass to pass. True ratio: E c / E s. */
static gboolean covered(GRand *rand, guint n)
{
	const double truth = 400 + 50000.0 / 1000;
	KxRatioSums sums = { 0 };
	double r, se;

	for (guint i = 0; i < n; i++) {
		double samples = 1000 + 200 * noise(rand);
		double cost = 50000 + samples * (400 + 30 * noise(rand));

		kx_ratio_add(&sums, cost, samples);
	}
	assert_true(kx_ratio_estimate(&sums, &r, &se));
	return fabs(r - truth) <= kx_t_quantile(n - 1) * se;
}

static void test_coverage(void **state)
{
	static const guint sizes[] = { 5, 20, 100 };
	GRand *rand = g_rand_new_with_seed(20261121);

	for (guint k = 0; k < G_N_ELEMENTS(sizes); k++) {
		guint hits = 0, runs = 4000;
		double share;

		for (guint i = 0; i < runs; i++)
			hits += covered(rand, sizes[k]);
		share = (double)hits / runs;
		print_message("%u passes: covered in %.2f %% of %u runs\n", sizes[k], share * 100,
			      runs);
		/* linearisation is a little narrow with very few passes */
		assert_true(share > (sizes[k] < 10 ? 0.92 : 0.935) && share < 0.965);
	}
	g_rand_free(rand);
}

static void test_estimator_edges(void **state)
{
	KxRatioSums s = { 0 };
	double r, se;

	assert_false(kx_ratio_estimate(&s, &r, &se));
	kx_ratio_add(&s, 5, 0);
	assert_false(kx_ratio_estimate(&s, &r, &se));
	kx_ratio_add(&s, 5, 2);
	assert_true(kx_ratio_estimate(&s, &r, &se));
	near(r, 5, "r");
	assert_true(se > 0);
	/* exactly proportional: rounding must not give a negative variance */
	s = (KxRatioSums){ 0 };
	for (int i = 1; i < 1000; i++)
		kx_ratio_add(&s, i * 1e9 / 3, i * 1e5);
	assert_true(kx_ratio_estimate(&s, &r, &se));
	assert_true(se >= 0 && se < 1e-3 * r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_cost_per_sample),
		cmocka_unit_test(test_correlation),
		cmocka_unit_test(test_not_available),
		cmocka_unit_test(test_dirty_rate),
		cmocka_unit_test(test_pages_by_age),
		cmocka_unit_test(test_dirty_rate_without_results),
		cmocka_unit_test(test_kernel_flushes),
		cmocka_unit_test(test_against_off),
		cmocka_unit_test(test_ratio_interval),
		cmocka_unit_test(test_drift_is_no_effect),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_no_off),
		cmocka_unit_test(test_rates_and_times),
		cmocka_unit_test(test_truth),
		cmocka_unit_test(test_truth_of_writes),
		cmocka_unit_test(test_truth_of_candidates),
		cmocka_unit_test(test_truth_of_accesses),
		cmocka_unit_test(test_truth_of_ranges),
		cmocka_unit_test(test_truth_without_writes),
		cmocka_unit_test(test_every_tracker_sees),
		cmocka_unit_test(test_footnotes),
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_estimator_edges),
		cmocka_unit_test(test_log_costs),
		cmocka_unit_test(test_log_not_available),
		cmocka_unit_test(test_guest_costs_apart),
		cmocka_unit_test(test_guest_without_samples),
		cmocka_unit_test(test_address_spaces_are_marked),
		cmocka_unit_test(test_ratio_by_page),
		cmocka_unit_test(test_reference_is_named),
		cmocka_unit_test(test_too_few_to_compare),
		cmocka_unit_test(test_losses_are_marked),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_paused_all_the_time),
		cmocka_unit_test(test_pauses_unknown),
		cmocka_unit_test(test_yielded),
		cmocka_unit_test(test_missed),
		cmocka_unit_test(test_missed_not_available),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_regions),
		cmocka_unit_test(test_aggregates),
		cmocka_unit_test(test_regions_ranked),
		cmocka_unit_test(test_trap),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_blind),
		cmocka_unit_test(test_blind_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
