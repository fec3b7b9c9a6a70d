// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a pass has found: held back until it is sure to which gfns it belongs, then
 * written to the ring as runs and bitmaps.
 */
#include <linux/bitmap.h>

#include "found.h"
#include "pass.h"
#include "ring.h"

/* --- what goes into the ring ------------------------------------------------ */

void *kx_pass_reserve(struct kx_pass *p, u16 type, u32 size, u64 samples)
{
	void *rec = kx_ring_reserve(p->ring, type, size, samples);

	if (!rec)
		p->account.end.lost_samples += samples;
	return rec;
}

void kx_pass_commit(struct kx_pass *p)
{
	kx_ring_commit(p->ring);
}

void kx_pass_put_run(struct kx_pass *p)
{
	struct kx_run *run = &p->run;
	struct kvm_ext_rec_run *rec;

	if (!run->npages)
		return;
	rec = kx_pass_reserve(p, KVM_EXT_REC_RUN, sizeof(*rec), run->npages >> run->order);
	if (rec) {
		rec->pass = p->nr;
		rec->gfn = run->gfn;
		rec->npages = run->npages;
		rec->as_id = run->as_id;
		rec->leaf_order = run->order;
		kx_ring_commit(p->ring);
	}
	run->npages = 0;
}

static void add_run(struct kx_pass *p, u16 as_id, gfn_t gfn, u64 npages, u8 order)
{
	struct kx_run *run = &p->run;

	if (run->npages && run->gfn + run->npages == gfn && run->as_id == as_id &&
	    run->order == order) {
		run->npages += npages;
		return;
	}
	kx_pass_put_run(p);
	*run = (struct kx_run){ .gfn = gfn, .npages = npages, .as_id = as_id, .order = order };
}

static void put_bitmap(struct kx_pass *p, const struct kx_found *f, u64 samples)
{
	size_t bytes = BITS_TO_LONGS(f->npages) * sizeof(long);
	struct kvm_ext_rec_bitmap *rec;

	kx_pass_put_run(p);
	rec = kx_pass_reserve(p, KVM_EXT_REC_BITMAP, sizeof(*rec) + bytes, samples);
	if (!rec)
		return;
	rec->pass = p->nr;
	rec->gfn = f->gfn;
	rec->as_id = f->as_id;
	rec->nbits = f->npages;
	memcpy(rec->bits, f->bits, bytes);
	kx_ring_commit(p->ring);
}

/* A run begins where a bit is set and the one before is not. */
static unsigned int count_runs(const struct kx_found *f)
{
	unsigned long word, before = 0;
	unsigned int i, n = 0;

	for (i = 0; i < BITS_TO_LONGS(f->npages); i++) {
		word = f->bits[i];
		n += hweight_long(word & ~(word << 1 | before >> (BITS_PER_LONG - 1)));
		before = word;
	}
	return n;
}

/* As runs or as a bitmap, whichever is smaller. */
static void put_sparse(struct kx_pass *p, const struct kx_found *f, u64 samples)
{
	size_t bitmap = sizeof(struct kvm_ext_rec_bitmap) + BITS_TO_LONGS(f->npages) * sizeof(long);
	unsigned int start, end;

	if (count_runs(f) * sizeof(struct kvm_ext_rec_run) > bitmap) {
		put_bitmap(p, f, samples);
		return;
	}
	for_each_set_bitrange(start, end, f->bits, f->npages)
		add_run(p, f->as_id, f->gfn + start, end - start, 0);
}

void kx_pass_found_samples(struct kx_pass *p, u64 samples, u64 pages)
{
	p->account.end.samples += samples;
	p->account.end.sample_pages += pages;
}

