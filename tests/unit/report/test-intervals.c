// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether the intervals of a report keep what they promise: records of made-up passes, whose true cost per sample is known, go
 * through account, model and figures; and windows of made-up rates through the ratio to off. A thousand experiments of each kind,
 * with fixed seeds.
 *
 * What it cannot show: costs whose scatter is far from normal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>

#include "account/account.h"
#include "report/json.h"
#include "report/row.h"

#define EXPERIMENTS 1000u
#define S	    1000000000ull
#define TRUTH	    3000.0 /* ns for each sample */
#define NOISE	    25000.0 /* standard deviation of a pass, which takes 150000 ns at least without it */

/* --- cost per sample -------------------------------------------------------------------------------------------------- */

typedef struct {
	gdouble rho; /* between the costs of passes that follow each other */
	guint passes, windows;
	guint least, most; /* intervals of EXPERIMENTS that cover */
} Case;

/* A window of passes: the number of samples varies, and the rest of a pass's cost is an AR(1) series. */
static void run_window(KxAccount *a, gsl_rng *rng, const Case *c, guint64 epoch)
{
	const KxSetting setting = {
		.tracker = "abit", .options = "", .epoch = epoch, .last_gfn = 1
	};
	const KxInstant now = { 0, epoch * 10000 * S };
	g_autoptr(KxVmCounters) none = kx_vm_counters_unavailable("not read");
	struct kvm_ext_stats st = { .passes = c->passes };
	guint64 id = kx_account_open(a, &setting, none, now);
	gdouble noise = gsl_ran_gaussian_ziggurat(rng, NOISE);

	for (guint64 pass = 0; pass <= c->passes; pass++) {
		const struct kvm_ext_rec_pass_begin begin = { .epoch = epoch, .pass = pass };
		struct kvm_ext_rec_pass_end end = { .pass = pass,
						    .wall_ns = 1,
						    .time_ns = now.monotonic_ns + pass * S };

		end.h.flags = pass ? 0 : KVM_EXT_PASS_PRIME;
		end.samples = 50 + gsl_rng_uniform_int(rng, 101);
		end.cpu_ns = (guint64)fmax(0, TRUTH * (gdouble)end.samples + noise);
		noise = c->rho * noise +
			gsl_ran_gaussian_ziggurat(rng, NOISE * sqrt(1 - c->rho * c->rho));
		kx_account_sink.pass_begin(a, &begin);
		kx_account_sink.pass_end(a, &end);
		st.samples += end.samples;
	}
	kx_account_close(a, id, &st, none,
			 (KxInstant){ 0, now.monotonic_ns + (c->passes + 1) * S });
}

static KxReport *make_up(gsl_rng *rng, const Case *c)
{
	g_autoptr(KxAccount) a = kx_account_new();
	KxReport *r = kx_report_new();
	KxVmReport *v = kx_vm_report_new();

	for (guint i = 0; i < c->windows; i++)
		run_window(a, rng, c, i + 1);
	v->name = g_strdup("vm");
	kx_account_windows(a, v->windows, NULL, NULL, (KxInstant){ 0, 0 });
	g_ptr_array_add(r->vms, v);
	return r;
}

/* The only row; @rows owns it. */
static const KxRow *row_of(const KxReport *r, GPtrArray **rows)
{
	*rows = kx_vm_rows(r->vms->pdata[0], NULL);
	assert_int_equal((*rows)->len, 1);
	return (*rows)->pdata[0];
}

/* A report that was saved and read again has the same figures. */
static void check_saved(const KxReport *r, const KxRow *row)
{
	g_autofree char *json = kx_report_to_json(r);
	g_autoptr(KxReport) back = kx_report_from_json(json, NULL);
	g_autoptr(GPtrArray) rows = NULL;
	const KxRow *again;

	assert_non_null(back);
	again = row_of(back, &rows);
	assert_true(again->cost_per_sample_ns.low == row->cost_per_sample_ns.low);
	assert_true(again->cost_per_sample_ns.high == row->cost_per_sample_ns.high);
	assert_true(again->cost_lag1.value == row->cost_lag1.value);
	assert_true(again->cost_effective_n.value == row->cost_effective_n.value);
}

