/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bounded ring of samples from many producers to one consumer, without locks.
 *
 * A producer may be interrupted at any point, also by an NMI, and the interrupting code
 * may push: no producer waits for another. If an interrupted producer has claimed a slot
 * and not yet written it, only the consumer is delayed: it finds the ring empty from this
 * slot on. A sample for which there is no room is dropped and counted:
 * pushed + dropped = offered, exactly, at any time when no push is in progress.
 *
 * The owner provides the memory once; no call allocates.
 */
#ifndef KVM_EXT_MPSC_H
#define KVM_EXT_MPSC_H

#include "port.h"
#include "sample.h"

struct kx_mpsc {
	/* private */
	u64 *slot;			/* two words each */
	u64 mask;
	u64 tail ____cacheline_aligned;	/* producers claim here */
	u64 head_seen;			/* the head as the last producer saw it, or older */
	u64 head ____cacheline_aligned;	/* the consumer's: the first sample not yet taken */
	atomic64_t dropped ____cacheline_aligned;
};

/* Bytes of memory that a ring of @entries samples needs. */
size_t kx_mpsc_bytes(u32 entries);
/*
 * @memory has kx_mpsc_bytes(@entries) bytes, is aligned for u64 (better to a cache line),
 * and belongs to the caller. @entries is a power of two, at least 2, or -EINVAL is returned.
 */
int kx_mpsc_init(struct kx_mpsc *r, void *memory, u32 entries);

/* Any context. False: the ring was full, and the sample was counted as dropped. */
bool kx_mpsc_push(struct kx_mpsc *r, const struct kx_sample *sample);

/*
 * One consumer at a time. Takes up to @max of the oldest samples, in the order in which
 * their slots were claimed, and returns their number. The slots are then free.
 */
u32 kx_mpsc_pop(struct kx_mpsc *r, struct kx_sample *samples, u32 max);

/* Since kx_mpsc_init(). Any context may read; pushed includes pushes in progress. */
u64 kx_mpsc_pushed(const struct kx_mpsc *r);
u64 kx_mpsc_dropped(const struct kx_mpsc *r);

#endif /* KVM_EXT_MPSC_H */
