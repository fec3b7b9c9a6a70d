/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands: read from a descriptor by a thread of its own, or from signals (SIGINT and SIGTERM
 * are "quit").
 */
#ifndef WL_CONTROL_H
#define WL_CONTROL_H

#include <stdbool.h>

struct wl_log;
struct wl_control;

enum wl_order {
	WL_ORDER_NONE,	/* nothing to do yet */
	WL_ORDER_EPOCH, /* run one epoch, then go idle */
	WL_ORDER_RUN,	/* run one epoch, then ask again */
	WL_ORDER_QUIT,
};

/*
 * To be called before the first thread starts: a thread that does not block the signals would take
 * them, and the program would die without a "bye".
 */
void wl_control_block_signals(void);

/*
 * Takes over @fd. Starts as after "go" if @running. Complaints about unknown commands go to @log.
 * A line that begins with "@ID " is answered on @fd, if that is a device or a socket open for
 * writing, or by a line of the log, if that is where @log goes too (@fd_is_logs). NULL on failure.
 */
struct wl_control *wl_control_start(int fd, bool running, struct wl_log *log, bool fd_is_logs);

/* The next thing to do, without waiting. An "epoch" order is taken off the queue. */
enum wl_order wl_control_next(struct wl_control *control);

/* Waits until there is something to do. */
void wl_control_wait(struct wl_control *control);

/*
 * The epoch under way is to end now: a signal, or "quit" while running freely. Epochs that were
 * ordered before a "quit" are run in full.
 */
bool wl_control_cuts_epoch(struct wl_control *control);

#endif
