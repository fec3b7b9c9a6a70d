// SPDX-License-Identifier: GPL-2.0-only
/* Use of the dirty log through KVM's ioctls, beside a VMM that may use the log itself. */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/slab.h>

#include "log-ioctl.h"
#include "log-mode.h"
#include "log-slots.h"
#include "log-vmm.h"
#include "pml.h"
#include "vm.h"

/* --- the pass thread ------------------------------------------------------------------------- */

/*
 * As soon as the file's operations are replaced, @entered is set, and stays set until
 * kx_log_leave(), also if kx_interpose() still waits for a task of the VMM that entered KVM before.
 */
static int log_enter(struct kx_log *log)
{
	struct kvm *kvm = log->vm->kvm;
	int err;

	if (!log->entered) {
		log->interposer.file = log->vm->file;
		log->interposer.mm = kvm->mm;
		log->interposer.concerns = kx_log_concerns;
		log->interposer.before = kx_log_before_vmm;
		log->interposer.after = kx_log_after_vmm;
		kx_turn_open(&log->turn);
	}
	err = kx_interpose(&log->interposer);
	if (log->entered)
		return err;
	if (!log->interposer.begun) {
		kx_turn_close(&log->turn);
		return err;
	}
	/* Attaching a probe interrupts every CPU: this is not done where KVM does not use PML. */
	if (log->account.stats.mechanism != KVM_EXT_LOG_WRITE_PROTECT)
		kx_pml_count(&log->pml, kvm->mm);
	log->entered = true;
	return err;
}

int kx_log_begin(struct kx_log *log, bool watch)
{
	int err;

	WRITE_ONCE(log->aside, false);
	err = log_enter(log);
	if (!err)
		err = kx_log_sync_slots(log, watch);
	if (err && err != -ECANCELED)
		kx_log_account_error(&log->account, err);
	return err;
}

/* The turn is kept until all logs are off: waiting tasks of the VMM continue only then. */
void kx_log_leave(struct kx_log *log)
{
	u32 i;

	if (!log->entered)
		return;
	while (WARN_ON_ONCE(kx_turn_begin(&log->turn)))
		msleep(20);
	for (i = 0; i < log->nr; i++) {
		if (log->slots[i].ours)
			kx_log_disable(log, &log->slots[i]);
		cond_resched();
	}
	kx_log_drop_buffer(log);
	kx_log_forget_slots(log);
	kx_turn_close(&log->turn);
	kx_turn_end(&log->turn);
	kx_interpose_end(&log->interposer);
	kx_pml_count_end(&log->pml);
	log->entered = false;
	WRITE_ONCE(log->aside, false);
}

int kx_log_harvest(struct kx_log *log, struct kx_log_slot *s)
{
	struct kvm_dirty_log get = {
		.slot = kx_log_slot_number(s),
	};
	long ret = -ENOENT;
	int err;

	err = kx_turn_begin(&log->turn);
	if (err)
		return err;
	if (s->ours) {
		ret = kx_log_ioctl(log, KVM_GET_DIRTY_LOG, &get, sizeof(get),
				   &log->account.stats.harvest_ns);
		if (ret && ret != -ESRCH)
			ret = -ENOENT;
	}
	kx_turn_end(&log->turn);
	if (!ret)
		kx_log_account_add(&log->account, &log->account.stats.harvest_pages, s->npages);
	return ret;
}

bool kx_log_is_manual(const struct kx_log *log)
{
	return kx_log_mode(log->vm->kvm) != KVM_EXT_LOG_MODE_PLAIN;
}

/* The address of the bit of @page in this module's mapping of the buffer. */
static void *log_bits_at(struct kx_log *log, u64 page)
{
	return log->buffer->memory + KX_LOG_BITMAP_OFFSET + page / BITS_PER_BYTE;
}

/* The bits are copied because the VMM can write to the buffer at any time. */
void kx_log_read(struct kx_log *log, u64 first, u64 npages)
{
	memcpy(kx_log_words(log, first), log_bits_at(log, first),
	       BITS_TO_LONGS(npages) * sizeof(long));
}

