// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log, through KVM's ioctls, beside a VMM that may want it itself.
 *
 * The ioctls take their arguments from user memory and work only for a task that
 * has the VMM's memory: so the pass thread borrows that, and puts arguments and
 * bitmaps into a mapping of its own there.
 */
#include <linux/bitmap.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "log.h"
#include "pml.h"
#include "slots.h"
#include "vm.h"

/* A test build keeps what it should give back, so that the tests of that can be seen to fail. */
#ifdef KVM_EXT_TEST_NOYIELD
#define YIELDS	false
#else
#define YIELDS	true
#endif

/* The buffer: a page for arguments, then a bitmap. */
#define BITMAP_OFFSET	PAGE_SIZE

/* --- what KVM does ------------------------------------------------------------------ */

u32 kx_log_mechanism(struct kvm *kvm)
{
	return kx_cpu_logs_writes(kvm);
}

u32 kx_log_mode(struct kvm *kvm)
{
	u64 manual = READ_ONCE(kvm->manual_dirty_log_protect);

	if (READ_ONCE(kvm->dirty_ring_size))
		return KVM_EXT_LOG_MODE_RING;
	if (manual & KVM_DIRTY_LOG_INITIALLY_SET)
		return KVM_EXT_LOG_MODE_ALL_SET;
	return manual ? KVM_EXT_LOG_MODE_MANUAL : KVM_EXT_LOG_MODE_PLAIN;
}

int kx_log_check(struct kvm *kvm)
{
	return kx_log_mode(kvm) == KVM_EXT_LOG_MODE_RING ? -EOPNOTSUPP : 0;
}

bool kx_log_is_manual(const struct kx_log *log)
{
	return kx_log_mode(log->vm->kvm) != KVM_EXT_LOG_MODE_PLAIN;
}

/* --- ioctls; the caller holds the lock and has the VMM's memory ------------------------- */

static long kvm_ioctl(struct kx_log *log, unsigned int cmd, const void *arg, size_t size, u64 *ns)
{
	u64 start = ktime_get_ns();
	long ret = -EFAULT;

	if (!copy_to_user((void __user *)log->buffer, arg, size))
		ret = kx_kvm_ioctl(log->vm->file, cmd, log->buffer, false);
	*ns += ktime_get_ns() - start;
	if (ret) {
		log->stats.errors++;
		log->stats.last_errno = -ret;
	}
	return ret;
}

static u32 slot_number(const struct kx_log_slot *s)
{
	return s->as_id << 16 | s->id;
}

/* KVM takes a region that differs from the memslot in its flags alone for a change of these. */
static long set_flags(struct kx_log *log, const struct kx_log_slot *s, u32 flags, u64 *ns)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot_number(s),
		.flags = s->flags | flags,
		.guest_phys_addr = gfn_to_gpa(s->gfn),
		.memory_size = s->npages << PAGE_SHIFT,
		.userspace_addr = s->hva,
	};

	return kvm_ioctl(log, KVM_SET_USER_MEMORY_REGION, &region, sizeof(region), ns);
}

static void enable(struct kx_log *log, struct kx_log_slot *s)
{
	if (set_flags(log, s, KVM_MEM_LOG_DIRTY_PAGES, &log->stats.enable_ns))
		return;
	s->ours = true;
	s->fresh = true;
	log->stats.enable_pages += s->npages;
	if (s->taken) {
		s->taken = false;
		log->stats.resumes++;
		log->stats.last_resume_ns = ktime_get_ns();
	}
}

static long disable(struct kx_log *log, struct kx_log_slot *s)
{
	long ret = set_flags(log, s, 0, &log->disable_ns);

	s->ours = false;
	if (!ret)
		log->disable_pages += s->npages;
	return ret;
}

/* --- the VMM's ioctls ---------------------------------------------------------------------- */

/* By number: 32-bit programs give other sizes. The first member of every argument is the slot. */
enum {
	NR_SET_REGION = _IOC_NR(KVM_SET_USER_MEMORY_REGION),
	NR_SET_REGION2 = 0x49,	/* KVM_SET_USER_MEMORY_REGION2, where there is one; begins alike */
	NR_GET_LOG = _IOC_NR(KVM_GET_DIRTY_LOG),
	NR_CLEAR_LOG = _IOC_NR(KVM_CLEAR_DIRTY_LOG),
};

