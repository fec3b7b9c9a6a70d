// SPDX-License-Identifier: GPL-2.0-or-later
/* Maps of heat made by hand: where they agree, which trackers have seen which ranges, and the same after JSON. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "account/heat.h"
#include "report/json.h"
#include "report/text.h"

#define PAGE 4096ull
#define RAM  (1000 * PAGE)

static KxHeatMap *add_map(KxHeatReport *h, const char *tracker)
{
	KxHeatMap *m = kx_heat_map_new();

	m->tracker = g_strdup(tracker);
	m->options = g_strdup("");
	m->samples = 12345;
	m->ranges_total = 512;
	g_ptr_array_add(h->maps, m);
	return m;
}

/* In pages; call this in order of heat. */
static void add_range(KxHeatMap *m, guint64 page, guint64 pages, guint64 accesses)
{
	KxHeatRange r = { page * PAGE, pages * PAGE, accesses, 3, 0 };

	g_array_append_val(m->ranges, r);
}

static const KxAgreement *only(const KxHeatReport *h)
{
	assert_int_equal(h->agreement->len, 1);
	return h->agreement->pdata[0];
}

static guint32 seen(const KxHeatMap *m, guint i)
{
	return g_array_index(m->ranges, KxHeatRange, i).seen_by;
}

static void counts_what_is_in_both(void **state)
{
	g_autoptr(KxHeatReport) h = kx_heat_report_new();
	KxHeatMap *a = add_map(h, "abit"), *b = add_map(h, "ept-walk");

	/* 20 pages hold half of the accesses of a, 25 those of b: 20 of either are compared */
	add_range(a, 100, 10, 600);
	add_range(a, 200, 10, 400);
	add_range(a, 300, 500, 1000);
	add_range(b, 105, 15, 900);
	add_range(b, 205, 10, 600);
	add_range(b, 500, 100, 1500);
	kx_heat_compare(h, RAM);
	assert_int_equal(a->half_bytes, 20 * PAGE);
	assert_int_equal(b->half_bytes, 25 * PAGE);
	assert_int_equal(a->ranges_hot, 3);
	assert_null(only(h)->na);
	assert_int_equal(only(h)->bytes, 20 * PAGE);
	/* of b the first range, and any half of the pages of the second: 5 and 5 / 2 of them are in a */
	assert_int_equal(only(h)->common, 7 * PAGE + PAGE / 2);
	assert_true(fabs(only(h)->f1 - 0.375) < 1e-9);
	assert_true(fabs(only(h)->jaccard - 7.5 / 32.5) < 1e-9);
	assert_true(fabs(only(h)->by_chance - 0.02) < 1e-9);
	assert_int_equal(only(h)->samples_b, 12345);
	/* half of the range or more is in the other's hottest */
	assert_int_equal(seen(a, 0), 3);
	assert_int_equal(seen(a, 1), 3);
	assert_int_equal(seen(a, 2), 0);
	assert_int_equal(seen(b, 0), 2);
	assert_ptr_equal(kx_heat_main_map(h), b);
	a->running = TRUE;
	assert_ptr_equal(kx_heat_main_map(h), a);
}

static void agrees_with_itself_and_not_with_another(void **state)
{
	g_autoptr(KxHeatReport) h = kx_heat_report_new();

	for (guint i = 0; i < 3; i++) {
		KxHeatMap *m = add_map(h, i == 0 ? "abit" : i == 1 ? "ept-walk" : "dirty-log");

		add_range(m, i == 2 ? 800 : 100, 10, 90);
		add_range(m, 0, 50, 20);
	}
	kx_heat_compare(h, RAM);
	assert_int_equal(h->agreement->len, 3);
	assert_true(((KxAgreement *)h->agreement->pdata[0])->f1 == 1);
	assert_true(((KxAgreement *)h->agreement->pdata[0])->jaccard == 1);
	assert_true(((KxAgreement *)h->agreement->pdata[1])->f1 == 0);
	assert_true(((KxAgreement *)h->agreement->pdata[2])->f1 == 0);
}

