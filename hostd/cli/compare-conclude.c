// SPDX-License-Identifier: GPL-2.0-or-later
/* After the rounds of a comparison: adds data from the workload's logs and the daemon's report to its windows. */
#include <math.h>
#include <string.h>

#include "compare-run.h"
#include "compare/comparison-ground.h"
#include "compare/setting.h"
#include "tracker/options.h"
#include "worklogs.h"

/* The part of a stretch that the log's epochs must cover; else the log says nothing about the stretch. */
#define LOG_COVERS 0.5

/* The stretches, as windows whose work is to be taken from a log. */
typedef struct {
	const KxComparison *c;
	GPtrArray *windows;   /* KxWindow */
	GPtrArray *stretches; /* the KxStretch of each window */
} Wanted;

static GPtrArray *wanted_of(const KxVmReport *v, gpointer data)
{
	Wanted *w = data;
	const KxComparison *c = w->c;

	g_ptr_array_set_size(w->windows, 0);
	g_ptr_array_set_size(w->stretches, 0);
	for (guint i = 0; i < c->vms->len; i++) {
		const KxComparedVm *vm = c->vms->pdata[i];

		if (vm->pid != v->pid)
			continue;
		for (guint k = 0; k < vm->stretches->len; k++) {
			KxStretch *s = vm->stretches->pdata[k];
			KxWindow *window;

			if (!s || s->failed)
				continue;
			window = kx_window_new();
			window->start_realtime_ns = s->start_realtime_ns;
			window->end_realtime_ns = s->end_realtime_ns;
			g_ptr_array_add(w->windows, window);
			g_ptr_array_add(w->stretches, s);
		}
	}
	return w->windows;
}

/*
 * The window that @s is a part of. A daemon that was started anew numbers its windows from 1 again, so the time decides too:
 * for a comparison that went on later, a window with this number may be another one.
 */
static const KxWindow *window_of(const KxReport *report, guint32 pid, const KxStretch *s)
{
	for (guint i = 0; i < report->vms->len; i++) {
		const KxVmReport *v = report->vms->pdata[i];

		for (guint k = 0; v->pid == pid && k < v->windows->len; k++) {
			const KxWindow *w = v->windows->pdata[k];

			if (w->id == s->window && w->start_realtime_ns <= s->start_realtime_ns &&
			    (w->open || w->end_realtime_ns >= s->end_realtime_ns))
				return w;
		}
	}
	return NULL;
}

/* Copies the touched and found pages of @w, of the kinds (touched, written) that its tracker looks for and tells. */
static void take_pages(KxStretch *s, const KxWindow *w, const KxSees *sees)
{
	gboolean written = sees->finds == KX_SEEN_WRITTEN;

	if (w->truth_na)
		return;
	if (sees->finds && !(written && w->written_na)) {
		s->truth = (double)(written ? w->truth_written : w->truth_touched);
		s->truth_hit = (double)(written ? w->truth_written_hit : w->truth_hit);
	}
	written = sees->says == KX_SEEN_WRITTEN;
	if (sees->says && !w->precision_na && !(written && w->written_na)) {
		s->found = (double)w->truth_found;
		s->found_true = (double)(written ? w->truth_written_true : w->truth_true);
	}
}

static void take_truth(const KxComparison *c, const KxReport *report)
{
	for (guint i = 0; i < c->vms->len; i++) {
		const KxComparedVm *v = c->vms->pdata[i];

		for (guint k = 0; k < v->stretches->len; k++) {
			KxStretch *s = v->stretches->pdata[k];
			const KxWindow *w = s && !s->failed ? window_of(report, v->pid, s) : NULL;
			const KxTrackerRow *row = w ? kx_tracker_by_name(w->tracker) : NULL;

			if (row)
				take_pages(s, w, &row->sees);
		}
	}
}

/*
 * The work during epochs, extrapolated to the whole stretch. Between epochs the workload writes its log, which is not the
 * guest's work.
 */
static void take_work(KxStretch *s, const KxWindow *w)
{
	if (!w->work_na && w->work_ns >= s->run_ns * LOG_COVERS)
		s->progress = w->work * s->run_ns / w->work_ns;
}

static gboolean join_logs(Cli *cli, const KxComparison *c, char **logs, gboolean counted,
			  KxReport *report, GError **error)
{
	Wanted wanted = { c, g_ptr_array_new_with_free_func((GDestroyNotify)kx_window_free),
			  g_ptr_array_new() };
	gboolean ok = TRUE;

	for (char **log = logs; ok && log && *log; log++) {
		ok = cli_join_log(cli, FALSE, report, *log,
				  (CliStretches){ counted ? NULL : wanted_of, &wanted }, error);
		for (guint i = 0; ok && i < wanted.windows->len; i++) {
			const KxWindow *w = wanted.windows->pdata[i];

			take_work(wanted.stretches->pdata[i], w);
		}
		g_ptr_array_set_size(wanted.windows, 0);
		g_ptr_array_set_size(wanted.stretches, 0);
	}
	g_ptr_array_unref(wanted.windows);
	g_ptr_array_unref(wanted.stretches);
	return ok;
}

static KxReport *fetch_report(Cli *cli, char **targets, GError **error)
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
	KxReport *report = fetch_report(cli, targets, error);

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

/* Under off it is other load that they wait for. What is more under a tracker is, for the most part, the tracker's thread. */
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
	gboolean counted = a->progress_command != NULL;
	KxReport *report = fetch_report(cli, a->targets, &error);

	if (!report) {
		/* The measurements are kept and shown without the report. */
		*code = cli_fail(NULL, error);
		return;
	}
	if (!join_logs(cli, c, a->logs, counted, report, &error))
		*code = cli_fail(NULL, error);
	if (error && !counted) {
		g_clear_pointer(&c->progress, g_free);
		if (!c->progress_na)
			c->progress_na = g_strdup("the workload's log could not be read");
	}
	take_truth(c, report);
	doubt_steal(c);
	take_host(c, report); /* takes ownership of the report */
}
