// SPDX-License-Identifier: GPL-2.0-or-later
/* top: all VMs, on the full screen; without a terminal, or with --json, as tables or objects on standard output. */
#include "cli.h"

#include <math.h>
#include <unistd.h>

#include "top-run.h"

#define SCHEMA "kvm-ext-top/1"
#define DELAY  2 /* seconds */

/* --- JSON ------------------------------------------------------------------- */

static void add_number(JsonObject *object, const char *key, double value)
{
	if (isfinite(value))
		json_object_set_double_member(object, key, value);
}

/* As in the report: {"value": ..., "low": ..., "high": ..., "n": ...} or {"na": "why not"}. */
static void add_figure(JsonObject *object, const char *key, const KxFigure *f, double scale)
{
	JsonObject *figure = json_object_new();

	if (f->na) {
		json_object_set_string_member(figure, "na", f->na);
	} else {
		add_number(figure, "value", f->value * scale);
		add_number(figure, "low", f->low * scale);
		add_number(figure, "high", f->high * scale);
		if (f->n)
			json_object_set_int_member(figure, "n", (gint64)f->n);
	}
	json_object_set_object_member(object, key, figure);
}

static void print_json(const GPtrArray *rows)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "schema");
	json_builder_add_string_value(b, SCHEMA);
	json_builder_set_member_name(b, "time_realtime_ns");
	json_builder_add_int_value(b, g_get_real_time() * 1000);
	json_builder_set_member_name(b, "vms");
	json_builder_begin_array(b);
	for (guint i = 0; i < rows->len; i++) {
		const TopRow *row = rows->pdata[i];
		JsonObject *object = json_object_new();

		cli_add_vm(object, row->vm);
		add_figure(object, "samples_per_s", &row->figures[TOP_SAMPLES], 1);
		add_figure(object, "cost_per_sample_ns", &row->figures[TOP_COST], 1);
		add_figure(object, "cpu_percent", &row->figures[TOP_CPU], 1);
		add_figure(object, "found_bytes", &row->figures[TOP_FOUND], 4096);
		json_builder_add_value(b, json_node_init_object(json_node_alloc(), object));
		json_object_unref(object);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
	cli_print_json(b, FALSE);
}

/* --- without a screen ------------------------------------------------------- */

/* NULL: failed, *@code is set. */
static GPtrArray *ask(Cli *cli, const TopOptions *o, GHashTable **seen, int *code)
{
	const char *const all[] = { NULL };
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) list = cli_ask_list(cli, "asking for the VMs", &error);
	g_autoptr(GVariant) stats =
		list ? cli_ask_stats(cli, all, "asking the daemon", &error) : NULL;

	if (stats)
		return top_wanted_rows(o, list, stats, seen);
	*code = cli_fail(NULL, error);
	return NULL;
}

/* Ticks do not drift, as in stats. */
static int print(Cli *cli, const TopOptions *o)
{
	g_autoptr(GHashTable) seen = NULL;
	gint64 start = g_get_monotonic_time();
	int code = KX_EXIT_OK;

	for (int n = 1;; n++) {
		g_autoptr(GPtrArray) rows = ask(cli, o, &seen, &code);
		gint64 due = start + (gint64)(n * o->delay * G_USEC_PER_SEC), now;

		if (!rows)
			return code;
		if (cli->json) {
			print_json(rows);
		} else {
			g_autofree char *text = top_table(rows, 0);

			printf("%s%s", n > 1 ? "\n" : "", text);
		}
		if (fflush(stdout) != 0 || n == o->count)
			return KX_EXIT_OK;
		now = g_get_monotonic_time();
		if (due > now)
			g_usleep((gulong)(due - now));
	}
}

/* --- the command ------------------------------------------------------------ */

/* A named VM that does not exist is an error, before anything is shown. */
static int check_names(Cli *cli, const TopOptions *o)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) list = cli_ask_list(cli, "asking for the VMs", &error);

	if (!list)
		return cli_fail(NULL, error);
	for (char **t = o->wanted; *t; t++) {
		gboolean found = FALSE;

		for (gsize i = 0; i < g_variant_n_children(list) && !found; i++) {
			g_autoptr(GVariant) vm = g_variant_get_child_value(list, i);
			const char *name = "";

			g_variant_lookup(vm, "name", "&s", &name);
			found = cli_is_called(name, vm, *t);
		}
		if (!found) {
			g_set_error_literal(&error, KX_EXIT_ERROR, KX_EXIT_NO_SUCH_VM,
					    "no running VM has this name; see kvm-ext list");
			return cli_fail(*t, error);
		}
	}
	return KX_EXIT_OK;
}

static int run(Cli *cli, TopOptions *o)
{
	gboolean screen = !cli->json && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
	char *all[] = { NULL };
	g_auto(GStrv) targets = NULL;
	int code = KX_EXIT_OK;

	o->wanted = all;
	if (o->targets.names || o->targets.pids || o->targets.uri) {
		o->wanted = targets = cli_targets(cli, &o->targets, TARGETS_OPTIONAL, TRUE, &code);
		if (!targets)
			return code;
		code = check_names(cli, o);
	}
	if (code)
		return code;
	if (screen)
		return top_run(cli, o);
	/* One table, unless more were asked for. */
	if (!o->count && !o->timed)
		o->count = 1;
	return print(cli, o);
}

static int check(TopOptions *o, const char *sort, const char *delay)
{
	char none[] = "", *end = none;

	if (sort && !top_column_from_word(sort, &o->sort)) {
		g_autofree char *words = top_column_words(), *shown = cli_show(sort);

		return cli_usage("top", "--sort must be one of %s, not '%s'", words, shown);
	}
	o->timed = delay != NULL;
	o->delay = delay ? g_ascii_strtod(delay, &end) : DELAY;
	if (*end || !(o->delay >= 0.1 && o->delay <= 86400))
		return cli_usage("top", "--delay must be 0.1 to 86400 seconds");
	if (o->count < 0)
		return cli_usage("top", "--count must be a positive number");
	return KX_EXIT_OK;
}

int cmd_top(Cli *cli, int argc, char **argv)
{
	TopOptions o = { .sort = TOP_CPU };
	g_autofree char *sort = NULL, *delay = NULL;
	const GOptionEntry entries[] = {
		{ "delay", 'd', 0, G_OPTION_ARG_STRING, &delay,
		  "Time between refreshes (default 2)", "SECONDS" },
		{ "count", 'n', 0, G_OPTION_ARG_INT, &o.count, "End after N refreshes", "N" },
		{ "sort", 0, 0, G_OPTION_ARG_STRING, &sort,
		  "Sort by name, tracker, state, samples, cost, cpu, found or setting", "COLUMN" },
		TARGET_ENTRIES(o.targets),
		{ 0 },
	};
	int code = KX_EXIT_USAGE;

	if (cli_parse(entries, &argc, &argv))
		code = check(&o, sort, delay);
	if (code == KX_EXIT_OK)
		code = run(cli, &o);
	cli_targets_clear(&o.targets);
	return code;
}
