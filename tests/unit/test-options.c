/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "options.h"

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		guint64 ns;
	} good[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "1ns", 1 },
		{ "250us", 250000 },
		{ "250µs", 250000 },
		{ "1.5s", 1500000000 },
		{ "100ms", 100000000 },
		{ "2m", 120000000000 },
		{ "2min", 120000000000 },
		{ "1h", 3600000000000 },
		{ "0.001us", 1 },
		{ "18446744073709551615ns", G_MAXUINT64 },
	};
	static const char *const bad[] = { "",
					   "1",
					   "s",
					   "-1s",
					   "+1s",
					   "1 s",
					   "1.s",
					   ".5s",
					   "1e3s",
					   "0x1s",
					   "1,5s",
					   "1sec",
					   "infs",
					   "nan",
					   "1s ",
					   " 1s",
					   "1.5ns",
					   "0.0001us",
					   "18446744073709551616ns",
					   "99999999999h",
					   "1.0000000000000000001s" };

	for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
		guint64 ns = 77;

		assert_true(kx_parse_duration(good[i].text, &ns, NULL));
		assert_int_equal(ns, good[i].ns);
	}
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		guint64 ns;

		if (kx_parse_duration(bad[i], &ns, &error))
			fail_msg("'%s' was taken for a duration", bad[i]);
		assert_non_null(strstr(error->message, bad[i]));
	}
}

static void test_duration_text(void **state)
{
	static const guint64 values[] = { 0,
					  1,
					  999,
					  1000,
					  1001,
					  123456,
					  1000000,
					  1500000,
					  99999999,
					  100000000,
					  1500000000ull,
					  90000000000ull,
					  3600000000000ull,
					  1234567890123456789ull,
					  G_MAXUINT64 };
	g_autofree char *text = kx_format_duration(100000000);
	g_autofree char *fraction = kx_format_duration(1500000000);

	assert_string_equal(text, "100ms");
	assert_string_equal(fraction, "1.5s");
	for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
		g_autofree char *written = kx_format_duration(values[i]);
		guint64 back = 1;

		assert_true(kx_parse_duration(written, &back, NULL));
		assert_int_equal(back, values[i]);
	}
}

static void test_sizes(void **state)
{
	guint64 bytes;

	assert_true(kx_parse_size("4K", &bytes, NULL));
	assert_int_equal(bytes, 4096);
	assert_true(kx_parse_size("2MiB", &bytes, NULL));
	assert_int_equal(bytes, 2097152);
	assert_true(kx_parse_size("1.5G", &bytes, NULL));
	assert_int_equal(bytes, 1610612736);
	assert_false(kx_parse_size("4", &bytes, NULL));
	assert_false(kx_parse_size("4k", &bytes, NULL));
	assert_false(kx_parse_size("99999999999G", &bytes, NULL));
}

