// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* memfd_create */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/textfmt.h"

#define SAID_MAX   200	/* bytes of what a failed command wrote */
#define OUTPUT_MAX 4096 /* bytes of what a command printed */

struct _Job {
	GSubprocess *process;
	GCancellable *cancellable;
	pid_t group; /* the process group; 0: its leader had ended before its number was read */
	gint64 ended_us;
	int output; /* the end of a pipe from the command's standard output; -1: none */
	int said;   /* a file without a name: what the command writes to its standard error */
	gboolean abandoned; /* the owner is gone; the callback frees the rest */
};

static void clear(Job *j)
{
	g_object_unref(j->process);
	g_object_unref(j->cancellable);
	close(j->said);
	if (j->output >= 0)
		close(j->output);
	g_free(j);
}

static void on_ended(GObject *process, GAsyncResult *result, gpointer data)
{
	Job *j = data;

	/* Waits for the process, not for the end of its output, which a process that it left in the background may keep open. */
	g_subprocess_wait_finish(j->process, result, NULL);
	j->ended_us = g_get_monotonic_time();
	if (j->abandoned)
		clear(j);
}

/* Runs between fork and exec. */
static void lead_group(gpointer data)
{
	setpgid(0, 0);
}

/* FALSE: what was opened is closed again. */
static gboolean open_files(JobOutput output, int *said, int pipe_ends[2], GError **error)
{
	pipe_ends[0] = pipe_ends[1] = -1;
	*said = memfd_create("kvm-ext-job", MFD_CLOEXEC);
	if (*said < 0) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "no file for the command's messages: %s", g_strerror(errno));
		return FALSE;
	}
	if (output == JOB_SILENT || pipe2(pipe_ends, O_CLOEXEC) == 0)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "no pipe for the command's output: %s",
		    g_strerror(errno));
	close(*said);
	return FALSE;
}

Job *job_start(const char *command, char **environment, JobOutput output, GError **error)
{
	g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(
		output == JOB_SILENT ? G_SUBPROCESS_FLAGS_STDOUT_SILENCE : 0);
	g_autoptr(GSubprocess) process = NULL;
	const char *number;
	int said, ends[2];
	Job *j;

	if (!open_files(output, &said, ends, error))
		return NULL;
	if (ends[1] >= 0)
		g_subprocess_launcher_take_stdout_fd(launcher, ends[1]);
	g_subprocess_launcher_take_stderr_fd(launcher, fcntl(said, F_DUPFD_CLOEXEC, 3));
	g_subprocess_launcher_set_environ(launcher, environment);
	g_subprocess_launcher_set_child_setup(launcher, lead_group, NULL, NULL);
	process = g_subprocess_launcher_spawn(launcher, error, "/bin/sh", "-c", command, NULL);
	/* The launcher has the other end. */
	g_subprocess_launcher_close(launcher);
	if (!process) {
		close(said);
		if (ends[0] >= 0)
			close(ends[0]);
		return NULL;
	}
	j = g_new0(Job, 1);
	j->said = said;
	j->output = ends[0];
	number = g_subprocess_get_identifier(process);
	j->group = number ? atoi(number) : 0;
	j->process = g_steal_pointer(&process);
	j->cancellable = g_cancellable_new();
	g_subprocess_wait_async(j->process, j->cancellable, on_ended, j);
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
	char said[SAID_MAX + 1];
	off_t end = lseek(j->said, 0, SEEK_END);
	ssize_t n;

	if (g_spawn_check_wait_status(g_subprocess_get_status(j->process), &local))
		return TRUE;
	n = pread(j->said, said, SAID_MAX, MAX(0, end - SAID_MAX));
	said[MAX(0, n)] = '\0';
	words = kx_text_clean(g_strchomp(said));
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s%s%s", local->message, *words ? ": " : "",
		    words);
	return FALSE;
}

char *job_output(const Job *j)
{
	char *text = g_malloc0(OUTPUT_MAX + 1);

	/* A process that the command left in the background may still have the pipe open: only what is in the pipe now counts. */
	fcntl(j->output, F_SETFL, O_NONBLOCK);
	if (read(j->output, text, OUTPUT_MAX) < 0)
		*text = '\0';
	return text;
}

void job_free(Job *j)
{
	if (!j)
		return;
	if (j->ended_us) {
		clear(j);
		return;
	}
	/* The leader was not waited for yet, so the number still belongs to its group. */
	if (j->group)
		kill(-j->group, SIGKILL);
	j->abandoned = TRUE;
	g_cancellable_cancel(j->cancellable);
}
