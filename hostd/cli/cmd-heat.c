/* SPDX-License-Identifier: GPL-2.0-or-later */
/* heat: the hottest ranges of memory, by the trackers' latest maps. */
#include "cli.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/textfmt.h"
#include "maps.h"
#include "pick.h"
#include "report/csv.h"
#include "report/json.h"
#include "report/text.h"
#include "tracker/options.h"

#define FILE_COLUMNS 120 /* if standard output is no terminal */
#define TOP_DEFAULT  20

typedef struct {
	Targets targets;
	char *input;
	char *tracker; /* NULL: the tracker that runs, or ran last */
	gboolean csv;
	GString *table;
	int top;
	JsonBuilder *json;
	guint shown;
	int code;
} Heat;

static guint columns(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : FILE_COLUMNS;
}

/* Whether @m is of the requested tracker: its map of the VM, or one of its maps of guest processes. */
static gboolean is_wanted(const Heat *h, const KxVmReport *v, const KxHeatMap *m)
{
	const KxHeatMap *main_map;

	if (h->tracker)
		return g_str_equal(m->tracker, h->tracker);
	main_map = kx_heat_main_map(v->heat);
	return main_map && g_str_equal(m->tracker, main_map->tracker);
}

static void add_csv(const Heat *h, const KxVmReport *v)
{
	for (guint i = 0; i < v->heat->maps->len; i++) {
		const KxHeatMap *m = v->heat->maps->pdata[i];

		if (is_wanted(h, v, m))
			kx_heat_to_csv(h->table, v, m, (guint)h->top);
	}
}

static void print_vm(Heat *h, const KxVmReport *v)
{
	guint shown = 0;

	for (guint i = 0; i < v->heat->maps->len; i++) {
		const KxHeatMap *m = v->heat->maps->pdata[i];
		g_autofree char *text = NULL;

		if (!is_wanted(h, v, m) || !m->accesses)
			continue;
		text = kx_heat_to_text(v, m, (guint)h->top, columns());
		printf("%s%s", h->shown++ ? "\n" : "", text);
		shown++;
	}
	if (!shown) {
		g_autofree char *why =
			cli_why_none(v, h->tracker, h->input != NULL, "no sample", "a sample");
		g_autofree char *none = cli_maps_none(v, why);

		printf("%s%s", h->shown++ ? "\n" : "", none);
	}
}

static void show_report(const Cli *cli, Heat *h, const KxReport *r)
{
	for (guint i = 0; i < r->vms->len; i++) {
		KxVmReport *v = r->vms->pdata[i];

		if (!v->heat)
			v->heat = kx_heat_report_new();
		if (h->csv) {
			add_csv(h, v);
			continue;
		}
		if (!cli->json) {
			print_vm(h, v);
			continue;
		}
		if (h->top >= 0)
			kx_heat_trim(v->heat, (guint)h->top);
		kx_heat_add_json(h->json, v);
	}
}

static gboolean show(Cli *cli, const char *target, const char *what, gpointer data, GError **error)
{
	g_autofree char *json = cli_ask_heat(cli, target, what, error);
	g_autoptr(GError) wrong = NULL;
	g_autoptr(KxReport) r = NULL;
	Heat *h = data;

	if (!json)
		return FALSE;
	r = kx_report_from_json(json, &wrong);
	if (r)
		show_report(cli, h, r);
	else
		h->code = cli_fail(target, wrong);
	return TRUE;
}

static int show_file(const Cli *cli, Heat *h)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxReport) r = cli_read_report(cli, h->input, NULL, &h->targets, &error);

	if (r) {
		show_report(cli, h, r);
		return KX_EXIT_OK;
	}
	return cli_fail_file(error);
}

static int run(Cli *cli, Heat *h, char **targets)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	int code;

	g_autoptr(GString) table = g_string_new(NULL);

	h->json = b;
	h->table = table;
	kx_heat_csv_head(table);
	json_builder_begin_array(b);
	code = h->input ? show_file(cli, h)
			: cli_for_each(cli, targets, "fetching the heat", show, h);
	json_builder_end_array(b);
	if (h->csv)
		fputs(h->table->str, stdout);
	if (cli->json)
		cli_print_json(b, TRUE); /* if a VM failed: the heat of the others */
	return code ? code : h->code;
}

static gboolean check(Heat *h, gboolean json, int *code)
{
	if (!cli_check_tracker(&h->tracker, "heat", code) ||
	    (h->input && !cli_check_pick(&h->targets, "heat", code)))
		return FALSE;
	if (h->csv && json) {
		*code = cli_usage("heat", "--csv and --json exclude each other");
		return FALSE;
	}
	if (h->top == G_MAXINT)
		h->top = json || h->csv ? -1 : TOP_DEFAULT;
	else if (h->top < 1) {
		*code = cli_usage("heat", "--top must be a number of at least 1, not %d", h->top);
		return FALSE;
	}
	return TRUE;
}

int cmd_heat(Cli *cli, int argc, char **argv)
{
	Heat h = { .top = G_MAXINT };
	const GOptionEntry entries[] = {
		{ "tracker", 't', 0, G_OPTION_ARG_STRING, &h.tracker,
		  "Show the heat that this tracker saw (default: the tracker that runs, or ran "
		  "last)",
		  "TRACKER" },
		{ "top", 'n', 0, G_OPTION_ARG_INT, &h.top,
		  "Only the hottest N ranges (20; JSON and CSV: all)", "N" },
		{ "csv", 0, 0, G_OPTION_ARG_NONE, &h.csv,
		  "One line for each range, for other programs", NULL },
		{ "input", 'i', 0, G_OPTION_ARG_FILENAME, &h.input,
		  "Read a recording, or a report saved with --json, instead of asking the daemon",
		  "FILE" },
		TARGET_ENTRIES(h.targets),
		{ 0 },
	};
	g_auto(GStrv) targets = NULL;
	int code = KX_EXIT_USAGE;

	if (!cli_parse(entries, &argc, &argv) || !check(&h, cli->json, &code))
		goto out;
	if (!h.input)
		targets = cli_targets(cli, &h.targets, TARGETS_REQUIRED, TRUE, &code);
	if (targets || h.input)
		code = run(cli, &h, targets);
out:
	cli_targets_clear(&h.targets);
	g_free(h.tracker);
	g_free(h.input);
	return code;
}
