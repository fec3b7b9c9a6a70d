/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report model's fields as data: one row a member, in the order the JSON shows them. */
#ifndef KX_REPORT_INTERNAL_H
#define KX_REPORT_INTERNAL_H

#include "report.h"

typedef enum {
	KX_FIELD_STRING,
	KX_FIELD_BOOL,
	KX_FIELD_U32,
	KX_FIELD_U64,
	KX_FIELD_I64,
	KX_FIELD_DOUBLE,
} KxFieldType;

/*
 * @na_offset: where the string is that says why this was not measured; while
 * that is set, the value is left out of the JSON. @needs_offset: of the gboolean
 * (has_module, has_log), or of the number that is not 0, without which it is not written.
 */
typedef struct {
	const char *key;
	KxFieldType type;
	gsize offset;
	gssize na_offset;    /* of the reason's char *; -1: always measured */
	gssize needs_offset; /* -1: always written */
} KxField;

extern const KxField kx_window_fields[];
extern const KxField kx_pause_fields[];
extern const KxField kx_regions_fields[];
extern const KxField kx_region_fields[];
extern const KxField kx_vm_fields[];
extern const KxField kx_report_fields[];
extern const KxField kx_heat_map_fields[];
extern const KxField kx_heat_range_fields[];
extern const KxField kx_agreement_fields[];

/* Frees and clears every string that @fields know of @object: so none can be forgotten. */
void kx_free_strings(const KxField *fields, void *object);
/* Of a bitwise copy: its own of each of them. */
void kx_copy_strings(const KxField *fields, void *object);

/* The figures of a KxRow, likewise. Those of a part that a row does not have are n/a. */
typedef struct {
	const char *key;
	const char *unit;
	gsize offset;
	KxPart part;
} KxFigureField;

extern const KxFigureField kx_row_figures[];

/* What takes the place of something that is not there for @reason. */
typedef char *KxWhyNot(const char *reason, gpointer data);
/* Heat as a report shows it: briefly, and nothing if there is none. */
void kx_heat_print(const KxHeatReport *h, GString *out, guint width, KxWhyNot *why_not,
		   gpointer data);

/* What a sample of each row costs against one of the cheapest, and of how many pages it is. */
void kx_comparison_print(const GPtrArray *rows, GString *out, guint width);
/* Folded at spaces: a note is a sentence or two. */
void kx_print_folded(GString *out, guint width, const char *text, guint indent);

#endif /* KX_REPORT_INTERNAL_H */
