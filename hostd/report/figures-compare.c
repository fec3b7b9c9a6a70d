/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ratios between rows of the same VM. */
#include "pool.h"

static GArray *turns_new(void)
{
	return g_array_new(FALSE, FALSE, sizeof(KxTurn));
}

/* The ratio of two rates, with an interval if the windows took turns; else @plain, the ratio over all windows, with a note. */
static KxFigure ratio_of(const GArray *own, const GArray *base, double plain, guint64 n)
{
	KxFigure f = kx_figure(plain, n);
	const char *why = kx_turns_ratio(own, base, &f);

	if (why)
		kx_figure_note(&f, why);
	return f;
}

/* --- against off ------------------------------------------------------------- */

/* The sums over the windows without a tracker. */
typedef struct {
	gboolean there;
	KxRatioSums sums;
	const char *na;
	GArray *turns;
} Off;

/* A rate that is compared with that of off. */
typedef struct {
	KxRateFunc rate;
	gsize sums, na;	     /* offsets in KxPool */
	gsize figure, ratio; /* in KxRow */
} Rate;

static const Rate rates[] = {
	{ kx_window_exits, G_STRUCT_OFFSET(KxPool, exits), G_STRUCT_OFFSET(KxPool, exits_na),
	  G_STRUCT_OFFSET(KxRow, exits_per_s), G_STRUCT_OFFSET(KxRow, exits_vs_off) },
	{ kx_window_work, G_STRUCT_OFFSET(KxPool, work), G_STRUCT_OFFSET(KxPool, work_na),
	  G_STRUCT_OFFSET(KxRow, work_per_s), G_STRUCT_OFFSET(KxRow, work_vs_off) },
};

static KxFigure *figure_at(const KxPool *p, gsize offset)
{
	return kx_row_figure(p->row, offset);
}

static gint by_place(gconstpointer a, gconstpointer b)
{
	const KxTurn *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

static KxFigure against_off(const KxPool *p, const Rate *r, const Off *off)
{
	const KxFigure *own = figure_at(p, r->figure);
	g_autoptr(GArray) turns = turns_new();

	if (own->na)
		return kx_unavailable(own->na);
	if (p->off)
		return kx_figure(1, own->n);
	if (!off->there)
		return kx_unavailable("no off window to compare with");
	if (!(off->sums.x > 0))
		return kx_unavailable(off->na ? off->na
					      : "the off windows are too short to compare with");
	if (!(off->sums.y > 0))
		return kx_unavailable("nothing was counted in the off windows to compare with");
	kx_pool_turns(p, r->rate, turns);
	return ratio_of(turns, off->turns, own->value / (off->sums.y / off->sums.x), own->n);
}

static void compare_with_off(GPtrArray *pools, const Rate *r)
{
	Off off = { .turns = turns_new() };

	for (guint i = 0; i < pools->len; i++) {
		const KxPool *p = pools->pdata[i];

		if (!p->off)
			continue;
		off.there = TRUE;
		off.na = G_STRUCT_MEMBER(const char *, p, r->na);
		kx_ratio_pool(&off.sums, &G_STRUCT_MEMBER(const KxRatioSums, p, r->sums));
		kx_pool_turns(p, r->rate, off.turns);
	}
	g_array_sort(off.turns, by_place);
	for (guint i = 0; i < pools->len; i++) {
		const KxPool *p = pools->pdata[i];

		*figure_at(p, r->ratio) = against_off(p, r, &off);
	}
	g_array_unref(off.turns);
}

/* --- against the reference ------------------------------------------------------ */

/* With fewer samples or passes a ratio says nothing. */
#define LEAST_SAMPLES 30
#define LEAST_PASSES  5

/* Costs of one kind: the host's CPU time, or the guest's. */
typedef struct {
	gsize cost, ratio, per_page; /* offsets of figures in a row */
} Kind;

static const Kind kinds[] = {
	{ G_STRUCT_OFFSET(KxRow, cost_per_sample_ns), G_STRUCT_OFFSET(KxRow, cost_vs_reference),
	  G_STRUCT_OFFSET(KxRow, cost_per_page_vs_reference) },
	{ G_STRUCT_OFFSET(KxRow, guest_cost_per_sample_ns),
	  G_STRUCT_OFFSET(KxRow, guest_cost_vs_reference),
	  G_STRUCT_OFFSET(KxRow, guest_cost_per_page_vs_reference) },
};

static gboolean is_too_few(const KxPool *p)
{
	return p->cost.n < LEAST_PASSES || p->cost.x < LEAST_SAMPLES;
}

static KxFigure too_few(const KxPool *p, const char *whose)
{
	g_autofree char *why =
		g_strdup_printf("too few samples%s to compare: %.0f in %" G_GUINT64_FORMAT
				" passes, and at least %d in %d are needed",
				whose, p->cost.x, p->cost.n, LEAST_SAMPLES, LEAST_PASSES);

	return kx_unavailable(why);
}

/* The row with which the others are compared; NULL: @why. The user names it: the cheapest row may be cheap by chance. */
static const KxPool *reference_of(const GPtrArray *pools, const char *name, char **why)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new();
	guint i;

	*why = NULL;
	for (i = 0; i < pools->len; i++)
		g_ptr_array_add(rows, ((const KxPool *)pools->pdata[i])->row);
	i = name ? kx_row_called(rows, name) : rows->len;
	if (i < rows->len)
		return pools->pdata[i];
	*why = name ? g_strdup_printf("no row is called '%s'", name)
		    : g_strdup("no reference was named (--reference)");
	return NULL;
}

