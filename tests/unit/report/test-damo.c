// SPDX-License-Identifier: GPL-2.0-or-later
/* The export for damo: the rules of what damo 3.x reads, and values read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <zlib.h>

#include "account/timemap.h"
#include "report/damo.h"

#define MS	  1000000ull
#define PAGE_SIZE 4096ull

/* 1 GiB of memory in two parts, with a hole in between. */
static const KxAccessPart parts[] = { { 0, 0xa0 }, { 0x100, 0x3ff00 } };

static KxAccessMap *made(guint passes, gboolean regions)
{
	g_autoptr(KxTimeMap) b =
		kx_timemap_new(regions ? KX_TIMEMAP_REGIONS : KX_TIMEMAP_PAGES, FALSE, 0x3ffff, 0);
	KxAccessMap *m;

	for (guint i = 0; i < passes; i++) {
		const struct kvm_ext_rec_pass_end end = { .pass = i + 1,
							  .time_ns = (i + 1) * 100 * MS + 7 };
		const struct kvm_ext_region region = { .gfn = 0x200,
						       .npages = 333,
						       .accesses = 3 + i % 4 };
		const struct kvm_ext_rec_regions r = { .checks = 20, .total = 1, .nr = 1 };

		if (regions) {
			kx_timemap_add_regions(b, &r, &region);
		} else {
			kx_timemap_add(b, 1 + i % 5, 3); /* in the first part, beside page 0 */
			kx_timemap_add(b, 0x90, 0x10);	 /* up to its end */
			kx_timemap_add(b, 0x100 + i * 777, 100 + i);
			kx_timemap_add(b, 0x3fff0, 16);
		}
		kx_timemap_end_pass(b, &end);
	}
	m = kx_timemap_report(b, 1795240000000000000);
	m->tracker = g_strdup(regions ? "abit" : "ept-walk");
	m->options = g_strdup("");
	m->kind = g_strdup("touched");
	return m;
}

static GPtrArray *vms_with(KxAccessMap *one, KxAccessMap *two, gboolean with_parts)
{
	GPtrArray *vms = g_ptr_array_new_with_free_func((GDestroyNotify)kx_vm_report_free);
	KxVmReport *v = kx_vm_report_new();

	v->name = g_strdup("vm1");
	v->over_time = kx_over_time_new();
	if (with_parts)
		g_array_append_vals(v->over_time->parts, parts, G_N_ELEMENTS(parts));
	g_ptr_array_add(v->over_time->maps, one);
	if (two)
		g_ptr_array_add(v->over_time->maps, two);
	g_ptr_array_add(vms, v);
	return vms;
}

static guint64 number(JsonObject *o, const char *key)
{
	JsonNode *node = json_object_get_member(o, key);
	guint64 value;

	assert_non_null(node);
	if (json_node_get_value_type(node) == G_TYPE_INT64)
		return (guint64)json_node_get_int(node);
	assert_true(g_ascii_string_to_unsigned(json_node_get_string(node), 10, 0, G_MAXUINT64,
					       &value, NULL));
	return value;
}

/* Regions of a snapshot: ascending, over all of the memory, never from 0 on. Returns Σ samples × pages. */
static guint64 check_regions(JsonArray *regions, guint64 checks, gboolean with_parts)
{
	guint64 sum = 0, at = 1, pages = 0;

	for (guint i = 0; i < json_array_get_length(regions); i++) {
		JsonObject *r = json_array_get_object_element(regions, i);
		JsonObject *accesses = json_object_get_object_member(r, "nr_accesses");
		JsonObject *age = json_object_get_object_member(r, "age");
		guint64 start = number(r, "start"), end = number(r, "end");
		guint64 samples = number(accesses, "samples");

		assert_true(start >= PAGE_SIZE);
		assert_true(start % PAGE_SIZE == 0 && end % PAGE_SIZE == 0 && start < end);
		assert_true(start / PAGE_SIZE >= at);
		if (with_parts && start / PAGE_SIZE != at)
			assert_true(at == 0xa0 && start / PAGE_SIZE == 0x100);
		at = end / PAGE_SIZE;
		assert_true(samples <= checks);
		assert_true(json_object_has_member(accesses, "percent"));
		assert_true(json_object_has_member(age, "usec"));
		assert_int_equal(number(age, "aggr_intervals"), 0);
		assert_true(json_object_has_member(r, "probe_hits"));
		assert_true(json_object_has_member(r, "sz_filter_passed"));
		pages += (end - start) / PAGE_SIZE;
		sum += samples * ((end - start) / PAGE_SIZE);
	}
	if (with_parts)
		assert_int_equal(pages, 0xa0 - 1 + 0x3ff00);
	return sum;
}

