/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heat over time of some VMs for the commands that show it: from the daemon, from a recording, or from a saved report. */
#ifndef KX_CLI_MAPS_H
#define KX_CLI_MAPS_H

#include "cli.h"
#include "model/report.h"

typedef struct {
	Targets targets;
	char *input, *tracker;
	char *from, *until; /* of the recording; NULL: all */
} Maps;

#define MAPS_OF_ONE "Show what this tracker found (default: the tracker that runs, or ran last)"

/* @tracker_help: what --tracker does for the command. */
#define MAPS_ENTRIES(m, tracker_help)                                                                \
	{ "tracker", 't', 0, G_OPTION_ARG_STRING, &(m).tracker, (tracker_help), "TRACKER" },         \
		{ "input",                                                                           \
		  'i',                                                                               \
		  0,                                                                                 \
		  G_OPTION_ARG_FILENAME,                                                             \
		  &(m).input,                                                                        \
		  "Read a recording, or a report saved with --json, instead of asking the daemon",   \
		  "FILE" },                                                                          \
		{ "from",    0,                                                                      \
		  0,	     G_OPTION_ARG_STRING,                                                    \
		  &(m).from, "Of a recording, only passes from this time after its first one on",    \
		  "TIME" },                                                                          \
		{ "until", 0, 0, G_OPTION_ARG_STRING, &(m).until, "… and up to this time", "TIME" }, \
		TARGET_ENTRIES((m).targets)

void cli_maps_clear(Maps *m);
/*
 * For commands that show what trackers found. *@tracker (nullable) becomes the tracker's own name. FALSE: *@code is the exit code, and
 * the error is printed.
 */
gboolean cli_check_tracker(char **tracker, const char *command, int *code);
/* Checks the arguments. FALSE: *@code is the exit code, and the error is printed. */
gboolean cli_maps_check(Maps *m, const char *command, int *code);
/*
 * The VMs with their over_time, and (@heat) with their heat. NULL: nothing can be shown. *@code: the exit code so far; errors are
 * printed.
 */
KxReport *cli_maps_obtain(Cli *cli, Maps *m, gboolean heat, int *code);
/* The map to show; NULL: there is none, and @why, which the caller frees, is a clause. */
const KxAccessMap *cli_maps_choose(const Maps *m, const KxVmReport *v, char **why);
/*
 * Why there is nothing to show of @tracker, or (NULL) of any: a clause such as "abit has had no sample yet". @nothing: "no sample";
 * @anything: "a sample". @saved: the report is of a file, to which nothing comes any more.
 */
char *cli_why_none(const KxVmReport *v, const char *tracker, gboolean saved, const char *nothing,
		   const char *anything);
/* "NAME: n/a: WHY", a line for a terminal. */
char *cli_maps_none(const KxVmReport *v, const char *why);
void cli_maps_say_none(const KxVmReport *v, const char *why);
/* The heat of the same tracker; NULL: not known. */
const KxHeatMap *cli_maps_heat(const KxVmReport *v, const KxAccessMap *m);

/* The report in a recording, with the heat that its samples give; warnings are printed. NULL: @error is set. */
KxReport *cli_read_recording(const Cli *cli, const char *path, const Maps *part, GError **error);
/* A recording or a report: the VMs that @of names, or all. */
KxReport *cli_read_report(const Cli *cli, const char *path, const Maps *part, const Targets *of,
			  GError **error);
/* Prints why a file cannot be shown; returns the exit code, which is never that of an unreachable daemon. */
int cli_fail_file(const GError *error);

#endif /* KX_CLI_MAPS_H */
