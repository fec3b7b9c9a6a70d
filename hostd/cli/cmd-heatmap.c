// SPDX-License-Identifier: GPL-2.0-or-later
/* heatmap: heat over time × guest-physical memory, on the terminal, as a picture, or as CSV. */
#include "cli.h"

#include <string.h>
#include <unistd.h>

#include "maps.h"
#include "model/accessmap-json.h"
#include "output.h"
#include "pick.h"
#include "picture.h"
#include "report/overtime-text.h"

#define HEIGHT_DEFAULT	 32
#define PICTURE_WIDTH	 1280
#define PICTURE_HEIGHT	 800
#define PICTURE_MIN	 400
#define PICTURE_MAX	 8192
#define TEXT_COLUMNS_MIN 60

typedef struct {
	Maps maps;
	char *output, *colour;
	gboolean csv;
	int width, height;
	/* what is printed */
	GString *text;
	guint shown;
} Heatmap;

static KxColours colours_of(const Heatmap *h)
{
	const char *can = g_getenv("COLORTERM"), *no = g_getenv("NO_COLOR");
	gboolean wanted = h->colour ? g_str_equal(h->colour, "always")
				    : !h->output && isatty(STDOUT_FILENO) && !(no && *no);

	if (h->colour && g_str_equal(h->colour, "auto"))
		wanted = !h->output && isatty(STDOUT_FILENO) && !(no && *no);
	if (!wanted)
		return KX_COLOURS_NONE;
	return can && (strstr(can, "truecolor") || strstr(can, "24bit")) ? KX_COLOURS_TRUE
									 : KX_COLOURS_256;
}

static void show_text(Heatmap *h, const KxVmReport *v)
{
	g_autofree char *why = NULL, *text = NULL;
	const KxAccessMap *m = cli_maps_choose(&h->maps, v, &why);

	if (h->csv) {
		if (m)
			kx_access_map_to_csv(h->text, v, m);
		else
			cli_maps_say_none(v, why);
		return;
	}
	if (m)
		text = kx_access_map_to_text(v, m, cli_columns(h->width, h->output),
					     h->height ? (guint)h->height : HEIGHT_DEFAULT,
					     colours_of(h));
	else
		text = cli_maps_none(v, why);
	g_string_append_printf(h->text, "%s%s", h->shown++ ? "\n" : "", text);
}

static char *json_of(const KxReport *r)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;

	json_builder_begin_array(b);
	for (guint i = 0; i < r->vms->len; i++) {
		const KxVmReport *v = r->vms->pdata[i];

		json_builder_begin_object(b);
		json_builder_set_member_name(b, "name");
		json_builder_add_string_value(b, v->name);
		json_builder_set_member_name(b, "pid");
		json_builder_add_int_value(b, v->pid);
		if (v->over_time)
			kx_json_add_over_time(b, v->over_time);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	root = json_builder_get_root(b);
	return json_to_string(root, TRUE);
}

static gboolean write_picture(const Heatmap *h, const KxReport *r, PictureFormat format,
			      GError **error)
{
	g_autoptr(GByteArray) picture = NULL;
	g_autofree char *why = NULL;
	const KxAccessMap *m;

	if (r->vms->len != 1) {
		g_autofree char *names = cli_vm_names(r);

		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "a picture is of one VM, and these are %u%s%s", r->vms->len,
			    *names ? "; name one of: " : "", names);
		return FALSE;
	}
	m = cli_maps_choose(&h->maps, r->vms->pdata[0], &why);
	if (!m) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "%s", why);
		return FALSE;
	}
	picture = picture_draw(r->vms->pdata[0], m, format,
			       h->width ? (guint)h->width : PICTURE_WIDTH,
			       h->height ? (guint)h->height : PICTURE_HEIGHT, error);
	return picture &&
	       cli_write_bytes(h->output, "the picture", picture->data, picture->len, error);
}

