/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocation of the report model. */
#include "report.h"

#include "report-internal.h"

KxRegions *kx_regions_new(void)
{
	KxRegions *r = g_new0(KxRegions, 1);

	r->list = g_array_new(FALSE, TRUE, sizeof(KxRegion));
	return r;
}

KxRegions *kx_regions_copy(const KxRegions *r)
{
	KxRegions *c = r ? g_new(KxRegions, 1) : NULL;

	if (!r)
		return NULL;
	*c = *r;
	c->list = g_array_copy(r->list);
	return c;
}

void kx_regions_free(KxRegions *r)
{
	if (!r)
		return;
	g_array_unref(r->list);
	g_free(r);
}

static gint hotter_first(gconstpointer a, gconstpointer b)
{
	const KxRegion *x = a, *y = b;

	if (x->accesses != y->accesses)
		return x->accesses > y->accesses ? -1 : 1;
	if (x->npages != y->npages)
		return x->npages > y->npages ? -1 : 1;
	if (x->age != y->age)
		return x->age > y->age ? -1 : 1;
	return x->gfn < y->gfn ? -1 : x->gfn > y->gfn;
}

GArray *kx_regions_ranked(const KxRegions *r)
{
	GArray *list = g_array_copy(r->list);

	g_array_sort(list, hotter_first);
	return list;
}

static gint lower_first(gconstpointer a, gconstpointer b)
{
	const KxRegion *x = a, *y = b;

	if (x->as_id != y->as_id)
		return x->as_id < y->as_id ? -1 : 1;
	return x->gfn < y->gfn ? -1 : x->gfn > y->gfn;
}

void kx_regions_sort(KxRegions *r)
{
	g_array_sort(r->list, lower_first);
}

KxWindow *kx_window_new(void)
{
	KxWindow *w = g_new0(KxWindow, 1);

	/* Only the workload's own log can tell; whoever joins one clears these. */
	w->work_na = g_strdup("no workload log was given");
	w->truth_na = g_strdup("no workload log was given");
	w->written_na = g_strdup("no workload log was given");
	return w;
}

KxVmReport *kx_vm_report_new(void)
{
	KxVmReport *v = g_new0(KxVmReport, 1);

	v->windows = g_ptr_array_new_with_free_func((GDestroyNotify)kx_window_free);
	return v;
}

KxReport *kx_report_new(void)
{
	KxReport *r = g_new0(KxReport, 1);

	r->vms = g_ptr_array_new_with_free_func((GDestroyNotify)kx_vm_report_free);
	return r;
}

void kx_free_strings(const KxField *fields, void *object)
{
	for (; fields->key; fields++) {
		if (fields->type == KX_FIELD_STRING)
			g_clear_pointer((char **)((char *)object + fields->offset), g_free);
	}
}

void kx_copy_strings(const KxField *fields, void *object)
{
	for (; fields->key; fields++) {
		char **s = (char **)((char *)object + fields->offset);

		if (fields->type == KX_FIELD_STRING)
			*s = g_strdup(*s);
	}
}

KxWindow *kx_window_copy(const KxWindow *w)
{
	KxWindow *c = g_new(KxWindow, 1);

	*c = *w;
	kx_copy_strings(kx_window_fields, c);
	c->regions = w->regions ? kx_regions_copy(w->regions) : NULL;
	c->pauses = w->pauses ? g_array_copy(w->pauses) : NULL;
	return c;
}

KxVmReport *kx_vm_report_copy(const KxVmReport *v)
{
	KxVmReport *c = g_new(KxVmReport, 1);

	*c = *v;
	kx_copy_strings(kx_vm_fields, c);
	c->windows = g_ptr_array_new_with_free_func((GDestroyNotify)kx_window_free);
	for (guint i = 0; i < v->windows->len; i++)
		g_ptr_array_add(c->windows, kx_window_copy(v->windows->pdata[i]));
	c->heat = v->heat ? kx_heat_report_copy(v->heat) : NULL;
	return c;
}

void kx_window_free(KxWindow *w)
{
	if (!w)
		return;
	kx_free_strings(kx_window_fields, w);
	kx_regions_free(w->regions);
	g_clear_pointer(&w->pauses, g_array_unref);
	g_free(w);
}

void kx_vm_report_free(KxVmReport *v)
{
	if (!v)
		return;
	kx_free_strings(kx_vm_fields, v);
	g_ptr_array_unref(v->windows);
	kx_heat_report_free(v->heat);
	g_free(v);
}

void kx_report_free(KxReport *r)
{
	if (!r)
		return;
	kx_free_strings(kx_report_fields, r);
	g_ptr_array_unref(r->vms);
	g_free(r);
}
