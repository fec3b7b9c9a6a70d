/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stretches of time, one after the other; the last may still be open. Only the latest stretches are kept. */
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

/* The last stretch if it is open; else NULL. */
const KxStretch *kx_stretches_now(const KxStretches *s);
/* Begins a stretch at @from_ns, or at the end of the last stretch if that is later; no effect if a stretch is open. */
void kx_stretches_begin(KxStretches *s, guint64 from_ns);
/* Ends the open stretch at @until_ns, or at its begin if that is later, and returns it; NULL: none was open. */
const KxStretch *kx_stretches_end(KxStretches *s, guint64 until_ns);
/* How much of the time between two moments lies in stretches that are over. */
guint64 kx_stretches_over_in(const KxStretches *s, guint64 from_ns, guint64 until_ns);
/* Whether all of the time between two moments lies in one stretch, over or open. */
gboolean kx_stretches_cover(const KxStretches *s, guint64 from_ns, guint64 until_ns);
guint64 kx_stretch_in(const KxStretch *s, guint64 from_ns, guint64 until_ns);

#endif /* KX_STRETCHES_H */
