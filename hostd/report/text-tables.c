// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables of a VM's rows: the figures that all rows have, with the cost per sample first and in a box; a table for each part,
 * with the figures that only some rows have; the hottest regions. The columns are listed in model/row.def and part-*.def.
 */
#include "text-internal.h"

#include "base/textfmt.h"

#define WIDE_COLUMNS 150u /* from here on the extra columns are shown */

gboolean kx_rows_have(const GPtrArray *rows, KxPart part)
{
	for (guint i = 0; i < rows->len; i++) {
		if (kx_row_has(rows->pdata[i], part))
			return TRUE;
	}
	return FALSE;
}

/* Whether the column is needed: if the VM was never paused, for example, no column says so. */
static gboolean any_says(const GPtrArray *rows, gsize offset)
{
	for (guint i = 0; i < rows->len; i++) {
		const KxFigure *f = kx_row_figure(rows->pdata[i], offset);

		if (f->na || f->value > 0)
			return TRUE;
	}
	return FALSE;
}

gboolean kx_column_is_used(const GPtrArray *rows, const KxFigureSpec *spec)
{
	if (!spec->title || !kx_rows_have(rows, spec->part))
		return FALSE;
	return !(spec->flags & KX_IF_ANY) || any_says(rows, spec->offset);
}

static gboolean is_shown(const KxText *t, const GPtrArray *rows, const KxFigureSpec *f)
{
	if (f->flags & KX_EXTRA && t->width && t->width < WIDE_COLUMNS)
		return FALSE;
	return kx_column_is_used(rows, f);
}

static void add_labels(KxTable *table, const GPtrArray *rows, KxPart part)
{
	guint c = kx_table_add_column(table, "tracker", TRUE, FALSE);

	for (guint i = 0; i < rows->len; i++) {
		if (kx_row_has(rows->pdata[i], part))
			kx_table_add_cell(table, c, kx_row_cell(rows, i));
	}
}

/* Adds the figure's column, with cells for the rows that have @part. */
static guint add_column(KxText *t, KxTable *table, const GPtrArray *rows, KxPart part,
			const KxFigureSpec *f)
{
	guint c = kx_table_add_column(table, f->title, f->cell == KX_CELL_MEASURED_IN,
				      f->flags & KX_BOXED);

	for (guint i = 0; i < rows->len; i++) {
		if (kx_row_has(rows->pdata[i], part))
			kx_table_add_cell(table, c, kx_figure_cell(t, rows, i, f));
	}
	return c;
}

static void add_time(KxTable *table, const GPtrArray *rows)
{
	guint c = kx_table_add_column(table, "time\ntracked", FALSE, FALSE);

	for (guint i = 0; i < rows->len; i++)
		kx_table_add_cell(table, c,
				  kx_text_ns(((const KxRow *)rows->pdata[i])->seconds * 1e9));
}

/* Beside the cost on the host: figures of parts with KX_IN_MAIN, such as the cost in the guest; then the time that was tracked. */
static void add_beside_cost(KxText *t, KxTable *table, const GPtrArray *rows)
{
	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		if (f->flags & KX_IN_MAIN && is_shown(t, rows, f))
			add_column(t, table, rows, KX_PART_ANY, f);
	}
	add_time(table, rows);
}

static void print_main(KxText *t, const GPtrArray *rows)
{
	g_autoptr(KxTable) table = kx_table_new();
	guint64 breaks = 0;

	add_labels(table, rows, KX_PART_ANY);
	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		guint c;

		if (f->part != KX_PART_ANY || !is_shown(t, rows, f))
			continue;
		c = add_column(t, table, rows, KX_PART_ANY, f);
		if (f->flags & KX_SPLIT)
			breaks |= 1ull << c;
		if (f == kx_figures)
			add_beside_cost(t, table, rows);
	}
	kx_table_print(table, t->out, t->width, 2, breaks);
}

static void print_part(KxText *t, const GPtrArray *rows, KxPart part)
{
	g_autoptr(KxTable) table = kx_table_new();

	if (!kx_parts[part].heading || !kx_rows_have(rows, part))
		return;
	g_string_append_printf(t->out, "\n  %s\n\n", kx_parts[part].heading);
	add_labels(table, rows, part);
	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		if (f->part == part && !(f->flags & KX_IN_MAIN) && is_shown(t, rows, f))
			add_column(t, table, rows, part, f);
	}
	kx_table_print(table, t->out, t->width, 2, 0);
}

/* --- the hottest regions ----------------------------------------------------- */

#define HOTTEST_SHOWN 10u

static void region_row(KxTable *table, const KxRegion *g, guint rank, guint32 checks)
{
	char *cells[] = {
		g_strdup_printf("%u", rank),
		g_strdup_printf("0x%" G_GINT64_MODIFIER "x", g->gfn),
		g_strdup_printf("0x%" G_GINT64_MODIFIER "x%s", g->gfn << 12,
				g->as_id ? " (SMM)" : ""),
		kx_text_pages_bytes(g->npages),
		g_strdup_printf("%u / %u", g->accesses, checks),
		g_strdup_printf("%u", g->age),
	};

	for (guint i = 0; i < G_N_ELEMENTS(cells); i++)
		kx_table_add_cell(table, i, cells[i]);
}

static void print_hottest_of(KxText *t, const char *label, const KxRegions *r)
{
	static const char *const titles[] = { "rank", "first gfn",	    "address",
					      "size", "accessed\n/ checks", "age\naggregations" };
	g_autoptr(KxTable) table = kx_table_new();
	g_autoptr(GArray) ranked = kx_regions_ranked(r);
	guint shown = MIN(ranked->len, HOTTEST_SHOWN);

	for (guint i = 0; i < G_N_ELEMENTS(titles); i++)
		kx_table_add_column(table, titles[i], FALSE, FALSE);
	for (guint i = 0; i < shown; i++)
		region_row(table, &g_array_index(ranked, KxRegion, i), i + 1, r->checks);
	g_string_append_printf(t->out,
			       "\n  %s: the hottest %u of %u regions, in its last aggregation "
			       "(number %" G_GUINT64_FORMAT ")\n\n",
			       label, shown, r->total, r->aggregation + 1);
	kx_table_print(table, t->out, t->width, 2, 0);
}

static void print_hottest(KxText *t, const GPtrArray *rows)
{
	for (guint i = 0; i < rows->len; i++) {
		const KxRow *row = rows->pdata[i];
		g_autofree char *label = kx_row_cell(rows, i);

		if (!kx_row_has(row, KX_PART_REGIONS))
			continue;
		if (row->regions)
			print_hottest_of(t, label, row->regions);
		else
			g_string_append_printf(t->out, "\n  %s: hottest regions n/a: %s\n", label,
					       row->regions_na);
	}
}

void kx_text_tables(KxText *t, const GPtrArray *rows)
{
	print_main(t, rows);
	for (guint i = 0; i < KX_PARTS; i++)
		print_part(t, rows, i);
	print_hottest(t, rows);
}
