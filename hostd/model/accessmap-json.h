/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heat over time as JSON. The many numbers of a row are written as one string, separated by spaces: "0*12 5 7" means twelve zeros, 5
 * and 7. Columns are written as "0+12 4096+3": twelve bins from number 0 on, three from 4096 on.
 */
#ifndef KX_ACCESSMAP_JSON_H
#define KX_ACCESSMAP_JSON_H

#include <json-glib/json-glib.h>

#include "accessmap.h"

/* Adds the member "over_time" to the object that the caller has begun. */
void kx_json_add_over_time(JsonBuilder *b, const KxOverTime *t);
/*
 * The most cells of all maps in one report: 512 MiB. Zeros need almost no space in the string, so without this limit a small string
 * could claim any amount of memory.
 */
#define KX_ACCESS_CELLS_MAX (G_GUINT64_CONSTANT(64) << 20)
/*
 * Reads the member "over_time" of @vm. NULL without an error: there is none. @cells: how many cells may still be read; reduced by
 * those that are read here. @where: the name of @vm in an error.
 */
KxOverTime *kx_json_read_over_time(JsonObject *vm, guint64 *cells, const char *where,
				   GError **error);

/* @numbers: of guint64. */
char *kx_access_numbers_to_text(const GArray *numbers);
/* FALSE: @text is no such text, or has more than @max numbers. */
gboolean kx_access_numbers_from_text(const char *text, guint max, GArray *numbers);

#endif /* KX_ACCESSMAP_JSON_H */
