/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_RING_H
#define KVM_EXT_RING_H

#include <linux/mm_types.h>
#include <linux/types.h>
#include <kvm-ext/uapi.h>

/*
 * The producer's side of the sample ring. One thread produces; others may ask
 * kx_ring_readable(). Everything here is ours: of the control page, which user
 * space can write all over, only data_tail is ever read.
 */
struct kx_ring {
	struct kvm_ext_ring *ctl;	/* the first page of the shared memory */
	u8 *data;
	u64 size;			/* of the data */
	u64 head;			/* as published; the producer's */
	u64 reserved;			/* head once the record being written is published */
	u64 end_of_pass;		/* head at the end of the last pass */
	u64 lost_samples, lost_records;	/* since attach */
	u64 owed_samples, owed_records;	/* of these, not yet told by a LOST record */
};

struct kx_ring *kx_ring_new(u32 pages);
void kx_ring_free(struct kx_ring *ring);
int kx_ring_mmap(struct kx_ring *ring, struct vm_area_struct *vma);

/* Where to write a record of @type and @size with @samples in it. NULL: no room, counted. */
void *kx_ring_reserve(struct kx_ring *ring, u16 type, u32 size, u64 samples);
/* Publishes the record reserved last. */
void kx_ring_commit(struct kx_ring *ring);
void kx_ring_end_pass(struct kx_ring *ring);

bool kx_ring_readable(const struct kx_ring *ring);
bool kx_ring_half_full(const struct kx_ring *ring);

#endif /* KVM_EXT_RING_H */
