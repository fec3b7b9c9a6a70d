// SPDX-License-Identifier: GPL-2.0-or-later
#include "comparison-out.h"

#include "output.h"
#include "report/csv.h"

int comparison_out(const Cli *cli, const KxComparison *c, int width, const char *output)
{
	g_autofree char *json = cli->json || cli->csv ? kx_comparison_to_json(c) : NULL;
	g_autofree char *body = cli->csv    ? kx_figures_to_csv(json)
				: cli->json ? g_strdup(json)
					    : kx_comparison_to_text(c, cli_columns(width, output));
	g_autofree char *text = g_strconcat(body, cli->json ? "\n" : "", NULL);
	g_autoptr(GError) error = NULL;

	if (!output || g_str_equal(output, "-")) {
		fputs(text, stdout);
		return KX_EXIT_OK;
	}
	if (cli_write(output, "the comparison", text, &error))
		return KX_EXIT_OK;
	/* The result took long to measure: it is printed rather than lost. */
	fputs(text, stdout);
	cli_fail(NULL, error);
	return KX_EXIT_FAILED;
}
