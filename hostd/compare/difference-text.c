// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A difference as text: the two comparisons, the conditions that differ, and a table. Each main figure has three columns: A, B and
 * the change. Other figures have the change alone, if any setting has one.
 */
#include "difference.h"

#include <math.h>

#include "base/textfmt.h"
#include "comparison-internal.h"
#include "sameness.h"

#define INDENT 2u

/* --- cells -------------------------------------------------------------------------------------------------------- */

static gboolean is_percent(KxComparedKind kind)
{
	return kind == KX_COMPARED_PERCENT || kind == KX_COMPARED_POINTS;
}

/* A number with its sign, because it is a difference. */
static char *signed_text(KxComparedKind kind, double x)
{
	g_autofree char *number = kind == KX_COMPARED_SHARE ? g_strdup_printf("%.3f", fabs(x))
				  : is_percent(kind)	    ? g_strdup_printf("%.3g", fabs(x))
							    : kx_text_number(fabs(x));

	return g_strconcat(x < 0 ? "-" : x > 0 ? "+" : "", number, NULL);
}

static char *difference_text(KxComparedKind kind, const KxFigure *f)
{
	g_autofree char *value = signed_text(kind, f->value), *low = signed_text(kind, f->low);
	g_autofree char *high = signed_text(kind, f->high);

	return g_strdup_printf("%s [%s, %s]%s", value, low, high,
			       is_percent(kind) ? " points" : "");
}

static char *change_cell(const KxChange *c)
{
	const KxFigure *f = &c->change;
	g_autofree char *text = NULL;

	if (f->na)
		return g_strdup("n/a");
	if (c->is_ratio)
		text = g_strdup_printf("%.3f [%.3f, %.3f]", f->value, f->low, f->high);
	else if (c->figure->kind == KX_COMPARED_NS)
		text = kx_text_ns_interval(f->value, f->low, f->high);
	else
		text = difference_text(c->figure->kind, f);
	return g_strconcat(text, c->changed ? " *" : "", NULL);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static const KxChange *change_at(const KxDifference *d, guint setting, guint figure)
{
	const KxChangedSetting *s = d->settings->pdata[setting];

	return s->changes->pdata[figure];
}

static guint figures_of(const KxDifference *d)
{
	return ((const KxChangedSetting *)d->settings->pdata[0])->changes->len;
}

static gboolean anything_changes(const KxDifference *d, guint figure)
{
	for (guint i = 0; i < d->settings->len; i++) {
		if (!change_at(d, i, figure)->change.na)
			return TRUE;
	}
	return FALSE;
}

static gboolean anything_known(const KxDifference *d, guint figure)
{
	for (guint i = 0; i < d->settings->len; i++) {
		const KxChange *c = change_at(d, i, figure);

		if (!c->a->na || !c->b->na)
			return TRUE;
	}
	return FALSE;
}

/* The heading has the figure's title in its first line, and A, B or the kind of change in its second line. */
static guint add_column(KxTable *table, const KxChange *c, const char *below)
{
	g_auto(GStrv) lines = g_strsplit(c->figure->title, "\n", -1);
	g_autofree char *line = g_strjoinv(" ", lines);
	g_autofree char *title = g_strdup_printf("%s\n%s", line, below);

	return kx_table_add_column(table, title, FALSE, FALSE);
}

static void add_values(KxTable *table, const KxDifference *d, guint figure)
{
	guint in_a = add_column(table, change_at(d, 0, figure), "A");
	guint in_b = add_column(table, change_at(d, 0, figure), "B");

	for (guint i = 0; i < d->settings->len; i++) {
		const KxChange *c = change_at(d, i, figure);

		kx_table_add_cell(table, in_a, kx_compared_cell(c->figure->kind, c->a));
		kx_table_add_cell(table, in_b, kx_compared_cell(c->figure->kind, c->b));
	}
}

static void add_changes(KxTable *table, const KxDifference *d, guint figure)
{
	const KxChange *first = change_at(d, 0, figure);
	guint column = add_column(table, first, first->is_ratio ? "B / A" : "B - A");

	for (guint i = 0; i < d->settings->len; i++)
		kx_table_add_cell(table, column, change_cell(change_at(d, i, figure)));
}

static void add_table(GString *out, const KxDifference *d, guint width)
{
	g_autoptr(KxTable) table = kx_table_new();
	guint column = kx_table_add_column(table, "setting", TRUE, FALSE);

	for (guint i = 0; i < d->settings->len; i++)
		kx_table_add_cell(
			table, column,
			g_strdup(((const KxChangedSetting *)d->settings->pdata[i])->setting));
	for (guint k = 0; k < figures_of(d); k++) {
		const KxComparedFigure *f = change_at(d, 0, k)->figure;

		if (!f->title)
			continue;
		/* Where no change can be computed, the reader sees at least the two values. */
		if (anything_known(d, k) && (f->boxed || !anything_changes(d, k)))
			add_values(table, d, k);
		if (anything_changes(d, k))
			add_changes(table, d, k);
	}
	kx_table_print(table, out, width, INDENT, 0);
}

/* --- sentences ---------------------------------------------------------------------------------------------------- */

static void add_comparison(GString *out, guint width, const char *letter, const char *name,
			   const KxComparison *c)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_local(c->start_realtime_ns / 1000000000);
	g_autofree char *when = t ? g_date_time_format(t, "%Y-%m-%d %H:%M:%S") : NULL;
	g_autofree char *shown = kx_text_clean(name);

	kx_compared_line(out, width, 0, '\0',
			 g_strdup_printf("%s: %s, begun %s, %u rounds%s%s", letter, shown,
					 when ? when : "n/a", c->rounds,
					 c->stopped ? "; ended early: " : "",
					 c->stopped ? c->stopped : ""));
	kx_compared_line(out, width, 3, '\0',
			 g_strdup_printf("host: Linux %s, %s",
					 c->host->kernel ? c->host->kernel : "?",
					 c->host->cpu_model ? c->host->cpu_model : "unknown CPU"));
	if (c->command)
		kx_compared_fold(out, width, 3, '\0', c->command);
}

