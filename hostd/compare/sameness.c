// SPDX-License-Identifier: GPL-2.0-or-later
#include "sameness.h"

#include "base/textfmt.h"
#include "vm/environment.h"

static void differs_free(gpointer data)
{
	KxDiffers *d = data;

	g_free(d->what);
	g_free(d->a);
	g_free(d->b);
	g_free(d);
}

static void compare(GPtrArray *list, KxDiffersIn in, const char *what, const char *a, const char *b)
{
	KxDiffers *d;

	if (!a || !b || g_str_equal(a, b))
		return;
	d = g_new0(KxDiffers, 1);
	*d = (KxDiffers){ in, g_strdup(what), g_strdup(a), g_strdup(b) };
	g_ptr_array_add(list, d);
}

/* A count of 0 is not known. */
static void compare_count(GPtrArray *list, KxDiffersIn in, const char *what, guint64 a, guint64 b)
{
	g_autofree char *as_a = a ? g_strdup_printf("%" G_GUINT64_FORMAT, a) : NULL;
	g_autofree char *as_b = b ? g_strdup_printf("%" G_GUINT64_FORMAT, b) : NULL;

	compare(list, in, what, as_a, as_b);
}

static void compare_hosts(GPtrArray *list, const KxComparison *a, const KxComparison *b)
{
	const KxReport *x = a->host, *y = b->host;

	compare(list, KX_DIFFERS_HOST, "hardware", x->hardware, y->hardware);
	compare(list, KX_DIFFERS_HOST, "hardware under the host", x->hardware_under,
		y->hardware_under);
	compare(list, KX_DIFFERS_HOST, "CPU", x->cpu_model, y->cpu_model);
	compare_count(list, KX_DIFFERS_HOST, "CPUs", x->cpus, y->cpus);
	compare(list, KX_DIFFERS_HOST, "kernel", x->kernel, y->kernel);
	compare(list, KX_DIFFERS_HOST, "kvm-ext", x->version, y->version);
	for (guint i = 0; i < a->environment->len; i++) {
		const KxFact *f = a->environment->pdata[i];
		const KxFact *g = kx_environment_find(b->environment, f->key);

		compare(list, KX_DIFFERS_HOST, f->key, f->value, g ? g->value : NULL);
	}
}

static void compare_vms(GPtrArray *list, const KxComparison *a, const KxComparison *b)
{
	compare_count(list, KX_DIFFERS_VM, "number of VMs", a->vms->len, b->vms->len);
	for (guint i = 0; i < MIN(a->vms->len, b->vms->len); i++) {
		const KxComparedVm *v = a->vms->pdata[i], *w = b->vms->pdata[i];
		g_autofree char *vcpus = g_strdup_printf("vCPUs of %s", v->name);
		g_autofree char *memory = g_strdup_printf("memory of %s", v->name);
		g_autofree char *x = v->ram_pages ? kx_text_pages_bytes(v->ram_pages) : NULL;
		g_autofree char *y = w->ram_pages ? kx_text_pages_bytes(w->ram_pages) : NULL;

		if (v->uuid && w->uuid)
			compare(list, KX_DIFFERS_VM, "UUID of a VM", v->uuid, w->uuid);
		else
			compare(list, KX_DIFFERS_VM, "name of a VM", v->name, w->name);
		compare_count(list, KX_DIFFERS_VM, vcpus, v->vcpus, w->vcpus);
		compare(list, KX_DIFFERS_VM, memory, x, y);
	}
}

static void compare_plans(GPtrArray *list, const KxComparison *a, const KxComparison *b)
{
	g_autofree char *window_a = kx_text_ns((double)a->window_ns);
	g_autofree char *window_b = kx_text_ns((double)b->window_ns);
	g_autofree char *settle_a = kx_text_ns((double)a->settle_ns);
	g_autofree char *settle_b = kx_text_ns((double)b->settle_ns);
	const char *unknown = "not known";

	compare(list, KX_DIFFERS_PLAN, "window", window_a, window_b);
	compare(list, KX_DIFFERS_PLAN, "time to settle", settle_a, settle_b);
	if (a->vms->len > 1 && b->vms->len > 1)
		compare(list, KX_DIFFERS_PLAN, "layout",
			a->layout == KX_LATIN ? "latin" : "together",
			b->layout == KX_LATIN ? "latin" : "together");
	compare(list, KX_DIFFERS_PLAN, "guest progress", a->progress ? a->progress : unknown,
		b->progress ? b->progress : unknown);
	compare(list, KX_DIFFERS_PLAN, "progress command", a->asked.progress_command,
		b->asked.progress_command);
}

GPtrArray *kx_comparison_differs(const KxComparison *a, const KxComparison *b)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(differs_free);

	compare_hosts(list, a, b);
	compare_vms(list, a, b);
	compare_plans(list, a, b);
	return list;
}

static char *process_of(const KxComparedVm *v)
{
	return v->started ? g_strdup_printf("process %u, started at tick %" G_GUINT64_FORMAT,
					    v->pid, v->started)
			  : g_strdup_printf("process %u", v->pid);
}

GPtrArray *kx_comparison_moved_on(const KxComparison *then, const KxComparison *now)
{
	GPtrArray *list = kx_comparison_differs(then, now);

	for (guint i = 0; i < MIN(then->vms->len, now->vms->len); i++) {
		const KxComparedVm *v = then->vms->pdata[i], *w = now->vms->pdata[i];
		g_autofree char *was = process_of(v), *is = process_of(w);

		compare(list, KX_DIFFERS_VM, v->name, was, is);
	}
	return list;
}
