/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that a VM's vCPUs retire in guest mode, counted by the host's PMU: guest progress that needs no help of the
 * guest. Counted for each vCPU thread, host's own instructions excluded.
 */
#ifndef KX_INSTRUCTIONS_H
#define KX_INSTRUCTIONS_H

#include <glib.h>
#include <sys/types.h>

typedef struct _KxInstructions KxInstructions;

/* Of process @pid, whose vCPU threads there are now. KX_ERROR_NOT_SUPPORTED: this host cannot count them, and why. */
KxInstructions *kx_instructions_open(const char *proc_root, pid_t pid, GError **error);
void kx_instructions_close(KxInstructions *i);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxInstructions, kx_instructions_close)

/*
 * So far, scaled where the PMU was shared. FALSE: a counter cannot be read, or never ran because others hold the PMU: what was
 * counted is no number then.
 */
gboolean kx_instructions_read(const KxInstructions *i, double *count);

#endif /* KX_INSTRUCTIONS_H */
