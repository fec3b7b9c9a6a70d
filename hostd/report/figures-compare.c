/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ratios between rows of the same VM. */
#include "pool.h"

#include <math.h>

/*
 * The quotient of two independent ratio estimates: relative variances are added, the degrees of freedom are those of Welch
 * and Satterthwaite.
 */
static KxFigure quotient(const KxRatioSums *num, const KxRatioSums *den)
{
	double a, b, se_a, se_b, va, vb, q, degrees;

	if (!kx_ratio_estimate(num, &a, &se_a) || !kx_ratio_estimate(den, &b, &se_b) || b <= 0)
		return kx_unavailable("nothing was measured to compare");
	q = a / b;
	if (isnan(se_a) || isnan(se_b))
		return kx_figure(q, num->n);
	va = a > 0 ? (se_a / a) * (se_a / a) : 0;
	vb = (se_b / b) * (se_b / b);
	if (va + vb <= 0)
		return kx_figure_interval(q, 0, num->n);
	degrees = (va + vb) * (va + vb) /
		  (va * va / (double)(num->n - 1) + vb * vb / (double)(den->n - 1));
	return kx_figure_interval(q, kx_t_quantile(degrees) * q * sqrt(va + vb), num->n);
}

/* --- against off ------------------------------------------------------------- */

static KxFigure against_off(const KxFigure *own, const KxRatioSums *num, const KxRatioSums *off,
			    gboolean have_off, const char *off_na, gboolean is_off)
{
	if (own->na)
		return kx_unavailable(own->na);
	if (is_off)
		return kx_figure(1, num->n);
	if (!have_off)
		return kx_unavailable("no off window to compare with");
	if (!(off->x > 0))
		return kx_unavailable(off_na ? off_na
					     : "the off windows are too short to compare with");
	if (!(off->y > 0))
		return kx_unavailable("the off windows counted none to compare with");
	return quotient(num, off);
}

static void compare_with_off(GPtrArray *pools)
{
	KxRatioSums exits = { 0 }, work = { 0 };
	const char *exits_na = NULL, *work_na = NULL;
	gboolean have_off = FALSE;

	for (guint i = 0; i < pools->len; i++) {
		const KxPool *p = pools->pdata[i];

		if (!p->off)
			continue;
		have_off = TRUE;
		kx_ratio_pool(&exits, &p->exits);
		kx_ratio_pool(&work, &p->work);
		exits_na = p->exits_na;
		work_na = p->work_na;
	}
	for (guint i = 0; i < pools->len; i++) {
		KxPool *p = pools->pdata[i];

		p->row->exits_vs_off = against_off(&p->row->exits_per_s, &p->exits, &exits,
						   have_off, exits_na, p->off);
		p->row->work_vs_off = against_off(&p->row->work_per_s, &p->work, &work, have_off,
						  work_na, p->off);
	}
}

/* --- against the cheapest ------------------------------------------------------ */

/* With fewer samples or passes an interval is wider than its ratio, and chance decides which tracker is the cheapest. */
#define LEAST_SAMPLES 30
#define LEAST_PASSES  5

/* Costs of one kind: the host's CPU time, or the guest's. */
typedef struct {
	gsize cost, ratio, per_page; /* offsets of figures in a row */
	gboolean guest;
} Kind;

static const Kind kinds[] = {
	{ G_STRUCT_OFFSET(KxRow, cost_per_sample_ns), G_STRUCT_OFFSET(KxRow, cost_vs_cheapest),
	  G_STRUCT_OFFSET(KxRow, cost_per_page_vs_cheapest), FALSE },
	{ G_STRUCT_OFFSET(KxRow, guest_cost_per_sample_ns),
	  G_STRUCT_OFFSET(KxRow, guest_cost_vs_cheapest),
	  G_STRUCT_OFFSET(KxRow, guest_cost_per_page_vs_cheapest), TRUE },
};

static KxFigure *figure_at(const KxPool *p, gsize offset)
{
	return (KxFigure *)((char *)p->row + offset);
}

static gboolean is_too_few(const KxPool *p)
{
	return p->cost.n < LEAST_PASSES || p->cost.x < LEAST_SAMPLES;
}

static KxFigure too_few(const KxPool *p)
{
	g_autofree char *why =
		g_strdup_printf("too few samples to compare: %.0f in %" G_GUINT64_FORMAT
				" passes, where %d in %d are the least",
				p->cost.x, p->cost.n, LEAST_SAMPLES, LEAST_PASSES);

	return kx_unavailable(why);
}

static const KxPool *cheapest_of(const GPtrArray *pools, const Kind *k)
{
	const KxPool *cheapest = NULL;
	double least = INFINITY;

	for (guint i = 0; i < pools->len; i++) {
		const KxPool *p = pools->pdata[i];
		const KxFigure *cost = figure_at(p, k->cost);
		gboolean in_guest = (p->row->parts & 1u << KX_PART_GUEST) != 0;

		if (in_guest != k->guest || cost->na || !(cost->value > 0) ||
		    cost->value >= least || is_too_few(p))
			continue;
		cheapest = p;
		least = cost->value;
	}
	return cheapest;
}

static KxFigure against_cheapest(const KxPool *p, const KxFigure *cost, const KxPool *cheapest)
{
	if (cost->na)
		return kx_unavailable(cost->na);
	if (is_too_few(p))
		return too_few(p);
	if (!cheapest)
		return kx_unavailable("no tracker used measurable CPU time");
	return p == cheapest ? kx_figure(1, cost->n) : quotient(&p->cost, &cheapest->cost);
}

/*
 * A sample is a leaf, and leaves of two trackers can have different sizes (4K, 2M): the same ratio, but of the cost per page
 * that a sample covers.
 */
static KxFigure per_page(const KxPool *p, const KxFigure *ratio, const KxPool *cheapest)
{
	const KxFigure *own = &p->row->pages_per_sample;
	const KxFigure *base = cheapest ? &cheapest->row->pages_per_sample : own;
	const char *no_pages = kx_pool_no_pages(p);
	KxFigure f;

	if (!no_pages && cheapest)
		no_pages = kx_pool_no_pages(cheapest);
	if (ratio->na || own->na || base->na || no_pages)
		return kx_unavailable(ratio->na	 ? ratio->na
				      : own->na	 ? own->na
				      : base->na ? base->na
						 : no_pages);
	if (!(own->value > 0 && base->value > 0))
		return kx_unavailable("it is not known how many pages a sample covers");
	f = kx_figure_copy(ratio);
	f.value *= base->value / own->value;
	f.low *= base->value / own->value;
	f.high *= base->value / own->value;
	return f;
}

static void compare_costs(GPtrArray *pools, const Kind *k)
{
	const KxPool *cheapest = cheapest_of(pools, k);

	for (guint i = 0; i < pools->len; i++) {
		const KxPool *p = pools->pdata[i];
		KxFigure *ratio = figure_at(p, k->ratio), *page = figure_at(p, k->per_page);

		kx_figure_clear(ratio);
		kx_figure_clear(page);
		*ratio = against_cheapest(p, figure_at(p, k->cost), cheapest);
		*page = per_page(p, ratio, cheapest);
	}
}

void kx_compare_figures(GPtrArray *pools)
{
	compare_with_off(pools);
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
		compare_costs(pools, &kinds[i]);
}
