// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cells of the report's tables. A value that was not measured is "n/a (1)", a value with a footnote is "0.75 (2)"; the reason
 * or footnote with this number is below the tables.
 */
#include "text-internal.h"

#include <math.h>

#include "base/textfmt.h"

static guint footnote(KxText *t, const char *words)
{
	guint i;

	for (i = 0; i < t->footnotes->len && !g_str_equal(t->footnotes->pdata[i], words); i++)
		;
	if (i == t->footnotes->len)
		g_ptr_array_add(t->footnotes, g_strdup(words));
	return i + 1;
}

char *kx_na_cell(KxText *t, const char *reason)
{
	return g_strdup_printf("n/a (%u)", footnote(t, reason));
}

/* Takes ownership of @cell. */
static char *with_note(KxText *t, const KxFigure *f, char *cell)
{
	g_autofree char *plain = cell;

	return f->note ? g_strdup_printf("%s (%u)", plain, footnote(t, f->note))
		       : g_steal_pointer(&plain);
}

char *kx_row_cell(const GPtrArray *rows, guint index)
{
	g_autofree char *label = kx_row_label(rows, index);

	return kx_text_clean(label);
}

/* --- kinds of values -------------------------------------------------------------------------------------------------- */

static char *cost_text(const KxFigure *f)
{
	return isnan(f->low) ? kx_text_ns(f->value)
			     : kx_text_ns_interval(f->value, f->low, f->high);
}

static char *ns_text(const KxFigure *f)
{
	return kx_text_ns(f->value);
}

static char *seconds_text(const KxFigure *f)
{
	return kx_text_ns(f->value * 1e9);
}

static char *count_text(const KxFigure *f)
{
	return kx_text_count(f->value);
}

static char *number_text(const KxFigure *f)
{
	return kx_text_number(f->value);
}

static char *estimate_text(const KxFigure *f)
{
	g_autofree char *value = kx_text_number(f->value), *low = NULL, *high = NULL;

	if (isnan(f->high))
		return g_steal_pointer(&value);
	low = kx_text_number(f->low);
	high = kx_text_number(f->high);
	return g_strdup_printf("%s [%s, %s]", value, low, high);
}

static char *bytes_text(const KxFigure *f)
{
	return kx_text_pages_bytes((guint64)(f->value / 4096));
}

/* Shares are not rounded up: 0.99999 is not shown as 1. All decimals are shown, so that a share does not look like a count. */
static char *share_text(const KxFigure *f)
{
	return g_strdup_printf("%.4f", floor(f->value * 10000) / 10000);
}

/* A share with the number of pages of which it is a share, which shows how reliable the share is. */
static char *truth_text(const KxFigure *f)
{
	g_autofree char *value = share_text(f), *pages = kx_text_count((double)f->n);

	return g_strdup_printf("%s of %s", value, pages);
}

static char *missed_text(const KxFigure *f)
{
	if (isnan(f->high))
		return g_strdup_printf("%.2f %%", f->value * 100);
	return g_strdup_printf("%.2f %% [%.2f, %.2f]", f->value * 100, f->low * 100, f->high * 100);
}

static char *ratio_text(const KxFigure *f)
{
	/* an interval is not shown as 0 because it is narrow */
	int decimals = f->high - f->low < 0.01 ? 3 : 2;

	if (isnan(f->high))
		return g_strdup_printf("%.2fx", f->value);
	return g_strdup_printf("%.*fx [%.*f, %.*f]", decimals, f->value, decimals, f->low, decimals,
			       f->high);
}

/* --- cells that are computed from the row ------------------------------------------------------------------------------ */

static char *pairs_text(const GPtrArray *rows, guint index)
{
	const KxRow *row = rows->pdata[index];
	g_autofree char *used = kx_text_count((double)row->missed.n);
	g_autofree char *dropped = kx_text_count(row->missed_dropped.value);

	return g_strdup_printf("%s / %s", used, dropped);
}

/* The row in which the misses were measured: another row than those whose costs are measured. */
static char *measured_in_text(const GPtrArray *rows, guint index)
{
	return kx_row_cell(rows, ((const KxRow *)rows->pdata[index])->missed_by);
}

static const struct {
	char *(*text)(const KxFigure *f);
	char *(*of_row)(const GPtrArray *rows, guint index); /* instead of text() */
} kinds[] = {
	[KX_CELL_COST] = { .text = cost_text },
	[KX_CELL_NS] = { .text = ns_text },
	[KX_CELL_SECONDS] = { .text = seconds_text },
	[KX_CELL_COUNT] = { .text = count_text },
	[KX_CELL_NUMBER] = { .text = number_text },
	[KX_CELL_ESTIMATE] = { .text = estimate_text },
	[KX_CELL_BYTES] = { .text = bytes_text },
	[KX_CELL_SHARE] = { .text = share_text },
	[KX_CELL_TRUTH] = { .text = truth_text },
	[KX_CELL_MISSED] = { .text = missed_text },
	[KX_CELL_RATIO] = { .text = ratio_text },
	[KX_CELL_PAIRS] = { .of_row = pairs_text },
	[KX_CELL_MEASURED_IN] = { .of_row = measured_in_text },
};

char *kx_cell_value(const GPtrArray *rows, guint index, KxCell kind, const KxFigure *f)
{
	return kinds[kind].of_row ? kinds[kind].of_row(rows, index) : kinds[kind].text(f);
}

const char *kx_cell_na(const KxRow *row, const KxFigureSpec *spec)
{
	const char *reason = kx_row_figure(row, spec->offset)->na;

	if (spec->cell == KX_CELL_MEASURED_IN)
		return NULL; /* the other row is known, even if it measured nothing */
	for (guint i = 0; i < KX_OTHERS_MAX && spec->others[i]; i++) {
		if (g_strcmp0(reason, kx_row_figure(row, spec->others[i])->na) != 0)
			return NULL;
	}
	return reason;
}

/* --- one figure, or several in a cell ----------------------------------------------------------------------------------- */

static char *value_cell(KxText *t, const GPtrArray *rows, guint index, gsize offset, KxCell kind)
{
	const KxFigure *f = kx_row_figure(rows->pdata[index], offset);

	if (kinds[kind].of_row)
		return kinds[kind].of_row(rows, index);
	return f->na ? kx_na_cell(t, f->na) : with_note(t, f, kinds[kind].text(f));
}

char *kx_figure_cell(KxText *t, const GPtrArray *rows, guint index, const KxFigureSpec *spec)
{
	const char *reason = kx_cell_na(rows->pdata[index], spec);
	char *cell;

	if (reason)
		return kx_na_cell(t, reason);
	cell = value_cell(t, rows, index, spec->offset, spec->cell);
	for (guint i = 0; i < KX_OTHERS_MAX && spec->others[i]; i++) {
		g_autofree char *left = cell;
		g_autofree char *right = value_cell(t, rows, index, spec->others[i], spec->cell);

		cell = g_strdup_printf("%s / %s", left, right);
	}
	return cell;
}
