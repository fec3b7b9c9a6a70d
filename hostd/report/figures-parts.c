// SPDX-License-Identifier: GPL-2.0-or-later
/* Figures of parts, which only some rows have, by the formulas of model/part-*.def. */
#include "formula.h"

#include <math.h>
#include <string.h>

/* --- accesses missed -------------------------------------------------------------------------------------------------- */

/* The share of the control's findings that the policy does not find; by chance the share can be below 0. */
static KxFigure missed_of(const KxRatioSums *s)
{
	double r, se, half;

	if (!s->n)
		return kx_unavailable("no pair of passes was completed");
	if (!kx_ratio_estimate(s, &r, &se))
		return kx_unavailable("the control found no page accessed");
	if (s->n < 2)
		return kx_unavailable("only one pair of passes");
	half = kx_t_quantile((double)s->n - 1) * se;
	return (KxFigure){ .value = 1 - r, .low = 1 - r - half, .high = 1 - r + half, .n = s->n };
}

static KxFigure missed_share(const KxPool *p)
{
	KxRatioSums s = { 0 };

	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];
		KxRatioSums own = { w->stale_pairs, w->stale_p,	 w->stale_k,
				    w->stale_p2,    w->stale_k2, w->stale_cross };

		if (w->has_staleness)
			kx_ratio_pool(&s, &own);
	}
	return missed_of(&s);
}

/* Whether the two settings differ in nothing but the option staleness=yes. */
static gboolean differ_by_staleness(const KxRow *with, const KxRow *without)
{
	static const char word[] = " staleness=yes";
	const char *at = strstr(with->options, word);

	return at && g_str_equal(with->tracker, without->tracker) &&
	       g_strcmp0(with->mechanism, without->mechanism) == 0 &&
	       strncmp(with->options, without->options, (gsize)(at - with->options)) == 0 &&
	       g_str_equal(at + strlen(word), without->options + (at - with->options));
}

void kx_lend_missed(GPtrArray *pools)
{
	for (guint i = 0; i < pools->len; i++) {
		const KxRow *from = ((const KxPool *)pools->pdata[i])->row;

		for (guint k = 0; from->staleness && k < pools->len; k++) {
			KxRow *to = ((KxPool *)pools->pdata[k])->row;

			if (to->staleness || !differ_by_staleness(from, to))
				continue;
			to->parts |= 1u << KX_PART_MISSED;
			to->missed_by = i;
			kx_figure_clear(&to->missed);
			kx_figure_clear(&to->missed_dropped);
			to->missed = kx_figure_copy(&from->missed);
			to->missed_dropped = kx_figure_copy(&from->missed_dropped);
		}
	}
}

/* --- QEMU's dirty rate ---------------------------------------------------------------------------------------------------- */

static KxFigure mean_rate(const KxPool *p)
{
	KxRatioSums s = { 0 };
	const char *why = NULL;

	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];
		double n = (double)w->rate_measured, sum = (double)w->rate_sum;
		KxRatioSums own = { w->rate_measured, sum, n, (double)w->rate_squares, n, sum };

		if (!w->has_rate)
			continue;
		kx_ratio_pool(&s, &own);
		why = w->rate_why ? w->rate_why : w->rate_dropped_for ? w->rate_dropped_for : why;
	}
	return kx_figure_from_sums(&s, 1, why ? why : "no measurement has ended");
}

/* --- pages by age ---------------------------------------------------------------------------------------------------------- */

static KxFigure mean_young(const KxPool *p)
{
	KxRatioSums s = { 0 };

	for (guint i = 0; i < p->windows->len; i++) {
		const KxWindow *w = p->windows->pdata[i];
		double n = (double)w->ages_passes, sum = (double)w->ages_young;
		KxRatioSums own = { w->ages_passes, sum, n, w->ages_squares, n, sum };

		if (w->has_ages)
			kx_ratio_pool(&s, &own);
	}
	return kx_figure_from_sums(&s, 1, "no pass was completed");
}

/* --- all parts -------------------------------------------------------------------------------------------------------- */

/* One function for each part, with its name: log_figures, walk_figures, … */
#define PART(id, name, member, none, heading, manual)           \
	static void name##_figures(const KxPool *p, KxRow *row) \
	{                                                       \
		const gsize has G_GNUC_UNUSED = G_STRUCT_OFFSET(KxWindow, member);
#define TABLE(id, name, heading, manual)                        \
	static void name##_figures(const KxPool *p, KxRow *row) \
	{
#define FIGURE(member, unit, column, formula, manual) row->member = formula;
#define ASIDE(type, member, value)		      row->member = value;
#define PART_END				      }
#include "model/parts.def"

static void (*const compute[KX_PARTS])(const KxPool *p, KxRow *row) = {
#define PART(id, name, has, none, heading, manual) [KX_PART_##id] = name##_figures,
#define TABLE(id, name, heading, manual)	   [KX_PART_##id] = name##_figures,
#include "model/parts.def"
};

void kx_part_figures(KxPool *p)
{
	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		if (!f->given && !kx_row_has(p->row, f->part))
			*kx_row_figure(p->row, f->offset) = kx_unavailable(kx_parts[f->part].none);
	}
	for (guint i = 0; i < KX_PARTS; i++) {
		if (compute[i] && kx_row_has(p->row, i))
			compute[i](p, p->row);
	}
}
