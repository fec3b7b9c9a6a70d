// SPDX-License-Identifier: GPL-2.0-or-later
/* The answer in one sentence, and a sentence for each setting. */
#include "page-internal.h"

#include "base/textfmt.h"
#include "model/hardware.h"
#include "report/cells.h"

/* The least and the largest cost, and whose they are. */
typedef struct {
	const KxFigure *least, *most;
	char *least_of, *most_of;
	guint n;
	guint open; /* number of costs without an interval, or whose interval includes 0: neither the least nor the largest */
} Range;

/* Takes @label. */
static void range_add(Range *r, const KxFigure *f, char *label)
{
	g_autofree char *plain = label;

	if (f->na)
		return;
	if (!(f->low > 0)) {
		r->open++;
		return;
	}
	r->n++;
	if (!r->least || f->value < r->least->value) {
		r->least = f;
		g_free(r->least_of);
		r->least_of = g_strdup(plain);
	}
	if (!r->most || f->value > r->most->value) {
		r->most = f;
		g_free(r->most_of);
		r->most_of = g_strdup(plain);
	}
}

static void range_clear(Range *r)
{
	g_free(r->least_of);
	g_free(r->most_of);
}

/* "4.76 us [4.57, 4.95]" */
static char *cost(const KxFigure *f)
{
	return kx_compared_cell(KX_COMPARED_NS, f);
}

static char *range_text(const Range *r)
{
	g_autofree char *least = cost(r->least), *most = cost(r->most);

	if (r->n == 1)
		return g_strdup_printf("%s (%s)", least, r->least_of);
	return g_strdup_printf("from %s (%s) to %s (%s)", least, r->least_of, most, r->most_of);
}

static void add_open(GString *s, const Range *r)
{
	if (r->open)
		g_string_append_printf(
			s, "; of %u setting%s too little was measured to tell a cost from 0",
			r->open, r->open == 1 ? "" : "s");
}

static const char *emulated(const KxReport *host)
{
	return host && kx_hardware_by_name(host->hardware) == KX_HARDWARE_EMULATED
		       ? "; this host is emulated, so these times are good as ratios only"
		       : "";
}

/* The first sentence is the answer. */
static void sentence(KxPage *p, const char *text, gboolean is_answer)
{
	kx_html_element(p->h, "p", is_answer ? "answer" : NULL, text);
}

static void open_list(KxPage *p)
{
	kx_html_open(p->h, "ul", NULL);
}

static void item(KxPage *p, const char *text)
{
	kx_html_element(p->h, "li", NULL, text);
}

/* --- of a comparison -------------------------------------------------------------------------------------------------- */

/* The least and the largest of the differences that were found. */
static void add_slowdowns(GString *s, const GPtrArray *rows)
{
	const KxComparedRow *least = NULL, *most = NULL;
	guint measured = 0;

	for (guint i = 1; i < rows->len; i++) {
		const KxComparedRow *row = rows->pdata[i];

		if (row->left_out || row->slowdown.na)
			continue;
		measured++;
		if (!(row->slowdown.low > 1) && !(row->slowdown.high < 1))
			continue;
		if (!least || row->slowdown.value < least->slowdown.value)
			least = row;
		if (!most || row->slowdown.value > most->slowdown.value)
			most = row;
	}
	if (!measured)
		return;
	if (!most)
		g_string_append(s, ", and no slowdown of the guest's work was found");
	else if (least == most)
		g_string_append_printf(s, ", and the guest's work takes %.3g times as long (%s)",
				       most->slowdown.value, most->label);
	else
		g_string_append_printf(
			s, ", and the guest's work takes %.3g (%s) to %.3g (%s) times as long",
			least->slowdown.value, least->label, most->slowdown.value, most->label);
}

static gboolean has_total(const GPtrArray *rows)
{
	for (guint i = 0; i < rows->len; i++) {
		if (!((const KxComparedRow *)rows->pdata[i])->total_ns.na)
			return TRUE;
	}
	return FALSE;
}

