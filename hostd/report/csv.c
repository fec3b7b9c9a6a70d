// SPDX-License-Identifier: GPL-2.0-or-later
#include "csv.h"

#include <math.h>
#include <string.h>

#include "base/textfmt.h"
#include "row.h"

/* Names of VMs may come from anybody: characters that a terminal would interpret are replaced. */
void kx_csv_add(GString *out, const char *raw, gboolean last)
{
	g_autofree char *text = kx_text_clean(raw);

	if (strpbrk(text, ",\"")) {
		g_auto(GStrv) parts = g_strsplit(text, "\"", -1);
		g_autofree char *doubled = g_strjoinv("\"\"", parts);

		g_string_append_printf(out, "\"%s\"", doubled);
	} else {
		g_string_append(out, text);
	}
	g_string_append_c(out, last ? '\n' : ',');
}

void kx_csv_add_number(GString *out, double value, gboolean last)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	if (isfinite(value))
		g_string_append(out, g_ascii_formatd(text, sizeof(text), "%.15g", value));
	g_string_append_c(out, last ? '\n' : ',');
}

/* --- a report ------------------------------------------------------------------------------------------------------------ */

static void add_figure(GString *out, const char *begin, const KxFigureSpec *spec, const KxFigure *f)
{
	g_string_append(out, begin);
	kx_csv_add(out, spec->key, FALSE);
	kx_csv_add_number(out, f->na ? NAN : f->value, FALSE);
	kx_csv_add_number(out, f->na ? NAN : f->low, FALSE);
	kx_csv_add_number(out, f->na ? NAN : f->high, FALSE);
	if (f->na)
		g_string_append_c(out, ',');
	else
		g_string_append_printf(out, "%" G_GUINT64_FORMAT ",", (guint64)f->n);
	kx_csv_add(out, spec->unit, FALSE);
	kx_csv_add(out, f->na ? f->na : "", TRUE);
}

static void add_row(GString *out, const KxVmReport *v, const GPtrArray *rows, guint index)
{
	const KxRow *row = rows->pdata[index];
	g_autofree char *label = kx_row_label(rows, index);
	g_autoptr(GString) begin = g_string_new(NULL);

	kx_csv_add(begin, v->name, FALSE);
	kx_csv_add(begin, label, FALSE);
	kx_csv_add(begin, row->tracker, FALSE);
	kx_csv_add(begin, row->options, FALSE);
	for (const KxFigureSpec *f = kx_figures; f->offset; f++) {
		if (f->key)
			add_figure(out, begin->str, f, kx_row_figure(row, f->offset));
	}
}

char *kx_report_to_csv(const KxReport *r)
{
	GString *out = g_string_new("vm,row,tracker,options,figure,value,low,high,n,unit,na\n");

	for (guint i = 0; i < r->vms->len; i++) {
		const KxVmReport *v = r->vms->pdata[i];
		g_autoptr(GPtrArray) rows = kx_vm_rows(v, r->reference);

		for (guint k = 0; k < rows->len; k++)
			add_row(out, v, rows, k);
	}
	return g_string_free(out, FALSE);
}

/* --- heat ---------------------------------------------------------------------------------------------------------------- */

void kx_heat_csv_head(GString *out)
{
	g_string_append(out, "vm,tracker,process,rank,start,bytes,accesses,heat,age\n");
}

void kx_heat_to_csv(GString *out, const KxVmReport *v, const KxHeatMap *m, guint top)
{
	g_autofree char *label = kx_heat_map_label(m);

	for (guint i = 0; i < MIN(top, m->ranges->len); i++) {
		const KxHeatRange *r = &g_array_index(m->ranges, KxHeatRange, i);

		kx_csv_add(out, v->name, FALSE);
		kx_csv_add(out, label, FALSE);
		kx_csv_add(out, m->process ? m->process : "", FALSE);
		g_string_append_printf(out,
				       "%u,%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT
				       ",%" G_GUINT64_FORMAT ",",
				       i + 1, r->start, r->size, r->accesses);
		kx_csv_add_number(out, kx_heat_of_range(r), FALSE);
		g_string_append_printf(out, "%u\n", r->age);
	}
}
