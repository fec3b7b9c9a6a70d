/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KX_WORKLOGS_H
#define KX_WORKLOGS_H

#include "cli.h"
#include "model/report.h"

/* Stretches of time of a VM whose work is needed, too: as KxWindow, of which only the start and the end are used. */
typedef struct {
	GPtrArray *(*of)(const KxVmReport *v,
			 gpointer data); /* NULL: there are no stretches; may return NULL */
	gpointer data;
} CliStretches;

/*
 * Joins the log "[NAME=]FILE" with the windows of its VM. @saved: the report was read from a file, so the daemon cannot be asked
 * for the found pages. G_OPTION_ERROR: the log belongs to no VM of the report, or to several.
 */
gboolean cli_join_log(Cli *cli, gboolean saved, KxReport *r, const char *text,
		      CliStretches stretches, GError **error);

#endif /* KX_WORKLOGS_H */
