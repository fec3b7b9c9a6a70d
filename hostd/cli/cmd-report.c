/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report: fetch or read the model, join the workload's logs, render, write. */
#include "cli.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/report.h"
#include "report/worklog.h"

#define FILE_COLUMNS 120 /* where there is no terminal to ask */

typedef struct {
	Targets targets;
	char *input, *output;
	char **logs;
	int width;
} Arguments;

/* --- the model ------------------------------------------------------------- */

static KxReport *parse(const char *json, const char *source, GError **error)
{
	KxReport *r = kx_report_from_json(json, error);

	if (!r)
		g_prefix_error(error, "%s: ", source);
	return r;
}

static KxReport *read_input(const char *path, GError **error)
{
	g_autofree char *json = NULL;

	/* the message of GLib names the file */
	if (!g_file_get_contents(path, &json, NULL, error))
		return NULL;
	return parse(json, path, error);
}

/* Each target is asked for by itself, so that one unknown name does not hide the others. */
static KxReport *read_daemon(Cli *cli, char **targets, int *code)
{
	char *none[] = { NULL };
	g_autoptr(KxReport) all = NULL;

	for (guint i = 0; i == 0 || targets[i]; i++) {
		char *one[] = { targets[i], NULL };
		g_autoptr(GError) error = NULL;
		g_autofree char *json =
			cli_ask_report(cli, targets[0] ? one : none, "fetching the report", &error);
		g_autoptr(KxReport) r = json ? parse(json, "the daemon's answer", &error) : NULL;

		if (!r) {
			int failed = cli_fail(targets[i], error);

			if (!*code)
				*code = failed;
		} else if (!all) {
			all = g_steal_pointer(&r);
		} else {
			g_ptr_array_extend_and_steal(all->vms, g_steal_pointer(&r->vms));
			r->vms = g_ptr_array_new();
		}
		if (!targets[i])
			break;
	}
	return g_steal_pointer(&all);
}

/* --- workload logs --------------------------------------------------------- */

/* The length of what @log calls @v by before a '='; 0: nothing. */
static gsize called(const char *log, const KxVmReport *v)
{
	g_autofree char *by_pid = g_strdup_printf("pid:%u=", v->pid);
	gsize len = strlen(v->name);

	if (strncmp(log, v->name, len) == 0 && log[len] == '=')
		return len;
	return g_str_has_prefix(log, by_pid) ? strlen(by_pid) - 1 : 0;
}

/* "FILE" where there is one VM, or "NAME=FILE"; names may hold '=' themselves, and several VMs have one. */
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

static gboolean add_window(Cli *cli, const Arguments *a, const KxVmReport *v, KxWindow *w,
			   KxWorklog *log, GError **error)
{
	g_autoptr(GError) local = NULL;
	g_autoptr(GVariant) runs = NULL;
	const guint64(*found)[2] = NULL;
	const char *why = NULL;
	gsize n = 0;

	if (a->input) {
		why = "a saved report does not hold the pages found";
	} else if (w->has_module && w->passes) {
		runs = fetch_found(cli, v, w->id, &local);
		if (runs)
			found = g_variant_get_fixed_array(runs, &n, sizeof(*found));
		else
			why = local->message;
	}
	return kx_worklog_add_window(log, w, found, n, why, error);
}

static gboolean join_log(Cli *cli, const Arguments *a, KxReport *r, const char *text,
			 GError **error)
{
	g_autoptr(KxWorklog) log = kx_worklog_new();
	const char *path;
	KxVmReport *v = vm_of_log(r, text, &path, error);

	if (!v)
		return FALSE;
	for (guint i = 0; i < v->windows->len; i++) {
		if (!add_window(cli, a, v, v->windows->pdata[i], log, error))
			return FALSE;
	}
	return kx_worklog_read_file(log, path, error);
}

/* --- writing --------------------------------------------------------------- */

static guint columns_of(const Arguments *a)
{
	struct winsize size;

	if (a->width)
		return (guint)a->width;
	if (!a->output && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 60)
		return size.ws_col;
	return FILE_COLUMNS;
}

