// SPDX-License-Identifier: GPL-2.0-or-later
#include "experiment-job.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/textfmt.h"

#define SAID_MAX 200 /* bytes of what a failed command wrote */

struct _Job {
	GSubprocess *process;
	GCancellable *cancellable;
	pid_t group; /* 0: its leader had ended before it could be asked for its number */
	gint64 ended_us;
	char *said;
	gboolean abandoned; /* the owner is gone; the callback frees the rest */
};

static void clear(Job *j)
{
	g_object_unref(j->process);
	g_object_unref(j->cancellable);
	g_free(j->said);
	g_free(j);
}

static void on_ended(GObject *process, GAsyncResult *result, gpointer data)
{
	Job *j = data;

	g_subprocess_communicate_utf8_finish(j->process, result, NULL, &j->said, NULL);
	j->ended_us = g_get_monotonic_time();
	if (j->abandoned)
		clear(j);
}

/* Runs between fork and exec. */
static void lead_group(gpointer data)
{
	setpgid(0, 0);
}

Job *job_start(const char *command, char **environment, GError **error)
{
	/* What the command prints is not the experiment's result. */
	g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(
		G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
	g_autoptr(GSubprocess) process = NULL;
	const char *number;
	Job *j;

	g_subprocess_launcher_set_environ(launcher, environment);
	g_subprocess_launcher_set_child_setup(launcher, lead_group, NULL, NULL);
	process = g_subprocess_launcher_spawn(launcher, error, "/bin/sh", "-c", command, NULL);
	if (!process)
		return NULL;
	j = g_new0(Job, 1);
	number = g_subprocess_get_identifier(process);
	j->group = number ? atoi(number) : 0;
	j->process = g_steal_pointer(&process);
	j->cancellable = g_cancellable_new();
	g_subprocess_communicate_utf8_async(j->process, NULL, j->cancellable, on_ended, j);
	return j;
}

gint64 job_ended(const Job *j)
{
	return j->ended_us;
}

gboolean job_succeeded(Job *j, GError **error)
{
	g_autoptr(GError) local = NULL;
	g_autofree char *words = NULL;
	gsize len = j->said ? strlen(g_strchomp(j->said)) : 0;

	if (g_spawn_check_wait_status(g_subprocess_get_status(j->process), &local))
		return TRUE;
	words = kx_text_clean(len ? j->said + (len > SAID_MAX ? len - SAID_MAX : 0) : "");
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s%s%s", local->message, *words ? ": " : "",
		    words);
	return FALSE;
}

void job_free(Job *j)
{
	if (!j)
		return;
	if (j->ended_us) {
		clear(j);
		return;
	}
	/* Its pipe is still open, so a process of the group is left. */
	if (j->group)
		kill(-j->group, SIGKILL);
	j->abandoned = TRUE;
	g_cancellable_cancel(j->cancellable);
}