static void check_record(JsonObject *record, const KxAccessMap *m, guint target,
			 gboolean with_parts)
{
	JsonObject *intervals = json_object_get_object_member(record, "intervals");
	JsonArray *snapshots = json_object_get_array_member(record, "snapshots");
	guint64 sample_us = number(intervals, "sample_us"), last = 0;
	guint64 checks = number(intervals, "aggr_us") / sample_us;

	assert_int_equal(number(record, "target_id"), target);
	assert_int_equal(number(intervals, "aggr_us") % sample_us, 0);
	number(intervals, "ops_update_us");
	assert_non_null(json_object_get_object_member(intervals, "intervals_goal"));
	assert_int_equal(json_array_get_length(snapshots), m->rows->len);
	for (guint i = 0; i < m->rows->len; i++) {
		const KxAccessRow *row = kx_access_row(m, i);
		JsonObject *s = json_array_get_object_element(snapshots, i);
		guint64 start = number(s, "start_time"), end = number(s, "end_time"), ours = 0;

		assert_true(start >= last && end > start);
		last = end;
		assert_true(json_node_is_null(json_object_get_member(s, "sample_interval_us")));
		assert_true(row->looks <= checks);
		for (guint k = 0; k < m->columns_nr; k++)
			ours += kx_access_cell(row, k);
		assert_int_equal(check_regions(json_object_get_array_member(s, "regions"), checks,
					       with_parts),
				 ours);
	}
}

static void follows_the_rules(void **state)
{
	for (guint i = 0; i < 4; i++) {
		const gboolean with_parts = i & 1;
		g_autoptr(GPtrArray) vms =
			vms_with(made(i & 2 ? 900 : 40, FALSE), made(40, TRUE), with_parts);
		g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func(g_free);
		g_autoptr(JsonParser) parser = json_parser_new();
		const KxVmReport *v = vms->pdata[0];
		g_autofree char *text = NULL;
		KxDamoSum sum;
		JsonArray *records;

		text = kx_damo_text(vms, NULL, targets, &sum);
		assert_non_null(text);
		assert_true(json_parser_load_from_data(parser, text, -1, NULL));
		records = json_node_get_array(json_parser_get_root(parser));
		assert_int_equal(json_array_get_length(records), 2);
		assert_int_equal(sum.records, 2);
		assert_int_equal(sum.clamped, 0);
		assert_true(sum.snapshots_min >= KX_DAMO_SNAPSHOTS_MIN);
		assert_string_equal(targets->pdata[0], "vm1: ept-walk");
		for (guint k = 0; k < 2; k++)
			check_record(json_array_get_object_element(records, k),
				     v->over_time->maps->pdata[k], k, with_parts);
	}
}

/* Page 0 in every pass: damo would lose a region that begins there. */
static void leaves_page_zero_out(void **state)
{
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_PAGES, FALSE, 0x3ffff, 0);
	const struct kvm_ext_rec_pass_end end = { .pass = 1, .time_ns = 100 * MS };
	g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) vms = NULL;
	g_autofree char *text = NULL;
	KxAccessMap *m;
	KxDamoSum sum;

	kx_timemap_add(b, 0, 64);
	kx_timemap_end_pass(b, &end);
	m = kx_timemap_report(b, 0);
	m->tracker = g_strdup("abit");
	m->options = g_strdup("");
	m->kind = g_strdup("touched");
	vms = vms_with(m, NULL, TRUE);
	text = kx_damo_text(vms, "abit", targets, &sum);
	assert_int_equal(sum.clamped, 1);
	assert_null(kx_damo_text(vms, "ept-walk", targets, &sum));
	assert_null(strstr(text, "\"start\":\"0\""));
}

/* damo recognises a record by its first bytes. */
static void is_a_zlib_stream(void **state)
{
	g_autoptr(GBytes) packed = kx_damo_pack("[1, 2, 3]");
	gsize len;
	const guint8 *data = g_bytes_get_data(packed, &len);
	char text[32] = "";
	uLongf out = sizeof(text);

	assert_int_equal(data[0], 0x78);
	assert_int_equal(data[1], 0x9c);
	assert_int_equal(uncompress((Bytef *)text, &out, data, len), Z_OK);
	assert_string_equal(text, "[1, 2, 3]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_rules),
		cmocka_unit_test(leaves_page_zero_out),
		cmocka_unit_test(is_a_zlib_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
