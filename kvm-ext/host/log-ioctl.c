// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's ioctls on the dirty log, issued by this module.
 *
 * KVM reads the arguments from user memory, and serves only tasks that use the VMM's address space.
 * So the pass thread uses this address space for one ioctl at a time. If the thread kept it for
 * longer, the memory of a VMM that is killed meanwhile would not be freed before the thread is
 * done.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "log-ioctl.h"
#include "test-build.h"
#include "vm.h"

/* Number of attempts to switch a log off, and the time between two attempts. */
#define DISABLE_TRIES	4
#define DISABLE_MS	5

/* --- the VMM's memory ------------------------------------------------------------------- */

/* A task of the VMM uses the VMM's address space already: *@borrowed is false. */
static bool log_borrow_mm(struct kx_log *log, bool *borrowed)
{
	struct mm_struct *mm = log->vm->kvm->mm;

	*borrowed = current->mm != mm;
	if (!*borrowed)
		return true;
	if (!mmget_not_zero(mm))
		return false;
	kthread_use_mm(mm);
	return true;
}

static void log_return_mm(struct kx_log *log, bool borrowed)
{
	struct mm_struct *mm = log->vm->kvm->mm;

	if (!borrowed)
		return;
	kthread_unuse_mm(mm);
	mmput(mm);
}

int kx_log_make_buffer(struct kx_log *log, u64 npages)
{
	unsigned long size = KX_LOG_BITMAP_OFFSET + BITS_TO_LONGS(npages) * sizeof(long);
	struct kx_log_buffer *buffer;

	if (log->buffer && size <= log->buffer->size)
		return 0;
	/* If this fails, the old buffer still serves to switch off the logs that are on. */
	buffer = kx_log_buffer_new(size);
	if (!buffer)
		return -ENOMEM;
	kx_log_drop_buffer(log);
	log->buffer = buffer;
	kx_memory_count(&log->vm->memory, buffer->size);
	return 0;
}

void kx_log_drop_buffer(struct kx_log *log)
{
	bool borrowed;

	if (!log->buffer)
		return;
	/* If the VMM's memory is gone, the mapping is gone, too. */
	if (log_borrow_mm(log, &borrowed)) {
		kx_log_buffer_unmap(log->buffer);
		log_return_mm(log, borrowed);
	}
	kx_memory_count(&log->vm->memory, -(s64)log->buffer->size);
	kx_log_buffer_put(log->buffer);
	log->buffer = NULL;
}

/* --- ioctls ------------------------------------------------------------------------------ */

/* Sets the member for the bitmap's address: where the VMM's address space maps the bitmap. */
static void log_set_bitmap(struct kx_log *log, unsigned int cmd)
{
	unsigned long bitmap = READ_ONCE(log->buffer->address) + KX_LOG_BITMAP_OFFSET;
	struct kvm_clear_dirty_log *clear = log->buffer->memory;
	struct kvm_dirty_log *get = log->buffer->memory;

	if (cmd == KVM_GET_DIRTY_LOG)
		get->dirty_bitmap = (void __user *)bitmap;
	else if (cmd == KVM_CLEAR_DIRTY_LOG)
		clear->dirty_bitmap = (void __user *)(bitmap + clear->first_page / BITS_PER_BYTE);
}

static long log_carry_out(struct kx_log *log, unsigned int cmd, const void *arg, size_t size)
{
	long ret;

	/* Maps the buffer at its first use, and again if the VMM has unmapped it. */
	ret = kx_log_buffer_map(log->buffer);
	if (ret)
		return ret;
	memcpy(log->buffer->memory, arg, size);
	log_set_bitmap(log, cmd);
	return kx_kvm_ioctl(log->vm->file, cmd, READ_ONCE(log->buffer->address), false);
}

long kx_log_ioctl(struct kx_log *log, unsigned int cmd, const void *arg, size_t size, u64 *ns)
{
	u64 start = ktime_get_ns();
	bool borrowed;
	long ret = -ESRCH;

	if (log_borrow_mm(log, &borrowed)) {
		ret = log_carry_out(log, cmd, arg, size);
		log_return_mm(log, borrowed);
	}
	kx_log_account_add(&log->account, ns, ktime_get_ns() - start);
	if (ret)
		kx_log_account_error(&log->account, ret);
	return ret;
}

/* If only the flags of a region differ from those of the memslot, KVM changes only the flags. */
static long log_set_flags(struct kx_log *log, const struct kx_log_slot *s, u32 flags, u64 *ns)
{
	struct kvm_userspace_memory_region region = {
		.slot = kx_log_slot_number(s),
		.flags = s->flags | flags,
		.guest_phys_addr = gfn_to_gpa(s->gfn),
		.memory_size = s->npages << PAGE_SHIFT,
		.userspace_addr = s->hva,
	};

	return kx_log_ioctl(log, KVM_SET_USER_MEMORY_REGION, &region, sizeof(region), ns);
}

