// SPDX-License-Identifier: GPL-2.0-or-later
#include "vcpuevents.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "procstat.h"

struct _KxVcpuEvents {
	GArray *fds; /* int */
};

static const struct {
	guint64 config;
	const char *name;
} events[] = {
	[KX_EVENT_INSTRUCTIONS] = { PERF_COUNT_HW_INSTRUCTIONS, "instructions" },
	[KX_EVENT_LLC_MISSES] = { PERF_COUNT_HW_CACHE_MISSES, "last-level-cache misses" },
};

static int open_counter(pid_t tid, KxVcpuEvent event)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = events[event].config,
		.exclude_host = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};

	return (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static char *why_not(int error, KxVcpuEvent event)
{
	switch (error) {
	case ENOENT:
	case EOPNOTSUPP:
		return g_strdup_printf("this host's PMU, if it has one, cannot count %s of guests",
				       events[event].name);
	case EACCES:
	case EPERM:
		return g_strdup("perf events of other processes are not allowed to this user; run "
				"it as root");
	default:
		return g_strdup(g_strerror(error));
	}
}

KxVcpuEvents *kx_vcpu_events_open(const char *proc_root, pid_t pid, KxVcpuEvent event,
				  GError **error)
{
	g_autofree char *tasks = g_strdup_printf("%s/%d/task", proc_root, pid);
	g_autoptr(KxVcpuEvents) i = g_new0(KxVcpuEvents, 1);
	g_autoptr(GDir) dir = g_dir_open(tasks, 0, NULL);
	const char *tid;

	i->fds = g_array_new(FALSE, FALSE, sizeof(int));
	while (dir && (tid = g_dir_read_name(dir))) {
		int fd;

		if (!kx_procstat_is_vcpu(tasks, tid))
			continue;
		fd = open_counter(atoi(tid), event);
		if (fd < 0) {
			g_autofree char *why = why_not(errno, event);

			g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED, why);
			return NULL;
		}
		g_array_append_val(i->fds, fd);
	}
	if (i->fds->len)
		return g_steal_pointer(&i);
	g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED, "process %d %s", pid,
		    dir ? "has no thread that runs a vCPU" : "cannot be looked at");
	return NULL;
}

void kx_vcpu_events_close(KxVcpuEvents *i)
{
	if (!i)
		return;
	for (guint k = 0; k < i->fds->len; k++)
		close(g_array_index(i->fds, int, k));
	g_array_unref(i->fds);
	g_free(i);
}

gboolean kx_vcpu_events_read(const KxVcpuEvents *i, double *count)
{
	*count = 0;
	for (guint k = 0; k < i->fds->len; k++) {
		struct {
			guint64 value, enabled, running;
		} c;

		if (read(g_array_index(i->fds, int, k), &c, sizeof(c)) != sizeof(c) ||
		    (c.enabled && !c.running))
			return FALSE;
		if (c.running)
			*count += (double)c.value * ((double)c.enabled / (double)c.running);
	}
	return TRUE;
}
