/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report model as JSON: exact both ways; unknown members are ignored, wrong members are errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "model/accessmap-json.h"
#include "report/json.h"

static KxReport *sample(void)
{
	KxReport *r = kx_report_new();
	KxVmReport *v = kx_vm_report_new();
	KxWindow *w = kx_window_new();

	r->kernel = g_strdup("6.1");
	r->generated_realtime_ns = 1795240000123456789;
	r->cpus = 2;
	r->hardware = g_strdup("virtual");
	r->hardware_under = g_strdup("KVM");
	v->name = g_strdup("Größe \"x\" \\ 数");
	v->ram_pages = 1ull << 40;
	w->id = 7;
	w->tracker = g_strdup("abit");
	w->options = g_strdup("interval=1s");
	w->open = TRUE;
	w->has_stats = TRUE;
	w->start_realtime_ns = 1795240000123456789;
	w->samples = 9007199254740993ull; /* not a double */
	w->cpu_ns = G_MAXINT64;
	w->pass_ns_min = G_MAXUINT64;
	w->pass_costs.sums.n = 3;
	w->pass_costs.sums.y = 0.1;
	w->pass_costs.sums.xy = 1.2345678901234567e300;
	w->pass_costs.sums.x = 5;
	w->pass_costs.taken = 3;
	w->pass_costs.size = 2;
	w->pass_costs.pairs = 1;
	w->pass_costs.yy = 0.7;
	w->pass_costs.batch[0] = (KxObservation){ 0.1, 2 };
	w->pass_costs.batch[1] = (KxObservation){ 1e300, 3 };
	w->exits_na = g_strdup("no debugfs");
	w->exits = 99; /* not valid, so not written */
	w->vcpu_run_ns = 42;
	g_ptr_array_add(v->windows, w);
	g_ptr_array_add(r->vms, v);
	return r;
}

/* A map of two rows and three columns, with a gap between the columns. */
static KxAccessMap *sample_map(void)
{
	static const KxAccessColumns columns[] = { { 0, 2 }, { 4096, 1 } };
	static const guint64 sizes[] = { 7, 7, 9 }, cells[2][3] = { { 0, 5, 2 }, { 9, 9, 9 } };
	KxAccessMap *m = kx_access_map_new();

	m->tracker = g_strdup("trap");
	m->unit = g_strdup(KX_ACCESS_EVENTS);
	m->kind = g_strdup("apart");
	m->size_na = g_strdup("not all pages");
	m->origin_realtime_ns = 1795240000123456789;
	m->bin_ns = 20000000;
	m->bin_pages = 64;
	m->sizes_every = 1;
	m->columns_nr = 3;
	m->block_use[9] = G_MAXUINT64;
	g_array_append_vals(m->columns, columns, 2);
	g_array_append_vals(m->sizes, sizes, 3);
	g_array_append_vals(m->ages_ns, cells[0], 2);
	g_array_append_vals(m->age_pages, sizes, 2);
	for (guint i = 0; i < 2; i++) {
		KxAccessRow *r = kx_access_row_new();

		r->bin = i * 7;
		r->passes = 3;
		r->found = r->found_max = 1024;
		r->blocks = 2;
		g_array_append_vals(r->cells, cells[i], 3);
		r->writes = g_array_copy(r->cells);
		g_ptr_array_add(m->rows, r);
	}
	return m;
}

static char *over_time_json(void)
{
	g_autoptr(KxReport) r = sample();
	KxOverTime *t = kx_over_time_new();
	const KxAccessPart part = { 0, 1 << 20 };

	g_array_append_val(t->parts, part);
	g_ptr_array_add(t->maps, sample_map());
	((KxVmReport *)r->vms->pdata[0])->over_time = t;
	return kx_report_to_json(r);
}

