// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An experiment as text: for each point a table in the layout in which the cost of tracking is usually published (where, what,
 * elapsed time, how much more, TLB flushes, samples, cost per sample); for a sweep, how the cost grows; and notes.
 */
#include "experiment.h"

#include <math.h>

#include "base/textfmt.h"

#define INDENT 2u

/* --- cells -------------------------------------------------------------------------------------------------------- */

static int digits(double x)
{
	return fabs(x) < 1 ? 2 : fabs(x) < 10 ? 1 : 0;
}

/* "12.3 % [10.1, 14.5]". The ends have as many digits as the value. */
static char *percent(const KxFigure *f)
{
	int n = f->na ? 0 : digits(f->value);

	if (f->na)
		return g_strdup("n/a");
	if (isnan(f->low))
		return g_strdup_printf("%.*f %%", n, f->value);
	return g_strdup_printf("%.*f %% [%.*f, %.*f]", n, f->value, n, f->low, n, f->high);
}

char *kx_run_cell(KxComparedKind kind, const KxFigure *f)
{
	return kind == KX_COMPARED_PERCENT ? percent(f) : kx_compared_cell(kind, f);
}

static gboolean runs(const KxRunRow *row)
{
	return !row->compared->left_out;
}

static void add_labels(KxTable *table, const GPtrArray *rows)
{
	guint where = kx_table_add_column(table, "where", TRUE, FALSE);
	guint what = kx_table_add_column(table, "what", TRUE, FALSE);

	for (guint i = 0; i < rows->len; i++) {
		const KxRunRow *row = rows->pdata[i];

		if (!runs(row))
			continue;
		kx_table_add_cell(table, where, g_strdup(row->where));
		kx_table_add_cell(table, what,
				  g_strdup_printf("%s%s", row->compared->label,
						  row->compared->marked ? " !" : ""));
	}
}

static void add_own_columns(KxTable *table, const GPtrArray *rows)
{
	for (const KxRunFigure *f = kx_run_figures; f->key; f++) {
		guint column;

		if (!(f->tables & KX_RUN_MAIN))
			continue;
		column = kx_table_add_column(table, f->title, FALSE, FALSE);
		for (guint i = 0; i < rows->len; i++) {
			if (runs(rows->pdata[i]))
				kx_table_add_cell(
					table, column,
					kx_run_cell(f->kind, kx_run_figure(rows->pdata[i], f)));
		}
	}
}

/* The costs per sample, which every comparison has. */
static void add_costs(KxTable *table, const GPtrArray *rows)
{
	for (const KxComparedFigure *f = kx_compared_figures; f->key; f++) {
		guint column;

		if (!f->title || f->kind != KX_COMPARED_NS)
			continue;
		column = kx_table_add_column(table, f->title, FALSE, f->boxed);
		for (guint i = 0; i < rows->len; i++) {
			KxRunRow *row = rows->pdata[i];

			if (runs(row))
				kx_table_add_cell(
					table, column,
					kx_run_cell(f->kind, kx_compared_figure(row->compared, f)));
		}
	}
}

static void add_answers(GString *out, const GPtrArray *rows, guint width)
{
	for (guint i = 1; i < rows->len; i++) {
		const KxRunRow *row = rows->pdata[i];
		char *answer = kx_compared_answer(row->compared, "the workload");

		if (answer)
			kx_compared_line(out, width, INDENT, '\0', answer);
	}
	g_string_append_c(out, '\n');
}

static void add_notes(GString *out, const KxExperimentPoint *p, const GPtrArray *rows, guint width)
{
	g_autoptr(GPtrArray) notes = kx_experiment_notes(p, rows);

	for (guint i = 0; i < notes->len; i++)
		kx_compared_fold(out, width, INDENT, '-', notes->pdata[i]);
}

/* --- a point ------------------------------------------------------------------------------------------------------ */

static void add_size(GString *out, const KxComparison *c)
{
	const KxComparedVm *v = c->vms->len ? c->vms->pdata[0] : NULL;
	g_autofree char *size = v ? kx_text_pages_bytes(v->ram_pages) : NULL;

	if (v && v->vcpus)
		g_string_append_printf(out, "%u VM%s at a time, %u vCPU%s and %s of memory each\n",
				       c->vms->len, c->vms->len == 1 ? "" : "s", v->vcpus,
				       v->vcpus == 1 ? "" : "s", size);
}

static void add_point(GString *out, const KxExperimentPoint *p, guint width)
{
	g_autoptr(GPtrArray) rows = kx_experiment_rows(p);
	g_autoptr(KxTable) table = kx_table_new();

	if (*p->at->label)
		g_string_append_printf(out, "-- %s\n", p->at->label);
	add_size(out, p->c);
	add_answers(out, rows, width);
	add_labels(table, rows);
	add_own_columns(table, rows);
	add_costs(table, rows);
	kx_table_print(table, out, width, INDENT, 0);
	g_string_append_c(out, '\n');
	add_notes(out, p, rows, width);
	g_string_append_c(out, '\n');
}

