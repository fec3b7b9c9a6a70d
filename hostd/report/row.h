/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows: pooled windows with equal tracker and options, and their figures. */
#ifndef KX_ROW_H
#define KX_ROW_H

#include <glib.h>

#include "figure.h"
#include "model/parts.h"
#include "model/vm.h"

/* The figures are listed in model/row.def and part-*.def. */
typedef struct {
	char *tracker, *options;
	char *mechanism; /* mechanism of the dirty log, or the event that a guest samples; NULL: none */
	guint parts;	 /* bit of each KxPart */
	gboolean staleness;
	guint missed_by; /* index of the row that measured the misses of this row */
	guint windows;
	double seconds; /* tracked time: without the time that was yielded, or in which the VM was paused */
	gboolean is_reference;	/* the row that was named as the reference of costs */
	const char *paused_for; /* reason of the last pause, owned by a window; NULL: no pause */
#define FIGURE(member, unit, column, formula, manual) KxFigure member;
#define GIVEN(member, unit, column, manual)	      KxFigure member;
#define ASIDE(type, member, value)		      type member;
#include "model/row.def"
} KxRow;

/* Rows (KxRow) in order of first appearance. @reference: what costs are compared with, see kx_row_called(); NULL: nothing. */
GPtrArray *kx_vm_rows(const KxVmReport *v, const char *reference);
void kx_row_free(KxRow *row);
/* Whether the window is one of those that are pooled in the row. */
gboolean kx_row_pools(const KxRow *row, const KxWindow *w);
/* The notes that a reader must know to understand the rows: sentences, char *. */
GPtrArray *kx_vm_notes(const KxVmReport *v, const GPtrArray *rows);
/* Tracker and mechanism, if known; rows with the same tracker and different options have numbers: "abit #2". */
char *kx_row_label(const GPtrArray *rows, guint index);
/* Index of the row with that label, or with that tracker if there is one such row alone; rows->len: none. */
guint kx_row_called(const GPtrArray *rows, const char *name);

/* --- figures and parts as data -------------------------------------------------------------------------------------- */

/* The format of a figure in a table: text-cells.c. */
typedef enum {
	KX_CELL_COST,	 /* time with its interval */
	KX_CELL_NS,	 /* time, of a value in ns */
	KX_CELL_SECONDS, /* time, of a value in s */
	KX_CELL_COUNT,
	KX_CELL_NUMBER,
	KX_CELL_ESTIMATE, /* a number with its interval */
	KX_CELL_BYTES,
	KX_CELL_SHARE,
	KX_CELL_TRUTH,	/* a share, and the number of pages of which it is a share */
	KX_CELL_MISSED, /* a share that may be below 0 */
	KX_CELL_RATIO,
	KX_CELL_PAIRS,	     /* computed from the row: pairs of passes */
	KX_CELL_MEASURED_IN, /* computed from the row: the label of another row */
} KxCell;

enum {
	KX_BOXED = 1,
	KX_EXTRA = 2,	/* shown only in wide tables */
	KX_SPLIT = 4,	/* a narrow table may be split before this column */
	KX_IN_MAIN = 8, /* a figure of a part, but shown in the first table, beside the cost */
	KX_IF_ANY = 16, /* shown only if it is n/a or more than 0 in some row */
};

#define KX_OTHERS_MAX 2

typedef struct {
	const char *key; /* in JSON; NULL: this is another column of a figure that has a key */
	const char *unit;
	gsize offset; /* in KxRow */
	KxPart part;
	gboolean given;	   /* computed in all rows; FALSE: n/a in rows without the part */
	const char *title; /* title of its column; NULL: no column */
	KxCell cell;
	guint flags;
	gsize others
		[KX_OTHERS_MAX]; /* offsets of further figures in the same cell, "1 / 2"; 0: no more */
	const char *manual;
} KxFigureSpec;

extern const KxFigureSpec kx_figures[]; /* in the order of the report; ends with offset 0 */

typedef struct {
	const char *none; /* why a row without the part does not have the part's figures */
	const char *heading, *manual;
	gssize has; /* offset of the gboolean in KxWindow; -1: none */
} KxPartSpec;

extern const KxPartSpec kx_parts[KX_PARTS];

static inline KxFigure *kx_row_figure(const KxRow *row, gsize offset)
{
	return (KxFigure *)((char *)row + offset);
}

static inline gboolean kx_row_has(const KxRow *row, KxPart part)
{
	return (row->parts & 1u << part) != 0;
}

#endif /* KX_ROW_H */
