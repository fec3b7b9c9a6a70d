// SPDX-License-Identifier: GPL-2.0-or-later
#include "overtime.h"

static KxOverTime *ask(Cli *cli, const char *target)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *json =
		cli_ask_over_time(cli, target, "asking for the heat over time", &error);
	g_autoptr(KxReport) r = json ? kx_report_from_json(json, &error) : NULL;
	KxVmReport *v = r && r->vms->len == 1 ? r->vms->pdata[0] : NULL;

	if (v && v->over_time)
		return g_steal_pointer(&v->over_time);
	return kx_over_time_unknown(
		g_strdup(error ? error->message : "the daemon's answer does not contain it"));
}

/* Names the VMs by their processes, because several VMs can have the same name. */
void cli_add_over_time(Cli *cli, const KxReport *r)
{
	for (guint i = 0; i < r->vms->len; i++) {
		KxVmReport *v = r->vms->pdata[i];
		g_autofree char *target = g_strdup_printf("/proc/%u", v->pid);

		if (v->pid)
			v->over_time = ask(cli, target);
	}
}
