/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conditions on a host that make a comparison's numbers doubtful and that can be read there: vCPUs that may run on any CPU,
 * changing CPU frequency, page merging, other users of accessed bits. Sentences for users, also in the JSON.
 */
#ifndef KX_DOUBTS_H
#define KX_DOUBTS_H

#include <glib.h>
#include <sys/types.h>

#include "model/window.h"

/* Doubts (char *) about the host. @root: the directory with proc and sys; NULL: /. */
GPtrArray *kx_doubts_of_host(const char *root);
/* Doubts about the vCPU threads of the VM with process @pid. @emulated_by: who emulates them; NULL: KVM runs them. */
GPtrArray *kx_doubts_of_vm(const char *root, pid_t pid, const char *emulated_by);
/* Changes of the host during the measurement: the state is read before and after. */
char *kx_doubts_state(const char *root);
void kx_doubts_of_change(GPtrArray *doubts, const char *before, const char *after);

/* Between two readings of a VM's window it is not known whether the VM was paused. */
void kx_doubts_of_pauses(GPtrArray *doubts, const KxWindow *before, const KxWindow *after);
/* Adds the doubts of @from that @to does not have yet. */
void kx_doubts_add(GPtrArray *to, const GPtrArray *from);

#endif /* KX_DOUBTS_H */
