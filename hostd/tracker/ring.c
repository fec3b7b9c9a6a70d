// SPDX-License-Identifier: GPL-2.0-or-later
#include "ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"

#define PAGE_BYTES 4096u
/* Records with samples leave this many bytes free, for the records of beginning, end and loss of some passes. */
#define RESERVED 1024u

struct _KxRing {
	struct kvm_ext_ring *ring;
	gsize len;
	KxStream *stream;
	/* lost since the last KVM_EXT_REC_LOST was written */
	guint64 lost_samples, lost_records;
};

KxRing *kx_ring_new(guint32 pages, GError **error)
{
	g_autoptr(KxRing) r = g_new0(KxRing, 1);
	void *map;

	r->len = PAGE_BYTES + (gsize)pages * PAGE_BYTES;
	map = mmap(NULL, r->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "a sample ring of %u KiB: %s",
			    pages * (PAGE_BYTES / 1024), g_strerror(errno));
		return NULL;
	}
	r->ring = map;
	r->ring->magic = KVM_EXT_RING_MAGIC;
	r->ring->api_version = KVM_EXT_API_VERSION;
	r->ring->data_offset = PAGE_BYTES;
	r->ring->data_size = r->len - PAGE_BYTES;
	r->stream = kx_stream_new(map, r->len, error);
	return r->stream ? g_steal_pointer(&r) : NULL;
}

void kx_ring_free(KxRing *r)
{
	if (!r)
		return;
	kx_stream_free(r->stream);
	if (r->ring)
		munmap(r->ring, r->len);
	g_free(r);
}

gsize kx_ring_bytes(const KxRing *r)
{
	return sizeof(*r) + r->len;
}

KxStream *kx_ring_stream(KxRing *r)
{
	return r->stream;
}

static guint64 used(const KxRing *r)
{
	/* Pairs with the reader's release: the reader has finished with all data before data_tail. */
	return r->ring->data_head - __atomic_load_n(&r->ring->data_tail, __ATOMIC_ACQUIRE);
}

gboolean kx_ring_is_half_full(const KxRing *r)
{
	return used(r) >= r->ring->data_size / 2;
}

/* Records do not wrap: if @record does not fit before the end of the data, a pad fills the rest. */
static gboolean put(KxRing *r, const struct kvm_ext_record *record, guint64 keep_free)
{
	guint64 size = r->ring->data_size, head = r->ring->data_head, at = head & (size - 1);
	guint64 pad = size - at < record->size ? size - at : 0;
	guint8 *data = (guint8 *)r->ring + r->ring->data_offset;

	if (used(r) + pad + record->size + keep_free > size)
		return FALSE;
	if (pad) {
		const struct kvm_ext_record filler = { KVM_EXT_REC_PAD, 0, (guint32)pad };

		memcpy(data + at, &filler, sizeof(filler));
		at = 0;
	}
	memcpy(data + at, record, record->size);
	/* Pairs with the reader's acquire: all records before data_head are complete. */
	__atomic_store_n(&r->ring->data_head, head + pad + record->size, __ATOMIC_RELEASE);
	return TRUE;
}

static void put_loss(KxRing *r, guint64 keep_free)
{
	const struct kvm_ext_rec_lost lost = {
		.h = { KVM_EXT_REC_LOST, 0, sizeof(lost) },
		.samples = r->lost_samples,
		.records = r->lost_records,
	};

	if (r->lost_records && put(r, &lost.h, keep_free))
		r->lost_samples = r->lost_records = 0;
}

gboolean kx_ring_put(KxRing *r, const struct kvm_ext_record *record, guint64 samples)
{
	gboolean brackets =
		record->type == KVM_EXT_REC_PASS_BEGIN || record->type == KVM_EXT_REC_PASS_END;
	guint64 keep_free = brackets ? 0 : RESERVED;

	put_loss(r, keep_free + record->size);
	if (put(r, record, keep_free))
		return TRUE;
	r->lost_samples += samples;
	r->lost_records++;
	__atomic_store_n(&r->ring->lost_samples, r->ring->lost_samples + samples, __ATOMIC_RELAXED);
	__atomic_store_n(&r->ring->lost_records, r->ring->lost_records + 1, __ATOMIC_RELAXED);
	return FALSE;
}