static void test_over_time(void **state)
{
	g_autofree char *json = over_time_json();
	g_autoptr(KxReport) back = kx_report_from_json(json, NULL);
	g_autofree char *again = back ? kx_report_to_json(back) : NULL;
	const KxVmReport *v = back ? back->vms->pdata[0] : NULL;
	const KxAccessMap *m;

	assert_non_null(v);
	m = v->over_time->maps->pdata[0];
	assert_int_equal(kx_access_column_gfn(m, 2), 4096 * 64);
	assert_int_equal(kx_access_cell(kx_access_row(m, 0), 1), 5);
	assert_int_equal(m->block_use[9], G_MAXUINT64);
	assert_string_equal(json, again);
	assert_non_null(strstr(json, "\"0 5 2\""));
	assert_non_null(strstr(json, "\"9*3\""));
	assert_non_null(strstr(json, "\"0+2 4096+1\""));
}

/* Each change makes the map invalid in another way. */
static void test_over_time_refused(void **state)
{
	static const char *const changes[][2] = {
		{ "\"0 5 2\"", "\"0 5\"" },
		{ "\"0 5 2\"", "\"0 5 2 1\"" },
		{ "\"0 5 2\"", "\"0  5 2\"" },
		{ "\"0 5 2\"", "\"0*4000000000\"" },
		{ "\"0 5 2\"", "\"0 4 2\"" },
		{ "\"9*3\"", "\"9*0 9*3\"" },
		{ "\"9*3\"", "\"9*2 18446744073709551616\"" },
		{ "\"0+2 4096+1\"", "\"0+2 1+1\"" },
		{ "\"0+2 4096+1\"", "\"0+300\"" },
		{ "\"0+2 4096+1\"", "\"18446744073709551615+3\"" },
		{ "\"bin_pages\" : 64", "\"bin_pages\" : 63" },
		{ "\"bin_pages\" : 64", "\"bin_pages\" : 0" },
		{ "\"bin_ns\" : 20000000", "\"bin_ns\" : 0" },
		{ "\"bin\" : 7", "\"bin\" : 0" },
		{ "\"unit\" : \"accesses\"", "\"unit\" : \"words\"" },
		{ "\"found_min\" : 0", "\"found_min\" : 1025" },
		{ "\"blocks\" : 2", "\"blocks\" : 1" },
		{ "\"ages_ns\" : \"0 5\"", "\"ages_ns\" : \"5 5\"" },
		{ "\"ages_ns\" : \"0 5\"", "\"ages_ns\" : \"5\"" },
		{ "\"npages\" : 1048576", "\"npages\" : 0" },
	};
	g_autofree char *json = over_time_json();

	for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
		g_auto(GStrv) parts = g_strsplit(json, changes[i][0], 2);
		g_autofree char *bad = g_strjoinv(changes[i][1], parts);
		g_autoptr(GError) error = NULL;
		g_autoptr(KxReport) r = NULL;

		assert_int_equal(g_strv_length(parts), 2);
		r = kx_report_from_json(bad, &error);
		assert_null(r);
		assert_non_null(error);
	}
}

/* A cell takes a byte of text or less, and eight of memory. */
static void test_cells_are_bounded(void **state)
{
	g_autofree char *json = over_time_json();
	g_autoptr(JsonParser) parser = json_parser_new_immutable();
	/* Two rows of three cells, half of which are writes. */
	const guint64 needed = 2 * 3 * 2;
	JsonArray *vms;

	assert_true(json_parser_load_from_data(parser, json, -1, NULL));
	vms = json_object_get_array_member(json_node_get_object(json_parser_get_root(parser)),
					   "vms");
	for (guint i = 0; i < 2; i++) {
		g_autoptr(GError) error = NULL;
		guint64 cells = needed - i;
		g_autoptr(KxOverTime) t = kx_json_read_over_time(
			json_array_get_object_element(vms, 0), &cells, "VM 1", &error);

		assert_int_equal(!t, i);
		if (i)
			assert_non_null(strstr(error->message, "more cells"));
		else
			assert_int_equal(cells, 0);
	}
}

