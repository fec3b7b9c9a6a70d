// SPDX-License-Identifier: GPL-2.0-or-later
/* A comparison as text: the result of each setting in a sentence, tables, and notes for their interpretation. */
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

static char *plain(KxComparedKind kind, double x)
{
	switch (kind) {
	case KX_COMPARED_RATIO:
		return fixed(x, 3);
	case KX_COMPARED_SHARE:
		return fixed(x, 3);
	case KX_COMPARED_POINTS: /* its table says percent */
		return fixed(fabs(x) < 0.05 ? 0 : x, 1);
	case KX_COMPARED_PERCENT:
		return g_strdup_printf("%.3g %%", x);
	case KX_COMPARED_BYTES:
		return kx_text_pages_bytes((guint64)(x / 4096));
	case KX_COMPARED_P:
		return g_strdup_printf("%.2g", x);
	default:
		return kx_text_number(x);
	}
}

char *kx_compared_cell(KxComparedKind kind, const KxFigure *f)
{
	if (f->na)
		return g_strdup("n/a");
	if (kind == KX_COMPARED_NS)
		return isnan(f->low) ? kx_text_ns(f->value)
				     : kx_text_ns_interval(f->value, f->low, f->high);
	if (isnan(f->low) || kind == KX_COMPARED_RATE || kind == KX_COMPARED_PERCENT ||
	    kind == KX_COMPARED_BYTES)
		return plain(kind, f->value);
	return interval(plain(kind, f->value), plain(kind, f->low), plain(kind, f->high));
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

		if (!f->title || f->table != which || !kx_compared_anybody_has(rows, f))
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
		g_autofree char *answer = kx_compared_answer(rows->pdata[i], "the guest's work");

		if (answer)
			g_string_append_printf(out, "  %s\n", answer);
	}
}

static void add_notes(GString *out, const KxComparison *c, const GPtrArray *rows)
{
	g_autoptr(GPtrArray) notes = kx_comparison_notes(c, rows);

	for (guint i = 0; i < notes->len; i++)
		g_string_append_printf(out, "  - %s\n", (char *)notes->pdata[i]);
}

static void add_head(GString *out, const KxComparison *c)
{
	g_autofree char *window = kx_text_ns((double)c->window_ns);
	g_autofree char *settle = kx_text_ns((double)c->settle_ns);
	g_autofree char *model =
		kx_text_clean(c->host->cpu_model ? c->host->cpu_model : "unknown CPU");

	g_string_append_printf(out,
			       "comparison: %u round%s; "
			       "windows of %s after %s to settle; seed %" G_GUINT64_FORMAT "\n",
			       c->rounds,
			       c->rounds == 1 ? ", which tells no scatter: there are no intervals"
					      : "s, each with all settings in another order",
			       window, settle, c->seed);
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
	if (c->vms->len > 1)
		g_string_append(out,
				"  All figures are those of one VM, the mean over the VMs; samples "
				"lost are those of all VMs and rounds.\n");
	add_parts(out, rows, width);
	add_notes(out, c, rows);
	return g_string_free(out, FALSE);
}