static void answer_of_trial(KxPage *p, const KxPageTrial *t)
{
	gboolean total = has_total(t->rows);
	g_autoptr(GString) s = g_string_new("A sample costs ");
	g_autofree char *range = NULL;
	Range r = { 0 };

	for (guint i = 0; i < t->rows->len; i++) {
		const KxComparedRow *row = t->rows->pdata[i];

		range_add(&r, total ? &row->total_ns : &row->host_ns, g_strdup(row->label));
	}
	if (r.n) {
		range = range_text(&r);
		g_string_append_printf(s, "%s of CPU time%s", range,
				       total ? ", host and guest together" : " of the host");
		add_slowdowns(s, t->rows);
		add_open(s, &r);
		g_string_append_printf(s, "%s.", emulated(t->c->host));
	} else if (r.open) {
		g_string_assign(s, "Too little was measured to tell what a sample costs.");
	} else {
		g_string_assign(s, "n/a: no setting has a cost per sample.");
	}
	sentence(p, s->str, TRUE);
	range_clear(&r);
}

static void each_of_trial(KxPage *p, const KxPageTrial *t)
{
	open_list(p);
	for (guint i = 1; i < t->rows->len; i++) {
		const KxComparedRow *row = t->rows->pdata[i];
		g_autofree char *answer =
			kx_compared_answer(row, t->point ? "the workload" : "the guest's work");

		if (answer)
			item(p, answer);
	}
	kx_html_close(p->h);
}

/* --- of a report ------------------------------------------------------------------------------------------------------ */

/* Returns how many costs were left out: without an interval, or with one that includes 0. */
static guint add_range(GString *s, const KxPageVm *v, gsize offset, const char *of)
{
	g_autofree char *range = NULL;
	Range r = { 0 };

	for (guint i = 0; i < v->rows->len; i++)
		range_add(&r, kx_row_figure(v->rows->pdata[i], offset), kx_row_cell(v->rows, i));
	if (r.n) {
		range = range_text(&r);
		g_string_append_printf(s, "%s%s of %s", s->len ? ", and " : "", range, of);
	}
	range_clear(&r);
	return r.open;
}

static void add_sentence(const char *text, gboolean first, gpointer data)
{
	item(data, text);
}

static void answer_of_vm(KxPage *p, const KxPageVm *v)
{
	g_autoptr(GString) s = g_string_new(NULL);
	g_autofree char *text = NULL;
	guint open;

	open = add_range(s, v, G_STRUCT_OFFSET(KxRow, cost_per_sample_ns), "host CPU time");
	open += add_range(s, v, G_STRUCT_OFFSET(KxRow, guest_cost_per_sample_ns),
			  "the guest's CPU time");
	/* On a real host, too: the guest's time is then the emulator's. */
	if (s->len && v->v->emulated_by)
		g_string_append_printf(s,
				       "; %s emulates the vCPUs, so the guest's times are good as "
				       "ratios within this VM only",
				       v->v->emulated_by);
	text = s->len ? g_strdup_printf("%s: a sample costs %s%s.", v->name, s->str,
					emulated(p->of->report))
		      : g_strdup_printf(
				"%s: n/a: %s.", v->name,
				open ? "too little was measured to tell a cost per sample from 0"
				: v->rows->len ? "no tracker has a cost per sample"
					       : "no tracker was set on this VM yet");
	sentence(p, text, !p->trials->len);
}

void kx_page_answer(KxPage *p)
{
	for (guint i = 0; i < p->trials->len; i++) {
		const KxPageTrial *t = p->trials->pdata[i];

		if (t->heading)
			kx_html_element(p->h, "h3", NULL, t->heading);
		answer_of_trial(p, t);
		each_of_trial(p, t);
	}
	for (guint i = 0; i < p->vms->len; i++) {
		const KxPageVm *v = p->vms->pdata[i];

		answer_of_vm(p, v);
		open_list(p);
		kx_row_sentences(v->rows, p->of->report->reference, add_sentence, p);
		kx_html_close(p->h);
	}
	if (!p->vms->len && !p->trials->len)
		kx_page_absent(p, "no VM has been attached: kvm-ext attach NAME");
}
