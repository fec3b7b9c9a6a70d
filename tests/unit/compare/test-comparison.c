// SPDX-License-Identifier: GPL-2.0-or-later
/* The conclusions from the windows of a comparison; and that writing and reading JSON loses nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "compare/comparison.h"
#include "compare/design.h"
#include "compare/reasons.h"
#include "vm/environment.h"

enum {
	OFF,
	ABIT,
	WALK,
	SETTINGS
};

#define ROUNDS 12u
#define VMS    2u

/* The guest's speed under each setting; samples, host's time and guest's share of what is wanted follow from them. */
static const double speed[SETTINGS] = { 1, 0.8, 1 };

static double noise(guint vm, guint round, guint k)
{
	return 1 + 0.004 * (double)((vm * 37 + round * 11 + k * 7) % 5) - 0.008;
}

static KxStretch *stretch(guint vm, guint round, guint k)
{
	KxStretch *s = kx_stretch_new();
	double drift = 1 + 0.01 * round; /* of the machine: hits all settings of a round */

	s->window = round * SETTINGS + k + 1;
	s->run_ns = 2e9;
	s->vcpu_run_ns = 1.8e9;
	s->vcpu_steal_ns = 0;
	s->exits = 1000;
	s->progress = 1e6 * speed[k] * drift * noise(vm, round, k);
	s->passes = k == OFF ? 0 : 8;
	s->samples = k == OFF ? 0 : k == ABIT ? 10000 : 5000;
	s->cpu_ns = k == OFF ? 0 : 1e6;
	s->drain_cpu_ns = k == OFF ? 0 : 1e5;
	s->lost_samples = 0;
	if (k != OFF) {
		s->truth = 1000;
		s->truth_hit = k == ABIT ? 900 : 1000;
	}
	return s;
}

static void assert_near(const KxFigure *f, double want, double by)
{
	if (f->na)
		fail_msg("n/a: %s, where %g is wanted", f->na, want);
	if (fabs(f->value - want) > by)
		fail_msg("%g is not %g +- %g", f->value, want, by);
}

/* A setting that measures a rate has no samples, so it has no cost per sample; all its other figures are compared. */
static void test_rates_have_no_samples(void **state)
{
	g_autoptr(KxComparison) c = kx_comparison_new();
	g_autoptr(GPtrArray) rows = NULL;
	const KxComparedRow *rate;

	c->rounds = 4;
	c->progress = g_strdup("units of work");
	kx_comparison_add_setting(c, "off", "off");
	kx_comparison_add_setting(c, "qemu-dirty-rate", "qemu-dirty-rate:mode=dirty-bitmap");
	kx_comparison_add_vm(c, "vm1");
	for (guint round = 0; round < 4; round++) {
		for (guint k = 0; k < 2; k++) {
			KxStretch *s = stretch(0, round, k);

			s->samples = 0;
			s->vmm_cpu_ns = k ? 1e8 : 2e7;
			kx_comparison_put(c, 0, round, k, s);
		}
	}
	rows = kx_comparison_rows(c, 0);
	rate = rows->pdata[1];
	assert_non_null(strstr(rate->host_ns.na, "neither samples nor pages"));
	assert_non_null(strstr(rate->total_ns.na, "neither samples nor pages"));
	assert_non_null(strstr(rate->recall.na, "neither samples nor pages"));
	assert_non_null(strstr(rate->lost_samples.na, "neither samples nor pages"));
	assert_null(rate->slowdown.na);
	assert_null(rate->host_cpu_percent.na);
	if (fabs(rate->vmm_cpu_percent.value - 5) > 1e-9)
		fail_msg("QEMU's other threads: %g %%", rate->vmm_cpu_percent.value);
}

/* `pml` is another name of dirty-log, and sees what dirty-log sees. */
static void test_other_names_have_recall(void **state)
{
	g_autoptr(KxComparison) c = kx_comparison_new();
	g_autoptr(GPtrArray) rows = NULL;

	c->rounds = 4;
	kx_comparison_add_setting(c, "off", "off");
	kx_comparison_add_setting(c, "pml", "pml:interval=250ms");
	kx_comparison_add_vm(c, "vm1");
	for (guint round = 0; round < 4; round++) {
		for (guint k = 0; k < 2; k++) {
			KxStretch *s = stretch(0, round, k);

			s->found = k ? 40 : NAN;
			s->found_true = k ? 40 : NAN;
			kx_comparison_put(c, 0, round, k, s);
		}
	}
	rows = kx_comparison_rows(c, 0);
	assert_near(&((KxComparedRow *)rows->pdata[1])->recall, 0.9, 1e-9);
	assert_near(&((KxComparedRow *)rows->pdata[1])->precision, 1, 1e-9);
}

