/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The singular value decomposition tells which columns the order of the windows can separate. */
#include "fit.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <string.h>

#define SINGULAR       1e-9 /* of the largest singular value: less is 0 */
#define SPREAD_DEGREES 9    /* with fewer the spread is not known well enough */

/* --- the matrix ----------------------------------------------------------------------------------------------------- */

static gdouble position_of(const KxTrial *t, gsize index)
{
	return t->settings > 1 ? (gdouble)t->positions[index] / (t->settings - 1) : 0;
}

static guint own_carry_column(const KxTrial *t, gsize index, guint own)
{
	return index % t->settings == own && t->before[index] < t->settings ? t->before[index]
									    : KX_NO_SETTING;
}

static void fill_row(const KxTrial *t, guint terms, guint own, gsize index, gdouble *row)
{
	guint setting = index % t->settings, k = t->settings;

	if (setting)
		row[setting - 1] = 1;
	row += k - 1;
	if (terms & KX_TERM_DRIFT)
		*row++ = position_of(t, index);
	if (terms & KX_TERM_CARRY && t->before[index] < k)
		row[t->before[index]] = 1;
	row += terms & KX_TERM_CARRY ? k : 0;
	if (terms & KX_TERM_OWN_DRIFT)
		*row++ = setting == own ? position_of(t, index) : 0;
	if (terms & KX_TERM_OWN_CARRY && own_carry_column(t, index, own) != KX_NO_SETTING)
		row[own_carry_column(t, index, own)] = 1;
}

static guint count_columns(guint settings, guint terms)
{
	return settings - 1 + !!(terms & KX_TERM_DRIFT) + (terms & KX_TERM_CARRY ? settings : 0) +
	       !!(terms & KX_TERM_OWN_DRIFT) + (terms & KX_TERM_OWN_CARRY ? settings : 0);
}

/* Subtracts the mean of a round's windows, @n rows from @first, from each column of @list. */
static void centre(gdouble *list, guint columns, guint first, guint n)
{
	for (guint c = 0; c < columns; c++) {
		gdouble mean = 0;

		for (guint i = first; i < first + n; i++)
			mean += list[(gsize)i * columns + c] / n;
		for (guint i = first; i < first + n; i++)
			list[(gsize)i * columns + c] -= mean;
	}
}

/* Fills x and, with the logarithms, @y; returns how many rounds (of each VM) have windows. */
static guint fill(KxFit *f, const KxTrial *t, guint terms, guint own, gdouble *y)
{
	guint blocks = 0, row = 0;

	for (gsize block = 0; block < (gsize)t->vms * t->rounds; block++) {
		guint first = row;

		for (guint s = 0; s < t->settings; s++) {
			gsize index = block * t->settings + s;

			f->row_of[index] = G_MAXSIZE;
			if (isnan(kx_trial_log(t, index)))
				continue;
			f->row_of[index] = row;
			y[row] = kx_trial_log(t, index);
			fill_row(t, terms, own, index, f->x + (gsize)row * f->columns);
			row++;
		}
		if (row == first)
			continue;
		centre(f->x, f->columns, first, row - first);
		centre(y, 1, first, row - first);
		blocks++;
	}
	return blocks;
}

/* Rows that say: the carry-over of each setting was observed to be 0, with the spread as variance. */
static void fill_held(KxFit *f, guint terms, guint settings, gdouble spread)
{
	guint first = settings - 1 + !!(terms & KX_TERM_DRIFT);

	for (guint i = 0; f->windows + i < f->rows; i++)
		f->x[(gsize)(f->windows + i) * f->columns + first + i] = 1 / sqrt(spread);
}

/* --- the solution --------------------------------------------------------------------------------------------------- */

/* Decomposes into u, s and v. The library needs at least as many rows as columns; rows of zeros change nothing. */
static void decompose(KxFit *f)
{
	guint rows = MAX(f->rows, f->columns);
	g_autofree gdouble *work = g_new(gdouble, f->columns);
	gsl_matrix_view u, v = gsl_matrix_view_array(f->v, f->columns, f->columns);
	gsl_vector_view s = gsl_vector_view_array(f->s, f->columns);
	gsl_vector_view w = gsl_vector_view_array(work, f->columns);

	f->u = g_new0(gdouble, (gsize)rows * f->columns);
	memcpy(f->u, f->x, sizeof(gdouble) * f->rows * f->columns);
	u = gsl_matrix_view_array(f->u, rows, f->columns);
	gsl_linalg_SV_decomp(&u.matrix, &v.matrix, &s.vector, &w.vector);
	while (f->rank < f->columns && f->s[f->rank] > SINGULAR * fmax(f->s[0], 1e-6))
		f->rank++;
}

