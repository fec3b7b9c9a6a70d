// SPDX-License-Identifier: GPL-2.0-or-later
#include "comparison-out.h"

#include "output.h"
#include "report/csv.h"

static gboolean put(const Cli *cli, const KxComparison *c, int width, const char *output,
		    const char *html, GError **error)
{
	g_autofree char *json = cli->json || cli->csv ? kx_comparison_to_json(c) : NULL;
	g_autofree char *body = cli->csv    ? kx_figures_to_csv(json)
				: cli->json ? g_strdup(json)
					    : kx_comparison_to_text(c, cli_columns(width, output));
	g_autofree char *text = g_strconcat(body, cli->json ? "\n" : "", NULL);

	if (cli_page_is_all(html, output) || cli_put_text(output, "the comparison", text, error))
		return cli_put_page(html, &(KxPageOf){ .comparison = c }, error);
	/* The result took long to measure: it is printed rather than lost. */
	fputs(text, stdout);
	return FALSE;
}

int comparison_out(const Cli *cli, const KxComparison *c, int width, const char *output,
		   const char *html)
{
	g_autoptr(GError) error = NULL;

	if (put(cli, c, width, output, html, &error))
		return KX_EXIT_OK;
	cli_fail(NULL, error);
	return KX_EXIT_FAILED;
}