/* --- growth ------------------------------------------------------------------------------------------------------- */

static void add_growth_rows(KxTable *table, const KxExperimentPoint *p, KxRunRow *row)
{
	guint column = 0;

	kx_table_add_cell(table, column++, g_strdup(row->compared->label));
	kx_table_add_cell(table, column++, g_strdup(p->at->label));
	kx_table_add_cell(table, column++, percent(&row->compared->host_cpu_percent));
	for (const KxRunFigure *f = kx_run_figures; f->key; f++) {
		if (f->tables & KX_RUN_GROWTH)
			kx_table_add_cell(table, column++, percent(kx_run_figure(row, f)));
	}
}

/* How the cost of each tracker changes from point to point. */
static void add_growth(GString *out, const KxExperiment *e, guint width)
{
	g_autoptr(GPtrArray) all =
		g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
	g_autoptr(KxTable) table = kx_table_new();
	guint settings = 0;

	kx_table_add_column(table, "what", TRUE, FALSE);
	kx_table_add_column(table, "point", TRUE, FALSE);
	kx_table_add_column(table, "host CPU\nper VM", FALSE, FALSE);
	for (const KxRunFigure *f = kx_run_figures; f->key; f++) {
		if (f->tables & KX_RUN_GROWTH)
			kx_table_add_column(table, f->title, FALSE, FALSE);
	}
	for (guint i = 0; i < e->points->len; i++) {
		g_ptr_array_add(all, kx_experiment_rows(e->points->pdata[i]));
		settings = MAX(settings, ((GPtrArray *)all->pdata[i])->len);
	}
	for (guint k = 1; k < settings; k++) {
		for (guint i = 0; i < e->points->len; i++) {
			GPtrArray *rows = all->pdata[i];

			if (k < rows->len && runs(rows->pdata[k]))
				add_growth_rows(table, e->points->pdata[i], rows->pdata[k]);
		}
	}
	g_string_append(out, "-- how the cost grows\n");
	kx_table_print(table, out, width, INDENT, 0);
	g_string_append_c(out, '\n');
	kx_compared_fold(
		out, width, INDENT, '\0',
		"host CPU: in percent of one CPU. per GiB: of the working set if the file has "
		"one, else of the VM's memory.");
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static const KxReport *host_of(const KxExperiment *e)
{
	for (guint i = 0; i < e->points->len; i++) {
		const KxReport *host = ((const KxExperimentPoint *)e->points->pdata[i])->c->host;

		if (host->kernel)
			return host;
	}
	return NULL;
}

static void add_head(GString *out, const KxExperiment *e, guint width)
{
	const KxReport *host = host_of(e);
	guint rounds = kx_experiment_begun(e);
	g_autofree char *text =
		kx_rounds_text(e->stopped ? kx_experiment_whole(e) : rounds, rounds);

	kx_compared_line(
		out, width, 0, '\0',
		g_strdup_printf("experiment %s: %s%s; a fresh VM for each run; seed "
				"%" G_GUINT64_FORMAT,
				e->name, text,
				rounds == 1 ? ", which tells no scatter: there are no intervals"
					    : ", each with all settings in another order",
				e->seed));
	if (host) {
		g_autofree char *model =
			kx_text_clean(host->cpu_model ? host->cpu_model : "unknown CPU");

		const char *hardware = host->hardware ? host->hardware : "virtual";

		kx_compared_line(
			out, width, 0, '\0',
			host->hardware_under
				? g_strdup_printf("host: Linux %s, %s, %s (%s)", host->kernel,
						  model, hardware, host->hardware_under)
				: g_strdup_printf("host: Linux %s, %s", host->kernel, model));
	}
	if (e->stopped)
		kx_compared_line(out, width, 0, '\0',
				 g_strdup_printf("ended early: %s", e->stopped));
	g_string_append_c(out, '\n');
}

char *kx_experiment_to_text(const KxExperiment *e, guint width)
{
	const KxReport *host = host_of(e);
	GString *out = g_string_new(NULL);

	add_head(out, e, width);
	for (guint i = 0; i < e->points->len; i++)
		add_point(out, e->points->pdata[i], width);
	if (e->points->len > 1)
		add_growth(out, e, width);
	kx_compared_fold(out, width, INDENT, '\0',
			 "[low, high]: 95 % interval over rounds. All figures are of one VM in one "
			 "run. host: "
			 "CPU time of the tracker's thread and of the daemon's draining; guest: "
			 "vCPU time lost "
			 "by the slowdown.");
	if (host && host->hardware && g_str_equal(host->hardware, "emulated"))
		kx_compared_fold(
			out, width, INDENT, '-',
			"this host is emulated: its times are good as ratios within this table "
			"only");
	return g_string_free(out, FALSE);
}
