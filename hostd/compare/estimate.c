/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mean is a ratio of sums whose denominator counts rounds, so one bootstrap serves both.
 *
 * The intervals cannot show that rounds resemble their neighbours. A trend over rounds is a test of its own (effect.h).
 */
#include "estimate-internal.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <math.h>

static const gchar no_round[] = "no round has a value";
static const gchar one_round[] = "only one round has a value";
static const gchar nothing_below[] = "there is nothing to divide by in any round";
static const gchar hardly_below[] = "what it is divided by cannot be told from nothing";

const gchar *kx_method_name(KxMethod method)
{
	static const gchar *const names[] = {
		[KX_METHOD_NONE] = "none",
		[KX_METHOD_T] = "Student's t",
		[KX_METHOD_BCA] = "BCa bootstrap",
		[KX_METHOD_FIELLER] = "Fieller",
	};

	return names[method];
}

gdouble kx_estimate_t(gdouble degrees)
{
	return gsl_cdf_tdist_Pinv(0.975, degrees);
}

/* --- bootstrap ------------------------------------------------------------------------------------------------------ */

/* Infinity is above any end of an interval; 0 / 0 counts as infinity, because it is not known to be less. */
static gdouble quotient(gdouble y, gdouble x)
{
	if (x > 0)
		return y / x;
	return y < 0 ? -INFINITY : INFINITY;
}

static gdouble sum_of(const gdouble *list, guint n)
{
	gdouble sum = 0;

	for (guint i = 0; i < n; i++)
		sum += list[i];
	return sum;
}

/* Sorted. */
static gdouble *draw(const gdouble *y, const gdouble *x, guint n, guint64 seed)
{
	guint32 seeds[] = { (guint32)seed, (guint32)(seed >> 32) };
	GRand *rand = g_rand_new_with_seed_array(seeds, G_N_ELEMENTS(seeds));
	gdouble *drawn = g_new(gdouble, KX_BOOTSTRAP_DRAWS);

	for (guint i = 0; i < KX_BOOTSTRAP_DRAWS; i++) {
		gdouble above = 0, below = 0;

		for (guint j = 0; j < n; j++) {
			guint round = (guint)((guint64)g_rand_int(rand) * n >> 32);

			above += y[round];
			below += x[round];
		}
		drawn[i] = quotient(above, below);
	}
	g_rand_free(rand);
	gsl_sort(drawn, 1, KX_BOOTSTRAP_DRAWS);
	return drawn;
}

/* Distance of the drawn values' median from the estimate, in standard deviations of a normal distribution. */
static gdouble bias_of(const gdouble *drawn, gdouble estimate)
{
	gdouble tiny = 1e-12 * fabs(estimate), less = 0;

	for (guint i = 0; i < KX_BOOTSTRAP_DRAWS; i++) {
		if (drawn[i] < estimate - tiny)
			less++;
		else if (drawn[i] <= estimate + tiny)
			less += 0.5;
	}
	less = CLAMP(less, 0.5, KX_BOOTSTRAP_DRAWS - 0.5);
	return gsl_cdf_ugaussian_Pinv(less / KX_BOOTSTRAP_DRAWS);
}

/* How the standard error changes with the estimate, from estimates that each leave out one round (jackknife). */
static gdouble acceleration_of(const gdouble *y, const gdouble *x, guint n)
{
	gdouble above = sum_of(y, n), below = sum_of(x, n), mean = 0, squares = 0, cubes = 0;
	g_autofree gdouble *without = g_new(gdouble, n);

	for (guint i = 0; i < n; i++) {
		without[i] = quotient(above - y[i], below - x[i]);
		mean += without[i] / n;
	}
	for (guint i = 0; i < n; i++) {
		gdouble d = mean - without[i];

		squares += d * d;
		cubes += d * d * d;
	}
	return isfinite(squares) && squares > 0 ? cubes / (6 * pow(squares, 1.5)) : 0;
}

static gdouble end_of(const gdouble *drawn, gdouble bias, gdouble acceleration, gdouble z)
{
	gdouble shifted = bias + z, share, place;
	guint below;

	shifted = bias + shifted / fmax(1e-3, 1 - acceleration * shifted);
	share = gsl_cdf_ugaussian_P(shifted);
	place = CLAMP(share * (KX_BOOTSTRAP_DRAWS + 1) - 1, 0, KX_BOOTSTRAP_DRAWS - 1);
	below = MIN((guint)place, KX_BOOTSTRAP_DRAWS - 2);
	if (!isfinite(drawn[below]) || !isfinite(drawn[below + 1]))
		return drawn[below + 1];
	return drawn[below] + (place - below) * (drawn[below + 1] - drawn[below]);
}

void kx_estimate_bca(const gdouble *y, const gdouble *x, guint n, gdouble degrees, guint64 seed,
		     gdouble *low, gdouble *high)
{
	g_autofree gdouble *drawn = draw(y, x, n, seed);
	gdouble bias = bias_of(drawn, quotient(sum_of(y, n), sum_of(x, n)));
	gdouble acceleration = acceleration_of(y, x, n);
	gdouble z = sqrt((gdouble)n / (n - 1)) * kx_estimate_t(degrees);

	*low = end_of(drawn, bias, acceleration, -z);
	*high = end_of(drawn, bias, acceleration, z);
}

