// SPDX-License-Identifier: GPL-2.0-or-later
/* compare: runs trackers on the same VMs, in rounds; shows what each tracker costs and sees, with intervals over rounds. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "compare-run.h"
#include "compare/setting.h"
#include "comparison-out.h"
#include "output.h"
#include "stores.h"
#include "tracker/options.h"

#define ROUNDS	  8
#define WINDOW_NS 5000000000u
#define SETTLE_NS 1000000000u

typedef struct {
	Targets targets;
	char *trackers, *window, *settle, *max_time, *layout, *precision, *seed;
	char *input, *output, *html, *resume;
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

/* "1%": one percent of the reference. */
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

/* Refuses settings of which no round can be made, and a list with nothing to compare. */
static gboolean check_settings(const Arguments *a, GError **error)
{
	if (a->run.settings->len < 2)
		return bad(error, "--trackers must name another tracker than off", a->trackers);
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
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "--rounds must be 2 to 1000, not %d%s", a->rounds,
			    a->rounds == 1 ? ": one round gives no interval" : "");
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
	return comparison_out(cli, c, a->width, a->output, a->html);
}

static int run(Cli *cli, Arguments *a)
{
	int code = KX_EXIT_OK, written;
	g_autoptr(KxComparison) c = compare_run(cli, &a->run, &code);

	if (!c)
		return code;
	written = comparison_out(cli, c, a->width, a->output, a->html);
	if (c->stopped)
		fprintf(stderr, "kvm-ext: the comparison ended early: %s\n", c->stopped);
	return code ? code : written;
}

static int measure(Cli *cli, Arguments *a)
{
	int code = KX_EXIT_OK;

	a->run.targets = cli_targets(cli, &a->targets, TARGETS_REQUIRED, TRUE, &code);
	if (!a->run.targets)
		return code;
	if (!*a->run.targets) {
		fputs("kvm-ext: no VM is attached: name the VMs to compare, or attach them first\n",
		      stderr);
		return KX_EXIT_STATE;
	}
	a->run.keeper = keeper_new(cli);
	return run(cli, a);
}

/* --- going on ----------------------------------------------------------------------------------------------------- */

/* Whether the comparison can go on. If it is whole, only logs can still be joined. */
static gboolean can_go_on(const Arguments *a, const KxComparison *c, KxStoredState state,
			  GError **error)
{
	if (state != KX_STORED_WHOLE || a->run.logs)
		return TRUE;
	g_set_error(error, KX_EXIT_ERROR, KX_EXIT_STATE,
		    "comparison %s is whole: %u of %u rounds were run (kvm-ext show %s); "
		    "--workload-log joins a log with it",
		    c->id, c->whole, c->asked.rounds, c->id);
	return FALSE;
}

/* Takes design and settings from the comparison, and goes to the directory in which its file names and its command are valid. */
static gboolean take_plan(Arguments *a, KxComparison *c, GError **error)
{
	CompareArguments *run = &a->run;

	g_strfreev(run->logs);
	*run = (CompareArguments){ .command = run->command,
				   .keeper = run->keeper,
				   .resumed = c,
				   .window_ns = c->window_ns,
				   .settle_ns = c->settle_ns,
				   .rounds = c->asked.rounds,
				   .precision = c->asked.precision,
				   .seed = c->seed,
				   .layout = c->layout,
				   .progress_command = g_strdup(c->asked.progress_command),
				   .logs = g_strdupv(c->asked.logs) };
	run->settings = compare_settings_of(c, error);
	run->targets = compare_targets_of(c);
	if (!run->settings || !duration(a->max_time, "max-time", 100000000, &run->max_ns, error))
		return FALSE;
	if (!c->asked.directory || !(run->logs || run->progress_command) ||
	    chdir(c->asked.directory) == 0)
		return TRUE;
	g_set_error(error, KX_EXIT_ERROR, KX_EXIT_FAILED,
		    "the directory in which the comparison was begun, %s, cannot be entered: %s",
		    c->asked.directory, g_strerror(errno));
	return FALSE;
}

/* Logs that are given now replace the comparison's own. Their paths are valid here, not where the comparison was begun. */
static gboolean take_logs(Arguments *a, const KxComparison *c, GError **error)
{
	char **absolute;

	if (!a->run.logs)
		return TRUE;
	absolute = compare_absolute_logs(c, a->run.logs, error);
	if (!absolute)
		return FALSE;
	g_strfreev(a->run.logs);
	a->run.logs = absolute;
	return compare_check_logs(c, absolute, error);
}

/* Claims the comparison, and reads it again then, because another command may have measured more rounds before. */
static KxComparison *claim(KxStore *s, const char *id, GError **error)
{
	KxComparison *c = NULL;

	if (!kx_store_claim(s, id, error))
		return NULL;
	c = kx_store_load(s, id, NULL, error);
	if (!c)
		kx_store_release(s, id, NULL);
	return c;
}

/*
 * The comparison, as it goes on. *@whole: there are no rounds left to run, only the given logs to join; then it is not claimed, because it
 * would count as killed if this process ended. The result is written in one transaction.
 */
