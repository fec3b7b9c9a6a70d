// SPDX-License-Identifier: GPL-2.0-or-later
/* Notes for the interpretation of an experiment's rows. */
#include "experiment.h"

#include "compare/reasons.h"

static void note(GPtrArray *notes, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void note(GPtrArray *notes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(notes, g_strdup_vprintf(format, args));
	va_end(args);
}

static void note_failures(GPtrArray *notes, const KxComparison *c)
{
	g_autoptr(GHashTable) said = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint k = 0; k < c->settings->len; k++) {
		const KxComparedSetting *setting = c->settings->pdata[k];

		g_hash_table_remove_all(said);
		for (guint i = 0; i < c->rounds * c->vms->len; i++) {
			const KxStretch *s =
				kx_comparison_at(c, i % c->vms->len, i / c->vms->len, k);

			if (s && s->failed && g_hash_table_add(said, s->failed))
				note(notes, "a run of %s is missing: %s", setting->label,
				     s->failed);
		}
	}
}

static void note_rows(GPtrArray *notes, const KxComparison *c, const GPtrArray *rows)
{
	for (guint i = 0; i < rows->len; i++) {
		const KxComparedRow *row = ((const KxRunRow *)rows->pdata[i])->compared;

		if (row->failed)
			note(notes, "%s: %u of %u runs are missing", row->label, row->failed,
			     row->failed + row->windows);
		else if (!row->left_out && !row->windows)
			note(notes, "%s: no run was measured", row->label);
		if (row->mark)
			note(notes, "! %s: %s", row->label, row->mark);
	}
	note_failures(notes, c);
	for (guint i = 0; i < c->vms->len; i++) {
		const KxComparedVm *v = c->vms->pdata[i];

		for (guint k = 0; k < v->doubts->len; k++)
			note(notes, "%s: %s", v->name, (char *)v->doubts->pdata[k]);
	}
	for (guint i = 0; i < c->doubts->len; i++)
		note(notes, "%s", (char *)c->doubts->pdata[i]);
}

static gboolean has_runs(const KxRunRow *row)
{
	return !row->compared->left_out && row->compared->windows;
}

/* Why cells are n/a. That runs are missing is said already. */
static void note_reasons(GPtrArray *notes, const GPtrArray *rows)
{
	for (const KxRunFigure *f = kx_run_figures; f->key; f++) {
		g_autoptr(KxReasons) reasons = kx_reasons_new();
		g_autofree char *name = kx_compared_title(f->title);

		for (guint i = 1; i < rows->len; i++) {
			KxRunRow *row = rows->pdata[i];

			if (has_runs(row))
				kx_reasons_add(reasons, row->compared->label,
					       kx_run_figure(row, f)->na);
		}
		kx_reasons_tell(reasons, name, notes);
	}
}

/* The costs per sample, which every comparison has. */
static void note_costs(GPtrArray *notes, const GPtrArray *rows)
{
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++) {
		g_autoptr(KxReasons) reasons = kx_reasons_new();
		g_autofree char *name = f->title ? kx_compared_title(f->title) : NULL;

		if (!name || f->kind != KX_COMPARED_NS)
			continue;
		for (guint i = 1; i < rows->len; i++) {
			KxRunRow *row = rows->pdata[i];

			if (has_runs(row))
				kx_reasons_add(reasons, row->compared->label,
					       kx_compared_figure(row->compared, f)->na);
		}
		kx_reasons_tell(reasons, name, notes);
	}
}

GPtrArray *kx_experiment_notes(const KxExperimentPoint *p, const GPtrArray *rows)
{
	GPtrArray *notes = g_ptr_array_new_with_free_func(g_free);

	note_rows(notes, p->c, rows);
	note_reasons(notes, rows);
	note_costs(notes, rows);
	return notes;
}