/* A trap finds only armed pages, so it has no recall, whatever a log says; its precision is computed from the log. */
static void test_trap_has_only_precision(void **state)
{
	g_autoptr(KxComparison) c = kx_comparison_new();
	g_autoptr(GPtrArray) rows = NULL, walks = NULL;
	const KxComparedRow *trap;

	c->rounds = 4;
	kx_comparison_add_setting(c, "off", "off");
	kx_comparison_add_setting(c, "trap", "trap:pages=hottest:10%");
	kx_comparison_add_setting(c, "ept-walk", "ept-walk");
	kx_comparison_add_vm(c, "vm1");
	for (guint round = 0; round < 4; round++) {
		for (guint k = 0; k < 3; k++) {
			KxStretch *s = stretch(0, round, k);

			s->truth = s->truth_hit = NAN;
			if (k == 1) {
				s->found = 40;
				s->found_true = 30;
			}
			kx_comparison_put(c, 0, round, k, s);
		}
	}
	rows = kx_comparison_rows(c, 0);
	trap = rows->pdata[1];
	assert_string_equal(trap->recall.na, "traps: only pages that are armed can be found");
	assert_near(&trap->precision, 0.75, 1e-9);
	assert_string_equal(((KxComparedRow *)rows->pdata[2])->recall.na,
			    "no workload log says what was touched");
	c->asked.logs = g_strdupv((char *[]){ "vm1.log", NULL });
	walks = kx_comparison_rows(c, 0);
	assert_string_equal(((KxComparedRow *)walks->pdata[2])->recall.na,
			    "no valid epoch of the workload lies inside a window");
}

static gboolean has_text(const GPtrArray *texts, const char *part)
{
	for (guint i = 0; i < texts->len; i++) {
		if (strstr(texts->pdata[i], part))
			return TRUE;
	}
	return FALSE;
}

static KxComparison *comparison(void)
{
	KxComparison *c = kx_comparison_new();

	c->seed = 7;
	c->window_ns = 2000000000;
	c->settle_ns = 500000000;
	c->rounds = ROUNDS;
	c->progress = g_strdup("units of work");
	c->host->kernel = g_strdup("6.1.0");
	c->host->cpu_vendor = g_strdup("a vendor");
	c->host->cpu_model = g_strdup("a CPU");
	c->host->cpus = 2;
	c->host->hardware = g_strdup("virtual");
	c->host->version = g_strdup("0.1.0");
	kx_comparison_add_setting(c, "off", "off");
	kx_comparison_add_setting(c, "abit", "abit:interval=250ms");
	kx_comparison_add_setting(c, "ept-walk", "ept-walk:interval=250ms");
	for (guint vm = 0; vm < VMS; vm++) {
		KxComparedVm *v = kx_comparison_add_vm(c, vm ? "vm2" : "vm1");

		v->pid = 100 + vm;
		v->vcpus = 1;
		v->ram_pages = 65536;
		v->emulated_by = vm ? g_strdup("QEMU TCG") : NULL;
		for (guint round = 0; round < ROUNDS; round++) {
			for (guint k = 0; k < SETTINGS; k++)
				kx_comparison_put(c, vm, round, k, stretch(vm, round, k));
		}
	}
	return c;
}

static void assert_rows(const KxComparison *c, guint vm)
{
	g_autoptr(GPtrArray) rows = kx_comparison_rows(c, vm);
	const KxComparedRow *off = rows->pdata[OFF], *abit = rows->pdata[ABIT];
	const KxComparedRow *walk = rows->pdata[WALK];

	assert_int_equal(rows->len, SETTINGS);
	/* A fifth less done in the same time is a quarter more time for the same work. */
	assert_near(&abit->slowdown, 1.25, 0.01);
	assert_true(abit->slowdown.low < 1.25 && abit->slowdown.high > 1.25);
	assert_true(abit->slowdown.low > 1.23 && abit->slowdown.high < 1.27);
	assert_null(abit->difference);
	assert_near(&walk->slowdown, 1, 0.01);
	assert_non_null(strstr(walk->difference, "no difference found (smaller than "));
	/* host: (1e6 + 1e5) / samples; guest: a fifth less done is a quarter of what would have been needed */
	assert_near(&abit->host_ns, 110, 1e-6);
	assert_near(&walk->host_ns, 220, 1e-6);
	assert_near(&abit->guest_ns, 1.8e9 * 0.2 / 10000, 1000);
	assert_near(&abit->total_ns, abit->host_ns.value + abit->guest_ns.value, 1e-3);
	assert_near(&abit->samples_per_s, 5000, 1e-6);
	assert_near(&abit->recall, 0.9, 1e-9);
	assert_near(&walk->recall, 1, 1e-9);
	assert_near(&off->exits_per_s, 500, 1e-6);
	assert_non_null(off->host_ns.na);
	assert_non_null(abit->precision.na); /* the found pages are not known */
	assert_non_null(abit->guest_cpu_percent.na);
	assert_int_equal(abit->windows, (vm == G_MAXUINT ? VMS : 1) * ROUNDS);
	assert_int_equal(abit->failed, 0);
	assert_false(abit->marked);
}

static void test_rows(void **state)
{
	g_autoptr(KxComparison) c = comparison();

	assert_rows(c, G_MAXUINT);
	assert_rows(c, 0);
	assert_rows(c, 1);
}

/*
 * What each setting adds, for the work that off does in a window: of 2 s, 1 vCPU. abit does a fifth less in that time, which is a
 * quarter more time for the same work, 500 ms: in 1000 exits more, of which 400 for flushes, 240 ms outside of the guest; 80 ms of
 * waiting; nobody knows of the other 180.
 */
