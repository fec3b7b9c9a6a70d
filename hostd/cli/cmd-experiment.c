// SPDX-License-Identifier: GPL-2.0-or-later
/* experiment: runs a workload in fresh identical VMs under each tracker, and shows what each tracker costs. */
#include "cli.h"

#include "compare/setting.h"
#include "comparison-out.h"
#include "experiment-run.h"
#include "output.h"

typedef struct {
	char **files;
	char *input, *output, *html;
	int width;
	gboolean check;
} Arguments;

static int emit(const Cli *cli, const Arguments *a, const KxExperiment *e)
{
	return experiment_out(cli, e, a->width, a->output, a->html);
}

static int show_saved(Cli *cli, const Arguments *a)
{
	g_autoptr(KxExperiment) e = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *json = NULL;

	/* GLib's message names the file */
	if (!g_file_get_contents(a->input, &json, NULL, &error)) {
		cli_fail(NULL, error);
		return KX_EXIT_FAILED;
	}
	e = kx_experiment_from_json(json, &error);
	if (!e) {
		cli_fail(a->input, error);
		return KX_EXIT_FAILED;
	}
	return emit(cli, a, e);
}

static void say_plan(Cli *cli, const KxPlan *plan)
{
	guint runs = plan->rounds * plan->points->len * plan->settings->len;

	cli_say(cli, "%s: %u runs: %u rounds of %u settings, at %u point%s", plan->name, runs,
		plan->rounds, plan->settings->len, plan->points->len,
		plan->points->len == 1 ? "" : "s");
	for (guint i = 0; i < plan->settings->len; i++)
		cli_say(cli, "  %s", ((const KxSetting *)plan->settings->pdata[i])->text);
	for (guint i = 0; plan->points->len > 1 && i < plan->points->len; i++)
		cli_say(cli, "  at %s", ((const KxPoint *)plan->points->pdata[i])->label);
}

static int measure(Cli *cli, const Arguments *a, const char *command)
{
	g_autoptr(KxExperiment) e = NULL;
	g_autoptr(KxPlan) plan = NULL;
	g_autoptr(GError) error = NULL;
	int code = KX_EXIT_OK, written;
	gboolean save;

	plan = kx_plan_read(a->files[0], &error);
	if (!plan) {
		cli_fail(a->files[0], error);
		return KX_EXIT_USAGE;
	}
	/* The result contains the random seed, so that a user can give it again. */
	if (!plan->has_seed)
		plan->seed = g_random_int();
	if (a->check) {
		say_plan(cli, plan);
		return KX_EXIT_OK;
	}
	/* Only a regular file can be written again after each round; a device or a pipe gets the text once. */
	save = cli->json && a->output && !g_str_equal(a->output, "-") &&
	       (!g_file_test(a->output, G_FILE_TEST_EXISTS) ||
		g_file_test(a->output, G_FILE_TEST_IS_REGULAR));
	e = experiment_run(cli, plan, command, save ? a->output : NULL, &code);
	if (!e)
		return code;
	written = emit(cli, a, e);
	if (e->stopped)
		fprintf(stderr, "kvm-ext: the experiment ended early: %s\n", e->stopped);
	return code ? code : written;
}

int cmd_experiment(Cli *cli, int argc, char **argv)
{
	Arguments a = { 0 };
	const GOptionEntry entries[] = {
		{ "check", 0, 0, G_OPTION_ARG_NONE, &a.check,
		  "Only check FILE and its template, and list the settings", NULL },
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &a.output,
		  "Write to FILE instead of standard output", "FILE" },
		HTML_ENTRY(a.html),
		{ "input", 'i', 0, G_OPTION_ARG_FILENAME, &a.input,
		  "Show an experiment saved with --json instead of running one", "FILE" },
		CSV_ENTRY,
		{ "width", 0, 0, G_OPTION_ARG_INT, &a.width,
		  "Columns of the text (default: the terminal's, else 120)", "N" },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &a.files, NULL, NULL },
		{ 0 },
	};
	g_autofree char *command = g_strjoinv(" ", argv);
	guint files;
	int code = KX_EXIT_USAGE;

	if (!cli_parse(entries, &argc, &argv))
		goto out;
	files = a.files ? g_strv_length(a.files) : 0;
	if (a.width < 0 || (a.width && a.width < 60))
		code = cli_usage("experiment", "--width must be at least 60 columns");
	else if (a.input && (files || a.check))
		code = cli_usage("experiment",
				 "--input shows a saved experiment: it takes no other file, and no "
				 "--check");
	else if (a.check && (cli->json || cli->csv || a.output || a.html))
		code = cli_usage(
			"experiment",
			"--check runs nothing, and prints the settings as text: it takes no "
			"--json, --csv, --output and --html");
	else if (a.input)
		code = show_saved(cli, &a);
	else if (files != 1)
		code = cli_usage("experiment", "one file is needed");
	else
		code = measure(cli, &a, command);
out:
	g_strfreev(a.files);
	g_free(a.input);
	g_free(a.output);
	g_free(a.html);
	return code;
}
