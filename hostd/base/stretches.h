/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stretches of time, one after the other, of which the last may not be over yet. The latest are kept. */
#ifndef KX_STRETCHES_H
#define KX_STRETCHES_H

#include <glib.h>

#define KX_STRETCHES_KEPT 16u
#define KX_NOT_OVER	  G_MAXUINT64

/* CLOCK_MONOTONIC */
typedef struct {
	guint64 from_ns, until_ns;
} KxStretch;

typedef struct {
	KxStretch kept[KX_STRETCHES_KEPT];
	guint n;
} KxStretches;

/* The last one, if it is not over; else NULL. */
const KxStretch *kx_stretches_now(const KxStretches *s);
/* Begins at @from_ns, or where the one before ended if that is later; nothing if one is not over. */
void kx_stretches_begin(KxStretches *s, guint64 from_ns);
/* Ends at @until_ns, or where it began if that is later, and returns it; NULL: none was not over. */
const KxStretch *kx_stretches_end(KxStretches *s, guint64 until_ns);
/* How much of the time between two moments lies in those that are over. */
guint64 kx_stretches_over_in(const KxStretches *s, guint64 from_ns, guint64 until_ns);
/* Whether all of it lies in one of them, over or not. */
gboolean kx_stretches_cover(const KxStretches *s, guint64 from_ns, guint64 until_ns);
guint64 kx_stretch_in(const KxStretch *s, guint64 from_ns, guint64 until_ns);

#endif /* KX_STRETCHES_H */