static void give_parts(KxComparison *c)
{
	for (guint vm = 0; vm < VMS; vm++) {
		for (guint i = 0; i < ROUNDS * SETTINGS; i++) {
			KxStretch *s =
				(KxStretch *)kx_comparison_at(c, vm, i / SETTINGS, i % SETTINGS);
			const KxStretch *off = kx_comparison_at(c, vm, i / SETTINGS, OFF);
			double work = s->progress / off->progress;

			s->vcpu_run_ns = 1.9e9;
			s->vcpu_steal_ns = 0.02e9 * work;
			s->vcpu_guest_ns = s->vcpu_run_ns - 0.1e9 * work;
			s->exits = 1000 * work;
			s->flush_ipis = 0;
			s->memory_bytes = i % SETTINGS == ABIT ? 3 << 20 : 1 << 20;
			s->tracked_pages = 131072;
			if (i % SETTINGS != ABIT)
				continue;
			s->vcpu_steal_ns += 0.08e9 * work;
			s->vcpu_guest_ns -= 0.24e9 * work;
			s->exits += 1000 * work;
			s->flush_ipis = 400 * work;
		}
	}
}

/* The parts add up exactly. */
static void assert_closes(const KxComparedRow *row)
{
	double sum = row->explained_percent.value + row->unexplained_percent.value;

	if (fabs(sum - (row->slowdown.value - 1) * 100) > 1e-9)
		fail_msg("%s: %.12g, slowdown %.12g", row->label, sum, row->slowdown.value);
	assert_true(row->unexplained_percent.low <= row->unexplained_percent.value);
	assert_true(row->unexplained_percent.high >= row->unexplained_percent.value);
}

#define BUSY 0.96 /* of the reference's window, give_parts() */

static void test_account_closes(void **state)
{
	g_autoptr(KxComparison) c = comparison();
	g_autofree char *text = NULL, *json = NULL;

	give_parts(c);
	/* vCPUs with nothing to do lose nothing */
	((KxComparedVm *)c->vms->pdata[0])->vcpus = 4;
	for (guint vm = 0; vm <= VMS; vm++) {
		g_autoptr(GPtrArray) rows = kx_comparison_rows(c, vm < VMS ? vm : G_MAXUINT);
		const KxComparedRow *abit = rows->pdata[ABIT], *walk = rows->pdata[WALK];

		assert_near(&abit->exits_percent, 12 * 0.6 / BUSY, 1e-6);
		assert_near(&abit->flushes_percent, 12 * 0.4 / BUSY, 1e-6);
		assert_near(&abit->waiting_percent, 4 / BUSY, 1e-6);
		assert_near(&abit->explained_percent, 16 / BUSY, 1e-6);
		assert_near(&abit->unexplained_percent, 9, 1.5);
		assert_near(&abit->ns_per_exit, 240000, 1e-3);
		assert_non_null(abit->samplers_percent.na);
		assert_closes(abit);
		assert_near(&walk->explained_percent, 0, 1e-6);
		assert_string_equal(walk->flushes_percent.na,
				    "there are no more exits than without tracking");
		assert_non_null(walk->ns_per_exit.na);
		assert_closes(walk);
		assert_non_null(((const KxComparedRow *)rows->pdata[OFF])->explained_percent.na);
	}
	text = kx_comparison_to_text(c, 0);
	assert_non_null(strstr(text, "explained + not explained = slowdown - 1"));
	json = kx_comparison_to_json(c);
	assert_non_null(strstr(json, "\"slowdown_unexplained_percent\" : {"));
}

/* A part that cannot be measured is n/a with its reason, and its time is in the unexplained rest; a sampler in the guest is a part. */
static void test_parts_that_are_not_known(void **state)
{
	g_autoptr(KxComparison) c = comparison();
	g_autoptr(GPtrArray) rows = NULL, none = NULL;
	const KxComparedRow *abit, *walk;

	give_parts(c);
	for (guint vm = 0; vm < VMS; vm++) {
		for (guint round = 0; round < ROUNDS; round++) {
			KxStretch *s = (KxStretch *)kx_comparison_at(c, vm, round, ABIT);
			KxStretch *w = (KxStretch *)kx_comparison_at(c, vm, round, WALK);

			s->vcpu_guest_ns = NAN;
			w->guest_cpu_ns = 0.06e9 * w->progress /
					  kx_comparison_at(c, vm, round, OFF)->progress;
		}
	}
	rows = kx_comparison_rows(c, G_MAXUINT);
	abit = rows->pdata[ABIT];
	walk = rows->pdata[WALK];
	assert_string_equal(abit->exits_percent.na,
			    "the time that vCPUs ran outside of the guest is not known");
	assert_string_equal(abit->flushes_percent.na, abit->exits_percent.na);
	assert_string_equal(abit->ns_per_exit.na, abit->exits_percent.na);
	assert_near(&abit->explained_percent, 4 / BUSY, 1e-6);
	assert_closes(abit);
	assert_near(&walk->samplers_percent, 3 / BUSY, 1e-6);
	assert_near(&walk->explained_percent, 3 / BUSY, 1e-6);
	assert_closes(walk);

	/* if the time of a VM's vCPUs is not known, there is nothing to divide by */
	for (guint vm = 0; vm < VMS; vm++) {
		for (guint round = 0; round < ROUNDS; round++)
			((KxStretch *)kx_comparison_at(c, vm, round, OFF))->vcpu_run_ns = NAN;
	}
	none = kx_comparison_rows(c, G_MAXUINT);
	abit = none->pdata[ABIT];
	assert_string_equal(abit->explained_percent.na, "no part of it could be measured");
	assert_non_null(abit->unexplained_percent.na);
}

