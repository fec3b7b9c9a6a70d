// SPDX-License-Identifier: GPL-2.0-or-later
/* Members of the report model from JSON. */
#include "json-read.h"

#include <gio/gio.h>
#include <math.h>

gboolean kx_json_wrong(GError **error, const char *where, const char *key, const char *expected)
{
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
		    "the JSON text is not valid: '%s' of %s is not %s", key, where, expected);
	return FALSE;
}

gboolean kx_json_u64(JsonNode *node, guint64 max, guint64 *value)
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
			return kx_json_wrong(error, where, f->key, "a value");
		return TRUE;
	}
	switch (f->type) {
	case KX_FIELD_STRING:
		if (type != G_TYPE_STRING)
			return kx_json_wrong(error, where, f->key, "a string");
		g_free(*(char **)at);
		*(char **)at = g_strdup(json_node_get_string(node));
		break;
	case KX_FIELD_BOOL:
		if (type != G_TYPE_BOOLEAN)
			return kx_json_wrong(error, where, f->key, "true or false");
		*(gboolean *)at = json_node_get_boolean(node);
		break;
	case KX_FIELD_U32:
		if (!JSON_NODE_HOLDS_VALUE(node) || !kx_json_u64(node, G_MAXUINT32, &u))
			return kx_json_wrong(error, where, f->key, "an integer from 0 to 2^32 - 1");
		*(guint32 *)at = (guint32)u;
		break;
	case KX_FIELD_U64:
		if (!JSON_NODE_HOLDS_VALUE(node) || !kx_json_u64(node, G_MAXUINT64, &u))
			return kx_json_wrong(error, where, f->key, "an integer from 0 to 2^64 - 1");
		*(guint64 *)at = u;
		break;
	case KX_FIELD_I64:
		if (type != G_TYPE_INT64)
			return kx_json_wrong(error, where, f->key, "an integer");
		*(gint64 *)at = json_node_get_int(node);
		break;
	case KX_FIELD_DOUBLE:
		if (type != G_TYPE_DOUBLE && type != G_TYPE_INT64)
			return kx_json_wrong(error, where, f->key, "a number");
		*(double *)at = json_node_get_double(node);
		break;
	}
	return TRUE;
}

gboolean kx_json_read_fields(const KxField *fields, JsonObject *o, void *object, const char *where,
			     GError **error)
{
	for (const KxField *f = fields; f->key; f++) {
		JsonNode *node = json_object_get_member(o, f->key);

		if (node && !read_value(f, node, (char *)object + f->offset, where, error))
			return FALSE;
	}
	return TRUE;
}
