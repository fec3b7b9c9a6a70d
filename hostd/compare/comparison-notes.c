// SPDX-License-Identifier: GPL-2.0-or-later
/* Sentences about a comparison: the result of each setting, and notes for the interpretation of the rows. */
#include "comparison.h"

#include <math.h>

#include "comparison-internal.h"
#include "model/hardware.h"
#include "reasons.h"

char *kx_compared_answer(const KxComparedRow *row, const char *what)
{
	const KxFigure *f = &row->slowdown;

	if (row->left_out || f->na)
		return NULL;
	if (row->difference)
		return g_strdup_printf("%s: %s", row->label, row->difference);
	if (row->stalled)
		return g_strdup_printf("%s: %s takes more than %.3g times as long: in %u of %u "
				       "windows nothing of it was done",
				       row->label, what, f->value, row->stalled, row->windows);
	if (isnan(f->low))
		return NULL;
	return g_strdup_printf("%s: %s takes %.3g times as long [%.3g, %.3g]", row->label, what,
			       f->value, f->low, f->high);
}

gboolean kx_compared_anybody_has(const GPtrArray *rows, const KxComparedFigure *f)
{
	for (guint i = 0; i < rows->len; i++) {
		if (!kx_compared_figure(rows->pdata[i], f)->na)
			return TRUE;
	}
	return FALSE;
}

static void note(GPtrArray *notes, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void note(GPtrArray *notes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(notes, g_strdup_vprintf(format, args));
	va_end(args);
}

/* Figures of few trackers: no note says that the other trackers do not have them. */
static gboolean is_of_few(const KxComparedFigure *f)
{
	return f->offset == G_STRUCT_OFFSET(KxComparedRow, guest_cpu_percent) ||
	       f->offset == G_STRUCT_OFFSET(KxComparedRow, samplers_percent);
}

/* The figure is computed from another one, whose reason is the same. */
static gboolean is_said_already(const KxComparedFigure *f, KxComparedRow *row)
{
	const char *why = kx_compared_figure(row, f)->na;

	if (f->table == KX_TABLE_PARTS)
		return g_strcmp0(why, row->slowdown.na) == 0;
	return (f->offset == G_STRUCT_OFFSET(KxComparedRow, llc_per_1000) ||
		f->offset == G_STRUCT_OFFSET(KxComparedRow, llc_slowdown)) &&
	       g_strcmp0(why, row->llc_per_s.na) == 0;
}

/* Why a column is missing, or a cell is n/a. That windows are missing is said already. */
static void note_reasons(GPtrArray *notes, const GPtrArray *rows)
{
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++) {
		g_autoptr(KxReasons) reasons = kx_reasons_new();
		g_autofree char *name = kx_compared_name(f);

		if (is_of_few(f))
			continue;
		for (guint i = 1; i < rows->len; i++) {
			KxComparedRow *row = rows->pdata[i];

			if (!row->left_out && row->windows)
				kx_reasons_add(reasons, row->label,
					       is_said_already(f, row)
						       ? NULL
						       : kx_compared_figure(row, f)->na);
		}
		kx_reasons_tell(reasons, name, notes);
	}
}

static gboolean anything_measured(const GPtrArray *rows)
{
	guint windows = 0;

	for (guint i = 0; i < rows->len; i++)
		windows += ((const KxComparedRow *)rows->pdata[i])->windows;
	return windows > 0;
}

/* Epochs of a guest that hardly runs are long, and so is the time to write the log: such windows are those of the largest slowdown. */
static void note_untold(GPtrArray *notes, const KxComparison *c, const KxComparedRow *row)
{
	gboolean by_log = c->asked.logs && !c->asked.progress_command;

	note(notes,
	     "%s: in %u of %u windows it is not known how much the guest got done%s: slowdown, "
	     "guest and total per sample are without these windows",
	     row->label, row->untold, row->windows,
	     by_log ? " (the epochs in the workload's log cover less than half of the window, as "
		      "when the guest is so slow that it only writes its log; a longer --window "
		      "helps)"
		    : "");
}

