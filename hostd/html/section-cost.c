// SPDX-License-Identifier: GPL-2.0-or-later
/* Cost per sample of each tracker: dot and interval on a logarithmic axis, the parts of host and guest apart. */
#include "page-internal.h"

#include <math.h>

#include "base/textfmt.h"
#include "report/cells.h"

/* --- of a comparison -------------------------------------------------------------------------------------------------- */

static const KxPlotSeries compared_series[] = {
	{ "host", "host: CPU time of the tracker's thread and of the daemon's draining",
	  "host_ns_per_sample", FALSE },
	{ "guest", "guest: vCPU time that the slowdown takes", "guest_ns_per_sample", FALSE },
	{ "total", "total", "total_ns_per_sample", FALSE },
};

static void plot_trial(KxPage *p, const KxPageTrial *t)
{
	g_autoptr(GPtrArray) rows = kx_plot_rows_new();
	const KxPlot plot = { .scope = t->scope,
			      .title = "CPU time per sample, with 95 % intervals over rounds",
			      .axis_title = "CPU time per sample (logarithmic)",
			      .series = compared_series,
			      .n = G_N_ELEMENTS(compared_series),
			      .is_log = TRUE,
			      .also = NAN,
			      .tick = kx_tick_ns };

	for (guint i = 0; i < t->rows->len; i++) {
		const KxComparedRow *row = t->rows->pdata[i];
		KxPlotRow *r = kx_plot_row_add(rows, g_strdup(row->label));

		r->figures[0] = &row->host_ns;
		r->figures[1] = &row->guest_ns;
		r->figures[2] = &row->total_ns;
		for (guint k = 0; k < plot.n; k++)
			r->texts[k] = kx_compared_cell(KX_COMPARED_NS, r->figures[k]);
	}
	kx_plot_dots(p, &plot, rows);
}

/* --- of a report ------------------------------------------------------------------------------------------------------ */

static const KxPlotSeries row_series[] = {
	{ "host", "host: CPU time of the tracker's thread", "cost_per_sample_ns", FALSE },
	{ "guest", "guest: CPU time of a tracker in the guest", "guest_cost_per_sample_ns", TRUE },
};

static void plot_vm(KxPage *p, const KxPageVm *v)
{
	g_autoptr(GPtrArray) rows = kx_plot_rows_new();
	const KxPlot plot = { .scope = v->scope,
			      .title = "CPU time per sample, with 95 % intervals over passes or "
				       "windows",
			      .axis_title = "CPU time per sample (logarithmic)",
			      .series = row_series,
			      .n = G_N_ELEMENTS(row_series),
			      .is_log = TRUE,
			      .also = NAN,
			      .tick = kx_tick_ns };

	for (guint i = 0; i < v->rows->len; i++) {
		const KxRow *row = v->rows->pdata[i];
		KxPlotRow *r = kx_plot_row_add(rows, kx_row_cell(v->rows, i));

		r->figures[0] = &row->cost_per_sample_ns;
		r->figures[1] = &row->guest_cost_per_sample_ns;
		for (guint k = 0; k < plot.n; k++) {
			if (!r->figures[k]->na)
				r->texts[k] =
					kx_cell_value(v->rows, i, KX_CELL_COST, r->figures[k]);
		}
	}
	kx_plot_dots(p, &plot, rows);
}

void kx_page_cost(KxPage *p)
{
	for (guint i = 0; i < p->trials->len; i++) {
		kx_page_trial_heading(p, p->trials->pdata[i]);
		plot_trial(p, p->trials->pdata[i]);
		kx_page_trial_tables(p, p->trials->pdata[i]);
	}
	for (guint i = 0; i < p->vms->len; i++) {
		const KxPageVm *v = p->vms->pdata[i];

		kx_page_vm_heading(p, v);
		if (!v->rows->len) {
			kx_page_absent(p, "no tracker was set on this VM yet");
			continue;
		}
		plot_vm(p, v);
		kx_page_vm_tables(p, v);
	}
}
