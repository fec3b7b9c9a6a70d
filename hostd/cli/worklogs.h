/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KX_WORKLOGS_H
#define KX_WORKLOGS_H

#include "cli.h"
#include "model/report.h"

/* A VM that a log can belong to. */
typedef struct {
	const char *name;
	guint32 pid;
} CliLogVm;

/*
 * The VM to which the log "[NAME=]FILE" belongs, as index of @vms, and its FILE. G_OPTION_ERROR: the log belongs to none of them, or
 * to several.
 */
gboolean cli_match_log(const char *log, const CliLogVm *vms, guint n, guint *index,
		       const char **path, GError **error);

/*
 * Joins the log at @path with all windows of @v, and with @stretches: stretches of time of this VM whose work is needed, as KxWindow, of
 * which only the start and the end are used. @v, @stretches NULL: none. @saved: the report was read from a file, so the daemon cannot
 * be asked for the found pages. An error of the file is KX_EXIT_FAILED; then nothing is filled in.
 */
gboolean cli_join_vm_log(Cli *cli, gboolean saved, KxVmReport *v, const char *path,
			 GPtrArray *stretches, GError **error);

/* Joins the log "[NAME=]FILE" with the windows of its VM. Errors of both functions above. */
gboolean cli_join_log(Cli *cli, gboolean saved, KxReport *r, const char *log, GError **error);

#endif /* KX_WORKLOGS_H */
