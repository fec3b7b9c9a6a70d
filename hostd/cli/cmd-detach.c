/* SPDX-License-Identifier: GPL-2.0-or-later */
/* detach and pass: both have only targets as arguments. */
#include "cli.h"

static gboolean detach(Cli *cli, const char *target, const char *what, gpointer data,
		       GError **error)
{
	g_autofree char *shown = cli_show(target);

	if (!cli_ask_detach(cli, target, what, error))
		return FALSE;
	cli_say(cli, "%s: detached", shown);
	return TRUE;
}

/* @data: the JsonBuilder of --json */
static gboolean pass_now(Cli *cli, const char *target, const char *what, gpointer data,
			 GError **error)
{
	g_autofree char *shown = cli_show(target);
	JsonBuilder *b = data;
	guint64 pass = 0;

	if (!cli_ask_pass(cli, target, &pass, what, error))
		return FALSE;
	cli_say(cli, "%s: pass %" G_GUINT64_FORMAT, shown, pass);
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "target");
	json_builder_add_string_value(b, shown);
	json_builder_set_member_name(b, "pass");
	json_builder_add_int_value(b, (gint64)pass);
	json_builder_end_object(b);
	return TRUE;
}

static int run(Cli *cli, const char *what, CliEach each, gpointer data, int argc, char **argv)
{
	Targets t = { 0 };
	const GOptionEntry entries[] = { TARGET_ENTRIES(t), { 0 } };
	g_auto(GStrv) targets = NULL;
	int code = KX_EXIT_USAGE;

	if (cli_parse(entries, &argc, &argv))
		targets = cli_targets(cli, &t, TARGETS_REQUIRED, TRUE, &code);
	if (targets)
		code = cli_for_each(cli, targets, what, each, data);
	cli_targets_clear(&t);
	return code;
}

int cmd_detach(Cli *cli, int argc, char **argv)
{
	return run(cli, "detaching from", detach, NULL, argc, argv);
}

int cmd_pass(Cli *cli, int argc, char **argv)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	int code;

	json_builder_begin_array(b);
	code = run(cli, "running a pass over", pass_now, b, argc, argv);
	json_builder_end_array(b);
	if (cli->json && code != KX_EXIT_USAGE)
		cli_print_json(b, TRUE);
	return code;
}
