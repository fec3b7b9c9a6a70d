/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a host makes a comparison's numbers doubtful, as far as it can be read there: vCPUs that may run on any CPU,
 * frequency that changes, page merging, others that clear accessed bits. Sentences for people, also in the JSON.
 */
#ifndef KX_DOUBTS_H
#define KX_DOUBTS_H

#include <glib.h>
#include <sys/types.h>

/* Of the host. @root: where /proc and /sys are found; NULL: /. (char *) */
GPtrArray *kx_doubts_of_host(const char *root);
/* Of the VM that process @pid is: its vCPUs' threads. */
GPtrArray *kx_doubts_of_vm(const char *root, pid_t pid);
/* What changed on the host while it was measured: states that were read before and after. */
char *kx_doubts_state(const char *root);
void kx_doubts_of_change(GPtrArray *doubts, const char *before, const char *after);

#endif /* KX_DOUBTS_H */