static void says_why_not(void **state)
{
	static const struct {
		const char *says;
		gboolean nothing, partial, coarse;
	} cases[] = {
		{ .says = "ept-walk has found nothing", .nothing = TRUE },
		{ .says = "it watched pages that were chosen", .partial = TRUE },
		{ .says = "ranges of ept-walk are still larger", .coarse = TRUE },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(KxHeatReport) h = kx_heat_report_new();
		KxHeatMap *a = add_map(h, "abit"), *b = add_map(h, "ept-walk");

		add_range(a, 100, 10, 600);
		if (cases[i].coarse)
			add_range(b, 0, 512, 600);
		else if (!cases[i].nothing)
			add_range(b, 100, 10, 600);
		b->partial =
			cases[i].partial ? g_strdup("it watched pages that were chosen") : NULL;
		kx_heat_compare(h, RAM);
		assert_non_null(only(h)->na);
		if (!strstr(only(h)->na, cases[i].says))
			fail_msg("%s", only(h)->na);
	}
}

/* One map from 2M leaves, which the classifier has divided: all parts are equally hot. One map from 4K pages: one hot page each. */
static void add_leaves_and_pages(KxHeatReport *h, guint64 leaf_bytes, guint64 hot_pages)
{
	KxHeatMap *a = add_map(h, "abit"), *b = add_map(h, "dirty-log");

	a->leaf_bytes = leaf_bytes;
	b->leaf_bytes = 4096;
	for (guint i = 0; i < 64; i++)
		add_range(a, 16 * i, 16, 16);
	for (guint i = 0; i < hot_pages; i++)
		add_range(b, 512 + 32 * i, 1, 5);
}

/* The hot pages are in leaves that are larger: it cannot be known whether the maps agree, however small their ranges are. */
static void leaves_are_not_compared(void **state)
{
	static const char says[] = "abit finds whole leaves of 2 MiB, larger than what is hot";
	static const guint64 ram = 4096 * PAGE;
	g_autoptr(KxHeatReport) unknown = kx_heat_report_new(), few = kx_heat_report_new();
	g_autoptr(KxHeatReport) scattered = kx_heat_report_new(), same = kx_heat_report_new();

	add_leaves_and_pages(unknown, 0, 16);
	kx_heat_compare(unknown, ram);
	assert_null(only(unknown)->na);
	assert_true(only(unknown)->f1 == 0);

	add_leaves_and_pages(few, 512 * PAGE, 16);
	kx_heat_compare(few, ram);
	assert_non_null(only(few)->na);
	assert_non_null(strstr(only(few)->na, says));

	/* in all as much as a leaf, but a page here and a page there */
	add_leaves_and_pages(scattered, 512 * PAGE, 1100);
	g_array_set_size(((KxHeatMap *)scattered->maps->pdata[0])->ranges, 0);
	add_range(scattered->maps->pdata[0], 0, 1600, 1600);
	kx_heat_compare(scattered, 100 * ram);
	assert_int_equal(only(scattered)->bytes, 550 * PAGE);
	assert_non_null(strstr(only(scattered)->na, says));

	/* leaves with leaves, where as many are hot, are compared */
	for (guint i = 0; i < 2; i++) {
		KxHeatMap *m = add_map(same, i ? "ept-walk" : "abit");

		m->leaf_bytes = 512 * PAGE;
		add_range(m, 0, 512, 5120);
		add_range(m, 1024, 512, 512);
	}
	kx_heat_compare(same, ram);
	assert_null(only(same)->na);
	assert_true(only(same)->f1 == 1);
}

/* Addresses of a guest's process are compared with no other map. */
static void processes_are_not_compared(void **state)
{
	g_autoptr(KxHeatReport) h = kx_heat_report_new();
	KxHeatMap *m = add_map(h, "guest-abit"), *p = add_map(h, "guest-abit");

	add_range(m, 1, 1, 5);
	add_range(p, 1, 1, 5);
	p->process = g_strdup("db");
	kx_heat_compare(h, RAM);
	assert_int_equal(h->agreement->len, 0);
	assert_int_equal(seen(p, 0), 0);
	assert_int_equal(seen(m, 0), 1);
	assert_ptr_equal(kx_heat_main_map(h), m);
}

