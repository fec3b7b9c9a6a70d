/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reader of the module's sample ring (struct kvm_ext_ring in the UAPI). The reader works on a memory buffer and trusts nothing
 * in it: every number is read once and checked, and only the copy is used.
 */
#ifndef KX_STREAM_H
#define KX_STREAM_H

#include <glib.h>

#include <kvm-ext/uapi.h>

#include "base/gfnset.h"

/* Called in the order of the ring; a NULL member skips that kind of record. Arguments are valid only during the call. */
typedef struct {
	void (*pass_begin)(void *data, const struct kvm_ext_rec_pass_begin *r);
	void (*run)(void *data, const struct kvm_ext_rec_run *r);
	void (*bitmap)(void *data, const struct kvm_ext_rec_bitmap *r, const guint64 *bits,
		       gsize nwords);
	void (*pass_end)(void *data, const struct kvm_ext_rec_pass_end *r);
	void (*lost)(void *data, const struct kvm_ext_rec_lost *r);
	void (*faults)(void *data, const struct kvm_ext_rec_faults *r,
		       const struct kvm_ext_fault *faults);
	void (*regions)(void *data, const struct kvm_ext_rec_regions *r,
			const struct kvm_ext_region *regions);
	/* No record of the module: a tracker with its own ranking reports how often the pages of a run were accessed. */
	void (*ranked)(void *data, guint64 gfn, guint64 npages, guint64 accesses);
} KxStreamOps;

typedef struct _KxStream KxStream;

/* @map of @len bytes belongs to the caller and must outlive the stream. KX_ERROR_FAILED if it is no ring. */
KxStream *kx_stream_new(void *map, gsize len, GError **error);
void kx_stream_free(KxStream *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxStream, kx_stream_free)

/*
 * Passes every record that is complete at the time of the call to @ops and frees its space in the ring. @records, if not NULL,
 * receives the number of records without pads. A corrupt ring is KX_ERROR_FAILED, at this and every later call.
 */
gboolean kx_stream_drain(KxStream *s, const KxStreamOps *ops, void *data, guint64 *records,
			 GError **error);

/* What the kernel had to drop since attach. */
guint64 kx_stream_lost_samples(const KxStream *s);
guint64 kx_stream_lost_records(const KxStream *s);

#endif /* KX_STREAM_H */
