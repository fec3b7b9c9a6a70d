/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files that write comparisons, and differences between comparisons. */
#ifndef KX_COMPARISON_INTERNAL_H
#define KX_COMPARISON_INTERNAL_H

#include <json-glib/json-glib.h>

#include "comparison.h"

/* The figure as a cell of a table, with its interval where the kind of figure is shown with one. */
char *kx_compared_cell(KxComparedKind kind, const KxFigure *f);
/* The figure as an object with the name @key: value, low, high and n, or na. */
void kx_compared_add_figure(JsonBuilder *b, const char *key, const KxFigure *f);
/* As the heading of its column, in one line. */
char *kx_compared_name(const KxComparedFigure *f);

#endif /* KX_COMPARISON_INTERNAL_H */
