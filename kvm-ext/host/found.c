// SPDX-License-Identifier: GPL-2.0-only
/* What a pass has found. Findings are kept until it is certain to which gfns they belong. */
#include <linux/bitmap.h>

#include "found.h"
#include "pass.h"

/* --- certain findings ---------------------------------------------------------- */

void kx_pass_found_samples(struct kx_pass *p, u64 samples, u64 pages)
{
	p->account.end.samples += samples;
	p->account.end.sample_pages += pages;
}

/* Reports @npages pages of @f from its page @first on. Returns how many of them were accessed. */
static u64 found_put_part(struct kx_pass *p, const struct kx_found *f, u64 first, u64 npages)
{
	DECLARE_BITMAP(bits, KX_BLOCK_PAGES);
	gfn_t gfn = f->gfn + first;
	u64 pages = npages;

	if (f->sparse) {
		bitmap_shift_right(bits, f->bits, first, KX_BLOCK_PAGES);
		bitmap_clear(bits, npages, KX_BLOCK_PAGES - npages);
		pages = bitmap_weight(bits, npages);
	}
	if (!pages || kx_pass_primes(p))
		return pages;
	kx_pass_found_samples(p, pages >> f->order, pages);
	if (f->sparse)
		kx_writer_put_bits(&p->writer, f->as_id, gfn, npages, bits, pages);
	else
		kx_writer_add_run(&p->writer, f->as_id, gfn, npages, f->order);
	return pages;
}

/*
 * A finding may cover several memslots. The parts of the finding that the current memslots confirm
 * are reported, in whole leaves. The rest is dropped, because its gfns map other memory now.
 */
static void found_put(struct kx_pass *p, const struct kx_found *f)
{
	u64 pages = f->sparse ? bitmap_weight(f->bits, f->npages) : f->npages;
	u64 leaf = 1ull << f->order, kept = 0, at = 0, held;

	while (at < f->npages) {
		held = kx_slots_held(&p->slots, f->as_id, f->gfn + at, f->npages - at,
				     f->hva + (at << PAGE_SHIFT));
		held = round_down(held, leaf);
		if (held)
			kept += found_put_part(p, f, at, held);
		at += held ?: leaf;
	}
	p->account.dropped_pages += pages - kept;
}

void kx_pass_found_pages(struct kx_pass *p, u16 as_id, gfn_t gfn, unsigned int npages,
			 const unsigned long *bits)
{
	DECLARE_BITMAP(sure, KX_BLOCK_PAGES);
	u64 pages;

	bitmap_copy_clear_tail(sure, bits, npages);
	pages = bitmap_weight(sure, npages);
	if (!pages || kx_pass_primes(p))
		return;
	kx_pass_found_samples(p, pages, pages);
	kx_writer_put_bits(&p->writer, as_id, gfn, npages, sure, pages);
	kx_writer_wake(&p->writer);
}

void kx_pass_found_mapping(struct kx_pass *p, u16 as_id, gfn_t gfn, u8 order)
{
	if (kx_pass_primes(p))
		return;
	kx_pass_found_samples(p, 1, 1ull << order);
	kx_writer_add_run(&p->writer, as_id, gfn, 1ull << order, order);
	kx_writer_wake(&p->writer);
}

/* --- findings ------------------------------------------------------------------ */

bool kx_pass_settle(struct kx_pass *p)
{
	bool changed = kx_pass_refresh_slots(p);
	struct kx_findings *f = &p->findings;
	u32 i;

	p->account.slots_changed |= changed;
	for (i = 0; i < f->nr; i++)
		found_put(p, &f->found[i]);
	f->nr = 0;
	f->rested = false;
	kx_writer_wake(&p->writer);
	return changed;
}

void kx_pass_found_leaf(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn, u8 order)
{
	struct kx_findings *f = &p->findings;
	struct kx_found *last = f->nr ? &f->found[f->nr - 1] : NULL;
	unsigned long hva = kx_extent_hva(x, gfn);

	if (last && !last->sparse && last->order == order && last->as_id == x->as_id &&
	    last->gfn + last->npages == gfn && last->hva + (last->npages << PAGE_SHIFT) == hva) {
		last->npages += 1ull << order;
		return;
	}
	f->found[f->nr++] = (struct kx_found){
		.gfn = gfn, .npages = 1ull << order, .hva = hva,
		.as_id = x->as_id, .order = order,
	};
}

struct kx_found *kx_pass_found_bits(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn)
{
	struct kx_found *f = &p->findings.found[p->findings.nr];

	*f = (struct kx_found){
		.gfn = gfn, .hva = kx_extent_hva(x, gfn), .as_id = x->as_id, .sparse = true,
	};
	return f;
}

void kx_pass_found_bits_done(struct kx_pass *p, u64 npages)
{
	struct kx_found *f = &p->findings.found[p->findings.nr];

	f->npages = npages;
	if (!bitmap_empty(f->bits, KX_BLOCK_PAGES))
		p->findings.nr++;
}