static void note_rows(GPtrArray *notes, const KxComparison *c, const GPtrArray *rows)
{
	for (guint i = 0; i < rows->len; i++) {
		const KxComparedRow *row = rows->pdata[i];
		const KxComparedSetting *s = c->settings->pdata[i];

		if (row->left_out)
			note(notes, "%s was left out: %s", row->label, row->left_out);
		if (row->failed)
			note(notes, "%s: %u of %u windows are missing", row->label, row->failed,
			     row->failed + row->windows);
		else if (!row->left_out && !row->windows)
			note(notes, "%s: no window was measured", row->label);
		if (row->stalled)
			note(notes,
			     "%s: in %u of %u windows the guest made no progress: slowdown, guest "
			     "and total per sample are without these windows%s",
			     row->label, row->stalled, row->windows,
			     i && row->stalled < row->windows ? ", so they are more than shown"
							      : "");
		if (row->untold)
			note_untold(notes, c, row);
		if (row->mark)
			note(notes, "! %s: %s", row->label, row->mark);
		if (s->sees && !row->left_out && !row->recall.na)
			note(notes, "%s: %s", row->label, s->sees);
	}
}

/*
 * Slowdown is the mean over rounds of ratios, with drift and carry-over removed; the guest's time is a sum over rounds. If the rounds scatter
 * so much that the two have different signs, neither is established.
 */
static gboolean is_contradictory(const KxComparedRow *row)
{
	return !row->left_out && !row->slowdown.na && !row->guest_ns.na &&
	       (row->slowdown.value - 1) * row->guest_ns.value < 0;
}

static void note_contradictions(GPtrArray *notes, const GPtrArray *rows)
{
	g_autoptr(GPtrArray) labels = g_ptr_array_new();
	g_autofree char *all = NULL;

	for (guint i = 1; i < rows->len; i++) {
		const KxComparedRow *row = rows->pdata[i];

		if (is_contradictory(row))
			g_ptr_array_add(labels, (gpointer)row->label);
	}
	if (!labels->len)
		return;
	g_ptr_array_add(labels, NULL);
	all = g_strjoinv(", ", (char **)labels->pdata);
	note(notes,
	     "%s: slowdown and guest per sample have different signs: the first is the mean of the "
	     "rounds' ratios, the second is a sum over the rounds, and the rounds scatter too "
	     "much to tell the sign; more rounds or longer windows are needed",
	     all);
}

/* Why windows failed: each reason once. */
static void note_failures(GPtrArray *notes, const KxComparison *c)
{
	g_autoptr(GHashTable) said = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < c->vms->len; i++) {
		const KxComparedVm *v = c->vms->pdata[i];

		if (v->ended)
			note(notes, "%s ended before the comparison did: %s", v->name, v->ended);
		for (guint k = 0; k < v->doubts->len; k++)
			note(notes, "%s: %s", v->name, (char *)v->doubts->pdata[k]);
		for (guint k = 0; k < v->stretches->len; k++) {
			const KxStretch *s = v->stretches->pdata[k];

			if (s && s->failed && g_hash_table_add(said, s->failed))
				note(notes, "a window of %s is missing: %s", v->name, s->failed);
		}
	}
}

GPtrArray *kx_comparison_notes(const KxComparison *c, const GPtrArray *rows)
{
	GPtrArray *notes = g_ptr_array_new_with_free_func(g_free);

	if (kx_hardware_by_name(c->host->hardware) == KX_HARDWARE_EMULATED)
		note(notes, "this host is emulated: its times are good as ratios within this table "
			    "only");
	note_rows(notes, c, rows);
	note_contradictions(notes, rows);
	if (anything_measured(rows))
		note_reasons(notes, rows);
	note_failures(notes, c);
	for (guint i = 0; i < c->doubts->len; i++)
		note(notes, "%s", (char *)c->doubts->pdata[i]);
	return notes;
}
