// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Figures, and the ratio estimator.
 *
 * The observations are windows, or pairs of passes. The interval cannot show that an observation resembles its neighbours; the
 * costs of passes, which do, have an estimator of their own (model/series.h).
 */
#include "figure.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

KxFigure kx_figure(double value, guint64 n)
{
	return (KxFigure){ .value = value, .low = NAN, .high = NAN, .n = n };
}

KxFigure kx_unavailable(const char *reason)
{
	return (KxFigure){ .value = NAN, .low = NAN, .high = NAN, .na = g_strdup(reason) };
}

KxFigure kx_figure_copy(const KxFigure *f)
{
	KxFigure copy = *f;

	copy.na = g_strdup(f->na);
	copy.note = g_strdup(f->note);
	return copy;
}

void kx_figure_clear(KxFigure *f)
{
	g_clear_pointer(&f->na, g_free);
	g_clear_pointer(&f->note, g_free);
}

void kx_figure_void(KxFigure *f, const char *reason)
{
	kx_figure_clear(f);
	*f = kx_unavailable(reason);
}

KxFigure kx_figure_within(KxFigure f, double least, double most)
{
	if (!f.na && !isnan(f.low)) {
		f.low = CLAMP(f.low, least, f.value);
		f.high = CLAMP(f.high, f.value, most);
	}
	return f;
}

void kx_figure_note(KxFigure *f, const char *note)
{
	g_autofree char *before = g_steal_pointer(&f->note);

	if (!f->na)
		f->note = before ? g_strdup_printf("%s; %s", before, note) : g_strdup(note);
}

KxFigure kx_figure_per(double sum, double n, const char *if_none)
{
	return n > 0 ? kx_figure(sum / n, (guint64)n) : kx_unavailable(if_none);
}

KxFigure kx_figure_interval(double value, double half, guint64 n)
{
	return (KxFigure){
		.value = value, .low = fmax(0, value - half), .high = value + half, .n = n
	};
}

/* --- the estimator ------------------------------------------------------------------------------------------------- */

void kx_ratio_add(KxRatioSums *s, double y, double x)
{
	s->n++;
	s->y += y;
	s->x += x;
	s->y2 += y * y;
	s->x2 += x * x;
	s->xy += x * y;
}

void kx_ratio_pool(KxRatioSums *s, const KxRatioSums *other)
{
	s->n += other->n;
	s->y += other->y;
	s->x += other->x;
	s->y2 += other->y2;
	s->x2 += other->x2;
	s->xy += other->xy;
}

gboolean kx_ratio_estimate(const KxRatioSums *s, double *r, double *se)
{
	double n = (double)s->n, residuals;

	*se = NAN;
	if (!(s->x > 0))
		return FALSE;
	*r = s->y / s->x;
	if (s->n < 2)
		return TRUE;
	/* Σ(y - rx)²; rounding may leave it just below zero */
	residuals = fmax(0, s->y2 - 2 * *r * s->xy + *r * *r * s->x2);
	*se = sqrt(n / (n - 1) * residuals) / s->x;
	return TRUE;
}

KxFigure kx_figure_of_series(const KxSeriesEstimate *e)
{
	KxFigure f = kx_figure(e->value, e->n);

	f.low = isnan(e->low) ? NAN : fmax(0, e->low);
	f.high = e->high;
	return f;
}

double kx_t_quantile(double degrees)
{
	return gsl_cdf_tdist_Pinv(0.975, degrees);
}

KxFigure kx_figure_from_sums(const KxRatioSums *s, double scale, const char *no_x)
{
	double r, se;

	if (!kx_ratio_estimate(s, &r, &se))
		return kx_unavailable(no_x);
	if (isnan(se))
		return kx_figure(r * scale, s->n);
	return kx_figure_interval(r * scale, kx_t_quantile((double)s->n - 1) * se * scale, s->n);
}
