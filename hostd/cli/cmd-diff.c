// SPDX-License-Identifier: GPL-2.0-or-later
/* diff: shows what changed between two comparisons, which are in the store or in files. */
#include "cli.h"

#include "compare/difference.h"
#include "output.h"
#include "stores.h"
#include "report/csv.h"

/* NULL: *@code is set, the error is printed. */
static KxComparison *load(const char *name, int *code)
{
	g_autoptr(GError) error = NULL;
	KxComparison *c = stores_load_named(name, &error);

	if (!c)
		*code = stores_fail(name, error);
	return c;
}

static int print(const Cli *cli, const KxDifference *d, const KxComparison *a, const char *name_a,
		 const KxComparison *b, const char *name_b, int width)
{
	g_autofree char *json = cli->json || cli->csv ? kx_difference_to_json(d, a, b) : NULL;
	g_autofree char *text = cli->csv    ? kx_figures_to_csv(json)
				: cli->json ? g_strdup(json)
					    : kx_difference_to_text(d, a, a->id ? a->id : name_a, b,
								    b->id ? b->id : name_b,
								    cli_columns(width, NULL));

	fputs(text, stdout);
	if (cli->json)
		putchar('\n');
	return KX_EXIT_OK;
}

static int diff(const Cli *cli, const char *name_a, const char *name_b, int width)
{
	int code = KX_EXIT_FAILED;
	g_autoptr(GError) error = NULL;
	g_autoptr(KxComparison) a = load(name_a, &code);
	g_autoptr(KxComparison) b = a ? load(name_b, &code) : NULL;
	g_autoptr(KxDifference) d = NULL;

	if (!b)
		return code;
	if (a->id && g_strcmp0(a->id, b->id) == 0)
		return cli_usage("diff", "%s and %s are the same comparison", name_a, name_b);
	d = kx_difference_new(a, b, &error);
	if (d)
		return print(cli, d, a, name_a, b, name_b, width);
	cli_fail(NULL, error);
	return KX_EXIT_UNSUPPORTED;
}

int cmd_diff(Cli *cli, int argc, char **argv)
{
	g_auto(GStrv) names = NULL;
	int width = 0;
	const GOptionEntry entries[] = {
		CSV_ENTRY,
		{ "width", 0, 0, G_OPTION_ARG_INT, &width,
		  "Columns of the text (default: the terminal's, else 120)", "N" },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &names, NULL, NULL },
		{ 0 },
	};

	if (!cli_parse(entries, &argc, &argv))
		return KX_EXIT_USAGE;
	if (width < 0 || (width && width < 60))
		return cli_usage("diff", "--width must be at least 60 columns");
	if (!names || g_strv_length(names) != 2)
		return cli_usage("diff",
				 "two comparisons are wanted, each an ID or a file saved with "
				 "'compare --json'");
	return diff(cli, names[0], names[1], width);
}
