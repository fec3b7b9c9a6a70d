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

static gboolean pass_now(Cli *cli, const char *target, const char *what, gpointer data,
			 GError **error)
{
	g_autofree char *shown = cli_show(target);
	guint64 pass = 0;

	if (!cli_ask_pass(cli, target, &pass, what, error))
		return FALSE;
	cli_say(cli, "%s: pass %" G_GUINT64_FORMAT, shown, pass);
	if (cli->object)
		json_object_set_int_member(cli->object, "pass", (gint64)pass);
	return TRUE;
}

static int run(Cli *cli, const char *what, CliEach each, gboolean listed, int argc, char **argv)
{
	Targets t = { 0 };
	const GOptionEntry entries[] = { TARGET_ENTRIES(t), { 0 } };
	g_auto(GStrv) targets = NULL;
	int code = KX_EXIT_USAGE;

	if (cli_parse(entries, &argc, &argv))
		targets = cli_targets(cli, &t, TARGETS_REQUIRED, TRUE, &code);
	if (targets)
		code = cli_for_each_json(cli, targets, what, each, NULL, listed);
	cli_targets_clear(&t);
	return code;
}

int cmd_detach(Cli *cli, int argc, char **argv)
{
	return run(cli, "detaching from", detach, TRUE, argc, argv);
}

int cmd_pass(Cli *cli, int argc, char **argv)
{
	return run(cli, "running a pass over", pass_now, FALSE, argc, argv);
}
