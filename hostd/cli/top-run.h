/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KX_TOP_RUN_H
#define KX_TOP_RUN_H

#include "cli.h"
#include "top-model.h"

typedef struct {
	Targets targets;
	char **wanted;	/* TARGET strings; empty: all VMs */
	double delay;	/* seconds */
	gboolean timed; /* by the user */
	int count;	/* 0: no end */
	TopColumn sort;
} TopOptions;

/* The rows of both answers, of the VMs that were named, sorted by the option. See top_rows(). */
GPtrArray *top_wanted_rows(const TopOptions *o, GVariant *list, GVariant *stats, GHashTable **seen);
/* Shows the screen until the user or a signal ends it; the exit code. */
int top_run(Cli *cli, const TopOptions *o);

#endif /* KX_TOP_RUN_H */
