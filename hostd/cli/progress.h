/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest progress as counted on the host: by a command that prints a number which only grows, or by the instructions that the
 * vCPUs retire. A workload's log is joined afterwards, and needs no counter.
 */
#ifndef KX_PROGRESS_COUNTER_H
#define KX_PROGRESS_COUNTER_H

#include "cli.h"

typedef struct _Counter Counter;

/*
 * @command: the shell runs it, in a process group of its own and with an empty standard input, with the VM's name in KVM_EXT_VM and its
 * process in KVM_EXT_PID. It is killed after ten seconds, and when @cli's calls are cancelled.
 */
Counter *counter_of_command(const char *command, const char *vm, guint32 pid);
/* NULL: this host cannot count instructions; @error says why. */
Counter *counter_of_instructions(guint32 pid, GError **error);
void counter_free(Counter *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Counter, counter_free)

/* FALSE: the counter could not be read, or the command printed no number; @error says which. */
gboolean counter_read(const Cli *cli, const Counter *c, double *value, GError **error);

#endif /* KX_PROGRESS_COUNTER_H */