void kx_log_write(struct kx_log *log, u64 first, u64 npages)
{
	memcpy(log_bits_at(log, first), kx_log_words(log, first),
	       BITS_TO_LONGS(npages) * sizeof(long));
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

int kx_log_clear(struct kx_log *log, struct kx_log_slot *s, u64 first, u64 npages, u64 set)
{
	struct kvm_clear_dirty_log clear = {
		.slot = kx_log_slot_number(s),
		.num_pages = npages,
		.first_page = first,
	};
	struct kvm_ext_log_stats *stats = &log->account.stats;
	long ret = 0;
	int err;

	err = kx_turn_begin(&log->turn);
	if (err)
		return err;
	if (s->ours)
		ret = kx_log_ioctl(log, KVM_CLEAR_DIRTY_LOG, &clear, sizeof(clear),
				   s->fresh ? &stats->arm_ns : &stats->clear_ns);
	if (s->ours && !ret) {
		mutex_lock(&log->account.lock);
		*(s->fresh ? &stats->arm_pages : &stats->clear_pages) += set;
		stats->clears += !s->fresh;
		mutex_unlock(&log->account.lock);
	}
	kx_turn_end(&log->turn);
	return ret == -ESRCH ? ret : 0;
}

/* --- account ------------------------------------------------------------------------------- */

void kx_log_init(struct kx_log *log, struct kx_vm *vm)
{
	memset(log, 0, sizeof(*log));
	kx_turn_init(&log->turn);
	mutex_init(&log->giving);
	mutex_init(&log->lock);
	kx_log_account_init(&log->account);
	log->vm = vm;
}

void kx_log_open(struct kx_log *log, gfn_t first_gfn, gfn_t end_gfn)
{
	struct kvm *kvm = log->vm->kvm;

	kx_log_account_open(&log->account, kx_log_mechanism(kvm), kx_log_mode(kvm));
	atomic64_set(&log->pml.exits, 0);
	mutex_lock(&log->lock);
	log->first_gfn = first_gfn;
	log->end_gfn = end_gfn;
	mutex_unlock(&log->lock);
}

/* Number of pages of @s in the tracker's range. */
static u64 log_wanted_pages(const struct kx_log *log, const struct kx_log_slot *s)
{
	gfn_t first = max(s->gfn, log->first_gfn), end = min(s->gfn + s->npages, log->end_gfn);

	return end > first ? end - first : 0;
}

static void log_count_pages(const struct kx_log *log, struct kvm_ext_log_stats *out)
{
	const struct kx_log_slot *s;

	lockdep_assert_held(&log->lock);
	for (s = log->slots; s < log->slots + log->nr; s++) {
		if (!s->wanted)
			continue;
		if (s->ours)
			out->pages += s->npages;
		else if (s->taken)
			out->vmm_pages += log_wanted_pages(log, s);
		else if (!kx_can_log(s->flags))
			out->other_pages += log_wanted_pages(log, s);
	}
}

static bool log_is_yielded(const struct kvm_ext_log_stats *stats)
{
	return stats->vmm_pages && !stats->pages;
}

bool kx_log_yielded(struct kx_log *log)
{
	struct kvm_ext_log_stats stats = {};
	bool yielded;

	mutex_lock(&log->lock);
	log_count_pages(log, &stats);
	mutex_unlock(&log->lock);
	yielded = log_is_yielded(&stats);
	kx_log_account_add(&log->account, &log->account.stats.yielded_passes, yielded);
	return yielded;
}

void kx_log_stood_aside(struct kx_log *log)
{
	kx_log_account_add(&log->account, &log->account.more.aside_passes, 1);
	WRITE_ONCE(log->aside, true);
}

void kx_log_set_candidates(struct kx_log *log, u64 candidates)
{
	mutex_lock(&log->account.lock);
	log->account.stats.candidates = candidates;
	mutex_unlock(&log->account.lock);
}

u32 kx_log_get_stats(struct kx_log *log, struct kvm_ext_log_stats *out,
		     struct kvm_ext_log_more_stats *more)
{
	mutex_lock(&log->lock);
	mutex_lock(&log->account.lock);
	*out = log->account.stats;
	*more = log->account.more;
	mutex_unlock(&log->account.lock);
	out->pml_full_exits = atomic64_read(&log->pml.exits);
	log_count_pages(log, out);
	mutex_unlock(&log->lock);
	if (READ_ONCE(log->aside))
		return KVM_EXT_STATE_ASIDE;
	return log_is_yielded(out) ? KVM_EXT_STATE_YIELDED : 0;
}

bool kx_log_reserve(struct kx_log *log, long timeout, bool killable)
{
	return kx_turn_reserve(&log->turn, timeout, killable);
}

void kx_log_unreserve(struct kx_log *log)
{
	kx_turn_unreserve(&log->turn);
}
