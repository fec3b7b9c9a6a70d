/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli.h"

int cmd_version(Cli *cli, int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) daemon = NULL;
	const char *version = NULL, *why;

	if (!cli_parse(NULL, &argc, &argv))
		return KX_EXIT_USAGE;
	daemon = cli_ask_property(cli, "Version", &error);
	if (daemon && g_variant_is_of_type(daemon, G_VARIANT_TYPE_STRING))
		version = g_variant_get_string(daemon, NULL);
	why = error ? error->message : "it gave no version";
	if (cli->json) {
		g_autoptr(JsonBuilder) b = json_builder_new();

		json_builder_begin_object(b);
		json_builder_set_member_name(b, "kvm-ext");
		json_builder_add_string_value(b, KX_VERSION);
		json_builder_set_member_name(b, "kvm-extd");
		if (version)
			json_builder_add_string_value(b, version);
		else
			cli_add_na(b, why);
		json_builder_end_object(b);
		cli_print_json(b, TRUE);
		return KX_EXIT_OK;
	}
	printf("kvm-ext %s\n", KX_VERSION);
	if (version)
		printf("kvm-extd %s\n", version);
	else
		cli_say(cli, "kvm-extd n/a: %s", why);
	return KX_EXIT_OK;
}
