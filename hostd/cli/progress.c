// SPDX-License-Identifier: GPL-2.0-or-later
#include "progress.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/textfmt.h"
#include "vm/vcpuevents.h"

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

typedef struct {
	GMainLoop *loop;
	char *out;
	gboolean ok;
	GError **error;
} Spoken;

static void on_spoken(GObject *process, GAsyncResult *result, gpointer data)
{
	Spoken *s = data;

	s->ok = g_subprocess_communicate_utf8_finish(G_SUBPROCESS(process), result, &s->out, NULL,
						     s->error);
	g_main_loop_quit(s->loop);
}

static gboolean run_command(const Cli *cli, const Counter *c, double *value, GError **error)
{
	g_autoptr(GSubprocessLauncher) launcher =
		g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
	g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
	g_autoptr(GSubprocess) process = NULL;
	Spoken s = { .loop = loop, .error = error };
	g_autofree char *out = NULL;

	g_subprocess_launcher_set_environ(launcher, c->environment);
	process = g_subprocess_launcher_spawn(launcher, error, "/bin/sh", "-c", c->command, NULL);
	if (!process)
		return FALSE;
	g_subprocess_communicate_utf8_async(process, NULL, cli->cancellable, on_spoken, &s);
	g_main_loop_run(loop);
	out = s.out;
	if (!s.ok) {
		g_subprocess_force_exit(process);
		g_prefix_error(error, "--progress-command: ");
		return FALSE;
	}
	if (!g_spawn_check_wait_status(g_subprocess_get_status(process), error)) {
		g_prefix_error(error, "--progress-command: ");
		return FALSE;
	}
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
