/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report model as JSON. 64-bit numbers stay exact: json-glib's integers are gint64, so larger numbers, which are rare, are
 * written as decimal strings.
 */
#ifndef KX_JSON_WRITE_H
#define KX_JSON_WRITE_H

#include <json-glib/json-glib.h>

#include "fields.h"
#include "report.h"

/* Adds a value: null if @value is NAN or infinite. All numbers with a fraction are written by this function. */
void kx_json_add_number(JsonBuilder *b, double value);
void kx_json_add_u64(JsonBuilder *b, guint64 value);
void kx_json_add_double(JsonBuilder *b, const char *key, double value);
/* Adds a member, unless @value is not known (NAN). */
void kx_json_add_known(JsonBuilder *b, const char *key, double value);
/* Adds a member: null if @text is NULL. */
void kx_json_add_text(JsonBuilder *b, const char *key, const char *text);
void kx_json_add_int(JsonBuilder *b, const char *key, gint64 value);
/* @texts: char *, none NULL */
void kx_json_add_texts(JsonBuilder *b, const char *key, const GPtrArray *texts);
/* The same of an array that ends with NULL, or is NULL: an empty list. */
void kx_json_add_strv(JsonBuilder *b, const char *key, char **texts);
/* Adds the value of the member @f of @object; the caller has set the member's name. */
void kx_json_add_value(JsonBuilder *b, const KxField *f, const void *object);

/* The members of @object that @fields list and that it has, into the object that was begun. */
void kx_json_add_fields(JsonBuilder *b, const KxField *fields, const void *object);

/* These add members to the object that the caller has begun: the report; a VM with its windows; "heat"; "placement". */
void kx_json_add_report(JsonBuilder *b, const KxReport *r);
void kx_json_add_vm(JsonBuilder *b, const KxVmReport *v);
void kx_json_add_heat(JsonBuilder *b, const KxHeatReport *h);
void kx_json_add_placement(JsonBuilder *b, const KxPlacement *p);

#endif /* KX_JSON_WRITE_H */
