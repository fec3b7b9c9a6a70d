/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From pairs of windows to an effect.
 *
 * Let d be the vector over rounds of the logarithms of ratios. Drift and carry-over are estimated from all settings, so the
 * correction that is subtracted from d is a linear function of all windows. This has two consequences, which follow from the
 * order of the windows alone: the correction removes a part of the scatter of d as well (so the remaining scatter has fewer
 * degrees of freedom), and the corrected mean is another linear function of the windows than the plain mean of d, with another
 * variance. Both are computed for windows of equal variance; the variance itself is that of the setting's own pairs, round by
 * round.
 */
#include "effect.h"
#include "estimate-internal.h"
#include "fit.h"

#include <math.h>

/* Removing drift may make an interval longer by at most this factor. */
#define LONGER_AT_MOST 1.2

static const gchar no_pair[] = "no round has a value of both the setting and its reference";
static const gchar one_pair[] = "only one round has a value of both the setting and its reference";
static const gchar itself[] = "it is the reference itself";
static const gchar no_settings[] = "there is no such setting";

/* Observations of a setting and its reference with some terms removed. */
typedef struct {
	const KxTrial *t;
	guint setting, reference;
	guint terms, n;
	gdouble *d;	 /* [n]: by round, terms removed */
	gdouble degrees; /* of the scatter of @d */
	gdouble scatter; /* expected sum of squares of @d about its mean, in variances of a window */
	gdouble variance; /* of the mean of @d, in the same unit */
} Pairs;

static void pairs_free(Pairs *p)
{
	if (p)
		g_free(p->d);
	g_free(p);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pairs, pairs_free)

/* Sums over the pairs of a round. */
typedef struct {
	const KxFit *f;
	gdouble *along;	   /* [rank]: sum over pairs of the difference in u */
	gdouble *contrast; /* [columns]: in x */
	gdouble residual, difference;
	guint n;
} Round;

static const gdouble *row(const KxFit *f, const gdouble *list, gsize i)
{
	return list + i * f->columns;
}

/* Mean over the VMs that have a pair in @round; FALSE: none has. */
static gboolean read_round(const Pairs *p, guint round, Round *r)
{
	const KxFit *f = r->f;

	r->n = 0;
	r->residual = r->difference = 0;
	for (guint c = 0; c < f->columns; c++)
		r->along[c] = r->contrast[c] = 0;
	for (guint vm = 0; vm < p->t->vms; vm++) {
		gsize of = kx_trial_index(p->t, vm, round, p->setting);
		gsize base = kx_trial_index(p->t, vm, round, p->reference);
		gsize a = f->row_of[of], b = f->row_of[base];

		if (a == G_MAXSIZE || b == G_MAXSIZE)
			continue;
		r->n++;
		r->residual += f->residuals[a] - f->residuals[b];
		r->difference += kx_trial_log(p->t, of) - kx_trial_log(p->t, base);
		for (guint c = 0; c < f->columns; c++) {
			r->along[c] += row(f, f->u, a)[c] - row(f, f->u, b)[c];
			r->contrast[c] += row(f, f->x, a)[c] - row(f, f->x, b)[c];
		}
	}
	if (!r->n)
		return FALSE;
	r->residual /= r->n;
	r->difference /= r->n;
	for (guint c = 0; c < f->columns; c++) {
		r->along[c] /= r->n;
		r->contrast[c] /= r->n;
	}
	return TRUE;
}

/* --- how removing terms changes mean and scatter -------------------------------------------------------------------- */

/* Sums over rounds. */
typedef struct {
	gdouble *along, *contrast; /* of these */
	gdouble along2,
		weight2; /* of the squares of along, and of the weights of windows in a round */
	gdouble residual, difference;
} Sums;

/*
 * The correction of the mean is @q' times the coefficients, where @q is the mean contrast in all columns except the settings'.
 * In terms of windows the correction is u w. FALSE: the order of the windows cannot separate it from the settings.
 */
static gboolean taken_out(const KxFit *f, const gdouble *q, gdouble *w)
{
	gdouble outside = 0, length = 0;

	for (guint r = 0; r < f->rank; r++) {
		w[r] = 0;
		for (guint c = f->own_columns; c < f->columns; c++)
			w[r] += f->v[c * f->columns + r] * q[c] / f->s[r];
	}
	for (guint c = 0; c < f->columns; c++) {
		gdouble want = c < f->own_columns ? 0 : q[c], is = 0;

		for (guint r = 0; r < f->rank; r++)
			is += f->v[c * f->columns + r] * w[r] * f->s[r];
		outside += (want - is) * (want - is);
		length += want * want;
	}
	return outside <= 1e-12 * fmax(length, 1e-6);
}

