// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The report model from JSON. Unknown keys are ignored, so that an older CLI reads a newer daemon; a known key of the wrong
 * type is an error.
 */
#include "json-read.h"

#include <errno.h>
#include <gio/gio.h>
#include <json-glib/json-glib.h>
#include <math.h>

#include "accessmap-json.h"
#include "base/jsontext.h"
#include "report.h"

/* If a window has a part, all members of the part must be in the JSON, because a missing member must not be read as 0. */
static gboolean check_parts(JsonObject *o, const KxWindow *w, const char *where, GError **error)
{
	for (const KxField *f = kx_window_fields; f->key; f++) {
		gboolean known =
			f->na_offset < 0 || !*(char *const *)((const char *)w + f->na_offset);

		if (f->needs_offset >= 0 && kx_field_is_there(f, w) && known && !f->later &&
		    !json_object_has_member(o, f->key))
			return kx_json_wrong(error, where, f->key, "there");
	}
	return TRUE;
}

/* A member that is missing in the JSON was not measured: this sets the reason. */
static void note_missing(const KxField *fields, JsonObject *o, void *object)
{
	for (const KxField *f = fields; f->key; f++) {
		char **reason;

		if (f->na_offset < 0 || !kx_field_is_there(f, object) ||
		    json_object_has_member(o, f->key))
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
		kx_json_wrong(error, where, key, "an array");
		return NULL;
	}
	return json_node_get_array(node);
}

