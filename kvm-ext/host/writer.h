/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_WRITER_H
#define KVM_EXT_WRITER_H

#include <linux/kvm_host.h>
#include <linux/wait.h>
#include <kvm-ext/uapi.h>

struct kx_ring;

/**
 * struct kx_run - a run of found pages to which pages may still be added
 * @gfn: the first page
 * @npages: pages of 4 KiB; 0: there is no run
 * @as_id: the address space
 * @order: the pages were found through leaves of 2^@order pages
 */
struct kx_run {
	gfn_t gfn;
	u64 npages;
	u16 as_id;
	u8 order;
};

/**
 * struct kx_writer - writes the records of passes to the ring
 * @ring: the ring
 * @wait: woken when the ring is half full
 * @pass: the number of the running pass
 * @lost_samples: samples of the running pass for which the ring had no room
 * @run: the run that was not written yet
 * @told_half_full: the reader was woken when the ring became half full, and the ring still is
 *
 * All members belong to the pass thread.
 */
struct kx_writer {
	struct kx_ring *ring;
	wait_queue_head_t *wait;
	u64 pass;
	u64 lost_samples;
	struct kx_run run;
	bool told_half_full;
};

/**
 * kx_writer_begin_pass() - write that a pass begins
 * @w: the writer
 * @begin: the record
 */
void kx_writer_begin_pass(struct kx_writer *w, const struct kvm_ext_rec_pass_begin *begin);

/**
 * kx_writer_end_pass() - write that a pass has ended, with its account
 * @w: the writer; kx_writer_put_run() was called before
 * @end: the record
 */
void kx_writer_end_pass(struct kx_writer *w, const struct kvm_ext_rec_pass_end *end);

/**
 * kx_writer_reserve() - reserve room for a record of the running pass
 * @w: the writer
 * @type: enum kvm_ext_record_type
 * @size: bytes, a multiple of 8, at most KVM_EXT_REC_MAX
 * @samples: number of samples in the record
 *
 * Return: the record, in shared memory, with its header; then call kx_writer_commit(). NULL: the
 * ring has no room, and the samples are counted as lost.
 */
void *kx_writer_reserve(struct kx_writer *w, u16 type, u32 size, u64 samples);

/**
 * kx_writer_commit() - publish the record reserved last
 * @w: the writer
 */
void kx_writer_commit(struct kx_writer *w);

/**
 * kx_writer_add_run() - add contiguous pages to the run, or write the run and begin another one
 * @w: the writer
 * @as_id: the address space
 * @gfn: the first page
 * @npages: pages of 4 KiB, a multiple of 2^@order
 * @order: the pages were found through leaves of 2^@order pages
 */
void kx_writer_add_run(struct kx_writer *w, u16 as_id, gfn_t gfn, u64 npages, u8 order);

/**
 * kx_writer_put_run() - write the run, if there is one
 * @w: the writer
 */
void kx_writer_put_run(struct kx_writer *w);

/**
 * kx_writer_put_bits() - write single pages, as runs or as a bitmap, whichever is smaller
 * @w: the writer
 * @as_id: the address space
 * @gfn: the page of bit 0
 * @npages: bits, at most KX_BLOCK_PAGES
 * @bits: the pages; no bit behind the first @npages bits is set
 * @samples: number of bits that are set
 */
void kx_writer_put_bits(struct kx_writer *w, u16 as_id, gfn_t gfn, u64 npages,
			const unsigned long *bits, u64 samples);

/**
 * kx_writer_wake() - wake the reader if the ring has become half full
 * @w: the writer
 */
void kx_writer_wake(struct kx_writer *w);

#endif /* KVM_EXT_WRITER_H */
