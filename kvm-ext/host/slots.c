// SPDX-License-Identifier: GPL-2.0-only
/* Snapshots of the memory that is tracked. */
#include <linux/mm.h>
#include <linux/sched.h>

#include "excluded.h"
#include "slots.h"
#include "vm.h"

/* Adds an extent for @npages pages of @raw from page @first on. */
static void slots_add_extent(struct kx_slots *slots, struct rb_root_cached *by_hva,
			     const struct kx_memslot *raw, u64 first, u64 npages)
{
	struct kx_extent *x = &slots->extents[slots->nr++];

	*x = (struct kx_extent){
		.gfn = raw->gfn + first,
		.npages = npages,
		.hva = raw->hva + (first << PAGE_SHIFT),
		.as_id = raw->as_id,
	};
	x->node.start = x->hva;
	x->node.last = x->hva + (npages << PAGE_SHIFT) - 1;
	interval_tree_insert(&x->node, by_hva);
	slots->ram_pages += npages;
}

/* Notes that @raw, too, maps memory of @x: at @hva and behind it. */
static void slots_mark_alias(struct kx_extent *x, const struct kx_memslot *raw, unsigned long hva)
{
	gfn_t here = x->gfn + ((hva - x->hva) >> PAGE_SHIFT);
	gfn_t there = raw->gfn + ((hva - raw->hva) >> PAGE_SHIFT);

	if (here == there && x->as_id != raw->as_id)
		x->smm_alias = true;
	else
		x->alias = true;
}

/* Adds the parts of @raw that no extent contains yet. */
static void slots_add(struct kx_slots *slots, struct rb_root_cached *by_hva,
		      const struct kx_memslot *raw)
{
	unsigned long pos = raw->hva, last = raw->hva + (raw->npages << PAGE_SHIFT) - 1;
	struct interval_tree_node *node;
	struct kx_extent *x;

	while (pos <= last) {
		cond_resched();
		node = interval_tree_iter_first(by_hva, pos, last);
		if (!node || node->start > pos) {
			unsigned long end = node ? node->start : last + 1;

			slots_add_extent(slots, by_hva, raw, (pos - raw->hva) >> PAGE_SHIFT,
					 (end - pos) >> PAGE_SHIFT);
			pos = end;
			continue;
		}
		x = container_of(node, struct kx_extent, node);
		slots_mark_alias(x, raw, pos);
		pos = node->last + 1;
	}
}

/* The ends of @n intervals cut the line into at most 2n - 1 pieces; extents do not overlap. */
static u32 slots_room_for(u32 n)
{
	return 2 * n + 1;
}

static int slots_make_extents(struct kx_slots *slots, const struct kx_memslot *raw, u32 n)
{
	struct rb_root_cached by_hva = RB_ROOT_CACHED;
	u32 i;

	slots->extents = kx_memory_new(slots->memory, slots_room_for(n), sizeof(*slots->extents));
	if (!slots->extents)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		slots_add(slots, &by_hva, &raw[i]);
		if (raw[i].flags & KVM_MEM_LOG_DIRTY_PAGES)
			slots->logged_pages += raw[i].npages;
		slots->last_gfn = max(slots->last_gfn, raw[i].gfn + raw[i].npages - 1);
	}
	slots->memslots = n;
	return 0;
}

/*
 * The piece of @m from page *@pos to the next excluded span; may be empty. *@pos is then the page
 * behind this span.
 */
static struct kx_memslot slots_next_piece(const struct kx_memslot *m,
					  const struct kx_excluded *excluded, u64 *pos)
{
	unsigned long from = m->hva + (*pos << PAGE_SHIFT), to = m->hva + (m->npages << PAGE_SHIFT);
	const struct kx_hva_span *span = kx_excluded_from(excluded, from, to);
	struct kx_memslot piece = *m;
	unsigned long end = span ? max(span->start, from) : to;

	piece.gfn += *pos;
	piece.hva = from;
	piece.npages = (end - from) >> PAGE_SHIFT;
	*pos = ((span ? min(span->end, to) : to) - m->hva) >> PAGE_SHIFT;
	return piece;
}

