/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the log. Lines go through a bounded queue to a thread that writes them. If the reader is
 * slow or absent, the time for which touching had to wait is measured, lines that had to be dropped
 * are counted, and both are logged.
 */
#ifndef WL_LOG_H
#define WL_LOG_H

#include <stdbool.h>
#include <stdint.h>

struct wl_log;

/*
 * Takes over @fd. The queue holds @queue_bytes, rounded up to a power of two: enough for the
 * arena's pages, so that a reader that connects late still learns them. NULL on failure.
 */
struct wl_log *wl_log_start(int fd, uint64_t queue_bytes);

/*
 * Queues one line (a newline is added). Full queue: waits as long as the reader makes progress
 * at least every two seconds, then drops the line. Returns false if it was dropped.
 */
bool wl_log_line(struct wl_log *log, const char *line);
bool wl_log_printf(struct wl_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same, but drops at once: for use while memory is being touched. */
bool wl_log_try_printf(struct wl_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Waits until everything is written or the reader makes no progress. */
void wl_log_flush(struct wl_log *log);

/* Time that touching stood still for the log, and lines dropped so far. */
uint64_t wl_log_waited_ns(struct wl_log *log);
uint64_t wl_log_lost(struct wl_log *log);

/* errno of the write that made the log useless (EPIPE, ENOSPC, ENODEV …), or 0. */
int wl_log_error(struct wl_log *log);

#endif
