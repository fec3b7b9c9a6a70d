// SPDX-License-Identifier: GPL-2.0-or-later
/* show: prints a comparison or an experiment of the store as it was printed when it was measured. */
#include "cli.h"

#include "comparison-out.h"
#include "output.h"
#include "stores.h"

static int show(Cli *cli, const char *id, int width, const char *output, const char *html)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxComparison) c = NULL;
	g_autoptr(KxExperiment) e = NULL;

	if (!stores_load_any(id, &c, &e, &error))
		return stores_fail(NULL, error);
	return e ? experiment_out(cli, e, width, output, html)
		 : comparison_out(cli, c, width, output, html);
}

int cmd_show(Cli *cli, int argc, char **argv)
{
	g_auto(GStrv) ids = NULL;
	g_autofree char *output = NULL, *html = NULL;
	int width = 0;
	const GOptionEntry entries[] = {
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
		  "Write to FILE instead of standard output", "FILE" },
		CSV_ENTRY,
		HTML_ENTRY(html),
		{ "width", 0, 0, G_OPTION_ARG_INT, &width,
		  "Columns of the text (default: the terminal's, else 120)", "N" },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &ids, NULL, NULL },
		{ 0 },
	};

	if (!cli_parse(entries, &argc, &argv))
		return KX_EXIT_USAGE;
	if (width < 0 || (width && width < 60))
		return cli_usage("show", "--width must be at least 60 columns");
	if (!ids || g_strv_length(ids) != 1)
		return cli_usage("show", "one ID is wanted: kvm-ext history shows what there is");
	return show(cli, ids[0], width, output, html);
}
