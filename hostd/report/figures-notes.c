/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Footnotes of figures: what a reader must know to understand a measured value. */
#include "pool.h"

#include <math.h>

#include "tracker/rows.h"

/* The known pauses may not be all pauses. */
static void note_paused(KxPool *p)
{
	g_autofree char *note = NULL;

	if (!p->paused_na)
		return;
	note = g_strdup_printf("at least; %s", p->paused_na);
	kx_figure_note(&p->row->paused_seconds, note);
}

/* A tracker in the guest: the times of passes are CPU time of the guest, and the flushes are of the guest's own TLBs. */
static void note_guest(KxPool *p)
{
	KxFigure *const its[] = { &p->row->pass_mean_ns, &p->row->pass_p99_ns,
				  &p->row->flushes_per_s };

	if (!(p->row->parts & 1u << KX_PART_GUEST))
		return;
	for (guint i = 0; i < G_N_ELEMENTS(its); i++)
		kx_figure_note(its[i], "of the guest, as its module reports it");
}

static void note_all(KxFigure *const *figures, guint n, const char *note)
{
	for (guint i = 0; i < n; i++)
		kx_figure_note(figures[i], note);
}

/* Samples that did not fit in the ring are counted, but their pages are not known. */
static void note_lost(KxPool *p)
{
	KxRow *row = p->row;
	KxFigure *const pages[] = {
		&row->pages_found,	 &row->recall,	  &row->recall_touched,
		&row->recall_written,	 &row->precision, &row->precision_touched,
		&row->precision_written,
	};
	g_autofree char *lost = NULL, *cheap = NULL;

	if (!p->lost)
		return;
	lost = g_strdup_printf("without %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
			       " samples, which were lost",
			       p->lost, p->samples);
	cheap = g_strdup_printf("with %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
				" samples that were lost, and cost less than others",
				p->lost, p->samples);
	note_all(pages, G_N_ELEMENTS(pages), lost);
	kx_figure_note(&row->cost_per_sample_ns, cheap);
	kx_figure_note(&row->total_cost_per_sample_ns, cheap);
	kx_figure_note(&row->guest_cost_per_sample_ns, cheap);
}

/* If the record of a pass was lost, the pass's pages and cost are missing. */
static void note_missing_passes(KxPool *p)
{
	KxRow *row = p->row;
	KxFigure *const its[] = { &row->cost_per_sample_ns, &row->total_cost_per_sample_ns,
				  &row->guest_cost_per_sample_ns, &row->pages_found, &row->recall };
	g_autofree char *note = NULL;

	if (p->cost.n >= p->passes)
		return;
	note = g_strdup_printf("from %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
			       " passes: the records of the others were lost",
			       p->cost.n, p->passes);
	note_all(its, G_N_ELEMENTS(its), note);
}

/* An interval that takes passes for independent would be too short. */
static void note_no_interval(KxPool *p)
{
	KxRow *row = p->row;
	KxFigure *const its[] = { &row->cost_per_sample_ns, &row->total_cost_per_sample_ns,
				  &row->guest_cost_per_sample_ns };

	if (isnan(p->cost.low))
		note_all(its, G_N_ELEMENTS(its),
			 p->cost_is_old
				 ? "without an interval: the report is of a version that did not "
				   "keep how far passes resemble their neighbours"
				 : "without an interval: too few passes that follow each other");
}

/* Each address space has a dirty log of its own, so a tracker can test more pages than the VM has. */
static void note_spaces(KxPool *p, const KxVmReport *v)
{
	KxFigure *total = &p->row->pages_total;
	gboolean more = v->ram_pages && total->value > (double)v->ram_pages;
	g_autofree char *note = NULL, *memory = NULL;

	if (v->address_spaces < 2 || !(more || p->row->parts & 1u << KX_PART_LOG))
		return;
	if (more)
		memory = g_strdup_printf("; the VM has %" G_GUINT64_FORMAT " pages", v->ram_pages);
	note = g_strdup_printf("counted in each of the VM's %u address spaces (SMM has its own)%s",
			       v->address_spaces, memory ? memory : "");
	kx_figure_note(total, note);
}

/* Memory that others hold for a tracker, without reporting how much. */
static void note_memory(KxPool *p)
{
	const char *note = kx_tracker_more_memory(kx_tracker_by_name(p->row->tracker));

	if (note) {
		kx_figure_note(&p->row->memory_bytes, note);
		kx_figure_note(&p->row->memory_per_gib, note);
	}
}

void kx_note_figures(GPtrArray *pools, const KxVmReport *v)
{
	for (guint i = 0; i < pools->len; i++) {
		note_paused(pools->pdata[i]);
		note_guest(pools->pdata[i]);
		note_lost(pools->pdata[i]);
		note_missing_passes(pools->pdata[i]);
		note_no_interval(pools->pdata[i]);
		note_spaces(pools->pdata[i], v);
		note_memory(pools->pdata[i]);
	}
}
