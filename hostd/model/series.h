/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Estimate of a ratio from observations that follow each other in time (passes: cost y per sample x), so that an observation may
 * resemble its neighbours. If such observations were treated as independent, confidence intervals would be too short: with a
 * correlation of 0.8 between neighbours, half of the 95 % intervals do not contain the true value.
 *
 * Observations are not stored. Running sums give the correlation of neighbours; batches of consecutive observations are nearly
 * independent even if single observations are not (batch means: Law and Kelton, Simulation Modeling and Analysis). There are at
 * most KX_SERIES_BATCHES batches. All except the last have the same size; when all batches are full, this size doubles.
 */
#ifndef KX_SERIES_H
#define KX_SERIES_H

#include <glib.h>

#define KX_SERIES_BATCHES 20u /* an even number */
#define KX_SERIES_WINDOWS \
	5u /* with this number of windows or more, the units are windows and not batches */

typedef struct {
	gdouble y, x;
} KxObservation;

/* Sums over the observations that count. */
typedef struct {
	guint64 n;
	gdouble y, x, y2, x2, xy;
} KxSeriesSums;

/* A structure of zeros is an empty series. */
typedef struct {
	KxSeriesSums sums;
	guint64 taken;	    /* observations so far, whether they count or not */
	guint64 pairs;	    /* pairs of neighbours of which both count */
	gdouble yy, xx, xy; /* over pairs (a, next b): Σ y_a y_b, Σ x_a x_b, Σ y_a x_b + x_a y_b */
	gboolean follows;   /* the next observation is the neighbour of @last */
	gboolean broken;    /* an observation is missing after @last */
	KxObservation last;
	guint64 size; /* number of observations in a batch; 0: no batch yet */
	KxObservation batch[KX_SERIES_BATCHES];
} KxSeries;

/**
 * kx_series_add() - add the next observation, which counts
 *
 * Return: index of the observation, for kx_series_rejudge().
 */
guint64 kx_series_add(KxSeries *s, KxObservation o);

/**
 * kx_series_skip() - add the next observation, which does not count so far
 *
 * Return: index of the observation.
 */
guint64 kx_series_skip(KxSeries *s);

/* An observation is missing: the next one is not a neighbour of the last one. */
void kx_series_break(KxSeries *s);

/* Whether the numbers of a series that was read from a file can be those of one. */
gboolean kx_series_is_sound(const KxSeries *s);

/**
 * kx_series_rejudge() - change whether an observation counts
 * @index: what kx_series_add() or kx_series_skip() returned
 * @o: the observation
 * @before: the previous neighbour, if there is one and it counts; else NULL
 * @after: the next neighbour, likewise
 * @counts: TRUE: the observation counts from now on, and did not before; FALSE: the reverse
 */
void kx_series_rejudge(KxSeries *s, guint64 index, KxObservation o, const KxObservation *before,
		       const KxObservation *after, gboolean counts);

/**
 * struct KxSeriesEstimate - Σy / Σx
 * @low: lower end of the 95 % interval; NAN: there is none
 * @high: upper end, likewise
 * @x: Σx
 * @n: number of observations
 * @lag1: correlation of neighbours; NAN: not known
 * @effective_n: number of independent observations with the same information; at most @n. NAN: not known
 * @units: number of batches, or windows, from which the interval is computed
 */
typedef struct {
	gdouble value, low, high, x;
	guint64 n;
	gdouble lag1, effective_n;
	guint units;
} KxSeriesEstimate;

/**
 * kx_series_estimate() - estimate the ratio from one or several windows with equal setting
 * @list: the series of each window
 * @n: number of windows
 * @e: the result
 *
 * With KX_SERIES_WINDOWS windows or more the units are windows, else batches within windows. With batches the interval is the
 * longer of two intervals: one from the scatter of the batches, one from the scatter of the observations, corrected for their
 * correlation. Both are needed because in a short series the batches are too small to be independent, and in a series that is not
 * AR(1) the correlation of neighbours does not describe all of the dependence. A limit remains: with 30 observations and a
 * correlation of 0.8, about 88 of 100 such intervals contain the true value, not 95.
 *
 * Return: FALSE if Σx is 0.
 */
gboolean kx_series_estimate(const KxSeries *const *list, guint n, KxSeriesEstimate *e);

#endif /* KX_SERIES_H */
