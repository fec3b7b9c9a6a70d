/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KX_WORKLOGS_H
#define KX_WORKLOGS_H

#include "cli.h"
#include "model/report.h"

/* Stretches of time of a VM that want its work, too: KxWindow, of which only the two times matter. */
typedef struct {
	GPtrArray *(*of)(const KxVmReport *v,
			 gpointer data); /* NULL: nobody wants it; may return NULL */
	gpointer data;
} CliStretches;

/*
 * Joins the log "[NAME=]FILE" with the windows of the VM that it is of. @saved: the report was read from a file, and its VM
 * cannot be asked for the pages found. G_OPTION_ERROR: it belongs to no VM of the report.
 */
gboolean cli_join_log(Cli *cli, gboolean saved, KxReport *r, const char *text,
		      CliStretches stretches, GError **error);

#endif /* KX_WORKLOGS_H */