static void test_values(void **state)
{
	static const struct {
		const char *key, *good, *bad;
	} cases[] = {
		{ "tracker", "abit-flush", "abits" },
		{ "tracker", "off", "" },
		{ "tracker", "dirty-log", "dirty_log" },
		{ "tracker", "pml", "PML" },
		{ "interval", "10us", "9us" },
		{ "interval", "1h", "3601s" },
		{ "interval", "0", "-1s" },
		{ "granularity", "2M", "1G" },
		{ "granularity", "4096B", "8K" },
		{ "range", "all", "ALL" },
		{ "range", "0x100000+512", "0x100000" },
		{ "range", "256+0x10", "256+0" },
		{ "range", "0+1", "+1" },
		{ "range", "0xffffffffff+1", "0xffffffffff+2" },
		{ "range", "010+010", "0x+1" },
		{ "cpu", "any", "-1" },
		{ "cpu", "0", "40000" },
		{ "cpu", "0x1", "1 " },
		{ "flush-scope", "batch", "default" },
		{ "batch-pages", "1", "0" },
		{ "batch-pages", "1073741824", "1073741825" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		KxOptions o, before;

		kx_options_init(&o);
		if (!kx_options_set(&o, cases[i].key, cases[i].good, &error))
			fail_msg("%s", error->message);
		before = o;
		if (kx_options_set(&o, cases[i].key, cases[i].bad, &error))
			fail_msg("%s '%s' was accepted", cases[i].key, cases[i].bad);
		assert_true(g_error_matches(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_BAD_VALUE));
		assert_non_null(strstr(error->message, cases[i].key));
		assert_non_null(strstr(error->message, "accepted"));
		assert_memory_equal(&o, &before, sizeof(o));
	}
}

static void test_unknown_key(void **state)
{
	g_autoptr(GError) error = NULL;
	KxOptions o;

	kx_options_init(&o);
	assert_false(kx_options_set(&o, "intervall", "1s", &error));
	assert_true(g_error_matches(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_UNKNOWN_KEY));
	assert_non_null(strstr(error->message, "flush-scope"));
}

static void set(KxOptions *o, const char *key, const char *value)
{
	g_autoptr(GError) error = NULL;

	if (!kx_options_set(o, key, value, &error))
		fail_msg("%s", error->message);
}

static void test_conflicts(void **state)
{
	g_autoptr(GError) error = NULL;
	KxOptions o;

	kx_options_init(&o);
	assert_true(kx_options_check(&o, NULL));
	set(&o, "tracker", "abit");
	set(&o, "flush-scope", "page");
	assert_false(kx_options_check(&o, &error));
	assert_true(g_error_matches(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_CONFLICT));
	g_clear_error(&error);

	set(&o, "tracker", "abit-flush");
	set(&o, "batch-pages", "64");
	assert_false(kx_options_check(&o, &error));
	assert_true(g_error_matches(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_CONFLICT));
	set(&o, "flush-scope", "batch");
	assert_true(kx_options_check(&o, NULL));

	/* switching to a tracker that does not flush takes the flush options along */
	set(&o, "tracker", "abit");
	assert_true(kx_options_check(&o, NULL));
}

static void test_canonical_text(void **state)
{
	g_autofree char *off = NULL, *abit = NULL, *flush = NULL, *batch = NULL;
	KxOptions o;

	kx_options_init(&o);
	off = kx_options_to_string(&o);
	assert_string_equal(off, "");
	set(&o, "tracker", "abit");
	set(&o, "interval", "0.1s");
	abit = kx_options_to_string(&o);
	assert_string_equal(abit, "interval=100ms granularity=4K");
	set(&o, "tracker", "abit-flush");
	flush = kx_options_to_string(&o);
	assert_string_equal(flush, "interval=100ms granularity=4K flush-scope=pass");
	set(&o, "flush-scope", "batch");
	set(&o, "range", "256+0x10");
	set(&o, "cpu", "3");
	batch = kx_options_to_string(&o);
	assert_string_equal(batch, "interval=100ms granularity=4K range=0x100+16 cpu=3 "
				   "flush-scope=batch batch-pages=512");
}

static void test_uapi(void **state)
{
	struct kvm_ext_tracker t;
	KxOptions o;

	kx_options_init(&o);
	set(&o, "cpu", "1");
	kx_options_to_uapi(&o, &t);
	assert_int_equal(t.size, sizeof(t));
	assert_int_equal(t.tracker, KVM_EXT_TRACKER_OFF);
	assert_int_equal(t.interval_ns, 0);
	assert_int_equal(t.cpu, -1);

	set(&o, "tracker", "abit-flush");
	set(&o, "granularity", "2M");
	set(&o, "range", "0x200+512");
	kx_options_to_uapi(&o, &t);
	assert_int_equal(t.tracker, KVM_EXT_TRACKER_ABIT_FLUSH);
	assert_int_equal(t.granularity, KVM_EXT_GRANULARITY_2M);
	assert_int_equal(t.interval_ns, 1000000000);
	assert_int_equal(t.first_gfn, 0x200);
	assert_int_equal(t.npages, 512);
	assert_int_equal(t.cpu, 1);
	assert_int_equal(t.flush_scope, KVM_EXT_FLUSH_PASS);
	assert_int_equal(t.batch_pages, 0);
}

/* The dirty log: pages of 4K only, also when 2M is left over from the tracker before. */
static void test_log_trackers(void **state)
{
	static const char *const names[] = { "dirty-log", "pml-abit", "pml" };
	struct kvm_ext_tracker t;
	KxOptions o;

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GError) error = NULL;

		kx_options_init(&o);
		set(&o, "tracker", "abit");
		set(&o, "granularity", "2M");
		assert_true(kx_options_check(&o, NULL));
		set(&o, "tracker", names[i]);
		assert_true(o.tracker->can & KX_CAN_LOG);
		assert_true(kx_options_check(&o, NULL));
		set(&o, "granularity", "2M");
		assert_false(kx_options_check(&o, &error));
		assert_true(g_error_matches(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_CONFLICT));
		assert_non_null(strstr(error->message, "4 KiB"));
	}

	kx_options_init(&o);
	set(&o, "tracker", "dirty-log");
	kx_options_to_uapi(&o, &t);
	assert_int_equal(t.tracker, KVM_EXT_TRACKER_DIRTY_LOG);
	assert_int_equal(t.flush_scope, KVM_EXT_FLUSH_DEFAULT);
	set(&o, "flush-scope", "pass");
	assert_false(kx_options_check(&o, NULL));

	set(&o, "tracker", "pml-abit");
	kx_options_to_uapi(&o, &t);
	assert_int_equal(t.tracker, KVM_EXT_TRACKER_PML_ABIT);
	assert_int_equal(t.flush_scope, KVM_EXT_FLUSH_PASS);
	set(&o, "flush-scope", "batch");
	set(&o, "batch-pages", "64");
	assert_true(kx_options_check(&o, NULL));
	kx_options_to_uapi(&o, &t);
	assert_int_equal(t.batch_pages, 64);
}