static bool concerns_log(unsigned int cmd)
{
	switch (_IOC_NR(cmd)) {
	case NR_SET_REGION:
	case NR_SET_REGION2:
	case NR_GET_LOG:
	case NR_CLEAR_LOG:
		return _IOC_TYPE(cmd) == KVMIO;
	}
	return false;
}

static struct kx_log_slot *slot_by_number(struct kx_log *log, u32 number)
{
	u32 i;

	for (i = 0; i < log->nr; i++) {
		if (slot_number(&log->slots[i]) == number)
			return &log->slots[i];
	}
	return NULL;
}

/* Caller holds kvm->srcu. The memslot that @s was made from, if it is still there. */
static struct kvm_memory_slot *memslot_of(struct kx_log *log, const struct kx_log_slot *s)
{
	struct kvm_memory_slot *slot;

	slot = id_to_memslot(__kvm_memslots(log->vm->kvm, s->as_id), s->id);
	if (slot && slot->base_gfn == s->gfn && slot->npages == s->npages &&
	    slot->userspace_addr == s->hva)
		return slot;
	return NULL;
}

static bool is_logged(struct kx_log *log, const struct kx_log_slot *s)
{
	struct kvm *kvm = log->vm->kvm;
	struct kvm_memory_slot *slot;
	bool logged;
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	slot = memslot_of(log, s);
	logged = slot && (slot->flags & KVM_MEM_LOG_DIRTY_PAGES);
	srcu_read_unlock(&kvm->srcu, idx);
	return logged;
}

/* As if every page had been written: more than the VMM can have missed. */
static void set_all_dirty(struct kx_log *log, const struct kx_log_slot *s)
{
	struct kvm *kvm = log->vm->kvm;
	struct kvm_memory_slot *slot;
	u64 i;
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	slot = memslot_of(log, s);
	for (i = 0; slot && slot->dirty_bitmap && i < slot->npages; i++)
		set_bit_le(i, slot->dirty_bitmap);
	srcu_read_unlock(&kvm->srcu, idx);
}

/*
 * In the VMM's task, which has the buffer in its memory like the pass thread.
 * KVM can refuse only if the VMM has unmapped the buffer: then the log stays on,
 * and the VMM gets it with every bit we can have taken.
 */
static void give_back(struct kx_log *log, struct kx_log_slot *s)
{
	if (!YIELDS)
		return;
	if (disable(log, s))
		set_all_dirty(log, s);
	s->taken = true;
	log->stats.yields++;
	log->stats.last_yield_ns = ktime_get_ns();
}

static void before_vmm(struct kx_log *log, unsigned int cmd, struct kx_log_slot *s, u32 flags)
{
	bool sets = _IOC_NR(cmd) == NR_SET_REGION || _IOC_NR(cmd) == NR_SET_REGION2;

	if (!sets || flags & KVM_MEM_LOG_DIRTY_PAGES)
		give_back(log, s);
}

static long vmm_log_ioctl(struct kx_log *log, unsigned int cmd, unsigned long arg, bool compat)
{
	u32 __user *user = (u32 __user *)arg;
	struct kx_log_slot *s;
	u32 number, flags;
	long ret;

	/* The slot, and the flags of a region. What cannot be read here KVM cannot read either. */
	if (get_user(number, &user[0]) || get_user(flags, &user[1]))
		return kx_kvm_ioctl(log->vm->file, cmd, arg, compat);
	mutex_lock(&log->lock);
	s = slot_by_number(log, number);
	if (s && s->ours)
		before_vmm(log, cmd, s, flags);
	ret = kx_kvm_ioctl(log->vm->file, cmd, arg, compat);
	/* What the VMM sets replaces what we set, unless KVM refused it. */
	if (s && s->ours && !is_logged(log, s))
		s->ours = false;
	mutex_unlock(&log->lock);
	return ret;
}

