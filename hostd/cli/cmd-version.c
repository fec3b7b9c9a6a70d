/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli.h"

#include <kvm-ext/version.h>

#include "base/textfmt.h"
#include "tracker/release.h"

/* A part of kvm-ext and its version; NULL: not known, @why is the reason. */
typedef struct {
	const char *name, *version, *why;
} Part;

static void print_json(const Part *parts, gsize n, const GPtrArray *warnings)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	json_builder_begin_object(b);
	for (gsize i = 0; i < n; i++) {
		json_builder_set_member_name(b, parts[i].name);
		if (parts[i].version)
			json_builder_add_string_value(b, parts[i].version);
		else
			cli_add_na(b, parts[i].why);
	}
	json_builder_set_member_name(b, "warnings");
	json_builder_begin_array(b);
	for (guint i = 0; i < warnings->len; i++)
		json_builder_add_string_value(b, warnings->pdata[i]);
	json_builder_end_array(b);
	json_builder_end_object(b);
	cli_print_json(b, TRUE);
}

static void print_text(const Cli *cli, const Part *parts, gsize n, const GPtrArray *warnings)
{
	for (gsize i = 0; i < n; i++) {
		g_autofree char *version =
			parts[i].version ? kx_text_clean(parts[i].version) : NULL;

		if (version)
			printf("%s %s\n", parts[i].name, version);
		else
			cli_say(cli, "%s n/a: %s", parts[i].name, parts[i].why);
	}
	fflush(stdout); /* so that the warnings come last if both streams go to one file */
	for (guint i = 0; i < warnings->len; i++) {
		g_autofree char *text = kx_text_clean(warnings->pdata[i]);

		fprintf(stderr, "kvm-ext: warning: %s\n", text);
	}
}

int cmd_version(Cli *cli, int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) daemon = NULL;
	g_autofree char *module = NULL;
	g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
	Part parts[] = { { "kvm-ext", KVM_EXT_VERSION, NULL },
			 { "kvm-extd", NULL, "it gave no version" },
			 { "kvm_ext", NULL, NULL } };
	char *warning;

	if (!cli_parse(NULL, &argc, &argv))
		return KX_EXIT_USAGE;
	daemon = cli_ask_property(cli, "Version", &error);
	if (daemon && g_variant_is_of_type(daemon, G_VARIANT_TYPE_STRING))
		parts[1].version = g_variant_get_string(daemon, NULL);
	if (error)
		parts[1].why = error->message;
	parts[2].version = module = kx_release_of_module(NULL, &parts[2].why);
	warning = kx_release_daemon_warning(parts[1].version, "kvm-ext");
	if (warning)
		g_ptr_array_add(warnings, warning);
	warning = kx_release_module_warning(NULL, "kvm-ext");
	if (warning)
		g_ptr_array_add(warnings, warning);
	if (cli->json)
		print_json(parts, G_N_ELEMENTS(parts), warnings);
	else
		print_text(cli, parts, G_N_ELEMENTS(parts), warnings);
	return KX_EXIT_OK;
}