static KxComparison *take(Arguments *a, KxStore *s, const char *id, gboolean *whole, GError **error)
{
	g_autoptr(KxComparison) c = NULL;
	g_autoptr(GError) ended = NULL;
	KxStoredState state;

	do {
		g_clear_error(&ended);
		g_clear_pointer(&c, kx_comparison_free);
		c = kx_store_load(s, id, &state, error);
		if (!c || !can_go_on(a, c, state, error) || !take_logs(a, c, error))
			return NULL;
		*whole = state == KX_STORED_WHOLE;
		if (*whole)
			break;
		g_clear_pointer(&c, kx_comparison_free);
		c = claim(s, id, &ended);
		/* If the last rounds were run since it was read, it is read once more. */
	} while (g_error_matches(ended, KX_STORE_ERROR, KX_STORE_ERROR_WHOLE));
	if (!c) {
		g_propagate_error(error, g_steal_pointer(&ended));
		return NULL;
	}
	if (a->run.logs) {
		g_strfreev(c->asked.logs);
		c->asked.logs = g_strdupv(a->run.logs);
	}
	return g_steal_pointer(&c);
}

/* Paths that the user gave are valid here, not where the comparison was begun. */
static void fix_path(char **path, const char *given)
{
	char *absolute = g_canonicalize_filename(given, NULL);

	g_free(*path);
	*path = absolute;
}

static void fix_paths(Cli *cli, Arguments *a)
{
	const char *socket = cli->socket ? cli->socket : g_getenv("KVM_EXT_SOCKET");

	if (a->output && !g_str_equal(a->output, "-"))
		fix_path(&a->output, a->output);
	if (a->html && !g_str_equal(a->html, "-"))
		fix_path(&a->html, a->html);
	if (socket && *socket)
		fix_path(&cli->socket, socket);
}

/* Takes ownership of @c. */
static int join_later(Cli *cli, const Arguments *a, KxComparison *c)
{
	g_autoptr(KxComparison) own = c;
	int code = KX_EXIT_OK, written;

	compare_join_later(cli, &a->run, own, &code);
	written = comparison_out(cli, own, a->width, a->output, a->html);
	return code ? code : written;
}

static int resume(Cli *cli, Arguments *a)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *id = NULL;
	KxStore *s = stores_find(a->resume, KX_STORE_WRITE, &id, &error);
	gboolean whole = FALSE;
	KxComparison *c = s ? take(a, s, id, &whole, &error) : NULL;
	int code;

	if (!c) {
		kx_store_close(s);
		return stores_fail(NULL, error);
	}
	fix_paths(cli, a);
	a->run.keeper = keeper_of(cli, s, c);
	if (take_plan(a, c, &error))
		return whole ? join_later(cli, a, c) : run(cli, a);
	code = stores_fail(NULL, error);
	keeper_give_up(a->run.keeper, c);
	kx_comparison_free(c);
	return code;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static gboolean names_vms(const Arguments *a)
{
	return a->targets.names || a->targets.pids || a->targets.all;
}

/* What --resume takes from the comparison. */
static gboolean names_plan(const Arguments *a)
{
	return names_vms(a) || a->trackers || a->rounds || a->window || a->settle || a->seed ||
	       a->precision || a->layout || a->run.progress_command || a->input;
}

static int check_and_run(Cli *cli, Arguments *a)
{
	g_autoptr(GError) error = NULL;

	if (a->width < 0 || (a->width && a->width < 60))
		return cli_usage("compare", "--width must be at least 60 columns");
	if (a->resume && names_plan(a))
		return cli_usage(
			"compare",
			"--resume goes on as the comparison was begun: beside it only "
			"--workload-log, --max-time, --output, --html, --width and --json");
	if (a->input && (names_vms(a) || a->trackers))
		return cli_usage(
			"compare",
			"--input shows a saved comparison: it takes no VM and no --trackers");
	if (a->resume)
		return resume(cli, a);
	if (a->input)
		return show_saved(cli, a);
	if (!a->trackers)
		return cli_usage("compare",
				 "--trackers is missing; --trackers all compares all trackers that "
				 "can run");
	return set_up(a, &error) ? measure(cli, a) : cli_usage("compare", "%s", error->message);
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
		{ "resume", 0, 0, G_OPTION_ARG_STRING, &a.resume,
		  "Go on with the comparison ID, which was interrupted", "ID" },
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &a.output,
		  "Write to FILE instead of standard output", "FILE" },
		HTML_ENTRY(a.html),
		{ "input", 'i', 0, G_OPTION_ARG_FILENAME, &a.input,
		  "Show a comparison saved with --json instead of measuring one", "FILE" },
		CSV_ENTRY,
		{ "width", 0, 0, G_OPTION_ARG_INT, &a.width,
		  "Columns of the text (default: the terminal's, else 120)", "N" },
		TARGET_ENTRIES(a.targets),
		{ 0 },
	};
	g_autofree char *command = g_strjoinv(" ", argv);
	int code = KX_EXIT_USAGE;

	a.run.command = command;
	if (cli_parse(entries, &argc, &argv))
		code = check_and_run(cli, &a);
	keeper_free(a.run.keeper);
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
	g_free(a.html);
	g_free(a.resume);
	cli_targets_clear(&a.targets);
	return code;
}
