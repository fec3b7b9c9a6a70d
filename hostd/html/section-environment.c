// SPDX-License-Identifier: GPL-2.0-or-later
/* What was measured, and where: host, VMs, and everything else by which costs differ between hosts. */
#include "page-internal.h"

#include "base/textfmt.h"
#include "model/hardware.h"
#include "vm/environment.h"

static void open_table(KxPage *p)
{
	kx_html_open(p->h, "div", "scroll");
	kx_html_open(p->h, "table", "facts");
	kx_html_open(p->h, "tbody", NULL);
}

static void close_table(KxPage *p)
{
	kx_html_close(p->h);
	kx_html_close(p->h);
	kx_html_close(p->h);
}

static void fact(KxPage *p, const char *key, const char *value)
{
	kx_html_open(p->h, "tr", NULL);
	kx_html_attr(p->h, "data-fact", key);
	kx_html_open(p->h, "th", NULL);
	kx_html_attr(p->h, "scope", "row");
	kx_html_text(p->h, key);
	kx_html_close(p->h);
	kx_html_element(p->h, "td", NULL, value);
	kx_html_close(p->h);
}

/* Takes @value. */
static void fact_take(KxPage *p, const char *key, char *value)
{
	fact(p, key, value);
	g_free(value);
}

static const char *or_unknown(const char *text)
{
	return text && *text ? text : "unknown";
}

/* --- the host --------------------------------------------------------------------------------------------------------- */

static void add_host(KxPage *p, const KxReport *host)
{
	KxHardware kind = kx_hardware_by_name(host->hardware);
	const char *times = kx_hardware_times(kind);

	fact(p, "kvm-ext", or_unknown(host->version));
	fact(p, "kernel", or_unknown(host->kernel));
	fact_take(p, "CPU",
		  g_strdup_printf("%s, %s, %u CPU%s", or_unknown(host->cpu_vendor),
				  or_unknown(host->cpu_model), host->cpus,
				  host->cpus == 1 ? "" : "s"));
	fact_take(p, "hardware", kx_hardware_heading(kind, host->hardware_under));
	if (times)
		fact(p, "times", times);
	if (kx_report_times_of_vms(host))
		fact(p, "times of VMs", kx_report_times_of_vms(host));
	if (host->log_selftest)
		fact(p, "dirty log self-test", or_unknown(host->log_selftest_text));
}

/* --- a report --------------------------------------------------------------------------------------------------------- */

static void add_paging(KxPage *p, const KxVmReport *v)
{
	fact_take(
		p, "paging",
		g_strdup_printf("%s, A/D bits %s", or_unknown(v->paging), or_unknown(v->ad_bits)));
	fact_take(p, "page sizes in use",
		  v->mapped_4k + v->mapped_2m + v->mapped_1g
			  ? g_strdup_printf("%" G_GUINT64_FORMAT " x 4K, %" G_GUINT64_FORMAT
					    " x 2M, %" G_GUINT64_FORMAT " x 1G",
					    v->mapped_4k, v->mapped_2m, v->mapped_1g)
			  : g_strdup("n/a: no mapping was seen"));
}

static void add_vm(KxPage *p, const KxPageVm *v)
{
	g_autofree char *size = kx_text_pages_bytes(v->v->ram_pages);

	kx_html_open(p->h, "h3", NULL);
	kx_html_name(p->h, v->name);
	kx_html_close(p->h);
	open_table(p);
	fact(p, "UUID", or_unknown(v->v->uuid));
	fact_take(p, "process",
		  v->v->attached ? g_strdup_printf("%u, attached", v->v->pid)
				 : g_strdup_printf("%u, ended: %s", v->v->pid,
						   v->v->ended ? v->v->ended : "detached"));
	fact_take(p, "vCPUs",
		  v->v->vcpus ? g_strdup_printf("%u", v->v->vcpus) : g_strdup("unknown"));
	if (v->v->emulated_by)
		fact_take(p, "vCPUs emulated by",
			  g_strdup_printf(
				  "%s, without KVM: the guest's times are the emulator's, good as "
				  "ratios within this VM only",
				  v->v->emulated_by));
	fact_take(p, "memory",
		  v->v->ram_pages ? g_strdup_printf("%s in %u memslot%s", size, v->v->memslots,
						    v->v->memslots == 1 ? "" : "s")
				  : g_strdup("unknown"));
	/* KVM has no page table for it. */
	if (!v->v->emulated_by)
		add_paging(p, v->v);
	if (v->v->log_mechanism)
		fact_take(p, "dirty log",
			  g_strdup_printf("%s, from %s; mode %s", v->v->log_mechanism,
					  or_unknown(v->v->log_mechanism_source),
					  or_unknown(v->v->log_mode)));
	if (v->v->ring_bytes)
		fact_take(p, "sample ring", kx_text_pages_bytes(v->v->ring_bytes / 4096));
	close_table(p);
}

