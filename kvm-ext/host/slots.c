// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots of a VM's memslots.
 *
 * kvm->srcu is held only while some of the memslots are copied, without sleeping
 * in between: a memslot update waits for every reader. If they change between two
 * holds, the copy begins anew.
 */
#include <linux/mm.h>
#include <linux/rbtree.h>
#include <linux/sched.h>

#include "excluded.h"
#include "slots.h"
#include "vm.h"

static struct kvm_memory_slot *slots_slot_of(struct rb_node *node, int idx)
{
	return container_of(node, struct kvm_memory_slot, gfn_node[idx]);
}

/*
 * KVM's own slots (APIC access page, TSS) hold no guest RAM, read-only slots
 * are ROM, and an invalid one is being deleted.
 */
static bool slots_is_ram(const struct kvm_memory_slot *slot)
{
	return slot->id >= 0 && slot->id < KVM_USER_MEM_SLOTS &&
	       !(slot->flags & (KVM_MEM_READONLY | KVM_MEMSLOT_INVALID));
}

/* Caller holds kvm->srcu. */
static u64 slots_generation(struct kx_vm *vm)
{
	u64 sum = vm->excluded_changes;
	int i;

	for (i = 0; i < kx_nr_address_spaces(vm->kvm); i++)
		sum += READ_ONCE(__kvm_memslots(vm->kvm, i)->generation);
	return sum;
}

u64 kx_slots_generation(struct kx_vm *vm)
{
	int idx = srcu_read_lock(&vm->kvm->srcu);
	u64 sum = slots_generation(vm);

	srcu_read_unlock(&vm->kvm->srcu, idx);
	return sum;
}

/* Memslots that are copied in one go, at first: some 100 us. */
#define SLOTS_PER_HOLD	1024u

/* A copy of the RAM memslots in order, as far as it has come. */
struct copying {
	struct kx_memslot *raw;
	u32 room, n;		/* @n may exceed @room: then it only counts */
	u32 per_hold;
	u64 generation;
	int as_id;		/* where to go on */
	gfn_t gfn;
};

/* The first memslot that begins at @gfn or behind it. */
static struct rb_node *slots_slot_from(struct kvm_memslots *set, gfn_t gfn)
{
	struct rb_node *node = set->gfn_tree.rb_node, *found = NULL;

	while (node) {
		if (slots_slot_of(node, set->node_idx)->base_gfn < gfn) {
			node = node->rb_right;
		} else {
			found = node;
			node = node->rb_left;
		}
	}
	return found;
}

static void slots_copy_one(struct copying *c, const struct kvm_memory_slot *slot)
{
	if (!slots_is_ram(slot))
		return;
	if (c->n < c->room)
		c->raw[c->n] = (struct kx_memslot){
			.gfn = slot->base_gfn,
			.npages = slot->npages,
			.hva = slot->userspace_addr,
			.flags = slot->flags,
			.as_id = c->as_id,
			.id = slot->id,
		};
	c->n++;
}

/* True if there are more. Caller holds kvm->srcu. */
static bool slots_copy_some(struct kvm *kvm, struct copying *c)
{
	struct kvm_memslots *set;
	struct rb_node *node;
	u32 i = 0;

	for (; c->as_id < kx_nr_address_spaces(kvm); c->as_id++, c->gfn = 0) {
		set = __kvm_memslots(kvm, c->as_id);
		for (node = slots_slot_from(set, c->gfn); node; node = rb_next(node)) {
			const struct kvm_memory_slot *slot = slots_slot_of(node, set->node_idx);

			if (i++ == c->per_hold) {
				c->gfn = slot->base_gfn;
				return true;
			}
			slots_copy_one(c, slot);
		}
	}
	return false;
}

/*
 * Copies up to @room memslots, all of one generation; returns how many there are. With each
 * new beginning more in one go: one that takes all ends it, whatever the VMM does meanwhile.
 */
static u32 slots_copy(struct kx_vm *vm, struct kx_memslot *raw, u32 room, u64 *gen)
{
	struct copying c = { .raw = raw, .room = room, .per_hold = SLOTS_PER_HOLD / 2 };
	bool more = true;
	int idx;

	while (more) {
		idx = srcu_read_lock(&vm->kvm->srcu);
		*gen = slots_generation(vm);
		if (*gen != c.generation)
			c = (struct copying){
				.raw = raw, .room = room,
				.per_hold = 2 * c.per_hold, .generation = *gen,
			};
		more = slots_copy_some(vm->kvm, &c);
		srcu_read_unlock(&vm->kvm->srcu, idx);
		cond_resched();
	}
	return c.n;
}

/* Adds @npages of @raw, from page @first on, as an extent of their own. */
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

/* @x already has the memory that @raw maps at @hva. */
static void slots_mark_alias(struct kx_extent *x, const struct kx_memslot *raw, unsigned long hva)
{
	gfn_t here = x->gfn + ((hva - x->hva) >> PAGE_SHIFT);
	gfn_t there = raw->gfn + ((hva - raw->hva) >> PAGE_SHIFT);

	if (here == there && x->as_id != raw->as_id)
		x->smm_alias = true;
	else
		x->alias = true;
}

/* Adds those parts of @raw that no extent has yet. */
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

static int slots_build(struct kx_slots *slots, const struct kx_memslot *raw, u32 n)
{
	struct rb_root_cached by_hva = RB_ROOT_CACHED;
	u32 i;

	/* The ends of n intervals cut the line into at most 2n - 1 pieces; no extents share one. */
	slots->extents = kvcalloc(2 * n + 1, sizeof(*slots->extents), GFP_KERNEL);
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

int kx_memslots_take(struct kx_memslots *set, struct kx_vm *vm)
{
	struct kx_memslot *raw = NULL;
	u32 n = 0, room;

	/* Allocating inside the read section would keep memslot updates waiting for reclaim. */
	do {
		room = n + 8;
		kvfree(raw);
		raw = kvcalloc(room, sizeof(*raw), GFP_KERNEL);
		if (!raw)
			return -ENOMEM;
		n = slots_copy(vm, raw, room, &set->generation);
	} while (n > room);
	set->slots = raw;
	set->nr = n;
	return 0;
}

/* What of @m from *@pos on is not excluded, up to what is; advances *@pos behind that. */
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

/* Puts the pieces of @set's memslots to @pieces, if not NULL, and counts them. */
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
	/* A span cuts each alias of its memory: a simple bound would be far too high. */
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
			  const struct kx_excluded *excluded)
{
	struct kx_slots new = {};
	struct kx_memslots set;
	int err;

	err = kx_memslots_take(&set, vm);
	if (err)
		return err;
	new.generation = set.generation;
	err = kx_memslots_cut(&set, excluded);
	if (!err)
		err = slots_build(&new, set.slots, set.nr);
	kvfree(set.slots);
	if (err)
		return err;
	kx_slots_drop(slots);
	*slots = new;
	return 0;
}

int kx_slots_take(struct kx_slots *slots, struct kx_vm *vm)
{
	return slots_take_cut(slots, vm, &vm->excluded);
}

int kx_slots_take_all(struct kx_slots *slots, struct kx_vm *vm)
{
	static const struct kx_excluded none;

	return slots_take_cut(slots, vm, &none);
}

void kx_slots_drop(struct kx_slots *slots)
{
	kvfree(slots->extents);
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
