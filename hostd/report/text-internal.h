/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files that write the report for people. */
#ifndef KX_TEXT_INTERNAL_H
#define KX_TEXT_INTERNAL_H

#include "model/placement.h"
#include "cells.h"
#include "row.h"
#include "text.h"

typedef struct {
	GString *out;
	guint width;
	GPtrArray *footnotes; /* of the current VM; number = index + 1 */
} KxText;

/* --- cells (text-cells.c) --------------------------------------------------------------------------------------------- */

/* "n/a (1)"; @reason becomes a footnote below the tables. */
char *kx_na_cell(KxText *t, const char *reason);
/* The cell in the column of @spec and the row @index. */
char *kx_figure_cell(KxText *t, const GPtrArray *rows, guint index, const KxFigureSpec *spec);

/* --- tables (text-tables.c, heat-text.c) ------------------------------------------------------------------------------ */

/* The table of figures that all rows have, then one table for each part that any row has. */
void kx_text_tables(KxText *t, const GPtrArray *rows);
/* A short form of the heat; nothing if there is no heat. */
void kx_text_heat(KxText *t, const KxHeatReport *h);
/* Hot and cold memory by NUMA node (placement-text.c); nothing if the host has one node. */
void kx_text_placement(KxText *t, const KxPlacement *p);

#endif /* KX_TEXT_INTERNAL_H */
