/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether an influence mattered: F test of a model of the windows with the influence against a model without it. */
#include "effect.h"
#include "fit.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

static const gchar no_order[] = "it is not known in which order windows were";
static const gchar no_other[] = "the order of the windows does not show it";
static const gchar too_few[] = "too few rounds for a test";
static const gchar no_windows[] = "no window has a value";

static KxTest untested(const gchar *why, guint n)
{
	return (KxTest){ .p = NAN, .n = n, .na = why };
}

/* Sums of squares that consist of rounding errors of logarithms count as 0. */
static gdouble p_of(gdouble explained, guint by, gdouble left, guint degrees)
{
	gdouble none = 1e-24 * (degrees + by);

	if (left <= none)
		return explained <= none ? 1 : 0;
	return gsl_cdf_fdist_Q(explained / by / (left / degrees), by, degrees);
}

static KxTest test_term(const KxTrial *t, guint without, guint term, guint own)
{
	g_autoptr(KxFit) less = kx_fit_new(t, without, own, INFINITY);
	g_autoptr(KxFit) more = kx_fit_new(t, without | term, own, INFINITY);

	if (!less || !more)
		return untested(no_windows, 0);
	if (more->rank == less->rank)
		return untested(no_other, more->windows);
	if (!more->degrees)
		return untested(too_few, more->windows);
	return (KxTest){ .p = p_of(fmax(0, less->squares - more->squares), more->rank - less->rank,
				   more->squares, more->degrees),
			 .n = more->windows };
}

KxTest kx_effect_carry(const KxTrial *t, guint setting)
{
	if (!t->before)
		return untested(no_order, 0);
	return test_term(t, t->positions ? KX_TERM_DRIFT : 0, KX_TERM_OWN_CARRY, setting);
}

KxTest kx_effect_carry_any(const KxTrial *t)
{
	if (!t->before)
		return untested(no_order, 0);
	return test_term(t, t->positions ? KX_TERM_DRIFT : 0, KX_TERM_CARRY, 0);
}

KxTest kx_effect_order(const KxTrial *t, guint setting)
{
	if (!t->positions)
		return untested(no_order, 0);
	return test_term(t, KX_TERM_DRIFT, KX_TERM_OWN_DRIFT, setting);
}

gboolean kx_test_matters(const KxTest *test)
{
	return !test->na && test->p < KX_MATTERS_P;
}
