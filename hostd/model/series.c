/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Terms can be subtracted from all sums again, because the VM may turn out later to have been paused during a pass. */
#include "series.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

/* --- sums ----------------------------------------------------------------------------------------------------------- */

static void sum_up(KxSeriesSums *s, KxObservation o, gdouble by)
{
	s->n += by > 0 ? 1 : G_MAXUINT64; /* adds -1, modulo 2^64 */
	s->y += by * o.y;
	s->x += by * o.x;
	s->y2 += by * o.y * o.y;
	s->x2 += by * o.x * o.x;
	s->xy += by * o.x * o.y;
}

static void pair_up(KxSeries *s, KxObservation a, KxObservation b, gdouble by)
{
	s->pairs += by > 0 ? 1 : G_MAXUINT64;
	s->yy += by * a.y * b.y;
	s->xx += by * a.x * b.x;
	s->xy += by * (a.y * b.x + a.x * b.y);
}

static void batch_up(KxSeries *s, guint64 index, KxObservation o, gdouble by)
{
	KxObservation *batch = &s->batch[index / s->size];

	batch->y += by * o.y;
	batch->x += by * o.x;
}

/* If all batches are full, merges every two batches, so that half of the batches are free. */
static void make_room(KxSeries *s)
{
	if (!s->size)
		s->size = 1;
	if (s->taken / s->size < KX_SERIES_BATCHES)
		return;
	for (guint i = 0; i < KX_SERIES_BATCHES / 2; i++) {
		KxObservation a = s->batch[2 * i], b = s->batch[2 * i + 1];

		s->batch[i] = (KxObservation){ a.y + b.y, a.x + b.x };
	}
	for (guint i = KX_SERIES_BATCHES / 2; i < KX_SERIES_BATCHES; i++)
		s->batch[i] = (KxObservation){ 0 };
	s->size *= 2;
}

guint64 kx_series_add(KxSeries *s, KxObservation o)
{
	make_room(s);
	sum_up(&s->sums, o, 1);
	batch_up(s, s->taken, o, 1);
	if (s->follows)
		pair_up(s, s->last, o, 1);
	s->follows = TRUE;
	s->broken = FALSE;
	s->last = o;
	return s->taken++;
}

guint64 kx_series_skip(KxSeries *s)
{
	make_room(s);
	s->follows = s->broken = FALSE;
	return s->taken++;
}

void kx_series_break(KxSeries *s)
{
	s->follows = FALSE;
	s->broken = TRUE;
}

gboolean kx_series_is_sound(const KxSeries *s)
{
	if (!s->taken)
		return !s->size &&
		       !s->pairs; /* n is not 0 in reports from before there were batches */
	return s->size && (s->taken - 1) / s->size < KX_SERIES_BATCHES && s->sums.n <= s->taken &&
	       s->pairs < s->taken &&
	       s->taken <=
		       G_MAXINT64; /* so that the first index behind the last batch does not overflow */
}

void kx_series_rejudge(KxSeries *s, guint64 index, KxObservation o, const KxObservation *before,
		       const KxObservation *after, gboolean counts)
{
	gdouble by = counts ? 1 : -1;

	g_return_if_fail(index < s->taken);
	sum_up(&s->sums, o, by);
	batch_up(s, index, o, by);
	if (before)
		pair_up(s, *before, o, by);
	if (after)
		pair_up(s, o, *after, by);
	if (index + 1 != s->taken)
		return;
	s->follows = counts && !s->broken;
	s->last = o;
}

/* --- estimate ------------------------------------------------------------------------------------------------------- */

/* The correlation of the residuals y - r x of neighbours: the sum of products of neighbours over the sum of squares. */
static gdouble lag1_of(const KxSeries *const *list, guint n, gdouble r)
{
	gdouble products = 0, squares = 0, n_pairs = 0;

	for (guint i = 0; i < n; i++) {
		const KxSeries *s = list[i];

		products += s->yy - r * s->xy + r * r * s->xx;
		squares += s->sums.y2 - 2 * r * s->sums.xy + r * r * s->sums.x2;
		n_pairs += (gdouble)s->pairs;
	}
	return n_pairs >= 2 && squares > 0 ? CLAMP(products / squares, -1, 1) : NAN;
}

/*
 * For an AR(1) series with correlation @lag1. The estimated correlation is too low by (1 + 3 rho) / n (Kendall 1954). A negative
 * correlation counts as 0, so that the result is never larger than @n.
 */
static gdouble effective_n(gdouble lag1, gdouble n)
{
	gdouble rho = CLAMP(lag1 + (1 + 3 * lag1) / n, 0, 0.99);

	return isnan(lag1) ? NAN : fmax(1, n * (1 - rho) / (1 + rho));
}

static void pool(KxSeriesSums *sums, const KxSeriesSums *other)
{
	sums->n += other->n;
	sums->y += other->y;
	sums->x += other->x;
	sums->y2 += other->y2;
	sums->x2 += other->x2;
	sums->xy += other->xy;
}

static void collect_units(const KxSeries *const *list, guint n, KxSeriesSums *units)
{
	for (guint i = 0; i < n; i++) {
		const KxSeries *s = list[i];

		if (n >= KX_SERIES_WINDOWS && s->sums.n)
			sum_up(units, (KxObservation){ s->sums.y, s->sums.x }, 1);
		for (guint64 j = 0; n < KX_SERIES_WINDOWS && j * s->size < s->taken; j++) {
			if (s->batch[j].y != 0 ||
			    s->batch[j].x != 0) /* else the batch has no observation that counts */
				sum_up(units, s->batch[j], 1);
		}
	}
}

/* Half of the interval's length; the units have the information of @effective independent units. NAN: fewer than 2 units. */
static gdouble half_of(const KxSeriesSums *u, gdouble effective)
{
	gdouble n = (gdouble)u->n, r = u->y / u->x, left;

	if (u->n < 2 || isnan(effective))
		return NAN;
	left = fmax(0, u->y2 - 2 * r * u->xy + r * r * u->x2); /* rounding may make it negative */
	return gsl_cdf_tdist_Pinv(0.975, fmax(1, effective - 1)) *
	       sqrt(n / (n - 1) * left * n / effective) / u->x;
}

gboolean kx_series_estimate(const KxSeries *const *list, guint n, KxSeriesEstimate *e)
{
	KxSeriesSums sums = { 0 }, units = { 0 };
	gdouble half;

	for (guint i = 0; i < n; i++)
		pool(&sums, &list[i]->sums);
	*e = (KxSeriesEstimate){ .value = NAN,
				 .low = NAN,
				 .high = NAN,
				 .lag1 = NAN,
				 .effective_n = NAN,
				 .x = sums.x,
				 .n = sums.n };
	if (!(sums.x > 0))
		return FALSE;
	e->value = sums.y / sums.x;
	e->lag1 = lag1_of(list, n, e->value);
	e->effective_n = effective_n(e->lag1, (gdouble)sums.n);
	collect_units(list, n, &units);
	e->units = (guint)units.n;
	half = half_of(&units, (gdouble)units.n);
	if (n < KX_SERIES_WINDOWS) /* fmax() of a number and NAN is the number */
		half = fmax(half, half_of(&sums, e->effective_n));
	e->low = e->value - half;
	e->high = e->value + half;
	return TRUE;
}
