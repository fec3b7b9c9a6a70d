// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies of a VM's memslots.
 *
 * Each change of a memslot waits for all readers of kvm->srcu. So one read section copies only some
 * of the memslots, and does not sleep. If memslots change between two read sections, the copy
 * starts again.
 */
#include <linux/mm.h>
#include <linux/rbtree.h>
#include <linux/sched.h>

#include "memslots.h"
#include "vm.h"

static struct kvm_memory_slot *memslots_slot_of(struct rb_node *node, int idx)
{
	return container_of(node, struct kvm_memory_slot, gfn_node[idx]);
}

/*
 * KVM's own memslots (APIC access page, TSS) contain no guest RAM; read-only memslots are ROM;
 * invalid memslots are about to be deleted or moved.
 */
static bool memslots_is_ram(const struct kvm_memory_slot *slot)
{
	return slot->id >= 0 && slot->id < KVM_USER_MEM_SLOTS &&
	       !(slot->flags & (KVM_MEM_READONLY | KVM_MEMSLOT_INVALID));
}

static u64 memslots_generation(struct kx_vm *vm)
{
	u64 sum = vm->excluded_changes;
	int i;

	lockdep_assert(srcu_read_lock_held(&vm->kvm->srcu));
	for (i = 0; i < kx_nr_address_spaces(vm->kvm); i++)
		sum += READ_ONCE(__kvm_memslots(vm->kvm, i)->generation);
	return sum;
}

u64 kx_memslots_generation(struct kx_vm *vm)
{
	int idx = srcu_read_lock(&vm->kvm->srcu);
	u64 sum = memslots_generation(vm);

	srcu_read_unlock(&vm->kvm->srcu, idx);
	return sum;
}

/* Number of memslots that the first attempt copies in one read section: some 100 us. */
#define SLOTS_PER_HOLD	1024u

/* A copy of the RAM memslots, in order, that is being made. */
struct copying {
	struct kx_memslot *raw;
	u32 room, n;		/* @n may exceed @room: further memslots are only counted */
	u32 per_hold;
	u64 generation;
	int as_id;		/* where to continue */
	gfn_t gfn;
};

/* The first memslot of @set that begins at @gfn or behind it. */
static struct rb_node *memslots_from(struct kvm_memslots *set, gfn_t gfn)
{
	struct rb_node *node = set->gfn_tree.rb_node, *found = NULL;

	while (node) {
		if (memslots_slot_of(node, set->node_idx)->base_gfn < gfn) {
			node = node->rb_right;
		} else {
			found = node;
			node = node->rb_left;
		}
	}
	return found;
}

static void memslots_copy_one(struct copying *c, const struct kvm_memory_slot *slot)
{
	if (!memslots_is_ram(slot))
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

/* Copies up to @per_hold memslots. True: there are more memslots. */
static bool memslots_copy_some(struct kvm *kvm, struct copying *c)
{
	struct kvm_memslots *set;
	struct rb_node *node;
	u32 i = 0;

	lockdep_assert(srcu_read_lock_held(&kvm->srcu));
	for (; c->as_id < kx_nr_address_spaces(kvm); c->as_id++, c->gfn = 0) {
		set = __kvm_memslots(kvm, c->as_id);
		for (node = memslots_from(set, c->gfn); node; node = rb_next(node)) {
			const struct kvm_memory_slot *slot = memslots_slot_of(node, set->node_idx);

			if (i++ == c->per_hold) {
				c->gfn = slot->base_gfn;
				return true;
			}
			memslots_copy_one(c, slot);
		}
	}
	return false;
}

/*
 * Copies up to @room memslots, all of one generation, and returns how many there are. Each new
 * start doubles what one read section copies. As soon as one read section suffices for all
 * memslots, the copy succeeds, whatever the VMM does meanwhile.
 */
static u32 memslots_copy(struct kx_vm *vm, struct kx_memslot *raw, u32 room, u64 *gen)
{
	struct copying c = { .raw = raw, .room = room, .per_hold = SLOTS_PER_HOLD / 2 };
	bool more = true;
	int idx;

	while (more) {
		idx = srcu_read_lock(&vm->kvm->srcu);
		*gen = memslots_generation(vm);
		if (*gen != c.generation)
			c = (struct copying){
				.raw = raw, .room = room,
				.per_hold = 2 * c.per_hold, .generation = *gen,
			};
		more = memslots_copy_some(vm->kvm, &c);
		srcu_read_unlock(&vm->kvm->srcu, idx);
		cond_resched();
	}
	return c.n;
}

int kx_memslots_take(struct kx_memslots *set, struct kx_vm *vm)
{
	struct kx_memslot *raw = NULL;
	u32 n = 0, room;

	/* Not in a read section: a change of memslots would wait until reclaim finds memory. */
	do {
		room = n + 8;
		kvfree(raw);
		raw = kvcalloc(room, sizeof(*raw), GFP_KERNEL);
		if (!raw)
			return -ENOMEM;
		n = memslots_copy(vm, raw, room, &set->generation);
	} while (n > room);
	set->slots = raw;
	set->nr = n;
	return 0;
}
