/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Least squares over all windows of a trial: logarithm of the value = its round and VM + its setting + what else is asked for.
 * Rounds are taken out by subtracting the mean of each round from everything (Frisch and Waugh), so the matrix has columns for
 * the rest alone. Where windows are missing, the means are of those that are there.
 */
#ifndef KX_FIT_H
#define KX_FIT_H

#include "trial.h"

/* What may stand beside round and setting. */
typedef enum {
	KX_TERM_DRIFT = 1 << 0, /* a slope over positions */
	KX_TERM_CARRY = 1 << 1, /* what each setting does to the window after it */
	/* of one setting alone: */
	KX_TERM_OWN_CARRY = 1 << 2, /* what each setting does to its window */
	KX_TERM_OWN_DRIFT = 1 << 3, /* its own slope over positions */
} KxTerms;

typedef struct {
	guint windows; /* those with a value: the first rows */
	guint rows;    /* and one for each setting, where carry-over is held small */
	guint columns, rank;
	guint own_columns; /* the first of them are the settings' (all but setting 0) */
	guint degrees;	   /* of freedom of the residuals */
	gsize *row_of;	   /* by index into the trial; G_MAXSIZE: missing */
	gdouble *x;	   /* [rows][columns]: without the rounds */
	gdouble *
		u; /* [rows][columns]: an orthonormal basis of what the columns span; first @rank count */
	gdouble *v, *s;	       /* [columns][columns], [columns]: x = u s v' */
	gdouble *coefficients; /* [columns]; the shortest solution, where there are many */
	gdouble *residuals;    /* [rows] */
	gdouble squares;       /* sum over residuals */
} KxFit;

/*
 * @own: the setting whose own terms are asked for. @spread: the variance between what settings leave behind, in variances of a window:
 * as random effects they are held small by it (a row for each says it was seen to be 0, with that variance); INFINITY: they are
 * not. NULL: no window has a value, or there is one setting.
 */
KxFit *kx_fit_new(const KxTrial *t, guint terms, guint own, gdouble spread);
void kx_fit_free(KxFit *f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxFit, kx_fit_free)

/* The spread that @t speaks for, with @other terms in the model; 0: none, or it cannot be told. */
gdouble kx_fit_spread(const KxTrial *t, guint other);

#endif /* KX_FIT_H */
