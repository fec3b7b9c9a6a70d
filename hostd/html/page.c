// SPDX-License-Identifier: GPL-2.0-or-later
/* The page: its head, and its sections in their order. */
#include "page-internal.h"

#include <gio/gio.h>

#include "base/textfmt.h"
#include "page-resource.h"

/* The order in which a reader asks. */
static const struct {
	const char *id, *title;
	void (*write)(KxPage *p);
	gboolean always; /* also if nothing was measured */
} sections[] = {
	{ "answer", "What it costs to know which pages are used", kx_page_answer, TRUE },
	{ "cost", "Cost per sample", kx_page_cost, FALSE },
	{ "accuracy", "Overhead against accuracy", kx_page_accuracy, FALSE },
	{ "timeline", "Settings and guest progress over time", kx_page_timeline, FALSE },
	{ "map", "Heat of memory over time", kx_page_map, FALSE },
	{ "working-set", "Working-set size", kx_page_working_set, FALSE },
	{ "ages", "Memory by time since its last access", kx_page_ages, FALSE },
	{ "placement", "Placement on the host's nodes", kx_page_placement, FALSE },
	{ "agreement", "How far trackers agree", kx_page_agreement, FALSE },
	{ "environment", "Environment", kx_page_environment, TRUE },
	{ "notes", "Notes", kx_page_notes, TRUE },
};

/* --- what the page shows ---------------------------------------------------------------------------------------------- */

static void vm_free(gpointer data)
{
	KxPageVm *v = data;

	g_ptr_array_unref(v->rows);
	g_free(v->name);
	g_free(v->scope);
	g_free(v);
}

static void trial_free(gpointer data)
{
	KxPageTrial *t = data;

	g_ptr_array_unref(t->rows);
	g_clear_pointer(&t->runs, g_ptr_array_unref);
	g_free(t->heading);
	g_free(t->scope);
	g_free(t);
}

static void add_vms(KxPage *p, const KxReport *r)
{
	for (guint i = 0; i < r->vms->len; i++) {
		KxPageVm *v = g_new0(KxPageVm, 1);

		v->v = r->vms->pdata[i];
		v->rows = kx_vm_rows(v->v, r->reference);
		v->name = kx_text_clean(v->v->name ? v->v->name : "?");
		v->scope = g_strdup_printf("vm-%u", i);
		g_ptr_array_add(p->vms, v);
	}
}

static KxPageTrial *add_trial(KxPage *p, const KxComparison *c)
{
	KxPageTrial *t = g_new0(KxPageTrial, 1);

	t->c = c;
	t->scope = g_strdup_printf("comparison-%u", p->trials->len);
	g_ptr_array_add(p->trials, t);
	if (!p->host)
		p->host = c->host;
	return t;
}

static void add_point(KxPage *p, const KxExperimentPoint *point)
{
	KxPageTrial *t = add_trial(p, point->c);

	t->point = point;
	t->runs = kx_experiment_rows(point);
	t->rows = g_ptr_array_new(); /* of the runs */
	for (guint i = 0; i < t->runs->len; i++)
		g_ptr_array_add(t->rows, ((KxRunRow *)t->runs->pdata[i])->compared);
	t->heading = *point->at->label ? kx_text_clean(point->at->label) : NULL;
}

static void take(KxPage *p, const KxPageOf *of)
{
	*p = (KxPage){ .of = of,
		       .vms = g_ptr_array_new_with_free_func(vm_free),
		       .trials = g_ptr_array_new_with_free_func(trial_free),
		       .footnotes = g_ptr_array_new_with_free_func(g_free) };
	if (of->report) {
		p->host = of->report;
		add_vms(p, of->report);
	}
	if (of->comparison)
		add_trial(p, of->comparison)->rows = kx_comparison_rows(of->comparison, G_MAXUINT);
	for (guint i = 0; of->experiment && i < of->experiment->points->len; i++)
		add_point(p, of->experiment->points->pdata[i]);
}

static void clear(KxPage *p)
{
	g_ptr_array_unref(p->vms);
	g_ptr_array_unref(p->trials);
	g_ptr_array_unref(p->footnotes);
}

/* --- the head --------------------------------------------------------------------------------------------------------- */

/* A file of this folder, which the program contains. */
static char *resource(const char *name)
{
	g_autofree char *path = g_strconcat("/org/kvmext/html/", name, NULL);
	g_autoptr(GBytes) bytes = g_resource_lookup_data(kx_page_get_resource(), path, 0, NULL);

	g_assert(bytes);
	return g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

static void meta(KxPage *p, const char *key, const char *name, const char *content)
{
	kx_html_open(p->h, "meta", NULL);
	kx_html_attr(p->h, key, name);
	kx_html_attr(p->h, "content", content);
	kx_html_close(p->h);
}

/* Nothing is loaded, and no script runs but that of this page. */
static void add_policy(KxPage *p, const char *script)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree char *base64 = NULL, *policy = NULL;
	guint8 digest[32];
	gsize size = sizeof(digest);

	g_checksum_update(sum, (const guchar *)script, -1);
	g_checksum_get_digest(sum, digest, &size);
	base64 = g_base64_encode(digest, size);
	policy = g_strdup_printf("default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
				 "script-src 'sha256-%s'",
				 base64);
	meta(p, "http-equiv", "Content-Security-Policy", policy);
}

