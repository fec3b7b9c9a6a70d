/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters that only grow, one set for each tracker of a session: sums over the windows, for programs that take differences
 * themselves. The entries TOTAL of window.def and part-*.def describe them.
 */
#ifndef KX_TOTALS_H
#define KX_TOTALS_H

#include <glib.h>

#include "window.h"

typedef enum {
	KX_TOTAL_ANY,
	KX_TOTAL_PASSES,  /* only of trackers with passes */
	KX_TOTAL_SAMPLES, /* only of trackers with samples */
} KxTotalNeeds;

enum {
#define TOTAL(name, unit, needs, value, help) KX_TOTAL_OF_##name,
#include "model/window.def"
	KX_TOTALS
};

typedef struct {
	const char *name, *unit; /* "": a number of things */
	const char *help;	 /* NULL: the manual's sentence of the figure with this name */
	KxTotalNeeds needs;
} KxTotalSpec;

extern const KxTotalSpec kx_totals[KX_TOTALS];

typedef struct {
	char *label;   /* "dirty-log (pml)", "abit staleness=yes": tracker and mechanism */
	char *tracker; /* its name alone */
	gboolean
		event; /* the label has the event that a guest samples, or the dirty log's mechanism */
	double values[KX_TOTALS]; /* NAN: not known */
} KxTotals;

/* A list of KxTotals, one for each label. */
GPtrArray *kx_totals_new(void);
GPtrArray *kx_totals_copy(const GPtrArray *list);
/* Adds a window. Windows with staleness have a label of their own: their cost contains the control's. */
void kx_totals_add(GPtrArray *list, const KxWindow *w);
/* Replaces values of @list that are less than before: a counter must not go back when passes are judged anew. */
void kx_totals_not_below(GPtrArray *list, const GPtrArray *before);

#endif /* KX_TOTALS_H */
