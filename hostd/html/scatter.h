/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A picture of points with two figures each, and their intervals both ways. */
#ifndef KX_HTML_SCATTER_H
#define KX_HTML_SCATTER_H

#include "page-internal.h"

/* A point has a number in the picture, and its label in the table below it. */
typedef struct {
	char *label;
	const KxFigure *x, *y;
	char *x_text, *y_text; /* of values that are not n/a */
} KxScatterPoint;

typedef struct {
	const char *scope, *title, *x_title;
	const char *x_column, *y_column; /* titles in the table */
	const char *x_key, *y_key;
	gboolean x_is_log, y_is_log;
	KxExtent also_x, also_y; /* values that the axes include */
	char *(*x_tick)(double value);
	char *(*y_tick)(double value);
} KxScatter;

GPtrArray *kx_scatter_points_new(void);
/* Takes @label and the texts. */
void kx_scatter_add(GPtrArray *points, char *label, const KxFigure *x, char *x_text,
		    const KxFigure *y, char *y_text);
/* A point without one of the figures is in the table alone. */
void kx_scatter(KxPage *p, const KxScatter *s, const GPtrArray *points);

#endif /* KX_HTML_SCATTER_H */
