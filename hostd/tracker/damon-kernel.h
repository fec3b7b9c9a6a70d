/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What DAMON's users do to the kernel, beyond reading files of sysfs and /proc: unit tests put a kernel of their own here. */
#ifndef KX_DAMON_KERNEL_H
#define KX_DAMON_KERNEL_H

#include <glib.h>
#include <sys/types.h>

typedef struct {
	/* Writes @text, a line, to the file @path. 0, or an errno. */
	int (*put)(const char *path, const char *text);
	/*
	 * Opens the tracepoint with number @id for thread @tid and maps its buffer: a control page (struct
	 * perf_event_mmap_page) and @bytes of data, a power of two. A sample has its time (CLOCK_MONOTONIC) and the raw
	 * event. The result is a descriptor that polls POLLHUP when the thread has ended; -1: errno.
	 */
	int (*open_events)(guint64 id, pid_t tid, gsize bytes, void **map);
} KxDamonKernel;

extern const KxDamonKernel kx_damon_kernel_real;
extern const KxDamonKernel *kx_damon_kernel;

#endif /* KX_DAMON_KERNEL_H */
