// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent.h"

#include <json-glib/json-glib.h>

#include "base/error.h"
#include "base/jsontext.h"
#include "base/textfmt.h"

#define SAID_MAX 200 /* bytes of what a failed program wrote */

static void begin_command(JsonBuilder *b, const char *name)
{
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "execute");
	json_builder_add_string_value(b, name);
	json_builder_set_member_name(b, "arguments");
	json_builder_begin_object(b);
}

static char *end_command(JsonBuilder *b)
{
	g_autoptr(JsonNode) root = NULL;

	json_builder_end_object(b);
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	return json_to_string(root, FALSE);
}

char *kx_agent_exec(char *const *argv)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	begin_command(b, "guest-exec");
	json_builder_set_member_name(b, "path");
	json_builder_add_string_value(b, argv[0]);
	json_builder_set_member_name(b, "arg");
	json_builder_begin_array(b);
	for (char *const *word = argv + 1; *word; word++)
		json_builder_add_string_value(b, *word);
	json_builder_end_array(b);
	json_builder_set_member_name(b, "capture-output");
	json_builder_add_boolean_value(b, TRUE);
	return end_command(b);
}

char *kx_agent_status(gint64 pid)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	begin_command(b, "guest-exec-status");
	json_builder_set_member_name(b, "pid");
	json_builder_add_int_value(b, pid);
	return end_command(b);
}

/* The object "return" of an answer; NULL: there is none. @root keeps it. */
static JsonObject *result_of(const char *answer, JsonNode **root)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	JsonObject *o;
	JsonNode *node;

	*root = kx_json_load(parser, answer, -1, NULL) ? json_parser_steal_root(parser) : NULL;
	o = *root && JSON_NODE_HOLDS_OBJECT(*root) ? json_node_get_object(*root) : NULL;
	node = o ? json_object_get_member(o, "return") : NULL;
	return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static gboolean integer(JsonObject *o, const char *key, gint64 *value)
{
	JsonNode *node = o ? json_object_get_member(o, key) : NULL;

	if (!node || json_node_get_value_type(node) != G_TYPE_INT64)
		return FALSE;
	*value = json_node_get_int(node);
	return TRUE;
}

gboolean kx_agent_read_exec(const char *answer, gint64 *pid, GError **error)
{
	g_autoptr(JsonNode) root = NULL;
	JsonObject *o = result_of(answer, &root);

	if (integer(o, "pid", pid))
		return TRUE;
	g_set_error_literal(error, KX_ERROR, KX_ERROR_FAILED,
			    "the guest agent's answer to guest-exec has no pid");
	return FALSE;
}

/* The beginning of what the program wrote to its standard error. */
static char *said(JsonObject *o)
{
	JsonNode *node = json_object_get_member(o, "err-data");
	const char *coded = node && json_node_get_value_type(node) == G_TYPE_STRING
				    ? json_node_get_string(node)
				    : NULL;
	g_autofree guchar *data = NULL;
	g_autofree char *text = NULL;
	gsize len = 0;

	if (!coded || !*coded)
		return NULL;
	data = g_base64_decode(coded, &len);
	text = g_strndup((const char *)data, MIN(len, SAID_MAX));
	return kx_text_clean(g_strchomp(text));
}

static gboolean failed(JsonObject *o, const char *how, gint64 number, GError **error)
{
	g_autofree char *words = said(o);

	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "the workload ended with %s %" G_GINT64_FORMAT "%s%s", how, number,
		    words ? ": " : "", words ? words : "");
	return FALSE;
}

gboolean kx_agent_read_status(const char *answer, gboolean *exited, GError **error)
{
	g_autoptr(JsonNode) root = NULL;
	JsonObject *o = result_of(answer, &root);
	JsonNode *node = o ? json_object_get_member(o, "exited") : NULL;
	gint64 number;

	*exited = FALSE;
	if (!node || json_node_get_value_type(node) != G_TYPE_BOOLEAN) {
		g_set_error_literal(
			error, KX_ERROR, KX_ERROR_FAILED,
			"the guest agent does not know the workload's process any more");
		return FALSE;
	}
	if (!json_node_get_boolean(node))
		return TRUE;
	*exited = TRUE;
	if (integer(o, "signal", &number))
		return failed(o, "signal", number, error);
	if (integer(o, "exitcode", &number) && number)
		return failed(o, "status", number, error);
	return TRUE;
}
