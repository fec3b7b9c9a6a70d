/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report: fetches or reads the report, joins the workload's logs, and writes text, JSON or a page. */
#include "cli.h"

#include <string.h>

#include "maps.h"
#include "output.h"
#include "overtime.h"
#include "pick.h"
#include "report/csv.h"
#include "report/json.h"
#include "report/row.h"
#include "report/text.h"
#include "stores.h"
#include "worklogs.h"

typedef struct {
	Targets targets;
	char *input, *output, *html, *comparison, *reference;
	char **logs;
	int width;
	gboolean no_placement, csv;
} Arguments;

/* --- the model ------------------------------------------------------------- */

static KxReport *parse(const char *json, const char *source, GError **error)
{
	KxReport *r = kx_report_from_json(json, error);

	if (!r)
		g_prefix_error(error, "%s: ", source);
	return r;
}

/* One call for each target, so that one unknown name does not hide the other VMs. */
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

/* A failure does not fail the report, which then contains the reason. */
static KxPlacement *ask_placement(Cli *cli, const char *target)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *json =
		cli_ask_placement(cli, target, "asking where the memory lies", &error);
	g_autoptr(KxReport) r = json ? parse(json, "the daemon's answer", &error) : NULL;
	KxVmReport *v = r && r->vms->len == 1 ? r->vms->pdata[0] : NULL;

	if (v && v->placement)
		return g_steal_pointer(&v->placement);
	return kx_placement_unknown(
		g_strdup(error ? error->message : "the daemon's answer does not contain it"));
}

/* Names the VMs by their processes, because several VMs can have the same name. */
static void add_placement(Cli *cli, const KxReport *r)
{
	for (guint i = 0; i < r->vms->len; i++) {
		KxVmReport *v = r->vms->pdata[i];
		g_autofree char *target = g_strdup_printf("/proc/%u", v->pid);

		if (v->attached && v->pid)
			v->placement = ask_placement(cli, target);
	}
}

/* --- writing --------------------------------------------------------------- */

static gboolean emit(Cli *cli, const Arguments *a, const KxReport *r, const KxComparison *c,
		     GError **error)
{
	g_autofree char *body = cli->json ? kx_report_to_json(r)
				: a->csv  ? kx_report_to_csv(r)
					  : kx_report_to_text(r, cli_columns(a->width, a->output));
	g_autofree char *text = g_strconcat(body, cli->json ? "\n" : "", NULL);

	if (!cli_page_is_all(a->html, a->output) &&
	    !cli_put_text(a->output, "the report", text, error))
		return FALSE;
	return cli_put_page(a->html, &(KxPageOf){ .report = r, .comparison = c }, error);
}

/* --- the reference of ratios ----------------------------------------------- */

/* @seen owns the names; VMs often have rows of the same names, each of which is listed once. */
static void add_names(GString *names, GHashTable *seen, const GPtrArray *rows)
{
	for (guint i = 0; i < rows->len; i++) {
		char *label = kx_row_label(rows, i);

		if (!g_hash_table_contains(seen, label))
			g_string_append_printf(names, "%s'%s'", names->len ? ", " : "", label);
		g_hash_table_add(seen, label);
	}
}

/* FALSE: no VM of the report has a row with this name. A name that only some VMs have is no error. */
static gboolean set_reference(KxReport *r, const char *name, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GString) names = g_string_new(NULL);
	gboolean there = FALSE;

	for (guint i = 0; i < r->vms->len; i++) {
		g_autoptr(GPtrArray) rows = kx_vm_rows(r->vms->pdata[i], NULL);

		there |= kx_row_called(rows, name) < rows->len;
		add_names(names, seen, rows);
	}
	if (there) {
		g_free(r->reference);
		r->reference = g_strdup(name);
		return TRUE;
	}
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
		    "--reference: the report has no row '%s'%s%s", name,
		    names->len ? "; its rows are " : "", names->str);
	return FALSE;
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
		r = cli_read_report(cli, a->input, NULL, &a->targets, &error);
		if (!r)
			*code = cli_fail_file(error);
		return r;
	}
	if (named) {
		targets = cli_targets(cli, &a->targets, TARGETS_OPTIONAL, TRUE, code);
		if (!targets)
			return NULL;
	}
	r = read_daemon(cli, named ? targets : none, code);
	if (r && !a->no_placement)
		add_placement(cli, r);
	if (r && (cli->json || a->html))
		cli_add_over_time(cli, r);
	return r;
}

static int report(Cli *cli, const Arguments *a)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxReport) r = NULL;
	g_autoptr(KxComparison) c = NULL;
	int code = KX_EXIT_OK;

	if (a->comparison) {
		c = stores_load_named(a->comparison, &error);
		if (!c)
			return stores_fail(a->comparison, error);
	}
	r = obtain(cli, a, &code);
	if (!r)
		return code;
	for (char **log = a->logs; log && *log; log++) {
		if (!cli_join_log(cli, a->input != NULL, r, *log, &error))
			return cli_fail(NULL, error);
	}
	if (a->reference && !set_reference(r, a->reference, &error)) {
		cli_fail(NULL, error);
		return KX_EXIT_USAGE;
	}
	if (!emit(cli, a, r, c, &error)) {
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
		HTML_ENTRY(a.html),
		{ "comparison", 0, 0, G_OPTION_ARG_FILENAME, &a.comparison,
		  "Show this comparison on the page, too: an ID, or a file saved with "
		  "'compare --json'",
		  "ID|FILE" },
		{ "workload-log", 'w', 0, G_OPTION_ARG_FILENAME_ARRAY, &a.logs,
		  "Join the workload's log of VM NAME: guest work, recall, precision",
		  "[NAME=]FILE" },
		{ "input", 'i', 0, G_OPTION_ARG_FILENAME, &a.input,
		  "Read a recording, or a report saved with --json, instead of asking the daemon",
		  "FILE" },
		{ "reference", 'r', 0, G_OPTION_ARG_STRING, &a.reference,
		  "Compare costs per sample with those of this row, by its name in the table",
		  "ROW" },
		{ "width", 0, 0, G_OPTION_ARG_INT, &a.width,
		  "Columns of the text (default: the terminal's, else 120)", "N" },
		{ "csv", 0, 0, G_OPTION_ARG_NONE, &a.csv,
		  "One line for each figure of each row, for other programs", NULL },
		{ "no-placement", 0, 0, G_OPTION_ARG_NONE, &a.no_placement,
		  "Do not ask on which NUMA nodes the memory of the VMs lies", NULL },
		TARGET_ENTRIES(a.targets),
		{ 0 },
	};
	int code = KX_EXIT_USAGE;

	if (!cli_parse(entries, &argc, &argv))
		goto out;
	if (a.width < 0 || (a.width && a.width < 60))
		code = cli_usage("report", "--width must be at least 60 columns");
	else if (a.csv && cli->json)
		code = cli_usage("report", "--csv and --json exclude each other");
	else if (a.comparison && !a.html)
		code = cli_usage("report", "--comparison belongs to the page: give --html FILE");
	else if (!a.input || cli_check_pick(&a.targets, "report", &code))
		code = report(cli, &a);
out:
	g_free(a.input);
	g_free(a.output);
	g_free(a.html);
	g_free(a.comparison);
	g_free(a.reference);
	g_strfreev(a.logs);
	cli_targets_clear(&a.targets);
	return code;
}
