// SPDX-License-Identifier: GPL-2.0-or-later
/* An experiment as it is saved: each point's comparison in its own form, and the rows for programs that read only these. */
#include "experiment.h"

#include <json-glib/json-glib.h>
#include <math.h>

#include "base/jsontext.h"
#include "base/textfmt.h"
#include "model/json-write.h"
#include "model/report.h"

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void add_figure(JsonBuilder *b, const char *key, const KxFigure *f)
{
	json_builder_set_member_name(b, key);
	json_builder_begin_object(b);
	if (f->na) {
		kx_json_add_text(b, "na", f->na);
	} else {
		kx_json_add_known(b, "value", f->value);
		kx_json_add_known(b, "low", f->low);
		kx_json_add_known(b, "high", f->high);
		kx_json_add_int(b, "n", f->n);
	}
	if (f->note)
		kx_json_add_text(b, "note", f->note);
	json_builder_end_object(b);
}

static void add_rows(JsonBuilder *b, const KxExperimentPoint *p)
{
	g_autoptr(GPtrArray) rows = kx_experiment_rows(p);

	json_builder_set_member_name(b, "rows");
	json_builder_begin_array(b);
	for (guint i = 0; i < rows->len; i++) {
		KxRunRow *row = rows->pdata[i];

		json_builder_begin_object(b);
		kx_json_add_text(b, "label", row->compared->label);
		kx_json_add_text(b, "where", row->where);
		kx_json_add_text(b, "difference", row->compared->difference);
		for (const KxRunFigure *f = kx_run_figures; f->key; f++)
			add_figure(b, f->key, kx_run_figure(row, f));
		for (const KxComparedFigure *f = kx_compared_figures; f->key; f++)
			add_figure(b, f->key, kx_compared_figure(row->compared, f));
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

/* @json: the comparison, or its head. */
static void add_comparison(JsonBuilder *b, const char *json)
{
	json_builder_set_member_name(b, "comparison");
	json_builder_add_value(b, json_from_string(json, NULL));
}

/* @measured FALSE: without runs and conclusions. */
static void add_points(JsonBuilder *b, const KxExperiment *e, gboolean measured)
{
	json_builder_set_member_name(b, "points");
	json_builder_begin_array(b);
	for (guint i = 0; i < e->points->len; i++) {
		const KxExperimentPoint *p = e->points->pdata[i];
		g_autofree char *comparison =
			measured ? kx_comparison_to_json(p->c) : kx_comparison_head_to_json(p->c);

		json_builder_begin_object(b);
		kx_json_add_text(b, "label", p->at->label);
		kx_json_add_int(b, "vms", p->at->vms);
		kx_json_add_int(b, "vcpus", p->at->vcpus);
		kx_json_add_int(b, "memory_bytes", p->at->memory_bytes);
		kx_json_add_text(b, "working_set", p->at->working_set);
		if (measured)
			add_rows(b, p);
		add_comparison(b, comparison);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

static char *to_json(const KxExperiment *e, gboolean measured)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;

	json_builder_begin_object(b);
	kx_json_add_text(b, "schema", KX_EXPERIMENT_SCHEMA);
	kx_json_add_text(b, "id", e->id);
	kx_json_add_text(b, "name", e->name);
	kx_json_add_text(b, "command", e->command);
	kx_json_add_text(b, "file", e->file);
	kx_json_add_int(b, "seed", e->seed);
	kx_json_add_int(b, "rounds", e->rounds);
	kx_json_add_int(b, "start_realtime_ns", (guint64)e->start_realtime_ns);
	kx_json_add_int(b, "end_realtime_ns", (guint64)e->end_realtime_ns);
	kx_json_add_text(b, "stopped", e->stopped);
	add_points(b, e, measured);
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	return json_to_string(root, measured);
}

char *kx_experiment_to_json(const KxExperiment *e)
{
	return to_json(e, TRUE);
}

char *kx_experiment_head_to_json(const KxExperiment *e)
{
	return to_json(e, FALSE);
}

char *kx_experiment_round_to_json(const KxExperiment *e, guint round)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "points");
	json_builder_begin_array(b);
	for (guint i = 0; i < e->points->len; i++) {
		const KxExperimentPoint *p = e->points->pdata[i];
		g_autofree char *json = kx_comparison_round_to_json(p->c, round);

		json_builder_add_value(b, json_from_string(json, NULL));
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	return json_to_string(root, FALSE);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static gboolean bad(GError **error, const char *why)
{
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "this is no experiment: %s", why);
	return FALSE;
}

/* NULL: there is no such member, or it is not a string: the file may come from anybody. */
static const char *string_of(JsonObject *o, const char *key)
{
	JsonNode *node = json_object_get_member(o, key);

	return node && json_node_get_value_type(node) == G_TYPE_STRING ? json_node_get_string(node)
								       : NULL;
}

/* The same, without characters that a terminal would interpret. */
static char *text_of(JsonObject *o, const char *key)
{
	const char *text = string_of(o, key);

	return text ? kx_text_clean(text) : NULL;
}

static guint64 count_of(JsonObject *o, const char *key)
{
	JsonNode *node = json_object_get_member(o, key);

	return node && json_node_get_value_type(node) == G_TYPE_INT64
		       ? (guint64)json_node_get_int(node)
		       : 0;
}

static KxComparison *comparison_of(JsonObject *o, GError **error)
{
	JsonNode *node = json_object_get_member(o, "comparison");
	g_autofree char *json = node ? json_to_string(node, FALSE) : NULL;

	if (!json) {
		bad(error, "a point has no comparison");
		return NULL;
	}
	return kx_comparison_from_json(json, error);
}

static gboolean read_point(KxExperiment *e, JsonNode *node, GError **error)
{
	JsonObject *o = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
	KxComparison *c = o ? comparison_of(o, error) : NULL;
	KxPoint *at;

	if (!o)
		return bad(error, "a point is no object");
	if (!c)
		return FALSE;
	at = g_new0(KxPoint, 1);
	at->label = text_of(o, "label");
	at->label = at->label ? at->label : g_strdup("");
	at->working_set = text_of(o, "working_set");
	at->vms = c->vms->len;
	at->vcpus = (guint)count_of(o, "vcpus");
	at->memory_bytes = count_of(o, "memory_bytes");
	kx_experiment_add_point(e, at, c);
	return TRUE;
}

static gboolean read_points(KxExperiment *e, JsonObject *o, GError **error)
{
	JsonNode *node = json_object_get_member(o, "points");
	JsonArray *a = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
	guint n = a ? json_array_get_length(a) : 0;

	if (!n || n > KX_PLAN_POINTS_MAX)
		return bad(error, n ? "it has too many points" : "it has no points");
	for (guint i = 0; i < n; i++) {
		if (!read_point(e, json_array_get_element(a, i), error))
			return FALSE;
	}
	return TRUE;
}

static gboolean take_points(KxExperiment *e, JsonArray *points, GError **error)
{
	guint n = points ? json_array_get_length(points) : 0;

	if (n != e->points->len)
		return bad(error, "a round has runs of another number of points");
	for (guint i = 0; i < n; i++) {
		const KxExperimentPoint *p = e->points->pdata[i];
		g_autofree char *json = json_to_string(json_array_get_element(points, i), FALSE);

		if (!kx_comparison_take_round(p->c, json, error))
			return FALSE;
	}
	return TRUE;
}

gboolean kx_experiment_take_round(KxExperiment *e, const char *json, GError **error)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	JsonNode *root, *points;

	if (!kx_json_load(parser, json, -1, error))
		return FALSE;
	root = json_parser_get_root(parser);
	if (!root || !JSON_NODE_HOLDS_OBJECT(root))
		return bad(error, "a round is no object");
	points = json_object_get_member(json_node_get_object(root), "points");
	return take_points(
		e, points && JSON_NODE_HOLDS_ARRAY(points) ? json_node_get_array(points) : NULL,
		error);
}

KxExperiment *kx_experiment_from_json(const char *json, GError **error)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	g_autoptr(KxExperiment) e = NULL;
	JsonNode *root;
	JsonObject *o;

	if (!kx_json_load(parser, json, -1, error))
		return NULL;
	root = json_parser_get_root(parser);
	o = root && JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
	if (!o || g_strcmp0(string_of(o, "schema"), KX_EXPERIMENT_SCHEMA) != 0) {
		const char *what = o ? kx_schema_meaning(string_of(o, "schema")) : NULL;

		if (what && !g_str_has_prefix(string_of(o, "schema"), "kvm-ext-experiment/"))
			g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
				    "this is no experiment, but %s", what);
		else
			bad(error, "its schema is not \"" KX_EXPERIMENT_SCHEMA "\"");
		return NULL;
	}
	e = g_new0(KxExperiment, 1);
	e->id = text_of(o, "id");
	e->name = text_of(o, "name");
	e->name = e->name ? e->name : g_strdup("?");
	e->command = text_of(o, "command");
	/* Not cleaned, so that it keeps its lines: it is only written as JSON again. */
	e->file = g_strdup(string_of(o, "file"));
	e->seed = count_of(o, "seed");
	e->rounds = (guint)count_of(o, "rounds");
	e->start_realtime_ns = (gint64)count_of(o, "start_realtime_ns");
	e->end_realtime_ns = (gint64)count_of(o, "end_realtime_ns");
	e->stopped = text_of(o, "stopped");
	return read_points(e, o, error) ? g_steal_pointer(&e) : NULL;
}
