/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_H
#define KVM_EXT_LOG_H

#include <linux/kvm_host.h>
#include <linux/mutex.h>
#include <kvm-ext/uapi.h>

#include "interpose.h"
#include "log-account.h"
#include "log-buffer.h"
#include "log-turn.h"
#include "pml.h"

struct kx_vm;

/**
 * struct kx_log_slot - a memslot, and who uses its log
 * @gfn: its first guest page
 * @npages: pages of 4 KiB
 * @hva: the address of the first page in the VMM
 * @flags: KVM_MEM_*, without KVM_MEM_LOG_DIRTY_PAGES
 * @as_id: the address space
 * @id: the number that the VMM gave the memslot in this address space
 * @wanted: the memslot overlaps the tracker's range, and no excluded part of it forbids a log
 * @cut: a part of the memslot is excluded
 * @ours: we switched the memslot's log on
 * @taken: the VMM took the memslot, or logged it before we started
 * @fresh: no pass has gone over this log to its end, so the age of its content is unknown
 * @candidates: pml-abit: watched pages; else NULL
 * @seen: pml-abit: candidates that were accessed lately; else NULL
 */
struct kx_log_slot {
	gfn_t gfn;
	u64 npages;
	unsigned long hva;
	u32 flags;
	u16 as_id;
	u16 id;
	bool wanted;
	bool cut;
	bool ours;
	bool taken;
	bool fresh;
	unsigned long *candidates, *seen;
};

/**
 * struct kx_log - a VM's dirty log, used through KVM's ioctls on the VM's file
 * @turn: our ioctls and the VMM's exclude each other. @slots, which the pass thread replaces, does
 *	not change for a task that has the turn. Held over ioctls.
 * @giving: held by a task of the VMM while the task gets a memslot back, and over the task's own
 *	ioctl that sets a memslot. A second task waits here instead of in KVM.
 * @lock: protects @slots, their @ours and @taken, @first_gfn and @end_gfn. Held briefly.
 * @account: the statistics; it has a lock of its own
 * @vm: the VM
 * @interposer: shows us the VMM's ioctls
 * @entered: from the first kx_log_begin() to kx_log_leave()
 * @first_gfn: first page that is tracked
 * @end_gfn: the page behind the last one
 * @generation: of the memslots, when @slots was made
 * @slots: the VM's memslots
 * @nr: number of memslots
 * @incomplete: the list or a log is not up to date: the next pass tries again
 * @buffer: for arguments and bitmaps; NULL: none
 * @words: a piece of a bitmap, in memory to which the VMM cannot write
 * @aside: the last pass stood aside
 * @pml: counts the exits of full buffers
 *
 * A tracker uses the log from kx_log_open() to kx_log_leave().
 *
 * A memslot is *ours* if we switched its log on. The VMM's own ioctls that concern the log pass
 * through this module first (interpose.h). If the VMM wants to log a memslot that is ours, or to
 * read or clear its log, the memslot is given back before KVM gets the ioctl. So KVM carries out
 * the VMM's ioctl on a memslot without a log, or with a log that only the VMM uses.
 *
 * The locks are taken in this order: @turn, @giving, @lock, the lock of @account. Members without a
 * lock belong to the pass thread.
 */
struct kx_log {
	struct kx_turn turn;
	struct mutex giving;	/* as said above */
	struct mutex lock;	/* as said above */
	struct kx_log_account account;
	struct kx_vm *vm;
	struct kx_interposer interposer;
	bool entered;
	gfn_t first_gfn, end_gfn;
	u64 generation;
	struct kx_log_slot *slots;
	u32 nr;
	bool incomplete;
	struct kx_log_buffer *buffer;
	unsigned long words[PAGE_SIZE / sizeof(long)];
	bool aside;
	struct kx_pml_counter pml;
};

/* Bitmaps are read in pieces of this many pages; a piece starts at a multiple of this number. */
#define KX_LOG_PIECE	(PAGE_SIZE * BITS_PER_BYTE)

/* The word in @words that holds the bit of page @first; @first is a multiple of 64. */
static inline unsigned long *kx_log_words(struct kx_log *log, u64 first)
{
	return log->words + (first & (KX_LOG_PIECE - 1)) / BITS_PER_LONG;
}

/**
 * kx_log_init() - prepare a log that is not used yet
 * @log: the log
 * @vm: the VM, attached for longer than the log is used
 */
void kx_log_init(struct kx_log *log, struct kx_vm *vm);

