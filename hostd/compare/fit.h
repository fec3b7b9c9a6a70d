/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Least squares over all windows of a trial: logarithm of the value = its round and VM + its setting + further requested terms.
 * Rounds are eliminated by subtracting the mean of each round from everything (Frisch and Waugh), so the matrix has columns only
 * for the other terms. If windows are missing, the means are those of the present windows.
 */
#ifndef KX_FIT_H
#define KX_FIT_H

#include "trial.h"

/* Further terms beside round and setting. */
typedef enum {
	KX_TERM_DRIFT = 1 << 0, /* a slope over positions */
	KX_TERM_CARRY = 1 << 1, /* effect of each setting on the window after it */
	/* for one setting only: */
	KX_TERM_OWN_CARRY = 1 << 2, /* effect of each predecessor on this setting's window */
	KX_TERM_OWN_DRIFT = 1 << 3, /* this setting's own slope over positions */
} KxTerms;

typedef struct {
	guint windows; /* those with a value: the first rows */
	guint rows;    /* and one for each setting if carry-over is a random effect */
	guint columns, rank;
	guint own_columns; /* the first columns are the settings' (all but setting 0) */
	guint degrees;	   /* of freedom of the residuals */
	gsize *row_of;	   /* by index into the trial; G_MAXSIZE: missing */
	gdouble *x;	   /* [rows][columns]: without the rounds */
	gdouble *
		u; /* [rows][columns]: an orthonormal basis of the span of the columns; the first @rank columns count */
	gdouble *v, *s;	       /* [columns][columns], [columns]: x = u s v' */
	gdouble *coefficients; /* [columns]; the shortest solution if there are many */
	gdouble *residuals;    /* [rows] */
	gdouble squares;       /* sum over residuals */
} KxFit;

/*
 * @own: the setting whose own terms are requested. @spread: the variance of the carry-over between settings, in variances of a
 * window. It makes the carry-over a random effect, which is shrunk towards 0 (a row for each setting says that its carry-over
 * was observed to be 0, with this variance); INFINITY: no shrinking. Returns NULL if no window has a value, or there is only
 * one setting.
 */
KxFit *kx_fit_new(const KxTrial *t, guint terms, guint own, gdouble spread);
void kx_fit_free(KxFit *f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxFit, kx_fit_free)

/* The spread that @t shows, with the terms @other in the model; 0: none, or it cannot be determined. */
gdouble kx_fit_spread(const KxTrial *t, guint other);

#endif /* KX_FIT_H */
