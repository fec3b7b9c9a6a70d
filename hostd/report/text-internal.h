/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files share that write the report for people. */
#ifndef KX_TEXT_INTERNAL_H
#define KX_TEXT_INTERNAL_H

#include "row.h"
#include "text.h"

typedef struct {
	GString *out;
	guint width;
	GPtrArray *footnotes; /* of the VM at hand; number = index + 1 */
} KxText;

/* --- cells (text-cells.c) --------------------------------------------------------------------------------------------- */

/* "n/a (1)": @reason stands below the tables. */
char *kx_na_cell(KxText *t, const char *reason);
/* The cell of the column of @spec in the row @index. */
char *kx_figure_cell(KxText *t, const GPtrArray *rows, guint index, const KxFigureSpec *spec);
/* The row's label, safe to be shown. */
char *kx_row_cell(const GPtrArray *rows, guint index);

/* --- tables (text-tables.c, heat-text.c) ------------------------------------------------------------------------------ */

/* The table of what all rows have, then one for each part that any row has. */
void kx_text_tables(KxText *t, const GPtrArray *rows);
/* Heat as a report shows it: briefly, and nothing if there is none. */
void kx_text_heat(KxText *t, const KxHeatReport *h);

/* --- sentences (report-compare.c) ------------------------------------------------------------------------------------- */

/* What a sample of each row costs against one of the cheapest, and of how many pages it is. */
void kx_comparison_print(const GPtrArray *rows, GString *out, guint width);

#endif /* KX_TEXT_INTERNAL_H */
