// SPDX-License-Identifier: GPL-2.0-or-later
/* A comparison as text: the result of each setting in a sentence, one table, and notes for its interpretation. */
#include "comparison-internal.h"

#include <math.h>

#include "base/textfmt.h"

#define INDENT 2u

/* --- cells -------------------------------------------------------------------------------------------------------- */

static char *interval(char *value, char *low, char *high)
{
	char *text = g_strdup_printf("%s [%s, %s]", value, low, high);

	g_free(value);
	g_free(low);
	g_free(high);
	return text;
}

static char *fixed(double x, int digits)
{
	return g_strdup_printf("%.*f", digits, x);
}

static char *plain(KxCellKind kind, double x)
{
	switch (kind) {
	case KX_CELL_RATIO:
		return fixed(x, 3);
	case KX_CELL_SHARE:
		return fixed(x, 3);
	case KX_CELL_POINTS: /* its table says percent */
		return fixed(fabs(x) < 0.05 ? 0 : x, 1);
	case KX_CELL_PERCENT:
		return g_strdup_printf("%.3g %%", x);
	case KX_CELL_P:
		return g_strdup_printf("%.2g", x);
	default:
		return kx_text_number(x);
	}
}

char *kx_compared_cell(KxCellKind kind, const KxFigure *f)
{
	if (f->na)
		return g_strdup("n/a");
	if (kind == KX_CELL_NS)
		return isnan(f->low) ? kx_text_ns(f->value)
				     : kx_text_ns_interval(f->value, f->low, f->high);
	if (isnan(f->low) || kind == KX_CELL_RATE || kind == KX_CELL_PERCENT)
		return plain(kind, f->value);
	return interval(plain(kind, f->value), plain(kind, f->low), plain(kind, f->high));
}

static gboolean anybody_has(const GPtrArray *rows, const KxComparedFigure *f)
{
	for (guint i = 0; i < rows->len; i++) {
		if (!kx_compared_figure(rows->pdata[i], f)->na)
			return TRUE;
	}
	return FALSE;
}

/* Columns without any value are left out; the notes say why. The reference's slowdown has no parts. */
static void add_table(GString *out, const GPtrArray *rows, KxComparedTable which, guint width)
{
	g_autoptr(KxTable) table = kx_table_new();
	guint first = which == KX_TABLE_PARTS;

	kx_table_add_column(table, "setting", TRUE, FALSE);
	for (guint i = first; i < rows->len; i++) {
		const KxComparedRow *row = rows->pdata[i];

		if (!row->left_out)
			kx_table_add_cell(
				table, 0,
				g_strdup_printf("%s%s", row->label, row->marked ? " !" : ""));
	}
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++) {
		guint column;

		if (!f->title || f->table != which || !anybody_has(rows, f))
			continue;
		column = kx_table_add_column(table, f->title, FALSE, f->boxed);
		for (guint i = first; i < rows->len; i++) {
			KxComparedRow *row = rows->pdata[i];

			if (!row->left_out)
				kx_table_add_cell(
					table, column,
					kx_compared_cell(f->kind, kx_compared_figure(row, f)));
		}
	}
	kx_table_print(table, out, width, INDENT, 0);
}

static void add_parts(GString *out, const GPtrArray *rows, guint width)
{
	gboolean any = FALSE;

	for (guint i = 1; i < rows->len; i++)
		any |= !((const KxComparedRow *)rows->pdata[i])->explained_percent.na;
	if (!any)
		return;
	g_string_append(
		out,
		"\n  Of what the slowdown consists: explained + not explained = slowdown - 1, in "
		"percent of the vCPU time that\n  the same work takes without tracking.\n\n");
	add_table(out, rows, KX_TABLE_PARTS, width);
	g_string_append(
		out,
		"\n  exits: the time that the vCPUs' threads ran outside of the guest, by the host "
		"kernel's account of guest time;\n  interrupts for flushes: their share of it, by "
		"number; time per exit: the same time for each exit that was\n  more than without "
		"tracking; waiting: the vCPUs could run, and something else did on their CPU.\n");
}

/* --- sentences ---------------------------------------------------------------------------------------------------- */

static void add_answers(GString *out, const GPtrArray *rows)
{
	for (guint i = 1; i < rows->len; i++) {
		const KxComparedRow *row = rows->pdata[i];
		const KxFigure *f = &row->slowdown;

		if (row->left_out || f->na)
			continue;
		if (row->difference)
			g_string_append_printf(out, "  %s: %s\n", row->label, row->difference);
		else if (!isnan(f->low))
			g_string_append_printf(out,
					       "  %s: the guest's work takes %.3g times as long "
					       "[%.3g, %.3g]\n",
					       row->label, f->value, f->low, f->high);
	}
}

static void note(GString *out, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void note(GString *out, const char *format, ...)
{
	va_list args;

	g_string_append(out, "  - ");
	va_start(args, format);
	g_string_append_vprintf(out, format, args);
	va_end(args);
	g_string_append_c(out, '\n');
}

/* Few trackers have these figures, and users know that the others have not. */
static gboolean is_of_few(const KxComparedFigure *f)
{
	return f->offset == G_STRUCT_OFFSET(KxComparedRow, guest_cpu_percent) ||
	       f->offset == G_STRUCT_OFFSET(KxComparedRow, samplers_percent);
}

/* Of figures that are made of one: its reason is theirs. */
static gboolean is_said_already(const KxComparedFigure *f, KxComparedRow *row)
{
	const char *why = kx_compared_figure(row, f)->na;

	if (f->table == KX_TABLE_PARTS)
		return g_strcmp0(why, row->slowdown.na) == 0;
	return (f->offset == G_STRUCT_OFFSET(KxComparedRow, llc_per_1000) ||
		f->offset == G_STRUCT_OFFSET(KxComparedRow, llc_slowdown)) &&
	       g_strcmp0(why, row->llc_per_s.na) == 0;
}

/* Why a column is missing, or a cell is n/a: each reason once, with the settings that it applies to. */
static void note_reasons(GString *out, const GPtrArray *rows)
{
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++) {
		g_autoptr(GHashTable) said = g_hash_table_new(g_str_hash, g_str_equal);

		if (is_of_few(f))
			continue;
		for (guint i = 1; i < rows->len; i++) {
			KxComparedRow *row = rows->pdata[i];
			const char *why = kx_compared_figure(row, f)->na;

			if (row->left_out || !why || !g_hash_table_add(said, (gpointer)why) ||
			    is_said_already(f, row))
				continue;
			note(out, "%s of %s%s: n/a, %s", f->key, row->label,
			     anybody_has(rows, f) ? "" : " and others", why);
		}
	}
}

