/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures of a report, and the estimator that many of them come from. */
#ifndef KX_FIGURE_H
#define KX_FIGURE_H

#include <glib.h>

#include "model/figure.h"
#include "model/series.h"

KxFigure kx_figure(double value, guint64 n);
KxFigure kx_unavailable(const char *reason);
/* @sum / @n; if @n is 0: n/a with the reason @if_none. */
KxFigure kx_figure_per(double sum, double n, const char *if_none);
/* An estimate, @value ± @half. No quantity here can be negative, so the lower end is never below 0. */
KxFigure kx_figure_interval(double value, double half, guint64 n);
/* Makes @f unavailable. */
void kx_figure_void(KxFigure *f, const char *reason);
/* @f with its interval cut at values that the figure cannot exceed: for example a share is at least 0 and at most 1. */
KxFigure kx_figure_within(KxFigure f, double least, double most);
void kx_figure_clear(KxFigure *f);
KxFigure kx_figure_copy(const KxFigure *f);
/*
 * Adds a footnote, unless @f is n/a. Call this function after all figures were computed: some figures are copies of others,
 * and would get the footnotes of those.
 */
void kx_figure_note(KxFigure *f, const char *note);

/*
 * Ratio estimator: r = Σy/Σx over @n observations, its variance by linearisation, and the 95 % interval with Student's t
 * for n - 1 degrees of freedom. Windows are pooled by adding their sums.
 */
typedef struct {
	guint64 n;
	double y, x, y2, x2, xy;
} KxRatioSums;

void kx_ratio_add(KxRatioSums *s, double y, double x);
void kx_ratio_pool(KxRatioSums *s, const KxRatioSums *other);
/* FALSE if Σx is 0; *@se is NAN with fewer than 2 observations. */
gboolean kx_ratio_estimate(const KxRatioSums *s, double *r, double *se);
/* Half the width of the 95 % interval, in standard errors. */
double kx_t_quantile(double degrees);
/* The estimate of a series, which must have a value, with its interval if there is one. */
KxFigure kx_figure_of_series(const KxSeriesEstimate *e);
/* The ratio estimate with its interval; if Σx is 0: n/a with the reason @no_x. */
KxFigure kx_figure_from_sums(const KxRatioSums *s, double scale, const char *no_x);

#endif /* KX_FIGURE_H */
