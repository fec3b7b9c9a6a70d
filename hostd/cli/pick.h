/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VMs of a saved report, or of a recording, that the command line names. */
#ifndef KX_CLI_PICK_H
#define KX_CLI_PICK_H

#include "cli.h"
#include "model/report.h"

/* Whether VMs can be named like this beside a file. FALSE: *@code is the exit code, and the error is printed. */
gboolean cli_check_pick(const Targets *of, const char *command, int *code);
/*
 * Leaves in @r the VMs that @of names by name, UUID or process; if it names none, all. FALSE: a VM is not in the file (KX_EXIT_ERROR),
 * and @error lists those that are.
 */
gboolean cli_pick_vms(KxReport *r, const char *path, const Targets *of, GError **error);
/* "vm1, vm2" */
char *cli_vm_names(const KxReport *r);

#endif /* KX_CLI_PICK_H */
