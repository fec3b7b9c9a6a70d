/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_RING_H
#define KVM_EXT_RING_H

#include <linux/mm_types.h>
#include <linux/types.h>
#include <kvm-ext/uapi.h>

/*
 * The producer's side of the sample ring. One thread produces; other tasks may call
 * kx_ring_readable(). All members are private to the module. User space can write to the whole
 * control page; the module reads only data_tail from this page.
 */
struct kx_ring {
	struct kvm_ext_ring *ctl;	/* the first page of the shared memory */
	u8 *data;
	u64 size;			/* of the data */
	u64 head;			/* as published in @ctl */
	u64 reserved;			/* @head after the reserved record is published */
	u64 end_of_pass;		/* head at the end of the last pass */
	u64 lost_samples, lost_records;	/* since attach */
	u64 owed_samples, owed_records;	/* of these, not yet reported by a LOST record */
};

/**
 * kx_ring_new() - make an empty ring
 * @pages: pages of data, a power of two
 *
 * Context: may sleep.
 * Return: the ring; NULL: no memory.
 */
struct kx_ring *kx_ring_new(u32 pages);

/**
 * kx_ring_bytes() - the memory that a ring occupies, with its control page
 * @ring: the ring
 *
 * Return: bytes.
 */
u64 kx_ring_bytes(const struct kx_ring *ring);

/**
 * kx_ring_free() - free a ring; mappings keep its memory until they are gone
 * @ring: the ring; NULL: none
 */
void kx_ring_free(struct kx_ring *ring);

/**
 * kx_ring_mmap() - map a ring for its reader
 * @ring: the ring
 * @vma: shared, not to be executed, of the whole size
 *
 * Context: the reader's mmap_lock is held.
 * Return: 0, -EINVAL, -EPERM, or an error of the kernel.
 */
int kx_ring_mmap(struct kx_ring *ring, struct vm_area_struct *vma);

/* For the thread that produces. */

/**
 * kx_ring_reserve() - room for a record
 * @ring: the ring
 * @type: enum kvm_ext_record_type
 * @size: bytes, a multiple of 8, at most KVM_EXT_REC_MAX
 * @samples: number of samples in the record
 *
 * Return: the record, with its header; then call kx_ring_commit(). NULL: the ring has no room; the
 * record and its samples are counted as lost.
 */
void *kx_ring_reserve(struct kx_ring *ring, u16 type, u32 size, u64 samples);

/**
 * kx_ring_commit() - publish the record reserved last
 * @ring: the ring
 */
void kx_ring_commit(struct kx_ring *ring);

/**
 * kx_ring_end_pass() - note that all records of a pass are written: the ring is now readable
 * @ring: the ring
 */
void kx_ring_end_pass(struct kx_ring *ring);

/* For any task. */

/**
 * kx_ring_readable() - is there the end of a pass, or half a ring, to read?
 * @ring: the ring
 */
bool kx_ring_readable(const struct kx_ring *ring);

/**
 * kx_ring_half_full() - is half of the ring or more not yet read?
 * @ring: the ring
 */
bool kx_ring_half_full(const struct kx_ring *ring);

#endif /* KVM_EXT_RING_H */
