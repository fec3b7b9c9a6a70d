/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VMs that a user detached by hand: rules do not attach these VMs again until they are started again. A VM is identified by its
 * UUID and its process (number and start time), which no later process shares; so an entry written before a restart of the
 * daemon still means the same VM, or none.
 */
#ifndef KX_LETALONE_H
#define KX_LETALONE_H

#include <glib.h>
#include <sys/types.h>

typedef struct _KxLetAlone KxLetAlone;

/* @path: the file of the list, read now; NULL: no file. A file that cannot be read is logged and ignored. */
KxLetAlone *kx_let_alone_new(const char *path, const char *proc_root);
void kx_let_alone_free(KxLetAlone *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxLetAlone, kx_let_alone_free)

/* No effect without a UUID (NULL), because no rule applies to such a VM. */
void kx_let_alone_add(KxLetAlone *l, const char *uuid, pid_t pid);
void kx_let_alone_remove(KxLetAlone *l, const char *uuid);
gboolean kx_let_alone_has(const KxLetAlone *l, const char *uuid, pid_t pid);

#endif /* KX_LETALONE_H */