/*
 * A miss takes 100 ns here: off has 1 of 1000 instructions, 500 ns for each thousand; abit 3, and so 700 ns. The guest's own work is
 * not asked for.
 */
static void give_misses(KxComparison *c, double ns_per_miss)
{
	for (guint vm = 0; vm < VMS; vm++) {
		for (guint i = 0; i < ROUNDS * SETTINGS; i++) {
			KxStretch *s =
				(KxStretch *)kx_comparison_at(c, vm, i / SETTINGS, i % SETTINGS);
			double per_1000 = i % SETTINGS == ABIT ? 3 : 1;

			s->guest_instructions = 4e9;
			s->llc_misses = 4e6 * per_1000;
			s->vcpu_guest_ns = 4e6 * (400 + ns_per_miss * per_1000 +
						  noise(vm, i / SETTINGS, i % SETTINGS));
		}
	}
}

static void test_misses(void **state)
{
	g_autoptr(KxComparison) c = comparison(), none = comparison(), free = comparison();
	g_autoptr(GPtrArray) rows = NULL, uncounted = NULL, for_free = NULL;
	g_autofree char *text = NULL, *why = NULL;
	const KxComparedRow *off, *abit, *walk;

	give_misses(c, 100);
	rows = kx_comparison_rows(c, G_MAXUINT);
	off = rows->pdata[OFF];
	abit = rows->pdata[ABIT];
	walk = rows->pdata[WALK];
	assert_near(&off->llc_per_s, 2e6, 1e-3);
	assert_near(&off->llc_per_1000, 1, 1e-9);
	assert_near(&abit->llc_per_1000, 3, 1e-9);
	assert_near(&abit->llc_slowdown, 700.0 / 500, 0.001);
	assert_near(&walk->llc_slowdown, 1, 1e-9);
	text = kx_comparison_to_text(c, 0);
	assert_non_null(strstr(text, "by misses"));

	/* misses that cost nothing give no expected slowdown */
	give_misses(free, 0);
	for_free = kx_comparison_rows(free, G_MAXUINT);
	abit = for_free->pdata[ABIT];
	assert_near(&abit->llc_per_1000, 3, 1e-9);
	assert_string_equal(
		abit->llc_slowdown.na,
		"the guest's time per instruction does not clearly grow with its misses");

	none->llc_na = g_strdup("there is no PMU");
	uncounted = kx_comparison_rows(none, G_MAXUINT);
	abit = uncounted->pdata[ABIT];
	assert_string_equal(abit->llc_per_s.na, "there is no PMU");
	assert_string_equal(abit->llc_slowdown.na, "there is no PMU");
	why = kx_comparison_to_text(none, 0);
	assert_non_null(strstr(why, "LLC misses/s of all trackers: n/a, there is no PMU"));
	assert_null(strstr(why, "llc_slowdown_estimate"));
}

static void give_no_misses(KxComparison *c, double instructions)
{
	for (guint i = 0; i < VMS * ROUNDS * SETTINGS; i++) {
		KxStretch *s = (KxStretch *)kx_comparison_at(c, i % VMS, i / VMS / SETTINGS,
							     i / VMS % SETTINGS);

		s->llc_misses = 0;
		s->guest_instructions = instructions;
		s->vcpu_guest_ns = 1e9;
	}
}

/* In all settings; the reason has @why. */
static void assert_no_misses(const KxComparison *c, const char *why)
{
	g_autoptr(GPtrArray) rows = kx_comparison_rows(c, G_MAXUINT);

	for (guint k = 0; k < rows->len; k++) {
		const KxComparedRow *row = rows->pdata[k];

		assert_non_null(row->llc_per_s.na);
		assert_non_null(strstr(row->llc_per_s.na, why));
		assert_string_equal(row->llc_per_1000.na, row->llc_per_s.na);
		assert_string_equal(row->llc_slowdown.na, row->llc_per_s.na);
	}
}

/* A PMU that takes the event and counts none of it. Where one window missed once, 0 misses of the others are counted. */
static void test_misses_that_nobody_counts(void **state)
{
	g_autoptr(KxComparison) c = comparison();
	g_autoptr(GPtrArray) counted = NULL;
	g_autofree char *text = NULL;
	const KxComparedRow *abit;

	give_no_misses(c, 2e8);
	assert_no_misses(c, "counts nothing: 0 in all windows");
	text = kx_comparison_to_text(c, 0);
	assert_non_null(strstr(text, "the PMU takes the event"));

	((KxStretch *)kx_comparison_at(c, VMS - 1, 0, OFF))->llc_misses = 1;
	counted = kx_comparison_rows(c, 0);
	abit = counted->pdata[ABIT];
	assert_near(&abit->llc_per_s, 0, 1e-9);
}

/* A PMU that counts no instructions either, and guests that were idle: 0 misses of them say nothing. */
static void test_misses_without_instructions(void **state)
{
	const double few = 0.9e8 / (VMS * ROUNDS * SETTINGS);
	g_autoptr(KxComparison) c = comparison();

	give_no_misses(c, 0);
	assert_no_misses(c, "counts nothing: no instruction");
	for (guint i = 0; i < VMS * ROUNDS * SETTINGS; i++)
		((KxStretch *)kx_comparison_at(c, i % VMS, i / VMS / SETTINGS, i / VMS % SETTINGS))
			->vcpu_guest_ns = NAN;
	assert_no_misses(c, "counts nothing: no instruction");
	/* Nothing ran, so there is nothing that a PMU should have counted. */
	for (guint i = 0; i < VMS * ROUNDS * SETTINGS; i++)
		((KxStretch *)kx_comparison_at(c, i % VMS, i / VMS / SETTINGS, i / VMS % SETTINGS))
			->vcpu_guest_ns = 0;
	assert_no_misses(c, "too little ran");

	give_no_misses(c, few);
	assert_no_misses(c, "too little ran");
}

