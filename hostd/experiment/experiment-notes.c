// SPDX-License-Identifier: GPL-2.0-or-later
/* Notes for the interpretation of an experiment's rows. */
#include "experiment.h"

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

/* Why cells are n/a: each reason once, with the first setting that has it. */
static void note_reasons(GPtrArray *notes, const GPtrArray *rows)
{
	g_autoptr(GHashTable) said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (guint i = 1; i < rows->len; i++) {
		KxRunRow *row = rows->pdata[i];

		for (const KxRunFigure *f = kx_run_figures; !row->compared->left_out && f->key;
		     f++) {
			const KxFigure *figure = kx_run_figure(row, f);
			g_autofree char *name = kx_compared_title(f->title);
			char *key = figure->na ? g_strconcat(f->key, figure->na, NULL) : NULL;

			if (key && g_hash_table_add(said, key))
				note(notes, "%s of %s: n/a, %s", name, row->compared->label,
				     figure->na);
		}
	}
}

GPtrArray *kx_experiment_notes(const KxExperimentPoint *p, const GPtrArray *rows)
{
	GPtrArray *notes = g_ptr_array_new_with_free_func(g_free);

	note_rows(notes, p->c, rows);
	note_reasons(notes, rows);
	return notes;
}