/* Moves an end outwards if the other method's end is farther. */
static void widen(KxEstimate *e, const gdouble *y, const gdouble *x, guint64 seed)
{
	gdouble low, high;

	kx_estimate_bca(y, x, e->n, e->n - 1, seed, &low, &high);
	e->low = fmin(e->low, low);
	e->high = fmax(e->high, high);
	e->method = KX_METHOD_BCA;
}

/* --- mean ----------------------------------------------------------------------------------------------------------- */

static KxEstimate unavailable(const gchar *why, guint missing)
{
	return (KxEstimate){
		.value = NAN, .low = NAN, .high = NAN, .missing = missing, .na = why, .open = why
	};
}

static void mean_by_t(KxEstimate *e, const gdouble *list)
{
	gdouble squares = 0, half;

	for (guint i = 0; i < e->n; i++)
		squares += (list[i] - e->value) * (list[i] - e->value);
	e->degrees = e->n - 1;
	e->se = sqrt(squares / e->degrees / e->n);
	half = kx_estimate_t(e->degrees) * e->se;
	e->low = e->value - half;
	e->high = e->value + half;
	e->method = KX_METHOD_T;
}

KxEstimate kx_estimate_mean(const gdouble *values, guint rounds, guint64 seed)
{
	g_autofree gdouble *list = g_new(gdouble, rounds + 1), *ones = g_new(gdouble, rounds + 1);
	KxEstimate e = { .low = NAN, .high = NAN };

	for (guint i = 0; i < rounds; i++) {
		if (isnan(values[i]))
			continue;
		ones[e.n] = 1;
		list[e.n++] = values[i];
	}
	e.missing = rounds - e.n;
	if (!e.n)
		return unavailable(no_round, e.missing);
	e.value = sum_of(list, e.n) / e.n;
	if (e.n == 1) {
		e.open = one_round;
		return e;
	}
	mean_by_t(&e, list);
	if (e.n >= KX_BOOTSTRAP_ROUNDS)
		widen(&e, list, ones, seed);
	return e;
}

/* --- quotient ------------------------------------------------------------------------------------------------------- */

/*
 * All ratios r with |mean of y - r x| within the bounds of Student's t: between the zeros of a parabola (Fieller 1954). FALSE:
 * the interval is open, because the mean of x may be 0.
 */
static gboolean fieller(const gdouble *y, const gdouble *x, guint n, gdouble *low, gdouble *high)
{
	gdouble my = sum_of(y, n) / n, mx = sum_of(x, n) / n, yy = 0, xx = 0, xy = 0;
	gdouble t = kx_estimate_t(n - 1), t2 = t * t / n / (n - 1), a, b, c, root;

	for (guint i = 0; i < n; i++) {
		yy += (y[i] - my) * (y[i] - my);
		xx += (x[i] - mx) * (x[i] - mx);
		xy += (y[i] - my) * (x[i] - mx);
	}
	a = mx * mx - t2 * xx;
	b = mx * my - t2 * xy;
	c = my * my - t2 * yy;
	if (!(a > 0))
		return FALSE;
	root = sqrt(fmax(0, b * b - a * c)); /* below 0 only by rounding */
	*low = (b - root) / a;
	*high = (b + root) / a;
	return TRUE;
}

/* The scatter of y - r x, in units of the mean of x. */
static void quotient_error(KxEstimate *e, const gdouble *y, const gdouble *x)
{
	gdouble below = sum_of(x, e->n) / e->n, squares = 0;

	for (guint i = 0; i < e->n; i++)
		squares += (y[i] - e->value * x[i]) * (y[i] - e->value * x[i]);
	e->degrees = e->n - 1;
	e->se = sqrt(squares / e->degrees / e->n) / below;
}

static void quotient_interval(KxEstimate *e, const gdouble *y, const gdouble *x, guint64 seed)
{
	if (e->n == 1) {
		e->open = one_round;
		return;
	}
	if (!fieller(y, x, e->n, &e->low, &e->high)) {
		e->open = hardly_below;
		return;
	}
	e->method = KX_METHOD_FIELLER;
	quotient_error(e, y, x);
	if (e->n < KX_BOOTSTRAP_ROUNDS)
		return;
	widen(e, y, x, seed);
	if (isfinite(e->low) && isfinite(e->high))
		return;
	e->low = e->high = NAN;
	e->degrees = 0;
	e->method = KX_METHOD_NONE;
	e->open = hardly_below;
}

KxEstimate kx_estimate_quotient(const gdouble *above, const gdouble *below, guint rounds,
				guint64 seed)
{
	g_autofree gdouble *y = g_new(gdouble, rounds + 1), *x = g_new(gdouble, rounds + 1);
	KxEstimate e = { .low = NAN, .high = NAN };

	for (guint i = 0; i < rounds; i++) {
		if (isnan(above[i]) || isnan(below[i]))
			continue;
		y[e.n] = above[i];
		x[e.n++] = below[i];
	}
	e.missing = rounds - e.n;
	if (!e.n)
		return unavailable(no_round, e.missing);
	if (!(sum_of(x, e.n) > 0))
		return unavailable(nothing_below, e.missing);
	e.value = sum_of(y, e.n) / sum_of(x, e.n);
	quotient_interval(&e, y, x, seed);
	return e;
}
