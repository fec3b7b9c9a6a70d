// SPDX-License-Identifier: GPL-2.0-or-later
/* After the rounds of a comparison: takes what the daemon's report says of host and VMs. */
#include <math.h>

#include "compare-run.h"
#include "compare/comparison-ground.h"
#include "compare/setting.h"

KxReport *compare_fetch_report(Cli *cli, char **targets, GError **error)
{
	g_autofree char *json = cli_ask_report(cli, targets, "fetching the report", error);

	return json ? kx_report_from_json(json, error) : NULL;
}

/* Copies the data of the VMs and of the host from the report. */
static void take_host(KxComparison *c, KxReport *report)
{
	for (guint i = 0; i < c->vms->len; i++) {
		KxComparedVm *v = c->vms->pdata[i];

		for (guint k = 0; k < report->vms->len; k++) {
			const KxVmReport *from = report->vms->pdata[k];

			if (from->pid != v->pid)
				continue;
			v->vcpus = from->vcpus;
			v->ram_pages = from->ram_pages;
		}
	}
	g_ptr_array_set_size(report->vms, 0);
	kx_report_free(c->host);
	c->host = report;
}

gboolean compare_take_host(Cli *cli, char **targets, KxComparison *c, GError **error)
{
	KxReport *report = compare_fetch_report(cli, targets, error);

	if (report)
		take_host(c, report);
	return report != NULL;
}

/* Share of the time of the VM's vCPUs under a setting in which they waited for a CPU; NAN: not known. */
static double waited(const KxComparison *c, guint vm, guint setting)
{
	double run = 0, steal = 0;

	for (guint round = 0; round < c->rounds; round++) {
		const KxStretch *s = kx_comparison_at(c, vm, round, setting);

		if (!s || s->failed || isnan(s->vcpu_steal_ns) || isnan(s->vcpu_run_ns))
			continue;
		run += s->vcpu_run_ns;
		steal += s->vcpu_steal_ns;
	}
	return run + steal > 0 ? steal / (run + steal) : NAN;
}

/* Under off the vCPUs wait for other load. If they wait longer under a tracker, they mostly wait for the tracker's thread. */
static void doubt_steal(KxComparison *c)
{
	for (guint vm = 0; vm < c->vms->len; vm++) {
		GPtrArray *doubts = ((KxComparedVm *)c->vms->pdata[vm])->doubts;
		double off = waited(c, vm, KX_REFERENCE), most = 0;
		guint worst = KX_REFERENCE;

		for (guint k = 0; k < c->settings->len; k++) {
			double share = waited(c, vm, k);

			if (k != KX_REFERENCE && share > most) {
				most = share;
				worst = k;
			}
		}
		if (off > 0.05)
			g_ptr_array_add(
				doubts,
				g_strdup_printf(
					"without tracking, its vCPUs waited %.0f %% of their time "
					"for a CPU: other load on this host is part of the "
					"differences",
					100 * off));
		if (worst != KX_REFERENCE && most > off + 0.05)
			g_ptr_array_add(
				doubts,
				g_strdup_printf(
					"its vCPUs waited for a CPU %.0f %% of their time under "
					"%s, "
					"%.0f %% under off: where they waited for the tracker's "
					"thread, total per sample contains that time twice, as "
					"host and as guest",
					100 * most,
					((const KxSetting *)c->settings->pdata[worst])->tracker,
					100 * off));
	}
}

void compare_conclude(Cli *cli, const CompareArguments *a, KxComparison *c, int *code)
{
	g_autoptr(GError) error = NULL;
	KxReport *report = compare_fetch_report(cli, a->targets, &error);

	/* The measurements are kept and shown without the report. */
	if (!report)
		*code = cli_fail(NULL, error);
	compare_join_logs(cli, c, report, code);
	doubt_steal(c);
	if (report)
		take_host(c, report); /* takes ownership of the report */
}

void compare_join_later(Cli *cli, const CompareArguments *a, KxComparison *c, int *code)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxReport) report = compare_fetch_report(cli, a->targets, &error);

	if (!report)
		fprintf(stderr,
			"kvm-ext: the log's work is joined, but recall and precision need the "
			"daemon's windows: %s\n",
			error->message);
	compare_join_logs(cli, c, report, code);
	if (!keeper_join(a->keeper, c) && !*code)
		*code = KX_EXIT_FAILED;
}
