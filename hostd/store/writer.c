// SPDX-License-Identifier: GPL-2.0-or-later
#include "writer.h"

#include <unistd.h>

#include "vm/hostinfo.h"
#include "vm/procstat.h"

#define BOOT_ID "proc/sys/kernel/random/boot_id"

void kx_writer_self(KxWriter *w)
{
	guint64 started = 0;

	kx_procstat_started("/proc", getpid(), &started, NULL);
	*w = (KxWriter){ getpid(), (gint64)started, kx_read_line(NULL, BOOT_ID) };
}

void kx_writer_clear(KxWriter *w)
{
	g_clear_pointer(&w->boot, g_free);
}

gboolean kx_writer_lives(gint64 pid, gint64 started, const char *boot)
{
	g_autofree char *now = kx_read_line(NULL, BOOT_ID);
	guint64 ticks;

	return pid > 0 && g_strcmp0(boot, now) == 0 &&
	       kx_procstat_started("/proc", (pid_t)pid, &ticks, NULL) && (gint64)ticks == started &&
	       !kx_procstat_is_over("/proc", (pid_t)pid);
}
