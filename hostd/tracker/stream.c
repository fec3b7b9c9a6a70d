// SPDX-License-Identifier: GPL-2.0-or-later
#include "stream.h"

#include <string.h>

#include "base/error.h"

struct _KxStream {
	struct kvm_ext_ring *ring;
	const guint8 *data;
	guint64 size; /* of the data, checked at the start and never read again */
	guint64 tail; /* the reader's own; data_tail in the ring is only written, for the kernel */
	char *broken; /* why the ring is corrupt and no longer read; NULL: it is not corrupt */
	union {
		struct kvm_ext_record h;
		struct kvm_ext_rec_pass_begin pass_begin;
		struct kvm_ext_rec_run run;
		struct kvm_ext_rec_bitmap bitmap;
		struct kvm_ext_rec_pass_end pass_end;
		struct kvm_ext_rec_lost lost;
		struct kvm_ext_rec_faults faults;
		struct kvm_ext_rec_regions regions;
		guint64 words[KVM_EXT_REC_MAX / 8];
	} rec; /* the current record, copied from the ring before it is checked */
};

KxStream *kx_stream_new(void *map, gsize len, GError **error)
{
	struct kvm_ext_ring *ring = map;
	guint64 magic, size, tail;
	guint32 version, offset;
	KxStream *s;

	if (len < sizeof(*ring)) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "sample ring: %" G_GSIZE_FORMAT
			    " bytes are less than its control structure",
			    len);
		return NULL;
	}
	magic = ring->magic;
	version = ring->api_version;
	offset = ring->data_offset;
	size = ring->data_size;
	if (magic != KVM_EXT_RING_MAGIC) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "sample ring: bad magic 0x%" G_GINT64_MODIFIER "x", magic);
		return NULL;
	}
	if (version != KVM_EXT_API_VERSION) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "sample ring: version %u, this build reads version %u; install module "
			    "and daemon of one release",
			    version, (guint)KVM_EXT_API_VERSION);
		return NULL;
	}
	if (offset < sizeof(*ring) || offset % 8 || offset > len || size < KVM_EXT_REC_MAX ||
	    (size & (size - 1)) || size > len - offset) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "sample ring: data of %" G_GUINT64_FORMAT
			    " bytes at %u do not fit its %" G_GSIZE_FORMAT " bytes",
			    size, offset, len);
		return NULL;
	}
	tail = ring->data_tail;
	if (tail % 8) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "sample ring: tail %" G_GUINT64_FORMAT " is not aligned", tail);
		return NULL;
	}
	s = g_new0(KxStream, 1);
	s->ring = ring;
	s->data = (const guint8 *)map + offset;
	s->size = size;
	s->tail = tail;
	return s;
}

void kx_stream_free(KxStream *s)
{
	if (!s)
		return;
	g_free(s->broken);
	g_free(s);
}

static const char *check_pass_begin(const KxStream *s)
{
	return NULL;
}

static gboolean is_guest_memory(guint64 gfn, guint64 npages)
{
	return gfn < KX_GFN_END && npages > 0 && npages <= KX_GFN_END - gfn;
}

static gboolean is_leaf_order(guint order)
{
	return order == 0 || order == 9 || order == 18;
}

static const char *check_run(const KxStream *s)
{
	const struct kvm_ext_rec_run *r = &s->rec.run;

	if (!is_guest_memory(r->gfn, r->npages))
		return "run beyond guest memory";
	return is_leaf_order(r->leaf_order) ? NULL : "run with an unknown leaf size";
}

static const char *check_bitmap(const KxStream *s)
{
	const struct kvm_ext_rec_bitmap *r = &s->rec.bitmap;
	gsize have = (r->h.size - sizeof(*r)) / 8;
	gsize need = ((gsize)r->nbits + 63) / 64;

	if (r->nbits == 0 || need > have)
		return "bitmap longer than its record";
	if (!is_guest_memory(r->gfn, r->nbits))
		return "bitmap beyond guest memory";
	/* The UAPI promises zeros after the last bit: other values mean a corrupt record. */
	if (r->nbits % 64 && s->rec.words[sizeof(*r) / 8 + need - 1] >> r->nbits % 64)
		return "bitmap with bits beyond its end";
	return NULL;
}