static gboolean mean_and_scatter(Pairs *p, const KxFit *f, const Sums *s)
{
	g_autofree gdouble *q = g_new(gdouble, f->columns), *w = g_new(gdouble, f->columns);
	gdouble n = p->n, plain = s->weight2 / n / n, taken = 0, along2 = 0, estimate;

	for (guint c = 0; c < f->columns; c++)
		q[c] = s->contrast[c] / n;
	if (!taken_out(f, q, w))
		return FALSE;
	p->variance = plain;
	for (guint r = 0; r < f->rank; r++) {
		p->variance += w[r] * w[r] - 2 * w[r] * s->along[r] / n;
		along2 += s->along[r] * s->along[r] / n;
	}
	p->scatter = s->weight2 * (1 - 1 / n) - (s->along2 - along2);
	p->degrees = (n - 1) * p->scatter / (s->weight2 * (1 - 1 / n));
	for (guint c = f->own_columns; c < f->columns; c++)
		taken += q[c] * f->coefficients[c];
	estimate = s->difference / n - taken;
	for (guint i = 0; i < p->n; i++)
		p->d[i] += estimate - s->residual / n;
	return TRUE;
}

static void add_round(Pairs *p, const KxFit *f, const Round *r, Sums *s)
{
	p->d[p->n++] = r->residual;
	s->residual += r->residual;
	s->difference += r->difference;
	s->weight2 += 2.0 / r->n;
	for (guint c = 0; c < f->columns; c++) {
		s->along[c] += r->along[c];
		s->contrast[c] += r->contrast[c];
	}
	for (guint c = 0; c < f->rank; c++)
		s->along2 += r->along[c] * r->along[c];
}

/* NULL: the terms cannot be separated from the settings. */
static Pairs *pairs_new(const KxTrial *t, guint setting, guint reference, guint terms,
			gdouble spread)
{
	g_autoptr(KxFit) f = kx_fit_new(t, terms, 0, spread);
	Pairs *p = g_new0(Pairs, 1);
	g_autofree gdouble *lists = NULL;
	Round r;
	Sums s;

	*p = (Pairs){ .t = t, .setting = setting, .reference = reference, .terms = terms };
	p->d = g_new0(gdouble, t->rounds + 1);
	if (!f)
		return p;
	lists = g_new0(gdouble, 4 * (gsize)f->columns);
	r = (Round){ .f = f, .along = lists, .contrast = lists + f->columns };
	s = (Sums){ .along = lists + 2 * (gsize)f->columns,
		    .contrast = lists + 3 * (gsize)f->columns };
	for (guint round = 0; round < t->rounds; round++) {
		if (read_round(p, round, &r))
			add_round(p, f, &r, &s);
	}
	if (p->n && !mean_and_scatter(p, f, &s))
		g_clear_pointer(&p, pairs_free);
	return p;
}

/* --- which terms ---------------------------------------------------------------------------------------------------- */

/* Length of the interval for comparing orders, if the variance of a window is 1. */
static gdouble expected_half(const Pairs *p)
{
	return p->n > 1 && p->degrees > 0.5 && p->variance > 0
		       ? kx_estimate_t(p->degrees) * sqrt(p->variance)
		       : INFINITY;
}

/* Drift, if removing it makes the interval not much longer; this depends on the order of the windows, not on their values. */
static Pairs *without_drift(const KxTrial *t, guint setting, guint reference)
{
	Pairs *plain = pairs_new(t, setting, reference, 0, INFINITY);
	g_autoptr(Pairs) p = NULL;

	if (!t->positions || plain->n < 2)
		return plain;
	p = pairs_new(t, setting, reference, KX_TERM_DRIFT, INFINITY);
	if (!p || !(expected_half(p) <= LONGER_AT_MOST * expected_half(plain)))
		return plain;
	pairs_free(plain);
	return g_steal_pointer(&p);
}

/* Also carry-over, as far as the windows show it. */
static Pairs *without_order(const KxTrial *t, guint setting, guint reference)
{
	Pairs *drift = without_drift(t, setting, reference);
	g_autoptr(Pairs) p = NULL;
	gdouble spread = t->before && drift->n > 1 ? kx_fit_spread(t, drift->terms) : 0;

	if (!(spread > 0))
		return drift;
	p = pairs_new(t, setting, reference, drift->terms | KX_TERM_CARRY, spread);
	if (!p || !isfinite(expected_half(p)))
		return drift;
	pairs_free(drift);
	return g_steal_pointer(&p);
}

/* --- the effect ----------------------------------------------------------------------------------------------------- */

static KxEffect no_effect(const gchar *why, guint missing)
{
	return (KxEffect){
		.ratio = { .value = NAN,
			   .low = NAN,
			   .high = NAN,
			   .missing = missing,
			   .na = why,
			   .open = why },
		.within = NAN,
		.se = NAN,
		.degrees = NAN,
	};
}