static void add_differs(GString *out, const KxDifference *d, guint width)
{
	g_string_append_c(out, '\n');
	kx_compared_fold(out, width, 0, '\0',
			 d->differs->len ? "these conditions differ (A | B), and a change may come "
					   "from them:"
					 : "host, VMs and plan are the same as far as both "
					   "comparisons know them");
	for (guint i = 0; i < d->differs->len; i++) {
		const KxDiffers *f = d->differs->pdata[i];

		kx_compared_line(out, width, INDENT, '-',
				 g_strdup_printf("%s: %s | %s", f->what, f->a, f->b));
	}
}

static void add_only(GString *out, guint width, const char *letter, const GPtrArray *only)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < only->len; i++)
		g_string_append_printf(text, "%s%s", i ? ", " : "", (char *)only->pdata[i]);
	if (only->len)
		kx_compared_line(out, width, 0, '\0',
				 g_strdup_printf("%s: ran in %s only", text->str, letter));
}

/* The reason why change @k is n/a. The reference is left out: it takes no samples, and users know that. */
static const char *reason_at(const KxDifference *d, guint setting, guint k)
{
	return setting && anything_known(d, k) ? change_at(d, setting, k)->change.na : NULL;
}

static gboolean has_reason(const KxDifference *d, guint k, const char *why)
{
	for (guint i = 0; i < d->settings->len; i++) {
		if (g_strcmp0(reason_at(d, i, k), why) == 0)
			return TRUE;
	}
	return FALSE;
}

/* Prints one reason and all figures that it applies to. */
static void add_reason(GString *out, const KxDifference *d, guint width, const char *why)
{
	g_autoptr(GString) text = g_string_new("change of ");
	const char *comma = "";

	for (guint k = 0; k < figures_of(d); k++) {
		g_autofree char *name = NULL;

		if (!has_reason(d, k, why))
			continue;
		name = kx_compared_name(change_at(d, 0, k)->figure);
		g_string_append_printf(text, "%s%s%s", comma, name,
				       anything_changes(d, k) ? " (of some settings)" : "");
		comma = ", ";
	}
	kx_compared_line(out, width, INDENT, '-', g_strdup_printf("%s: n/a, %s", text->str, why));
}

static void add_reasons(GString *out, const KxDifference *d, guint width)
{
	g_autoptr(GHashTable) said = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint k = 0; k < figures_of(d); k++) {
		for (guint i = 0; i < d->settings->len; i++) {
			const char *why = reason_at(d, i, k);

			if (why && g_hash_table_add(said, (gpointer)why))
				add_reason(out, d, width, why);
		}
	}
}

static void add_summary(GString *out, const KxDifference *d, guint width)
{
	if (!d->intervals) {
		g_string_append(out, "\nno figure can be compared\n");
		return;
	}
	g_string_append_c(out, '\n');
	kx_compared_line(
		out, width, 0, '\0',
		g_strdup_printf("%u of %u intervals of a change exclude \"no change\" (marked *); "
				"by chance alone about %.1f would",
				d->changed, d->intervals, d->intervals * 0.05));
}

char *kx_difference_to_text(const KxDifference *d, const KxComparison *a, const char *name_a,
			    const KxComparison *b, const char *name_b, guint width)
{
	GString *out = g_string_new(NULL);

	add_comparison(out, width, "A", name_a, a);
	add_comparison(out, width, "B", name_b, b);
	add_differs(out, d, width);
	add_only(out, width, "A", d->only_a);
	add_only(out, width, "B", d->only_b);
	add_summary(out, d, width);
	g_string_append_c(out, '\n');
	add_table(out, d, width);
	g_string_append_c(out, '\n');
	kx_text_fold(out, width,
		     "[low, high]: 95 % interval over rounds; of a change: of two independent runs "
		     "(Welch).",
		     INDENT);
	add_reasons(out, d, width);
	return g_string_free(out, FALSE);
}
