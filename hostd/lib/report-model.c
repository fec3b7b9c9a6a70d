/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocation of the report model. */
#include "report.h"

#include "report-internal.h"

KxWindow *kx_window_new(void)
{
	KxWindow *w = g_new0(KxWindow, 1);

	/* Only the workload's own log can tell; whoever joins one clears these. */
	w->work_na = g_strdup("no workload log was given");
	w->truth_na = g_strdup("no workload log was given");
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

/* The field tables know every string there is, so none can be forgotten here. */
static void free_strings(const KxField *fields, void *object)
{
	for (; fields->key; fields++) {
		if (fields->type == KX_FIELD_STRING)
			g_clear_pointer((char **)((char *)object + fields->offset), g_free);
	}
}

void kx_window_free(KxWindow *w)
{
	if (!w)
		return;
	free_strings(kx_window_fields, w);
	g_free(w);
}

void kx_vm_report_free(KxVmReport *v)
{
	if (!v)
		return;
	free_strings(kx_vm_fields, v);
	g_ptr_array_unref(v->windows);
	g_free(v);
}

void kx_report_free(KxReport *r)
{
	if (!r)
		return;
	free_strings(kx_report_fields, r);
	g_ptr_array_unref(r->vms);
	g_free(r);
}