/* Counts the pieces of @set's memslots, and stores them in @pieces unless it is NULL. */
static u32 slots_cut(const struct kx_memslots *set, const struct kx_excluded *excluded,
		     struct kx_memslot *pieces)
{
	struct kx_memslot piece;
	u32 i, n = 0;
	u64 pos;

	for (i = 0; i < set->nr; i++) {
		for (pos = 0; pos < set->slots[i].npages; ) {
			piece = slots_next_piece(&set->slots[i], excluded, &pos);
			if (piece.npages && pieces)
				pieces[n] = piece;
			n += !!piece.npages;
			cond_resched();
		}
	}
	return n;
}

int kx_memslots_cut(struct kx_memslots *set, const struct kx_excluded *excluded)
{
	struct kx_memslot *pieces;
	u32 n;

	if (!excluded->nr)
		return 0;
	/* Counted first: one span may cut many aliases, so any simple bound would be too high. */
	n = slots_cut(set, excluded, NULL);
	pieces = kvcalloc(n + 1, sizeof(*pieces), GFP_KERNEL);
	if (!pieces)
		return -ENOMEM;
	slots_cut(set, excluded, pieces);
	kvfree(set->slots);
	set->slots = pieces;
	set->nr = n;
	return 0;
}

static int slots_take_cut(struct kx_slots *slots, struct kx_vm *vm,
			  const struct kx_excluded *excluded, struct kx_memory *memory)
{
	struct kx_slots new = { .memory = memory };
	struct kx_memslots set;
	int err;

	err = kx_memslots_take(&set, vm);
	if (err)
		return err;
	new.generation = set.generation;
	err = kx_memslots_cut(&set, excluded);
	if (!err)
		err = slots_make_extents(&new, set.slots, set.nr);
	kvfree(set.slots);
	if (err)
		return err;
	kx_slots_drop(slots);
	*slots = new;
	return 0;
}

int kx_slots_take(struct kx_slots *slots, struct kx_vm *vm)
{
	return slots_take_cut(slots, vm, &vm->excluded, NULL);
}

int kx_slots_take_kept(struct kx_slots *slots, struct kx_vm *vm)
{
	return slots_take_cut(slots, vm, &vm->excluded, &vm->memory);
}

int kx_slots_take_all(struct kx_slots *slots, struct kx_vm *vm)
{
	static const struct kx_excluded none;

	return slots_take_cut(slots, vm, &none, NULL);
}

void kx_slots_drop(struct kx_slots *slots)
{
	kx_memory_free(slots->memory, slots->extents, slots_room_for(slots->memslots),
		       sizeof(*slots->extents));
	memset(slots, 0, sizeof(*slots));
}

const struct kx_extent *kx_slots_from(const struct kx_slots *slots, u16 as_id, gfn_t gfn)
{
	u32 lo = 0, hi = slots->nr;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;
		const struct kx_extent *x = &slots->extents[mid];

		if (x->as_id < as_id || (x->as_id == as_id && kx_extent_end(x) <= gfn))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < slots->nr ? &slots->extents[lo] : NULL;
}

u64 kx_slots_held(const struct kx_slots *slots, u16 as_id, gfn_t gfn, u64 npages,
		  unsigned long hva)
{
	const struct kx_extent *x = kx_slots_from(slots, as_id, gfn);
	const struct kx_extent *end = slots->extents + slots->nr;
	gfn_t first = gfn;

	for (; x && x < end && npages; x++) {
		u64 n;

		if (x->as_id != as_id || x->gfn > gfn || kx_extent_hva(x, gfn) != hva)
			break;
		n = min(npages, kx_extent_end(x) - gfn);
		gfn += n;
		npages -= n;
		hva += n << PAGE_SHIFT;
	}
	return gfn - first;
}