static void test_exact(void **state)
{
	g_autoptr(KxReport) r = sample();
	g_autofree char *json = kx_report_to_json(r);
	g_autoptr(GError) error = NULL;
	g_autoptr(KxReport) back = kx_report_from_json(json, &error);
	const KxVmReport *v;
	const KxWindow *w;

	if (!back)
		fail_msg("%s", error->message);
	assert_string_equal(back->kernel, "6.1");
	assert_string_equal(back->hardware, "virtual");
	assert_string_equal(back->hardware_under, "KVM");
	assert_int_equal(back->generated_realtime_ns, 1795240000123456789);
	v = back->vms->pdata[0];
	assert_string_equal(v->name, "Größe \"x\" \\ 数");
	assert_true(v->ram_pages == 1ull << 40);
	w = v->windows->pdata[0];
	assert_true(w->open);
	assert_true(w->samples == 9007199254740993ull);
	assert_true(w->cpu_ns == G_MAXINT64);
	assert_true(w->pass_ns_min == G_MAXUINT64);
	assert_true(w->pass_costs.sums.y == 0.1);
	assert_true(w->pass_costs.sums.xy == 1.2345678901234567e300);
	assert_true(w->pass_costs.sums.x == 5);
	assert_true(w->pass_costs.sums.n == 3 && w->pass_costs.taken == 3 &&
		    w->pass_costs.size == 2 && w->pass_costs.pairs == 1);
	assert_true(w->pass_costs.yy == 0.7);
	assert_true(w->pass_costs.batch[0].y == 0.1 && w->pass_costs.batch[0].x == 2);
	assert_true(w->pass_costs.batch[1].y == 1e300 && w->pass_costs.batch[1].x == 3);
	assert_true(w->pass_costs.batch[2].x == 0);
	assert_string_equal(w->exits_na, "no debugfs");
	assert_int_equal(w->exits, 0);
	assert_null(w->vcpu_run_na);
	assert_int_equal(w->vcpu_run_ns, 42);
	assert_string_equal(w->work_na, "no workload log was given");
}

/* A size that is a multiple of 2^32 is not 0: it must not be taken for unknown. */
static void test_large_ring(void **state)
{
	static const guint64 sizes[] = { 0, 4096, 1ull << 32, 3ull << 32, 1ull << 63 };

	for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autoptr(KxReport) r = sample(), back = NULL;
		g_autofree char *json = NULL;

		((KxVmReport *)r->vms->pdata[0])->ring_bytes = sizes[i];
		json = kx_report_to_json(r);
		assert_int_equal(strstr(json, "\"ring_bytes\"") != NULL, sizes[i] != 0);
		back = kx_report_from_json(json, NULL);
		assert_non_null(back);
		assert_true(((KxVmReport *)back->vms->pdata[0])->ring_bytes == sizes[i]);
	}
}

static char *with(const char *vm_members)
{
	return g_strdup_printf("{\"schema\": \"" KX_REPORT_SCHEMA
			       "\", \"vms\": [{\"name\": \"a\"%s}]}",
			       vm_members);
}

static void test_tolerant(void **state)
{
	g_autofree char *json =
		with(", \"new\": {\"deep\": [1]}, \"windows\": [{\"tracker\": \"off\", "
		     "\"id\": 1, \"later\": null, \"est_cost\": 3}]");
	g_autoptr(KxReport) r = kx_report_from_json(json, NULL);
	const KxWindow *w;

	assert_non_null(r);
	w = ((KxVmReport *)r->vms->pdata[0])->windows->pdata[0];
	assert_string_equal(w->options, "");
	assert_true(w->pass_costs.sums.y == 3);
	/* a counter that is missing in the text was not measured */
	assert_string_equal(w->exits_na, "not in the report");
}

