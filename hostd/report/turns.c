// SPDX-License-Identifier: GPL-2.0-or-later
#include "turns.h"

#include <gsl/gsl_multifit.h>
#include <math.h>

/* --- runs ------------------------------------------------------------------------------------------------------------- */

typedef struct {
	double own; /* 1: a run of the setting, 0: a run of the reference */
	double place, rate;
} Run;

/* A list of windows, and the place up to which it was read. */
typedef struct {
	const GArray *list;
	guint next;
	double own;
} Reader;

static const KxTurn *peek(const Reader *r)
{
	return r->next < r->list->len ? &g_array_index(r->list, KxTurn, r->next) : NULL;
}

/* Whether @r has a window before the next one of @other. */
static gboolean is_first(const Reader *r, const Reader *other)
{
	const KxTurn *own = peek(r), *beside = peek(other);

	return own && (!beside || own->place < beside->place);
}

/* The windows of @r up to the next one of @other. */
static Run read_run(Reader *r, const Reader *other)
{
	double y = 0, x = 0, place = 0;
	guint n = 0;

	while (is_first(r, other)) {
		y += peek(r)->y;
		x += peek(r)->x;
		place += peek(r)->place;
		r->next++;
		n++;
	}
	return (Run){ r->own, place / n, y / x };
}

static GArray *runs_of(const GArray *own, const GArray *reference)
{
	GArray *runs = g_array_new(FALSE, FALSE, sizeof(Run));
	Reader a = { own, 0, 1 }, b = { reference, 0, 0 };

	while (peek(&a) || peek(&b)) {
		Run run = is_first(&a, &b) ? read_run(&a, &b) : read_run(&b, &a);

		g_array_append_val(runs, run);
	}
	return runs;
}

/* --- the ratio -------------------------------------------------------------------------------------------------------- */

/* Fits: logarithm of a run's rate = constant + step (if the run is of the setting) + slope × place. Returns the step. */
static double fit(const GArray *runs, double *se)
{
	gsize n = runs->len;
	gsl_matrix *x = gsl_matrix_alloc(n, 3), *covariance = gsl_matrix_alloc(3, 3);
	gsl_vector *y = gsl_vector_alloc(n), *terms = gsl_vector_alloc(3);
	gsl_multifit_linear_workspace *work = gsl_multifit_linear_alloc(n, 3);
	double squares, step;

	for (gsize i = 0; i < n; i++) {
		const Run *run = &g_array_index(runs, Run, i);

		gsl_matrix_set(x, i, 0, 1);
		gsl_matrix_set(x, i, 1, run->own);
		gsl_matrix_set(x, i, 2, run->place);
		gsl_vector_set(y, i, log(run->rate));
	}
	gsl_multifit_linear(x, y, terms, covariance, &squares, work);
	step = gsl_vector_get(terms, 1);
	*se = sqrt(gsl_matrix_get(covariance, 1, 1));
	gsl_multifit_linear_free(work);
	gsl_vector_free(terms);
	gsl_vector_free(y);
	gsl_matrix_free(covariance);
	gsl_matrix_free(x);
	return step;
}

const char *kx_turns_ratio(const GArray *own, const GArray *reference, KxFigure *f)
{
	g_autoptr(GArray) runs = runs_of(own, reference);
	double step, se, half;

	/* Runs alternate, so the two numbers of runs differ by one at most. */
	if (runs->len < 2 * KX_TURNS_LEAST)
		return "not interleaved: the windows of the two did not take turns, so what "
		       "changed with "
		       "time is part of the ratio";
	for (guint i = 0; i < runs->len; i++) {
		if (!(g_array_index(runs, Run, i).rate > 0))
			return "without an interval: a window counted none";
	}
	step = fit(runs, &se);
	half = kx_t_quantile(runs->len - 3) * se;
	*f = kx_figure(exp(step), runs->len);
	f->low = exp(step - half);
	f->high = exp(step + half);
	return NULL;
}