static long vmm_ioctl(struct kx_interposer *self, unsigned int cmd, unsigned long arg, bool compat)
{
	struct kx_log *log = container_of(self, struct kx_log, interposer);

	/* KVM serves only tasks that have the VMM's memory. */
	if (concerns_log(cmd) && current->mm == log->vm->kvm->mm)
		return vmm_log_ioctl(log, cmd, arg, compat);
	return kx_kvm_ioctl(log->vm->file, cmd, arg, compat);
}

/* --- memslots, in the pass thread ---------------------------------------------------------- */

static void free_slots(struct kx_log_slot *slots, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		kvfree(slots[i].candidates);
		kvfree(slots[i].seen);
	}
	kvfree(slots);
}

/* Pages of @s in the tracker's range. */
static u64 wanted_pages(const struct kx_log *log, const struct kx_log_slot *s)
{
	gfn_t first = max(s->gfn, log->first_gfn), end = min(s->gfn + s->npages, log->end_gfn);

	return end > first ? end - first : 0;
}

static bool is_cut(const struct kx_log *log, const struct kx_log_slot *s)
{
	return kx_excluded_from(&log->vm->excluded, s->hva, s->hva + (s->npages << PAGE_SHIFT));
}

static bool same_place(const struct kx_log_slot *s, const struct kx_memslot *m)
{
	return s->as_id == m->as_id && s->id == m->id && s->gfn == m->gfn &&
	       s->npages == m->npages && s->hva == m->hva;
}

/* What was known of the memslot moves from @old to @s. */
static void inherit(struct kx_log *log, struct kx_log_slot *s, const struct kx_memslot *m)
{
	struct kx_log_slot *old = slot_by_number(log, m->as_id << 16 | m->id);

	if (!old || !same_place(old, m))
		return;
	s->ours = old->ours;
	s->taken = old->taken;
	s->fresh = old->fresh;
	swap(s->candidates, old->candidates);
	swap(s->seen, old->seen);
}

static int make_room_for_candidates(struct kx_log_slot *s)
{
	size_t bytes = BITS_TO_LONGS(s->npages) * sizeof(long);

	if (!s->candidates)
		s->candidates = kvzalloc(bytes, GFP_KERNEL_ACCOUNT);
	if (!s->seen)
		s->seen = kvzalloc(bytes, GFP_KERNEL_ACCOUNT);
	return s->candidates && s->seen ? 0 : -ENOMEM;
}

static int make_buffer(struct kx_log *log, u64 npages)
{
	unsigned long size = BITMAP_OFFSET + PAGE_ALIGN(BITS_TO_LONGS(npages) * sizeof(long));
	unsigned long buffer;

	if (log->buffer && size <= log->buffer_size)
		return 0;
	buffer = vm_mmap(NULL, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(buffer))
		return (int)buffer;
	if (log->buffer)
		vm_munmap(log->buffer, log->buffer_size);
	log->buffer = buffer;
	log->buffer_size = size;
	return 0;
}

/* True if this memslot can be had, and is. */
static bool take(struct kx_log *log, struct kx_log_slot *s, u32 flags, bool watch)
{
	if (flags & KVM_MEM_LOG_DIRTY_PAGES && !s->ours) {
		s->taken = true;
		s->ours = !YIELDS;
		s->fresh = !YIELDS;
		return true;
	}
	if (watch && make_room_for_candidates(s))
		return false;
	if (!s->ours)
		enable(log, s);
	return s->ours;
}

