/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of a file that somebody else may cut short: an access behind the file's new end is a SIGBUS, which ends a
 * process. Where memory is guarded, the page is replaced by one of zeros instead, the access goes on, and the owner of
 * the memory can see that this has happened. Faults elsewhere do what they did before.
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
/* Whether a page is missing: what was read, or written, was not the file. */
gboolean kx_guard_was_hit(const KxGuard *g);
void kx_guard_free(KxGuard *g);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxGuard, kx_guard_free)

#endif /* KX_SIGBUS_H */
