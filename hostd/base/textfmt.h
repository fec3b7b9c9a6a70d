/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers and tables for people: three significant digits, a unit on each, and
 * columns that stay aligned for names in any script.
 */
#ifndef KX_TEXTFMT_H
#define KX_TEXTFMT_H

#include <glib.h>

/* "412 ns", "1.24 us", "98.7 ms", "10.0 s", "12.5 min", "3.20 h" */
char *kx_text_ns(double ns);
/* A time with its interval in the same unit: "412 ns [405, 419]". */
char *kx_text_ns_interval(double ns, double low, double high);
/* "0", "0.0123", "12.3", "1.23k", "45.6M": 10^3, 10^6, 10^9. */
char *kx_text_number(double value);
/* All digits up to 9999999, then as kx_text_number(). */
char *kx_text_count(double value);
/* "512 MiB" */
char *kx_text_pages_bytes(guint64 pages);

/* Valid UTF-8 on one line: control characters become U+FFFD. */
char *kx_text_clean(const char *text);
/* "a", "a and b", "a, b and c" */
char *kx_text_list(const char *const *words, gsize n);
/* The text's width in columns of a terminal. */
guint kx_text_columns(const char *text);

typedef struct _KxTable KxTable;

/* @title: up to two lines, split at '\n'. @boxed: with bars on both sides. */
KxTable *kx_table_new(void);
void kx_table_free(KxTable *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxTable, kx_table_free)
guint kx_table_add_column(KxTable *t, const char *title, gboolean left, gboolean boxed);
/* Takes @cell. Rows are filled in order, one cell for each column. */
void kx_table_add_cell(KxTable *t, guint column, char *cell);

/*
 * Prints the columns in as many tables, one below the other, as @width needs (0: one); each table repeats the first column.
 * @breaks: if bit c is set, a new table may begin before column c even if the table before is not full; used if one table is
 * not enough.
 */
void kx_table_print(const KxTable *t, GString *out, guint width, guint indent, guint64 breaks);

/* Appends @text, folded at spaces to @width columns (0: as many as are good to read), each line indented. */
void kx_text_fold(GString *out, guint width, const char *text, guint indent);

#endif /* KX_TEXTFMT_H */
