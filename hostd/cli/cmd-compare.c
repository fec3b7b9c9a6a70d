// SPDX-License-Identifier: GPL-2.0-or-later
/* compare: runs trackers on the same VMs, in rounds; shows what each tracker costs and sees, with intervals over rounds. */
#include "cli.h"

#include <math.h>
#include <string.h>

#include "compare-run.h"
#include "compare/setting.h"
#include "output.h"
#include "tracker/options.h"

#define ROUNDS	  8
#define WINDOW_NS 5000000000u
#define SETTLE_NS 1000000000u

typedef struct {
	Targets targets;
	char *trackers, *window, *settle, *max_time, *layout, *precision, *seed;
	char *input, *output;
	int width, rounds;
	CompareArguments run;
} Arguments;

static gboolean duration(const char *text, const char *option, guint64 least, guint64 *ns,
			 GError **error)
{
	if (!text)
		return TRUE;
	if (kx_parse_duration(text, ns, NULL) && *ns >= least && *ns <= 86400000000000ull)
		return TRUE;
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
		    "--%s must be a time from %s to 24h, not '%s'", option, least ? "100ms" : "0",
		    text);
	return FALSE;
}

static gboolean bad(GError **error, const char *what, const char *text)
{
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s, not '%s'", what, text);
	return FALSE;
}

/* "1%": of the reference. */
static gboolean set_precision(Arguments *a, GError **error)
{
	char *end;
	double percent;

	if (!a->precision)
		return TRUE;
	percent = g_ascii_strtod(a->precision, &end);
	if (end == a->precision || (*end && !g_str_equal(end, "%")) || !(percent >= 0.01) ||
	    percent > 100)
		return bad(error, "--precision must be 0.01% to 100%", a->precision);
	a->run.precision = percent / 100;
	if (!a->run.logs || a->run.progress_command)
		return TRUE;
	g_set_error_literal(
		error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
		"--precision needs guest progress that is known during the measurement, but a "
		"log is read at its end; give --progress-command, or leave --workload-log out");
	return FALSE;
}

static gboolean set_layout(Arguments *a, GError **error)
{
	if (!a->layout || g_str_equal(a->layout, "together"))
		a->run.layout = KX_TOGETHER;
	else if (g_str_equal(a->layout, "latin"))
		a->run.layout = KX_LATIN;
	else
		return bad(error, "--layout must be together or latin", a->layout);
	return TRUE;
}

/* Refuses settings of which no round can be made. */
static gboolean check_settings(const Arguments *a, GError **error)
{
	for (guint i = 0; i < a->run.settings->len; i++) {
		const KxSetting *s = a->run.settings->pdata[i];

		if (!(s->options.tracker->can & KX_CAN_PASS) || s->options.interval_ns)
			continue;
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "setting %s: with interval=0 there are no passes to measure", s->text);
		return FALSE;
	}
	return TRUE;
}

static gboolean set_up(Arguments *a, GError **error)
{
	a->run.window_ns = WINDOW_NS;
	a->run.settle_ns = SETTLE_NS;
	a->run.rounds = a->rounds ? (guint)a->rounds : ROUNDS;
	if (a->rounds < 0 || a->rounds == 1 || a->rounds > 1000) {
		g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
				    "--rounds must be 2 to 1000: one round gives no interval");
		return FALSE;
	}
	/* The result contains the random seed, so that a user can give it again. */
	a->run.seed = g_random_int();
	if (a->seed && !g_ascii_string_to_unsigned(a->seed, 10, 0, G_MAXUINT32, &a->run.seed, NULL))
		return bad(error, "--seed must be a number below 2^32", a->seed);
	a->run.settings = kx_settings_parse(a->trackers, error);
	return a->run.settings && check_settings(a, error) &&
	       duration(a->window, "window", 100000000, &a->run.window_ns, error) &&
	       duration(a->settle, "settle", 0, &a->run.settle_ns, error) &&
	       duration(a->max_time, "max-time", 100000000, &a->run.max_ns, error) &&
	       set_precision(a, error) && set_layout(a, error);
}

/* --- output ------------------------------------------------------------------------------------------------------- */

static int emit(Cli *cli, const Arguments *a, const KxComparison *c)
{
	g_autofree char *body =
		cli->json ? kx_comparison_to_json(c)
			  : kx_comparison_to_text(c, cli_columns(a->width, a->output));
	g_autofree char *text = g_strconcat(body, cli->json ? "\n" : "", NULL);
	g_autoptr(GError) error = NULL;

	if (!a->output || g_str_equal(a->output, "-")) {
		fputs(text, stdout);
		return KX_EXIT_OK;
	}
	if (cli_write(a->output, "the comparison", text, &error))
		return KX_EXIT_OK;
	/* The result took long to measure: it is printed rather than lost. */
	fputs(text, stdout);
	cli_fail(NULL, error);
	return KX_EXIT_FAILED;
}

