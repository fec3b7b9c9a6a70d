/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands to the guest agent of QEMU, and its answers, which come from the guest and may be anything. */
#ifndef KX_AGENT_H
#define KX_AGENT_H

#include <glib.h>

#define KX_AGENT_PING "{\"execute\":\"guest-ping\"}"

/* The command that starts @argv in the guest. The caller frees it. */
char *kx_agent_exec(char *const *argv);
/* The guest's process number in the answer to this command. FALSE: @error is set. */
gboolean kx_agent_read_exec(const char *answer, gint64 *pid, GError **error);

/* The command that asks for the state of this process. */
char *kx_agent_status(gint64 pid);
/* @exited: the process has ended. FALSE: the process has failed, or @answer is not valid; @error says which. */
gboolean kx_agent_read_status(const char *answer, gboolean *exited, GError **error);

#endif /* KX_AGENT_H */
