/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guards for the memory of a file that another process may truncate: an access behind the file's new end raises SIGBUS,
 * which ends the process. In guarded memory the missing page is replaced by a page of zeros instead, the access continues,
 * and the owner of the memory can see that this has happened. Faults elsewhere have the same effect as without guards.
 */
#ifndef KX_SIGBUS_H
#define KX_SIGBUS_H

#include <glib.h>

typedef struct _KxGuard KxGuard;

/**
 * kx_guard_new - guard memory
 * @map: the mapping, which must outlive the guard
 * @len: its bytes
 *
 * Returns NULL if too much is guarded already (4096 mappings).
 */
KxGuard *kx_guard_new(void *map, gsize len) G_GNUC_WARN_UNUSED_RESULT;
/* TRUE: a page was missing; what was read or written there was not the file. */
gboolean kx_guard_was_hit(const KxGuard *g);
void kx_guard_free(KxGuard *g);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxGuard, kx_guard_free)

#endif /* KX_SIGBUS_H */