static int show_saved(Cli *cli, const Arguments *a)
{
	g_autoptr(KxComparison) c = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *json = NULL;

	/* GLib's message names the file */
	if (!g_file_get_contents(a->input, &json, NULL, &error)) {
		cli_fail(NULL, error);
		return KX_EXIT_FAILED;
	}
	c = kx_comparison_from_json(json, &error);
	if (!c) {
		cli_fail(a->input, error);
		return KX_EXIT_FAILED;
	}
	return emit(cli, a, c);
}

static int measure(Cli *cli, Arguments *a, const char *command)
{
	int code = KX_EXIT_OK, written;
	g_autoptr(KxComparison) c = NULL;

	a->run.targets = cli_targets(cli, &a->targets, TARGETS_REQUIRED, TRUE, &code);
	if (!a->run.targets)
		return code;
	c = compare_run(cli, &a->run, &code);
	if (!c)
		return code;
	c->command = g_strdup(command);
	written = emit(cli, a, c);
	if (c->stopped)
		fprintf(stderr, "kvm-ext: the comparison ended early: %s\n", c->stopped);
	return code ? code : written;
}

int cmd_compare(Cli *cli, int argc, char **argv)
{
	Arguments a = { 0 };
	const GOptionEntry entries[] = {
		{ "trackers", 't', 0, G_OPTION_ARG_STRING, &a.trackers,
		  "Settings to compare, TRACKER[:KEY=VALUE...],...; 'all': every tracker that can "
		  "run",
		  "LIST" },
		{ "rounds", 0, 0, G_OPTION_ARG_INT, &a.rounds,
		  "Number of rounds; each runs every setting once, in another order (8)", "N" },
		{ "window", 0, 0, G_OPTION_ARG_STRING, &a.window,
		  "Time for which each setting is measured in a round (5s)", "TIME" },
		{ "settle", 0, 0, G_OPTION_ARG_STRING, &a.settle,
		  "Time after each switch and its first pass that is not measured (1s)", "TIME" },
		{ "seed", 0, 0, G_OPTION_ARG_STRING, &a.seed,
		  "Determines the order: the same number gives the same order", "N" },
		{ "precision", 0, 0, G_OPTION_ARG_STRING, &a.precision,
		  "Run more rounds until each slowdown is known to +- PERCENT", "PERCENT" },
		{ "max-time", 0, 0, G_OPTION_ARG_STRING, &a.max_time,
		  "End after this time, with the rounds measured until then", "TIME" },
		{ "layout", 0, 0, G_OPTION_ARG_STRING, &a.layout,
		  "For several VMs: all run the same setting (together), or each runs another "
		  "(latin)",
		  "together|latin" },
		{ "workload-log", 'w', 0, G_OPTION_ARG_FILENAME_ARRAY, &a.run.logs,
		  "Guest progress, recall and precision from the workload's log of VM NAME",
		  "[NAME=]FILE" },
		{ "progress-command", 0, 0, G_OPTION_ARG_STRING, &a.run.progress_command,
		  "Guest progress from the output of CMD, a number that only grows (KVM_EXT_VM: "
		  "the "
		  "VM)",
		  "CMD" },
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &a.output,
		  "Write to FILE instead of standard output", "FILE" },
		{ "input", 'i', 0, G_OPTION_ARG_FILENAME, &a.input,
		  "Show a comparison saved with --json instead of measuring one", "FILE" },
		{ "width", 0, 0, G_OPTION_ARG_INT, &a.width,
		  "Columns of the text (default: the terminal's, else 120)", "N" },
		TARGET_ENTRIES(a.targets),
		{ 0 },
	};
	g_autofree char *command = g_strjoinv(" ", argv);
	g_autoptr(GError) error = NULL;
	int code = KX_EXIT_USAGE;

	if (!cli_parse(entries, &argc, &argv))
		goto out;
	if (a.width < 0 || (a.width && a.width < 60))
		code = cli_usage("compare", "--width must be at least 60 columns");
	else if (a.input && (a.targets.names || a.targets.pids || a.targets.all || a.trackers))
		code = cli_usage(
			"compare",
			"--input shows a saved comparison: it takes no VM and no --trackers");
	else if (a.input)
		code = show_saved(cli, &a);
	else if (!a.trackers)
		code = cli_usage("compare",
				 "--trackers is missing; --trackers all compares all trackers that "
				 "can run");
	else if (!set_up(&a, &error))
		code = cli_usage("compare", "%s", error->message);
	else
		code = measure(cli, &a, command);
out:
	g_strfreev(a.run.targets);
	g_strfreev(a.run.logs);
	g_free(a.run.progress_command);
	g_clear_pointer(&a.run.settings, g_ptr_array_unref);
	g_free(a.trackers);
	g_free(a.window);
	g_free(a.settle);
	g_free(a.max_time);
	g_free(a.layout);
	g_free(a.precision);
	g_free(a.seed);
	g_free(a.input);
	g_free(a.output);
	cli_targets_clear(&a.targets);
	return code;
}
