// SPDX-License-Identifier: GPL-2.0-or-later
/* Joins the workload logs on the command line with a report. */
#include "worklogs.h"

#include <string.h>

#include "report/worklog.h"

/* The length of the name of @v with which @log begins, before a '='; 0: @log does not begin with a name of @v. */
static gsize called(const char *log, const CliLogVm *v)
{
	g_autofree char *by_pid = g_strdup_printf("pid:%u=", v->pid);
	gsize len = strlen(v->name);

	if (strncmp(log, v->name, len) == 0 && log[len] == '=')
		return len;
	return g_str_has_prefix(log, by_pid) ? strlen(by_pid) - 1 : 0;
}

/* @log is "FILE" if there is one VM, or "NAME=FILE". Names may contain '=', and several VMs may have the same name. */
gboolean cli_match_log(const char *log, const CliLogVm *vms, guint n, guint *index,
		       const char **path, GError **error)
{
	guint alike = 0;
	gsize most = 0;

	*path = log;
	*index = 0;
	for (guint i = 0; i < n; i++) {
		gsize len = called(log, &vms[i]);

		if (!len || len < most)
			continue;
		alike = len > most ? 1 : alike + 1;
		most = len;
		*index = i;
		*path = log + len + 1;
	}
	if (alike > 1)
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "--workload-log '%s': %u VMs are called that; write pid:N=FILE", log,
			    alike);
	else if (!alike && n != 1)
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "--workload-log '%s' belongs to none of the %u VMs; write NAME=FILE",
			    log, n);
	return alike == 1 || (!alike && n == 1);
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

static gboolean join(Cli *cli, gboolean saved, KxVmReport *v, const char *path,
		     GPtrArray *stretches, GError **error)
{
	g_autoptr(KxWorklog) log = kx_worklog_new();

	for (guint i = 0; v && i < v->windows->len; i++) {
		if (!add_window(cli, saved, v, v->windows->pdata[i], log, error))
			return FALSE;
	}
	return add_stretches(log, stretches, error) && kx_worklog_read_file(log, path, error);
}

gboolean cli_join_vm_log(Cli *cli, gboolean saved, KxVmReport *v, const char *path,
			 GPtrArray *stretches, GError **error)
{
	g_autoptr(GError) why = NULL;

	if (join(cli, saved, v, path, stretches, &why))
		return TRUE;
	/* The exit code of an error of GIO would be that of a daemon that cannot be reached. */
	g_set_error_literal(error, KX_EXIT_ERROR, KX_EXIT_FAILED, why->message);
	return FALSE;
}

gboolean cli_join_log(Cli *cli, gboolean saved, KxReport *r, const char *log, GError **error)
{
	g_autofree CliLogVm *vms = g_new0(CliLogVm, r->vms->len);
	const char *path;
	guint i;

	for (i = 0; i < r->vms->len; i++) {
		const KxVmReport *v = r->vms->pdata[i];

		vms[i] = (CliLogVm){ v->name, v->pid };
	}
	return cli_match_log(log, vms, r->vms->len, &i, &path, error) &&
	       cli_join_vm_log(cli, saved, r->vms->pdata[i], path, NULL, error);
}
