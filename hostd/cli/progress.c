// SPDX-License-Identifier: GPL-2.0-or-later
#include "progress.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/textfmt.h"
#include "job.h"
#include "vm/vcpuevents.h"

#define COUNTER_SECONDS 10u /* that --progress-command may take */

struct _Counter {
	char *command;
	char **environment;
	KxVcpuEvents *instructions;
};

Counter *counter_of_command(const char *command, const char *vm, guint32 pid)
{
	Counter *c = g_new0(Counter, 1);
	g_autofree char *number = g_strdup_printf("%u", pid);

	c->command = g_strdup(command);
	c->environment = g_get_environ();
	c->environment = g_environ_setenv(c->environment, "KVM_EXT_VM", vm, TRUE);
	c->environment = g_environ_setenv(c->environment, "KVM_EXT_PID", number, TRUE);
	return c;
}

Counter *counter_of_instructions(guint32 pid, GError **error)
{
	KxVcpuEvents *i = kx_vcpu_events_open("/proc", (pid_t)pid, KX_EVENT_INSTRUCTIONS, error);
	Counter *c = i ? g_new0(Counter, 1) : NULL;

	if (c)
		c->instructions = i;
	return c;
}

void counter_free(Counter *c)
{
	if (!c)
		return;
	g_free(c->command);
	g_strfreev(c->environment);
	kx_vcpu_events_close(c->instructions);
	g_free(c);
}

static gboolean read_number(const char *text, double *value, GError **error)
{
	g_autofree char *shown = NULL;
	char *end;

	errno = 0;
	*value = g_ascii_strtod(text, &end);
	if (end != text && !errno && isfinite(*value) && *value >= 0 && !*g_strchug(end))
		return TRUE;
	shown = kx_text_clean(text);
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "--progress-command printed '%.60s', which is not a number of 0 or more",
		    shown);
	return FALSE;
}

static gboolean on_time(gpointer data)
{
	*(gboolean *)data = TRUE;
	return G_SOURCE_REMOVE;
}

/* Waits for the command's end, and handles signals meanwhile. FALSE: the command needs too long, or everything must end at once. */
static gboolean await(const Cli *cli, const Job *job, GError **error)
{
	gboolean late = FALSE;
	guint timer = g_timeout_add(COUNTER_SECONDS * 1000, on_time, &late);

	while (!job_ended(job) && !late && !g_cancellable_is_cancelled(cli->cancellable))
		g_main_context_iteration(NULL, TRUE);
	if (!late)
		g_source_remove(timer);
	if (job_ended(job))
		return TRUE;
	if (!g_cancellable_set_error_if_cancelled(cli->cancellable, error))
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "it did not end within %u s, and was killed", COUNTER_SECONDS);
	return FALSE;
}

static gboolean run_command(const Cli *cli, const Counter *c, double *value, GError **error)
{
	g_autoptr(Job) job = job_start(c->command, c->environment, JOB_READ, error);
	g_autofree char *out = NULL;

	if (!job || !await(cli, job, error) || !job_succeeded(job, error)) {
		g_prefix_error(error, "--progress-command: ");
		return FALSE;
	}
	out = job_output(job);
	return read_number(out, value, error);
}

gboolean counter_read(const Cli *cli, const Counter *c, double *value, GError **error)
{
	if (c->command)
		return run_command(cli, c, value, error);
	if (kx_vcpu_events_read(c->instructions, value))
		return TRUE;
	g_set_error_literal(
		error, KX_ERROR, KX_ERROR_FAILED,
		"the counter of guest instructions could not be read: other users have the PMU");
	return FALSE;
}
