// SPDX-License-Identifier: GPL-2.0-or-later
#include "csv-out.h"

#include "report/csv.h"

void csv_print_head(const char *const *keys)
{
	g_autoptr(GString) out = g_string_new(NULL);

	for (; *keys; keys++)
		kx_csv_add(out, *keys, !keys[1]);
	fputs(out->str, stdout);
}

/* The texts of a list, as one text. */
static char *joined(JsonArray *list)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < json_array_get_length(list); i++)
		g_string_append_printf(text, "%s%s", i ? ", " : "",
				       json_array_get_string_element(list, i));
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void add_value(GString *out, JsonNode *value, gboolean last)
{
	GType type =
		JSON_NODE_HOLDS_VALUE(value) ? json_node_get_value_type(value) : G_TYPE_INVALID;
	g_autofree char *list =
		JSON_NODE_HOLDS_ARRAY(value) ? joined(json_node_get_array(value)) : NULL;

	if (type == G_TYPE_STRING)
		kx_csv_add(out, json_node_get_string(value), last);
	else if (type == G_TYPE_BOOLEAN)
		kx_csv_add(out, json_node_get_boolean(value) ? "yes" : "no", last);
	else if (type == G_TYPE_DOUBLE)
		kx_csv_add_number(out, json_node_get_double(value), last);
	else if (type == G_TYPE_INT64)
		g_string_append_printf(out, "%" G_GINT64_FORMAT "%s", json_node_get_int(value),
				       last ? "\n" : ",");
	else
		kx_csv_add(out, list ? list : "", last);
}

void csv_print_line(JsonObject *o, const char *const *keys)
{
	g_autoptr(JsonNode) none = json_node_new(JSON_NODE_NULL);
	g_autoptr(GString) out = g_string_new(NULL);

	for (; *keys; keys++) {
		JsonNode *value = json_object_get_member(o, *keys);

		add_value(out, value ? value : none, !keys[1]);
	}
	fputs(out->str, stdout);
}

void csv_print_list(JsonBuilder *b, const char *const *keys)
{
	g_autoptr(JsonNode) root = json_builder_get_root(b);
	JsonArray *list = json_node_get_array(root);

	csv_print_head(keys);
	for (guint i = 0; i < json_array_get_length(list); i++)
		csv_print_line(json_array_get_object_element(list, i), keys);
}
