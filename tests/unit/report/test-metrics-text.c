// SPDX-License-Identifier: GPL-2.0-or-later
/* Metrics as text: hostile names, equal names, values that are n/a, counters that must not go back, and their descriptions. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "report/metrics-text.h"

static const KxDaemonMetrics about = { "1.2", FALSE, 1.5, 0 };

static KxWindow *window_of(const char *tracker)
{
	KxWindow *w = kx_window_new();

	w->tracker = g_strdup(tracker);
	w->options = g_strdup("interval=100ms");
	w->open = TRUE;
	w->has_stats = TRUE;
	w->interval_ns = 100000000;
	w->passes = 10;
	w->cpu_ns = 3000000000;
	w->prime_cpu_ns = 1000000000;
	w->pass_costs.sums.n = 10;
	w->pass_costs.sums.y = 2000000000;
	w->pass_costs.sums.x = 250000;
	w->duration_ns = 5000000000;
	return w;
}

/* Takes ownership of @w. */
static KxVmReport *add_vm(GPtrArray *vms, const char *name, guint32 pid, KxWindow *w)
{
	KxVmReport *v = kx_vm_report_new();

	v->name = g_strdup(name);
	v->uuid = g_strdup("6b7f3f2e-0000-4000-8000-000000000001");
	v->pid = pid;
	v->totals = kx_totals_new();
	kx_totals_add(v->totals, w);
	g_ptr_array_add(v->windows, w);
	g_ptr_array_add(vms, v);
	return v;
}

static GPtrArray *no_vms(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)kx_vm_report_free);
}

