// SPDX-License-Identifier: GPL-2.0-or-later
/* All figures of rows, in the columns of the text. */
#include "page-internal.h"

#include "report/cells.h"

/* --- of a report ------------------------------------------------------------------------------------------------------ */

/* Columns of further figures in a cell have no key of their own in the table of figures. */
static const char *key_of(gsize offset)
{
	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		if (f->offset == offset && f->key)
			return f->key;
	}
	return NULL;
}

static gboolean is_alone(const KxFigureSpec *f)
{
	return f->cell != KX_CELL_PAIRS && f->cell != KX_CELL_MEASURED_IN;
}

static void figure(KxPage *p, const GPtrArray *rows, guint i, const KxFigureSpec *spec,
		   gsize offset)
{
	const KxFigure *f = kx_row_figure(rows->pdata[i], offset);
	g_autofree char *text =
		f->na && is_alone(spec) ? NULL : kx_cell_value(rows, i, spec->cell, f);

	if (is_alone(spec))
		kx_page_value(p, key_of(offset), f, text);
	else
		kx_html_text(p->h, text);
}

static void cell(KxPage *p, const GPtrArray *rows, guint i, const KxFigureSpec *spec)
{
	const KxRow *row = rows->pdata[i];
	const char *na = kx_cell_na(row, spec);

	kx_html_open(p->h, "td", spec->flags & KX_BOXED ? "boxed" : NULL);
	if (na) {
		kx_page_value(p, key_of(spec->offset), kx_row_figure(row, spec->offset), NULL);
	} else {
		figure(p, rows, i, spec, spec->offset);
		for (guint k = 0; k < KX_OTHERS_MAX && spec->others[k]; k++) {
			kx_html_text(p->h, " / ");
			figure(p, rows, i, spec, spec->others[k]);
		}
	}
	kx_html_close(p->h);
}

/* The first table has the costs of parts as well. */
static gboolean is_in(const KxFigureSpec *f, KxPart part, const GPtrArray *rows)
{
	gboolean in_main = f->part == KX_PART_ANY || f->flags & KX_IN_MAIN;

	return kx_column_is_used(rows, f) &&
	       (part == KX_PART_ANY ? in_main : f->part == part && !in_main);
}

static GPtrArray *columns(KxPart part, const GPtrArray *rows, GPtrArray *titles)
{
	GPtrArray *specs = g_ptr_array_new();

	g_ptr_array_add(titles, (gpointer) "tracker");
	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		if (!is_in(f, part, rows))
			continue;
		g_ptr_array_add(specs, (gpointer)f);
		g_ptr_array_add(titles, (gpointer)f->title);
	}
	g_ptr_array_add(titles, NULL);
	return specs;
}

static void table(KxPage *p, const KxPageVm *v, KxPart part, const char *summary)
{
	g_autoptr(GPtrArray) titles = g_ptr_array_new();
	g_autoptr(GPtrArray) specs = columns(part, v->rows, titles);

	kx_page_table_open(p, summary, v->scope);
	kx_page_table_head(p, (const char *const *)titles->pdata);
	for (guint i = 0; i < v->rows->len; i++) {
		g_autofree char *label = kx_row_cell(v->rows, i);

		if (!kx_row_has(v->rows->pdata[i], part))
			continue;
		kx_page_row_open(p, label);
		for (guint k = 0; k < specs->len; k++)
			cell(p, v->rows, i, specs->pdata[k]);
		kx_page_row_close(p);
	}
	kx_page_table_close(p);
}

void kx_page_vm_tables(KxPage *p, const KxPageVm *v)
{
	table(p, v, KX_PART_ANY, "All figures of each tracker and setting");
	for (guint i = KX_PART_ANY + 1; i < KX_PARTS; i++) {
		if (kx_parts[i].heading && kx_rows_have(v->rows, i))
			table(p, v, i, kx_parts[i].heading);
	}
}

/* --- of a comparison -------------------------------------------------------------------------------------------------- */

static void compared_table(KxPage *p, const KxPageTrial *t, KxComparedTable which,
			   const char *summary)
{
	g_autoptr(GPtrArray) titles = g_ptr_array_new();

	g_ptr_array_add(titles, (gpointer) "setting");
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++) {
		if (f->title && f->table == which)
			g_ptr_array_add(titles, (gpointer)f->title);
	}
	g_ptr_array_add(titles, NULL);
	kx_page_table_open(p, summary, t->scope);
	kx_page_table_head(p, (const char *const *)titles->pdata);
	for (guint i = 0; i < t->rows->len; i++) {
		KxComparedRow *row = t->rows->pdata[i];

		kx_page_row_open(p, row->label);
		for (const KxComparedFigure *f = kx_compared_figures; f->key; f++) {
			const KxFigure *value = kx_compared_figure(row, f);
			g_autofree char *text = kx_compared_cell(f->kind, value);

			if (f->title && f->table == which)
				kx_page_cell_figure(p, f->key, value, text);
		}
		kx_page_row_close(p);
	}
	kx_page_table_close(p);
}

/* Of whole runs of an experiment's workload. */
static void run_table(KxPage *p, const KxPageTrial *t)
{
	g_autoptr(GPtrArray) titles = g_ptr_array_new();

	g_ptr_array_add(titles, (gpointer) "setting");
	g_ptr_array_add(titles, (gpointer) "where");
	for (const KxRunFigure *f = kx_run_figures; f->key; f++)
		g_ptr_array_add(titles, (gpointer)f->title);
	g_ptr_array_add(titles, NULL);
	kx_page_table_open(p, "Whole runs: mean of a VM", t->scope);
	kx_page_table_head(p, (const char *const *)titles->pdata);
	for (guint i = 0; i < t->runs->len; i++) {
		KxRunRow *row = t->runs->pdata[i];

		kx_page_row_open(p, row->compared->label);
		kx_page_cell(p, row->where);
		for (const KxRunFigure *f = kx_run_figures; f->key; f++) {
			const KxFigure *value = kx_run_figure(row, f);
			g_autofree char *text = kx_run_cell(f->kind, value);

			kx_page_cell_figure(p, f->key, value, text);
		}
		kx_page_row_close(p);
	}
	kx_page_table_close(p);
}

void kx_page_trial_tables(KxPage *p, const KxPageTrial *t)
{
	if (t->runs)
		run_table(p, t);
	compared_table(p, t, KX_TABLE_MAIN, "All figures of each setting");
	compared_table(p, t, KX_TABLE_PARTS,
		       "Of what each slowdown consists, in percent of the vCPU time that the same "
		       "work takes without tracking");
}
