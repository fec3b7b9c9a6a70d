/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report model's members as data: one row per member, in the order of JSON. */
#ifndef KX_FIELDS_H
#define KX_FIELDS_H

#include <glib.h>

typedef enum {
	KX_FIELD_STRING,
	KX_FIELD_BOOL,
	KX_FIELD_U32,
	KX_FIELD_U64,
	KX_FIELD_I64,
	KX_FIELD_DOUBLE,
} KxFieldType;

typedef struct {
	const char *key;
	KxFieldType type;
	gsize offset;
	/* Offset of the reason (char *) why this was not measured; if it is set, JSON has no value. -1: always measured. */
	gssize na_offset;
	/*
	 * Offset and size of the gboolean (has_stats, has_log) or of the number that this member needs: if it is 0, this member
	 * is not valid and not in the JSON. -1: the member is always valid.
	 */
	gssize needs_offset;
	gsize needs_size;
	gboolean later; /* reports of earlier versions do not have it */
} KxField;

/* Each ends with key NULL. */
extern const KxField kx_window_fields[];
extern const KxField kx_pause_fields[];
extern const KxField kx_regions_fields[];
extern const KxField kx_region_fields[];
extern const KxField kx_vm_fields[];
extern const KxField kx_report_fields[]; /* of the header: KxReport without its VMs */
extern const KxField kx_host_fields[];	 /* of these, the host and the version */
extern const KxField kx_heat_map_fields[];
extern const KxField kx_heat_range_fields[];
extern const KxField kx_agreement_fields[];
extern const KxField kx_placement_fields[];
extern const KxField kx_placed_node_fields[];
extern const KxField kx_access_map_fields[];
extern const KxField kx_access_row_fields[];
extern const KxField kx_access_part_fields[];

/* Whether @object has the part that the field belongs to. */
gboolean kx_field_is_there(const KxField *f, const void *object);

/* Frees and clears every string of @object that is in @fields, so that none can be forgotten. */
void kx_free_strings(const KxField *fields, void *object);
/* For a bitwise copy: replaces every string by its own copy. */
void kx_copy_strings(const KxField *fields, void *object);

#endif /* KX_FIELDS_H */