/* pml is dirty-log with a condition, and leaves it behind with the next tracker. */
static void test_pml_means_dirty_log(void **state)
{
	g_autofree char *text = NULL;
	KxOptions o;

	assert_string_equal(kx_tracker_by_name("pml")->means, "dirty-log");
	kx_options_init(&o);
	set(&o, "tracker", "pml");
	assert_string_equal(o.tracker->name, "dirty-log");
	assert_int_equal(o.mechanism, KVM_EXT_LOG_PML);
	text = kx_options_to_string(&o);
	assert_string_equal(text, "interval=1s granularity=4K");
	set(&o, "interval", "10ms");
	assert_int_equal(o.mechanism, KVM_EXT_LOG_PML);
	set(&o, "tracker", "dirty-log");
	assert_int_equal(o.mechanism, KVM_EXT_LOG_UNKNOWN);
	for (const KxTrackerRow *t = kx_trackers; t->name; t++)
		assert_true(t->means ? kx_tracker_by_name(t->means)->module_id >= 0
				     : t->module_id >= 0);
}

static void test_keys_and_trackers(void **state)
{
	assert_string_equal(kx_option_keys[0].key, "tracker");
	assert_string_equal(kx_tracker_by_name("abit")->name, "abit");
	assert_null(kx_tracker_by_name("abit "));
	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		g_autoptr(GError) error = NULL;
		KxOptions o;

		kx_options_init(&o);
		assert_false(kx_options_set(&o, k->key, "?", &error));
		assert_true(g_error_matches(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_BAD_VALUE));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_duration_text),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_unknown_key),
		cmocka_unit_test(test_conflicts),
		cmocka_unit_test(test_canonical_text),
		cmocka_unit_test(test_uapi),
		cmocka_unit_test(test_log_trackers),
		cmocka_unit_test(test_pml_means_dirty_log),
		cmocka_unit_test(test_keys_and_trackers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