/* Reports @npages of a finding from its page @first on; returns how many of them were accessed. */
static u64 put_part(struct kx_pass *p, const struct kx_found *f, u64 first, u64 npages)
{
	struct kx_found part = { .gfn = f->gfn + first, .npages = npages, .as_id = f->as_id };
	u64 pages = npages;

	if (f->sparse) {
		bitmap_shift_right(part.bits, f->bits, first, KX_BLOCK_PAGES);
		bitmap_clear(part.bits, npages, KX_BLOCK_PAGES - npages);
		pages = bitmap_weight(part.bits, npages);
	}
	if (!pages || kx_pass_priming(p))
		return pages;
	kx_pass_found_samples(p, pages >> f->order, pages);
	if (f->sparse)
		put_sparse(p, &part, pages);
	else
		add_run(p, f->as_id, part.gfn, npages, f->order);
	return pages;
}

/*
 * A finding may reach over several memslots, if not when it was made then by now: what
 * they confirm holds, leaf by leaf. The rest belongs to nobody any more.
 */
static void put_found(struct kx_pass *p, const struct kx_found *f)
{
	u64 pages = f->sparse ? bitmap_weight(f->bits, f->npages) : f->npages;
	u64 leaf = 1ull << f->order, kept = 0, at = 0, held;

	while (at < f->npages) {
		held = kx_slots_held(&p->slots, f->as_id, f->gfn + at, f->npages - at,
				     f->hva + (at << PAGE_SHIFT));
		held = round_down(held, leaf);
		if (held)
			kept += put_part(p, f, at, held);
		at += held ?: leaf;
	}
	p->account.dropped_pages += pages - kept;
}

static void wake_if_half_full(struct kx_pass *p)
{
	bool half_full = kx_ring_half_full(p->ring);

	if (half_full && !p->told_half_full)
		wake_up_all(p->wait);
	p->told_half_full = half_full;
}

void kx_pass_found_pages(struct kx_pass *p, u16 as_id, gfn_t gfn, unsigned int npages,
			 const unsigned long *bits)
{
	struct kx_found *f = &p->found[0];
	u64 pages;

	*f = (struct kx_found){ .gfn = gfn, .npages = npages, .as_id = as_id, .sparse = true };
	bitmap_copy_clear_tail(f->bits, bits, npages);
	pages = bitmap_weight(f->bits, npages);
	if (!pages || kx_pass_priming(p))
		return;
	kx_pass_found_samples(p, pages, pages);
	put_sparse(p, f, pages);
	wake_if_half_full(p);
}

void kx_pass_found_mapping(struct kx_pass *p, u16 as_id, gfn_t gfn, u8 order)
{
	if (kx_pass_priming(p))
		return;
	kx_pass_found_samples(p, 1, 1ull << order);
	add_run(p, as_id, gfn, 1ull << order, order);
	wake_if_half_full(p);
}

/* --- findings --------------------------------------------------------------- */

bool kx_pass_settle(struct kx_pass *p)
{
	bool changed = kx_pass_refresh_slots(p);
	u32 i;

	p->account.slots_changed |= changed;
	for (i = 0; i < p->nr_found; i++)
		put_found(p, &p->found[i]);
	p->nr_found = 0;
	p->rested = false;
	wake_if_half_full(p);
	return changed;
}

void kx_pass_found_leaf(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn, u8 order)
{
	struct kx_found *last = p->nr_found ? &p->found[p->nr_found - 1] : NULL;
	unsigned long hva = kx_extent_hva(x, gfn);

	if (last && !last->sparse && last->order == order && last->as_id == x->as_id &&
	    last->gfn + last->npages == gfn && last->hva + (last->npages << PAGE_SHIFT) == hva) {
		last->npages += 1ull << order;
		return;
	}
	p->found[p->nr_found++] = (struct kx_found){
		.gfn = gfn, .npages = 1ull << order, .hva = hva,
		.as_id = x->as_id, .order = order,
	};
}

struct kx_found *kx_pass_found_bits(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn)
{
	struct kx_found *f = &p->found[p->nr_found];

	*f = (struct kx_found){
		.gfn = gfn, .hva = kx_extent_hva(x, gfn), .as_id = x->as_id, .sparse = true,
	};
	return f;
}

void kx_pass_found_bits_done(struct kx_pass *p, u64 npages)
{
	struct kx_found *f = &p->found[p->nr_found];

	f->npages = npages;
	if (!bitmap_empty(f->bits, KX_BLOCK_PAGES))
		p->nr_found++;
}