static gboolean write_special(const char *path, const char *text, GError **error)
{
	FILE *f = fopen(path, "we");

	if (f && fputs(text, f) >= 0 && fflush(f) == 0 && fclose(f) == 0)
		return TRUE;
	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s", g_strerror(errno));
	return FALSE;
}

/*
 * A regular file appears whole or not at all: written beside its place, then
 * renamed. Devices and pipes are written to, not replaced.
 */
static gboolean write_output(const char *path, const char *text, GError **error)
{
	struct stat st;
	gboolean ok;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		ok = write_special(path, text, error);
	else
		ok = g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0666,
					      error);
	if (!ok)
		g_prefix_error(error, "the report could not be written to %s: ", path);
	return ok;
}

static gboolean emit(Cli *cli, const Arguments *a, const KxReport *r, GError **error)
{
	g_autofree char *body =
		cli->json ? kx_report_to_json(r) : kx_report_to_text(r, columns_of(a));
	g_autofree char *text = g_strconcat(body, cli->json ? "\n" : "", NULL);

	if (a->output && !g_str_equal(a->output, "-"))
		return write_output(a->output, text, error);
	fputs(text, stdout);
	return TRUE;
}

/* --- the command ----------------------------------------------------------- */

static KxReport *obtain(Cli *cli, const Arguments *a, int *code)
{
	static char *none[] = { NULL };
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) targets = NULL;
	gboolean named = a->targets.names || a->targets.pids;
	KxReport *r;

	if (a->input) {
		r = read_input(a->input, &error);
		if (!r) {
			cli_fail(NULL, error);
			*code = KX_EXIT_FAILED;
		}
		return r;
	}
	if (!named)
		return read_daemon(cli, none, code);
	targets = cli_targets(cli, &a->targets, TARGETS_OPTIONAL, TRUE, code);
	return targets ? read_daemon(cli, targets, code) : NULL;
}

static int report(Cli *cli, const Arguments *a)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxReport) r = NULL;
	int code = KX_EXIT_OK;

	r = obtain(cli, a, &code);
	if (!r)
		return code;
	for (char **log = a->logs; log && *log; log++) {
		if (!join_log(cli, a, r, *log, &error)) {
			cli_fail(NULL, error);
			return error->domain == G_OPTION_ERROR ? KX_EXIT_USAGE : KX_EXIT_FAILED;
		}
	}
	if (!emit(cli, a, r, &error)) {
		cli_fail(NULL, error);
		return KX_EXIT_FAILED;
	}
	return code;
}

int cmd_report(Cli *cli, int argc, char **argv)
{
	Arguments a = { 0 };
	const GOptionEntry entries[] = {
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &a.output,
		  "Write to FILE instead of standard output", "FILE" },
		{ "workload-log", 'w', 0, G_OPTION_ARG_FILENAME_ARRAY, &a.logs,
		  "Join the workload's log of VM NAME: guest work, recall, precision",
		  "[NAME=]FILE" },
		{ "input", 'i', 0, G_OPTION_ARG_FILENAME, &a.input,
		  "Read a report saved with --json instead of asking the daemon", "FILE" },
		{ "width", 0, 0, G_OPTION_ARG_INT, &a.width,
		  "Columns of the text (default: the terminal's, else 120)", "N" },
		TARGET_ENTRIES(a.targets),
		{ 0 },
	};
	int code = KX_EXIT_USAGE;

	if (!cli_parse(entries, &argc, &argv))
		goto out;
	if (a.width < 0 || (a.width && a.width < 60))
		code = cli_usage("report", "--width wants at least 60 columns");
	else if (a.input && (a.targets.names || a.targets.pids))
		code = cli_usage("report", "--input and named VMs exclude each other");
	else
		code = report(cli, &a);
out:
	g_free(a.input);
	g_free(a.output);
	g_strfreev(a.logs);
	cli_targets_clear(&a.targets);
	return code;
}