/* Caller holds the lock. */
static int sync_slots(struct kx_log *log, bool watch)
{
	struct kx_memslots set;
	struct kx_log_slot *slots;
	u64 largest = 0;
	u32 i;
	int err;

	if (log->slots && !log->incomplete &&
	    kx_slots_generation(log->vm) == log->generation)
		return 0;
	err = kx_memslots_take(&set, log->vm);
	if (err)
		return err;
	slots = kvcalloc(set.nr + 1, sizeof(*slots), GFP_KERNEL_ACCOUNT);
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
		inherit(log, s, m);
		s->cut = is_cut(log, s);
		s->wanted = wanted_pages(log, s);
		/* Only a log that starts full lets us choose what KVM arms. */
		if (s->cut && kx_log_mode(log->vm->kvm) != KVM_EXT_LOG_MODE_ALL_SET)
			s->wanted = false;
		if (s->wanted)
			largest = max(largest, s->npages);
	}
	free_slots(log->slots, log->nr);
	log->slots = slots;
	log->nr = set.nr;
	err = make_buffer(log, largest);
	log->incomplete = err;
	for (i = 0; i < set.nr && !err; i++) {
		if (slots[i].wanted && kx_can_log(set.slots[i].flags) &&
		    !take(log, &slots[i], set.slots[i].flags, watch))
			log->incomplete = true;
	}
	/* The VMM's changes wait for the lock; KVM's own concern no memory of the guest's. */
	log->generation = kx_slots_generation(log->vm);
	kvfree(set.slots);
	return err;
}

/* --- the pass thread ------------------------------------------------------------------------- */

static int use_mm(struct kx_log *log)
{
	struct mm_struct *mm = log->vm->kvm->mm;

	if (!mmget_not_zero(mm))
		return -ESRCH;
	kthread_use_mm(mm);
	return 0;
}

static void unuse_mm(struct kx_log *log)
{
	struct mm_struct *mm = log->vm->kvm->mm;

	kthread_unuse_mm(mm);
	mmput(mm);
}

static int enter(struct kx_log *log)
{
	struct kvm *kvm = log->vm->kvm;
	int err;

	if (log->entered)
		return 0;
	log->interposer.file = log->vm->file;
	log->interposer.ioctl = vmm_ioctl;
	err = kx_interpose(&log->interposer, kvm->mm, concerns_log);
	if (err)
		return err;
	kx_pml_count(&log->pml, kvm->mm);
	log->entered = true;
	return 0;
}

int kx_log_begin(struct kx_log *log, bool watch)
{
	int err;

	err = use_mm(log);
	if (err)
		return err;
	err = enter(log);
	if (!err) {
		mutex_lock(&log->lock);
		err = sync_slots(log, watch);
		mutex_unlock(&log->lock);
	}
	if (err) {
		mutex_lock(&log->lock);
		log->stats.errors++;
		log->stats.last_errno = -err;
		mutex_unlock(&log->lock);
		unuse_mm(log);
	}
	return err;
}

void kx_log_end(struct kx_log *log)
{
	unuse_mm(log);
}

void kx_log_leave(struct kx_log *log)
{
	u32 i;

	if (!log->entered)
		return;
	/* Without its memory the VM is gone, and its logs with it. */
	if (!use_mm(log)) {
		mutex_lock(&log->lock);
		for (i = 0; i < log->nr; i++) {
			if (log->slots[i].ours)
				disable(log, &log->slots[i]);
		}
		vm_munmap(log->buffer, log->buffer_size);
		mutex_unlock(&log->lock);
		unuse_mm(log);
	}
	kx_interpose_end(&log->interposer);
	kx_pml_count_end(&log->pml);
	log->entered = false;
	mutex_lock(&log->lock);
	free_slots(log->slots, log->nr);
	log->slots = NULL;
	log->nr = 0;
	log->buffer = 0;
	mutex_unlock(&log->lock);
}

bool kx_log_harvest(struct kx_log *log, struct kx_log_slot *s)
{
	struct kvm_dirty_log get = {
		.slot = slot_number(s),
		.dirty_bitmap = (void __user *)(log->buffer + BITMAP_OFFSET),
	};
	bool got = false;

	mutex_lock(&log->lock);
	if (s->ours)
		got = !kvm_ioctl(log, KVM_GET_DIRTY_LOG, &get, sizeof(get),
				 &log->stats.harvest_ns);
	if (got)
		log->stats.harvest_pages += s->npages;
	mutex_unlock(&log->lock);
	return got;
}

static void __user *bits_at(struct kx_log *log, u64 page)
{
	return (void __user *)(log->buffer + BITMAP_OFFSET + page / BITS_PER_BYTE);
}

