/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attach and set: both take tracker options. */
#include "cli.h"

#include "base/textfmt.h"
#include "model/vm.h"
#include "tracker-options.h"

/* The mechanism of the dirty log on @target, from the daemon; NULL: the daemon does not know it. */
static char *ask_mechanism(Cli *cli, const char *target)
{
	g_autoptr(GVariant) vms = cli_ask_list(cli, NULL, NULL);

	for (gsize i = 0; vms && i < g_variant_n_children(vms); i++) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(vms, i);
		const char *name = "";
		char *mechanism = NULL;

		g_variant_lookup(vm, "name", "&s", &name);
		if (cli_is_called(name, vm, target) &&
		    g_variant_lookup(vm, "mechanism", "s", &mechanism))
			return mechanism;
	}
	return NULL;
}

/* "dirty-log (pml)": the requested tracker, and the mechanism on this VM. */
static char *tracker_text(Cli *cli, const TrackerOptions *a, const char *target)
{
	const char *name = a->values[0] ? a->values[0] : "off";
	const KxTrackerRow *row = kx_tracker_meant(name);
	g_autofree char *mechanism = NULL;

	if ((row->can & KX_CAN_LOG) && !cli->quiet && !cli->json)
		mechanism = ask_mechanism(cli, target);
	return kx_tracker_label(row->name, mechanism && *mechanism ? mechanism : NULL);
}

/* Tells the user that the tracker is priming: the first pass over a large VM takes long, and finds nothing before its end. */
static void say_progress(Cli *cli, const char *target, const char *shown)
{
	const char *const targets[] = { target, NULL };
	g_autoptr(GVariant) vms = NULL;
	const char *progress = "";

	if (cli->quiet || cli->json)
		return;
	vms = cli_ask_stats(cli, targets, NULL, NULL);
	if (vms && g_variant_n_children(vms)) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(vms, 0);
		g_autofree char *clean = NULL;

		g_variant_lookup(vm, "progress", "&s", &progress);
		clean = kx_text_clean(progress);
		if (*clean)
			cli_say(cli, "%s: %s; kvm-ext stats --follow shows the progress", shown,
				clean);
	}
}

static gboolean attach_one(Cli *cli, const char *target, const char *what, gpointer data,
			   GError **error)
{
	g_autofree char *shown = cli_show(target), *tracker = NULL;

	if (!cli_ask_attach(cli, target, tracker_options_given(data), what, error))
		return FALSE;
	tracker = tracker_text(cli, data, target);
	cli_say(cli, "%s: attached, tracker %s", shown, tracker);
	say_progress(cli, target, shown);
	return TRUE;
}

static gboolean set_one(Cli *cli, const char *target, const char *what, gpointer data,
			GError **error)
{
	const TrackerOptions *a = data;
	g_autofree char *shown = cli_show(target), *tracker = NULL;

	if (!cli_ask_set(cli, target, tracker_options_given(a), what, error))
		return FALSE;
	tracker = a->values[0] ? tracker_text(cli, a, target) : NULL;
	if (tracker)
		cli_say(cli, "%s: tracker %s", shown, tracker);
	else
		cli_say(cli, "%s: options changed", shown);
	say_progress(cli, target, shown);
	return TRUE;
}

static int run(Cli *cli, const char *command, gboolean attach, int argc, char **argv)
{
	TrackerOptions a = { 0 };
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) targets = NULL;
	int code = KX_EXIT_USAGE;

	tracker_options_fill(&a, attach);
	tracker_options_complete(argc, argv, owned);
	if (!cli_parse(a.entries, &argc, &argv))
		goto out;
	if (!attach && !tracker_options_any(&a)) {
		code = cli_usage(command, "nothing to set; give --tracker or another option");
		goto out;
	}
	if (!tracker_options_check(&a, attach, &error)) {
		code = cli_usage(command, "%s", error->message);
		goto out;
	}
	targets = cli_targets(cli, &a.targets, TARGETS_REQUIRED, !attach, &code);
	if (targets)
		code = cli_for_each_json(cli, targets,
					 attach ? "attaching to" : "setting the tracker of",
					 attach ? attach_one : set_one, &a, TRUE);
out:
	tracker_options_clear(&a);
	return code;
}

int cmd_attach(Cli *cli, int argc, char **argv)
{
	return run(cli, "attach", TRUE, argc, argv);
}

int cmd_set(Cli *cli, int argc, char **argv)
{
	return run(cli, "set", FALSE, argc, argv);
}
