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
	g_string_append_c(out, '\n');
	kx_text_fold(out, width,
		     "Of what the slowdown consists: explained + not explained = slowdown - 1, in "
		     "percent of the vCPU time that the same work takes without tracking.",
		     INDENT);
	g_string_append_c(out, '\n');
	add_table(out, rows, KX_TABLE_PARTS, width);
	g_string_append_c(out, '\n');
	kx_text_fold(
		out, width,
		"exits: the time that the vCPUs' threads ran outside of the guest, by the host "
		"kernel's account of guest time; interrupts for flushes: their share of it, by "
		"number; time per exit: the same time for each exit that was more than without "
		"tracking; waiting: the vCPUs could run, and something else did on their CPU.",
		INDENT);
}

/* --- sentences ---------------------------------------------------------------------------------------------------- */

void kx_compared_fold(GString *out, guint width, guint indent, char mark, const char *text)
{
	gsize at = out->len;

	kx_text_fold(out, width, text, indent + 2);
	if (mark)
		out->str[at + indent] = mark;
	else
		g_string_erase(out, (gssize)at, 2);
}

void kx_compared_line(GString *out, guint width, guint indent, char mark, char *line)
{
	g_autofree char *text = line;

	kx_compared_fold(out, width, indent, mark, text);
}

static void add_answers(GString *out, const GPtrArray *rows, guint width)
{
	for (guint i = 1; i < rows->len; i++) {
		g_autofree char *answer = kx_compared_answer(rows->pdata[i], "the guest's work");

		if (answer)
			kx_compared_fold(out, width, INDENT, '\0', answer);
	}
}

static void add_notes(GString *out, const KxComparison *c, const GPtrArray *rows, guint width)
{
	g_autoptr(GPtrArray) notes = kx_comparison_notes(c, rows);

	for (guint i = 0; i < notes->len; i++)
		kx_compared_fold(out, width, INDENT, '-', notes->pdata[i]);
}

static char *host_line(const KxReport *host)
{
	g_autofree char *model = kx_text_clean(host->cpu_model ? host->cpu_model : "unknown CPU");
	g_autoptr(GString) line = g_string_new(NULL);

	g_string_append_printf(line, "host: Linux %s, %s", host->kernel ? host->kernel : "?",
			       model);
	if (host->cpus)
		g_string_append_printf(line, ", %u CPU%s", host->cpus, host->cpus == 1 ? "" : "s");
	if (host->hardware_under)
		g_string_append_printf(line, ", %s (%s)",
				       host->hardware ? host->hardware : "virtual",
				       host->hardware_under);
	return g_string_free(g_steal_pointer(&line), FALSE);
}

static char *vm_line(const KxComparedVm *v)
{
	g_autofree char *name = kx_text_clean(v->name);
	g_autofree char *size = kx_text_pages_bytes(v->ram_pages);

	return g_strdup_printf(
		"%s: %u vCPU%s, %s of memory%s%s", name, v->vcpus, v->vcpus == 1 ? "" : "s", size,
		v->emulated_by ? ", emulated by " : "", v->emulated_by ? v->emulated_by : "");
}

char *kx_rounds_text(guint whole, guint begun)
{
	return g_strdup_printf("%u%s round%s%s", whole, begun > whole ? " whole" : "",
			       whole == 1 ? "" : "s",
			       begun > whole ? " and a part of another" : "");
}

static void add_head(GString *out, const KxComparison *c, guint width)
{
	g_autofree char *window = kx_text_ns((double)c->window_ns);
	g_autofree char *settle = kx_text_ns((double)c->settle_ns);
	g_autofree char *rounds = kx_rounds_text(c->stopped ? c->whole : c->rounds, c->rounds);

	kx_compared_line(
		out, width, 0, '\0',
		g_strdup_printf("comparison: %s%s; windows of %s after %s to settle; seed "
				"%" G_GUINT64_FORMAT,
				rounds,
				c->rounds == 1 ? ", which tells no scatter: there are no intervals"
					       : ", each with all settings in another order",
				window, settle, c->seed));
	kx_compared_line(out, width, 0, '\0', host_line(c->host));
	for (guint i = 0; i < c->vms->len; i++)
		kx_compared_line(out, width, 0, '\0', vm_line(c->vms->pdata[i]));
	if (c->vms->len > 1)
		kx_compared_line(
			out, width, 0, '\0',
			g_strdup_printf("layout: %s",
					c->layout == KX_LATIN
						? "latin: each VM runs another setting at a time"
						: "together: all VMs run the same setting at a "
						  "time"));
	if (c->progress)
		kx_compared_line(out, width, 0, '\0',
				 g_strdup_printf("guest progress: %s", c->progress));
	if (c->stopped)
		kx_compared_line(out, width, 0, '\0',
				 g_strdup_printf("ended early: %s", c->stopped));
	g_string_append_c(out, '\n');
}

char *kx_comparison_to_text(const KxComparison *c, guint width)
{
	g_autoptr(GPtrArray) rows = kx_comparison_rows(c, G_MAXUINT);
	GString *out = g_string_new(NULL);

	add_head(out, c, width);
	add_answers(out, rows, width);
	g_string_append_c(out, '\n');
	add_table(out, rows, KX_TABLE_MAIN, width);
	g_string_append_c(out, '\n');
	kx_text_fold(out, width,
		     "[low, high]: 95 % interval over rounds. host: CPU time of the tracker's "
		     "thread and of the daemon's draining; guest: vCPU time lost by the "
		     "slowdown; both for each sample taken.",
		     INDENT);
	if (c->vms->len > 1)
		kx_text_fold(out, width,
			     "All figures are those of one VM, the mean over the VMs; samples lost "
			     "are those of all VMs and rounds.",
			     INDENT);
	add_parts(out, rows, width);
	add_notes(out, c, rows, width);
	return g_string_free(out, FALSE);
}
