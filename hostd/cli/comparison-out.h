/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KX_COMPARISON_OUT_H
#define KX_COMPARISON_OUT_H

#include "cli.h"
#include "compare/comparison.h"
#include "experiment/experiment.h"

/*
 * Writes the comparison as text, or with --json as JSON, to the file @output; NULL or "-": to standard output. @width: columns of
 * the text, 0: those of the terminal. If the file cannot be written, the text goes to standard output. @html: the file to which
 * the comparison is written as a page as well; NULL: none. Returns the exit code.
 */
int comparison_out(const Cli *cli, const KxComparison *c, int width, const char *output,
		   const char *html);
/* The same of an experiment. */
int experiment_out(const Cli *cli, const KxExperiment *e, int width, const char *output,
		   const char *html);

#endif /* KX_COMPARISON_OUT_H */
