// SPDX-License-Identifier: GPL-2.0-or-later
/* All figures in a JSON text that this program has written, as CSV: a figure is an object with a value or a reason. */
#include "csv.h"

#include <json-glib/json-glib.h>
#include <math.h>

#include "base/jsontext.h"

typedef struct {
	GString *out;
	GPtrArray *table,
		*row; /* char *: names of the members and array elements on the path to the current node */
} Walk;

static void walk(Walk *w, JsonNode *node, const char *key);

/* The name by which users know an element of an array. */
static char *name_of(JsonObject *o, guint index)
{
	static const char *const keys[] = { "label", "setting", "name", "tracker", "id" };

	for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
		JsonNode *node = json_object_get_member(o, keys[i]);

		if (node && JSON_NODE_HOLDS_VALUE(node) &&
		    json_node_get_value_type(node) == G_TYPE_STRING)
			return g_strdup(json_node_get_string(node));
	}
	return g_strdup_printf("%u", index);
}

static gboolean is_figure(JsonObject *o)
{
	return json_object_has_member(o, "value") ||
	       (json_object_has_member(o, "na") && json_object_has_member(o, "unit"));
}

static void add_path(GString *out, const GPtrArray *path)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < path->len; i++)
		g_string_append_printf(text, "%s%s", i ? "." : "", (const char *)path->pdata[i]);
	kx_csv_add(out, text->str, FALSE);
}

static void add_number(GString *out, JsonObject *o, const char *key)
{
	JsonNode *node = json_object_get_member(o, key);
	GType type = node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node)
							 : G_TYPE_INVALID;

	kx_csv_add_number(out,
			  type == G_TYPE_DOUBLE || type == G_TYPE_INT64 ? json_node_get_double(node)
									: NAN,
			  FALSE);
}

static const char *text_of(JsonObject *o, const char *key)
{
	JsonNode *node = json_object_get_member(o, key);

	return node && JSON_NODE_HOLDS_VALUE(node) &&
			       json_node_get_value_type(node) == G_TYPE_STRING
		       ? json_node_get_string(node)
		       : "";
}

static void add_figure(const Walk *w, JsonObject *o, const char *key)
{
	static const char *const numbers[] = { "value", "low", "high", "n" };

	add_path(w->out, w->table);
	add_path(w->out, w->row);
	kx_csv_add(w->out, key, FALSE);
	for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
		add_number(w->out, o, numbers[i]);
	kx_csv_add(w->out, text_of(o, "unit"), FALSE);
	kx_csv_add(w->out, text_of(o, "na"), TRUE);
}

static void walk_object(Walk *w, JsonObject *o, const char *key)
{
	JsonObjectIter it;
	const char *member;
	JsonNode *node;

	if (is_figure(o)) {
		add_figure(w, o, key);
		return;
	}
	g_ptr_array_add(w->table, g_strdup(key));
	json_object_iter_init_ordered(&it, o);
	while (json_object_iter_next_ordered(&it, &member, &node))
		walk(w, node, member);
	g_ptr_array_remove_index(w->table, w->table->len - 1);
}

static void walk_array(Walk *w, JsonArray *list, const char *key)
{
	g_ptr_array_add(w->table, g_strdup(key));
	for (guint i = 0; i < json_array_get_length(list); i++) {
		JsonNode *element = json_array_get_element(list, i);
		JsonObjectIter it;
		const char *member;
		JsonNode *node;

		if (!JSON_NODE_HOLDS_OBJECT(element))
			continue;
		g_ptr_array_add(w->row, name_of(json_node_get_object(element), i));
		json_object_iter_init_ordered(&it, json_node_get_object(element));
		while (json_object_iter_next_ordered(&it, &member, &node))
			walk(w, node, member);
		g_ptr_array_remove_index(w->row, w->row->len - 1);
	}
	g_ptr_array_remove_index(w->table, w->table->len - 1);
}

static void walk(Walk *w, JsonNode *node, const char *key)
{
	if (JSON_NODE_HOLDS_OBJECT(node))
		walk_object(w, json_node_get_object(node), key);
	else if (JSON_NODE_HOLDS_ARRAY(node))
		walk_array(w, json_node_get_array(node), key);
}

char *kx_figures_to_csv(const char *json)
{
	g_autoptr(JsonParser) parser = json_parser_new_immutable();
	g_autoptr(GPtrArray) table = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) row = g_ptr_array_new_with_free_func(g_free);
	Walk w = { g_string_new("table,row,figure,value,low,high,n,unit,na\n"), table, row };
	JsonObjectIter it;
	const char *member;
	JsonNode *node;

	if (!kx_json_load(parser, json, -1, NULL) ||
	    !JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
		return g_string_free(w.out, FALSE);
	json_object_iter_init_ordered(&it, json_node_get_object(json_parser_get_root(parser)));
	while (json_object_iter_next_ordered(&it, &member, &node))
		walk(&w, node, member);
	return g_string_free(w.out, FALSE);
}
