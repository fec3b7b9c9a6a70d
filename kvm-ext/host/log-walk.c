// SPDX-License-Identifier: GPL-2.0-only
/* A pass over the dirty log, block by block. */
#include <linux/bitmap.h>

#include "log.h"
#include "log-walk.h"
#include "pass.h"

/*
 * About so many pages are cleared by one KVM_CLEAR_DIRTY_LOG: KVM holds mmu_lock during this ioctl,
 * and flushes the TLB once at its end.
 */
#define CLEAR_PAGES_MAX	2048

/* Pages [@from, @to) of a memslot for which @block was called; @set of them are to be cleared. */
struct pending {
	u64 from, to, set;
};

/*
 * The pass cannot continue. Pages that were not examined or not cleared stay in the log for the
 * next pass. If the reason is that another task wants the thread, waiting tasks go on waiting.
 */
static void log_walk_give_up(struct kx_pass *p, int err)
{
	if (err == -EAGAIN)
		kx_log_stood_aside(&p->log);
	if (err != -ECANCELED)
		kx_pass_fail(p, err);
	kx_pass_move(p, KX_PASS_GIVE_UP);
}

static void log_walk_clear_pending(struct kx_pass *p, struct kx_log_slot *s,
				   struct pending *pending, bool changed)
{
	u64 npages = pending->to - pending->from;
	int err;

	if (pending->set && kx_log_is_manual(&p->log)) {
		if (changed)
			kx_log_write(&p->log, pending->from, npages);
		err = kx_log_clear(&p->log, s, pending->from, npages, pending->set);
		if (err)
			log_walk_give_up(p, err);
	}
	pending->from = pending->to;
	pending->set = 0;
}

static u64 log_walk_show(struct kx_pass *p, struct kx_log_slot *s, const struct kx_log_walk *walk,
			 u64 first, unsigned int npages)
{
	unsigned long *bits = kx_log_words(&p->log, first);

	kx_log_exclude(&p->log, s, first, npages, bits);
	if (s->fresh)
		return bitmap_weight(bits, npages);
	if (bitmap_empty(bits, npages) && !walk->watch)
		return 0;
	return walk->block(p, s, first, npages, bits);
}

/* Goes over pages [@first, @end) of @s, which are in one piece of the bitmap. */
static void log_walk_piece(struct kx_pass *p, struct kx_log_slot *s, const struct kx_log_walk *walk,
			   u64 first, u64 end)
{
	struct pending pending = { .from = first, .to = first };
	bool changed = s->cut || (walk->watch && !s->fresh);	/* by @block or kx_log_exclude() */

	while (pending.to < end && !kx_pass_is_cut(p)) {
		unsigned int npages = min_t(u64, KX_BLOCK_PAGES, end - pending.to);

		if (!pending.set)
			pending.from = pending.to;
		pending.set += log_walk_show(p, s, walk, pending.to, npages);
		pending.to += npages;
		if (pending.set >= CLEAR_PAGES_MAX)
			log_walk_clear_pending(p, s, &pending, changed);
		kx_pass_rest(p);
	}
	log_walk_clear_pending(p, s, &pending, changed);
}

/* A pass goes over the pages of @s from *@first on, which is set, to the returned page. */
static u64 log_walk_range_of(const struct kx_pass *p, const struct kx_log_slot *s, u64 *first)
{
	u64 end = min(s->npages, p->end_gfn - s->gfn);

	*first = p->first_gfn > s->gfn ? round_down(p->first_gfn - s->gfn, KX_BLOCK_PAGES) : 0;
	/* KVM clears multiples of 64 pages, or up to the end of the memslot. */
	return min(s->npages, round_up(end, BITS_PER_LONG));
}

static void log_walk_set_total(struct kx_pass *p)
{
	const struct kx_log_slot *s;
	u64 sum = 0, first, end;

	for (s = p->log.slots; s < p->log.slots + p->log.nr; s++) {
		if (!s->wanted || !READ_ONCE(s->ours))
			continue;
		end = log_walk_range_of(p, s, &first);
		sum += end - first;
	}
	kx_pass_set_total(p, sum);
}

static void log_walk_slot(struct kx_pass *p, struct kx_log_slot *s, const struct kx_log_walk *walk)
{
	u64 first, end, piece_end;
	int err;

	if (!s->wanted)
		return;
	kx_pass_set_step(p, KVM_EXT_STEP_LOG_HARVEST);
	err = kx_log_harvest(&p->log, s);
	kx_pass_set_step(p, KVM_EXT_STEP_MEMORY);
	if (err && err != -ENOENT)
		log_walk_give_up(p, err);
	if (err)
		return;
	end = log_walk_range_of(p, s, &first);
	for (; first < end && !kx_pass_rest(p); first = piece_end) {
		piece_end = min(end, round_down(first, KX_LOG_PIECE) + KX_LOG_PIECE);
		kx_log_read(&p->log, first, piece_end - first);
		kx_pass_scanned(p, piece_end - first, 0, false);
		log_walk_piece(p, s, walk, first, piece_end);
	}
	if (!kx_pass_is_cut(p))
		s->fresh = false;
}

void kx_log_walk(struct kx_pass *p, const struct kx_log_walk *walk)
{
	int err;
	u32 i;

	kx_pass_set_step(p, KVM_EXT_STEP_LOG_ENABLE);
	err = kx_log_begin(&p->log, walk->watch);
	if (err) {
		log_walk_give_up(p, err);
		return;
	}
	log_walk_set_total(p);
	for (i = 0; i < p->log.nr && !kx_pass_is_cut(p); i++)
		log_walk_slot(p, &p->log.slots[i], walk);
	p->yielded = kx_log_yielded(&p->log);
}

void kx_log_walk_leave(struct kx_pass *p)
{
	kx_log_leave(&p->log);
}

void kx_log_found(struct kx_pass *p, const struct kx_log_slot *s, u64 first, unsigned int npages,
		  const unsigned long *bits)
{
	DECLARE_BITMAP(found, KX_BLOCK_PAGES);
	gfn_t gfn = s->gfn + first;

	bitmap_copy_clear_tail(found, bits, npages);
	if (gfn < p->first_gfn)
		bitmap_clear(found, 0, min_t(u64, p->first_gfn - gfn, npages));
	if (gfn + npages > p->end_gfn)
		bitmap_clear(found, p->end_gfn - gfn, gfn + npages - p->end_gfn);
	kx_pass_found_pages(p, s->as_id, gfn, npages, found);
}
