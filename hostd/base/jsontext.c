// SPDX-License-Identifier: GPL-2.0-or-later
#include "jsontext.h"

#include <string.h>

/* The end of the string that begins before @p. */
static const char *after_string(const char *p, const char *end)
{
	while (p < end && *p != '"')
		p += *p == '\\' && end - p > 1 ? 2 : 1;
	return p < end ? p + 1 : end;
}

/*
 * Why json-glib must not get the text; NULL: it may. Outside of strings only the characters of JSON are accepted, and so no comments:
 * json-glib accepts comments, and a quotation mark in a comment would make this function take the following text for a string.
 */
static const char *why_not(const char *text, gsize length)
{
	static const char allowed[] = "{}[],:+-.0123456789eEtrufalsn \t\r\n";
	const char *end = text + length;
	guint depth = 0;

	for (const char *p = text; p < end;) {
		char c = *p++;

		if (c == '"')
			p = after_string(p, end);
		else if (!c || !strchr(allowed, c))
			return "the text is not valid JSON";
		else if ((c == '[' || c == '{') && ++depth > KX_JSON_DEPTH_MAX)
			return "its arrays and objects lie too deep within each other";
		else if ((c == ']' || c == '}') && depth)
			depth--;
	}
	return NULL;
}

gboolean kx_json_load(JsonParser *parser, const char *text, gssize length, GError **error)
{
	gsize n = length < 0 ? strlen(text) : (gsize)length;
	const char *why = why_not(text, n);

	if (why) {
		g_set_error_literal(error, JSON_PARSER_ERROR, JSON_PARSER_ERROR_PARSE, why);
		return FALSE;
	}
	return json_parser_load_from_data(parser, text, (gssize)n, error);
}
