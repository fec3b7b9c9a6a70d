/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that a VM's vCPUs retire in guest mode, counted by the host's PMU: a measure of guest progress that needs no
 * help of the guest. The PMU counts for each vCPU thread and excludes instructions in host mode.
 */
#ifndef KX_INSTRUCTIONS_H
#define KX_INSTRUCTIONS_H

#include <glib.h>
#include <sys/types.h>

typedef struct _KxInstructions KxInstructions;

/* Begins to count for the present vCPU threads of process @pid. KX_ERROR_NOT_SUPPORTED: this host cannot count; the message says why. */
KxInstructions *kx_instructions_open(const char *proc_root, pid_t pid, GError **error);
void kx_instructions_close(KxInstructions *i);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxInstructions, kx_instructions_close)

/*
 * @count: instructions so far, scaled if the PMU was shared. FALSE: a counter cannot be read, or never ran because other users
 * occupy the PMU; there is no count then.
 */
gboolean kx_instructions_read(const KxInstructions *i, double *count);

#endif /* KX_INSTRUCTIONS_H */
