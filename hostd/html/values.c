// SPDX-License-Identifier: GPL-2.0-or-later
/* Words, values and tables of the page. */
#include "page-internal.h"

#include <string.h>

#include "base/textfmt.h"

void kx_page_absent(KxPage *p, const char *reason)
{
	kx_html_open(p->h, "p", "absent");
	kx_html_textf(p->h, "n/a: %s.", reason);
	kx_html_close(p->h);
}

void kx_page_vm_heading(KxPage *p, const KxPageVm *v)
{
	if (p->vms->len + p->trials->len < 2)
		return;
	kx_html_open(p->h, "h3", NULL);
	kx_html_name(p->h, v->name);
	if (p->trials->len)
		kx_html_text(p->h, ", by its report");
	kx_html_close(p->h);
}

void kx_page_trial_heading(KxPage *p, const KxPageTrial *t)
{
	if (t->heading)
		kx_html_element(p->h, "h3", NULL, t->heading);
	else if (p->vms->len)
		kx_html_element(p->h, "h3", NULL, "By the comparison");
}

void kx_page_say(KxPage *p, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	kx_html_element(p->h, "p", NULL, text);
}

char *kx_page_time(gint64 realtime_ns)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(realtime_ns / 1000000000);

	return time && realtime_ns ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S UTC")
				   : g_strdup("not known");
}

/* --- values ----------------------------------------------------------------------------------------------------------- */

void kx_page_footnote(KxPage *p, const char *words)
{
	guint i;

	if (!g_ptr_array_find_with_equal_func(p->footnotes, words, g_str_equal, &i)) {
		i = p->footnotes->len;
		g_ptr_array_add(p->footnotes, g_strdup(words));
	}
	kx_html_open(p->h, "a", "note");
	kx_html_attrf(p->h, "href", "#note-%u", i + 1);
	kx_html_attr(p->h, "title", words);
	kx_html_textf(p->h, "(%u)", i + 1);
	kx_html_close(p->h);
}

static void digits(KxPage *p, const char *key, const KxFigure *f)
{
	kx_html_attr(p->h, "data-key", key);
	if (f->na) {
		kx_html_attr(p->h, "data-na", f->na);
		return;
	}
	kx_html_attr_number(p->h, "data-value", f->value);
	kx_html_attr_number(p->h, "data-low", f->low);
	kx_html_attr_number(p->h, "data-high", f->high);
}

void kx_page_value(KxPage *p, const char *key, const KxFigure *f, const char *text)
{
	const char *words = f->na ? f->na : f->note;

	kx_html_open(p->h, "span", f->na ? "na" : NULL);
	if (key)
		digits(p, key, f);
	kx_html_text(p->h, f->na ? "n/a" : text);
	kx_html_close(p->h);
	if (words) {
		kx_html_text(p->h, " ");
		kx_page_footnote(p, words);
	}
}

/* --- tables ----------------------------------------------------------------------------------------------------------- */

void kx_page_table_open(KxPage *p, const char *summary, const char *scope)
{
	kx_html_open(p->h, "details", NULL);
	kx_html_element(p->h, "summary", NULL, summary);
	kx_html_open(p->h, "div", "scroll");
	kx_html_open(p->h, "table", NULL);
	if (scope)
		kx_html_attr(p->h, "data-scope", scope);
}

void kx_page_table_close(KxPage *p)
{
	kx_html_close(p->h); /* tbody */
	kx_html_close(p->h); /* table */
	kx_html_close(p->h);
	kx_html_close(p->h);
}

static void title_cell(KxPage *p, const char *title)
{
	g_auto(GStrv) lines = g_strsplit(title, "\n", 2);

	kx_html_open(p->h, "th", NULL);
	kx_html_attr(p->h, "scope", "col");
	for (guint i = 0; lines[i]; i++) {
		if (i) {
			kx_html_open(p->h, "br", NULL);
			kx_html_close(p->h);
		}
		kx_html_text(p->h, lines[i]);
	}
	kx_html_close(p->h);
}

void kx_page_table_head(KxPage *p, const char *const *titles)
{
	kx_html_open(p->h, "thead", NULL);
	kx_html_open(p->h, "tr", NULL);
	for (; *titles; titles++)
		title_cell(p, *titles);
	kx_html_close(p->h);
	kx_html_close(p->h);
	kx_html_open(p->h, "tbody", NULL);
}

void kx_page_row_open(KxPage *p, const char *label)
{
	kx_html_open(p->h, "tr", NULL);
	kx_html_attr(p->h, "data-row", label);
	kx_html_open(p->h, "th", NULL);
	kx_html_attr(p->h, "scope", "row");
	kx_html_name(p->h, label);
	kx_html_close(p->h);
}

void kx_page_row_close(KxPage *p)
{
	kx_html_close(p->h);
}

void kx_page_cell(KxPage *p, const char *text)
{
	kx_html_element(p->h, "td", NULL, text);
}

void kx_page_cell_take(KxPage *p, char *text)
{
	kx_page_cell(p, text);
	g_free(text);
}

void kx_page_cell_figure(KxPage *p, const char *key, const KxFigure *f, const char *text)
{
	kx_html_open(p->h, "td", NULL);
	kx_page_value(p, key, f, text);
	kx_html_close(p->h);
}