/* The text with all tables. UPDATE_GOLDEN=1 writes it anew. */
static void test_golden(void **state)
{
	static const guint widths[] = { 100, 200 };
	g_autoptr(KxComparison) c = comparison();

	give_misses(c, 100);
	give_parts(c);
	for (guint i = 0; i < G_N_ELEMENTS(widths); i++) {
		g_autofree char *path = g_strdup_printf("tests/golden/compare.%u.txt", widths[i]);
		g_autofree char *text = kx_comparison_to_text(c, widths[i]), *expected = NULL;

		if (g_getenv("UPDATE_GOLDEN"))
			assert_true(g_file_set_contents(path, text, -1, NULL));
		assert_true(g_file_get_contents(path, &expected, NULL, NULL));
		assert_string_equal(text, expected);
	}
}

/* Memory per tracked GiB; memory of others that is not known is a note; without a figure there is a reason, and no 0. */
static void test_memory(void **state)
{
	g_autoptr(KxComparison) c = comparison(), none = comparison();
	g_autoptr(GPtrArray) rows = NULL, unknown = NULL;
	const KxComparedRow *abit;

	give_parts(c);
	rows = kx_comparison_rows(c, G_MAXUINT);
	abit = rows->pdata[ABIT];
	assert_null(abit->memory_per_gib.na);
	assert_true(abit->memory_per_gib.value == 6 << 20);
	assert_null(abit->memory_per_gib.note);
	unknown = kx_comparison_rows(none, G_MAXUINT);
	abit = unknown->pdata[ABIT];
	assert_string_equal(abit->memory_per_gib.na, "not told");
	g_free(((KxComparedSetting *)c->settings->pdata[ABIT])->text);
	((KxComparedSetting *)c->settings->pdata[ABIT])->text = g_strdup("dirty-log:interval=1s");
	g_ptr_array_unref(g_steal_pointer(&rows));
	rows = kx_comparison_rows(c, G_MAXUINT);
	abit = rows->pdata[ABIT];
	assert_non_null(strstr(abit->memory_per_gib.note, "two bits for each page"));
}

/* Windows that failed are counted, and change no figure of the others. */
static void test_failed_windows(void **state)
{
	g_autoptr(KxComparison) c = comparison();
	g_autoptr(GPtrArray) rows = NULL;
	const KxComparedRow *abit;

	kx_comparison_put(c, 0, 3, ABIT, kx_stretch_failed("the VM did not run"));
	kx_comparison_put(c, 1, 3, ABIT, kx_stretch_failed("the VM did not run"));
	kx_comparison_put(c, 0, 5, OFF, kx_stretch_failed("the VM did not run"));
	rows = kx_comparison_rows(c, G_MAXUINT);
	abit = rows->pdata[ABIT];
	assert_int_equal(abit->windows, VMS * ROUNDS - 2);
	assert_int_equal(abit->failed, 2);
	assert_near(&abit->slowdown, 1.25, 0.01);
	assert_int_equal(abit->slowdown.n, ROUNDS - 1);
	assert_near(&abit->host_ns, 110, 1e-6);
}

/* A setting that did not run has a reason and no numbers; the other settings are unchanged. */
static void test_left_out(void **state)
{
	g_autoptr(KxComparison) c = comparison();
	g_autoptr(GPtrArray) rows = NULL;
	g_autofree char *text = NULL;
	KxComparedRow *trap;

	kx_comparison_add_setting(c, "trap", "trap")->left_out = g_strdup("shadow paging");
	rows = kx_comparison_rows(c, G_MAXUINT);
	assert_int_equal(rows->len, SETTINGS + 1);
	trap = rows->pdata[SETTINGS];
	assert_string_equal(trap->left_out, "shadow paging");
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++)
		assert_non_null(kx_compared_figure(trap, f)->na);
	text = kx_comparison_to_text(c, 0);
	assert_non_null(strstr(text, "trap was left out: shadow paging"));
}

/* Without guest progress there are the host's costs, and no slowdown that is computed from something else. */
static void test_without_progress(void **state)
{
	g_autoptr(KxComparison) c = comparison();
	g_autoptr(GPtrArray) rows = NULL;
	const KxComparedRow *abit;

	g_clear_pointer(&c->progress, g_free);
	c->progress_na = g_strdup("there is no PMU");
	for (guint vm = 0; vm < VMS; vm++) {
		for (guint i = 0; i < ROUNDS * SETTINGS; i++)
			((KxStretch *)((KxComparedVm *)c->vms->pdata[vm])->stretches->pdata[i])
				->progress = NAN;
	}
	rows = kx_comparison_rows(c, G_MAXUINT);
	abit = rows->pdata[ABIT];
	assert_string_equal(abit->slowdown.na, "there is no PMU");
	assert_non_null(abit->guest_ns.na);
	assert_non_null(abit->total_ns.na);
	assert_near(&abit->host_ns, 110, 1e-6);
	assert_int_equal(kx_comparison_rounds_for(c, 0.01), 0);
}

