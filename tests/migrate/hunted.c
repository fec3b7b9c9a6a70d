// SPDX-License-Identifier: GPL-2.0-or-later
#include "hunted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "tap.h"
#include "track.h"

struct _Hunted {
	const Test *test;
	GSubprocess *process;
	GPtrArray *callers; /* GSubprocess: calls of kvm-ext whose end nobody has waited for */
	char *socket, *log;
};

Hunted *hunted_new(const Test *test)
{
	Hunted *h = g_new0(Hunted, 1);

	h->test = test;
	h->callers = g_ptr_array_new_with_free_func(g_object_unref);
	h->socket = g_strdup_printf("%s/kvm-extd.sock", test->vm.run_dir);
	h->log = g_strdup_printf("%s/hunted.log", test->vm.run_dir);
	return h;
}

void hunted_free(Hunted *h)
{
	guint i;

	/* kvm-ext ends when it has lost the daemon. */
	for (i = 0; i < h->callers->len; i++)
		g_subprocess_wait(h->callers->pdata[i], NULL, NULL);
	g_ptr_array_unref(h->callers);
	g_clear_object(&h->process);
	g_free(h->socket);
	g_free(h->log);
	g_free(h);
}

void hunted_hold(Hunted *h, const Vm *vm)
{
	g_autofree char *pid = g_strdup_printf("%d", vm->pid);
	g_autofree char *interval = g_strdup_printf("%" G_GINT64_FORMAT, h->test->interval_ns);
	const char *const argv[] = { "/proc/self/exe", "--hold",	pid,	  "--tracker",
				     h->test->tracker, "--interval-ns", interval, NULL };
	g_autoptr(GDataInputStream) out = NULL;
	g_autofree char *line = NULL;

	h->process = child_start(argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE, h->log);
	out = g_data_input_stream_new(g_subprocess_get_stdout_pipe(h->process));
	line = g_data_input_stream_read_line(out, NULL, NULL, NULL);
	errno = ECHILD;
	if (g_strcmp0(line, TRACK_HOLDS))
		bail("the process that was to track %s said: %s", vm->name,
		     line ? line : "nothing");
}

/* --- kvm-extd --- */

/* @words: of the command, separated by spaces */
static GSubprocess *start_command(const Hunted *h, const char *words)
{
	g_autofree char *line =
		g_strdup_printf("%s/kvm-ext --socket %s %s", h->test->hostd, h->socket, words);
	g_auto(GStrv) argv = g_strsplit(line, " ", -1);

	return child_start((const char *const *)argv, G_SUBPROCESS_FLAGS_STDOUT_SILENCE, h->log);
}

static gboolean command_succeeds(const Hunted *h, const char *words)
{
	g_autoptr(GSubprocess) command = start_command(h, words);

	return g_subprocess_wait_check(command, NULL, NULL);
}

void hunted_start_daemon(Hunted *h)
{
	g_autofree char *daemon = g_strdup_printf("%s/kvm-extd", h->test->hostd);
	g_autofree char *socket = g_strdup_printf("--socket=%s", h->socket);
	const char *const argv[] = { daemon, "--libvirt-uri=", "--system-bus=no", socket, NULL };
	gint64 end = g_get_monotonic_time() + QMP_TIMEOUT_S * G_USEC_PER_SEC;

	h->process = child_start(argv, G_SUBPROCESS_FLAGS_NONE, h->log);
	while (!command_succeeds(h, "list")) {
		errno = ETIMEDOUT;
		if (g_get_monotonic_time() > end)
			bail("kvm-extd does not answer; see %s", h->log);
	}
}

void hunted_attach(Hunted *h, const Vm *vm)
{
	g_autofree char *words =
		g_strdup_printf("attach --pid %d --tracker %s --interval %" G_GINT64_FORMAT "us",
				vm->pid, h->test->tracker, h->test->interval_ns / 1000);

	errno = EPROTO;
	if (!command_succeeds(h, words))
		bail("kvm-extd does not attach %s; see %s", vm->name, h->log);
}

void hunted_set(Hunted *h, const Vm *vm, const char *tracker)
{
	g_autofree char *words = g_strdup_printf("set --pid %d --tracker %s", vm->pid, tracker);

	g_ptr_array_add(h->callers, start_command(h, words));
}

/* --- the end --- */

void hunted_kill(Hunted *h)
{
	g_subprocess_force_exit(h->process);
	g_subprocess_wait(h->process, NULL, NULL);
}

gboolean hunted_left_nothing(void)
{
	gint64 end = g_get_monotonic_time() + QMP_TIMEOUT_S * G_USEC_PER_SEC;

	for (;;) {
		g_autofree char *text = NULL;

		if (g_file_get_contents("/sys/module/kvm_ext/refcnt", &text, NULL, NULL) &&
		    !atoi(text))
			return TRUE;
		if (g_get_monotonic_time() > end)
			return FALSE;
		g_usleep(5000);
	}
}
