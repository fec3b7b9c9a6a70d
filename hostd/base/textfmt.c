/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "textfmt.h"

#include <math.h>
#include <string.h>

/* --- numbers --------------------------------------------------------------- */

typedef struct {
	const char *suffix;
	double factor;
	double below; /* used for values below this, in base units */
} Scale;

static const Scale time_scales[] = {
	{ " ns", 1, 999.5 },  { " us", 1e3, 999.5e3 },	 { " ms", 1e6, 999.5e6 },
	{ " s", 1e9, 600e9 }, { " min", 60e9, 36000e9 }, { " h", 3600e9, INFINITY },
};

static const Scale number_scales[] = {
	{ "", 1, 999.5 },
	{ "k", 1e3, 999.5e3 },
	{ "M", 1e6, 999.5e6 },
	{ "G", 1e9, INFINITY },
};

static const Scale *scale_for(const Scale *scales, double value)
{
	while (scales->below != INFINITY && value >= scales->below)
		scales++;
	return scales;
}

/* Decimals for three significant digits. */
static int decimals_of(double value)
{
	value = fabs(value);
	if (value >= 99.95)
		return 0;
	if (value >= 9.995)
		return 1;
	return value >= 0.9995 ? 2 : value >= 0.09995 ? 3 : 4;
}

static char *scaled(const Scale *s, double value)
{
	double v = value / s->factor;

	if (v == 0)
		return g_strdup_printf("0%s", s->suffix);
	if (fabs(v) < 0.001)
		return g_strdup_printf(v < 0 ? ">-0.001%s" : "<0.001%s", s->suffix);
	return g_strdup_printf("%.*f%s", decimals_of(v), v, s->suffix);
}

char *kx_text_ns(double ns)
{
	return scaled(scale_for(time_scales, fabs(ns)), ns);
}

char *kx_text_ns_interval(double ns, double low, double high)
{
	const Scale *s = scale_for(time_scales, fabs(ns));
	double v = ns / s->factor, half = (high - low) / 2 / s->factor;
	int decimals = decimals_of(v);

	/* one more digit if rounding would make the interval 0 */
	if (half > 0 && half < 5 * pow(10, -decimals))
		decimals++;
	return g_strdup_printf("%.*f%s [%.*f, %.*f]", decimals, v, s->suffix, decimals,
			       low / s->factor, decimals, high / s->factor);
}

char *kx_text_number(double value)
{
	return scaled(scale_for(number_scales, fabs(value)), value);
}

char *kx_text_count(double value)
{
	if (value < 9999999.5)
		return g_strdup_printf("%.0f", value);
	return kx_text_number(value);
}

char *kx_text_pages_bytes(guint64 pages)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double size = (double)pages * 4;
	guint u = 0;

	for (; size >= 1024 && u + 1 < G_N_ELEMENTS(units); u++)
		size /= 1024;
	if (size == floor(size))
		return g_strdup_printf("%.0f %s", size, units[u]);
	return g_strdup_printf("%.1f %s", size, units[u]);
}

/* --- text ------------------------------------------------------------------ */

char *kx_text_clean(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
	GString *out = g_string_new(NULL);

	for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		GUnicodeType type = g_unichar_type(c);

		/* formatting characters can reorder or hide what a terminal shows */
		if (type == G_UNICODE_CONTROL || type == G_UNICODE_FORMAT ||
		    type == G_UNICODE_LINE_SEPARATOR || type == G_UNICODE_PARAGRAPH_SEPARATOR)
			c = 0xfffd;
		g_string_append_unichar(out, c);
	}
	return g_string_free(out, FALSE);
}

char *kx_text_list(const char *const *words, gsize n)
{
	GString *text = g_string_new(NULL);

	for (gsize i = 0; i < n; i++)
		g_string_append_printf(text, "%s%s",
				       !i	   ? ""
				       : i + 1 < n ? ", "
						   : " and ",
				       words[i]);
	return g_string_free(text, FALSE);
}

guint kx_text_columns(const char *text)
{
	guint n = 0;

	for (; *text; text = g_utf8_next_char(text)) {
		gunichar c = g_utf8_get_char(text);

		if (!g_unichar_iszerowidth(c))
			n += g_unichar_iswide(c) ? 2 : 1;
	}
	return n;
}

/* --- tables ---------------------------------------------------------------- */

typedef struct {
	char **title;
	gboolean left, boxed;
	GPtrArray *cells;
} Column;

struct _KxTable {
	GPtrArray *columns;
};

static void column_free(Column *c)
{
	g_strfreev(c->title);
	g_ptr_array_unref(c->cells);
	g_free(c);
}

KxTable *kx_table_new(void)
{
	KxTable *t = g_new0(KxTable, 1);

	t->columns = g_ptr_array_new_with_free_func((GDestroyNotify)column_free);
	return t;
}

void kx_table_free(KxTable *t)
{
	if (!t)
		return;
	g_ptr_array_unref(t->columns);
	g_free(t);
}