static void test_precision(void **state)
{
	g_autoptr(KxComparison) c = comparison();

	assert_true(kx_comparison_rounds_for(c, 0.05) <= ROUNDS);
	assert_true(kx_comparison_rounds_for(c, 0.0001) > ROUNDS);
}

/* The host's members have the keys and the order of a report's header, but for the version. */
static void test_host_in_json(void **state)
{
	g_autoptr(KxComparison) c = comparison();
	g_autofree char *json = kx_comparison_to_json(c);

	assert_non_null(strstr(json, "\"host\" : {\n"
				     "    \"kernel\" : \"6.1.0\",\n"
				     "    \"cpu_vendor\" : \"a vendor\",\n"
				     "    \"cpu_model\" : \"a CPU\",\n"
				     "    \"cpus\" : 2,\n"
				     "    \"hardware\" : \"virtual\",\n"
				     "    \"hardware_under\" : null,\n"
				     "    \"version\" : \"0.1.0\"\n"
				     "  }"));
}

/* Texts of the file must not control the terminal. */
static void test_host_is_cleaned(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxComparison) c = kx_comparison_from_json(
		"{\"schema\": \"kvm-ext-compare/1\", \"host\": {\"kernel\": "
		"\"6\\u001b[2J\", \"cpus\": 4, \"cpu_model\": null}}",
		&error);

	assert_non_null(c);
	assert_null(strchr(c->host->kernel, '\033'));
	assert_int_equal(c->host->cpus, 4);
	assert_null(c->host->cpu_model);
}

static void test_json_gives_it_back(void **state)
{
	g_autoptr(KxComparison) c = comparison(), back = NULL;
	g_autofree char *json = NULL, *again = NULL;
	g_autoptr(GError) error = NULL;

	c->layout = KX_LATIN;
	c->stopped = g_strdup("interrupted");
	c->command = g_strdup("kvm-ext compare …");
	g_ptr_array_add(c->doubts, g_strdup("KSM merges pages"));
	kx_comparison_put(c, 0, 3, ABIT, kx_stretch_failed("the VM did not run"));
	json = kx_comparison_to_json(c);
	back = kx_comparison_from_json(json, &error);
	assert_non_null(back);
	again = kx_comparison_to_json(back);
	assert_string_equal(json, again);
}

/* Head and rounds apart give the same whole; a round of another comparison is refused. */
static void test_parts_give_it_back(void **state)
{
	g_autoptr(KxComparison) c = comparison(), back = NULL;
	g_autofree char *json = NULL, *again = NULL, *head = NULL;
	g_autoptr(GError) error = NULL;
	char *logs[] = { (char *)"vm1=a log.txt", NULL };

	c->id = g_strdup("0badcafe");
	c->whole = ROUNDS - 1;
	c->asked.rounds = 20;
	c->asked.precision = 0.01;
	c->asked.progress_command = g_strdup("echo 1\necho 2 # \"quoted\"");
	c->asked.directory = g_strdup("/a directory");
	c->asked.logs = g_strdupv(logs);
	kx_environment_add(c->environment, "microcode", "0x1", NULL);
	kx_environment_add(c->environment, "libvirt", NULL, "no connection");
	((KxComparedVm *)c->vms->pdata[0])->started = 1ull << 40;
	head = kx_comparison_head_to_json(c);
	assert_null(strstr(head, "\"measured\""));
	back = kx_comparison_from_json(head, &error);
	assert_non_null(back);
	for (guint round = 0; round < ROUNDS; round++) {
		g_autofree char *part = kx_comparison_round_to_json(c, round);

		assert_true(kx_comparison_take_round(back, part, &error));
	}
	json = kx_comparison_to_json(c);
	again = kx_comparison_to_json(back);
	assert_string_equal(json, again);
	assert_string_equal(back->asked.progress_command, c->asked.progress_command);
	assert_false(kx_comparison_take_round(back, "{\"vms\": []}", &error));
	kx_comparison_cut(back, 2);
	assert_int_equal(back->rounds, 2);
	assert_int_equal(back->whole, 2);
	assert_non_null(kx_comparison_at(back, 1, 1, WALK));
	assert_null(kx_comparison_at(back, 1, 2, OFF));
}

static void test_wrong_files_are_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"[]",
		"{}",
		"{\"schema\": \"kvm-ext-report/1\"}",
		"{\"schema\": 5}",
		"{\"schema\": \"kvm-ext-compare/1\", \"rounds\": 1001}",
		"{\"schema\": \"kvm-ext-compare/1\", \"rounds\": 3, \"vms\": [{\"windows\": "
		"[{\"round\"",
		"{\"schema\": \"kvm-ext-compare/1\", \"host\": {\"cpus\": \"many\"}}",
		"{\"schema\": \"kvm-ext-compare/1\", \"host\": {\"kernel\": 6}}",
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		assert_null(kx_comparison_from_json(cases[i], &error));
		assert_non_null(error);
	}
}

