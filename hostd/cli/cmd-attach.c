/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attach and set: both take tracker options, checked here before they are sent. */
#include "cli.h"

#include "options.h"
#include "report.h"

typedef struct {
	const char *key, *help, *value;
} OptionHelp;

static const OptionHelp option_help[] = {
	{ "tracker", NULL, "TRACKER" }, /* names the trackers there are */
	{ "interval", "Start of a pass to start of the next, such as 100ms; 0: only on request",
	  "TIME" },
	{ "granularity", "Size that is looked at: 4K or 2M (dirty log: 4K only)", "SIZE" },
	{ "range", "Guest page frames to track, or 'all'", "GFN+PAGES" },
	{ "cpu", "CPU that the passes run on, or 'any'", "CPU" },
	{ "flush-scope", "When abit-flush and pml-abit flush: page, batch or pass", "SCOPE" },
	{ "batch-pages", "Pages in a batch of --flush-scope batch", "N" },
};

/* One value a key of kx_option_keys, in its order. */
typedef struct {
	char *values[G_N_ELEMENTS(option_help)];
	GOptionEntry entries[G_N_ELEMENTS(option_help) + 4];
	char *tracker_help;
	Targets targets;
} Arguments;

static char *describe_trackers(void)
{
	GString *text = g_string_new("Tracker to run: ");

	for (const KxTrackerRow *t = kx_trackers; t->name; t++)
		g_string_append_printf(text, "%s%s", t == kx_trackers ? "" : ", ", t->name);
	return g_string_free(text, FALSE);
}

static void fill_entries(Arguments *a)
{
	const GOptionEntry target_entries[] = { TARGET_ENTRIES(a->targets) };
	guint n = 0;

	a->tracker_help = describe_trackers();
	for (; n < G_N_ELEMENTS(option_help) && kx_option_keys[n]; n++) {
		g_assert(g_str_equal(option_help[n].key, kx_option_keys[n]));
		a->entries[n] =
			(GOptionEntry){ kx_option_keys[n],
					0,
					0,
					G_OPTION_ARG_STRING,
					&a->values[n],
					option_help[n].help ? option_help[n].help : a->tracker_help,
					option_help[n].value };
	}
	g_assert(!kx_option_keys[n]);
	for (guint i = 0; i < G_N_ELEMENTS(target_entries); i++)
		a->entries[n + i] = target_entries[i];
}

static void clear(Arguments *a)
{
	for (guint i = 0; i < G_N_ELEMENTS(a->values); i++)
		g_free(a->values[i]);
	g_free(a->tracker_help);
	cli_targets_clear(&a->targets);
}

/* @whole: what is not given is the default, so that the set can be checked together. */
static gboolean check(const Arguments *a, gboolean whole, GError **error)
{
	KxOptions o;

	kx_options_init(&o);
	for (guint i = 0; kx_option_keys[i]; i++) {
		if (a->values[i] && !kx_options_set(&o, kx_option_keys[i], a->values[i], error))
			return FALSE;
	}
	/* without a tracker, only the daemon knows which one is meant */
	return !(whole || a->values[0]) || kx_options_check(&o, error);
}

static GVariant *params(const char *target, gpointer data)
{
	const Arguments *a = data;
	GVariantDict options;

	g_variant_dict_init(&options, NULL);
	for (guint i = 0; kx_option_keys[i]; i++) {
		if (a->values[i])
			g_variant_dict_insert(&options, kx_option_keys[i], "s", a->values[i]);
	}
	return g_variant_new("(s@a{sv})", target, g_variant_dict_end(&options));
}

static gboolean is_called(GVariant *vm, const char *target)
{
	g_autofree char *by_pid = NULL;
	const char *name = "", *uuid = "";
	guint32 pid = 0;

	g_variant_lookup(vm, "name", "&s", &name);
	g_variant_lookup(vm, "uuid", "&s", &uuid);
	g_variant_lookup(vm, "pid", "u", &pid);
	by_pid = g_strdup_printf("pid:%u", pid);
	return g_str_equal(target, name) || g_str_equal(target, by_pid) ||
	       (*uuid && g_ascii_strcasecmp(target, uuid) == 0);
}

/* How the dirty log works on @target, as the daemon knows it; NULL: it does not say. */
static char *ask_mechanism(Cli *cli, const char *target)
{
	g_autoptr(GVariant) reply =
		cli_call(cli, "List", g_variant_new("()"), "(aa{sv})", NULL, NULL);
	g_autoptr(GVariant) vms = reply ? g_variant_get_child_value(reply, 0) : NULL;

	for (gsize i = 0; vms && i < g_variant_n_children(vms); i++) {
		g_autoptr(GVariant) vm = g_variant_get_child_value(vms, i);
		char *mechanism = NULL;

		if (is_called(vm, target) && g_variant_lookup(vm, "mechanism", "s", &mechanism))
			return mechanism;
	}
	return NULL;
}

/* "dirty-log (pml)": the tracker that was asked for, and how it works there. */
static char *tracker_text(Cli *cli, const Arguments *a, const char *target)
{
	const char *name = a->values[0] ? a->values[0] : "off";
	const KxTrackerRow *row = kx_tracker_by_name(name);
	g_autofree char *mechanism = NULL;

	if (row->means)
		row = kx_tracker_by_name(row->means);
	if (row->log && !cli->quiet && !cli->json)
		mechanism = ask_mechanism(cli, target);
	return kx_tracker_label(row->name, mechanism && *mechanism ? mechanism : NULL);
}

static void attached(Cli *cli, const char *target, GVariant *reply, gpointer data)
{
	g_autofree char *shown = cli_show(target);
	g_autofree char *tracker = tracker_text(cli, data, target);

	cli_say(cli, "%s: attached, tracker %s", shown, tracker);
}

static void was_set(Cli *cli, const char *target, GVariant *reply, gpointer data)
{
	const Arguments *a = data;
	g_autofree char *shown = cli_show(target);
	g_autofree char *tracker = a->values[0] ? tracker_text(cli, a, target) : NULL;

	if (tracker)
		cli_say(cli, "%s: tracker %s", shown, tracker);
	else
		cli_say(cli, "%s: options changed", shown);
}

static gboolean any_option(const Arguments *a)
{
	for (guint i = 0; i < G_N_ELEMENTS(a->values); i++) {
		if (a->values[i])
			return TRUE;
	}
	return FALSE;
}

static int run(Cli *cli, const char *command, gboolean attach, int argc, char **argv)
{
	Arguments a = { 0 };
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) targets = NULL;
	int code = KX_EXIT_USAGE;

	fill_entries(&a);
	if (!cli_parse(command, a.entries, &argc, &argv))
		goto out;
	if (!attach && !any_option(&a)) {
		code = cli_usage(command, "nothing to set; give --tracker or another option");
		goto out;
	}
	if (!check(&a, attach, &error)) {
		code = cli_usage(command, "%s", error->message);
		goto out;
	}
	targets = cli_targets(cli, &a.targets, TARGETS_REQUIRED, !attach, &code);
	if (targets)
		code = cli_for_each(cli, targets, attach ? "Attach" : "SetTracker", "()",
				    attach ? "attaching to" : "setting the tracker of", params,
				    attach ? attached : was_set, &a);
out:
	clear(&a);
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
