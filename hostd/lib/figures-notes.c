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

void kx_note_figures(GPtrArray *pools)
{
	for (guint i = 0; i < pools->len; i++)
		note_paused(pools->pdata[i]);
}
