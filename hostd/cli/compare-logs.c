// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The workload's logs of a comparison: they are checked before the rounds, and joined with the windows after the rounds, or later. A
 * guest writes its log, so a log may contain anything: if a log cannot be read, only the figures of its own VM are missing.
 */
#include "compare-run.h"

#include <math.h>

#include "base/textfmt.h"
#include "report/worklog.h"
#include "tracker/options.h"
#include "worklogs.h"

/* The part of a stretch that the log's epochs must cover; else the log says nothing about the stretch. */
#define LOG_COVERS 0.5
/* The begin of a doubt about a VM's log. */
#define LOG_DOUBT "the workload's log: "

/* --- whose log ---------------------------------------------------------------------------------------------------- */

static gboolean match(const KxComparison *c, const char *log, guint *vm, const char **path,
		      GError **error)
{
	g_autofree CliLogVm *vms = g_new0(CliLogVm, c->vms->len);

	for (guint i = 0; i < c->vms->len; i++) {
		const KxComparedVm *v = c->vms->pdata[i];

		vms[i] = (CliLogVm){ v->name, v->pid };
	}
	return cli_match_log(log, vms, c->vms->len, vm, path, error);
}

gboolean compare_check_logs(const KxComparison *c, char **logs, GError **error)
{
	for (char **log = logs; log && *log; log++) {
		g_autoptr(GError) why = NULL;
		const char *path;
		guint vm;

		if (!match(c, *log, &vm, &path, error))
			return FALSE;
		if (kx_worklog_check_file(path, &why))
			continue;
		g_set_error(error, KX_EXIT_ERROR, KX_EXIT_FAILED, "--workload-log: %s",
			    why->message);
		return FALSE;
	}
	return TRUE;
}

char **compare_absolute_logs(const KxComparison *c, char **logs, GError **error)
{
	g_autoptr(GStrvBuilder) b = g_strv_builder_new();

	for (char **log = logs; *log; log++) {
		g_autofree char *absolute = NULL, *whole = NULL;
		const char *path;
		guint vm;

		if (!match(c, *log, &vm, &path, error))
			return NULL;
		absolute = g_canonicalize_filename(path, NULL);
		whole = g_strdup_printf("%.*s%s", (int)(path - *log), *log, absolute);
		g_strv_builder_add(b, whole);
	}
	return g_strv_builder_end(b);
}

/* --- windows of the report ---------------------------------------------------------------------------------------- */

static KxVmReport *vm_in(const KxReport *report, const KxComparedVm *v)
{
	for (guint i = 0; report && i < report->vms->len; i++) {
		KxVmReport *in = report->vms->pdata[i];

		if (in->pid == v->pid && (!v->uuid || !in->uuid || !*in->uuid ||
					  g_ascii_strcasecmp(v->uuid, in->uuid) == 0))
			return in;
	}
	return NULL;
}

/*
 * The window that @s is a part of. The time is compared, too, because a daemon that was started again numbers its windows from 1: after
 * that, a window with the same number is another window.
 */
