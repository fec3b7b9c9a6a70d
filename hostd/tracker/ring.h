/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sample ring of a tracker that runs in the daemon. It has the format of the module's ring (struct kvm_ext_ring), so that the
 * same code reads it, bounds it and counts lost samples. One thread writes and one thread reads.
 */
#ifndef KX_RING_H
#define KX_RING_H

#include "stream.h"

typedef struct _KxRing KxRing;

/* @pages: size in pages of 4 KiB, a power of two. KX_ERROR_FAILED: there is not enough memory. */
KxRing *kx_ring_new(guint32 pages, GError **error);
void kx_ring_free(KxRing *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxRing, kx_ring_free)

gsize kx_ring_bytes(const KxRing *r);

/* The stream that reads the ring; the ring owns it. */
KxStream *kx_ring_stream(KxRing *r);

/*
 * Copies @record, which has @record->size bytes, into the ring. FALSE: the ring is full; the record and its @samples are
 * counted as lost. Some space is reserved for records without samples, which mark the beginning and the end of a pass.
 */
gboolean kx_ring_put(KxRing *r, const struct kvm_ext_record *record, guint64 samples);

/* TRUE: the reader should be woken, before records are lost. */
gboolean kx_ring_is_half_full(const KxRing *r);

#endif /* KX_RING_H */
