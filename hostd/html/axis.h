/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Axes of pictures: from where to where, which values have a tick, and where a value lies. */
#ifndef KX_HTML_AXIS_H
#define KX_HTML_AXIS_H

#include <glib.h>

#define KX_TICKS_MAX 8u

typedef struct {
	gboolean is_log;
	double low, high; /* of the axis: the first and the last tick, or beyond these */
	guint n;
	double ticks[KX_TICKS_MAX]; /* ascending */
} KxAxis;

/* The range of the values that an axis has to show. */
typedef struct {
	double low, high; /* NAN: nothing yet */
} KxExtent;

#define KX_EXTENT_EMPTY ((KxExtent){ NAN, NAN })

/* Adds a value, unless it is no number. */
void kx_extent_add(KxExtent *e, double value);
/* Adds a value that can stand on a logarithmic axis; others are left out. */
void kx_extent_add_log(KxExtent *e, double value);

/* The axes end at ticks. If there is nothing to show: an axis from 0 to 1, or from 1 to 10. */
KxAxis kx_axis_linear(KxExtent e);
KxAxis kx_axis_log(KxExtent e);
/* From 0 to exactly @high, such as a time that ends. */
KxAxis kx_axis_until(double high);

/*
 * Where a value lies, in percent from the axis' begin: below 0 or above 100 if it is not on the axis. -INFINITY: a value for which a
 * logarithmic axis has no place. @value must be a number.
 */
double kx_axis_place(const KxAxis *a, double value);

/* "200 ns", "1 us": a tick's text. The caller frees it. */
char *kx_tick_ns(double ns);
char *kx_tick_seconds(double s);
char *kx_tick_number(double value);
char *kx_tick_ratio(double value);
char *kx_tick_mib(double mib);

#endif /* KX_HTML_AXIS_H */
