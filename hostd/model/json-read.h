/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Members of the report model from JSON, for files that hold parts of the model: kx_report_from_json reads a whole report. */
#ifndef KX_JSON_READ_H
#define KX_JSON_READ_H

#include <json-glib/json-glib.h>

#include "fields.h"

/*
 * Reads the members of @o that @fields list into @object; other members are ignored, and a missing member leaves @object's as
 * it is. FALSE: a member has the wrong type; the error calls the JSON object @where.
 */
gboolean kx_json_read_fields(const KxField *fields, JsonObject *o, void *object, const char *where,
			     GError **error);

/* Sets the error that '@key' of @where is not @expected; returns FALSE. */
gboolean kx_json_wrong(GError **error, const char *where, const char *key, const char *expected);
/* A number, or a text of decimal digits. FALSE: @node is neither, or the number is greater than @max. */
gboolean kx_json_u64(JsonNode *node, guint64 max, guint64 *value);

#endif /* KX_JSON_READ_H */
