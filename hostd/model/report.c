// SPDX-License-Identifier: GPL-2.0-or-later
/* Allocation of reports and their VMs. */
#include "report.h"

#include "fields.h"
#include "hardware.h"

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

KxVmReport *kx_vm_report_copy(const KxVmReport *v)
{
	KxVmReport *c = g_new(KxVmReport, 1);

	*c = *v;
	kx_copy_strings(kx_vm_fields, c);
	c->windows = g_ptr_array_new_with_free_func((GDestroyNotify)kx_window_free);
	for (guint i = 0; i < v->windows->len; i++)
		g_ptr_array_add(c->windows, kx_window_copy(v->windows->pdata[i]));
	c->totals = v->totals ? kx_totals_copy(v->totals) : NULL;
	c->heat = v->heat ? kx_heat_report_copy(v->heat) : NULL;
	c->placement = kx_placement_copy(v->placement);
	c->over_time = kx_over_time_copy(v->over_time);
	return c;
}

void kx_vm_report_free(KxVmReport *v)
{
	if (!v)
		return;
	kx_free_strings(kx_vm_fields, v);
	g_ptr_array_unref(v->windows);
	g_clear_pointer(&v->totals, g_ptr_array_unref);
	kx_heat_report_free(v->heat);
	kx_placement_free(v->placement);
	kx_over_time_free(v->over_time);
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

const char *kx_report_times_of_vms(const KxReport *r)
{
	if (kx_hardware_by_name(r->hardware) == KX_HARDWARE_EMULATED)
		return NULL;
	for (guint i = 0; i < r->vms->len; i++) {
		if (((const KxVmReport *)r->vms->pdata[i])->emulated_by)
			return "The guest's times of a VM whose vCPUs are emulated are the "
			       "emulator's, "
			       "not hardware's; the VM's heading says so.";
	}
	return NULL;
}

const char *kx_schema_meaning(const char *schema)
{
	static const struct {
		const char *begins, *meaning;
	} known[] = {
		{ "kvm-ext-report/", "a report, which kvm-ext report --input reads" },
		{ "kvm-ext-compare/", "a comparison, which kvm-ext compare --input reads" },
		{ "kvm-ext-experiment/", "an experiment, which kvm-ext experiment --input reads" },
		{ "kvm-ext-diff/", "a difference of two comparisons, which no command reads" },
		{ "kvm-ext-stat/",
		  "the output of kvm-ext stat, whose member \"report\" is a report" },
	};

	for (guint i = 0; schema && i < G_N_ELEMENTS(known); i++) {
		if (g_str_has_prefix(schema, known[i].begins))
			return known[i].meaning;
	}
	return NULL;
}
