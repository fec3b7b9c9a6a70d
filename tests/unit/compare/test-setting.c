// SPDX-License-Identifier: GPL-2.0-or-later
/* The settings of a comparison, as they are written on the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "compare/setting.h"

static GPtrArray *parse(const char *list)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *settings = kx_settings_parse(list, &error);

	if (!settings)
		fail_msg("%s: %s", list, error->message);
	return settings;
}

static void assert_texts(const char *list, const char *const *want)
{
	g_autoptr(GPtrArray) settings = parse(list);
	guint n = g_strv_length((char **)want);

	assert_int_equal(settings->len, n);
	for (guint i = 0; i < n; i++)
		assert_string_equal(((KxSetting *)settings->pdata[i])->text, want[i]);
}

static void test_settings_with_options(void **state)
{
	static const char *const plain[] = { "off", "abit", "ept-walk", NULL };
	static const char *const options[] = { "off", "abit:interval=250ms",
					       "abit-flush:interval=250ms:flush-scope=page", NULL };
	static const char *const two[] = { "off", "abit:interval=1s", "abit:interval=100ms", NULL };

	assert_texts("abit,ept-walk", plain);
	assert_texts("abit,off,ept-walk", (const char *const[]){ "off", "abit", "ept-walk", NULL });
	assert_texts("abit:interval=250ms,abit-flush:flush-scope=page:interval=250ms", options);
	assert_texts("abit:interval=250ms,abit-flush:flush-scope=page,interval=250ms", options);
	assert_texts("abit:interval=1s,abit:interval=100ms", two);
}

/* Values that contain the separators. */
static void test_values_with_separators(void **state)
{
	assert_texts(
		"ept-walk:regions=10:200:interval=100ms,trap:pages=0x10+2,0x20+4:fault-budget=500",
		(const char *const[]){ "off", "ept-walk:interval=100ms:regions=10:200",
				       "trap:pages=0x10+2,0x20+4:fault-budget=500", NULL });
	assert_texts("trap:pages=hottest:10%,abit",
		     (const char *const[]){ "off", "trap:pages=hottest:10%", "abit", NULL });
}

static void test_labels_tell_apart(void **state)
{
	g_autoptr(GPtrArray) settings = parse("abit:interval=1s:granularity=2M,abit:interval=100ms:"
					      "granularity=2M,ept-walk:interval=1s");

	assert_string_equal(((KxSetting *)settings->pdata[1])->label, "abit:interval=1s");
	assert_string_equal(((KxSetting *)settings->pdata[2])->label, "abit:interval=100ms");
	assert_string_equal(((KxSetting *)settings->pdata[3])->label, "ept-walk");
}

/* "all" means every tracker that the list does not name; these are marked, because they may be left out. */
static void test_all(void **state)
{
	g_autoptr(GPtrArray) settings = parse("all,abit:interval=250ms");
	guint trackers = 0, abit = 0;

	for (const KxTrackerRow *row = kx_trackers; row->name; row++)
		trackers += !row->means;
	assert_int_equal(settings->len, trackers);
	for (guint i = 0; i < settings->len; i++) {
		const KxSetting *s = settings->pdata[i];

		abit += g_str_equal(s->tracker, "abit");
		assert_int_equal(s->from_all, i && !g_str_equal(s->tracker, "abit"));
	}
	assert_int_equal(abit, 1);
	assert_string_equal(((KxSetting *)settings->pdata[0])->tracker, "off");
}

static void test_wrong_lists_are_refused(void **state)
{
	static const struct {
		const char *list, *says;
	} cases[] = {
		{ "", "'' is neither a tracker nor an option" },
		{ "warp", "'warp' is neither a tracker nor an option" },
		{ "abit:speed=1",
		  "'speed=1' is not an option of abit, which takes interval, granularity, " },
		{ "abit,intervall=1s", "of abit, which takes interval" },
		{ "guest-pebs:intervall=1s", "of guest-pebs, which takes event, policy, " },
		{ "off:interval", "of off, which takes none" },
		{ "abit,warp", "'warp' is neither a tracker nor an option of abit; trackers: " },
		{ "abit,", "'' is neither" },
		{ "abit:interval=1s:interval=2s", "interval twice" },
		{ "abit:interval=3parsecs", "setting abit: " },
		{ "abit:flush-scope=page", "setting abit" },
		{ "abit,abit", "abit is in the list twice" },
		{ "abit:interval=100ms,abit:interval=0.1s", "are the same setting" },
		{ "abit,abit:granularity=4K", "are the same setting" },
		{ "interval=1s,abit", "neither" },
		{ "all:interval=1s", "neither" },
		{ "abit:tracker=off", "not an option of abit" },
		{ "abit:ring-size=1M", "not an option of abit" }, /* holds for the whole attach */
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		GPtrArray *settings = kx_settings_parse(cases[i].list, &error);

		if (settings)
			fail_msg("'%s' was taken", cases[i].list);
		if (!strstr(error->message, cases[i].says))
			fail_msg("'%s': %s", cases[i].list, error->message);
	}
}

static void test_to_variant(void **state)
{
	g_autoptr(GPtrArray) settings = parse("abit-flush:flush-scope=page:interval=250ms");
	g_autoptr(GVariant) dict = g_variant_ref_sink(kx_setting_to_variant(settings->pdata[1]));
	const char *text;

	assert_int_equal(g_variant_n_children(dict), 4);
	assert_true(g_variant_lookup(dict, "fresh", "&s", &text));
	assert_string_equal(text, "yes");
	assert_true(g_variant_lookup(dict, "tracker", "&s", &text));
	assert_string_equal(text, "abit-flush");
	assert_true(g_variant_lookup(dict, "flush-scope", "&s", &text));
	assert_string_equal(text, "page");
	assert_true(g_variant_lookup(dict, "interval", "&s", &text));
	assert_string_equal(text, "250ms");
}

/* Another name of a tracker means that tracker, with all that is known of it. */
static void test_tracker_of_a_setting(void **state)
{
	assert_string_equal(kx_setting_tracker("pml:interval=250ms")->name, "dirty-log");
	assert_string_equal(kx_setting_tracker("abit")->name, "abit");
	assert_null(kx_setting_tracker("nothing:interval=1s"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings_with_options),
		cmocka_unit_test(test_values_with_separators),
		cmocka_unit_test(test_labels_tell_apart),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_wrong_lists_are_refused),
		cmocka_unit_test(test_to_variant),
		cmocka_unit_test(test_tracker_of_a_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
