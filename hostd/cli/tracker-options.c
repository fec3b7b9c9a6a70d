// SPDX-License-Identifier: GPL-2.0-or-later
/* Tracker options of the command line, which are checked here before they are sent. */
#include "tracker-options.h"

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

void tracker_options_fill(TrackerOptions *a, gboolean attach)
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
	a->n = n + G_N_ELEMENTS(target_entries);
}

void tracker_options_complete(int argc, char **argv, GPtrArray *owned)
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

gboolean tracker_options_any(const TrackerOptions *a)
{
	for (guint i = 0; i < G_N_ELEMENTS(a->values); i++) {
		if (a->values[i])
			return TRUE;
	}
	return FALSE;
}

/* a{sv}, floating */
static GVariant *own(const TrackerOptions *a, gboolean set)
{
	g_autoptr(GVariant) given = g_variant_ref_sink(tracker_options_given(a));
	GVariantDict dict;

	g_variant_dict_init(&dict, given);
	if (!a->values[0])
		g_variant_dict_insert(&dict, "tracker", "s", "abit");
	if (set)
		g_variant_dict_insert(&dict, "fresh", "s", "yes");
	return g_variant_dict_end(&dict);
}

gboolean tracker_options_switch(const TrackerOptions *a, Cli *cli, const char *target,
				gboolean attached, GError **error)
{
	g_autofree char *shown = cli_show(target);
	g_autofree char *what = g_strdup_printf(
		"%s %s", attached ? "setting the tracker of" : "attaching to", shown);

	return attached ? cli_ask_set(cli, target, own(a, TRUE), what, error)
			: cli_ask_attach(cli, target, own(a, FALSE), what, error);
}

void tracker_options_clear(TrackerOptions *a)
{
	for (guint i = 0; i < KEYS_MAX; i++) {
		g_free(a->values[i]);
		g_free(a->helps[i]);
	}
	cli_targets_clear(&a->targets);
}

gboolean tracker_options_check(const TrackerOptions *a, gboolean whole, GError **error)
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

GVariant *tracker_options_given(const TrackerOptions *a)
{
	GVariantDict options;

	g_variant_dict_init(&options, NULL);
	for (guint i = 0; kx_option_keys[i].key; i++) {
		if (a->values[i])
			g_variant_dict_insert(&options, kx_option_keys[i].key, "s", a->values[i]);
	}
	return g_variant_dict_end(&options);
}
