/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli.h"

#include <signal.h>

#include "base/textfmt.h"
#include "csv-out.h"
#include "doctor/doctor.h"

static void add_checks(JsonBuilder *b, const GPtrArray *checks)
{
	json_builder_begin_array(b);
	for (guint i = 0; i < checks->len; i++) {
		const KxCheck *c = checks->pdata[i];

		json_builder_begin_object(b);
		json_builder_set_member_name(b, "name");
		json_builder_add_string_value(b, c->name);
		json_builder_set_member_name(b, "status");
		json_builder_add_string_value(b, kx_check_status_name(c->status));
		json_builder_set_member_name(b, "needed");
		json_builder_add_boolean_value(b, c->needed);
		json_builder_set_member_name(b, "found");
		json_builder_add_string_value(b, c->found);
		json_builder_set_member_name(b, "remedy");
		if (c->remedy)
			json_builder_add_string_value(b, c->remedy);
		else
			json_builder_add_null_value(b);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

static void print_json(const GPtrArray *checks)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "ok");
	json_builder_add_boolean_value(b, kx_doctor_ok(checks));
	json_builder_set_member_name(b, "checks");
	add_checks(b, checks);
	json_builder_end_object(b);
	cli_print_json(b, TRUE);
}

static void print_csv(const GPtrArray *checks)
{
	static const char *const keys[] = { "name", "status", "needed", "found", "remedy", NULL };
	g_autoptr(JsonBuilder) b = json_builder_new();

	add_checks(b, checks);
	csv_print_list(b, keys);
}

static void print_check(const KxCheck *c)
{
	g_autofree char *found = kx_text_clean(c->found);
	gboolean missing = c->needed && c->status == KX_CHECK_NO;

	printf("%-8s %-21s %s\n", missing ? "MISSING" : kx_check_status_name(c->status), c->title,
	       found);
	if (c->remedy)
		printf("%30s -> %s\n", "", c->remedy);
}

static void print_text(const Cli *cli, const GPtrArray *checks)
{
	guint missing = 0;

	for (guint i = 0; i < checks->len; i++) {
		const KxCheck *c = checks->pdata[i];

		print_check(c);
		missing += c->needed && c->status == KX_CHECK_NO;
	}
	if (missing)
		cli_say(cli, "\n%u thing%s that kvm-ext needs %s missing.", missing,
			missing == 1 ? "" : "s", missing == 1 ? "is" : "are");
	else
		cli_say(cli, "\nNothing that kvm-ext needs is missing.");
}

int cmd_doctor(Cli *cli, int argc, char **argv)
{
	const GOptionEntry entries[] = { CSV_LINES_ENTRY, { 0 } };
	KxDoctorFacts facts = { .libvirt = -1 };
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) version = NULL, uri = NULL, connected = NULL;
	g_autoptr(GPtrArray) checks = NULL;

	if (!cli_parse(entries, &argc, &argv))
		return KX_EXIT_USAGE;
	/* QEMU, which is asked by a pipe, may end without reading it. */
	signal(SIGPIPE, SIG_IGN);
	kx_doctor_probe(&facts);
	version = cli_ask_property(cli, "Version", &error);
	if (version && g_variant_is_of_type(version, G_VARIANT_TYPE_STRING)) {
		facts.daemon_version = g_variant_get_string(version, NULL);
		uri = cli_ask_property(cli, "LibvirtUri", NULL);
		connected = cli_ask_property(cli, "LibvirtConnected", NULL);
	}
	facts.daemon_error = error ? error->message : NULL;
	facts.daemon_denied = error && kx_exit_code(error) == KX_EXIT_DENIED;
	if (uri && g_variant_is_of_type(uri, G_VARIANT_TYPE_STRING))
		facts.libvirt_uri = g_variant_get_string(uri, NULL);
	if (connected && g_variant_is_of_type(connected, G_VARIANT_TYPE_BOOLEAN))
		facts.libvirt = g_variant_get_boolean(connected);
	checks = kx_doctor_run(&facts);
	kx_doctor_facts_clear(&facts);
	if (cli->json)
		print_json(checks);
	else if (cli->csv)
		print_csv(checks);
	else
		print_text(cli, checks);
	return kx_doctor_ok(checks) ? KX_EXIT_OK : KX_EXIT_DOCTOR;
}
