/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KX_COMPARISON_OUT_H
#define KX_COMPARISON_OUT_H

#include "cli.h"
#include "compare/comparison.h"

/*
 * Text, or with --json JSON, to the file @output, or to standard output where it is NULL or "-". @width: of the text; 0: the
 * terminal's. What cannot be written to the file goes to standard output; returns the exit code.
 */
int comparison_out(const Cli *cli, const KxComparison *c, int width, const char *output);

#endif /* KX_COMPARISON_OUT_H */
