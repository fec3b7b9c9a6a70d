// SPDX-License-Identifier: GPL-2.0-or-later
/* export: heat over time in the formats of other programs. */
#include "cli.h"

#include <string.h>
#include <unistd.h>

#include "maps.h"
#include "output.h"
#include "report/damo.h"

typedef struct {
	Maps maps;
	char *output;
} Export;

static void tell(const Cli *cli, const Export *e, const GPtrArray *targets, const KxDamoSum *sum)
{
	for (guint i = 0; i < targets->len; i++)
		cli_say(cli, "target %u: %s", i, (const char *)targets->pdata[i]);
	if (cli->quiet)
		return;
	if (sum->snapshots_min < KX_DAMO_SNAPSHOTS_MIN)
		fprintf(stderr,
			"kvm-ext: %s: a map has %u snapshots; 'damo report wss' skips the first "
			"20, "
			"so %u or more are better\n",
			e->output, sum->snapshots_min, KX_DAMO_SNAPSHOTS_MIN);
	if (sum->clamped)
		fprintf(stderr,
			"kvm-ext: %s: %" G_GUINT64_FORMAT " accesses of the page at address 0 are "
			"missing: damo loses a region that begins there\n",
			e->output, sum->clamped);
}

static void say_json(const GPtrArray *targets, const KxDamoSum *sum)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "targets");
	json_builder_begin_array(b);
	for (guint i = 0; i < targets->len; i++)
		json_builder_add_string_value(b, targets->pdata[i]);
	json_builder_end_array(b);
	json_builder_set_member_name(b, "snapshots");
	json_builder_add_int_value(b, sum->snapshots);
	json_builder_end_object(b);
	cli_print_json(b, TRUE);
}

static int export_damo(Cli *cli, Export *e)
{
	g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) packed = NULL;
	g_autoptr(KxReport) r = NULL;
	g_autofree char *text = NULL;
	KxDamoSum sum;
	int code;

	r = cli_maps_obtain(cli, &e->maps, FALSE, &code);
	if (!r || code)
		return code;
	text = kx_damo_text(r->vms, e->maps.tracker, targets, &sum);
	if (!text) {
		fputs("kvm-ext: no tracker that finds pages has had a pass yet: there is nothing "
		      "to "
		      "export\n",
		      stderr);
		return KX_EXIT_FAILED;
	}
	packed = kx_damo_pack(text);
	if (!cli_write_bytes(e->output, "the record", g_bytes_get_data(packed, NULL),
			     g_bytes_get_size(packed), &error)) {
		cli_fail(NULL, error);
		return KX_EXIT_FAILED;
	}
	if (cli->json)
		say_json(targets, &sum);
	else
		tell(cli, e, targets, &sum);
	return code;
}

/* Takes the format, which stands before the VMs, from the command line. */
static gboolean take_format(int *argc, char ***argv, int *code)
{
	if (*argc < 2 || (*argv)[1][0] == '-')
		return TRUE; /* --help, or the error below */
	if (!g_str_equal((*argv)[1], "damo")) {
		*code = cli_usage("export", "there is no format '%s'; it is damo", (*argv)[1]);
		return FALSE;
	}
	(*argv)[1] = (*argv)[0];
	(*argc)--;
	(*argv)++;
	return TRUE;
}

int cmd_export(Cli *cli, int argc, char **argv)
{
	Export e = { 0 };
	const GOptionEntry entries[] = {
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &e.output,
		  "The record's file (default: damo.data, as damo calls it)", "FILE" },
		MAPS_ENTRIES(e.maps, "Only the map of this tracker (default: those of all)"),
		{ 0 },
	};
	gboolean format = argc > 1 && argv[1][0] != '-';
	int code = KX_EXIT_USAGE;

	if (!take_format(&argc, &argv, &code) || !cli_parse(entries, &argc, &argv))
		goto out;
	if (!format)
		code = cli_usage("export", "no format is given; it is damo");
	else if (cli_maps_check(&e.maps, "export", &code)) {
		if (!e.output)
			e.output = g_strdup("damo.data");
		code = export_damo(cli, &e);
	}
out:
	cli_maps_clear(&e.maps);
	g_free(e.output);
	return code;
}