static gint64 made(const KxPageOf *of)
{
	return of->report	? of->report->generated_realtime_ns
	       : of->comparison ? of->comparison->end_realtime_ns
				: of->experiment->end_realtime_ns;
}

static char *title_of(const KxPage *p)
{
	g_autoptr(GString) s = g_string_new("kvm-ext: ");

	if (p->of->experiment)
		g_string_append_printf(s, "experiment %s", p->of->experiment->name);
	else if (p->of->report)
		g_string_append(s, "report");
	else
		g_string_append_printf(s, "comparison %s",
				       p->of->comparison->id ? p->of->comparison->id : "");
	for (guint i = 0; i < p->vms->len; i++)
		g_string_append_printf(s, "%s%s", i ? ", " : " of ",
				       ((const KxPageVm *)p->vms->pdata[i])->name);
	return g_string_free(g_steal_pointer(&s), FALSE);
}

static void write_head(KxPage *p, const char *title, const char *script)
{
	g_autofree char *css = resource("page.css");

	kx_html_open(p->h, "head", NULL);
	kx_html_open(p->h, "meta", NULL);
	kx_html_attr(p->h, "charset", "utf-8");
	kx_html_close(p->h);
	add_policy(p, script);
	meta(p, "name", "viewport", "width=device-width, initial-scale=1");
	meta(p, "name", "color-scheme", "light dark");
	kx_html_element(p->h, "title", NULL, title);
	kx_html_open(p->h, "link", NULL);
	kx_html_attr(p->h, "rel", "icon");
	kx_html_attr(p->h, "href", "data:,"); /* else browsers ask a server for one */
	kx_html_close(p->h);
	kx_html_open(p->h, "style", NULL);
	kx_html_code(p->h, css);
	kx_html_close(p->h);
	kx_html_close(p->h);
}

static void write_top(KxPage *p, const char *title)
{
	g_autofree char *time = kx_page_time(made(p->of));

	kx_html_open(p->h, "header", NULL);
	kx_html_element(p->h, "h1", NULL, title);
	kx_html_open(p->h, "p", "small");
	kx_html_textf(p->h, "%s", time);
	if (p->host && p->host->kernel)
		kx_html_textf(p->h, "; Linux %s, %s", p->host->kernel,
			      p->host->cpu_model ? p->host->cpu_model : "unknown CPU");
	if (p->host && p->host->hardware_under)
		kx_html_textf(p->h, ", %s (%s)", p->host->hardware ? p->host->hardware : "virtual",
			      p->host->hardware_under);
	kx_html_close(p->h);
	kx_html_open(p->h, "nav", NULL);
	for (guint i = 0; i < G_N_ELEMENTS(sections); i++) {
		kx_html_open(p->h, "a", NULL);
		kx_html_attrf(p->h, "href", "#%s", sections[i].id);
		kx_html_text(p->h, sections[i].title);
		kx_html_close(p->h);
	}
	kx_html_close(p->h);
	kx_html_close(p->h);
}

static void write_sections(KxPage *p)
{
	kx_html_open(p->h, "main", NULL);
	for (guint i = 0; i < G_N_ELEMENTS(sections); i++) {
		kx_html_open(p->h, "section", NULL);
		kx_html_attr(p->h, "id", sections[i].id);
		kx_html_element(p->h, "h2", NULL, sections[i].title);
		if (sections[i].always || p->vms->len || p->trials->len)
			sections[i].write(p);
		else
			kx_page_absent(p, "nothing was measured");
		kx_html_close(p->h);
	}
	kx_html_close(p->h);
}

char *kx_page_html(const KxPageOf *of)
{
	g_autofree char *script = resource("page.js"), *title = NULL;
	KxPage p;

	take(&p, of);
	p.h = kx_html_new();
	title = title_of(&p);
	kx_html_open(p.h, "html", NULL);
	kx_html_attr(p.h, "lang", "en");
	write_head(&p, title, script);
	kx_html_open(p.h, "body", NULL);
	write_top(&p, title);
	write_sections(&p);
	kx_html_open(p.h, "script", NULL);
	kx_html_code(p.h, script);
	kx_html_close(p.h);
	kx_html_close(p.h);
	kx_html_close(p.h);
	clear(&p);
	return kx_html_finish(p.h);
}
