// SPDX-License-Identifier: GPL-2.0-or-later
/* What a reader must know: notes of each VM and comparison, settings, and all footnotes of the page. */
#include "page-internal.h"

#include "report/cells.h"

static void list(KxPage *p, const GPtrArray *sentences)
{
	kx_html_open(p->h, "ul", "notes");
	for (guint i = 0; i < sentences->len; i++)
		kx_html_element(p->h, "li", NULL, sentences->pdata[i]);
	kx_html_close(p->h);
}

static void notes_of_trial(KxPage *p, const KxPageTrial *t)
{
	g_autoptr(GPtrArray) notes = t->point ? kx_experiment_notes(t->point, t->runs)
					      : kx_comparison_notes(t->c, t->rows);

	kx_page_trial_heading(p, t);
	list(p, notes);
	kx_page_say(p, "[low, high]: 95 %% interval over rounds. host: CPU time of the tracker's "
		       "thread and of the daemon's draining; guest: vCPU time lost by the "
		       "slowdown; both for each sample taken.");
}

static void settings_of(KxPage *p, const KxPageVm *v)
{
	kx_page_table_open(p, "The settings in full", NULL);
	kx_page_table_head(p, (const char *const[]){ "tracker", "options", "windows", NULL });
	for (guint i = 0; i < v->rows->len; i++) {
		const KxRow *row = v->rows->pdata[i];
		g_autofree char *label = kx_row_cell(v->rows, i);

		kx_page_row_open(p, label);
		kx_page_cell(p, row->options);
		kx_page_cell_take(p, g_strdup_printf("%u", row->windows));
		kx_page_row_close(p);
	}
	kx_page_table_close(p);
}

static void notes_of_vm(KxPage *p, const KxPageVm *v)
{
	g_autoptr(GPtrArray) losses = kx_row_losses(v->rows);
	g_autoptr(GPtrArray) notes = kx_vm_notes(v->v, v->rows);

	kx_page_vm_heading(p, v);
	if (losses->len)
		list(p, losses);
	list(p, notes);
	settings_of(p, v);
}

static void footnotes(KxPage *p)
{
	if (!p->footnotes->len)
		return;
	kx_html_element(p->h, "h3", NULL, "Footnotes");
	kx_html_open(p->h, "ol", "footnotes");
	for (guint i = 0; i < p->footnotes->len; i++) {
		kx_html_open(p->h, "li", NULL);
		kx_html_attrf(p->h, "id", "note-%u", i + 1);
		kx_html_text(p->h, p->footnotes->pdata[i]);
		kx_html_close(p->h);
	}
	kx_html_close(p->h);
}

void kx_page_notes(KxPage *p)
{
	for (guint i = 0; i < p->trials->len; i++)
		notes_of_trial(p, p->trials->pdata[i]);
	for (guint i = 0; i < p->vms->len; i++)
		notes_of_vm(p, p->vms->pdata[i]);
	kx_page_say(p, "A sample is a page (or 2M/1G leaf) found accessed in a pass; pages are "
		       "4 KiB; k, M, G are 10^3, 10^6, 10^9.");
	footnotes(p);
}