static void solve(KxFit *f, const gdouble *y)
{
	memcpy(f->residuals, y, f->rows * sizeof(gdouble));
	for (guint r = 0; r < f->rank; r++) {
		gdouble along = 0;

		for (guint i = 0; i < f->rows; i++)
			along += f->u[(gsize)i * f->columns + r] * y[i];
		for (guint i = 0; i < f->rows; i++)
			f->residuals[i] -= along * f->u[(gsize)i * f->columns + r];
		for (guint c = 0; c < f->columns; c++)
			f->coefficients[c] += along / f->s[r] * f->v[c * f->columns + r];
	}
	for (guint i = 0; i < f->rows; i++)
		f->squares += f->residuals[i] * f->residuals[i];
}

static guint count_windows(const KxTrial *t)
{
	guint n = 0;

	for (gsize i = 0; i < (gsize)t->vms * t->rounds * t->settings; i++)
		n += !isnan(kx_trial_log(t, i));
	return n;
}

KxFit *kx_fit_new(const KxTrial *t, guint terms, guint own, gdouble spread)
{
	gboolean held = terms & KX_TERM_CARRY && isfinite(spread);
	g_autofree gdouble *y = NULL;
	KxFit *f;
	guint blocks;

	if (t->settings < 2 || !count_windows(t))
		return NULL;
	f = g_new0(KxFit, 1);
	f->windows = count_windows(t);
	f->rows = f->windows + (held ? t->settings : 0);
	f->own_columns = t->settings - 1;
	f->columns = count_columns(t->settings, terms);
	f->row_of = g_new(gsize, (gsize)t->vms * t->rounds * t->settings);
	f->x = g_new0(gdouble, (gsize)f->rows * f->columns);
	f->v = g_new0(gdouble, (gsize)f->columns * f->columns);
	f->s = g_new0(gdouble, f->columns);
	f->coefficients = g_new0(gdouble, f->columns);
	f->residuals = g_new0(gdouble, f->rows);
	y = g_new0(gdouble, f->rows);
	blocks = fill(f, t, terms, own, y);
	fill_held(f, terms, t->settings, spread);
	decompose(f);
	solve(f, y);
	f->degrees = f->rows > blocks + f->rank ? f->rows - blocks - f->rank : 0;
	return f;
}

void kx_fit_free(KxFit *f)
{
	if (!f)
		return;
	g_free(f->row_of);
	g_free(f->x);
	g_free(f->u);
	g_free(f->v);
	g_free(f->s);
	g_free(f->coefficients);
	g_free(f->residuals);
	g_free(f);
}

/* --- how much carry-over there is ----------------------------------------------------------------------------------- */

/* Sum of squares of the part of the carry-over's columns that the columns of @less do not span. */
static gdouble information(const KxFit *less, const KxFit *more)
{
	gdouble sum = 0;

	for (guint c = less->columns; c < more->columns; c++) {
		for (guint i = 0; i < more->windows; i++) {
			gdouble x = more->x[(gsize)i * more->columns + c];

			sum += x * x;
		}
		for (guint r = 0; r < less->rank; r++) {
			gdouble along = 0;

			for (guint i = 0; i < more->windows; i++)
				along += less->u[(gsize)i * less->columns + r] *
					 more->x[(gsize)i * more->columns + c];
			sum -= along * along;
		}
	}
	return sum;
}

/*
 * With a spread, F of the test for carry-over is (1 + information × spread) times as large as without a spread. The result is
 * the spread for which half of all values of F would be smaller than this one.
 */
gdouble kx_fit_spread(const KxTrial *t, guint other)
{
	g_autoptr(KxFit) less = kx_fit_new(t, other, 0, INFINITY);
	g_autoptr(KxFit) more = kx_fit_new(t, other | KX_TERM_CARRY, 0, INFINITY);
	guint by = less && more ? more->rank - less->rank : 0;
	gdouble f, usual, weight;

	if (!by || more->degrees < SPREAD_DEGREES || !(more->squares > 0))
		return 0;
	f = (less->squares - more->squares) / by / (more->squares / more->degrees);
	usual = gsl_cdf_fdist_Pinv(0.5, by, more->degrees);
	weight = information(less, more) / by;
	return weight > 1e-9 ? fmax(0, f / usual - 1) / weight : 0;
}