static KxReport *with_heat(void)
{
	KxReport *r = kx_report_new();
	KxVmReport *v = kx_vm_report_new();
	KxHeatMap *m, *p;

	r->version = g_strdup("0.1.0");
	v->name = g_strdup("vm1");
	v->heat = kx_heat_report_new();
	m = add_map(v->heat, "guest-pebs");
	m->mechanism = g_strdup("sw:page-faults, surrogate");
	m->running = TRUE;
	add_range(m, 7, 2, 99);
	add_range(m, 70, 20, 9);
	p = add_map(v->heat, "guest-pebs");
	p->process = g_strdup("db\tserver");
	p->pid = 42;
	add_range(p, 0xfff0000000, 3, G_MAXUINT64 / 4);
	add_map(v->heat, "abit");
	kx_heat_compare(v->heat, RAM);
	g_ptr_array_add(r->vms, v);
	return r;
}

static void comes_back_from_json(void **state)
{
	g_autoptr(KxReport) r = with_heat(), back = NULL;
	g_autofree char *json = kx_report_to_json(r), *again = NULL;
	g_autoptr(GError) error = NULL;

	back = kx_report_from_json(json, &error);
	if (!back)
		fail_msg("%s", error->message);
	again = kx_report_to_json(back);
	assert_string_equal(json, again);
	kx_heat_trim(((KxVmReport *)back->vms->pdata[0])->heat, 1);
	assert_int_equal(((KxHeatMap *)((KxVmReport *)back->vms->pdata[0])->heat->maps->pdata[0])
				 ->ranges->len,
			 1);
}

static void refuses_what_is_no_heat(void **state)
{
	static const char *const bad[] = {
		"\"heat\": 5",
		"\"heat\": {\"maps\": 5}",
		"\"heat\": {\"maps\": [5]}",
		"\"heat\": {\"maps\": [{}]}",
		"\"heat\": {\"maps\": [{\"tracker\": \"abit\", \"ranges\": [{\"start\": 1}]}]}",
		"\"heat\": {\"maps\": [{\"tracker\": \"abit\", \"ranges\": [{\"size\": 1, "
		"\"seen_by\": [32]}]}]}",
		"\"heat\": {\"maps\": [{\"tracker\": \"abit\", \"ranges\": [{\"size\": 1, "
		"\"seen_by\": 1}]}]}",
		"\"heat\": {\"agreement\": [{\"a\": \"abit\"}]}",
		"\"heat\": {\"agreement\": [{\"a\": 5, \"b\": \"abit\"}]}",
	};

	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *json = g_strdup_printf("{\"schema\": \"" KX_REPORT_SCHEMA
							"\", \"vms\": [{\"name\": \"a\", %s}]}",
							bad[i]);
		g_autoptr(GError) error = NULL;

		if (kx_report_from_json(json, &error))
			fail_msg("taken: %s", bad[i]);
		assert_non_null(error);
	}
}

static void shows_who_has_seen_it(void **state)
{
	g_autoptr(KxReport) r = with_heat();
	const KxVmReport *v = r->vms->pdata[0];
	g_autofree char *all = kx_heat_to_text(v, v->heat->maps->pdata[0], 20, 120);
	g_autofree char *one = kx_heat_to_text(v, v->heat->maps->pdata[0], 1, 120);
	g_autofree char *process = kx_heat_to_text(v, v->heat->maps->pdata[1], 20, 120);

	assert_non_null(strstr(all, "guest-pebs (sw:page-faults, surrogate), running"));
	assert_non_null(strstr(all, "0x46000"));
	assert_null(strstr(one, "0x46000"));
	assert_non_null(strstr(process, "process 42"));
	assert_null(strchr(process, '\t'));
}

/* Text and JSON say which maps may lack the heat of nested guests: those of trackers that cannot see it. */
static void shows_what_is_unseen(void **state)
{
	g_autoptr(KxReport) r = with_heat();
	const KxVmReport *v = r->vms->pdata[0];
	g_autofree char *before = kx_heat_to_text(v, v->heat->maps->pdata[0], 20, 120);
	g_autofree char *json = NULL, *after = NULL;
	g_autoptr(KxReport) back = NULL;

	assert_null(strstr(before, "NESTED"));
	kx_heat_note_nested(v->heat);
	json = kx_report_to_json(r);
	back = kx_report_from_json(json, NULL);
	assert_non_null(back);
	v = back->vms->pdata[0];
	after = kx_heat_to_text(v, v->heat->maps->pdata[0], 20, 120);
	assert_non_null(strstr(after, "\n  NESTED GUESTS WERE SEEN: "));
}

