// SPDX-License-Identifier: GPL-2.0-or-later
/* A comparison as it is saved: the measurements, and the conclusions for programs that read only these. */
#include "comparison-internal.h"

#include <math.h>
#include <string.h>

#include "base/jsontext.h"
#include "base/textfmt.h"
#include "model/json-read.h"
#include "model/json-write.h"
#include "model/report.h"
#include "vm/environment.h"

/* --- writing ------------------------------------------------------------------------------------------------------ */

void kx_compared_add_figure(JsonBuilder *b, const char *key, const KxFigure *f)
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

/* The host, in the same form as in a report's header. */
static void add_host(JsonBuilder *b, const KxReport *host)
{
	json_builder_set_member_name(b, "host");
	json_builder_begin_object(b);
	kx_json_add_fields(b, kx_host_fields, host);
	json_builder_end_object(b);
}

static void add_settings(JsonBuilder *b, const KxComparison *c)
{
	json_builder_set_member_name(b, "settings");
	json_builder_begin_array(b);
	for (guint i = 0; i < c->settings->len; i++) {
		const KxComparedSetting *s = c->settings->pdata[i];

		json_builder_begin_object(b);
		kx_json_add_text(b, "label", s->label);
		kx_json_add_text(b, "setting", s->text);
		kx_json_add_text(b, "sees", s->sees);
		kx_json_add_text(b, "left_out", s->left_out);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

/* What was asked for. */
static void add_plan(JsonBuilder *b, const KxComparedPlan *p)
{
	json_builder_set_member_name(b, "asked");
	json_builder_begin_object(b);
	kx_json_add_int(b, "rounds", p->rounds);
	if (p->precision > 0)
		kx_json_add_known(b, "precision", p->precision);
	kx_json_add_text(b, "progress_command", p->progress_command);
	kx_json_add_strv(b, "workload_logs", p->logs);
	kx_json_add_text(b, "directory", p->directory);
	json_builder_end_object(b);
}

static void add_environment(JsonBuilder *b, const GPtrArray *environment)
{
	json_builder_set_member_name(b, "environment");
	json_builder_begin_object(b);
	for (guint i = 0; i < environment->len; i++) {
		const KxFact *f = environment->pdata[i];

		if (f->value) {
			kx_json_add_text(b, f->key, f->value);
			continue;
		}
		json_builder_set_member_name(b, f->key);
		json_builder_begin_object(b);
		kx_json_add_text(b, "na", f->na);
		json_builder_end_object(b);
	}
	json_builder_end_object(b);
}

/* Of the rounds from @from up to @to. */
static void add_windows(JsonBuilder *b, const KxComparison *c, guint vm, guint from, guint to)
{
	json_builder_set_member_name(b, "windows");
	json_builder_begin_array(b);
	for (guint round = from; round < to; round++) {
		for (guint k = 0; k < c->settings->len; k++) {
			const KxStretch *s = kx_comparison_at(c, vm, round, k);

			if (!s)
				continue;
			json_builder_begin_object(b);
			kx_json_add_int(b, "round", round);
			kx_json_add_int(b, "setting", k);
			json_builder_set_member_name(b, "measured");
			kx_stretch_add_json(b, s);
			json_builder_end_object(b);
		}
	}
	json_builder_end_array(b);
}

static void add_vms(JsonBuilder *b, const KxComparison *c, guint rounds)
{
	json_builder_set_member_name(b, "vms");
	json_builder_begin_array(b);
	for (guint i = 0; i < c->vms->len; i++) {
		const KxComparedVm *v = c->vms->pdata[i];

		json_builder_begin_object(b);
		kx_json_add_text(b, "name", v->name);
		kx_json_add_text(b, "uuid", v->uuid);
		kx_json_add_int(b, "pid", v->pid);
		kx_json_add_int(b, "started", v->started);
		kx_json_add_int(b, "vcpus", v->vcpus);
		kx_json_add_int(b, "ram_pages", v->ram_pages);
		kx_json_add_text(b, "emulated_by", v->emulated_by);
		kx_json_add_text(b, "ended", v->ended);
		kx_json_add_texts(b, "doubts", v->doubts);
		add_windows(b, c, i, 0, rounds);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

static void add_row(JsonBuilder *b, KxComparedRow *row)
{
	json_builder_begin_object(b);
	kx_json_add_text(b, "label", row->label);
	kx_json_add_text(b, "left_out", row->left_out);
	kx_json_add_int(b, "windows", row->windows);
	kx_json_add_int(b, "failed", row->failed);
	if (row->stalled)
		kx_json_add_int(b, "stalled", row->stalled);
	if (row->untold)
		kx_json_add_int(b, "progress_unknown", row->untold);
	kx_json_add_text(b, "difference", row->difference);
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++)
		kx_compared_add_figure(b, f->key, kx_compared_figure(row, f));
	kx_json_add_text(b, "mark", row->mark);
	json_builder_end_object(b);
}

static void add_rows(JsonBuilder *b, const char *key, const KxComparison *c, guint vm)
{
	g_autoptr(GPtrArray) rows = kx_comparison_rows(c, vm);

	json_builder_set_member_name(b, key);
	json_builder_begin_array(b);
	for (guint i = 0; i < rows->len; i++)
		add_row(b, rows->pdata[i]);
	json_builder_end_array(b);
}

static void add_rows_of_vms(JsonBuilder *b, const KxComparison *c)
{
	json_builder_set_member_name(b, "rows_of_vms");
	json_builder_begin_array(b);
	for (guint i = 0; c->vms->len > 1 && i < c->vms->len; i++) {
		const KxComparedVm *v = c->vms->pdata[i];

		json_builder_begin_object(b);
		kx_json_add_text(b, "name", v->name);
		kx_json_add_text(b, "uuid", v->uuid);
		kx_json_add_int(b, "pid", v->pid);
		add_rows(b, "rows", c, i);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

static char *text_of_builder(JsonBuilder *b, gboolean pretty)
{
	g_autoptr(JsonNode) root = json_builder_get_root(b);

	return json_to_string(root, pretty);
}

static void add_head(JsonBuilder *b, const KxComparison *c)
{
	kx_json_add_text(b, "schema", KX_COMPARISON_SCHEMA);
	kx_json_add_text(b, "id", c->id);
	kx_json_add_text(b, "command", c->command);
	add_host(b, c->host);
	kx_json_add_int(b, "start_realtime_ns", (guint64)c->start_realtime_ns);
	kx_json_add_int(b, "end_realtime_ns", (guint64)c->end_realtime_ns);
	kx_json_add_int(b, "seed", c->seed);
	kx_json_add_int(b, "window_ns", c->window_ns);
	kx_json_add_int(b, "settle_ns", c->settle_ns);
	kx_json_add_text(b, "layout", c->layout == KX_LATIN ? "latin" : "together");
	kx_json_add_int(b, "rounds", c->rounds);
	kx_json_add_int(b, "whole_rounds", c->whole);
	add_plan(b, &c->asked);
	kx_json_add_text(b, "stopped", c->stopped);
	kx_json_add_text(b, "progress", c->progress);
	kx_json_add_text(b, "progress_na", c->progress_na);
	kx_json_add_text(b, "llc_na", c->llc_na);
	kx_json_add_texts(b, "doubts", c->doubts);
	add_environment(b, c->environment);
}

char *kx_comparison_to_json(const KxComparison *c)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	json_builder_begin_object(b);
	add_head(b, c);
	add_rows(b, "rows", c, G_MAXUINT);
	add_rows_of_vms(b, c);
	add_settings(b, c);
	add_vms(b, c, c->rounds);
	json_builder_end_object(b);
	return text_of_builder(b, TRUE);
}

char *kx_comparison_head_to_json(const KxComparison *c)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	json_builder_begin_object(b);
	add_head(b, c);
	add_settings(b, c);
	add_vms(b, c, 0);
	json_builder_end_object(b);
	return text_of_builder(b, FALSE);
}

char *kx_comparison_round_to_json(const KxComparison *c, guint round)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "vms");
	json_builder_begin_array(b);
	for (guint i = 0; i < c->vms->len; i++) {
		json_builder_begin_object(b);
		add_windows(b, c, i, round, round + 1);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
	return text_of_builder(b, FALSE);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* The text is cleaned: the file may come from anybody, and the terminal must not obey it. */
static char *text_of(JsonObject *o, const char *key)
{
	const char *text = json_object_get_string_member_with_default(o, key, NULL);

	return text ? kx_text_clean(text) : NULL;
}

static guint64 count_of(JsonObject *o, const char *key)
{
	return (guint64)json_object_get_int_member_with_default(o, key, 0);
}

/* The objects of an array; other elements are left out. */
static GPtrArray *objects_of(JsonObject *o, const char *key)
{
	GPtrArray *objects = g_ptr_array_new();
	JsonNode *node = json_object_get_member(o, key);
	JsonArray *a = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

	for (guint i = 0; a && i < json_array_get_length(a); i++) {
		JsonNode *element = json_array_get_element(a, i);

		if (JSON_NODE_HOLDS_OBJECT(element))
			g_ptr_array_add(objects, json_node_get_object(element));
	}
	return objects;
}

static void read_texts(JsonObject *o, const char *key, GPtrArray *into)
{
	JsonNode *node = json_object_get_member(o, key);
	JsonArray *a = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

	for (guint i = 0; a && i < json_array_get_length(a); i++) {
		JsonNode *element = json_array_get_element(a, i);

		if (json_node_get_value_type(element) == G_TYPE_STRING)
			g_ptr_array_add(into, kx_text_clean(json_node_get_string(element)));
	}
}

/* Cleaned like all other texts of the file. */
static void clean_texts(const KxField *fields, void *object)
{
	for (const KxField *f = fields; f->key; f++) {
		char **text = (char **)((char *)object + f->offset);
		g_autofree char *read = NULL;

		if (f->type != KX_FIELD_STRING || !*text)
			continue;
		read = *text;
		*text = kx_text_clean(read);
	}
}

static gboolean read_host(JsonObject *o, KxReport *host, GError **error)
{
	JsonNode *node = json_object_get_member(o, "host");

	if (!node || !JSON_NODE_HOLDS_OBJECT(node))
		return TRUE;
	if (!kx_json_read_fields(kx_host_fields, json_node_get_object(node), host,
				 "the comparison's host", error))
		return FALSE;
	clean_texts(kx_host_fields, host);
	return TRUE;
}

static void read_settings(JsonObject *o, KxComparison *c)
{
	g_autoptr(GPtrArray) settings = objects_of(o, "settings");

	for (guint i = 0; i < settings->len; i++) {
		g_autofree char *label = text_of(settings->pdata[i], "label");
		g_autofree char *text = text_of(settings->pdata[i], "setting");
		KxComparedSetting *s =
			kx_comparison_add_setting(c, label ? label : "?", text ? text : "?");

		s->sees = text_of(settings->pdata[i], "sees");
		s->left_out = text_of(settings->pdata[i], "left_out");
	}
}

static void read_windows(JsonObject *o, KxComparison *c, guint vm)
{
	g_autoptr(GPtrArray) windows = objects_of(o, "windows");

	for (guint i = 0; i < windows->len; i++) {
		guint64 round = count_of(windows->pdata[i], "round");
		guint64 setting = count_of(windows->pdata[i], "setting");
		JsonNode *node = json_object_get_member(windows->pdata[i], "measured");

		if (round < c->rounds && setting < c->settings->len && node &&
		    JSON_NODE_HOLDS_OBJECT(node))
			kx_comparison_put(c, vm, (guint)round, (guint)setting,
					  kx_stretch_from_json(json_node_get_object(node)));
	}
}

static void read_vms(JsonObject *o, KxComparison *c)
{
	g_autoptr(GPtrArray) vms = objects_of(o, "vms");

	for (guint i = 0; i < vms->len; i++) {
		g_autofree char *name = text_of(vms->pdata[i], "name");
		KxComparedVm *v = kx_comparison_add_vm(c, name ? name : "?");

		v->uuid = text_of(vms->pdata[i], "uuid");
		v->pid = (guint32)count_of(vms->pdata[i], "pid");
		v->started = count_of(vms->pdata[i], "started");
		v->vcpus = (guint32)count_of(vms->pdata[i], "vcpus");
		v->ram_pages = count_of(vms->pdata[i], "ram_pages");
		v->emulated_by = text_of(vms->pdata[i], "emulated_by");
		v->ended = text_of(vms->pdata[i], "ended");
		read_texts(vms->pdata[i], "doubts", v->doubts);
		read_windows(vms->pdata[i], c, i);
	}
}

/* Names of files, and a command. They are not cleaned, because these texts are used and not shown. */
static void read_logs(JsonObject *o, KxComparedPlan *p)
{
	JsonNode *node = json_object_get_member(o, "workload_logs");
	JsonArray *a = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
	guint n = a ? json_array_get_length(a) : 0, k = 0;

	if (!n)
		return;
	p->logs = g_new0(char *, n + 1);
	for (guint i = 0; i < n; i++) {
		JsonNode *element = json_array_get_element(a, i);

		if (json_node_get_value_type(element) == G_TYPE_STRING)
			p->logs[k++] = g_strdup(json_node_get_string(element));
	}
}

static void read_plan(JsonObject *o, KxComparedPlan *p)
{
	JsonNode *node = json_object_get_member(o, "asked");
	JsonObject *asked;

	if (!node || !JSON_NODE_HOLDS_OBJECT(node))
		return;
	asked = json_node_get_object(node);
	p->rounds = (guint)MIN(count_of(asked, "rounds"), KX_COMPARISON_ROUNDS_MAX);
	p->precision = json_object_get_double_member_with_default(asked, "precision", 0);
	p->progress_command = g_strdup(
		json_object_get_string_member_with_default(asked, "progress_command", NULL));
	p->directory =
		g_strdup(json_object_get_string_member_with_default(asked, "directory", NULL));
	read_logs(asked, p);
}

static void read_environment(JsonObject *o, GPtrArray *environment)
{
	JsonNode *node = json_object_get_member(o, "environment");
	JsonObjectIter it;
	const char *key;

	if (!node || !JSON_NODE_HOLDS_OBJECT(node))
		return;
	json_object_iter_init_ordered(&it, json_node_get_object(node));
	while (json_object_iter_next_ordered(&it, &key, &node)) {
		g_autofree char *na = JSON_NODE_HOLDS_OBJECT(node)
					      ? text_of(json_node_get_object(node), "na")
					      : NULL;

		if (json_node_get_value_type(node) == G_TYPE_STRING)
			kx_environment_add(environment, key, json_node_get_string(node), NULL);
		else if (na)
			kx_environment_add(environment, key, NULL, na);
	}
}

static gboolean is_of_our_size(JsonObject *o, GError **error)
{
	g_autoptr(GPtrArray) settings = objects_of(o, "settings"), vms = objects_of(o, "vms");
	guint64 rounds = count_of(o, "rounds");

	if (rounds > KX_COMPARISON_ROUNDS_MAX || settings->len > KX_COMPARISON_SETTINGS_MAX) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "this is no comparison: it has more than %u rounds or %u settings",
			    KX_COMPARISON_ROUNDS_MAX, KX_COMPARISON_SETTINGS_MAX);
		return FALSE;
	}
	if (vms->len * rounds * settings->len > KX_COMPARISON_WINDOWS_MAX) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "this is no comparison: its VMs, rounds and settings make more than %u "
			    "windows",
			    KX_COMPARISON_WINDOWS_MAX);
		return FALSE;
	}
	return TRUE;
}