static JsonObject *get_element(JsonArray *a, guint i, const char *key, const char *where,
			       GError **error)
{
	JsonNode *node = json_array_get_element(a, i);

	if (!JSON_NODE_HOLDS_OBJECT(node)) {
		kx_json_wrong(error, where, key, "an array of objects");
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
		return kx_json_wrong(error, where, "regions", "an object");
	if (!kx_json_read_fields(kx_regions_fields, json_node_get_object(node), r, where, error))
		return FALSE;
	list = get_array(json_node_get_object(node), "list", where, &local);
	if (local) {
		g_propagate_error(error, local);
		return FALSE;
	}
	for (guint i = 0; list && i < json_array_get_length(list); i++) {
		JsonObject *o = get_element(list, i, "list", where, error);
		KxRegion g = { 0 };

		if (!o || !kx_json_read_fields(kx_region_fields, o, &g, where, error))
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

		if (!o || !kx_json_read_fields(kx_pause_fields, o, &p, where, error))
			return FALSE;
		g_array_append_val(w->pauses, p);
	}
	return TRUE;
}

static gboolean read_batch(JsonNode *node, KxObservation *batch)
{
	JsonArray *a = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

	if (!a || json_array_get_length(a) != 2)
		return FALSE;
	for (guint i = 0; i < 2; i++) {
		if (!JSON_NODE_HOLDS_VALUE(json_array_get_element(a, i)))
			return FALSE;
	}
	*batch = (KxObservation){ json_array_get_double_element(a, 0),
				  json_array_get_double_element(a, 1) };
	return TRUE;
}

/* TRUE without batches, if there can be none: in reports of earlier versions. */
static gboolean read_batches(JsonObject *window, KxSeries *s, const char *where, GError **error)
{
	GError *local = NULL;
	JsonArray *list = get_array(window, "est_batches", where, &local);
	guint n = list ? json_array_get_length(list) : 0;

	if (local) {
		g_propagate_error(error, local);
		return FALSE;
	}
	if (!kx_series_is_sound(s) || n != (s->taken ? (s->taken - 1) / s->size + 1 : 0))
		return kx_json_wrong(error, where, "est_batches",
				     "as many as est_taken passes fill");
	for (guint i = 0; i < n; i++) {
		if (!read_batch(json_array_get_element(list, i), &s->batch[i]))
			return kx_json_wrong(error, where, "est_batches", "pairs of numbers");
	}
	return TRUE;
}

static KxWindow *read_window(JsonObject *o, const char *where, GError **error)
{
	g_autoptr(KxWindow) w = kx_window_new();

	if (!kx_json_read_fields(kx_window_fields, o, w, where, error) ||
	    !read_regions(o, &w->regions, where, error) || !read_pauses(o, w, where, error) ||
	    !read_batches(o, &w->pass_costs, where, error) || !check_parts(o, w, where, error))
		return NULL;
	note_missing(kx_window_fields, o, w);
	if (!w->paused_na && !json_object_has_member(o, "paused_ns"))
		w->paused_na = g_strdup("not in the report");
	/* written by a version that did not distinguish reads and writes */
	if (!w->truth_na && !json_object_has_member(o, "written_na")) {
		g_free(w->written_na);
		w->written_na = g_strdup("not in the report");
	}
	if (!w->tracker) {
		kx_json_wrong(error, where, "tracker", "a string");
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

	if (!kx_json_read_fields(kx_heat_range_fields, o, &r, where, error))
		return FALSE;
	if (!r.size)
		return kx_json_wrong(error, where, "size", "more than 0");
	seen = get_array(o, "seen_by", where, &local);
	if (local) {
		g_propagate_error(error, local);
		return FALSE;
	}
	for (guint i = 0; seen && i < json_array_get_length(seen); i++) {
		guint64 by;

		if (!JSON_NODE_HOLDS_VALUE(json_array_get_element(seen, i)) ||
		    !kx_json_u64(json_array_get_element(seen, i), KX_HEAT_SEEN_MAX - 1, &by))
			return kx_json_wrong(error, where, "seen_by", "an array of small numbers");
		r.seen_by |= 1u << by;
	}
	g_array_append_val(m->ranges, r);
	return TRUE;
}

static gboolean read_heat_map(JsonObject *o, void *to, const char *where, GError **error)
{
	KxHeatMap *m = kx_heat_map_new();

	g_ptr_array_add(((KxHeatReport *)to)->maps, m);
	if (!kx_json_read_fields(kx_heat_map_fields, o, m, where, error))
		return FALSE;
	if (!m->tracker)
		return kx_json_wrong(error, where, "tracker", "a string");
	return read_each(o, "ranges", read_heat_range, m, where, error);
}

static gboolean read_agreement(JsonObject *o, void *to, const char *where, GError **error)
{
	g_autofree KxAgreement *g = g_new0(KxAgreement, 1);

	if (!kx_json_read_fields(kx_agreement_fields, o, g, where, error) || !g->a || !g->b) {
		kx_free_strings(kx_agreement_fields, g);
		return error && *error ? FALSE : kx_json_wrong(error, where, "a", "a string");
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
		return kx_json_wrong(error, where, "heat", "an object");
	v->heat = kx_heat_report_new();
	return read_each(json_node_get_object(node), "maps", read_heat_map, v->heat, where,
			 error) &&
	       read_each(json_node_get_object(node), "agreement", read_agreement, v->heat, where,
			 error);
}

static gboolean read_placed_node(JsonObject *o, void *to, const char *where, GError **error)
{
	KxPlacement *p = to;
	KxPlacedNode n = { 0 };

	if (!kx_json_read_fields(kx_placed_node_fields, o, &n, where, error))
		return FALSE;
	if (n.hot > p->hot_asked || n.rest > p->rest_asked)
		return kx_json_wrong(error, where, "nodes", "of the pages that were asked about");
	g_array_append_val(p->nodes, n);
	return TRUE;
}

static gboolean read_placement(JsonObject *vm, KxVmReport *v, const char *where, GError **error)
{
	JsonNode *node = json_object_get_member(vm, "placement");
	JsonObject *o;
	KxPlacement *p;

	if (!node)
		return TRUE;
	if (!JSON_NODE_HOLDS_OBJECT(node))
		return kx_json_wrong(error, where, "placement", "an object");
	o = json_node_get_object(node);
	p = v->placement = kx_placement_new();
	if (!kx_json_read_fields(kx_placement_fields, o, p, where, error))
		return FALSE;
	note_missing(kx_placement_fields, o, p);
	if (p->hot_asked > p->hot_pages || p->hot_absent > p->hot_asked)
		return kx_json_wrong(error, where, "hot_asked", "between hot_absent and hot_pages");
	if (p->rest_asked > p->rest_pages || p->rest_absent > p->rest_asked)
		return kx_json_wrong(error, where, "rest_asked",
				     "between rest_absent and rest_pages");
	return read_each(o, "nodes", read_placed_node, p, where, error);
}

static KxVmReport *read_vm(JsonObject *o, guint index, guint64 *cells, GError **error)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autofree char *where = g_strdup_printf("VM %u", index + 1);
	GError *local = NULL;
	JsonArray *windows;

	if (!kx_json_read_fields(kx_vm_fields, o, v, where, error))
		return NULL;
	if (!v->name) {
		kx_json_wrong(error, where, "name", "a string");
		return NULL;
	}
	if (!read_heat(o, v, where, error) || !read_placement(o, v, where, error))
		return NULL;
	v->over_time = kx_json_read_over_time(o, cells, where, &local);
	windows = local ? NULL : get_array(o, "windows", where, &local);
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
		const char *what = schema && json_node_get_value_type(schema) == G_TYPE_STRING
					   ? kx_schema_meaning(json_node_get_string(schema))
					   : NULL;

		if (what && !g_str_has_prefix(json_node_get_string(schema), "kvm-ext-report/")) {
			g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
				    "this is no report, but %s", what);
			return NULL;
		}
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
	guint64 cells = KX_ACCESS_CELLS_MAX;
	GError *local = NULL;
	JsonArray *vms;
	JsonObject *o;

	if (!kx_json_load(parser, json, -1, error))
		return NULL;
	o = get_root(parser, error);
	if (!o || !kx_json_read_fields(kx_report_fields, o, r, "the report", error))
		return NULL;
	vms = get_array(o, "vms", "the report", &local);
	if (local) {
		g_propagate_error(error, local);
		return NULL;
	}
	for (guint i = 0; vms && i < json_array_get_length(vms); i++) {
		JsonObject *element = get_element(vms, i, "vms", "the report", error);
		KxVmReport *v = element ? read_vm(element, i, &cells, error) : NULL;

		if (!v)
			return NULL;
		g_ptr_array_add(r->vms, v);
	}
	return g_steal_pointer(&r);
}
