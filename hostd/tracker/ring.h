/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sample ring of a tracker that is the daemon's own: the module's ring (struct kvm_ext_ring), written in user space, so
 * that what such a tracker finds is read, bounded and counted as lost by the same rules. One thread writes, one reads.
 */
#ifndef KX_RING_H
#define KX_RING_H

#include "stream.h"

typedef struct _KxRing KxRing;

/* @pages: of 4 KiB, a power of two. KX_ERROR_FAILED: there is no memory for it. */
KxRing *kx_ring_new(guint32 pages, GError **error);
void kx_ring_free(KxRing *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxRing, kx_ring_free)

/* The reader's end; the ring's. */
KxStream *kx_ring_stream(KxRing *r);

/*
 * Copies @record of @record->size bytes. FALSE: there is no room, and it is counted as lost with @samples. Records without
 * samples, which tell where a pass begins and ends, have some room of their own.
 */
gboolean kx_ring_put(KxRing *r, const struct kvm_ext_record *record, guint64 samples);

/* It is time for somebody to read. */
gboolean kx_ring_is_half_full(const KxRing *r);

#endif /* KX_RING_H */
