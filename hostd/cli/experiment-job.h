/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command of an experiment's file, run by the shell on this host. */
#ifndef KX_EXPERIMENT_JOB_H
#define KX_EXPERIMENT_JOB_H

#include <gio/gio.h>

typedef struct _Job Job;

/*
 * Starts @command in a process group of its own, so that an interrupt from the terminal does not reach it. @environment: of the
 * command. NULL: @error is set.
 */
Job *job_start(const char *command, char **environment, GError **error);
/* When the command ended, as g_get_monotonic_time(); 0: it runs. */
gint64 job_ended(const Job *j);
/* Whether the command that has ended succeeded. FALSE: @error is set, with the end of what the command wrote to its standard error. */
gboolean job_succeeded(Job *j, GError **error);
/* Ends the command, and all processes of its group, if it runs. */
void job_free(Job *j);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_free)

#endif /* KX_EXPERIMENT_JOB_H */
