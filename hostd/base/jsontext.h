/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON text that may come from anybody: a saved file, a guest's agent, a VMM. */
#ifndef KX_JSONTEXT_H
#define KX_JSONTEXT_H

#include <json-glib/json-glib.h>

/* Far deeper than any document of kvm-ext; json-glib recurses, and has no limit of its own. */
#define KX_JSON_DEPTH_MAX 64u

/**
 * kx_json_load() - json_parser_load_from_data() for text that is not trusted
 * @parser: the parser that then has the document
 * @text: the document
 * @length: its bytes; -1 if it ends with 0
 * @error: why @text was refused
 *
 * A document is refused if its arrays and objects lie more than %KX_JSON_DEPTH_MAX deep within each other, or if it has comments.
 *
 * Return: whether @parser has the document.
 */
gboolean kx_json_load(JsonParser *parser, const char *text, gssize length, GError **error);

#endif /* KX_JSONTEXT_H */
