// SPDX-License-Identifier: GPL-2.0-or-later
/* Overhead against accuracy: what each setting takes from the guest, and how much of what was touched it finds. */
#include "page-internal.h"

#include <math.h>

#include "report/cells.h"
#include "scatter.h"

static gboolean is_drawn(const KxFigure *x, const KxFigure *y)
{
	return !x->na && !y->na;
}

/* Recall upwards; to the right, what tracking does to the guest. */
static KxScatter over_recall(const char *scope)
{
	return (KxScatter){ .scope = scope,
			    .y_column = "recall",
			    .y_key = "recall",
			    .x_is_log = TRUE,
			    .also_x = { 1, 1 },
			    .also_y = { 0, 1 },
			    .x_tick = kx_tick_ratio,
			    .y_tick = kx_tick_number };
}

/* --- of a comparison -------------------------------------------------------------------------------------------------- */

static void plot_trial(KxPage *p, const KxPageTrial *t)
{
	g_autoptr(GPtrArray) points = kx_scatter_points_new();
	KxScatter s = over_recall(t->scope);

	s.title = "Slowdown and recall of each setting, with 95 % intervals over rounds: best is "
		  "above "
		  "and to the left";
	s.x_title = "slowdown against off (logarithmic); upwards: recall";
	s.x_column = "slowdown\nvs off";
	s.x_key = "slowdown";
	/* The reference finds nothing: it has no point. */
	for (guint i = 1; i < t->rows->len; i++) {
		const KxComparedRow *row = t->rows->pdata[i];

		if (!row->left_out)
			kx_scatter_add(points, g_strdup(row->label), &row->slowdown,
				       kx_compared_cell(KX_COMPARED_RATIO, &row->slowdown),
				       &row->recall,
				       kx_compared_cell(KX_COMPARED_SHARE, &row->recall));
	}
	kx_scatter(p, &s, points);
}

/* Why there is no point at all: the reason of the first setting that ran. */
static const char *trial_na(const KxPageTrial *t)
{
	const char *na = NULL;

	for (guint i = 1; i < t->rows->len; i++) {
		const KxComparedRow *row = t->rows->pdata[i];

		if (row->left_out)
			continue;
		if (is_drawn(&row->slowdown, &row->recall))
			return NULL;
		if (!na)
			na = row->slowdown.na ? row->slowdown.na : row->recall.na;
	}
	return na ? na : "no setting ran beside off";
}

/* --- of a report ------------------------------------------------------------------------------------------------------ */

static gboolean takes_samples(const KxRow *row)
{
	return !g_str_equal(row->tracker, "off");
}

static void plot_vm(KxPage *p, const KxPageVm *v)
{
	g_autoptr(GPtrArray) points = kx_scatter_points_new();
	KxScatter s = over_recall(v->scope);

	s.title = "Guest work and recall of each setting: best is above and to the right. The "
		  "intervals of "
		  "work are over windows; recall has none here";
	s.x_title = "guest work, against off (logarithmic); upwards: recall";
	s.x_column = "work\nvs off";
	s.x_key = "work_vs_off";
	for (guint i = 0; i < v->rows->len; i++) {
		const KxRow *row = v->rows->pdata[i];
		const KxFigure *x = &row->work_vs_off, *y = &row->recall;

		if (takes_samples(row))
			kx_scatter_add(points, kx_row_cell(v->rows, i), x,
				       x->na ? NULL : kx_cell_value(v->rows, i, KX_CELL_RATIO, x),
				       y,
				       y->na ? NULL : kx_cell_value(v->rows, i, KX_CELL_SHARE, y));
	}
	kx_scatter(p, &s, points);
}

static const char *vm_na(const KxPageVm *v)
{
	const char *na = NULL;

	for (guint i = 0; i < v->rows->len; i++) {
		const KxRow *row = v->rows->pdata[i];

		if (!takes_samples(row))
			continue;
		if (is_drawn(&row->work_vs_off, &row->recall))
			return NULL;
		if (!na)
			na = row->work_vs_off.na ? row->work_vs_off.na : row->recall.na;
	}
	return na ? na : "no tracker took samples";
}

void kx_page_accuracy(KxPage *p)
{
	for (guint i = 0; i < p->trials->len; i++) {
		const KxPageTrial *t = p->trials->pdata[i];

		kx_page_trial_heading(p, t);
		if (trial_na(t))
			kx_page_absent(p, trial_na(t));
		else
			plot_trial(p, t);
	}
	for (guint i = 0; i < p->vms->len; i++) {
		const KxPageVm *v = p->vms->pdata[i];

		kx_page_vm_heading(p, v);
		if (vm_na(v))
			kx_page_absent(p, vm_na(v));
		else
			plot_vm(p, v);
	}
}
