/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists as CSV: a line for each object that the command prints with --json, a column for each of the named members. A value that is not
 * available is an empty cell; the reason is in the JSON.
 */
#ifndef KX_CSV_OUT_H
#define KX_CSV_OUT_H

#include "cli.h"

/* @keys: ended by NULL. */
void csv_print_head(const char *const *keys);
void csv_print_line(JsonObject *o, const char *const *keys);
/* @b has built an array of objects. */
void csv_print_list(JsonBuilder *b, const char *const *keys);

#endif /* KX_CSV_OUT_H */
