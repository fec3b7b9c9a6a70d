/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ratio estimated from observations that follow each other in time (passes: cost y over samples x) and so may resemble their
 * neighbours. Taken for independent, they promise intervals that are too short: of a series whose neighbours are correlated by
 * 0.8, half of the intervals of 95 % miss.
 *
 * None of the observations is kept. Running sums give the correlation of neighbours; batches of consecutive observations are
 * nearly independent where observations are not (batch means: Law and Kelton, Simulation Modeling and Analysis). There are at most
 * KX_SERIES_BATCHES batches, all but the last of one size, which doubles when they are full.
 */
#ifndef KX_SERIES_H
#define KX_SERIES_H

#include <glib.h>

#define KX_SERIES_BATCHES 20u /* an even number */
#define KX_SERIES_WINDOWS \
	5u /* from so many windows on, these are the units and not their batches */

typedef struct {
	gdouble y, x;
} KxObservation;

/* Of observations that count. */
typedef struct {
	guint64 n;
	gdouble y, x, y2, x2, xy;
} KxSeriesSums;

/* All zeros: empty. */
typedef struct {
	KxSeriesSums sums;
	guint64 taken; /* observations so far, whether they count or not */
	guint64 pairs; /* of neighbours that both count */
	gdouble yy, xx,
		xy; /* over pairs of a and the b after it: Σ y_a y_b, Σ x_a x_b, Σ y_a x_b + x_a y_b */
	gboolean follows; /* the next one is the neighbour of @last */
	KxObservation last;
	guint64 size; /* of a batch; 0: none yet */
	KxObservation batch[KX_SERIES_BATCHES];
} KxSeries;

/**
 * kx_series_add() - the next observation, which counts
 *
 * Return: its index, by which it can be named later.
 */
guint64 kx_series_add(KxSeries *s, KxObservation o);

/**
 * kx_series_skip() - the next observation, which does not count, at least for now
 *
 * Return: its index.
 */
guint64 kx_series_skip(KxSeries *s);

/* Something is missing here: what comes next is no neighbour of what was last. */
void kx_series_break(KxSeries *s);

/**
 * kx_series_rejudge() - an observation counts that did not, or no longer does
 * @index: what kx_series_add() or kx_series_skip() returned
 * @o: the observation
 * @before: its neighbour, if there is one and that counts; else NULL
 * @after: likewise
 * @counts: from now on
 */
void kx_series_rejudge(KxSeries *s, guint64 index, KxObservation o, const KxObservation *before,
		       const KxObservation *after, gboolean counts);

/**
 * struct KxSeriesEstimate - Σy / Σx
 * @low: end of the 95 % interval; NAN: there is none
 * @high: likewise
 * @n: observations
 * @lag1: correlation of neighbours; NAN: not known
 * @effective_n: independent observations that would tell as much; at most @n. NAN: not known
 * @units: batches, or windows, that the interval is from
 */
typedef struct {
	gdouble value, low, high;
	guint64 n;
	gdouble lag1, effective_n;
	guint units;
} KxSeriesEstimate;

/**
 * kx_series_estimate() - from one window or several of equal setting
 * @list: of each window
 *
 * Windows are the units from KX_SERIES_WINDOWS on, else batches within them. From batches the interval is the longer one of two: by their
 * scatter, and by that of observations with their correlation allowed for; of short series batches are too small to be
 * independent, and of series that are not simple the correlation of neighbours does not say everything. What cannot be had: of 30
 * observations with a correlation of 0.8, about 88 of 100 such intervals cover, not 95.
 *
 * Return: FALSE if Σx is 0.
 */
gboolean kx_series_estimate(const KxSeries *const *list, guint n, KxSeriesEstimate *e);

#endif /* KX_SERIES_H */