/* --- a comparison ----------------------------------------------------------------------------------------------------- */

static void add_facts(KxPage *p, const GPtrArray *environment)
{
	for (guint i = 0; i < environment->len; i++) {
		const KxFact *f = environment->pdata[i];

		fact_take(p, f->key,
			  f->value ? g_strdup(f->value)
				   : g_strdup_printf("n/a: %s", f->na ? f->na : "not known"));
	}
}

static void add_vms(KxPage *p, const KxComparison *c)
{
	for (guint i = 0; i < c->vms->len; i++) {
		const KxComparedVm *v = c->vms->pdata[i];
		g_autofree char *size = kx_text_pages_bytes(v->ram_pages);
		g_autofree char *key = g_strdup_printf("VM %s", v->name);

		fact_take(p, key,
			  g_strdup_printf("%u vCPU%s, %s of memory", v->vcpus,
					  v->vcpus == 1 ? "" : "s", size));
	}
}

static void add_trial(KxPage *p, const KxPageTrial *t)
{
	const KxComparison *c = t->c;
	g_autofree char *title =
		t->heading ? g_strdup_printf("The comparison at %s", t->heading)
			   : g_strdup_printf("Comparison %s", c->id ? c->id : "(not kept)");

	kx_html_element(p->h, "h3", NULL, title);
	open_table(p);
	fact_take(p, "begun", kx_page_time(c->start_realtime_ns));
	fact_take(p, "ended", kx_page_time(c->end_realtime_ns));
	if (c->stopped)
		fact(p, "ended early", c->stopped);
	fact(p, "command", c->command ? c->command : "not known");
	fact_take(p, "rounds",
		  c->stopped && c->whole < c->rounds
			  ? g_strdup_printf("%u whole, and a part of another", c->whole)
			  : g_strdup_printf("%u", c->rounds));
	fact_take(p, "seed", g_strdup_printf("%" G_GUINT64_FORMAT, c->seed));
	if (!t->point) {
		fact_take(p, "window", kx_text_ns((double)c->window_ns));
		fact_take(p, "settling", kx_text_ns((double)c->settle_ns));
	}
	fact(p, "layout",
	     c->vms->len < 2	     ? "one VM"
	     : c->layout == KX_LATIN ? "latin: each VM runs another setting at a time"
				     : "together: all VMs run the same setting at a time");
	fact_take(p, "guest progress",
		  c->progress ? g_strdup(c->progress)
			      : g_strdup_printf("n/a: %s",
						c->progress_na ? c->progress_na : "not known"));
	add_vms(p, c);
	add_facts(p, c->environment);
	close_table(p);
	kx_page_table_open(p, "The settings in full", NULL);
	kx_page_table_head(p, (const char *const[]){ "setting", "options", NULL });
	for (guint i = 0; i < c->settings->len; i++) {
		const KxComparedSetting *s = c->settings->pdata[i];

		kx_page_row_open(p, s->label);
		kx_page_cell(p, s->text);
		kx_page_row_close(p);
	}
	kx_page_table_close(p);
}

static void add_experiment(KxPage *p, const KxExperiment *e)
{
	kx_html_element(p->h, "h3", NULL, "The experiment");
	open_table(p);
	fact(p, "name", e->name);
	fact(p, "command", e->command ? e->command : "not known");
	fact_take(p, "seed", g_strdup_printf("%" G_GUINT64_FORMAT, e->seed));
	if (e->stopped)
		fact(p, "ended early", e->stopped);
	close_table(p);
}

void kx_page_environment(KxPage *p)
{
	if (p->host) {
		open_table(p);
		add_host(p, p->host);
		close_table(p);
	}
	if (p->of->experiment)
		add_experiment(p, p->of->experiment);
	for (guint i = 0; i < p->trials->len; i++)
		add_trial(p, p->trials->pdata[i]);
	for (guint i = 0; i < p->vms->len; i++)
		add_vm(p, p->vms->pdata[i]);
}
