/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measures a comparison: switches trackers, waits, and reads counters. */
#ifndef KX_COMPARE_RUN_H
#define KX_COMPARE_RUN_H

#include "cli.h"
#include "compare-keep.h"
#include "compare/comparison.h"

typedef struct {
	const char *command; /* the command line */
	Keeper *keeper;	     /* keeps what is measured */
	KxComparison *
		resumed; /* the comparison that goes on; the run takes ownership; NULL: a new comparison */
	char **targets;			      /* TARGET strings for the daemon */
	GPtrArray *settings;		      /* KxSetting */
	guint64 window_ns, settle_ns, max_ns; /* max_ns 0: none */
	guint rounds;
	double precision; /* of the slowdown: rounds go on until it is reached; 0: none requested */
	guint64 seed;
	KxLayout layout;
	char *progress_command;
	char **logs; /* "[NAME=]FILE" */
} CompareArguments;

/*
 * The settings of a comparison that was begun, and TARGET strings for its VMs. NULL: this program reads a setting in another
 * way.
 */
GPtrArray *compare_settings_of(const KxComparison *c, GError **error);
char **compare_targets_of(const KxComparison *c);

/*
 * NULL: nothing was measured; *@code is the exit code, the error is printed. When this function returns, the VMs are in their
 * earlier state: with the tracker that they had, or detached if they were not attached.
 */
KxComparison *compare_run(Cli *cli, const CompareArguments *a, int *code);

/* The measure of guest progress, if the workload's logs tell it. */
#define COMPARE_BY_LOG "units of work, by the workload's log"

/* The daemon's report of the VMs. NULL: @error is set. */
KxReport *compare_fetch_report(Cli *cli, char **targets, GError **error);
/* Copies the data on the host and the sizes of the VMs from the daemon's report. */
gboolean compare_take_host(Cli *cli, char **targets, KxComparison *c, GError **error);

/*
 * After the rounds: joins the workload's logs, and copies the data on host and VMs from the daemon's report. If this fails, the
 * error is printed, *@code is set, and the measurements are kept.
 */
void compare_conclude(Cli *cli, const CompareArguments *a, KxComparison *c, int *code);
/* Joins the logs of a comparison that was measured earlier, and keeps it. */
void compare_join_later(Cli *cli, const CompareArguments *a, KxComparison *c, int *code);

/* --- the workload's logs (compare-logs.c) ---------------------------------------------------------------------------- */

/* Whether each log belongs to a VM and begins as a log. G_OPTION_ERROR: to none or several; else KX_EXIT_FAILED. */
gboolean compare_check_logs(const KxComparison *c, char **logs, GError **error);
/* The same logs with absolute paths. NULL: a log belongs to no VM, or to several. */
char **compare_absolute_logs(const KxComparison *c, char **logs, GError **error);
/*
 * Joins the comparison's logs with its windows. @report NULL: the daemon's windows are not known, so recall and precision stay as they
 * are. If a log cannot be joined, the error is printed, *@code is set unless it is set already, and the figures of this VM are missing.
 */
void compare_join_logs(Cli *cli, KxComparison *c, KxReport *report, int *code);

#endif /* KX_COMPARE_RUN_H */
