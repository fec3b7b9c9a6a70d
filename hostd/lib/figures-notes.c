/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Footnotes of figures: what must be known to read a value right that was measured. */
#include "figures-internal.h"

/* What is known of it is not 0, but may not be all. */
static void note_paused(KxPool *p)
{
	g_autofree char *note = NULL;

	if (!p->paused_na)
		return;
	note = g_strdup_printf("at least; %s", p->paused_na);
	kx_figure_note(&p->row->paused_seconds, note);
}

/* Times of passes are of the guest's CPUs there, and the flushes are those of its own TLBs. */
static void note_guest(KxPool *p)
{
	KxFigure *const its[] = { &p->row->pass_mean_ns, &p->row->pass_p99_ns,
				  &p->row->flushes_per_s };

	if (!(p->row->parts & 1u << KX_PART_GUEST))
		return;
	for (guint i = 0; i < G_N_ELEMENTS(its); i++)
		kx_figure_note(its[i], "in the guest, by its own account");
}

void kx_note_figures(GPtrArray *pools)
{
	for (guint i = 0; i < pools->len; i++) {
		note_paused(pools->pdata[i]);
		note_guest(pools->pdata[i]);
	}
}