static void judge(KxEffect *e)
{
	e->differs = e->ratio.low > 1 || e->ratio.high < 1;
	e->within = e->differs || e->ratio.open ? NAN : fmax(1 - e->ratio.low, e->ratio.high - 1);
}

static gdouble mean_of(const Pairs *p)
{
	gdouble sum = 0;

	for (guint i = 0; i < p->n; i++)
		sum += p->d[i];
	return sum / p->n;
}

/* The interval of the logarithm about its mean. The bootstrap knows only the scatter of d: its ends are scaled like the standard error. */
static void find_ends(const Pairs *p, KxEffect *e, gdouble mean, guint64 seed, gdouble *low,
		      gdouble *high)
{
	g_autofree gdouble *ones = g_new(gdouble, p->n);
	gdouble squares = 0, plain, first, last;

	for (guint i = 0; i < p->n; i++) {
		ones[i] = 1;
		squares += (p->d[i] - mean) * (p->d[i] - mean);
	}
	e->degrees = p->degrees;
	e->se = sqrt(squares / p->scatter * p->variance);
	*high = kx_estimate_t(p->degrees) * e->se;
	*low = -*high;
	e->ratio.method = KX_METHOD_T;
	if (p->n < KX_BOOTSTRAP_ROUNDS)
		return;
	e->ratio.method = KX_METHOD_BCA;
	plain = sqrt(squares / (p->n - 1) / p->n);
	if (!(plain > 0))
		return;
	kx_estimate_bca(p->d, ones, p->n, p->degrees, seed, &first, &last);
	*low = fmin(*low, (first - mean) * e->se / plain);
	*high = fmax(*high, (last - mean) * e->se / plain);
}

static KxEffect effect_of(const Pairs *p, guint64 seed)
{
	gdouble mean = mean_of(p), low, high;
	KxEffect e = no_effect(NULL, p->t->rounds - p->n);

	e.ratio.n = p->n;
	e.ratio.value = exp(mean);
	e.drift_out = (p->terms & KX_TERM_DRIFT) != 0;
	e.carry_out = (p->terms & KX_TERM_CARRY) != 0;
	if (p->n < 2) {
		e.ratio.open = one_pair;
		return e;
	}
	find_ends(p, &e, mean, seed, &low, &high);
	e.ratio.low = exp(mean + low);
	e.ratio.high = exp(mean + high);
	judge(&e);
	return e;
}

/* A setting compared with itself: only the number of rounds is known. */
static KxEffect effect_of_reference(const KxTrial *t, guint setting)
{
	KxEffect e = no_effect(NULL, 0);

	e.ratio.value = 1;
	e.ratio.open = itself;
	for (guint round = 0; round < t->rounds; round++) {
		guint there = 0;

		for (guint vm = 0; vm < t->vms; vm++)
			there += !isnan(kx_trial_log(t, kx_trial_index(t, vm, round, setting)));
		e.ratio.n += there > 0;
	}
	e.ratio.missing = t->rounds - e.ratio.n;
	return e;
}

KxEffect kx_effect(const KxTrial *t, guint setting, guint reference, guint64 seed)
{
	g_autoptr(Pairs) p = NULL;

	if (setting >= t->settings || reference >= t->settings)
		return no_effect(no_settings, t->rounds);
	if (setting == reference)
		return effect_of_reference(t, setting);
	p = without_order(t, setting, reference);
	if (!p->n)
		return no_effect(no_pair, t->rounds);
	return effect_of(p, seed);
}

KxEffect kx_effect_inverse(const KxEffect *e)
{
	KxEffect inverse = *e;

	inverse.ratio.value = 1 / e->ratio.value;
	inverse.ratio.low = 1 / e->ratio.high;
	inverse.ratio.high = 1 / e->ratio.low;
	judge(&inverse);
	return inverse;
}

/* --- how many rounds ------------------------------------------------------------------------------------------------ */

static gdouble half_after(const KxEffect *e, gdouble n)
{
	gdouble degrees = n - (e->ratio.n - e->degrees);

	return e->ratio.value * sinh(kx_estimate_t(degrees) * e->se * sqrt(e->ratio.n / n));
}

guint kx_effect_rounds_for(const KxEffect *e, gdouble precision)
{
	guint enough, few = e->ratio.n;

	if (e->ratio.na || e->ratio.open || isnan(e->se) || !(precision > 0))
		return G_MAXUINT;
	if ((e->ratio.high - e->ratio.low) / 2 <= precision)
		return e->ratio.n;
	for (enough = few + 1; half_after(e, enough) > precision; enough *= 2) {
		if (enough > G_MAXINT / 4)
			return G_MAXUINT;
		few = enough;
	}
	while (enough - few > 1) {
		guint middle = few + (enough - few) / 2;

		if (half_after(e, middle) > precision)
			few = middle;
		else
			enough = middle;
	}
	return enough;
}