static gboolean is_comparison(JsonObject *o, GError **error)
{
	/* If the member is a number, this returns NULL and not the default. */
	const char *given = json_object_get_string_member_with_default(o, "schema", NULL);
	g_autofree char *schema = kx_text_clean(given ? given : "");

	if (g_str_equal(schema, KX_COMPARISON_SCHEMA))
		return is_of_our_size(o, error);
	if (kx_schema_meaning(schema) && !g_str_has_prefix(schema, "kvm-ext-compare/")) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "this is no comparison, but %s", kx_schema_meaning(schema));
		return FALSE;
	}
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
		    "this is no comparison of this version: its schema is \"%s\", not "
		    "\"" KX_COMPARISON_SCHEMA "\"",
		    schema);
	return FALSE;
}

/* The object that @json is; the parser's. */
static JsonObject *parse(JsonParser *parser, const char *json, GError **error)
{
	JsonNode *root;

	if (!kx_json_load(parser, json, -1, error))
		return NULL;
	root = json_parser_get_root(parser);
	if (root && JSON_NODE_HOLDS_OBJECT(root))
		return json_node_get_object(root);
	g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "this is no comparison: it is no JSON object");
	return NULL;
}

gboolean kx_comparison_take_round(KxComparison *c, const char *json, GError **error)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	JsonObject *o = parse(parser, json, error);
	g_autoptr(GPtrArray) vms = o ? objects_of(o, "vms") : NULL;

	if (!o)
		return FALSE;
	if (vms->len != c->vms->len) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "a round has windows of %u VMs, and the comparison has %u", vms->len,
			    c->vms->len);
		return FALSE;
	}
	for (guint i = 0; i < vms->len; i++)
		read_windows(vms->pdata[i], c, i);
	return TRUE;
}

