/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that the test program starts. */
#ifndef MIGRATE_CHILD_H
#define MIGRATE_CHILD_H

#include <gio/gio.h>

/*
 * Starts @argv (terminated by NULL) with its stderr in the file @log; the kernel kills the process when the test program ends,
 * however it ends. A failure ends the test program.
 */
GSubprocess *child_start(const char *const *argv, GSubprocessFlags flags, const char *log);
int child_pid(GSubprocess *child);

#endif /* MIGRATE_CHILD_H */