bool kx_log_read(struct kx_log *log, u64 first, u64 npages)
{
	size_t bytes = BITS_TO_LONGS(npages) * sizeof(long);

	return !copy_from_user(kx_log_words(log, first), bits_at(log, first), bytes);
}

bool kx_log_write(struct kx_log *log, u64 first, u64 npages)
{
	size_t bytes = BITS_TO_LONGS(npages) * sizeof(long);

	return !copy_to_user(bits_at(log, first), kx_log_words(log, first), bytes);
}

void kx_log_exclude(struct kx_log *log, const struct kx_log_slot *s, u64 first,
		    unsigned int npages, unsigned long *bits)
{
	unsigned long start = s->hva + (first << PAGE_SHIFT), at = start, from, to;
	unsigned long end = start + ((unsigned long)npages << PAGE_SHIFT);
	const struct kx_hva_span *span;

	while (s->cut && (span = kx_excluded_from(&log->vm->excluded, at, end))) {
		from = max(span->start, start);
		to = min(span->end, end);
		bitmap_clear(bits, (from - start) >> PAGE_SHIFT, (to - from) >> PAGE_SHIFT);
		at = to;
	}
}

void kx_log_clear(struct kx_log *log, struct kx_log_slot *s, u64 first, u64 npages, u64 set)
{
	struct kvm_clear_dirty_log clear = {
		.slot = slot_number(s),
		.num_pages = npages,
		.first_page = first,
		.dirty_bitmap = bits_at(log, first),
	};
	struct kvm_ext_log_stats *stats = &log->stats;

	mutex_lock(&log->lock);
	if (s->ours && !kvm_ioctl(log, KVM_CLEAR_DIRTY_LOG, &clear, sizeof(clear),
				  s->fresh ? &stats->arm_ns : &stats->clear_ns)) {
		*(s->fresh ? &stats->arm_pages : &stats->clear_pages) += set;
		stats->clears += !s->fresh;
	}
	mutex_unlock(&log->lock);
}

/* --- account ------------------------------------------------------------------------------- */

void kx_log_init(struct kx_log *log, struct kx_vm *vm)
{
	memset(log, 0, sizeof(*log));
	mutex_init(&log->lock);
	log->vm = vm;
}

void kx_log_open(struct kx_log *log, gfn_t first_gfn, gfn_t end_gfn)
{
	struct kvm *kvm = log->vm->kvm;
	struct kvm_ext_log_stats fresh = {
		.mechanism = kx_log_mechanism(kvm),
		.mode = kx_log_mode(kvm),
	};

	mutex_lock(&log->lock);
	fresh.disable_ns = log->disable_ns;
	fresh.disable_pages = log->disable_pages;
	log->stats = fresh;
	atomic64_set(&log->pml.exits, 0);
	log->disable_ns = 0;
	log->disable_pages = 0;
	log->first_gfn = first_gfn;
	log->end_gfn = end_gfn;
	mutex_unlock(&log->lock);
}

bool kx_log_yielded(struct kx_log *log)
{
	struct kvm_ext_log_stats stats;
	bool yielded = kx_log_get_stats(log, &stats);

	if (yielded) {
		mutex_lock(&log->lock);
		log->stats.yielded_passes++;
		mutex_unlock(&log->lock);
	}
	return yielded;
}

void kx_log_set_candidates(struct kx_log *log, u64 candidates)
{
	mutex_lock(&log->lock);
	log->stats.candidates = candidates;
	mutex_unlock(&log->lock);
}

bool kx_log_get_stats(struct kx_log *log, struct kvm_ext_log_stats *out)
{
	const struct kx_log_slot *s;

	mutex_lock(&log->lock);
	*out = log->stats;
	out->pml_full_exits = atomic64_read(&log->pml.exits);
	for (s = log->slots; s < log->slots + log->nr; s++) {
		if (!s->wanted)
			continue;
		if (s->ours)
			out->pages += s->npages;
		else if (s->taken)
			out->vmm_pages += wanted_pages(log, s);
		else if (!kx_can_log(s->flags))
			out->other_pages += wanted_pages(log, s);
	}
	mutex_unlock(&log->lock);
	return out->vmm_pages && !out->pages;
}
