/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report model as JSON, both ways. Key order is table order. Numbers of 64
 * bits stay exact: JSON integers carry 63 of them here (json-glib's gint64), the
 * few above are written as decimal strings. Unknown keys are ignored, so that an
 * older CLI reads a newer daemon; a known key of the wrong type is an error.
 */
#include "report-internal.h"

#include <errno.h>
#include <gio/gio.h>
#include <math.h>

#define FIELD(st, t, member)                                    \
	{                                                       \
#member, t, G_STRUCT_OFFSET(st, member), -1, -1 \
	}
#define FIELD_NA(st, t, member, reason)                                                  \
	{                                                                                \
#member, t, G_STRUCT_OFFSET(st, member), G_STRUCT_OFFSET(st, reason), -1 \
	}
#define FIELD_WITH(has, t, member, na)                                                            \
	{                                                                                         \
#member, t, G_STRUCT_OFFSET(KxWindow, member), na, G_STRUCT_OFFSET(KxWindow, has) \
	}
/* Of a VM; 0 of @known says that it is not known: the module, which tells, was not there. */
#define FIELD_KNOWN(t, member, known)                                \
	{                                                            \
#member, t, G_STRUCT_OFFSET(KxVmReport, member), -1, \
			G_STRUCT_OFFSET(KxVmReport, known)           \
	}
#define FIELD_MODULE(member)	 FIELD_WITH(has_module, KX_FIELD_U64, member, -1)
#define FIELD_LOG(member)	 FIELD_WITH(has_log, KX_FIELD_U64, member, -1)
#define FIELD_LOG_STRING(member) FIELD_WITH(has_log, KX_FIELD_STRING, member, -1)
#define FIELD_LOG_NA(member, reason) \
	FIELD_WITH(has_log, KX_FIELD_U64, member, G_STRUCT_OFFSET(KxWindow, reason))
#define FIELD_WALK(member)	   FIELD_WITH(has_walk, KX_FIELD_U64, member, -1)
#define FIELD_STALE(member)	   FIELD_WITH(has_staleness, KX_FIELD_U64, member, -1)
#define FIELD_STALE_SUM(member)	   FIELD_WITH(has_staleness, KX_FIELD_DOUBLE, member, -1)
#define FIELD_REGIONS(member)	   FIELD_WITH(has_regions, KX_FIELD_U64, member, -1)
#define FIELD_TRAP(member)	   FIELD_WITH(has_trap, KX_FIELD_U64, member, -1)
#define FIELD_GUEST(member)	   FIELD_WITH(has_guest, KX_FIELD_U64, member, -1)
#define FIELD_GUEST_STRING(member) FIELD_WITH(has_guest, KX_FIELD_STRING, member, -1)

const KxField kx_window_fields[] = {
	FIELD(KxWindow, KX_FIELD_U64, id),
	FIELD(KxWindow, KX_FIELD_STRING, tracker),
	FIELD(KxWindow, KX_FIELD_STRING, options),
	FIELD(KxWindow, KX_FIELD_BOOL, open),
	FIELD(KxWindow, KX_FIELD_I64, start_realtime_ns),
	FIELD(KxWindow, KX_FIELD_I64, end_realtime_ns),
	FIELD(KxWindow, KX_FIELD_U64, duration_ns),
	FIELD(KxWindow, KX_FIELD_U64, paused_ns),
	FIELD(KxWindow, KX_FIELD_STRING, paused_na),
	FIELD(KxWindow, KX_FIELD_STRING, paused_for),
	FIELD(KxWindow, KX_FIELD_U64, pauses_total),
	FIELD(KxWindow, KX_FIELD_U64, paused_yielded_ns),
	FIELD(KxWindow, KX_FIELD_U64, paused_passes),
	FIELD(KxWindow, KX_FIELD_U64, between_ns),
	FIELD(KxWindow, KX_FIELD_U64, between_n),
	FIELD(KxWindow, KX_FIELD_I64, covered_start_realtime_ns),
	FIELD(KxWindow, KX_FIELD_I64, covered_end_realtime_ns),
	FIELD(KxWindow, KX_FIELD_BOOL, has_module),
	FIELD_MODULE(interval_ns),
	FIELD_MODULE(passes),
	FIELD_MODULE(overruns),
	FIELD_MODULE(first_start_ns),
	FIELD_MODULE(last_start_ns),
	FIELD_MODULE(pages_scanned),
	FIELD_MODULE(leaves_tested),
	FIELD_MODULE(samples),
	FIELD_MODULE(sample_pages),
	FIELD_MODULE(lost_samples),
	FIELD_MODULE(cpu_ns),
	FIELD_MODULE(prime_cpu_ns),
	FIELD_MODULE(prime_ns),
	FIELD_MODULE(pass_ns_sum),
	FIELD_MODULE(pass_ns_min),
	FIELD_MODULE(pass_ns_max),
	FIELD_MODULE(pass_ns_p99),
	FIELD_MODULE(flushes),
	FIELD_MODULE(flush_ipis),
	FIELD_MODULE(flush_ns),
	FIELD_MODULE(max_hold_ns),
	FIELD_MODULE(slot_changes),
	FIELD_MODULE(dropped_pages),
	FIELD(KxWindow, KX_FIELD_BOOL, has_log),
	FIELD_LOG_STRING(log_mechanism),
	FIELD_LOG_STRING(log_mode),
	FIELD_LOG(log_pages),
	FIELD_LOG(log_vmm_pages),
	FIELD_LOG(log_other_pages),
	FIELD_LOG(log_enable_ns),
	FIELD_LOG(log_enable_pages),
	FIELD_LOG(log_arm_ns),
	FIELD_LOG(log_arm_pages),
	FIELD_LOG(log_harvest_ns),
	FIELD_LOG(log_harvest_pages),
	FIELD_LOG(log_dirty_pages),
	FIELD_LOG(log_clear_ns),
	FIELD_LOG(log_clear_pages),
	FIELD_LOG(log_clears),
	FIELD_LOG_NA(log_disable_ns, log_disable_na),
	FIELD_LOG_NA(log_disable_pages, log_disable_na),
	FIELD_LOG_STRING(log_disable_na),
	FIELD_LOG(pml_full_exits),
	FIELD_LOG(log_candidates),
	FIELD_LOG(log_errors),
	FIELD_LOG(log_last_errno),
	FIELD_LOG(log_aside_passes),
	FIELD_LOG(log_stuck_pages),
	FIELD_LOG(log_yields),
	FIELD_LOG(log_resumes),
	FIELD_LOG(log_yielded_ns),
	FIELD_LOG(log_yielded_passes),
	FIELD_LOG_STRING(log_yielded_to),
	FIELD(KxWindow, KX_FIELD_BOOL, has_walk),
	FIELD_WALK(walk_tables_read),
	FIELD_WALK(walk_subtrees_skipped),
	FIELD_WALK(walk_pages_skipped),
	FIELD_WALK(walk_upper_cleared),
	FIELD_WALK(walk_upper_restored),
	FIELD_WALK(walk_holds),
	FIELD_WALK(walk_hold_ns),
	FIELD_WALK(walk_max_hold_ns),
	FIELD_WALK(walk_contended),
	FIELD_WITH(has_walk, KX_FIELD_BOOL, walk_nested, -1),
	FIELD(KxWindow, KX_FIELD_BOOL, has_staleness),
	FIELD_STALE(stale_passes),
	FIELD_STALE(stale_samples),
	FIELD_STALE(stale_control_passes),
	FIELD_STALE(stale_control_samples),
	FIELD_STALE(stale_pairs),
	FIELD_STALE(stale_dropped),
	FIELD_STALE_SUM(stale_p),
	FIELD_STALE_SUM(stale_k),
	FIELD_STALE_SUM(stale_p2),
	FIELD_STALE_SUM(stale_k2),
	FIELD_STALE_SUM(stale_cross),
	FIELD(KxWindow, KX_FIELD_BOOL, has_regions),
	FIELD_REGIONS(regions_max),
	FIELD_REGIONS(regions_now),
	FIELD_REGIONS(regions_aggregations),
	FIELD_REGIONS(regions_checks),
	FIELD_REGIONS(regions_max_checks),
	FIELD_REGIONS(regions_splits),
	FIELD_REGIONS(regions_merges),
	FIELD_WITH(has_regions, KX_FIELD_STRING, regions_na, -1),
	FIELD(KxWindow, KX_FIELD_BOOL, has_trap),
	FIELD_TRAP(trap_faults_budget),
	FIELD_TRAP(trap_time_budget_ppm),
	FIELD_TRAP(trap_eligible),
	FIELD_TRAP(trap_armed),
	FIELD_TRAP(trap_armings),
	FIELD_TRAP(trap_faults),
	FIELD_TRAP(trap_lost),
	FIELD_TRAP(trap_fault_ns),
	FIELD_TRAP(trap_timed_faults),
	FIELD_TRAP(trap_max_faults_per_s),
	FIELD_TRAP(trap_max_time_ppm),
	FIELD_TRAP(trap_zap_ns),
	FIELD_TRAP(trap_held_passes),
	FIELD_TRAP(trap_reads),
	FIELD_TRAP(trap_writes),
	FIELD_TRAP(trap_execs),
	FIELD_TRAP(trap_page_walks),
	FIELD(KxWindow, KX_FIELD_BOOL, has_guest),
	FIELD_GUEST_STRING(guest_event),
	FIELD_GUEST_STRING(guest_release),
	FIELD_GUEST_STRING(guest_silent),
	FIELD_GUEST(guest_classified),
	FIELD_GUEST(guest_dropped_queue),
	FIELD_GUEST(guest_dropped_ring),
	FIELD_GUEST(guest_no_address),
	FIELD_GUEST(guest_interrupts),
	FIELD_GUEST(guest_interrupt_ns),
	FIELD_GUEST(guest_drain_ns),
	FIELD_GUEST(guest_classify_ns),
	FIELD_GUEST(guest_report_ns),
	FIELD_GUEST(guest_scan_ns),
	FIELD_GUEST(guest_flush_ns),
	FIELD_GUEST(guest_memory_bytes),
	FIELD_GUEST(guest_period),
	FIELD(KxWindow, KX_FIELD_U64, guest_cpu_ns),
	FIELD_GUEST(guest_restarts),
	FIELD_GUEST(guest_bad_records),
	FIELD(KxWindow, KX_FIELD_U64, est_n),
	FIELD(KxWindow, KX_FIELD_DOUBLE, est_cost),
	FIELD(KxWindow, KX_FIELD_DOUBLE, est_samples),
	FIELD(KxWindow, KX_FIELD_DOUBLE, est_cost2),
	FIELD(KxWindow, KX_FIELD_DOUBLE, est_samples2),
	FIELD(KxWindow, KX_FIELD_DOUBLE, est_cross),
	FIELD(KxWindow, KX_FIELD_U64, drain_cpu_ns),
	FIELD(KxWindow, KX_FIELD_U64, found_pages),
	FIELD_NA(KxWindow, KX_FIELD_U64, exits, exits_na),
	FIELD(KxWindow, KX_FIELD_STRING, exits_na),
	FIELD(KxWindow, KX_FIELD_STRING, exits_source),
	FIELD_NA(KxWindow, KX_FIELD_U64, remote_tlb_flushes, remote_tlb_flushes_na),
	FIELD(KxWindow, KX_FIELD_STRING, remote_tlb_flushes_na),
	FIELD_NA(KxWindow, KX_FIELD_U64, vcpu_run_ns, vcpu_run_na),
	FIELD(KxWindow, KX_FIELD_STRING, vcpu_run_na),
	FIELD_NA(KxWindow, KX_FIELD_U64, vcpu_steal_ns, vcpu_steal_na),
	FIELD(KxWindow, KX_FIELD_STRING, vcpu_steal_na),
	FIELD_NA(KxWindow, KX_FIELD_DOUBLE, work, work_na),
	FIELD_NA(KxWindow, KX_FIELD_DOUBLE, work_ns, work_na),
	FIELD(KxWindow, KX_FIELD_STRING, work_na),
	FIELD_NA(KxWindow, KX_FIELD_U64, truth_touched, truth_na),
	FIELD_NA(KxWindow, KX_FIELD_U64, truth_hit, truth_na),
	FIELD_NA(KxWindow, KX_FIELD_U64, truth_written, written_na),
	FIELD_NA(KxWindow, KX_FIELD_U64, truth_written_hit, written_na),
	FIELD_NA(KxWindow, KX_FIELD_U64, truth_found, truth_na),
	FIELD_NA(KxWindow, KX_FIELD_U64, truth_true, truth_na),
	FIELD_NA(KxWindow, KX_FIELD_U64, truth_written_true, written_na),
	FIELD(KxWindow, KX_FIELD_STRING, truth_na),
	FIELD(KxWindow, KX_FIELD_STRING, written_na),
	FIELD(KxWindow, KX_FIELD_STRING, precision_na),
	{ NULL, KX_FIELD_STRING, 0, -1, -1 },
};

const KxField kx_pause_fields[] = {
	FIELD(KxPause, KX_FIELD_I64, from_ns),
	FIELD(KxPause, KX_FIELD_I64, until_ns),
	{ NULL, KX_FIELD_STRING, 0, -1, -1 },
};

const KxField kx_regions_fields[] = {
	FIELD(KxRegions, KX_FIELD_U64, aggregation),
	FIELD(KxRegions, KX_FIELD_U32, checks),
	FIELD(KxRegions, KX_FIELD_U32, total),
	{ NULL, KX_FIELD_STRING, 0, -1, -1 },
};

const KxField kx_region_fields[] = {
	FIELD(KxRegion, KX_FIELD_U64, gfn),   FIELD(KxRegion, KX_FIELD_U64, npages),
	FIELD(KxRegion, KX_FIELD_U32, as_id), FIELD(KxRegion, KX_FIELD_U32, accesses),
	FIELD(KxRegion, KX_FIELD_U32, age),   { NULL, KX_FIELD_STRING, 0, -1, -1 },
};

const KxField kx_vm_fields[] = {
	FIELD(KxVmReport, KX_FIELD_STRING, name),
	FIELD(KxVmReport, KX_FIELD_STRING, uuid),
	FIELD(KxVmReport, KX_FIELD_U32, pid),
	FIELD(KxVmReport, KX_FIELD_BOOL, attached),
	FIELD(KxVmReport, KX_FIELD_STRING, ended),
	FIELD_KNOWN(KX_FIELD_U32, vcpus, vcpus),
	FIELD_KNOWN(KX_FIELD_U32, memslots, memslots),
	FIELD_KNOWN(KX_FIELD_U32, root_level, memslots),
	FIELD_KNOWN(KX_FIELD_U32, address_spaces, memslots),
	FIELD(KxVmReport, KX_FIELD_STRING, paging),
	FIELD(KxVmReport, KX_FIELD_STRING, ad_bits),
	FIELD(KxVmReport, KX_FIELD_U64, ram_pages),
	FIELD_KNOWN(KX_FIELD_U64, mapped_4k, memslots),
	FIELD_KNOWN(KX_FIELD_U64, mapped_2m, memslots),
	FIELD_KNOWN(KX_FIELD_U64, mapped_1g, memslots),
	FIELD_KNOWN(KX_FIELD_U64, ring_bytes, ring_bytes),
	FIELD(KxVmReport, KX_FIELD_STRING, log_mechanism),
	FIELD(KxVmReport, KX_FIELD_STRING, log_mechanism_source),
	FIELD(KxVmReport, KX_FIELD_STRING, log_mode),
	FIELD(KxVmReport, KX_FIELD_STRING, yielded),
	FIELD(KxVmReport, KX_FIELD_STRING, progress),
	FIELD(KxVmReport, KX_FIELD_STRING, paused),
	FIELD(KxVmReport, KX_FIELD_U64, declared_pages),
	{ NULL, KX_FIELD_STRING, 0, -1, -1 },
};

const KxField kx_report_fields[] = {
	FIELD(KxReport, KX_FIELD_STRING, version),
	FIELD(KxReport, KX_FIELD_I64, generated_realtime_ns),
	FIELD(KxReport, KX_FIELD_STRING, kernel),
	FIELD(KxReport, KX_FIELD_STRING, cpu_vendor),
	FIELD(KxReport, KX_FIELD_STRING, cpu_model),
	FIELD(KxReport, KX_FIELD_U32, cpus),
	FIELD(KxReport, KX_FIELD_STRING, hardware),
	FIELD(KxReport, KX_FIELD_STRING, hardware_under),
	FIELD(KxReport, KX_FIELD_STRING, log_selftest),
	FIELD(KxReport, KX_FIELD_STRING, log_selftest_text),
	{ NULL, KX_FIELD_STRING, 0, -1, -1 },
};

const KxField kx_heat_map_fields[] = {
	FIELD(KxHeatMap, KX_FIELD_STRING, tracker),
	FIELD(KxHeatMap, KX_FIELD_STRING, mechanism),
	FIELD(KxHeatMap, KX_FIELD_STRING, options),
	FIELD(KxHeatMap, KX_FIELD_STRING, process),
	FIELD(KxHeatMap, KX_FIELD_U32, pid),
	FIELD(KxHeatMap, KX_FIELD_BOOL, running),
	FIELD(KxHeatMap, KX_FIELD_STRING, partial),
	FIELD(KxHeatMap, KX_FIELD_STRING, unseen),
	FIELD(KxHeatMap, KX_FIELD_U64, granularity_bytes),
	FIELD(KxHeatMap, KX_FIELD_U64, leaf_bytes),
	FIELD(KxHeatMap, KX_FIELD_U64, epoch_ns),
	FIELD(KxHeatMap, KX_FIELD_U64, epochs),
	FIELD(KxHeatMap, KX_FIELD_U64, samples),
	FIELD(KxHeatMap, KX_FIELD_U64, outside),
	FIELD(KxHeatMap, KX_FIELD_U64, lost),
	FIELD(KxHeatMap, KX_FIELD_U64, accesses),
	FIELD(KxHeatMap, KX_FIELD_U64, half_bytes),
	FIELD(KxHeatMap, KX_FIELD_U32, ranges_total),
	FIELD(KxHeatMap, KX_FIELD_U32, ranges_hot),
	{ NULL, KX_FIELD_STRING, 0, -1, -1 },
};

const KxField kx_heat_range_fields[] = {
	FIELD(KxHeatRange, KX_FIELD_U64, start),    FIELD(KxHeatRange, KX_FIELD_U64, size),
	FIELD(KxHeatRange, KX_FIELD_U64, accesses), FIELD(KxHeatRange, KX_FIELD_U32, age),
	{ NULL, KX_FIELD_STRING, 0, -1, -1 },
};

const KxField kx_agreement_fields[] = {
	FIELD(KxAgreement, KX_FIELD_STRING, a),
	FIELD(KxAgreement, KX_FIELD_STRING, b),
	FIELD(KxAgreement, KX_FIELD_U64, samples_a),
	FIELD(KxAgreement, KX_FIELD_U64, samples_b),
	FIELD_NA(KxAgreement, KX_FIELD_U64, bytes, na),
	FIELD_NA(KxAgreement, KX_FIELD_U64, common, na),
	FIELD_NA(KxAgreement, KX_FIELD_DOUBLE, f1, na),
	FIELD_NA(KxAgreement, KX_FIELD_DOUBLE, jaccard, na),
	FIELD_NA(KxAgreement, KX_FIELD_DOUBLE, by_chance, na),
	FIELD(KxAgreement, KX_FIELD_STRING, na),
	{ NULL, KX_FIELD_STRING, 0, -1, -1 },
};

/* --- writing --------------------------------------------------------------- */

static void add_u64(JsonBuilder *b, guint64 value)
{
	g_autofree char *text = NULL;

	if (value <= G_MAXINT64) {
		json_builder_add_int_value(b, (gint64)value);
		return;
	}
	text = g_strdup_printf("%" G_GUINT64_FORMAT, value);
	json_builder_add_string_value(b, text);
}

static gboolean has_part(const KxField *f, const char *object)
{
	return f->needs_offset < 0 || *(const gboolean *)(object + f->needs_offset);
}

static gboolean is_written(const KxField *f, const char *object)
{
	if (f->na_offset >= 0 && *(char *const *)(object + f->na_offset))
		return FALSE;
	return has_part(f, object);
}

static void add_value(JsonBuilder *b, const KxField *f, const void *at)
{
	switch (f->type) {
	case KX_FIELD_STRING: {
		const char *s = *(char *const *)at;

		if (s)
			json_builder_add_string_value(b, s);
		else
			json_builder_add_null_value(b);
		break;
	}
	case KX_FIELD_BOOL:
		json_builder_add_boolean_value(b, *(const gboolean *)at);
		break;
	case KX_FIELD_U32:
		json_builder_add_int_value(b, *(const guint32 *)at);
		break;
	case KX_FIELD_U64:
		add_u64(b, *(const guint64 *)at);
		break;
	case KX_FIELD_I64:
		json_builder_add_int_value(b, *(const gint64 *)at);
		break;
	case KX_FIELD_DOUBLE:
		if (isfinite(*(const double *)at))
			json_builder_add_double_value(b, *(const double *)at);
		else
			json_builder_add_null_value(b);
		break;
	}
}

static void add_fields(JsonBuilder *b, const KxField *fields, const void *object)
{
	for (const KxField *f = fields; f->key; f++) {
		if (!is_written(f, object))
			continue;
		json_builder_set_member_name(b, f->key);
		add_value(b, f, (const char *)object + f->offset);
	}
}

static void add_double(JsonBuilder *b, const char *key, double value)
{
	json_builder_set_member_name(b, key);
	json_builder_add_double_value(b, value);
}

/*
 * {"value": 412.5, "low": ..., "high": ..., "n": 100, "note": "a word to it", "unit": "ns"}, or {"na": "why not", ...};
 * interval and note only where there is one.
 */
static void add_figure(JsonBuilder *b, const KxFigureField *field, const KxFigure *f)
{
	json_builder_set_member_name(b, field->key);
	json_builder_begin_object(b);
	if (f->na) {
		json_builder_set_member_name(b, "na");
		json_builder_add_string_value(b, f->na);
	} else {
		add_double(b, "value", f->value);
		if (isfinite(f->low) && isfinite(f->high)) {
			add_double(b, "low", f->low);
			add_double(b, "high", f->high);
		}
		json_builder_set_member_name(b, "n");
		add_u64(b, f->n);
	}
	if (f->note) {
		json_builder_set_member_name(b, "note");
		json_builder_add_string_value(b, f->note);
	}
	json_builder_set_member_name(b, "unit");
	json_builder_add_string_value(b, field->unit);
	json_builder_end_object(b);
}

static void add_label(JsonBuilder *b, const char *key, const GPtrArray *rows, guint index)
{
	g_autofree char *label = kx_row_label(rows, index);

	json_builder_set_member_name(b, key);
	json_builder_add_string_value(b, label);
}

/* Under the name that its notes call it, and with the row that measured what it misses, as the text has them. */
static void add_row(JsonBuilder *b, const GPtrArray *rows, guint index)
{
	const KxRow *row = rows->pdata[index];

	json_builder_begin_object(b);
	add_label(b, "label", rows, index);
	json_builder_set_member_name(b, "tracker");
	json_builder_add_string_value(b, row->tracker);
	json_builder_set_member_name(b, "options");
	json_builder_add_string_value(b, row->options);
	json_builder_set_member_name(b, "mechanism");
	if (row->mechanism)
		json_builder_add_string_value(b, row->mechanism);
	else
		json_builder_add_null_value(b);
	json_builder_set_member_name(b, "windows");
	json_builder_add_int_value(b, row->windows);
	add_double(b, "seconds", row->seconds);
	if (row->parts & 1u << KX_PART_MISSED)
		add_label(b, "missed_measured_in", rows, row->missed_by);
	for (const KxFigureField *f = kx_row_figures; f->key; f++)
		add_figure(b, f, (const KxFigure *)((const char *)row + f->offset));
	json_builder_end_object(b);
}

/* Derived from the windows for whoever reads the JSON; not read back. */
static void add_rows(JsonBuilder *b, const KxVmReport *v)
{
	g_autoptr(GPtrArray) rows = kx_vm_rows(v);
	g_autoptr(GPtrArray) notes = kx_vm_notes(v, rows);

	json_builder_set_member_name(b, "rows");
	json_builder_begin_array(b);
	for (guint i = 0; i < rows->len; i++)
		add_row(b, rows, i);
	json_builder_end_array(b);
	json_builder_set_member_name(b, "notes");
	json_builder_begin_array(b);
	for (guint i = 0; i < notes->len; i++)
		json_builder_add_string_value(b, notes->pdata[i]);
	json_builder_end_array(b);
}

static void add_regions(JsonBuilder *b, const KxRegions *r)
{
	json_builder_set_member_name(b, "regions");
	json_builder_begin_object(b);
	add_fields(b, kx_regions_fields, r);
	json_builder_set_member_name(b, "list");
	json_builder_begin_array(b);
	for (guint i = 0; i < r->list->len; i++) {
		json_builder_begin_object(b);
		add_fields(b, kx_region_fields, &g_array_index(r->list, KxRegion, i));
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
}

static void add_pauses(JsonBuilder *b, const GArray *pauses)
{
	json_builder_set_member_name(b, "pauses");
	json_builder_begin_array(b);
	for (guint i = 0; i < pauses->len; i++) {
		json_builder_begin_object(b);
		add_fields(b, kx_pause_fields, &g_array_index(pauses, KxPause, i));
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

/* "heat": accesses for each page, for whoever reads the JSON; "seen_by": numbers of maps. */
static void add_heat_range(JsonBuilder *b, const KxHeatRange *r)
{
	json_builder_begin_object(b);
	add_fields(b, kx_heat_range_fields, r);
	add_double(b, "heat", kx_heat_of_range(r));
	json_builder_set_member_name(b, "seen_by");
	json_builder_begin_array(b);
	for (guint i = 0; i < KX_HEAT_SEEN_MAX; i++) {
		if (r->seen_by & 1u << i)
			json_builder_add_int_value(b, i);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
}

static void add_heat_map(JsonBuilder *b, const KxHeatMap *m)
{
	json_builder_begin_object(b);
	add_fields(b, kx_heat_map_fields, m);
	json_builder_set_member_name(b, "ranges");
	json_builder_begin_array(b);
	for (guint i = 0; i < m->ranges->len; i++)
		add_heat_range(b, &g_array_index(m->ranges, KxHeatRange, i));
	json_builder_end_array(b);
	json_builder_end_object(b);
}

static void add_heat(JsonBuilder *b, const KxHeatReport *h)
{
	json_builder_set_member_name(b, "heat");
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "maps");
	json_builder_begin_array(b);
	for (guint i = 0; i < h->maps->len; i++)
		add_heat_map(b, h->maps->pdata[i]);
	json_builder_end_array(b);
	json_builder_set_member_name(b, "agreement");
	json_builder_begin_array(b);
	for (guint i = 0; i < h->agreement->len; i++) {
		json_builder_begin_object(b);
		add_fields(b, kx_agreement_fields, h->agreement->pdata[i]);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
}

static void add_vm(JsonBuilder *b, const KxVmReport *v)
{
	json_builder_begin_object(b);
	add_fields(b, kx_vm_fields, v);
	if (v->heat)
		add_heat(b, v->heat);
	json_builder_set_member_name(b, "windows");
	json_builder_begin_array(b);
	for (guint i = 0; i < v->windows->len; i++) {
		const KxWindow *w = v->windows->pdata[i];

		json_builder_begin_object(b);
		add_fields(b, kx_window_fields, w);
		if (w->regions)
			add_regions(b, w->regions);
		if (w->pauses)
			add_pauses(b, w->pauses);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	add_rows(b, v);
	json_builder_end_object(b);
}

char *kx_report_to_json(const KxReport *r)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "schema");
	json_builder_add_string_value(b, KX_REPORT_SCHEMA);
	add_fields(b, kx_report_fields, r);
	json_builder_set_member_name(b, "vms");
	json_builder_begin_array(b);
	for (guint i = 0; i < r->vms->len; i++)
		add_vm(b, r->vms->pdata[i]);
	json_builder_end_array(b);
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	return json_to_string(root, TRUE);
}

static gboolean is_identity(const char *key)
{
	static const char *const keys[] = { "name", "uuid", "pid", "attached", "ended", NULL };

	return g_strv_contains(keys, key);
}

/* For `kvm-ext heat --json`: who it is, and all that is known of its heat. */
void kx_heat_add_json(JsonBuilder *b, const KxVmReport *v)
{
	json_builder_begin_object(b);
	for (const KxField *f = kx_vm_fields; f->key; f++) {
		if (!is_identity(f->key))
			continue;
		json_builder_set_member_name(b, f->key);
		add_value(b, f, (const char *)v + f->offset);
	}
	if (v->heat)
		add_heat(b, v->heat);
	json_builder_end_object(b);
}

/* --- reading --------------------------------------------------------------- */

static gboolean wrong(GError **error, const char *where, const char *key, const char *expected)
{
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
		    "the report is not valid: '%s' of %s is not %s", key, where, expected);
	return FALSE;
}

static gboolean read_u64(JsonNode *node, guint64 max, guint64 *value)
{
	GType type = json_node_get_value_type(node);

	if (type == G_TYPE_INT64) {
		gint64 i = json_node_get_int(node);

		*value = (guint64)i;
		return i >= 0 && *value <= max;
	}
	if (type == G_TYPE_STRING)
		return g_ascii_string_to_unsigned(json_node_get_string(node), 10, 0, max, value,
						  NULL);
	return FALSE;
}

static gboolean read_value(const KxField *f, JsonNode *node, void *at, const char *where,
			   GError **error)
{
	GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;
	guint64 u = 0;

	if (JSON_NODE_HOLDS_NULL(node)) {
		if (f->type == KX_FIELD_DOUBLE)
			*(double *)at = NAN;
		else if (f->type == KX_FIELD_STRING)
			g_clear_pointer((char **)at, g_free);
		else
			return wrong(error, where, f->key, "a value");
		return TRUE;
	}
	switch (f->type) {
	case KX_FIELD_STRING:
		if (type != G_TYPE_STRING)
			return wrong(error, where, f->key, "a string");
		g_free(*(char **)at);
		*(char **)at = g_strdup(json_node_get_string(node));
		break;
	case KX_FIELD_BOOL:
		if (type != G_TYPE_BOOLEAN)
			return wrong(error, where, f->key, "true or false");
		*(gboolean *)at = json_node_get_boolean(node);
		break;
	case KX_FIELD_U32:
		if (!JSON_NODE_HOLDS_VALUE(node) || !read_u64(node, G_MAXUINT32, &u))
			return wrong(error, where, f->key, "an integer from 0 to 2^32 - 1");
		*(guint32 *)at = (guint32)u;
		break;
	case KX_FIELD_U64:
		if (!JSON_NODE_HOLDS_VALUE(node) || !read_u64(node, G_MAXUINT64, &u))
			return wrong(error, where, f->key, "an integer from 0 to 2^64 - 1");
		*(guint64 *)at = u;
		break;
	case KX_FIELD_I64:
		if (type != G_TYPE_INT64)
			return wrong(error, where, f->key, "an integer");
		*(gint64 *)at = json_node_get_int(node);
		break;
	case KX_FIELD_DOUBLE:
		if (type != G_TYPE_DOUBLE && type != G_TYPE_INT64)
			return wrong(error, where, f->key, "a number");
		*(double *)at = json_node_get_double(node);
		break;
	}
	return TRUE;
}

static gboolean read_fields(const KxField *fields, JsonObject *o, void *object, const char *where,
			    GError **error)
{
	for (const KxField *f = fields; f->key; f++) {
		JsonNode *node = json_object_get_member(o, f->key);

		if (node && !read_value(f, node, (char *)object + f->offset, where, error))
			return FALSE;
	}
	return TRUE;
}

/* With has_module the module's figures are all there, with has_log the log's: a missing one must not read as 0. */
static gboolean check_parts(JsonObject *o, const KxWindow *w, const char *where, GError **error)
{
	for (const KxField *f = kx_window_fields; f->key; f++) {
		if (f->needs_offset >= 0 && is_written(f, (const char *)w) &&
		    !json_object_has_member(o, f->key))
			return wrong(error, where, f->key, "there");
	}
	return TRUE;
}

/* A number that the text does not hold was not measured: make sure it says so. */
static void note_missing(const KxField *fields, JsonObject *o, void *object)
{
	for (const KxField *f = fields; f->key; f++) {
		char **reason;

		if (f->na_offset < 0 || !has_part(f, object) || json_object_has_member(o, f->key))
			continue;
		reason = (char **)((char *)object + f->na_offset);
		if (!*reason)
			*reason = g_strdup("not in the report");
	}
}

/* NULL without @error: the key is absent. */
static JsonArray *get_array(JsonObject *o, const char *key, const char *where, GError **error)
{
	JsonNode *node = json_object_get_member(o, key);

	if (!node)
		return NULL;
	if (!JSON_NODE_HOLDS_ARRAY(node)) {
		wrong(error, where, key, "an array");
		return NULL;
	}
	return json_node_get_array(node);
}

static JsonObject *get_element(JsonArray *a, guint i, const char *key, const char *where,
			       GError **error)
{
	JsonNode *node = json_array_get_element(a, i);

	if (!JSON_NODE_HOLDS_OBJECT(node)) {
		wrong(error, where, key, "an array of objects");
		return NULL;
	}
	return json_node_get_object(node);
}

/* TRUE without regions: the key is absent. */
static gboolean read_regions(JsonObject *window, KxRegions **regions, const char *where,
			     GError **error)
{
	JsonNode *node = json_object_get_member(window, "regions");
	g_autoptr(KxRegions) r = kx_regions_new();
	GError *local = NULL;
	JsonArray *list;

	if (!node)
		return TRUE;
	if (!JSON_NODE_HOLDS_OBJECT(node))
		return wrong(error, where, "regions", "an object");
	if (!read_fields(kx_regions_fields, json_node_get_object(node), r, where, error))
		return FALSE;
	list = get_array(json_node_get_object(node), "list", where, &local);
	if (local) {
		g_propagate_error(error, local);
		return FALSE;
	}
	for (guint i = 0; list && i < json_array_get_length(list); i++) {
		JsonObject *o = get_element(list, i, "list", where, error);
		KxRegion g = { 0 };

		if (!o || !read_fields(kx_region_fields, o, &g, where, error))
			return FALSE;
		g_array_append_val(r->list, g);
	}
	*regions = g_steal_pointer(&r);
	return TRUE;
}

/* TRUE without pauses: the key is absent. */
static gboolean read_pauses(JsonObject *window, KxWindow *w, const char *where, GError **error)
{
	GError *local = NULL;
	JsonArray *list = get_array(window, "pauses", where, &local);

	if (local) {
		g_propagate_error(error, local);
		return FALSE;
	}
	if (list)
		w->pauses = g_array_new(FALSE, FALSE, sizeof(KxPause));
	for (guint i = 0; list && i < json_array_get_length(list); i++) {
		JsonObject *o = get_element(list, i, "pauses", where, error);
		KxPause p = { 0 };

		if (!o || !read_fields(kx_pause_fields, o, &p, where, error))
			return FALSE;
		g_array_append_val(w->pauses, p);
	}
	return TRUE;
}

static KxWindow *read_window(JsonObject *o, const char *where, GError **error)
{
	g_autoptr(KxWindow) w = kx_window_new();

	if (!read_fields(kx_window_fields, o, w, where, error) ||
	    !read_regions(o, &w->regions, where, error) || !read_pauses(o, w, where, error) ||
	    !check_parts(o, w, where, error))
		return NULL;
	note_missing(kx_window_fields, o, w);
	if (!w->paused_na && !json_object_has_member(o, "paused_ns"))
		w->paused_na = g_strdup("not in the report");
	/* of a version that did not tell reads from writes */
	if (!w->truth_na && !json_object_has_member(o, "written_na")) {
		g_free(w->written_na);
		w->written_na = g_strdup("not in the report");
	}
	if (!w->tracker) {
		wrong(error, where, "tracker", "a string");
		return NULL;
	}
	if (!w->options)
		w->options = g_strdup("");
	return g_steal_pointer(&w);
}

/* Calls @read for each object of the array @key, which may be absent. */
typedef gboolean (*ReadFn)(JsonObject *o, void *to, const char *where, GError **error);

static gboolean read_each(JsonObject *o, const char *key, ReadFn read, void *to, const char *where,
			  GError **error)
{
	GError *local = NULL;
	JsonArray *list = get_array(o, key, where, &local);

	if (local) {
		g_propagate_error(error, local);
		return FALSE;
	}
	for (guint i = 0; list && i < json_array_get_length(list); i++) {
		JsonObject *element = get_element(list, i, key, where, error);

		if (!element || !read(element, to, where, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean read_heat_range(JsonObject *o, void *to, const char *where, GError **error)
{
	KxHeatMap *m = to;
	GError *local = NULL;
	KxHeatRange r = { 0 };
	JsonArray *seen;

	if (!read_fields(kx_heat_range_fields, o, &r, where, error))
		return FALSE;
	if (!r.size)
		return wrong(error, where, "size", "more than 0");
	seen = get_array(o, "seen_by", where, &local);
	if (local) {
		g_propagate_error(error, local);
		return FALSE;
	}
	for (guint i = 0; seen && i < json_array_get_length(seen); i++) {
		guint64 by;

		if (!JSON_NODE_HOLDS_VALUE(json_array_get_element(seen, i)) ||
		    !read_u64(json_array_get_element(seen, i), KX_HEAT_SEEN_MAX - 1, &by))
			return wrong(error, where, "seen_by", "an array of small numbers");
		r.seen_by |= 1u << by;
	}
	g_array_append_val(m->ranges, r);
	return TRUE;
}

static gboolean read_heat_map(JsonObject *o, void *to, const char *where, GError **error)
{
	KxHeatMap *m = kx_heat_map_new();

	g_ptr_array_add(((KxHeatReport *)to)->maps, m);
	if (!read_fields(kx_heat_map_fields, o, m, where, error))
		return FALSE;
	if (!m->tracker)
		return wrong(error, where, "tracker", "a string");
	return read_each(o, "ranges", read_heat_range, m, where, error);
}

static gboolean read_agreement(JsonObject *o, void *to, const char *where, GError **error)
{
	g_autofree KxAgreement *g = g_new0(KxAgreement, 1);

	if (!read_fields(kx_agreement_fields, o, g, where, error) || !g->a || !g->b) {
		kx_free_strings(kx_agreement_fields, g);
		return error && *error ? FALSE : wrong(error, where, "a", "a string");
	}
	note_missing(kx_agreement_fields, o, g);
	g_ptr_array_add(((KxHeatReport *)to)->agreement, g_steal_pointer(&g));
	return TRUE;
}

static gboolean read_heat(JsonObject *vm, KxVmReport *v, const char *where, GError **error)
{
	JsonNode *node = json_object_get_member(vm, "heat");

	if (!node)
		return TRUE;
	if (!JSON_NODE_HOLDS_OBJECT(node))
		return wrong(error, where, "heat", "an object");
	v->heat = kx_heat_report_new();
	return read_each(json_node_get_object(node), "maps", read_heat_map, v->heat, where,
			 error) &&
	       read_each(json_node_get_object(node), "agreement", read_agreement, v->heat, where,
			 error);
}

static KxVmReport *read_vm(JsonObject *o, guint index, GError **error)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autofree char *where = g_strdup_printf("VM %u", index + 1);
	GError *local = NULL;
	JsonArray *windows;

	if (!read_fields(kx_vm_fields, o, v, where, error))
		return NULL;
	if (!v->name) {
		wrong(error, where, "name", "a string");
		return NULL;
	}
	if (!read_heat(o, v, where, error))
		return NULL;
	windows = get_array(o, "windows", where, &local);
	if (local) {
		g_propagate_error(error, local);
		return NULL;
	}
	for (guint i = 0; windows && i < json_array_get_length(windows); i++) {
		g_autofree char *where_w = g_strdup_printf("window %u of VM %u", i + 1, index + 1);
		JsonObject *element = get_element(windows, i, "windows", where, error);
		KxWindow *w = element ? read_window(element, where_w, error) : NULL;

		if (!w)
			return NULL;
		g_ptr_array_add(v->windows, w);
	}
	return g_steal_pointer(&v);
}

static JsonObject *get_root(JsonParser *parser, GError **error)
{
	JsonNode *root = json_parser_get_root(parser);
	JsonNode *schema;
	JsonObject *o;

	if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
		g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
				    "this is not a report: the text is no JSON object");
		return NULL;
	}
	o = json_node_get_object(root);
	schema = json_object_get_member(o, "schema");
	if (!schema || !JSON_NODE_HOLDS_VALUE(schema) ||
	    g_strcmp0(json_node_get_string(schema), KX_REPORT_SCHEMA) != 0) {
		g_autofree char *found = schema ? json_to_string(schema, FALSE) : g_strdup("none");

		g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
			    "this is not a report that this version reads: its schema is %s, not "
			    "'" KX_REPORT_SCHEMA "'",
			    found);
		return NULL;
	}
	return o;
}

KxReport *kx_report_from_json(const char *json, GError **error)
{
	g_autoptr(JsonParser) parser = json_parser_new_immutable();
	g_autoptr(KxReport) r = kx_report_new();
	GError *local = NULL;
	JsonArray *vms;
	JsonObject *o;

	if (!json_parser_load_from_data(parser, json, -1, error))
		return NULL;
	o = get_root(parser, error);
	if (!o || !read_fields(kx_report_fields, o, r, "the report", error))
		return NULL;
	vms = get_array(o, "vms", "the report", &local);
	if (local) {
		g_propagate_error(error, local);
		return NULL;
	}
	for (guint i = 0; vms && i < json_array_get_length(vms); i++) {
		JsonObject *element = get_element(vms, i, "vms", "the report", error);
		KxVmReport *v = element ? read_vm(element, i, error) : NULL;

		if (!v)
			return NULL;
		g_ptr_array_add(r->vms, v);
	}
	return g_steal_pointer(&r);
}
