// SPDX-License-Identifier: GPL-2.0-only
/* Writes the records of passes to the ring; findings are written as runs and bitmaps. */
#include <linux/bitmap.h>

#include "ring.h"
#include "writer.h"

/* --- passes ------------------------------------------------------------------ */

void kx_writer_begin_pass(struct kx_writer *w, const struct kvm_ext_rec_pass_begin *begin)
{
	struct kvm_ext_rec_pass_begin *rec;

	w->pass = begin->pass;
	w->lost_samples = 0;
	rec = kx_ring_reserve(w->ring, KVM_EXT_REC_PASS_BEGIN, sizeof(*rec), 0);
	if (!rec)
		return;
	*rec = *begin;
	kx_ring_commit(w->ring);
}

void kx_writer_end_pass(struct kx_writer *w, const struct kvm_ext_rec_pass_end *end)
{
	struct kvm_ext_rec_pass_end *rec;

	rec = kx_ring_reserve(w->ring, KVM_EXT_REC_PASS_END, sizeof(*rec), 0);
	if (rec) {
		*rec = *end;
		kx_ring_commit(w->ring);
	}
	kx_ring_end_pass(w->ring);
}

/* --- records ----------------------------------------------------------------- */

void *kx_writer_reserve(struct kx_writer *w, u16 type, u32 size, u64 samples)
{
	void *rec = kx_ring_reserve(w->ring, type, size, samples);

	if (!rec)
		w->lost_samples += samples;
	return rec;
}

void kx_writer_commit(struct kx_writer *w)
{
	kx_ring_commit(w->ring);
}

void kx_writer_put_run(struct kx_writer *w)
{
	struct kx_run *run = &w->run;
	struct kvm_ext_rec_run *rec;

	if (!run->npages)
		return;
	rec = kx_writer_reserve(w, KVM_EXT_REC_RUN, sizeof(*rec), run->npages >> run->order);
	if (rec) {
		rec->pass = w->pass;
		rec->gfn = run->gfn;
		rec->npages = run->npages;
		rec->as_id = run->as_id;
		rec->leaf_order = run->order;
		kx_writer_commit(w);
	}
	run->npages = 0;
}

void kx_writer_add_run(struct kx_writer *w, u16 as_id, gfn_t gfn, u64 npages, u8 order)
{
	struct kx_run *run = &w->run;

	if (run->npages && run->gfn + run->npages == gfn && run->as_id == as_id &&
	    run->order == order) {
		run->npages += npages;
		return;
	}
	kx_writer_put_run(w);
	*run = (struct kx_run){ .gfn = gfn, .npages = npages, .as_id = as_id, .order = order };
}

static void writer_put_bitmap(struct kx_writer *w, u16 as_id, gfn_t gfn, u64 npages,
			      const unsigned long *bits, u64 samples)
{
	size_t bytes = BITS_TO_LONGS(npages) * sizeof(long);
	struct kvm_ext_rec_bitmap *rec;

	kx_writer_put_run(w);
	rec = kx_writer_reserve(w, KVM_EXT_REC_BITMAP, sizeof(*rec) + bytes, samples);
	if (!rec)
		return;
	rec->pass = w->pass;
	rec->gfn = gfn;
	rec->as_id = as_id;
	rec->nbits = npages;
	memcpy(rec->bits, bits, bytes);
	kx_writer_commit(w);
}

/* A run begins at each set bit whose predecessor is not set. */
static unsigned int writer_count_runs(const unsigned long *bits, u64 npages)
{
	unsigned long word, before = 0;
	unsigned int i, n = 0;

	for (i = 0; i < BITS_TO_LONGS(npages); i++) {
		word = bits[i];
		n += hweight_long(word & ~(word << 1 | before >> (BITS_PER_LONG - 1)));
		before = word;
	}
	return n;
}

void kx_writer_put_bits(struct kx_writer *w, u16 as_id, gfn_t gfn, u64 npages,
			const unsigned long *bits, u64 samples)
{
	size_t bitmap = sizeof(struct kvm_ext_rec_bitmap) + BITS_TO_LONGS(npages) * sizeof(long);
	unsigned int start, end;

	if (writer_count_runs(bits, npages) * sizeof(struct kvm_ext_rec_run) > bitmap) {
		writer_put_bitmap(w, as_id, gfn, npages, bits, samples);
		return;
	}
	for_each_set_bitrange(start, end, bits, npages)
		kx_writer_add_run(w, as_id, gfn + start, end - start, 0);
}

/* --- waiting readers ----------------------------------------------------------- */

void kx_writer_wake(struct kx_writer *w)
{
	bool half_full = kx_ring_half_full(w->ring);

	if (half_full && !w->told_half_full)
		wake_up_all(w->wait);
	w->told_half_full = half_full;
}
