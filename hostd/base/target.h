/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM that is named by the number of its process. */
#ifndef KX_TARGET_H
#define KX_TARGET_H

#include <glib.h>
#include <sys/types.h>

/* Whether @target has the form "/proc/N"; or "pid:N", which may also be a domain's name. */
gboolean kx_target_process(const char *target, pid_t *pid);
gboolean kx_target_pid_form(const char *target, pid_t *pid);

#endif /* KX_TARGET_H */
