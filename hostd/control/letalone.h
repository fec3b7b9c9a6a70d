/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VMs that a user detached by hand: rules do not attach them again until they are started anew. One is known by its UUID and
 * by the process that runs it, whose number and time of start no later process has; so what was written down before a
 * restart of the daemon still means that VM, or none.
 */
#ifndef KX_LETALONE_H
#define KX_LETALONE_H

#include <glib.h>
#include <sys/types.h>

typedef struct _KxLetAlone KxLetAlone;

/* @path: where it is kept, and read from now; NULL: nowhere. A file that cannot be read is logged, and counts for nothing. */
KxLetAlone *kx_let_alone_new(const char *path, const char *proc_root);
void kx_let_alone_free(KxLetAlone *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxLetAlone, kx_let_alone_free)

/* Without a UUID (NULL) no rule is for the VM, and nothing is done. */
void kx_let_alone_add(KxLetAlone *l, const char *uuid, pid_t pid);
void kx_let_alone_remove(KxLetAlone *l, const char *uuid);
gboolean kx_let_alone_has(const KxLetAlone *l, const char *uuid, pid_t pid);

#endif /* KX_LETALONE_H */
