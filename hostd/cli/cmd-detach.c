/* SPDX-License-Identifier: GPL-2.0-or-later */
/* detach and pass: a target each, nothing else. */
#include "cli.h"

static GVariant *params(const char *target, gpointer data)
{
	return g_variant_new("(s)", target);
}

static void detached(Cli *cli, const char *target, GVariant *reply, gpointer data)
{
	g_autofree char *shown = cli_show(target);

	cli_say(cli, "%s: detached", shown);
}

/* @data: the JsonBuilder of --json */
static void passed(Cli *cli, const char *target, GVariant *reply, gpointer data)
{
	g_autofree char *shown = cli_show(target);
	JsonBuilder *b = data;
	guint64 pass = 0;

	g_variant_get(reply, "(t)", &pass);
	cli_say(cli, "%s: pass %" G_GUINT64_FORMAT, shown, pass);
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "target");
	json_builder_add_string_value(b, shown);
	json_builder_set_member_name(b, "pass");
	json_builder_add_int_value(b, (gint64)pass);
	json_builder_end_object(b);
}

static int run(Cli *cli, const char *command, const char *method, const char *reply_type,
	       const char *what, CliDone done, gpointer data, int argc, char **argv)
{
	Targets t = { 0 };
	const GOptionEntry entries[] = { TARGET_ENTRIES(t), { 0 } };
	g_auto(GStrv) targets = NULL;
	int code = KX_EXIT_USAGE;

	if (cli_parse(command, entries, &argc, &argv))
		targets = cli_targets(cli, &t, TARGETS_REQUIRED, TRUE, &code);
	if (targets)
		code = cli_for_each(cli, targets, method, reply_type, what, params, done, data);
	cli_targets_clear(&t);
	return code;
}

int cmd_detach(Cli *cli, int argc, char **argv)
{
	return run(cli, "detach", "Detach", "()", "detaching from", detached, NULL, argc, argv);
}

int cmd_pass(Cli *cli, int argc, char **argv)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	int code;

	json_builder_begin_array(b);
	code = run(cli, "pass", "RunPass", "(t)", "running a pass over", passed, b, argc, argv);
	json_builder_end_array(b);
	if (cli->json && code != KX_EXIT_USAGE)
		cli_print_json(b, TRUE);
	return code;
}
