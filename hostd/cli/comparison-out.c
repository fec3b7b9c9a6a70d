// SPDX-License-Identifier: GPL-2.0-or-later
#include "comparison-out.h"

#include "output.h"
#include "report/csv.h"

/* What is printed; one of @c and @e is not NULL. @page: the same, for the page. */
typedef struct {
	const KxComparison *c;
	const KxExperiment *e;
	KxPageOf page;
} Printed;

static char *json_of(const Printed *p)
{
	return p->e ? kx_experiment_to_json(p->e) : kx_comparison_to_json(p->c);
}

static char *text_of(const Printed *p, guint width)
{
	return p->e ? kx_experiment_to_text(p->e, width) : kx_comparison_to_text(p->c, width);
}

static gboolean put(const Cli *cli, const Printed *p, int width, const char *output,
		    const char *html, GError **error)
{
	g_autofree char *json = cli->json || cli->csv ? json_of(p) : NULL;
	g_autofree char *body = cli->csv    ? kx_figures_to_csv(json)
				: cli->json ? g_strdup(json)
					    : text_of(p, cli_columns(width, output));
	g_autofree char *text = g_strconcat(body, cli->json ? "\n" : "", NULL);
	const char *what = p->e ? "the experiment" : "the comparison";

	if (cli_page_is_all(html, output) || cli_put_text(output, what, text, error))
		return cli_put_page(html, &p->page, error);
	/* The result took long to measure: it is printed rather than lost. */
	fputs(text, stdout);
	return FALSE;
}

static int out(const Cli *cli, const Printed *p, int width, const char *output, const char *html)
{
	g_autoptr(GError) error = NULL;

	if (put(cli, p, width, output, html, &error))
		return KX_EXIT_OK;
	cli_fail(NULL, error);
	return KX_EXIT_FAILED;
}

int comparison_out(const Cli *cli, const KxComparison *c, int width, const char *output,
		   const char *html)
{
	return out(cli, &(Printed){ .c = c, .page = { .comparison = c } }, width, output, html);
}

int experiment_out(const Cli *cli, const KxExperiment *e, int width, const char *output,
		   const char *html)
{
	return out(cli, &(Printed){ .e = e, .page = { .experiment = e } }, width, output, html);
}