static gboolean emit(const Cli *cli, Heatmap *h, const KxReport *r, GError **error)
{
	PictureFormat format;
	g_autofree char *json = NULL;

	if (h->output && picture_format(h->output, &format))
		return write_picture(h, r, format, error);
	h->text = g_string_new(NULL);
	if (cli->json) {
		json = json_of(r);
		g_string_append_printf(h->text, "%s\n", json);
	} else if (h->csv) {
		kx_access_map_csv_head(h->text);
	}
	for (guint i = 0; !cli->json && i < r->vms->len; i++)
		show_text(h, r->vms->pdata[i]);
	if (h->output && !g_str_equal(h->output, "-"))
		return cli_write(h->output, "the heat map", h->text->str, error);
	fputs(h->text->str, stdout);
	return TRUE;
}

static int run(Cli *cli, Heatmap *h)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxReport) r = NULL;
	int code;

	r = cli_maps_obtain(cli, &h->maps, FALSE, &code);
	if (!r || (code && !r->vms->len))
		return code;
	if (emit(cli, h, r, &error))
		return code;
	cli_fail(NULL, error);
	return g_error_matches(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE) ? KX_EXIT_USAGE
										: KX_EXIT_FAILED;
}

static gboolean check_size(const Heatmap *h, int *code)
{
	PictureFormat format;
	gboolean picture = h->output && picture_format(h->output, &format);
	int min = picture ? PICTURE_MIN : TEXT_COLUMNS_MIN, lines = picture ? PICTURE_MIN : 4;

	if ((!h->width || (h->width >= min && h->width <= PICTURE_MAX)) &&
	    (!h->height || (h->height >= lines && h->height <= PICTURE_MAX)))
		return TRUE;
	*code = cli_usage("heatmap",
			  "%s is at least %d wide and %d high, and at most %d: --width, --height",
			  picture ? "a picture" : "a text", min, lines, PICTURE_MAX);
	return FALSE;
}

static gboolean check(Heatmap *h, gboolean json, int *code)
{
	PictureFormat format;

	if (!cli_maps_check(&h->maps, "heatmap", code) || !check_size(h, code))
		return FALSE;
	if (h->colour && !g_str_equal(h->colour, "auto") && !g_str_equal(h->colour, "always") &&
	    !g_str_equal(h->colour, "never")) {
		*code = cli_usage("heatmap", "--colour '%s': it is auto, always or never",
				  h->colour);
		return FALSE;
	}
	if (h->output && picture_unknown(h->output)) {
		*code = cli_usage(
			"heatmap",
			"--output '%s': pictures are PNG or SVG: give a name that ends in "
			".png or .svg",
			h->output);
		return FALSE;
	}
	if ((h->csv && json) ||
	    ((h->csv || json) && h->output && picture_format(h->output, &format))) {
		*code = cli_usage("heatmap", "--csv, --json and a picture exclude each other");
		return FALSE;
	}
	return TRUE;
}

int cmd_heatmap(Cli *cli, int argc, char **argv)
{
	Heatmap h = { 0 };
	const GOptionEntry entries[] = {
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &h.output,
		  "Write to FILE; a picture if its name ends in .png or .svg", "FILE" },
		{ "csv", 0, 0, G_OPTION_ARG_NONE, &h.csv,
		  "One line for each cell, for other programs", NULL },
		{ "colour", 0, 0, G_OPTION_ARG_STRING, &h.colour,
		  "Colours in the text: auto (on a terminal, unless NO_COLOR is set), always, "
		  "never",
		  "WHEN" },
		{ "width", 0, 0, G_OPTION_ARG_INT, &h.width,
		  "Columns of the text, or pixels of the picture", "N" },
		{ "height", 0, 0, G_OPTION_ARG_INT, &h.height,
		  "Lines of the map, or pixels of the picture", "N" },
		MAPS_ENTRIES(h.maps, MAPS_OF_ONE),
		{ 0 },
	};
	int code = KX_EXIT_USAGE;

	if (cli_parse(entries, &argc, &argv) && check(&h, cli->json, &code))
		code = run(cli, &h);
	cli_maps_clear(&h.maps);
	g_free(h.output);
	g_free(h.colour);
	if (h.text)
		g_string_free(h.text, TRUE);
	return code;
}
