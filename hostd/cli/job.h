/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command that the user gave, in an experiment's file or as --progress-command, run by the shell on this host. */
#ifndef KX_JOB_H
#define KX_JOB_H

#include <gio/gio.h>

typedef struct _Job Job;

typedef enum {
	JOB_SILENT, /* what the command prints is thrown away */
	JOB_READ, /* job_output() has it; a command that prints more than a pipe takes (64 KiB) does not end */
} JobOutput;

/*
 * Starts @command in a process group of its own, so that an interrupt from the terminal does not reach it. @environment: of the
 * command. The command's standard input is empty. NULL: @error is set.
 */
Job *job_start(const char *command, char **environment, JobOutput output, GError **error);
/* When the command ended, as g_get_monotonic_time(); 0: it runs. */
gint64 job_ended(const Job *j);
/* Whether the command, which has ended, succeeded. FALSE: @error has the end of what the command wrote to its standard error. */
gboolean job_succeeded(Job *j, GError **error);
/* Of a job with JOB_READ that has ended: the beginning of what it printed, at most 4 KiB. The caller frees it. */
char *job_output(const Job *j);
/* Ends the command, and all processes of its group, if it runs. */
void job_free(Job *j);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_free)

#endif /* KX_JOB_H */