/* Files with the right schema and without useful contents: no conclusions, and no crash. */
static void test_odd_files_are_taken(void **state)
{
	static const char *const cases[] = {
		"{\"schema\": \"kvm-ext-compare/1\"}",
		"{\"schema\": \"kvm-ext-compare/1\", \"rounds\": 2, \"settings\": [7, {}], "
		"\"vms\": [{}, "
		"{\"windows\": [{\"round\": 9, \"setting\": 0, \"measured\": {}}]}]}",
		"{\"schema\": \"kvm-ext-compare/1\", \"rounds\": 2, \"settings\": [{\"label\": "
		"\"off\"}], "
		"\"vms\": [{\"windows\": [{\"round\": 1, \"setting\": 0, \"measured\": {}}]}]}",
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(KxComparison) c = kx_comparison_from_json(cases[i], &error);
		g_autofree char *text = NULL;

		assert_non_null(c);
		text = kx_comparison_to_text(c, 80);
		assert_non_null(text);
	}
}

/* Numbers that only a file can have: they cause no crash, and no figure is computed from them. */
static void test_absurd_numbers_are_no_windows(void **state)
{
	static const char *const members[] = { "cpu_ns",     "samples", "exits",   "vcpu_run_ns",
					       "llc_misses", "run_ns",	"progress" };
	static const char *const values[] = { "1.7e308", "-1e308", "-1", "1e-320" };

	for (guint i = 0; i < G_N_ELEMENTS(members) * G_N_ELEMENTS(values); i++) {
		const char *value = values[i % G_N_ELEMENTS(values)];
		g_autofree char *json = g_strdup_printf(
			"{\"schema\": \"kvm-ext-compare/1\", \"rounds\": 1, \"progress\": "
			"\"work\", "
			"\"settings\": [{\"label\": \"off\", \"setting\": \"off\"}], \"vms\": "
			"[{\"windows\": [{\"round\": 0, \"setting\": 0, \"measured\": {\"window\": "
			"1, "
			"\"run_ns\": 1e9, \"samples\": 5, \"progress\": 7, \"%s\": %s}}]}]}",
			members[i / G_N_ELEMENTS(values)], value);
		g_autoptr(KxComparison) c = kx_comparison_from_json(json, NULL), back = NULL;
		g_autofree char *text = NULL, *again = NULL;
		const KxStretch *s;

		assert_non_null(c);
		s = kx_comparison_at(c, 0, 0, 0);
		assert_true((s->failed != NULL) == !g_str_equal(value, "1e-320"));
		text = kx_comparison_to_text(c, 100);
		assert_null(strstr(text, "inf"));
		again = kx_comparison_to_json(c);
		back = kx_comparison_from_json(again, NULL);
		assert_non_null(back);
	}
}

static void test_too_large_files_are_refused(void **state)
{
	g_autoptr(GString) vms =
		g_string_new("{\"schema\": \"kvm-ext-compare/1\", \"rounds\": 1000, "
			     "\"settings\": [{}, {}], \"vms\": [{}");
	g_autoptr(GString) deep = g_string_new("{\"schema\": \"kvm-ext-compare/1\", \"x\": ");
	g_autoptr(GError) many = NULL, nested = NULL;

	for (guint i = 0; i < 1000; i++)
		g_string_append(vms, ",{}");
	g_string_append(vms, "]}");
	assert_null(kx_comparison_from_json(vms->str, &many));
	assert_non_null(strstr(many->message, "windows"));
	for (guint i = 0; i < 100000; i++)
		g_string_append_c(deep, '[');
	assert_null(kx_comparison_from_json(deep->str, &nested));
	assert_non_null(strstr(nested->message, "deep"));
}

/*
 * A guest that gets nothing done in some windows of a setting: its slowdown is more than the other windows say, and is never "no
 * difference"; one that gets nothing done at all has that as the reason.
 */
static void test_missing_progress_is_reported(void **state)
{
	g_autoptr(KxComparison) c = comparison();
	g_autoptr(GPtrArray) rows = NULL, none = NULL, notes = NULL;
	g_autofree char *answer = NULL;
	const KxComparedRow *walk;

	for (guint round = 0; round < 6; round++)
		((KxStretch *)kx_comparison_at(c, 0, round, WALK))->progress = 0;
	rows = kx_comparison_rows(c, G_MAXUINT);
	walk = rows->pdata[WALK];
	assert_int_equal(walk->stalled, 6);
	assert_null(walk->difference);
	assert_non_null(strstr(walk->slowdown.note, "at least"));
	answer = kx_compared_answer(walk, "the guest's work");
	assert_non_null(strstr(answer, "more than 1 times as long: in 6 of 24 windows"));
	notes = kx_comparison_notes(c, rows);
	assert_true(has_text(notes, "ept-walk: in 6 of 24 windows the guest made no progress"));
	for (guint i = 0; i < VMS * ROUNDS; i++)
		((KxStretch *)kx_comparison_at(c, i % VMS, i / VMS, WALK))->progress = 0;
	none = kx_comparison_rows(c, G_MAXUINT);
	walk = none->pdata[WALK];
	assert_string_equal(walk->slowdown.na, "the guest made no progress in any of its windows");
	assert_string_equal(walk->guest_ns.na, walk->slowdown.na);
	assert_string_equal(walk->carry_over.na, walk->slowdown.na);
}

