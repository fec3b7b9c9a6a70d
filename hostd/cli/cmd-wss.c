// SPDX-License-Identifier: GPL-2.0-or-later
/* wss: the size of the working set, how it changes, how densely it uses memory; or for how long memory is idle. */
#include "cli.h"

#include <string.h>

#include "maps.h"
#include "output.h"
#include "report/overtime-text.h"

typedef struct {
	Maps maps;
	char *output;
	gboolean idle, csv;
	int width;
	GString *text;
	JsonBuilder *json;
	guint shown;
} Wss;

static void show(Wss *w, const Cli *cli, const KxVmReport *v)
{
	g_autofree char *why = NULL, *text = NULL;
	const KxAccessMap *m = cli_maps_choose(&w->maps, v, &why);
	const KxHeatMap *heat = m ? cli_maps_heat(v, m) : NULL;
	guint width = cli_columns(w->width, w->output);

	if (cli->json) {
		json_builder_begin_object(w->json);
		if (m) {
			kx_working_set_add_json(w->json, v, m, heat);
		} else {
			json_builder_set_member_name(w->json, "vm");
			json_builder_add_string_value(w->json, v->name);
			json_builder_set_member_name(w->json, "na");
			json_builder_add_string_value(w->json, why);
		}
		json_builder_end_object(w->json);
		return;
	}
	if (!m && w->csv) {
		cli_maps_say_none(v, why);
		return;
	}
	if (w->csv) {
		kx_working_set_to_csv(w->text, v, m, heat);
		return;
	}
	if (!m)
		text = cli_maps_none(v, why);
	else if (w->idle)
		text = kx_idle_ages_to_text(v, w->maps.tracker, width);
	else
		text = kx_working_set_to_text(v, m, heat, width);
	g_string_append_printf(w->text, "%s%s", w->shown++ ? "\n" : "", text);
}

static gboolean emit(const Cli *cli, Wss *w, const KxReport *r, GError **error)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	w->text = g_string_new(NULL);
	w->json = b;
	json_builder_begin_array(b);
	if (w->csv)
		kx_working_set_csv_head(w->text);
	for (guint i = 0; i < r->vms->len; i++)
		show(w, cli, r->vms->pdata[i]);
	json_builder_end_array(b);
	if (cli->json) {
		g_autoptr(JsonNode) root = json_builder_get_root(b);
		g_autofree char *json = json_to_string(root, TRUE);

		g_string_append_printf(w->text, "%s\n", json);
	}
	if (w->output && !g_str_equal(w->output, "-"))
		return cli_write(w->output, "the working set", w->text->str, error);
	fputs(w->text->str, stdout);
	return TRUE;
}

static int run(Cli *cli, Wss *w)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxReport) r = NULL;
	int code;

	r = cli_maps_obtain(cli, &w->maps, TRUE, &code);
	if (!r || (code && !r->vms->len))
		return code;
	if (emit(cli, w, r, &error))
		return code;
	cli_fail(NULL, error);
	return KX_EXIT_FAILED;
}

static gboolean check(Wss *w, gboolean json, int *code)
{
	if (!cli_maps_check(&w->maps, "wss", code))
		return FALSE;
	if (w->csv && json)
		*code = cli_usage("wss", "--csv and --json exclude each other");
	else if (w->width < 0 || (w->width && w->width < 60))
		*code = cli_usage("wss", "--width must be at least 60 columns");
	else
		return TRUE;
	return FALSE;
}

int cmd_wss(Cli *cli, int argc, char **argv)
{
	Wss w = { 0 };
	const GOptionEntry entries[] = {
		{ "idle-age", 0, 0, G_OPTION_ARG_NONE, &w.idle,
		  "Show for how long memory has not been accessed, or written", NULL },
		{ "csv", 0, 0, G_OPTION_ARG_NONE, &w.csv,
		  "One line for each number, for other programs", NULL },
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &w.output,
		  "Write to FILE instead of standard output", "FILE" },
		{ "width", 0, 0, G_OPTION_ARG_INT, &w.width,
		  "Columns of the text (default: the terminal's, else 120)", "N" },
		MAPS_ENTRIES(w.maps, MAPS_OF_ONE),
		{ 0 },
	};
	int code = KX_EXIT_USAGE;

	if (cli_parse(entries, &argc, &argv) && check(&w, cli->json, &code))
		code = run(cli, &w);
	cli_maps_clear(&w.maps);
	g_free(w.output);
	if (w.text)
		g_string_free(w.text, TRUE);
	return code;
}
