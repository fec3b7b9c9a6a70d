/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "tracker/options.h"

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
		{ "mode", "dirty-ring", "ring" },
		{ "calc-time", "1s", "999ms" },
		{ "log-via", "qemu", "kvm" },
		{ "calc-time", "1m", "61s" },
		{ "calc-time", "2s", "1500ms" },
		{ "cpu", "0", "40000" },
		{ "cpu", "0x1", "1 " },
		{ "flush-scope", "batch", "default" },
		{ "batch-pages", "1", "0" },
		{ "batch-pages", "1073741824", "1073741825" },
		{ "flush-scope", "none", "never" },
		{ "skip", "no", "false" },
		{ "staleness", "yes", "1" },
		{ "regions", "10:1000", "10" },
		{ "regions", "1:1", "0:1" },
		{ "regions", "1:1048576", "1:1048577" },
		{ "regions", "none", "5:4" },
		{ "regions", "0x10:0x20", "10:20:30" },
		{ "aggregation", "2s", "0" },
		{ "aggregation", "100ms", "20" },
		{ "pages", "all", "all:5%" },
		{ "pages", "random", "random:" },
		{ "pages", "random:0.0001%", "random:0.00001%" },
		{ "pages", "hottest:100%", "hottest:100.1%" },
		{ "pages", "coldest:5%", "coldest:5" },
		{ "pages", "coldest", "cold" },
		{ "pages", "0x100+16,5+1", "0x100+16," },
		{ "pages", "0+1", "1+0" },
		{ "pages", "0xffffffffff+1", "1+1,,2+1" },
		{ "fault-budget", "1000000", "1000001" },
		{ "fault-budget", "500/s", "0" },
		{ "fault-budget", "1", "/s" },
		{ "vcpu-budget", "0.5%", "0%" },
		{ "vcpu-budget", "100%", "101%" },
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

	/* a switch to a tracker that does not flush resets the flush options */
	set(&o, "tracker", "abit");
	assert_true(kx_options_check(&o, NULL));
}

