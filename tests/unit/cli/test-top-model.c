/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <gio/gio.h>
#include <math.h>
#include <string.h>

#include "base/textfmt.h"
#include "cli/top-model.h"
#include "model/report.h"
#include "tracker/options.h"

/* Two attached VMs of the golden report, one VM that is not attached, and one that has no figures yet. */
static GVariant *list_of(const KxReport *r)
{
	GVariantBuilder b;

	g_variant_builder_init(&b, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < r->vms->len; i++) {
		const KxVmReport *v = r->vms->pdata[i];

		g_variant_builder_add_parsed(&b,
					     "{'name': <%s>, 'uuid': <%s>, 'pid': <%u>, 'state': "
					     "<'running'>, 'attached': <true>}",
					     v->name, v->uuid, v->pid);
	}
	g_variant_builder_add_parsed(&b, "{'name': <'\033[31mx'>, 'pid': <uint32 7>, 'state': "
					 "<'paused'>, 'waiting': <'waiting for the guest'>}");
	g_variant_builder_add_parsed(
		&b, "{'name': <'new'>, 'pid': <uint32 8>, 'state': <'running'>, 'attached': "
		    "<true>, 'tracker': <'dirty-log'>, 'mechanism': <'pml'>, 'options': <'o=1'>, "
		    "'yielded': <'migration'>}");
	return g_variant_ref_sink(g_variant_builder_end(&b));
}

static GVariant *stats_of(const KxReport *r)
{
	GVariantBuilder b;

	g_variant_builder_init(&b, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < r->vms->len; i++)
		g_variant_builder_add_value(&b, kx_vm_to_variant(r->vms->pdata[i]));
	return g_variant_ref_sink(g_variant_builder_end(&b));
}

typedef struct {
	KxReport *report;
	GVariant *list;
	GHashTable *seen;
	GPtrArray *rows;
} World;

static KxWindow *last_window(const World *w, guint vm)
{
	const KxVmReport *v = w->report->vms->pdata[vm];

	return v->windows->pdata[v->windows->len - 1];
}

static void refresh(World *w)
{
	g_autoptr(GVariant) stats = stats_of(w->report);

	g_clear_pointer(&w->rows, g_ptr_array_unref);
	w->rows = top_rows(w->list, stats, &w->seen);
}

static int begin(void **state)
{
	g_autofree char *json = NULL;
	KxReport *report;
	World *w;

	if (!g_file_get_contents("tests/golden/two-vms.json", &json, NULL, NULL))
		return -1;
	report = kx_report_from_json(json, NULL);
	if (!report)
		return -1;
	w = g_new0(World, 1);
	w->report = report;
	w->list = list_of(w->report);
	refresh(w);
	*state = w;
	return 0;
}

static int end(void **state)
{
	World *w = *state;

	g_ptr_array_unref(w->rows);
	g_hash_table_unref(w->seen);
	g_variant_unref(w->list);
	kx_report_free(w->report);
	g_free(w);
	return 0;
}

static const TopRow *called(const World *w, const char *name)
{
	for (guint i = 0; i < w->rows->len; i++) {
		const TopRow *row = w->rows->pdata[i];

		if (g_str_equal(row->cells[TOP_NAME], name))
			return row;
	}
	fail_msg("no row is called %s", name);
	return NULL;
}

static void test_rows(void **state)
{
	const World *w = *state;
	const KxWindow *window = last_window(w, 0);
	const double cost = (double)window->cpu_ns / (double)window->samples;
	const TopRow *row = called(w, "vm1"), *other = called(w, "�[31mx"), *new = called(w, "new");

	assert_int_equal(w->rows->len, 4);
	assert_string_equal(row->cells[TOP_SETTING], window->options);
	assert_true(fabs(row->figures[TOP_FOUND].value - (double)window->found_pages) < 1e-6);
	/* the account's own sums, which differ a little from the estimate over passes */
	assert_true(fabs(row->figures[TOP_COST].value / cost - 1) < 0.2);
	assert_string_equal(other->cells[TOP_TRACKER], "-");
	assert_string_equal(other->cells[TOP_CPU], "-");
	assert_string_equal(other->cells[TOP_STATE], "paused, waiting for the guest");
	assert_string_equal(other->figures[TOP_CPU].na, "not attached");
	assert_string_equal(new->cells[TOP_TRACKER], "dirty-log (pml)");
	assert_string_equal(new->cells[TOP_STATE], "running, yielded: migration");
	assert_string_equal(new->cells[TOP_COST], "n/a");
	assert_string_equal(new->figures[TOP_COST].na, "no figures yet");
}

/* Rates since the refresh before; none if no time has passed. */
static void test_rates(void **state)
{
	World *w = *state;
	KxWindow *window = last_window(w, 0);

	refresh(w);
	assert_string_equal(called(w, "vm1")->cells[TOP_SAMPLES], "n/a");
	window->duration_ns += 2000000000;
	window->samples += 500;
	window->cpu_ns += 30000000;
	window->drain_cpu_ns += 10000000;
	refresh(w);
	assert_true(fabs(called(w, "vm1")->figures[TOP_SAMPLES].value - 250) < 1e-6);
	assert_true(fabs(called(w, "vm1")->figures[TOP_CPU].value - 2) < 1e-6);
	/* another setting: the rates are since it was set */
	window->id += 100;
	refresh(w);
	assert_null(called(w, "vm1")->figures[TOP_SAMPLES].na);
}

static char *order(const World *w)
{
	GString *out = g_string_new(NULL);

	for (guint i = 0; i < w->rows->len; i++)
		g_string_append_printf(out, "%s ",
				       ((const TopRow *)w->rows->pdata[i])->cells[TOP_NAME]);
	return g_string_free(out, FALSE);
}