guint kx_table_add_column(KxTable *t, const char *title, gboolean left, gboolean boxed)
{
	Column *c = g_new0(Column, 1);

	c->title = g_strsplit(title, "\n", 2);
	c->left = left;
	c->boxed = boxed;
	c->cells = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(t->columns, c);
	return t->columns->len - 1;
}

void kx_table_add_cell(KxTable *t, guint column, char *cell)
{
	g_ptr_array_add(((Column *)t->columns->pdata[column])->cells, cell);
}

static guint column_width(const Column *c)
{
	guint width = 0;

	for (char **line = c->title; *line; line++)
		width = MAX(width, kx_text_columns(*line));
	for (guint i = 0; i < c->cells->len; i++)
		width = MAX(width, kx_text_columns(c->cells->pdata[i]));
	return width;
}

/* Width of a column with the gap before it (the first has none), and its bars. */
static guint outer_width(const Column *c)
{
	return column_width(c) + (c->boxed ? 6 : 2);
}

static void print_padded(GString *out, const Column *c, const char *text)
{
	guint pad = column_width(c) - kx_text_columns(text);

	g_string_append(out, c->boxed ? "| " : "");
	g_string_append_printf(out, "%*s", c->left ? 0 : (int)pad, "");
	g_string_append(out, text);
	g_string_append_printf(out, "%*s", c->left ? (int)pad : 0, "");
	g_string_append(out, c->boxed ? " |" : "");
}

static void print_rule(GString *out, const Column *c)
{
	guint width = column_width(c);

	g_string_append(out, c->boxed ? "+-" : "");
	for (guint i = 0; i < width; i++)
		g_string_append_c(out, '-');
	g_string_append(out, c->boxed ? "-+" : "");
}

enum {
	LINE_TITLE_1,
	LINE_TITLE_2,
	LINE_RULE,
	LINE_ROWS
};

/* A title of one line is printed in the lower of the two lines. */
static const char *line_text(const Column *c, guint line)
{
	guint lines = g_strv_length(c->title);

	if (line >= LINE_ROWS)
		return c->cells->pdata[line - LINE_ROWS];
	if (line == LINE_TITLE_1)
		return lines == 2 ? c->title[0] : "";
	return c->title[lines - 1];
}

static void print_line(const KxTable *t, GString *out, guint indent, guint first, guint end,
		       guint line)
{
	gsize start = out->len;

	g_string_append_printf(out, "%*s", (int)indent, "");
	for (guint i = 0; i < end; i++) {
		const Column *c = t->columns->pdata[i];

		if (i && i < first)
			continue;
		if (i)
			g_string_append(out, "  ");
		if (line == LINE_RULE)
			print_rule(out, c);
		else
			print_padded(out, c, line_text(c, line));
	}
	while (out->len > start && out->str[out->len - 1] == ' ')
		g_string_truncate(out, out->len - 1);
	g_string_append_c(out, '\n');
}

/* The column after the last one that fits beside column 0; at least one column fits. */
static guint fit(const KxTable *t, guint first, guint width, guint indent, guint64 breaks)
{
	guint used = indent + outer_width(t->columns->pdata[0]) - 2, i, last_break = 0;

	for (i = first; i < t->columns->len; i++) {
		used += outer_width(t->columns->pdata[i]);
		if (i > first && width && used > width)
			return last_break > first ? last_break : i;
		if (breaks & (1ull << i))
			last_break = i;
	}
	return i;
}

static gboolean has_two_lines(const KxTable *t)
{
	for (guint i = 0; i < t->columns->len; i++) {
		if (g_strv_length(((const Column *)t->columns->pdata[i])->title) == 2)
			return TRUE;
	}
	return FALSE;
}

void kx_table_print(const KxTable *t, GString *out, guint width, guint indent, guint64 breaks)
{
	const Column *lead = t->columns->pdata[0];
	guint top = has_two_lines(t) ? LINE_TITLE_1 : LINE_TITLE_2;

	for (guint first = 1, end; first < t->columns->len; first = end) {
		end = fit(t, first, width, indent, breaks);
		if (first > 1)
			g_string_append_c(out, '\n');
		for (guint line = top; line < LINE_ROWS + lead->cells->len; line++)
			print_line(t, out, indent, first, end, line);
	}
}

void kx_text_fold(GString *out, guint width, const char *text, guint indent)
{
	guint most = MAX(width ? MIN(width, 110u) : 110u, indent + 40u);
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	guint column = 0;

	for (char **word = words; *word; word++) {
		guint n = kx_text_columns(*word);

		if (column && column + 1 + n > most) {
			g_string_append_c(out, '\n');
			column = 0;
		}
		g_string_append_printf(out, "%*s%s", column ? 1 : (int)indent, "", *word);
		column += n + (column ? 1 : indent);
	}
	g_string_append_c(out, '\n');
}