KxComparison *kx_comparison_from_json(const char *json, GError **error)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	JsonObject *o = parse(parser, json, error);
	g_autoptr(KxComparison) c = NULL;

	if (!o || !is_comparison(o, error))
		return NULL;
	c = kx_comparison_new();
	if (!read_host(o, c->host, error))
		return NULL;
	c->id = text_of(o, "id");
	c->command = text_of(o, "command");
	c->start_realtime_ns = (gint64)count_of(o, "start_realtime_ns");
	c->end_realtime_ns = (gint64)count_of(o, "end_realtime_ns");
	c->seed = count_of(o, "seed");
	c->window_ns = count_of(o, "window_ns");
	c->settle_ns = count_of(o, "settle_ns");
	c->layout = g_strcmp0(json_object_get_string_member_with_default(o, "layout", NULL),
			      "latin") == 0
			    ? KX_LATIN
			    : KX_TOGETHER;
	c->rounds = (guint)count_of(o, "rounds");
	c->whole = MIN((guint)count_of(o, "whole_rounds"), c->rounds);
	read_plan(o, &c->asked);
	read_environment(o, c->environment);
	c->stopped = text_of(o, "stopped");
	c->progress = text_of(o, "progress");
	c->progress_na = text_of(o, "progress_na");
	c->llc_na = text_of(o, "llc_na");
	read_texts(o, "doubts", c->doubts);
	read_settings(o, c);
	read_vms(o, c);
	return g_steal_pointer(&c);
}