static void assert_has(const char *text, const char *line)
{
	g_autofree char *whole = g_strconcat("\n", line, "\n", NULL);

	if (!strstr(text, whole))
		fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void names_are_escaped(void **state)
{
	g_autoptr(GPtrArray) vms = no_vms();
	g_autofree char *text = NULL;

	add_vm(vms, "a\"b\\c\nd", 1, window_of("abit"));
	add_vm(vms, "\xff\xfe", 2, window_of("abit"));
	add_vm(vms, "Größe 数据库", 3, window_of("abit"));
	text = kx_metrics_text(vms, &about, KX_OPENMETRICS);
	assert_has(text,
		   "kvm_ext_tracker_passes_total{domain=\"a\\\"b\\\\c\\nd\",tracker=\"abit\"} 10");
	assert_has(text, "kvm_ext_tracker_passes_total{domain=\"\357\277\275\357\277\275\",tracker="
			 "\"abit\"} 10");
	assert_has(text,
		   "kvm_ext_tracker_passes_total{domain=\"Größe 数据库\",tracker=\"abit\"} 10");
	assert_true(g_utf8_validate(text, -1, NULL));
	assert_true(g_str_has_suffix(text, "\n# EOF\n"));
}

/* Also a name that equals the label of another VM, and two names that are equal only after they were made valid UTF-8. */
static void no_two_series_are_the_same(void **state)
{
	g_autoptr(GPtrArray) vms = no_vms();
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	add_vm(vms, "db", 7, window_of("abit"));
	add_vm(vms, "db", 8, window_of("abit"));
	add_vm(vms, "db (pid 7)", 9, window_of("abit"));
	add_vm(vms, "\xff", 10, window_of("abit"));
	add_vm(vms, "\xfe", 11, window_of("abit"));
	text = kx_metrics_text(vms, &about, KX_METRICS_PLAIN);
	lines = g_strsplit(text, "\n", -1);
	for (char **l = lines; *l; l++) {
		char *value = strrchr(*l, ' ');

		if (!value || **l == '#')
			continue;
		*value = '\0';
		if (!g_hash_table_add(seen, *l))
			fail_msg("twice: %s", *l);
	}
	assert_true(g_hash_table_contains(seen, "kvm_ext_vm_paused{domain=\"db (pid 8)\"}"));
	assert_null(strstr(text, "# EOF"));
}

static void what_is_not_known_is_left_out(void **state)
{
	g_autoptr(GPtrArray) vms = no_vms();
	KxWindow *off = window_of("off"), *rate = window_of("qemu-dirty-rate"), *event;
	g_autofree char *text = NULL;

	off->exits_na = g_strdup("no module");
	add_vm(vms, "a", 1, off);
	add_vm(vms, "b", 2, rate);
	event = window_of("guest-pebs");
	event->has_guest = TRUE;
	add_vm(vms, "c", 3, event);
	text = kx_metrics_text(vms, &about, KX_OPENMETRICS);
	assert_null(strstr(text, "passes_total{domain=\"a\""));
	assert_null(strstr(text, "samples_total{domain=\"a\""));
	assert_null(strstr(text, "vm_exits_total{domain=\"a\""));
	assert_has(text,
		   "kvm_ext_tracker_vm_exits_total{domain=\"b\",tracker=\"qemu-dirty-rate\"} 0");
	assert_has(text, "kvm_ext_tracker_tracked_seconds_total{domain=\"a\",tracker=\"off\"} 5");
	assert_null(strstr(text, "samples_total{domain=\"b\""));
	/* before the guest has reported its event */
	assert_null(strstr(text, "tracker=\"guest-pebs\"} "));
	assert_null(strstr(text, "NaN"));
	assert_null(strstr(text, "nan"));
}

/* The quotient of the two counters is the report's cost per sample, without priming and without the control of staleness. */
static void cost_is_that_of_the_report(void **state)
{
	g_autoptr(GPtrArray) vms = no_vms();
	KxWindow *stale = window_of("abit");
	KxVmReport *v = add_vm(vms, "a", 1, window_of("abit"));
	g_autofree char *text = NULL;

	stale->has_staleness = TRUE;
	kx_totals_add(v->totals, stale);
	kx_totals_add(v->totals, v->windows->pdata[0]);
	kx_window_free(stale);
	text = kx_metrics_text(vms, &about, KX_OPENMETRICS);
	assert_has(text, "kvm_ext_tracker_cpu_seconds_total{domain=\"a\",tracker=\"abit\"} 4");
	assert_has(text, "kvm_ext_tracker_samples_total{domain=\"a\",tracker=\"abit\"} 500000");
	assert_has(text, "kvm_ext_tracker_all_cpu_seconds_total{domain=\"a\",tracker=\"abit\"} 6");
	assert_has(text, "kvm_ext_tracker_samples_total{domain=\"a\",tracker=\"abit "
			 "staleness=yes\"} 250000");
}

static void counters_do_not_go_back(void **state)
{
	g_autoptr(GPtrArray) before = kx_totals_new(), now = kx_totals_new();
	g_autoptr(KxWindow) w = window_of("abit");

	kx_totals_add(before, w);
	w->passes = 8; /* two passes were in a pause, which was reported later */
	w->pass_costs.sums.x = 300000;
	w->exits_na = g_strdup("the module went");
	kx_totals_add(now, w);
	kx_totals_not_below(now, before);
	assert_true(((KxTotals *)now->pdata[0])->values[KX_TOTAL_OF_passes] == 10);
	assert_true(((KxTotals *)now->pdata[0])->values[KX_TOTAL_OF_samples] == 300000);
	assert_true(((KxTotals *)now->pdata[0])->values[KX_TOTAL_OF_vm_exits] == 0);
}

/* Each has a sentence, by itself or from the figure of its name, without markup; units are base units. */
static void all_are_described(void **state)
{
	g_autoptr(GPtrArray) vms = no_vms();
	g_autofree char *text = kx_metrics_text(vms, &about, KX_OPENMETRICS);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	guint n = 0;

	for (guint i = 0; i < KX_TOTALS; i++)
		assert_true(g_str_equal(kx_totals[i].unit, "") ||
			    g_str_equal(kx_totals[i].unit, "seconds"));
	for (char **l = lines; *l; l++) {
		if (!g_str_has_prefix(*l, "# HELP "))
			continue;
		n++;
		if (!g_str_has_suffix(*l, ".") || strstr(*l, "\\n.") || strstr(*l, " .Cm"))
			fail_msg("no sentence: %s", *l);
	}
	assert_true(n > KX_TOTALS);
}

static void numbers_are_the_same_in_all_locales(void **state)
{
	g_autoptr(GPtrArray) vms = no_vms();
	g_autofree char *text = NULL;

	setlocale(LC_ALL, "de_DE.UTF-8"); /* has a comma, where it is installed */
	add_vm(vms, "a", 1, window_of("abit"));
	text = kx_metrics_text(vms, &about, KX_OPENMETRICS);
	setlocale(LC_ALL, "C");
	assert_has(text, "process_cpu_seconds_total 1.5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_escaped),
		cmocka_unit_test(no_two_series_are_the_same),
		cmocka_unit_test(what_is_not_known_is_left_out),
		cmocka_unit_test(cost_is_that_of_the_report),
		cmocka_unit_test(counters_do_not_go_back),
		cmocka_unit_test(all_are_described),
		cmocka_unit_test(numbers_are_the_same_in_all_locales),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
