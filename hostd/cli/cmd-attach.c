/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attach and set: both take tracker options, which are checked here before they are sent. */
#include "cli.h"

#include "base/textfmt.h"
#include "model/vm.h"
#include "tracker/options.h"

#define KEYS_MAX 32

/* One value and one help text for each key of kx_option_keys, in the same order. */
typedef struct {
	char *values[KEYS_MAX], *helps[KEYS_MAX];
	GOptionEntry entries[KEYS_MAX + 5];
	Targets targets;
} Arguments;

static gboolean is_switch(const KxOptionKey *k)
{
	return g_str_equal(k->value, "yes|no");
}

/* The help of a key that only some trackers take names these trackers; the help of --tracker names all trackers. */
static char *help_of(const KxOptionKey *k)
{
	g_autofree char *trackers = kx_trackers_that(k->needs);

	if (k->needs)
		return g_strdup_printf("%s; for %s", k->help, trackers);
	return k == kx_option_keys ? g_strdup_printf("%s: %s", k->help, trackers)
				   : g_strdup(k->help);
}

/* The help of set hides the options that only attach can set; if they are given, the daemon's error says what to do. */
static void fill_entries(Arguments *a, gboolean attach)
{
	const GOptionEntry target_entries[] = { TARGET_ENTRIES(a->targets) };
	guint n = 0;

	for (const KxOptionKey *k = kx_option_keys; k->key; k++, n++) {
		g_assert(n < KEYS_MAX);
		a->helps[n] = help_of(k);
		a->entries[n] = (GOptionEntry){ k->key,
						0,
						!attach && k->at_attach ? G_OPTION_FLAG_HIDDEN : 0,
						G_OPTION_ARG_STRING,
						&a->values[n],
						a->helps[n],
						k->value };
	}
	for (guint i = 0; i < G_N_ELEMENTS(target_entries); i++)
		a->entries[n + i] = target_entries[i];
}

/* "--staleness" alone means "--staleness=yes"; the word after it may be a domain. */
static void complete_switches(int argc, char **argv, GPtrArray *owned)
{
	for (int i = 1; i < argc && !g_str_equal(argv[i], "--"); i++) {
		const KxOptionKey *k =
			g_str_has_prefix(argv[i], "--") ? kx_option_key(argv[i] + 2) : NULL;

		if (!k || !is_switch(k) ||
		    (i + 1 < argc &&
		     (g_str_equal(argv[i + 1], "yes") || g_str_equal(argv[i + 1], "no"))))
			continue;
		argv[i] = g_strconcat(argv[i], "=yes", NULL);
		g_ptr_array_add(owned, argv[i]);
	}
}

static void clear(Arguments *a)
{
	for (guint i = 0; i < KEYS_MAX; i++) {
		g_free(a->values[i]);
		g_free(a->helps[i]);
	}
	cli_targets_clear(&a->targets);
}

/* @whole: options that are not given have their defaults, so that all options can be checked together. */
static gboolean check(const Arguments *a, gboolean whole, GError **error)
{
	KxOptions o;

	kx_options_init(&o);
	for (guint i = 0; kx_option_keys[i].key; i++) {
		if (a->values[i] && !kx_options_set(&o, kx_option_keys[i].key, a->values[i], error))
			return FALSE;
	}
	/* if no tracker is given, only the daemon knows which tracker runs */
	return !(whole || a->values[0]) || kx_options_check(&o, error);
}

static GVariant *given(const Arguments *a)
{
	GVariantDict options;

	g_variant_dict_init(&options, NULL);
	for (guint i = 0; kx_option_keys[i].key; i++) {
		if (a->values[i])
			g_variant_dict_insert(&options, kx_option_keys[i].key, "s", a->values[i]);
	}
	return g_variant_dict_end(&options);
}

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
static char *tracker_text(Cli *cli, const Arguments *a, const char *target)
{
	const char *name = a->values[0] ? a->values[0] : "off";
	const KxTrackerRow *row = kx_tracker_by_name(name);
	g_autofree char *mechanism = NULL;

	if (row->means)
		row = kx_tracker_by_name(row->means);
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

	if (!cli_ask_attach(cli, target, given(data), what, error))
		return FALSE;
	tracker = tracker_text(cli, data, target);
	cli_say(cli, "%s: attached, tracker %s", shown, tracker);
	say_progress(cli, target, shown);
	return TRUE;
}

static gboolean set_one(Cli *cli, const char *target, const char *what, gpointer data,
			GError **error)
{
	const Arguments *a = data;
	g_autofree char *shown = cli_show(target), *tracker = NULL;

	if (!cli_ask_set(cli, target, given(a), what, error))
		return FALSE;
	tracker = a->values[0] ? tracker_text(cli, a, target) : NULL;
	if (tracker)
		cli_say(cli, "%s: tracker %s", shown, tracker);
	else
		cli_say(cli, "%s: options changed", shown);
	say_progress(cli, target, shown);
	return TRUE;
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
	g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) targets = NULL;
	int code = KX_EXIT_USAGE;

	fill_entries(&a, attach);
	complete_switches(argc, argv, owned);
	if (!cli_parse(a.entries, &argc, &argv))
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
		code = cli_for_each_json(cli, targets,
					 attach ? "attaching to" : "setting the tracker of",
					 attach ? attach_one : set_one, &a, TRUE);
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
