/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each report in tests/golden/NAME.json (those named lab- were recorded, the others are made up) is rendered at 120
 * columns and, as a wide terminal shows it, at 160, and compared with NAME.120.txt and NAME.160.txt. UPDATE_GOLDEN=1
 * writes them anew: read the difference before committing. The metrics of some of them are NAME.metrics, and in the older format
 * NAME.metrics.txt.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/textfmt.h"
#include "report/json.h"
#include "report/metrics-text.h"
#include "report/text.h"

static const char *const names[] = {
	"two-vms", "no-truth-real", "nothing-sampled", "vm-gone",   "lost-samples", "one-pass",
	"names",   "no-vms",	    "lab-amd",	       "dirty-log", "lab-amd-log",  "lab-intel-log",
	"parts",   "heat",	    "paused-guest",    "truth",	    "placement",    "emulated-vm"
};

static char *golden_path(const char *name, const char *suffix)
{
	return g_strdup_printf("tests/golden/%s%s", name, suffix);
}

static KxReport *load(const char *name)
{
	g_autofree char *path = golden_path(name, ".json");
	g_autofree char *json = NULL;
	g_autoptr(GError) error = NULL;
	KxReport *r;

	if (!g_file_get_contents(path, &json, NULL, &error))
		fail_msg("%s", error->message);
	r = kx_report_from_json(json, &error);
	if (!r)
		fail_msg("%s: %s", path, error->message);
	return r;
}

static void compare_text(const char *path, const char *text)
{
	g_autofree char *expected = NULL;
	g_autoptr(GError) error = NULL;

	if (g_getenv("UPDATE_GOLDEN")) {
		assert_true(g_file_set_contents(path, text, -1, NULL));
		return;
	}
	if (!g_file_get_contents(path, &expected, NULL, &error))
		fail_msg("%s", error->message);
	if (!g_str_equal(text, expected))
		fail_msg("%s differs; rendered now:\n%s", path, text);
}

static void compare(const char *name, const KxReport *r, guint width)
{
	g_autofree char *suffix = g_strdup_printf(".%u.txt", width);
	g_autofree char *path = golden_path(name, suffix);
	g_autofree char *text = kx_report_to_text(r, width);

	compare_text(path, text);
}

/* As the daemon would serve them if all of the report's windows belonged to VMs that are attached. */
static void test_metrics(void **state)
{
	static const char *const recorded[] = { "lab-amd", "lab-intel-log", "parts",
						"names",   "truth",	    "no-vms" };
	const KxDaemonMetrics about = { "0.0.0", TRUE, 0.25, 0 };

	for (guint i = 0; i < G_N_ELEMENTS(recorded); i++) {
		g_autoptr(KxReport) r = load(recorded[i]);
		g_autofree char *path = golden_path(recorded[i], ".metrics");
		g_autofree char *plain_path = golden_path(recorded[i], ".metrics.txt");
		g_autofree char *text = NULL, *plain = NULL;

		for (guint v = 0; v < r->vms->len; v++) {
			KxVmReport *vm = r->vms->pdata[v];

			vm->totals = kx_totals_new();
			for (guint w = 0; w < vm->windows->len; w++)
				kx_totals_add(vm->totals, vm->windows->pdata[w]);
		}
		text = kx_metrics_text(r->vms, &about, KX_OPENMETRICS);
		compare_text(path, text);
		plain = kx_metrics_text(r->vms, &about, KX_METRICS_PLAIN);
		compare_text(plain_path, plain);
	}
}

static void test_golden(void **state)
{
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(KxReport) r = load(names[i]);

		compare(names[i], r, 120);
		compare(names[i], r, 160);
	}
}

static void test_tables_fit(void **state)
{
	g_autoptr(KxReport) r = load("two-vms");

	for (guint width = 80; width <= 260; width += 20) {
		g_autofree char *text = kx_report_to_text(r, width);
		g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

		for (char **line = lines; *line; line++) {
			if (kx_text_columns(*line) > MAX(width, 115u))
				fail_msg("wider than %u: %s", width, *line);
		}
	}
}

/* A report that was written as JSON and read again gives the same text: nothing is lost. */
static void test_round_trip(void **state)
{
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(KxReport) r = load(names[i]);
		g_autofree char *json = kx_report_to_json(r);
		g_autoptr(KxReport) again = kx_report_from_json(json, NULL);
		g_autofree char *json_again = NULL, *text = NULL, *text_again = NULL;

		assert_non_null(again);
		json_again = kx_report_to_json(again);
		assert_string_equal(json, json_again);
		text = kx_report_to_text(r, 0);
		text_again = kx_report_to_text(again, 0);
		assert_string_equal(text, text_again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_tables_fit),
		cmocka_unit_test(test_round_trip),
	};

	setlocale(LC_ALL, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