static void check(const Case *c)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	guint covered = 0;
	gdouble lag1 = 0, effective = 0;

	for (guint i = 0; i < EXPERIMENTS; i++) {
		g_autoptr(KxReport) r = make_up(rng, c);
		g_autoptr(GPtrArray) rows = NULL;
		const KxRow *row = row_of(r, &rows);
		const KxFigure *f = &row->cost_per_sample_ns;

		assert_null(f->na);
		assert_null(f->note);
		assert_int_equal(f->n, c->passes * c->windows);
		covered += f->low <= TRUTH && TRUTH <= f->high;
		lag1 += row->cost_lag1.value / EXPERIMENTS;
		effective += row->cost_effective_n.value / EXPERIMENTS;
		if (!i)
			check_saved(r, row);
	}
	gsl_rng_free(rng);
	print_message(
		"rho %.1f, %u windows of %u passes: %u of %u cover; lag 1 %.2f, effective n %.0f\n",
		c->rho, c->windows, c->passes, covered, EXPERIMENTS, lag1, effective);
	assert_in_range(covered, c->least, c->most);
	assert_true(fabs(lag1 - c->rho) < 0.1);
}

static void costs_cover(void **state)
{
	static const Case cases[] = {
		{ 0, 50, 1, 930, 985 },	   { 0, 300, 1, 930, 985 },    { 0, 50, 3, 930, 985 },
		{ 0.8, 300, 1, 920, 975 }, { 0.8, 1000, 1, 930, 980 }, { 0.8, 100, 3, 920, 975 },
		{ 0.8, 100, 6, 930, 970 },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
		check(&cases[i]);
}

/* --- against off ------------------------------------------------------------------------------------------------------ */

/* Exits per second of a window: they drift by a share per window, and scatter by 3 %. */
static void add_window(KxVmReport *v, gsl_rng *rng, const char *tracker, gdouble rate)
{
	KxWindow *w = kx_window_new();
	gdouble drift = pow(1.03, v->windows->len);

	w->id = v->windows->len + 1;
	w->tracker = g_strdup(tracker);
	w->options = g_strdup("");
	w->duration_ns = S;
	w->exits = (guint64)(rate * drift * exp(gsl_ran_gaussian_ziggurat(rng, 0.03)));
	g_ptr_array_add(v->windows, w);
}

static void check_ratio(const char *what, const char *const *order, guint rounds, gdouble truth)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	guint covered = 0;

	for (guint i = 0; i < EXPERIMENTS; i++) {
		g_autoptr(KxVmReport) v = kx_vm_report_new();
		g_autoptr(GPtrArray) rows = NULL;

		for (guint round = 0; round < rounds; round++) {
			for (guint k = 0; order[k]; k++)
				add_window(v, rng, order[k],
					   1e6 * (g_str_equal(order[k], "abit") ? truth : 1));
		}
		rows = kx_vm_rows(v, NULL);
		for (guint k = 0; k < rows->len; k++) {
			const KxRow *row = rows->pdata[k];

			if (g_str_equal(row->tracker, "abit"))
				covered += row->exits_vs_off.low <= truth &&
					   truth <= row->exits_vs_off.high;
		}
	}
	gsl_rng_free(rng);
	print_message("%s, %u rounds: %u of %u cover\n", what, rounds, covered, EXPERIMENTS);
	assert_in_range(covered, 930, 970);
}

static void ratios_cover(void **state)
{
	static const char *const turns[] = { "off", "abit", NULL };
	static const char *const others[] = { "off", "trap", "abit", "ept-walk", NULL };
	static const char *const turned[] = { "off", "abit", "abit", "off", NULL };

	check_ratio("off and abit", turns, 2, 1.2);
	check_ratio("off and abit", turns, 8, 1);
	check_ratio("others between them", others, 5, 1.2);
	check_ratio("the order turned each time", turned, 4, 1.2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(costs_cover),
		cmocka_unit_test(ratios_cover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
