/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The figures of a report, and ranges of heat, as CSV: one line for each number, so that a later figure is no new column. */
#ifndef KX_CSV_H
#define KX_CSV_H

#include "model/report.h"

/* Appends a cell, which is quoted if it has to be (RFC 4180). @last: it ends the line. */
void kx_csv_add(GString *out, const char *text, gboolean last);
/* A number with all its digits; an empty cell, if @value is no number. */
void kx_csv_add_number(GString *out, double value, gboolean last);

/* vm, row, tracker, options, figure, value, low, high, n, unit, na: each row's figures, with the reason if there is no value. */
char *kx_report_to_csv(const KxReport *r);
/* vm, tracker, process, rank, start, bytes, accesses, heat, age. */
void kx_heat_csv_head(GString *out);
void kx_heat_to_csv(GString *out, const KxVmReport *v, const KxHeatMap *m, guint top);

/*
 * All figures in @json, which this program has written: table (the members above the figure), row, figure, value, low, high, n, unit,
 * na.
 */
char *kx_figures_to_csv(const char *json);

#endif /* KX_CSV_H */
