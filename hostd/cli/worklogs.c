// SPDX-License-Identifier: GPL-2.0-or-later
/* Joins the workload logs on the command line with a report. */
#include "worklogs.h"

#include <string.h>

#include "report/worklog.h"

/* The length of the name of @v with which @log begins, before a '='; 0: @log does not begin with a name of @v. */
static gsize called(const char *log, const KxVmReport *v)
{
	g_autofree char *by_pid = g_strdup_printf("pid:%u=", v->pid);
	gsize len = strlen(v->name);

	if (strncmp(log, v->name, len) == 0 && log[len] == '=')
		return len;
	return g_str_has_prefix(log, by_pid) ? strlen(by_pid) - 1 : 0;
}

/* @log is "FILE" if there is one VM, or "NAME=FILE". Names may contain '=', and several VMs may have the same name. */
static KxVmReport *vm_of_log(const KxReport *r, const char *log, const char **path, GError **error)
{
	KxVmReport *best = NULL;
	guint alike = 0;
	gsize most = 0;

	*path = log;
	for (guint i = 0; i < r->vms->len; i++) {
		gsize len = called(log, r->vms->pdata[i]);

		if (!len || len < most)
			continue;
		alike = len > most ? 1 : alike + 1;
		most = len;
		best = r->vms->pdata[i];
		*path = log + len + 1;
	}
	if (alike > 1) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "--workload-log '%s': %u VMs of this report are called that; write "
			    "pid:N=FILE",
			    log, alike);
		return NULL;
	}
	if (!best && r->vms->len == 1)
		best = r->vms->pdata[0];
	if (!best)
		g_set_error(
			error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			"--workload-log '%s' belongs to none of the %u VMs of this report; write "
			"NAME=FILE",
			log, r->vms->len);
	return best;
}

static GVariant *fetch_found(Cli *cli, const KxVmReport *v, guint64 window, GError **error)
{
	g_autofree char *by_pid = g_strdup_printf("/proc/%u", v->pid);
	const char *target = v->uuid && *v->uuid ? v->uuid : v->pid ? by_pid : v->name;

	return cli_ask_found(cli, target, window, "fetching the pages found", error);
}

static gboolean add_window(Cli *cli, gboolean saved, const KxVmReport *v, KxWindow *w,
			   KxWorklog *log, GError **error)
{
	g_autoptr(GError) local = NULL;
	g_autoptr(GVariant) runs = NULL;
	const guint64(*found)[2] = NULL;
	const char *why = NULL;
	gsize n = 0;

	if (saved) {
		why = "a saved report does not contain the found pages";
	} else if (w->has_stats && w->passes) {
		runs = fetch_found(cli, v, w->id, &local);
		if (runs)
			found = g_variant_get_fixed_array(runs, &n, sizeof(*found));
		else
			why = local->message;
	}
	return kx_worklog_add_window(log, w, found, n, why, error);
}

/* Adds windows for which only the work is needed, no pages. */
static gboolean add_stretches(KxWorklog *log, GPtrArray *stretches, GError **error)
{
	for (guint i = 0; stretches && i < stretches->len; i++) {
		if (!kx_worklog_add_window(log, stretches->pdata[i], NULL, 0,
					   "a stretch has no pages of its own", error))
			return FALSE;
	}
	return TRUE;
}

gboolean cli_join_log(Cli *cli, gboolean saved, KxReport *r, const char *text,
		      CliStretches stretches, GError **error)
{
	g_autoptr(KxWorklog) log = kx_worklog_new();
	const char *path;
	KxVmReport *v = vm_of_log(r, text, &path, error);

	if (!v)
		return FALSE;
	for (guint i = 0; i < v->windows->len; i++) {
		if (!add_window(cli, saved, v, v->windows->pdata[i], log, error))
			return FALSE;
	}
	if (stretches.of && !add_stretches(log, stretches.of(v, stretches.data), error))
		return FALSE;
	return kx_worklog_read_file(log, path, error);
}