static KxFigure against_reference(const KxPool *p, const Kind *k, const KxPool *reference,
				  const char *no_reference)
{
	const KxFigure *own = figure_at(p, k->cost), *base;
	g_autoptr(GArray) turns = turns_new(), base_turns = turns_new();

	if (own->na)
		return kx_unavailable(own->na);
	if (!reference)
		return kx_unavailable(no_reference);
	base = figure_at(reference, k->cost);
	if (base->na) {
		g_autofree char *why = g_strdup_printf("of the reference: %s", base->na);

		return kx_unavailable(why);
	}
	if (is_too_few(p))
		return too_few(p, "");
	if (is_too_few(reference))
		return too_few(reference, " of the reference");
	if (p == reference)
		return kx_figure(1, own->n);
	if (!(base->value > 0))
		return kx_unavailable("the reference used no measurable CPU time");
	kx_pool_turns(p, kx_window_cost, turns);
	kx_pool_turns(reference, kx_window_cost, base_turns);
	return ratio_of(turns, base_turns, own->value / base->value, own->n);
}

/*
 * A sample is a leaf, and the leaves of two trackers can have different sizes (4K, 2M): so this is the ratio of the costs per page that
 * a sample covers.
 */
static KxFigure per_page(const KxPool *p, const KxFigure *ratio, const KxPool *reference)
{
	const KxFigure *own = &p->row->pages_per_sample;
	const KxFigure *base = reference ? &reference->row->pages_per_sample : own;
	const char *no_pages = kx_pool_no_pages(p);
	KxFigure f;

	if (!no_pages && reference)
		no_pages = kx_pool_no_pages(reference);
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

static void compare_costs(GPtrArray *pools, const char *name)
{
	g_autofree char *why = NULL;
	const KxPool *reference = reference_of(pools, name, &why);

	for (guint i = 0; i < pools->len * G_N_ELEMENTS(kinds); i++) {
		const KxPool *p = pools->pdata[i / G_N_ELEMENTS(kinds)];
		const Kind *k = &kinds[i % G_N_ELEMENTS(kinds)];
		KxFigure *ratio = figure_at(p, k->ratio), *page = figure_at(p, k->per_page);

		kx_figure_clear(ratio);
		kx_figure_clear(page);
		*ratio = against_reference(p, k, reference, why);
		*page = per_page(p, ratio, reference);
	}
	if (reference)
		reference->row->is_reference = TRUE;
}

void kx_compare_figures(GPtrArray *pools, const char *reference)
{
	for (guint i = 0; i < G_N_ELEMENTS(rates); i++)
		compare_with_off(pools, &rates[i]);
	compare_costs(pools, reference);
}