static void test_sort(void **state)
{
	World *w = *state;
	TopColumn column;

	for (guint c = 0; c < TOP_COLUMNS; c++) {
		assert_true(top_column_from_word(top_column_word(c), &column));
		assert_int_equal(column, c);
	}
	assert_false(top_column_from_word("colour", &column));
	last_window(w, 0)->found_pages = 10;
	last_window(w, 1)->found_pages = 20;
	refresh(w);
	for (guint reverse = 0; reverse < 2; reverse++) {
		g_autofree char *by_name = NULL, *by_number = NULL;

		top_sort(w->rows, TOP_NAME, reverse);
		by_name = order(w);
		assert_string_equal(by_name,
				    reverse ? "�[31mx vm2 vm1 new " : "new vm1 vm2 �[31mx ");
		top_sort(w->rows, TOP_FOUND, reverse);
		by_number = order(w);
		assert_string_equal(by_number,
				    reverse ? "vm1 vm2 new �[31mx " : "vm2 vm1 new �[31mx ");
	}
}

static void test_fit(void **state)
{
	static const struct {
		const char *text;
		guint width;
		gboolean right;
		const char *want;
	} cases[] = {
		{ "abc", 5, FALSE, "abc  " }, { "abc", 5, TRUE, "  abc" },
		{ "abc", 3, FALSE, "abc" },   { "abcd", 3, FALSE, "ab…" },
		{ "宽宽", 4, FALSE, "宽宽" }, { "宽宽", 3, FALSE, "宽…" },
		{ "宽宽", 2, FALSE, "… " },   { "a", 0, FALSE, "" },
		{ "", 2, TRUE, "  " },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *fit = top_fit(cases[i].text, cases[i].width, cases[i].right);

		assert_string_equal(fit, cases[i].want);
		assert_int_equal(kx_text_columns(fit), cases[i].width);
	}
}

/* The columns fit into every width, and a width of 80 has all of them. */
static void test_widths(void **state)
{
	const World *w = *state;
	guint widths[TOP_COLUMNS];

	for (guint width = 1; width < 200; width++) {
		guint total = 0;

		top_widths(w->rows, width, widths);
		for (guint c = 0; c < TOP_COLUMNS; c++)
			total += widths[c] ? widths[c] + (total ? 1 : 0) : 0;
		assert_true(total <= width);
	}
	top_widths(w->rows, 80, widths);
	for (guint c = 0; c < TOP_COLUMNS; c++)
		assert_true(widths[c] >= MIN(7u, strlen(top_column_title(c))));
	g_autofree char *table = top_table(w->rows, 0);
	assert_non_null(strstr(table, "flush-scope=pass\n"));
	assert_null(strchr(table, '\033'));
}

static void test_view(void **state)
{
	World *w = *state;
	TopView v = { 0 };

	top_sort(w->rows, TOP_NAME, FALSE);
	top_view_follow(&v, w->rows);
	assert_int_equal(v.selected, 0);
	top_view_move(&v, w->rows, 100);
	assert_int_equal(v.selected, 3);
	top_view_scroll(&v, 4, 2);
	assert_int_equal(v.first, 2);
	top_view_scroll(&v, 4, 10);
	assert_int_equal(v.first, 0);
	/* the VM stays selected, wherever its row is */
	top_sort(w->rows, TOP_NAME, TRUE);
	top_view_follow(&v, w->rows);
	assert_int_equal(v.selected, 0);
	/* the selected VM has gone */
	g_ptr_array_remove_index(w->rows, 0);
	top_view_follow(&v, w->rows);
	assert_int_equal(v.selected, 0);
	top_view_move(&v, w->rows, -100);
	assert_int_equal(v.selected, 0);
	g_ptr_array_set_size(w->rows, 0);
	top_view_follow(&v, w->rows);
	top_view_move(&v, w->rows, 1);
	top_view_scroll(&v, 0, 5);
	assert_int_equal(v.selected, 0);
	assert_int_equal(v.first, 0);
	g_free(v.key);
}

static void test_setting(void **state)
{
	static const char *const cases[][2] = {
		{ "abit", "{'tracker': <'abit'>}" },
		{ " interval=1s ", "{'interval': <'1s'>}" },
		{ "abit flush", NULL },
	};
	const char *tracker = NULL;
	guint n = 0;

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GVariant) setting = top_setting(cases[i][0], &error);

		assert_true(!setting == !cases[i][1]);
		assert_true(!setting == !!error);
		if (setting) {
			g_autofree char *text = g_variant_print(g_variant_ref_sink(setting), FALSE);

			assert_string_equal(text, cases[i][1]);
		}
	}
	for (const KxTrackerRow *t = kx_trackers; t->name; t++, n++) {
		tracker = top_next_tracker(tracker);
		assert_string_equal(tracker, t->name);
	}
	assert_string_equal(top_next_tracker(tracker), kx_trackers[0].name);
}

static void test_target(void **state)
{
	const World *w = *state;
	g_autofree char *target = top_target(called(w, "new"));

	assert_string_equal(target, "/proc/8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, begin, end),
		cmocka_unit_test_setup_teardown(test_rates, begin, end),
		cmocka_unit_test_setup_teardown(test_sort, begin, end),
		cmocka_unit_test(test_fit),
		cmocka_unit_test_setup_teardown(test_widths, begin, end),
		cmocka_unit_test_setup_teardown(test_view, begin, end),
		cmocka_unit_test(test_setting),
		cmocka_unit_test_setup_teardown(test_target, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