/* Whether the record has space for @nr elements of @bytes each, after the first @fixed bytes. */
static gboolean holds(const KxStream *s, gsize fixed, guint32 nr, gsize bytes)
{
	return nr <= (s->rec.h.size - fixed) / bytes;
}

static const char *check_faults(const KxStream *s)
{
	const struct kvm_ext_rec_faults *r = &s->rec.faults;

	if (!holds(s, sizeof(*r), r->nr, sizeof(r->faults[0])))
		return "more faults than their record holds";
	for (guint32 i = 0; i < r->nr; i++) {
		const struct kvm_ext_fault *f = &r->faults[i];

		if (!is_guest_memory(f->gfn, 1))
			return "fault beyond guest memory";
		if (f->access > KVM_EXT_ACCESS_EXEC)
			return "fault of an unknown access";
		if (!is_leaf_order(f->order))
			return "fault with an unknown leaf size";
	}
	return NULL;
}

static const char *check_region(const struct kvm_ext_rec_regions *r, guint32 i)
{
	const struct kvm_ext_region *now = &r->regions[i], *before = i ? now - 1 : NULL;

	if (!is_guest_memory(now->gfn, now->npages))
		return "region beyond guest memory";
	if (now->accesses > r->checks)
		return "region accessed more often than checked";
	if (before && (now->as_id < before->as_id ||
		       (now->as_id == before->as_id && now->gfn < before->gfn + before->npages)))
		return "regions out of order";
	return NULL;
}

static const char *check_regions(const KxStream *s)
{
	const struct kvm_ext_rec_regions *r = &s->rec.regions;
	const char *wrong = NULL;

	if (!holds(s, sizeof(*r), r->nr, sizeof(r->regions[0])))
		return "more regions than their record holds";
	if (r->total > KVM_EXT_REGIONS_MAX || r->first > r->total || r->nr > r->total - r->first)
		return "more regions than there are";
	for (guint32 i = 0; i < r->nr && !wrong; i++)
		wrong = check_region(r, i);
	return wrong;
}

static void give_pass_begin(const KxStream *s, const KxStreamOps *ops, void *data)
{
	if (ops->pass_begin)
		ops->pass_begin(data, &s->rec.pass_begin);
}

static void give_run(const KxStream *s, const KxStreamOps *ops, void *data)
{
	if (ops->run)
		ops->run(data, &s->rec.run);
}

static void give_bitmap(const KxStream *s, const KxStreamOps *ops, void *data)
{
	const struct kvm_ext_rec_bitmap *r = &s->rec.bitmap;

	if (ops->bitmap)
		ops->bitmap(data, r, &s->rec.words[sizeof(*r) / 8], ((gsize)r->nbits + 63) / 64);
}

static void give_pass_end(const KxStream *s, const KxStreamOps *ops, void *data)
{
	if (ops->pass_end)
		ops->pass_end(data, &s->rec.pass_end);
}

static void give_lost(const KxStream *s, const KxStreamOps *ops, void *data)
{
	if (ops->lost)
		ops->lost(data, &s->rec.lost);
}

static void give_faults(const KxStream *s, const KxStreamOps *ops, void *data)
{
	if (ops->faults)
		ops->faults(data, &s->rec.faults, s->rec.faults.faults);
}

static void give_regions(const KxStream *s, const KxStreamOps *ops, void *data)
{
	if (ops->regions)
		ops->regions(data, &s->rec.regions, s->rec.regions.regions);
}

