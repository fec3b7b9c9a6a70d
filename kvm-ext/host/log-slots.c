// SPDX-License-Identifier: GPL-2.0-only
/* The list of the VM's memslots, and who uses each memslot's log. In the pass thread. */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "log-ioctl.h"
#include "log-mode.h"
#include "log-slots.h"
#include "memslots.h"
#include "test-build.h"
#include "vm.h"

static struct kx_log_slot *log_slots_new(struct kx_log *log, u32 nr)
{
	return kx_memory_new(&log->vm->memory, nr + 1, sizeof(struct kx_log_slot));
}

static void log_slots_free(struct kx_log *log, struct kx_log_slot *slots, u32 nr)
{
	struct kx_memory *m = &log->vm->memory;
	u32 i;

	for (i = 0; i < nr; i++) {
		u64 longs = BITS_TO_LONGS(slots[i].npages);

		kx_memory_free(m, slots[i].candidates, longs, sizeof(long));
		kx_memory_free(m, slots[i].seen, longs, sizeof(long));
		cond_resched();
	}
	kx_memory_free(m, slots, nr + 1, sizeof(*slots));
}

static void log_slots_replace(struct kx_log *log, struct kx_log_slot *slots, u32 nr)
{
	struct kx_log_slot *old_slots = log->slots;
	u32 old_nr = log->nr;

	lockdep_assert(log->turn.own || log->turn.closed);
	mutex_lock(&log->lock);
	log->slots = slots;
	log->nr = nr;
	mutex_unlock(&log->lock);
	log_slots_free(log, old_slots, old_nr);
}

void kx_log_forget_slots(struct kx_log *log)
{
	log_slots_replace(log, NULL, 0);
}

/* --- a new list from KVM's memslots and the old list -------------------------------------- */

static bool log_slots_is_cut(const struct kx_log *log, const struct kx_log_slot *s)
{
	return kx_excluded_from(&log->vm->excluded, s->hva, s->hva + (s->npages << PAGE_SHIFT));
}

static bool log_slots_is_wanted(const struct kx_log *log, const struct kx_log_slot *s)
{
	/* In the other modes KVM write-protects the whole memslot, with the excluded part. */
	if (s->cut && kx_log_mode(log->vm->kvm) != KVM_EXT_LOG_MODE_ALL_SET)
		return false;
	return s->gfn < log->end_gfn && s->gfn + s->npages > log->first_gfn;
}

static bool log_slots_same_place(const struct kx_log_slot *a, const struct kx_log_slot *b)
{
	return a->as_id == b->as_id && a->id == b->id && a->gfn == b->gfn &&
	       a->npages == b->npages && a->hva == b->hva;
}

static bool log_slots_is_before(const struct kx_log_slot *a, const struct kx_log_slot *b)
{
	return a->as_id < b->as_id || (a->as_id == b->as_id && a->gfn < b->gfn);
}

/*
 * If @s was in the old list, moves its state from there. Both lists are sorted; *@at is the
 * position in the old list.
 */
static void log_slots_inherit(struct kx_log *log, struct kx_log_slot *s, u32 *at)
{
	struct kx_log_slot *old;

	while (*at < log->nr && log_slots_is_before(&log->slots[*at], s))
		++*at;
	old = log->slots + *at;
	if (*at == log->nr || !log_slots_same_place(old, s))
		return;
	s->ours = old->ours;
	s->taken = old->taken;
	s->fresh = old->fresh;
	swap(s->candidates, old->candidates);
	swap(s->seen, old->seen);
}