static void test_refused(void **state)
{
	static const char *const bodies[] = {
		", \"pid\": \"x\"",
		", \"pid\": -1",
		", \"pid\": 4294967296",
		", \"pid\": null",
		", \"pid\": {}",
		", \"attached\": 1",
		", \"uuid\": 5",
		", \"ram_pages\": 1.5",
		", \"ram_pages\": \"-1\"",
		", \"ram_pages\": \"18446744073709551616\"",
		", \"windows\": {}",
		", \"windows\": [5]",
		", \"windows\": [{}]",
		", \"windows\": [{\"tracker\": null}]",
		", \"windows\": [{\"tracker\": \"off\", \"id\": []}]",
		", \"windows\": [{\"tracker\": \"off\", \"est_cost\": \"1\"}]",
		", \"windows\": [{\"tracker\": \"off\", \"start_realtime_ns\": 1.5}]",
		", \"windows\": [{\"tracker\": \"off\", \"est_taken\": 2}]",
		", \"windows\": [{\"tracker\": \"off\", \"est_batches\": 2}]",
		", \"windows\": [{\"tracker\": \"off\", \"est_batches\": [[1, 2]]}]",
		", \"windows\": [{\"tracker\": \"off\", \"est_taken\": 2, \"est_batch_passes\": "
		"2}]",
		", \"windows\": [{\"tracker\": \"off\", \"est_taken\": 2, \"est_batch_passes\": 2, "
		"\"est_batches\": [[1]]}]",
		", \"windows\": [{\"tracker\": \"off\", \"est_taken\": 2, \"est_batch_passes\": 2, "
		"\"est_batches\": [[1, {}]]}]",
		", \"windows\": [{\"tracker\": \"off\", \"est_taken\": \"18446744073709551615\", "
		"\"est_batch_passes\": 1, \"est_batches\": []}]",
		", \"windows\": [{\"tracker\": \"off\", \"has_module\": true}]",
		", \"windows\": [{\"tracker\": \"dirty-log\", \"has_log\": true}]",
		", \"yielded\": true",
		", \"placement\": []",
		", \"placement\": {\"cpu_ns\": -1}",
		", \"placement\": {\"hot_pages\": 1, \"hot_asked\": 2}",
		", \"placement\": {\"rest_pages\": 3, \"rest_asked\": 2, \"rest_absent\": 3}",
		", \"placement\": {\"nodes\": {}}",
		", \"placement\": {\"nodes\": [{\"node\": 4294967296}]}",
		", \"placement\": {\"rest_pages\": 3, \"rest_asked\": 2, \"nodes\": [{\"rest\": "
		"3}]}",
	};
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"5",
		"{}",
		"{\"schema\": 5}",
		"{\"schema\": \"kvm-ext-report/2\"}",
		"{\"schema\": \"" KX_REPORT_SCHEMA "\", \"vms\": 5}",
		"{\"schema\": \"" KX_REPORT_SCHEMA "\", \"vms\": [[]]}",
		"{\"schema\": \"" KX_REPORT_SCHEMA "\", \"vms\": [{}]}",
		"{\"schema\": \"" KX_REPORT_SCHEMA "\", \"cpus\": true}",
	};

	for (guint i = 0; i < G_N_ELEMENTS(bodies); i++) {
		g_autofree char *json = with(bodies[i]);
		g_autoptr(GError) error = NULL;

		if (kx_report_from_json(json, &error))
			fail_msg("accepted: %s", json);
		assert_non_null(error);
	}
	for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;

		if (kx_report_from_json(texts[i], &error))
			fail_msg("accepted: %s", texts[i]);
		assert_non_null(error);
	}
}

/* The log's part is complete, or there is none. */
static void test_log_part(void **state)
{
	g_autoptr(KxReport) r = sample();
	KxWindow *w = ((KxVmReport *)r->vms->pdata[0])->windows->pdata[0];
	g_autofree char *without = NULL, *with_log = NULL;
	g_autoptr(KxReport) plain = NULL, back = NULL;
	g_autoptr(GError) error = NULL;

	w->log_yields = 5;
	without = kx_report_to_json(r);
	assert_null(strstr(without, "log_yielded_passes\""));
	plain = kx_report_from_json(without, NULL);
	assert_null(((KxWindow *)((KxVmReport *)plain->vms->pdata[0])->windows->pdata[0])
			    ->log_disable_na);

	w->has_log = TRUE;
	w->log_mechanism = g_strdup("pml");
	w->log_mode = g_strdup("plain");
	w->log_disable_na = g_strdup("not yet");
	w->log_disable_ns = 7; /* not valid, so not written */
	r->log_selftest = g_strdup("wrong");
	((KxVmReport *)r->vms->pdata[0])->yielded = g_strdup("migration");
	with_log = kx_report_to_json(r);
	back = kx_report_from_json(with_log, &error);
	if (!back)
		fail_msg("%s", error->message);
	w = ((KxVmReport *)back->vms->pdata[0])->windows->pdata[0];
	assert_true(w->has_log);
	assert_string_equal(w->log_mechanism, "pml");
	assert_int_equal(w->log_yields, 5);
	assert_string_equal(w->log_disable_na, "not yet");
	assert_int_equal(w->log_disable_ns, 0);
	assert_string_equal(back->log_selftest, "wrong");
	assert_string_equal(((KxVmReport *)back->vms->pdata[0])->yielded, "migration");
}