/* Records of any other type come from a newer module with the same API version, and are skipped. */
static const struct {
	guint32 min_size;
	const char *(*check)(const KxStream *s);
	void (*give)(const KxStream *s, const KxStreamOps *ops, void *data);
} kinds[] = {
	[KVM_EXT_REC_PASS_BEGIN] = { sizeof(struct kvm_ext_rec_pass_begin), check_pass_begin,
				     give_pass_begin },
	[KVM_EXT_REC_RUN] = { sizeof(struct kvm_ext_rec_run), check_run, give_run },
	[KVM_EXT_REC_BITMAP] = { sizeof(struct kvm_ext_rec_bitmap), check_bitmap, give_bitmap },
	[KVM_EXT_REC_PASS_END] = { sizeof(struct kvm_ext_rec_pass_end), check_pass_begin,
				   give_pass_end },
	[KVM_EXT_REC_LOST] = { sizeof(struct kvm_ext_rec_lost), check_pass_begin, give_lost },
	[KVM_EXT_REC_FAULTS] = { sizeof(struct kvm_ext_rec_faults), check_faults, give_faults },
	[KVM_EXT_REC_REGIONS] = { sizeof(struct kvm_ext_rec_regions), check_regions, give_regions },
};

/* Checks and delivers the record at s->tail. Returns NULL, or what is wrong. *@size: distance to the next record. */
static const char *one_record(KxStream *s, guint64 readable, const KxStreamOps *ops, void *data,
			      guint64 *size, gboolean *counted)
{
	guint64 at = s->tail & (s->size - 1);
	guint64 room = MIN(readable, s->size - at); /* records do not wrap */
	const char *wrong;

	*counted = FALSE;
	if (room < sizeof(s->rec.h))
		return "record cut off by the ring's end";
	memcpy(&s->rec.h, s->data + at, sizeof(s->rec.h));
	*size = s->rec.h.size;
	if (*size < sizeof(s->rec.h) || *size % 8 || *size > room)
		return "record of an impossible size";
	if (s->rec.h.type == KVM_EXT_REC_PAD)
		return NULL; /* may be longer than KVM_EXT_REC_MAX: nothing is copied */
	if (*size > KVM_EXT_REC_MAX)
		return "record longer than the longest";
	*counted = TRUE;
	if (s->rec.h.type >= G_N_ELEMENTS(kinds) || !kinds[s->rec.h.type].give)
		return NULL;
	if (*size < kinds[s->rec.h.type].min_size)
		return "record too short for its type";
	/* Without the header: it was copied and checked above, and the ring's header may have changed since. */
	memcpy(&s->rec.words[1], s->data + at + sizeof(s->rec.h), *size - sizeof(s->rec.h));
	wrong = kinds[s->rec.h.type].check(s);
	if (!wrong)
		kinds[s->rec.h.type].give(s, ops, data);
	return wrong;
}

gboolean kx_stream_drain(KxStream *s, const KxStreamOps *ops, void *data, guint64 *records,
			 GError **error)
{
	guint64 head, n = 0, size;
	const char *wrong = NULL;
	gboolean counted;

	if (records)
		*records = 0;
	if (!s->broken) {
		/* Pairs with the kernel's release: all records before data_head are complete. */
		head = __atomic_load_n(&s->ring->data_head, __ATOMIC_ACQUIRE);
		if (head - s->tail > s->size || head % 8)
			wrong = "head out of bounds";
		while (!wrong && s->tail != head) {
			wrong = one_record(s, head - s->tail, ops, data, &size, &counted);
			if (wrong)
				break;
			n += counted;
			s->tail += size;
			/* Pairs with the kernel's acquire: only after this store may the kernel overwrite the record. */
			__atomic_store_n(&s->ring->data_tail, s->tail, __ATOMIC_RELEASE);
		}
		if (wrong)
			s->broken = g_strdup_printf("sample ring: %s (tail %" G_GUINT64_FORMAT
						    ", head %" G_GUINT64_FORMAT ")",
						    wrong, s->tail, head);
	}
	if (records)
		*records = n;
	if (!s->broken)
		return TRUE;
	g_set_error_literal(error, KX_ERROR, KX_ERROR_FAILED, s->broken);
	return FALSE;
}

guint64 kx_stream_lost_samples(const KxStream *s)
{
	return __atomic_load_n(&s->ring->lost_samples, __ATOMIC_RELAXED);
}

guint64 kx_stream_lost_records(const KxStream *s)
{
	return __atomic_load_n(&s->ring->lost_records, __ATOMIC_RELAXED);
}
