// SPDX-License-Identifier: GPL-2.0-or-later
#include "axis.h"

#include <math.h>
#include <string.h>

#include "base/textfmt.h"

#define NEARLY 1e-9 /* relative error of rounding: a smaller difference is none */

void kx_extent_add(KxExtent *e, double value)
{
	if (!isfinite(value))
		return;
	e->low = isnan(e->low) ? value : fmin(e->low, value);
	e->high = isnan(e->high) ? value : fmax(e->high, value);
}

void kx_extent_add_log(KxExtent *e, double value)
{
	if (value > 0)
		kx_extent_add(e, value);
}

/* --- linear ----------------------------------------------------------------------------------------------------------- */

/* The smallest of 1, 2, 5 times a power of ten that is at least @least. */
static double nice_step(double least)
{
	static const double steps[] = { 1, 2, 5, 10 };
	double power = pow(10, floor(log10(least)));

	for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
		if (steps[i] * power >= least * (1 - NEARLY))
			return steps[i] * power;
	}
	return 10 * power;
}

static void add_ticks(KxAxis *a, double step)
{
	double first = ceil(a->low / step - NEARLY);

	for (; a->n < KX_TICKS_MAX; a->n++) {
		double tick = (first + a->n) * step;

		if (tick > a->high * (1 + NEARLY) + NEARLY * step)
			break;
		a->ticks[a->n] = tick;
	}
}

KxAxis kx_axis_linear(KxExtent e)
{
	KxAxis a = { .low = isnan(e.low) ? 0 : e.low, .high = isnan(e.high) ? 1 : e.high };
	double step;

	if (!(a.high > a.low))
		a.high = a.low + (a.low != 0 ? fabs(a.low) : 1);
	step = nice_step((a.high - a.low) / (KX_TICKS_MAX - 3));
	a.low = floor(a.low / step + NEARLY) * step;
	a.high = ceil(a.high / step - NEARLY) * step;
	add_ticks(&a, step);
	return a;
}

KxAxis kx_axis_until(double high)
{
	KxAxis a = { .low = 0, .high = high > 0 ? high : 1 };

	add_ticks(&a, nice_step(a.high / (KX_TICKS_MAX - 3)));
	return a;
}

/* --- logarithmic ------------------------------------------------------------------------------------------------------ */

/* 1, 2, 5, 10, 20, …: number 0 is 1. */
static double number_125(int i)
{
	static const double steps[] = { 1, 2, 5 };
	int decade = (int)floor(i / 3.0);

	return steps[i - 3 * decade] * pow(10, decade);
}

/* The last of these numbers that is not above @value. */
static int place_125(double value)
{
	int i = 3 * (int)floor(log10(value) + NEARLY);

	while (number_125(i + 1) <= value * (1 + NEARLY))
		i++;
	return i;
}

static void add_125(KxAxis *a, int first, int last)
{
	for (int i = first; i <= last; i++)
		a->ticks[a->n++] = number_125(i);
}

/* Whole powers of ten, of which each @every-th has a tick. */
static void add_decades(KxAxis *a)
{
	int first = (int)ceil(log10(a->low) - NEARLY), last = (int)floor(log10(a->high) + NEARLY);
	int every = (last - first) / (int)KX_TICKS_MAX + 1;

	for (int i = first; i <= last && a->n < KX_TICKS_MAX; i += every)
		a->ticks[a->n++] = pow(10, i);
}

KxAxis kx_axis_log(KxExtent e)
{
	KxAxis a = { .is_log = TRUE };
	int first, last;

	if (!(e.low > 0))
		e = (KxExtent){ 1, 10 };
	first = place_125(e.low);
	last = place_125(e.high);
	if (number_125(last) < e.high * (1 - NEARLY) || last == first)
		last++;
	a.low = number_125(first);
	a.high = number_125(last);
	if (last - first < (int)KX_TICKS_MAX)
		add_125(&a, first, last);
	else
		add_decades(&a);
	return a;
}

/* --- places ----------------------------------------------------------------------------------------------------------- */

double kx_axis_place(const KxAxis *a, double value)
{
	if (!a->is_log)
		return 100 * (value - a->low) / (a->high - a->low);
	return value > 0 ? 100 * log(value / a->low) / log(a->high / a->low) : -INFINITY;
}

/* --- texts of ticks --------------------------------------------------------------------------------------------------- */

/* Removes zeros at the end of a fraction: "1.00 us" is "1 us". Takes @text. */
static char *without_zeros(char *text)
{
	char *point = strchr(text, '.'), *end, *from;

	if (!point)
		return text;
	end = point + 1 + strspn(point + 1, "0123456789");
	for (from = end; from[-1] == '0'; from--)
		;
	if (from - 1 == point)
		from = point;
	memmove(from, end, strlen(end) + 1);
	return text;
}

char *kx_tick_ns(double ns)
{
	return without_zeros(kx_text_ns(ns));
}

char *kx_tick_seconds(double s)
{
	return s == 0 ? g_strdup("0") : without_zeros(kx_text_ns(s * 1e9));
}

char *kx_tick_number(double value)
{
	return without_zeros(kx_text_number(value));
}

char *kx_tick_ratio(double value)
{
	g_autofree char *number =
		value >= 1000 ? g_strdup_printf("%.0f", value) : kx_tick_number(value);

	return g_strconcat(number, "x", NULL);
}

char *kx_tick_mib(double mib)
{
	g_autofree char *number = kx_tick_number(mib);

	return mib == 0 ? g_strdup("0") : g_strconcat(number, " MiB", NULL);
}
