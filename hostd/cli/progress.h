/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest gets done, as something on the host counts it: a command that prints a number which only grows, or the
 * instructions that its vCPUs retire. A workload's log is joined afterwards and has no counter here.
 */
#ifndef KX_PROGRESS_COUNTER_H
#define KX_PROGRESS_COUNTER_H

#include "cli.h"

typedef struct _Counter Counter;

/* @command: run by the shell with the VM's name in KVM_EXT_VM and its process in KVM_EXT_PID. */
Counter *counter_of_command(const char *command, const char *vm, guint32 pid);
/* NULL: this host cannot count them, and why. */
Counter *counter_of_instructions(guint32 pid, GError **error);
void counter_free(Counter *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Counter, counter_free)

/* FALSE: what came is no number, and what it was. */
gboolean counter_read(const Cli *cli, const Counter *c, double *value, GError **error);

#endif /* KX_PROGRESS_COUNTER_H */