/* The number of lost samples is shown beside the map that lacks them, also in the report, and is kept in JSON. */
static void shows_what_was_lost(void **state)
{
	static const char says[] = "4321 more samples were lost";
	g_autoptr(KxReport) r = with_heat(), back = NULL;
	KxVmReport *v = r->vms->pdata[0];
	g_autofree char *none = kx_heat_to_text(v, v->heat->maps->pdata[0], 20, 120);
	g_autofree char *whole = NULL, *json = NULL, *map = NULL, *other = NULL, *report = NULL;
	KxWindow *w = kx_window_new();

	w->tracker = g_strdup("abit");
	w->options = g_strdup("");
	g_ptr_array_add(v->windows, w);
	whole = kx_report_to_text(r, 120);
	assert_null(strstr(none, "were lost"));
	assert_non_null(strstr(whole, "hottest ranges of memory"));
	assert_null(strstr(whole, "were lost"));
	((KxHeatMap *)v->heat->maps->pdata[0])->lost = 4321;
	json = kx_report_to_json(r);
	back = kx_report_from_json(json, NULL);
	assert_non_null(back);
	v = back->vms->pdata[0];
	map = kx_heat_to_text(v, v->heat->maps->pdata[0], 20, 120);
	other = kx_heat_to_text(v, v->heat->maps->pdata[2], 20, 120);
	report = kx_report_to_text(back, 120);
	assert_non_null(strstr(map, says));
	assert_null(strstr(other, "were lost"));
	assert_non_null(strstr(report, says));
}

static void add_process(KxHeatReport *h, const char *tracker, const char *process, guint pid)
{
	KxHeatMap *m = add_map(h, tracker);

	m->process = g_strdup(process);
	m->pid = pid;
	add_range(m, 1, 1, 5);
}

/* In the model all processes are at the end; in the table they are below the tracker that reported them, and name it. */
static void processes_stand_below_their_tracker(void **state)
{
	static const char *const rows[] = {
		"\n  guest-abit ",
		"\n    guest-abit: process init (1) ",
		"\n    guest-abit: process sleep (7) ",
		"\n  guest-pebs ",
		"\n    guest-pebs: process db (3) ",
		"\n  ept-walk ",
		"\n    guest-mpsc: process gone (9) ",
	};
	g_autoptr(KxReport) r = kx_report_new();
	KxVmReport *v = kx_vm_report_new();
	KxWindow *w = kx_window_new();
	g_autofree char *text = NULL;
	const char *at, *next, *end;

	v->name = g_strdup("vm1");
	w->tracker = g_strdup("abit");
	w->options = g_strdup("");
	g_ptr_array_add(v->windows, w);
	g_ptr_array_add(r->vms, v);
	v->heat = kx_heat_report_new();
	add_range(add_map(v->heat, "guest-abit"), 7, 2, 99);
	add_range(add_map(v->heat, "guest-pebs"), 7, 2, 99);
	add_range(add_map(v->heat, "ept-walk"), 7, 2, 99);
	add_process(v->heat, "guest-abit", "init", 1);
	add_process(v->heat, "guest-abit", "sleep", 7);
	add_process(v->heat, "guest-pebs", "db", 3);
	add_process(v->heat, "guest-mpsc", "gone", 9);
	kx_heat_compare(v->heat, RAM);
	text = kx_report_to_text(r, 0);
	at = strstr(text, "hottest ranges of memory");
	assert_non_null(at);
	end = strstr(at, "\n\n  Agreement:");
	assert_non_null(end);
	for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
		next = strstr(at, rows[i]);
		if (!next || next > end)
			fail_msg("'%s' is not there, or out of order:\n%s", rows[i], text);
		at = next;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_what_is_in_both),
		cmocka_unit_test(agrees_with_itself_and_not_with_another),
		cmocka_unit_test(says_why_not),
		cmocka_unit_test(leaves_are_not_compared),
		cmocka_unit_test(processes_are_not_compared),
		cmocka_unit_test(comes_back_from_json),
		cmocka_unit_test(refuses_what_is_no_heat),
		cmocka_unit_test(shows_who_has_seen_it),
		cmocka_unit_test(shows_what_is_unseen),
		cmocka_unit_test(shows_what_was_lost),
		cmocka_unit_test(processes_stand_below_their_tracker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