/* The pass thread has the turn, so the VMM changes no memslot, and no log is given back. */
static int log_slots_renew(struct kx_log *log)
{
	struct kx_log_slot *slots;
	struct kx_memslots set;
	u64 largest = 0;
	u32 i, at = 0;
	int err;

	lockdep_assert(log->turn.own);
	err = kx_memslots_take(&set, log->vm);
	if (err)
		return err;
	slots = log_slots_new(log, set.nr);
	if (!slots) {
		kvfree(set.slots);
		return -ENOMEM;
	}
	for (i = 0; i < set.nr; i++) {
		const struct kx_memslot *m = &set.slots[i];
		struct kx_log_slot *s = &slots[i];

		*s = (struct kx_log_slot){
			.gfn = m->gfn, .npages = m->npages, .hva = m->hva,
			.flags = m->flags & ~KVM_MEM_LOG_DIRTY_PAGES,
			.as_id = m->as_id, .id = m->id,
		};
		log_slots_inherit(log, s, &at);
		s->cut = log_slots_is_cut(log, s);
		s->wanted = log_slots_is_wanted(log, s);
		if (s->wanted)
			largest = max(largest, s->npages);
		cond_resched();
	}
	log_slots_replace(log, slots, set.nr);
	log->generation = set.generation;
	kvfree(set.slots);
	err = kx_log_make_buffer(log, largest);
	log->incomplete = err;
	return err;
}

/* --- logs -------------------------------------------------------------------------------- */

static int log_slots_make_room(struct kx_log *log, struct kx_log_slot *s)
{
	u64 longs = BITS_TO_LONGS(s->npages);

	if (!s->candidates)
		s->candidates = kx_memory_new(&log->vm->memory, longs, sizeof(long));
	if (!s->seen)
		s->seen = kx_memory_new(&log->vm->memory, longs, sizeof(long));
	return s->candidates && s->seen ? 0 : -ENOMEM;
}

static void log_slots_note_vmms(struct kx_log *log, struct kx_log_slot *s)
{
	mutex_lock(&log->lock);
	s->taken = true;
	s->ours = kx_test(noyield);
	s->fresh = kx_test(noyield);
	mutex_unlock(&log->lock);
}

/*
 * The pass thread has the turn. If the VMM has changed memslots since the list was made, the next
 * pass makes a new list. The generation is read again at the end, because this function's own ioctl
 * has changed it. A change that KVM makes by itself may be overlooked: it concerns no guest RAM.
 */
static void log_slots_take(struct kx_log *log, struct kx_log_slot *s)
{
	u32 flags;

	lockdep_assert(log->turn.own);
	if (kx_memslots_generation(log->vm) != log->generation)
		log->incomplete = true;
	if (!kx_log_memslot_flags(log, s, &flags) ||
	    (flags & ~KVM_MEM_LOG_DIRTY_PAGES) != s->flags)
		log->incomplete = true;
	else if (flags & KVM_MEM_LOG_DIRTY_PAGES)
		log_slots_note_vmms(log, s);
	else if (kx_log_enable(log, s))
		log->incomplete = true;
	log->generation = kx_memslots_generation(log->vm);
}

static int log_slots_take_in_turn(struct kx_log *log, struct kx_log_slot *s, bool watch)
{
	int err;

	if (watch && log_slots_make_room(log, s)) {
		log->incomplete = true;
		return 0;
	}
	if (READ_ONCE(s->ours))
		return 0;
	err = kx_turn_begin(&log->turn);
	if (err)
		return err;
	log_slots_take(log, s);
	kx_turn_end(&log->turn);
	return 0;
}

/* Between two memslots the VMM can have the turn, and a task that wants the thread gets it. */
static int log_slots_take_all(struct kx_log *log, bool watch)
{
	int err = 0;
	u32 i;

	for (i = 0; i < log->nr && !err; i++) {
		struct kx_log_slot *s = &log->slots[i];

		if (kthread_should_park() || kthread_should_stop())
			err = -ECANCELED;
		else if (s->wanted && kx_can_log(s->flags))
			err = log_slots_take_in_turn(log, s, watch);
		cond_resched();
	}
	if (err)
		log->incomplete = true;
	return err;
}

int kx_log_sync_slots(struct kx_log *log, bool watch)
{
	int err;

	if (log->slots && !log->incomplete && kx_memslots_generation(log->vm) == log->generation)
		return 0;
	err = kx_turn_begin(&log->turn);
	if (err)
		return err;
	err = log_slots_renew(log);
	kx_turn_end(&log->turn);
	return err ?: log_slots_take_all(log, watch);
}