static const KxWindow *window_of(const KxVmReport *v, const KxStretch *s)
{
	for (guint k = 0; v && k < v->windows->len; k++) {
		const KxWindow *w = v->windows->pdata[k];

		if (w->id == s->window && w->start_realtime_ns <= s->start_realtime_ns &&
		    (w->open || w->end_realtime_ns >= s->end_realtime_ns))
			return w;
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

static void take_truth(KxStretch *s, const KxWindow *w)
{
	const KxTrackerRow *row = w ? kx_tracker_by_name(w->tracker) : NULL;

	if (row)
		take_pages(s, w, &row->sees);
}

/* --- work --------------------------------------------------------------------------------------------------------- */

/*
 * The stretches of @v as windows, whose work is then taken from its log; @of: the KxStretch of each. Only the daemon's windows say when
 * the VM was paused: if a stretch has a pause and the daemon no longer has its window, its work is not known.
 */
static GPtrArray *stretches_of(const KxComparedVm *v, const KxVmReport *in, GPtrArray *of)
{
	GPtrArray *windows = g_ptr_array_new_with_free_func((GDestroyNotify)kx_window_free);

	for (guint k = 0; k < v->stretches->len; k++) {
		KxStretch *s = v->stretches->pdata[k];
		KxWindow *w;

		if (!s || s->failed || (s->paused_ns > 0 && !window_of(in, s)))
			continue;
		w = kx_window_new();
		w->start_realtime_ns = s->start_realtime_ns;
		w->end_realtime_ns = s->end_realtime_ns;
		g_ptr_array_add(windows, w);
		g_ptr_array_add(of, s);
	}
	return windows;
}

/*
 * The work during epochs, extrapolated to the whole stretch. Between epochs the workload writes its log, which is not the
 * guest's work. FALSE: the log does not tell it.
 */
static gboolean take_work(KxStretch *s, const KxWindow *w)
{
	if (w->work_na || !(w->work_ns >= s->run_ns * LOG_COVERS))
		return FALSE;
	s->progress = w->work * s->run_ns / w->work_ns;
	return TRUE;
}

/* If the log tells the work of no stretch, @v gets a doubt. */
static void take_works(KxComparedVm *v, const GPtrArray *of, const GPtrArray *windows)
{
	const char *why = NULL;
	guint told = 0;

	for (guint i = 0; i < windows->len; i++) {
		const KxWindow *w = windows->pdata[i];

		told += take_work(of->pdata[i], w);
		why = why ? why : w->work_na;
	}
	if (windows->len && !told)
		g_ptr_array_add(v->doubts,
				g_strdup_printf(LOG_DOUBT
						"it does not tell the guest's progress in any "
						"window: %s",
						why ? why
						    : "its epochs cover less than half of "
						      "each"));
}

/* Forgets progress that was counted in another way: it is not in units of work. */
static void forget_progress(KxComparison *c)
{
	for (guint i = 0; i < c->vms->len; i++) {
		GPtrArray *stretches = ((KxComparedVm *)c->vms->pdata[i])->stretches;

		for (guint k = 0; k < stretches->len; k++) {
			if (stretches->pdata[k])
				((KxStretch *)stretches->pdata[k])->progress = NAN;
		}
	}
}

/* --- joining ------------------------------------------------------------------------------------------------------ */

static void forget_doubts(GPtrArray *doubts)
{
	for (guint i = doubts->len; i-- > 0;) {
		if (g_str_has_prefix(doubts->pdata[i], LOG_DOUBT))
			g_ptr_array_remove_index(doubts, i);
	}
}

static gboolean join(Cli *cli, KxComparison *c, KxComparedVm *v, const char *path, KxReport *report,
		     GError **error)
{
	gboolean counted = c->asked.progress_command != NULL;
	g_autoptr(GPtrArray) of = g_ptr_array_new(), windows = NULL;
	KxVmReport *in = vm_in(report, v);

	windows = stretches_of(v, in, of);
	if (!cli_join_vm_log(cli, FALSE, in, path, counted ? NULL : windows, error))
		return FALSE;
	if (!counted)
		take_works(v, of, windows);
	for (guint k = 0; k < v->stretches->len; k++) {
		KxStretch *s = v->stretches->pdata[k];

		if (s && !s->failed)
			take_truth(s, window_of(in, s));
	}
	return TRUE;
}

/* The exit code of the first log that cannot be joined is kept. */
static void failed(KxComparison *c, KxComparedVm *v, const GError *error, int *code)
{
	g_autofree char *why = kx_text_clean(error->message);
	int own = cli_fail(v ? v->name : NULL, error);

	if (!*code)
		*code = own;
	g_ptr_array_add(v ? v->doubts : c->doubts,
			g_strdup_printf(LOG_DOUBT "it could not be joined (%s); kvm-ext compare "
						  "--resume %s --workload-log joins it later",
					why, c->id ? c->id : "ID"));
}

void compare_join_logs(Cli *cli, KxComparison *c, KxReport *report, int *code)
{
	gboolean counted = c->asked.progress_command != NULL;
	guint joined = 0;

	if (!c->asked.logs)
		return;
	if (!counted)
		forget_progress(c);
	for (guint i = 0; i < c->vms->len; i++)
		forget_doubts(((KxComparedVm *)c->vms->pdata[i])->doubts);
	forget_doubts(c->doubts);
	for (char **log = c->asked.logs; *log; log++) {
		g_autoptr(GError) error = NULL;
		KxComparedVm *v = NULL;
		const char *path;
		guint vm;

		if (match(c, *log, &vm, &path, &error))
			v = c->vms->pdata[vm];
		if (v && join(cli, c, v, path, report, &error))
			joined++;
		else
			failed(c, v, error, code);
	}
	if (counted)
		return;
	g_clear_pointer(&c->progress, g_free);
	g_clear_pointer(&c->progress_na, g_free);
	if (joined)
		c->progress = g_strdup(COMPARE_BY_LOG);
	else
		c->progress_na = g_strdup("the workload's log could not be read");
}