/* Windows whose progress a log does not tell are counted, and said not to be in the slowdown. */
static void test_unknown_progress_is_reported(void **state)
{
	g_autoptr(KxComparison) c = comparison();
	g_autoptr(GPtrArray) rows = NULL, none = NULL, notes = NULL, uncounted = NULL;
	g_autofree char *json = NULL;
	const KxComparedRow *walk;

	for (guint round = 0; round < 6; round++)
		((KxStretch *)kx_comparison_at(c, 0, round, WALK))->progress = NAN;
	rows = kx_comparison_rows(c, G_MAXUINT);
	walk = rows->pdata[WALK];
	assert_int_equal(walk->untold, 6);
	assert_int_equal(walk->stalled, 0);
	assert_null(walk->difference);
	assert_non_null(strstr(walk->slowdown.note, "without the windows"));
	notes = kx_comparison_notes(c, rows);
	assert_true(has_text(notes, "ept-walk: in 6 of 24 windows it is not known how much the "
				    "guest got done"));
	json = kx_comparison_to_json(c);
	assert_non_null(strstr(json, "\"progress_unknown\" : 6"));
	for (guint i = 0; i < VMS * ROUNDS; i++)
		((KxStretch *)kx_comparison_at(c, i % VMS, i / VMS, OFF))->progress = NAN;
	none = kx_comparison_rows(c, G_MAXUINT);
	assert_non_null(((KxComparedRow *)none->pdata[OFF])->slowdown.na);
	assert_non_null(((KxComparedRow *)none->pdata[WALK])->slowdown.na);

	g_clear_pointer(&c->progress, g_free);
	uncounted = kx_comparison_rows(c, G_MAXUINT);
	assert_int_equal(((KxComparedRow *)uncounted->pdata[WALK])->untold, 0);
}

/* If no window of a setting was measured, it has no figure at all; `off` is no 1.000 then. */
static void test_nothing_measured_is_no_figure(void **state)
{
	g_autoptr(KxComparison) c = comparison();
	g_autoptr(GPtrArray) rows = NULL, notes = NULL;

	for (guint i = 0; i < VMS * ROUNDS; i++)
		kx_comparison_put(c, i % VMS, i / VMS, OFF, kx_stretch_failed("refused"));
	rows = kx_comparison_rows(c, G_MAXUINT);
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++) {
		const KxFigure *figure = kx_compared_figure(rows->pdata[OFF], f);

		if (!figure->na || !g_str_equal(figure->na, "none of its windows was measured"))
			fail_msg("%s: %g, %s", f->key, figure->value, figure->na);
	}
	notes = kx_comparison_notes(c, rows);
	assert_true(has_text(notes, "off: 24 of 24 windows are missing"));
}

/* Rows with the same reason are named together. */
static void test_reasons_name_all_rows(void **state)
{
	g_autoptr(KxReasons) r = kx_reasons_new(), same = kx_reasons_new(), one = kx_reasons_new();
	g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);

	kx_reasons_add(r, "abit", "few");
	kx_reasons_add(r, "pml", "none");
	kx_reasons_add(r, "trap", "few");
	kx_reasons_add(r, "ept-walk", NULL);
	kx_reasons_add(r, "dirty-log", "few");
	kx_reasons_tell(r, "exits", notes);
	kx_reasons_add(same, "abit", "few");
	kx_reasons_add(same, "pml", "few");
	kx_reasons_tell(same, "flushes", notes);
	kx_reasons_add(one, "abit", "few");
	kx_reasons_tell(one, "recall", notes);
	assert_int_equal(notes->len, 4);
	assert_string_equal(notes->pdata[0], "exits of abit, trap and dirty-log: n/a, few");
	assert_string_equal(notes->pdata[1], "exits of pml: n/a, none");
	assert_string_equal(notes->pdata[2], "flushes of all trackers: n/a, few");
	assert_string_equal(notes->pdata[3], "recall of abit: n/a, few");
}

/* Rounds that an interrupt ended are not counted as rounds, as in the history. */
static void test_rounds_are_whole(void **state)
{
	g_autoptr(KxComparison) c = comparison();
	g_autofree char *text = NULL, *none = NULL;

	c->whole = c->rounds - 1;
	c->stopped = g_strdup("the time of --max-time has passed");
	text = kx_comparison_to_text(c, 0);
	assert_non_null(strstr(text, "comparison: 11 whole rounds and a part of another, each"));
	none = kx_rounds_text(0, 1);
	assert_string_equal(none, "0 whole rounds and a part of another");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_account_closes),
		cmocka_unit_test(test_misses),
		cmocka_unit_test(test_misses_that_nobody_counts),
		cmocka_unit_test(test_misses_without_instructions),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_parts_that_are_not_known),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_failed_windows),
		cmocka_unit_test(test_unknown_progress_is_reported),
		cmocka_unit_test(test_nothing_measured_is_no_figure),
		cmocka_unit_test(test_reasons_name_all_rows),
		cmocka_unit_test(test_rounds_are_whole),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_without_progress),
		cmocka_unit_test(test_precision),
		cmocka_unit_test(test_host_in_json),
		cmocka_unit_test(test_host_is_cleaned),
		cmocka_unit_test(test_json_gives_it_back),
		cmocka_unit_test(test_parts_give_it_back),
		cmocka_unit_test(test_wrong_files_are_refused),
		cmocka_unit_test(test_rates_have_no_samples),
		cmocka_unit_test(test_trap_has_only_precision),
		cmocka_unit_test(test_other_names_have_recall),
		cmocka_unit_test(test_odd_files_are_taken),
		cmocka_unit_test(test_absurd_numbers_are_no_windows),
		cmocka_unit_test(test_too_large_files_are_refused),
		cmocka_unit_test(test_missing_progress_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
