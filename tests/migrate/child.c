// SPDX-License-Identifier: GPL-2.0-or-later
#include "child.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "tap.h"

/* Runs in the child. */
static void die_with_parent(gpointer data)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

GSubprocess *child_start(const char *const *argv, GSubprocessFlags flags, const char *log)
{
	g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(flags);
	g_autoptr(GError) error = NULL;
	GSubprocess *child;

	g_subprocess_launcher_set_stderr_file_path(launcher, log);
	g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
	child = g_subprocess_launcher_spawnv(launcher, argv, &error);
	if (!child)
		bail("%s", error->message);
	return child;
}

int child_pid(GSubprocess *child)
{
	return atoi(g_subprocess_get_identifier(child));
}
