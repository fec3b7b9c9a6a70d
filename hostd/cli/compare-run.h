/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The measuring of a comparison: switches, waits, reads. */
#ifndef KX_COMPARE_RUN_H
#define KX_COMPARE_RUN_H

#include "cli.h"
#include "compare/comparison.h"

typedef struct {
	char **targets;			      /* the daemon's */
	GPtrArray *settings;		      /* KxSetting */
	guint64 window_ns, settle_ns, max_ns; /* max_ns 0: none */
	guint rounds;
	double precision; /* of the slowdown, more rounds until it is reached; 0: none wanted */
	guint64 seed;
	KxLayout layout;
	char *progress_command;
	char **logs; /* "[NAME=]FILE" */
} CompareArguments;

/*
 * NULL: nothing was measured, and *@code says why; the error is printed. VMs are as they were when it returns: with the tracker
 * that they had, and detached if they were not attached.
 */
KxComparison *compare_run(Cli *cli, const CompareArguments *a, int *code);

/*
 * After the rounds: joins the workload's logs, and takes over what the daemon's report says of host and VMs. What cannot be had
 * is printed, *@code set, and what was measured kept.
 */
void compare_conclude(Cli *cli, const CompareArguments *a, KxComparison *c, int *code);

#endif /* KX_COMPARE_RUN_H */
