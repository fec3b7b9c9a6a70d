/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs an experiment. */
#ifndef KX_EXPERIMENT_RUN_H
#define KX_EXPERIMENT_RUN_H

#include "cli.h"
#include "experiment/experiment.h"

/*
 * Runs all runs of @plan, whose seed is set, and keeps them in the store. @command: the command line. @save (nullable): a file to which
 * the measurements are written as JSON after each round. NULL: nothing was measured; *@code is the exit code, and the error is printed.
 * When this function returns, all VMs of the experiment have ended.
 */
KxExperiment *experiment_run(Cli *cli, const KxPlan *plan, const char *command, const char *save,
			     int *code);

#endif /* KX_EXPERIMENT_RUN_H */
