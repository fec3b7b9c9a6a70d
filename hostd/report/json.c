// SPDX-License-Identifier: GPL-2.0-or-later
/* The report as JSON: the model, and the rows that are computed from it, for other programs; rows are not read back. */
#include "json.h"

#include <math.h>

#include "model/accessmap-json.h"
#include "model/json-write.h"
#include "placed.h"
#include "row.h"

/*
 * {"value": 412.5, "low": ..., "high": ..., "n": 100, "note": "a footnote", "unit": "ns"}, or {"na": "why not", ...}; the
 * interval and the note are there only if the figure has them.
 */
static void add_value(JsonBuilder *b, const char *key, const char *unit, const KxFigure *f)
{
	json_builder_set_member_name(b, key);
	json_builder_begin_object(b);
	if (f->na) {
		json_builder_set_member_name(b, "na");
		json_builder_add_string_value(b, f->na);
	} else {
		kx_json_add_double(b, "value", f->value);
		if (isfinite(f->low) && isfinite(f->high)) {
			kx_json_add_double(b, "low", f->low);
			kx_json_add_double(b, "high", f->high);
		}
		json_builder_set_member_name(b, "n");
		kx_json_add_u64(b, f->n);
	}
	if (f->note) {
		json_builder_set_member_name(b, "note");
		json_builder_add_string_value(b, f->note);
	}
	json_builder_set_member_name(b, "unit");
	json_builder_add_string_value(b, unit);
	json_builder_end_object(b);
}

static void add_figure(JsonBuilder *b, const KxFigureSpec *spec, const KxFigure *f)
{
	add_value(b, spec->key, spec->unit, f);
}

static void add_label(JsonBuilder *b, const char *key, const GPtrArray *rows, guint index)
{
	g_autofree char *label = kx_row_label(rows, index);

	json_builder_set_member_name(b, key);
	json_builder_add_string_value(b, label);
}

/* A row with its label, by which the notes name it, and with the label of the row that measured its misses, as in the text. */
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
	kx_json_add_double(b, "seconds", row->seconds);
	if (kx_row_has(row, KX_PART_MISSED))
		add_label(b, "missed_measured_in", rows, row->missed_by);
	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		if (f->key)
			add_figure(b, f, kx_row_figure(row, f->offset));
	}
	json_builder_end_object(b);
}

/* Computed from the windows, for other programs; not read back. */
static void add_rows(JsonBuilder *b, const KxVmReport *v, const char *reference)
{
	g_autoptr(GPtrArray) rows = kx_vm_rows(v, reference);
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

/* Takes @f. */
static void add_mib(JsonBuilder *b, const char *key, KxFigure f)
{
	add_value(b, key, "MiB", &f);
	kx_figure_clear(&f);
}

/* Computed from the placement, for other programs; not read back. */
static void add_placed(JsonBuilder *b, const KxPlacement *p)
{
	json_builder_set_member_name(b, "placed");
	json_builder_begin_object(b);
	add_mib(b, "hot_on_slow", kx_placed_hot_on_slow(p));
	add_mib(b, "cold_on_fast", kx_placed_cold_on_fast(p));
	json_builder_set_member_name(b, "nodes");
	json_builder_begin_array(b);
	for (guint i = 0; i < p->nodes->len; i++) {
		const KxPlacedNode *n = &g_array_index(p->nodes, KxPlacedNode, i);

		json_builder_begin_object(b);
		json_builder_set_member_name(b, "node");
		json_builder_add_int_value(b, n->node);
		add_mib(b, "hot", kx_placed_hot(p, n->hot));
		add_mib(b, p->hot_na ? "memory" : "cold", kx_placed_rest(p, n->rest));
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
}

static void add_vm(JsonBuilder *b, const KxVmReport *v, const char *reference)
{
	json_builder_begin_object(b);
	kx_json_add_vm(b, v);
	if (v->over_time)
		kx_json_add_over_time(b, v->over_time);
	if (v->placement)
		add_placed(b, v->placement);
	add_rows(b, v, reference);
	json_builder_end_object(b);
}

char *kx_report_to_json(const KxReport *r)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;

	json_builder_begin_object(b);
	kx_json_add_report(b, r);
	json_builder_set_member_name(b, "vms");
	json_builder_begin_array(b);
	for (guint i = 0; i < r->vms->len; i++)
		add_vm(b, r->vms->pdata[i], r->reference);
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

/* For `kvm-ext heat --json`: the VM's identity, and its whole heat. */
void kx_heat_add_json(JsonBuilder *b, const KxVmReport *v)
{
	json_builder_begin_object(b);
	for (const KxField *f = kx_vm_fields; f->key; f++) {
		if (!is_identity(f->key))
			continue;
		json_builder_set_member_name(b, f->key);
		kx_json_add_value(b, f, v);
	}
	if (v->heat)
		kx_json_add_heat(b, v->heat);
	json_builder_end_object(b);
}