/* Each set of keys and values, in order, and words of the error if they conflict; NULL: they do not. */
static void test_what_goes_together(void **state)
{
	static const struct {
		const char *keys[5][2];
		const char *why;
	} cases[] = {
		{ { { "tracker", "abit" }, { "flush-scope", "page" } },
		  "abit-flush, ept-walk, pml-abit" },
		{ { { "tracker", "abit-flush" }, { "flush-scope", "none" } }, "always flushes" },
		{ { { "tracker", "pml-abit" }, { "flush-scope", "none" } }, "always flushes" },
		{ { { "tracker", "ept-walk" }, { "flush-scope", "none" } }, NULL },
		{ { { "tracker", "ept-walk" }, { "skip", "no" }, { "granularity", "2M" } }, NULL },
		{ { { "tracker", "abit" }, { "skip", "no" } }, "walks no page table" },
		{ { { "tracker", "abit" }, { "staleness", "yes" } }, NULL },
		{ { { "tracker", "pml-abit" }, { "staleness", "yes" } }, NULL },
		{ { { "tracker", "dirty-log" }, { "staleness", "yes" } },
		  "tests no accessed bits" },
		{ { { "tracker", "off" }, { "staleness", "yes" } }, "tests no accessed bits" },
		{ { { "tracker", "abit" }, { "staleness", "yes" }, { "regions", "1:9" } },
		  "regions none" },
		{ { { "tracker", "pml-abit" }, { "regions", "1:9" } },
		  "abit, abit-flush, ept-walk" },
		{ { { "tracker", "abit" }, { "regions", "1:9" }, { "granularity", "2M" } },
		  "granularity 4K" },
		{ { { "tracker", "abit" }, { "aggregation", "2s" } }, "without regions" },
		{ { { "tracker", "abit" }, { "regions", "1:9" }, { "aggregation", "2s" } }, NULL },
		{ { { "tracker", "abit" },
		    { "regions", "1:9" },
		    { "interval", "300ms" },
		    { "aggregation", "1s" } },
		  "not a multiple of the interval 300ms" },
		{ { { "tracker", "abit" },
		    { "regions", "1:9" },
		    { "interval", "0" },
		    { "aggregation", "1s" } },
		  "on request only" },
		{ { { "tracker", "damon" } }, NULL },
		{ { { "tracker", "damon" }, { "regions", "none" } }, "always works on regions" },
		{ { { "tracker", "damon" }, { "regions", "2:9" } }, "on 3 at least" },
		{ { { "tracker", "damon" }, { "regions", "3:9" }, { "aggregation", "1s" } }, NULL },
		{ { { "tracker", "damon" }, { "aggregation", "7ms" } }, "not a multiple" },
		{ { { "tracker", "damon" }, { "interval", "0" } }, "samples all the time" },
		{ { { "tracker", "damon" }, { "interval", "1000.5us" } }, "in microseconds" },
		{ { { "tracker", "damon" }, { "cpu", "1" } }, "runs on any CPU" },
		{ { { "tracker", "damon" }, { "granularity", "2M" } }, "no granularity but 4K" },
		{ { { "tracker", "damon" }, { "staleness", "yes" } }, "tests no accessed bits" },
		{ { { "tracker", "trap" },
		    { "pages", "hottest:1%" },
		    { "fault-budget", "5" },
		    { "vcpu-budget", "2%" } },
		  NULL },
		{ { { "tracker", "ept-walk" }, { "pages", "all" } }, NULL }, /* the default */
		{ { { "tracker", "ept-walk" }, { "pages", "random" } }, "sets no traps" },
		{ { { "tracker", "abit" }, { "fault-budget", "5" } }, "use one of: trap" },
		{ { { "tracker", "trap" }, { "granularity", "2M" } },
		  "takes mappings as they are" },
		{ { { "tracker", "trap" }, { "range", "100+50" }, { "pages", "100+10,140+11" } },
		  "0x8c+11 is not within the range" },
		{ { { "tracker", "trap" }, { "range", "100+50" }, { "pages", "100+10,140+10" } },
		  NULL },
		{ { { "tracker", "guest-abit" }, { "interval", "100ms" } },
		  "has no passes, so option interval does not apply; leave it out, or use one of: "
		  "abit, abit-flush, ept-walk, dirty-log, pml-abit, trap" },
		{ { { "tracker", "guest-abit" }, { "interval", "0" } }, "so option interval" },
		{ { { "tracker", "guest-pebs" }, { "granularity", "2M" } },
		  "so option granularity" },
		{ { { "tracker", "guest-pebs" }, { "range", "100+50" } }, "so option range" },
		{ { { "tracker", "guest-abit" }, { "cpu", "1" } }, "so option cpu" },
		{ { { "tracker", "off" }, { "interval", "100ms" } }, "so option interval" },
		{ { { "tracker", "qemu-dirty-rate" }, { "granularity", "2M" } },
		  "finds no pages, so option granularity does not apply" },
		{ { { "tracker", "qemu-dirty-rate" }, { "range-size", "2M" } }, "finds nothing" },
		{ { { "tracker", "pml-abit" }, { "log-via", "qemu" } },
		  "cannot use QEMU's copy of the dirty log, so option log-via does not apply; "
		  "leave "
		  "it out, or use one of: dirty-log" },
		{ { { "tracker", "abit" }, { "calc-time", "2s" } },
		  "does not have QEMU measure, so option calc-time does not apply; leave it out, "
		  "or use one of: qemu-dirty-rate" },
		{ { { "tracker", "guest-abit" }, { "period", "97" } }, "samples no events" },
		{ { { "tracker", "abit" }, { "wait", "5s" } }, "guest-pebs, guest-abit" },
		{ { { "tracker", "guest-abit" }, { "wait", "5s" } }, NULL },
		{ { { "tracker", "guest-pebs" }, { "policy", "fixed" }, { "budget", "5%" } },
		  "add policy 'budget'" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		KxOptions o;

		kx_options_init(&o);
		for (guint k = 0; k < 5 && cases[i].keys[k][0]; k++)
			set(&o, cases[i].keys[k][0], cases[i].keys[k][1]);
		if (kx_options_check(&o, &error) != !cases[i].why)
			fail_msg("case %u: %s", i, error ? error->message : "nothing is said");
		if (!cases[i].why)
			continue;
		assert_true(g_error_matches(error, KX_OPTIONS_ERROR, KX_OPTIONS_ERROR_CONFLICT));
		if (!strstr(error->message, cases[i].why))
			fail_msg("case %u: %s", i, error->message);
	}
}

/* A tracker with passes need not accept all options of passes. */
static void test_passes_differ(void **state)
{
	static const KxTrackerRow plain = { .name = "plain",
					    .module_id = -1,
					    .can = KX_CAN_PASS | KX_CAN_FIND | KX_CAN_ALONE };
	static const struct {
		const char *key, *value, *why;
	} cases[] = {
		{ "interval", "100ms",
		  "tracker plain has no interval, so option interval does not apply" },
		{ "cpu", "0", "tracker plain runs on any CPU, so option cpu does not apply" },
		{ "range", "100+50",
		  "tracker plain looks at all RAM, so option range does not apply" },
		{ "granularity", "2M", "tracker plain has no granularity but 4K" },
		{ "flush-scope", "page", "does not flush" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *text = NULL;
		KxOptions o;

		kx_options_init(&o);
		o.tracker = &plain;
		assert_true(kx_options_check(&o, NULL));
		text = kx_options_to_string(&o);
		assert_string_equal(text, "granularity=4K");
		assert_true(
			kx_option_key(cases[i].key)->set(&o, cases[i].key, cases[i].value, NULL));
		assert_false(kx_options_check(&o, &error));
		if (!strstr(error->message, cases[i].why))
			fail_msg("case %u: %s", i, error->message);
	}
}

/* A switch of the tracker resets options that do not apply to the new one, and keeps the others. */
static void test_switch_drops_what_is_meaningless(void **state)
{
	g_autofree char *walk = NULL, *abit = NULL, *trap = NULL, *again = NULL;
	KxOptions o;

	kx_options_init(&o);
	set(&o, "tracker", "ept-walk");
	set(&o, "interval", "100ms");
	set(&o, "flush-scope", "none");
	set(&o, "regions", "10:100");
	set(&o, "aggregation", "2s");
	walk = kx_options_to_string(&o);
	assert_string_equal(walk, "interval=100ms granularity=4K flush-scope=none skip=no "
				  "regions=10:100 aggregation=2s");
	set(&o, "tracker", "abit");
	assert_true(kx_options_check(&o, NULL));
	abit = kx_options_to_string(&o);
	assert_string_equal(abit, "interval=100ms granularity=4K regions=10:100 aggregation=2s");
	set(&o, "tracker", "trap");
	assert_true(kx_options_check(&o, NULL));
	trap = kx_options_to_string(&o);
	assert_string_equal(trap, "interval=100ms pages=all fault-budget=1000/s vcpu-budget=1%");
	set(&o, "tracker", "abit-flush");
	assert_true(kx_options_check(&o, NULL));
	again = kx_options_to_string(&o);
	assert_string_equal(again, "interval=100ms granularity=4K flush-scope=pass");
	/* only ept-walk has none */
	set(&o, "tracker", "ept-walk");
	set(&o, "flush-scope", "none");
	set(&o, "tracker", "abit-flush");
	assert_true(kx_options_check(&o, NULL));
}

/* A new value replaces conflicting earlier values, and each option can be set to its default again. */
static void test_goes_back_to_defaults(void **state)
{
	static const struct {
		const char *before[5][2], *now[2];
		const char *text;
	} cases[] = {
		{ { { "tracker", "guest-pebs" }, { "policy", "budget" }, { "budget", "5%" } },
		  { "policy", "fixed" },
		  "event=auto policy=fixed" },
		{ { { "tracker", "ept-walk" }, { "flush-scope", "batch" }, { "batch-pages", "9" } },
		  { "flush-scope", "pass" },
		  "interval=1s granularity=4K flush-scope=pass skip=yes" },
		{ { { "tracker", "abit" },
		    { "interval", "100ms" },
		    { "regions", "1:9" },
		    { "aggregation", "500ms" } },
		  { "interval", "1s" },
		  "interval=1s granularity=4K regions=1:9 aggregation=20s" },
		{ { { "tracker", "abit" }, { "regions", "1:9" }, { "aggregation", "2s" } },
		  { "regions", "none" },
		  "interval=1s granularity=4K" },
		{ { { "tracker", "abit" },
		    { "interval", "50ms" },
		    { "granularity", "2M" },
		    { "range", "1+1" },
		    { "cpu", "1" } },
		  { "tracker", "guest-abit" },
		  "flush=no" },
		{ { { "tracker", "guest-abit" }, { "epoch", "1s" }, { "flush", "yes" } },
		  { "tracker", "abit" },
		  "interval=1s granularity=4K" },
		/* defaults of a tracker are dropped with the tracker, values that were given stay */
		{ { { "tracker", "abit" } },
		  { "tracker", "damon" },
		  "interval=5ms granularity=4K regions=10:1000 aggregation=100ms" },
		{ { { "tracker", "damon" } },
		  { "tracker", "ept-walk" },
		  "interval=1s granularity=4K flush-scope=pass skip=yes" },
		{ { { "tracker", "damon" }, { "interval", "50ms" }, { "regions", "10:50" } },
		  { "tracker", "abit" },
		  "interval=50ms granularity=4K regions=10:50 aggregation=1s" },
		{ { { "tracker", "abit" }, { "interval", "50ms" } },
		  { "tracker", "damon" },
		  "interval=50ms granularity=4K regions=10:1000 aggregation=1s" },
		{ { { "tracker", "abit" }, { "interval", "50ms" } },
		  { "tracker", "qemu-dirty-rate" },
		  "mode=page-sampling calc-time=1s" },
		{ { { "tracker", "qemu-dirty-rate" }, { "mode", "dirty-ring" } },
		  { "tracker", "abit" },
		  "interval=1s granularity=4K" },
		{ { { "tracker", "trap" }, { "pages", "5+1" } },
		  { "pages", "all" },
		  "interval=1s pages=all fault-budget=1000/s vcpu-budget=1%" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *text = NULL;
		KxOptions o;

		kx_options_init(&o);
		for (guint k = 0; k < 5 && cases[i].before[k][0]; k++)
			set(&o, cases[i].before[k][0], cases[i].before[k][1]);
		assert_true(kx_options_check(&o, NULL));
		set(&o, cases[i].now[0], cases[i].now[1]);
		if (!kx_options_check(&o, &error))
			fail_msg("case %u: %s", i, error->message);
		text = kx_options_to_string(&o);
		assert_string_equal(text, cases[i].text);
	}
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

static void test_uapi_of_new_trackers(void **state)
{
	struct kvm_ext_tracker t;
	KxOptions o;

	kx_options_init(&o);
	set(&o, "tracker", "ept-walk");
	kx_options_to_uapi(&o, &t);
	assert_int_equal(t.tracker, KVM_EXT_TRACKER_EPT_WALK);
	assert_int_equal(t.flush_scope, KVM_EXT_FLUSH_PASS);
	assert_int_equal(t.flags, 0);
	set(&o, "skip", "no");
	set(&o, "staleness", "yes");
	set(&o, "flush-scope", "none");
	kx_options_to_uapi(&o, &t);
	assert_int_equal(t.flags, KVM_EXT_SET_NO_SKIP | KVM_EXT_SET_STALENESS);
	assert_int_equal(t.flush_scope, KVM_EXT_FLUSH_NONE);

	kx_options_init(&o);
	set(&o, "tracker", "abit");
	set(&o, "regions", "10:1000");
	kx_options_to_uapi(&o, &t);
	assert_int_equal(t.regions_min, 10);
	assert_int_equal(t.regions_max, 1000);
	assert_int_equal(t.aggregation_passes, 0);
	set(&o, "aggregation", "5s");
	kx_options_to_uapi(&o, &t);
	assert_int_equal(t.aggregation_passes, 5);
	assert_int_equal(t.trap_faults_per_s, 0);
	assert_int_equal(t.ranges, 0);
}

static void test_uapi_of_trap(void **state)
{
	g_autofree char *text = NULL;
	const struct kvm_ext_range *ranges;
	struct kvm_ext_tracker t;
	KxOptions o;

	kx_options_init(&o);
	set(&o, "tracker", "trap");
	kx_options_to_uapi(&o, &t);
	assert_int_equal(t.tracker, KVM_EXT_TRACKER_TRAP);
	assert_int_equal(t.granularity, KVM_EXT_GRANULARITY_4K);
	assert_int_equal(t.trap_share_ppm, 0);
	assert_int_equal(t.trap_faults_per_s, KVM_EXT_TRAP_FAULTS_DEFAULT);
	assert_int_equal(t.trap_time_ppm, KVM_EXT_TRAP_TIME_DEFAULT);
	assert_true(!t.ranges && !t.nr_ranges);
	set(&o, "pages", "random:2.5%");
	set(&o, "fault-budget", "77");
	set(&o, "vcpu-budget", "0.25%");
	kx_options_to_uapi(&o, &t);
	assert_int_equal(t.trap_share_ppm, 25000);
	assert_int_equal(t.trap_faults_per_s, 77);
	assert_int_equal(t.trap_time_ppm, 2500);
	/* sorted; ranges that are adjacent or overlap are merged */
	set(&o, "pages", "0x300+1,0x100+16,0x110+4,0x102+2,0x200+8,0x204+8");
	kx_options_to_uapi(&o, &t);
	ranges = (const struct kvm_ext_range *)(guintptr)t.ranges;
	assert_int_equal(t.nr_ranges, 3);
	assert_int_equal(ranges[0].gfn, 0x100);
	assert_int_equal(ranges[0].npages, 20);
	assert_int_equal(ranges[1].gfn, 0x200);
	assert_int_equal(ranges[1].npages, 12);
	assert_int_equal(ranges[2].gfn, 0x300);
	assert_int_equal(t.trap_share_ppm, 0);
	text = kx_options_to_string(&o);
	assert_string_equal(text, "interval=1s pages=0x100+20,0x200+12,0x300+1 fault-budget=77/s "
				  "vcpu-budget=0.25%");
}

/* The maximum number of ranges, and one more. */
static void test_longest_list(void **state)
{
	g_autoptr(GString) list = g_string_new("0+1");
	g_autoptr(GError) error = NULL;
	KxOptions o;

	for (guint i = 1; i < KX_OPTIONS_RANGES_MAX; i++)
		g_string_append_printf(list, ",%u+1", 2 * i);
	kx_options_init(&o);
	set(&o, "tracker", "trap");
	set(&o, "pages", list->str);
	assert_int_equal(o.pages.nr, KX_OPTIONS_RANGES_MAX);
	g_string_append(list, ",9999+1");
	assert_false(kx_options_set(&o, "pages", list->str, &error));
	assert_non_null(strstr(error->message, "256"));
}

/* The text is complete: it is read back as the same setting. */
static void test_text_reads_back(void **state)
{
	static const char *const settings[][4] = {
		{ "ept-walk", "skip", "no" },	       { "ept-walk", "regions", "3:9" },
		{ "abit", "staleness", "yes" },	       { "trap", "pages", "5+1,9+2" },
		{ "trap", "pages", "coldest:0.01%" },  { "trap", "vcpu-budget", "12.5%" },
		{ "pml-abit", "flush-scope", "page" }, { "guest-pebs", "event", "raw:0x1cd:0x40" },
		{ "guest-pebs", "policy", "budget" },  { "guest-pebs", "period", "97" },
		{ "guest-pebs", "epoch", "100ms" },    { "guest-abit", "processes", "12,db,4" },
		{ "guest-abit", "range-size", "1G" },  { "guest-abit", "flush", "yes" },
		{ "guest-pebs", "event", "loads" },    { "guest-pebs", "event", "stores" },
		{ "guest-pebs", "event", "auto" },     { "guest-pebs", "event", "loads+stores" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(settings); i++) {
		g_autofree char *text = NULL, *again = NULL;
		g_auto(GStrv) words = NULL;
		KxOptions o, back;

		kx_options_init(&o);
		set(&o, "tracker", settings[i][0]);
		set(&o, settings[i][1], settings[i][2]);
		text = kx_options_to_string(&o);
		kx_options_init(&back);
		set(&back, "tracker", settings[i][0]);
		words = g_strsplit(text, " ", -1);
		for (char **word = words; *word; word++) {
			char *equals = strchr(*word, '=');

			*equals = '\0';
			set(&back, *word, equals + 1);
		}
		again = kx_options_to_string(&back);
		assert_string_equal(text, again);
		assert_true(kx_options_check(&back, NULL));
	}
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

/* pml is dirty-log with a condition, which does not apply to the next tracker. */
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
				     : t->module_id >= 0 || t->can & (KX_CAN_GUEST | KX_CAN_ALONE));
}

/* Options of heat ranges are kept between trackers of the host, but not between host and guest. */
static void test_ranges_stay_on_their_side(void **state)
{
	KxOptions o;

	kx_options_init(&o);
	set(&o, "tracker", "abit");
	set(&o, "range-size", "64K");
	set(&o, "epoch", "100ms");
	set(&o, "tracker", "trap");
	assert_int_equal(o.range_order, 16);
	assert_int_equal(o.epoch_ns, 100000000);
	set(&o, "tracker", "guest-abit");
	assert_int_equal(o.range_order, 0);
	set(&o, "epoch", "1s");
	set(&o, "tracker", "guest-pebs");
	assert_int_equal(o.epoch_ns, 1000000000);
	set(&o, "tracker", "ept-walk");
	assert_int_equal(o.epoch_ns, 0);
}

static void test_keys_and_trackers(void **state)
{
	assert_string_equal(kx_option_keys[0].key, "tracker");
	assert_string_equal(kx_tracker_by_name("abit")->name, "abit");
	assert_null(kx_tracker_by_name("abit "));
	/* the help names just the trackers that can test 2M */
	for (const KxTrackerRow *t = kx_trackers; t->name; t++) {
		g_autofree char *word = g_strdup_printf("\\b%s(,| |$)", t->name);

		if (!g_regex_match_simple(word, kx_option_key("granularity")->help, 0, 0) !=
		    !(t->can & KX_CAN_2M))
			fail_msg("help of granularity: %s", t->name);
	}
	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		g_autoptr(GError) error = NULL;
		KxOptions o;

		kx_options_init(&o);
		assert_false(kx_options_set(&o, k->key, " ", &error));
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
		cmocka_unit_test(test_what_goes_together),
		cmocka_unit_test(test_passes_differ),
		cmocka_unit_test(test_switch_drops_what_is_meaningless),
		cmocka_unit_test(test_goes_back_to_defaults),
		cmocka_unit_test(test_canonical_text),
		cmocka_unit_test(test_uapi),
		cmocka_unit_test(test_uapi_of_new_trackers),
		cmocka_unit_test(test_uapi_of_trap),
		cmocka_unit_test(test_longest_list),
		cmocka_unit_test(test_text_reads_back),
		cmocka_unit_test(test_log_trackers),
		cmocka_unit_test(test_pml_means_dirty_log),
		cmocka_unit_test(test_ranges_stay_on_their_side),
		cmocka_unit_test(test_keys_and_trackers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