long kx_log_enable(struct kx_log *log, struct kx_log_slot *s)
{
	long ret = log_set_flags(log, s, KVM_MEM_LOG_DIRTY_PAGES, &log->account.stats.enable_ns);
	bool resumed;

	if (ret)
		return ret;
	mutex_lock(&log->lock);
	resumed = s->taken;
	s->ours = true;
	s->fresh = true;
	s->taken = false;
	mutex_unlock(&log->lock);
	mutex_lock(&log->account.lock);
	log->account.stats.enable_pages += s->npages;
	if (resumed) {
		log->account.stats.resumes++;
		log->account.stats.last_resume_ns = ktime_get_ns();
	}
	mutex_unlock(&log->account.lock);
	return 0;
}

/* --- KVM's memslots and bitmaps ----------------------------------------------------------- */

/* KVM's memslot from which @s was made; NULL: it does not exist any more. */
static struct kvm_memory_slot *log_memslot_of(struct kx_log *log, const struct kx_log_slot *s)
{
	struct kvm_memory_slot *slot;

	lockdep_assert(srcu_read_lock_held(&log->vm->kvm->srcu));
	slot = id_to_memslot(__kvm_memslots(log->vm->kvm, s->as_id), s->id);
	if (slot && slot->base_gfn == s->gfn && slot->npages == s->npages &&
	    slot->userspace_addr == s->hva)
		return slot;
	return NULL;
}

bool kx_log_memslot_flags(struct kx_log *log, const struct kx_log_slot *s, u32 *flags)
{
	struct kvm *kvm = log->vm->kvm;
	struct kvm_memory_slot *slot;
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	slot = log_memslot_of(log, s);
	if (slot)
		*flags = slot->flags;
	srcu_read_unlock(&kvm->srcu, idx);
	return slot;
}

/*
 * Sets the bits of @npages pages from page @first on, a multiple of 64. Words that get all bits
 * need no atomic operation, because other tasks only set bits, too. Bits behind the last page stay
 * clear, as KVM expects.
 */
static void log_set_bits(unsigned long *bitmap, u64 first, u64 npages)
{
	unsigned long *word = bitmap + first / BITS_PER_LONG;
	unsigned int rest = npages % BITS_PER_LONG;

	memset(word, 0xff, npages / BITS_PER_LONG * sizeof(long));
	if (rest)
		word[npages / BITS_PER_LONG] |= BITMAP_LAST_WORD_MASK(rest);
}

/* Marks every page as dirty, piece by piece: the VMM then misses no page that was written. */
static void log_set_all_dirty(struct kx_log *log, const struct kx_log_slot *s)
{
	struct kvm *kvm = log->vm->kvm;
	struct kvm_memory_slot *slot;
	u64 first;
	int idx;

	for (first = 0; first < s->npages; first += KX_LOG_PIECE) {
		idx = srcu_read_lock(&kvm->srcu);
		slot = log_memslot_of(log, s);
		if (slot && slot->dirty_bitmap)
			log_set_bits(slot->dirty_bitmap, first,
				     min(s->npages - first, KX_LOG_PIECE));
		srcu_read_unlock(&kvm->srcu, idx);
		cond_resched();
	}
}

static long log_switch_off(struct kx_log *log, const struct kx_log_slot *s)
{
	if (kx_test(stucklog))
		return -ENOMEM;
	return log_set_flags(log, s, 0, &log->account.disable_ns);
}

/*
 * KVM allocates memory to switch a log off. In a task of the VMM, the limit of the memory cgroup
 * may prevent this. Then the log stays on with all of its bits set, so that the log contains each
 * page that this module may have cleared in it.
 */
long kx_log_disable(struct kx_log *log, struct kx_log_slot *s)
{
	int tries = 1;
	long ret;

	while ((ret = log_switch_off(log, s)) && ret != -ESRCH && tries++ < DISABLE_TRIES)
		msleep(DISABLE_MS);
	if (ret && ret != -ESRCH) {
		log_set_all_dirty(log, s);
		pr_warn_ratelimited("kvm-ext: the dirty log of memslot %u of the VM with pid %d stays on, because KVM refuses to switch it off (error %ld); every page is marked dirty\n",
				    kx_log_slot_number(s), log->vm->kvm->userspace_pid, -ret);
	}
	mutex_lock(&log->lock);
	s->ours = false;
	mutex_unlock(&log->lock);
	if (!ret)
		kx_log_account_add(&log->account, &log->account.disable_pages, s->npages);
	else if (ret != -ESRCH)
		kx_log_account_add(&log->account, &log->account.more.stuck_pages, s->npages);
	return ret;
}
