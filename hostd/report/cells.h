/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values and sentences about rows, which the text and the page (html/) have in common. */
#ifndef KX_CELLS_H
#define KX_CELLS_H

#include "model/placement.h"
#include "row.h"

/* --- cells (text-cells.c) --------------------------------------------------------------------------------------------- */

/* The row's label, without characters that a terminal would interpret. */
char *kx_row_cell(const GPtrArray *rows, guint index);
/* The text of @f, which is not n/a, without its footnote. If @kind is computed from the row, the text of that. */
char *kx_cell_value(const GPtrArray *rows, guint index, KxCell kind, const KxFigure *f);
/* Why none of the figures in the column of @spec is available, if it is the same reason for all of them; else NULL. */
const char *kx_cell_na(const KxRow *row, const KxFigureSpec *spec);
/* Whether any row has a cell in the column. */
gboolean kx_column_is_used(const GPtrArray *rows, const KxFigureSpec *spec);
gboolean kx_rows_have(const GPtrArray *rows, KxPart part);

/* --- sentences (report-compare.c, report-notes.c, placement-text.c) ----------------------------------------------------------------------- */

/*
 * The cost of each row's samples, compared with the row that is called @reference (NULL: none was named), and how many pages a
 * sample covers. @first: the first sentence of a group.
 */
typedef void (*KxSentenceFunc)(const char *sentence, gboolean first, gpointer data);
void kx_row_sentences(const GPtrArray *rows, const char *reference, KxSentenceFunc each,
		      gpointer data);
/* What was lost on the way to the rows: sentences, char *. */
GPtrArray *kx_row_losses(const GPtrArray *rows);
/* How the figures of a placement were found (placement-text.c): sentences, char *. */
GPtrArray *kx_placed_sentences(const KxPlacement *p);

#endif /* KX_CELLS_H */