/**
 * kx_log_open() - start a new account, for a new setting
 * @log: the log
 * @first_gfn: first page to track
 * @end_gfn: the page behind the last one
 *
 * Context: may sleep; the pass thread is parked.
 */
void kx_log_open(struct kx_log *log, gfn_t first_gfn, gfn_t end_gfn);

/**
 * kx_log_get_stats() - copy the account
 * @log: the log
 * @out: result; all members are written
 * @more: result; all members are written
 *
 * Context: may sleep, but does not wait for any ioctl.
 * Return: KVM_EXT_STATE_YIELDED, KVM_EXT_STATE_ASIDE or neither.
 */
u32 kx_log_get_stats(struct kx_log *log, struct kvm_ext_log_stats *out,
		     struct kvm_ext_log_more_stats *more);

/**
 * kx_log_reserve() - call before the pass thread is parked or stopped: the thread then ends its use
 * of the log
 * @log: the log
 * @timeout: how long to wait, in jiffies
 * @killable: the caller may be killed meanwhile
 *
 * Context: may sleep; see kx_turn_reserve().
 * Return: false: the VMM stays in an ioctl on the log.
 */
bool kx_log_reserve(struct kx_log *log, long timeout, bool killable);

/**
 * kx_log_unreserve() - undo kx_log_reserve()
 * @log: the log, reserved
 */
void kx_log_unreserve(struct kx_log *log);

/*
 * --- for the pass thread; all of these functions may sleep ------------------------------
 *
 * Return values: 0; -EAGAIN: the VMM stays in an ioctl on the log, so the pass stands aside;
 * -ECANCELED: another task wants the thread; -ESRCH: the VMM's memory is gone; or another error.
 */

/**
 * kx_log_begin() - call at the beginning of a pass
 * @log: the log
 * @watch: allocate candidates
 *
 * Switches on the log of every memslot in the range that the VMM does not log, one after the other.
 */
int kx_log_begin(struct kx_log *log, bool watch);

/**
 * kx_log_leave() - switch off all logs that are ours, and give the VM file its operations back
 * @log: the log; the turn is reserved, or the VMM is gone
 */
void kx_log_leave(struct kx_log *log);

/**
 * kx_log_harvest() - get the log of a memslot into the buffer
 * @log: the log
 * @s: the memslot
 *
 * Return: see above; -ENOENT: the memslot is not ours, or KVM refused.
 */
int kx_log_harvest(struct kx_log *log, struct kx_log_slot *s);

/**
 * kx_log_read() - copy bits out of the buffer, to which the VMM can write as well
 * @log: the log
 * @first: the page of the first bit, in the harvested memslot
 * @npages: bits, in one piece
 */
void kx_log_read(struct kx_log *log, u64 first, u64 npages);

/**
 * kx_log_write() - copy bits back into the buffer
 * @log: the log
 * @first: the page of the first bit, in the harvested memslot
 * @npages: bits, in one piece
 */
void kx_log_write(struct kx_log *log, u64 first, u64 npages);

/**
 * kx_log_clear() - clear pages in the log: their next write is logged again
 * @log: the log
 * @s: the harvested memslot
 * @first: the first page, a multiple of 64
 * @npages: how many pages; a multiple of 64, or to the end of @s
 * @set: number of these pages with a bit in the buffer; only these pages are cleared
 */
int kx_log_clear(struct kx_log *log, struct kx_log_slot *s, u64 first, u64 npages, u64 set);

/**
 * kx_log_is_manual() - does harvesting leave the log unchanged?
 * @log: the log
 *
 * Return: false: harvesting clears the log.
 */
bool kx_log_is_manual(const struct kx_log *log);

/**
 * kx_log_exclude() - clear the bits of excluded pages
 * @log: the log
 * @s: the memslot
 * @first: the page of the first bit
 * @npages: bits
 * @bits: the bits
 */
void kx_log_exclude(struct kx_log *log, const struct kx_log_slot *s, u64 first,
		    unsigned int npages, unsigned long *bits);

/**
 * kx_log_yielded() - at the end of a pass: does the VMM log all wanted memory?
 * @log: the log, whose account counts such passes
 */
bool kx_log_yielded(struct kx_log *log);

/**
 * kx_log_set_candidates() - pml-abit: set the number of watched pages
 * @log: the log
 * @candidates: pages of 4 KiB
 */
void kx_log_set_candidates(struct kx_log *log, u64 candidates);

/**
 * kx_log_stood_aside() - count that a pass stands aside
 * @log: the log
 */
void kx_log_stood_aside(struct kx_log *log);

#endif /* KVM_EXT_LOG_H */