/* A counter that is newer than the report is not known, and stays unknown when the report is written again. */
static void test_later_counter(void **state)
{
	g_autoptr(KxReport) r = sample(), old = NULL, again = NULL;
	KxWindow *w = ((KxVmReport *)r->vms->pdata[0])->windows->pdata[0];
	g_autofree char *json = NULL, *without = NULL, *rewritten = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(GRegex) key = g_regex_new("\"trap_listened_ns(_na)?\" : [^,]*,", 0, 0, NULL);

	w->has_trap = TRUE;
	w->trap_listened_ns = 7;
	json = kx_report_to_json(r);
	assert_non_null(strstr(json, "\"trap_listened_ns\" : 7"));
	without = g_regex_replace_literal(key, json, -1, 0, "", 0, NULL);
	assert_null(strstr(without, "trap_listened_ns"));
	old = kx_report_from_json(without, &error);
	if (!old)
		fail_msg("%s", error->message);
	w = ((KxVmReport *)old->vms->pdata[0])->windows->pdata[0];
	assert_string_equal(w->trap_listened_ns_na, "not in the report");
	rewritten = kx_report_to_json(old);
	again = kx_report_from_json(rewritten, NULL);
	w = ((KxVmReport *)again->vms->pdata[0])->windows->pdata[0];
	assert_string_equal(w->trap_listened_ns_na, "not in the report");
	/* and nothing else of the part may be missing */
	g_clear_pointer(&without, g_free);
	g_regex_unref(key);
	key = g_regex_new("\"trap_zap_ns\" : [^,]*,", 0, 0, NULL);
	without = g_regex_replace_literal(key, json, -1, 0, "", 0, NULL);
	assert_null(kx_report_from_json(without, NULL));
}

/* Figures in the JSON have a value or a reason, never both, and never a 0 without a measurement. */
static void test_rows(void **state)
{
	g_autoptr(KxReport) r = sample();
	g_autofree char *json = kx_report_to_json(r);
	g_autoptr(JsonNode) root = json_from_string(json, NULL);
	JsonObject *vm, *row;
	g_autoptr(GList) members = NULL;
	guint figures = 0;

	assert_non_null(root);
	vm = json_array_get_object_element(
		json_object_get_array_member(json_node_get_object(root), "vms"), 0);
	row = json_array_get_object_element(json_object_get_array_member(vm, "rows"), 0);
	members = json_object_get_members(row);
	for (GList *m = members; m; m = m->next) {
		JsonNode *node = json_object_get_member(row, m->data);
		JsonObject *f;

		if (!JSON_NODE_HOLDS_OBJECT(node))
			continue;
		f = json_node_get_object(node);
		assert_true(json_object_has_member(f, "unit"));
		assert_true(json_object_has_member(f, "na") != json_object_has_member(f, "value"));
		assert_true(json_object_has_member(f, "value") == json_object_has_member(f, "n"));
		figures++;
	}
	assert_true(figures > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_tolerant),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_log_part),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_later_counter),
		cmocka_unit_test(test_large_ring),
		cmocka_unit_test(test_over_time),
		cmocka_unit_test(test_over_time_refused),
		cmocka_unit_test(test_cells_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