static gboolean anything_measured(const GPtrArray *rows)
{
	guint windows = 0;

	for (guint i = 0; i < rows->len; i++)
		windows += ((const KxComparedRow *)rows->pdata[i])->windows;
	return windows > 0;
}

static void note_rows(GString *out, const KxComparison *c, const GPtrArray *rows)
{
	for (guint i = 0; i < rows->len; i++) {
		const KxComparedRow *row = rows->pdata[i];
		const KxComparedSetting *s = c->settings->pdata[i];

		if (row->left_out)
			note(out, "%s was left out: %s", row->label, row->left_out);
		if (row->failed)
			note(out, "%s: %u of %u windows are missing", row->label, row->failed,
			     row->failed + row->windows);
		if (row->mark)
			note(out, "! %s: %s", row->label, row->mark);
		if (s->sees && !row->left_out && !row->recall.na)
			note(out, "%s: %s", row->label, s->sees);
	}
}

/* Why windows failed: each reason once. */
static void note_failures(GString *out, const KxComparison *c)
{
	g_autoptr(GHashTable) said = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < c->vms->len; i++) {
		const KxComparedVm *v = c->vms->pdata[i];

		if (v->ended)
			note(out, "%s ended before the comparison did: %s", v->name, v->ended);
		for (guint k = 0; k < v->doubts->len; k++)
			note(out, "%s: %s", v->name, (char *)v->doubts->pdata[k]);
		for (guint k = 0; k < v->stretches->len; k++) {
			const KxStretch *s = v->stretches->pdata[k];

			if (s && s->failed && g_hash_table_add(said, s->failed))
				note(out, "a window of %s is missing: %s", v->name, s->failed);
		}
	}
}

static void add_head(GString *out, const KxComparison *c)
{
	g_autofree char *window = kx_text_ns((double)c->window_ns);
	g_autofree char *settle = kx_text_ns((double)c->settle_ns);
	g_autofree char *model =
		kx_text_clean(c->host->cpu_model ? c->host->cpu_model : "unknown CPU");

	g_string_append_printf(out,
			       "comparison: %u rounds, each with all settings in another order; "
			       "windows of %s after %s to settle; seed %" G_GUINT64_FORMAT "\n",
			       c->rounds, window, settle, c->seed);
	g_string_append_printf(out, "host: Linux %s, %s", c->host->kernel ? c->host->kernel : "?",
			       model);
	if (c->host->cpus)
		g_string_append_printf(out, ", %u CPU%s", c->host->cpus,
				       c->host->cpus == 1 ? "" : "s");
	if (c->host->hardware_under)
		g_string_append_printf(out, ", %s (%s)",
				       c->host->hardware ? c->host->hardware : "virtual",
				       c->host->hardware_under);
	g_string_append_c(out, '\n');
	for (guint i = 0; i < c->vms->len; i++) {
		const KxComparedVm *v = c->vms->pdata[i];
		g_autofree char *name = kx_text_clean(v->name);
		g_autofree char *size = kx_text_pages_bytes(v->ram_pages);

		g_string_append_printf(out, "%s: %u vCPU%s, %s of memory\n", name, v->vcpus,
				       v->vcpus == 1 ? "" : "s", size);
	}
	if (c->vms->len > 1)
		g_string_append_printf(out, "layout: %s\n",
				       c->layout == KX_LATIN
					       ? "latin: each VM runs another setting at a "
						 "time"
					       : "together: all VMs run the same setting "
						 "at a time");
	if (c->progress)
		g_string_append_printf(out, "guest progress: %s\n", c->progress);
	if (c->stopped)
		g_string_append_printf(out, "ended early: %s\n", c->stopped);
	g_string_append_c(out, '\n');
}

char *kx_comparison_to_text(const KxComparison *c, guint width)
{
	g_autoptr(GPtrArray) rows = kx_comparison_rows(c, G_MAXUINT);
	GString *out = g_string_new(NULL);

	add_head(out, c);
	add_answers(out, rows);
	g_string_append_c(out, '\n');
	add_table(out, rows, KX_TABLE_MAIN, width);
	g_string_append(
		out, "\n  [low, high]: 95 % interval over rounds. host: CPU time of the tracker's "
		     "thread and of the daemon's\n  draining; guest: vCPU time lost by the "
		     "slowdown; both for each sample taken.\n");
	add_parts(out, rows, width);
	if (c->host->hardware && g_str_equal(c->host->hardware, "emulated"))
		note(out,
		     "this host is emulated: its times are good as ratios within this table only");
	note_rows(out, c, rows);
	if (anything_measured(rows))
		note_reasons(out, rows);
	note_failures(out, c);
	for (guint i = 0; i < c->doubts->len; i++)
		note(out, "%s", (char *)c->doubts->pdata[i]);
	return g_string_free(out, FALSE);
}
