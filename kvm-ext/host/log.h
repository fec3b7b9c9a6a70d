/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_H
#define KVM_EXT_LOG_H

#include <linux/kvm_host.h>
#include <linux/mutex.h>
#include <kvm-ext/uapi.h>

#include "interpose.h"
#include "log-buffer.h"
#include "log-turn.h"
#include "pml.h"

struct kx_vm;

/*
 * A VM's dirty log, used through KVM's ioctls on the VM's file, for as long as a
 * tracker needs it: kx_log_open() … kx_log_leave().
 *
 * A memslot is *ours* if we switched its log on. The VMM's own ioctls that
 * concern the log come by us first (interpose.h), and a memslot that the VMM
 * wants to log, or whose log it reads, is given back before KVM hears of that.
 * So KVM carries out the VMM's ioctl on a memslot without a log, or with one
 * that only the VMM uses.
 *
 * Three locks, in this order:
 * @turn: our ioctls and the VMM's exclude each other; @slots, which is replaced in
 *        the pass thread, stays as it is for who is in. Held over ioctls.
 * @giving: one of the VMM's tasks gives back, or sets a memslot, at a time. Held over
 *        such an ioctl. Who waits for it would wait in KVM for the same other task.
 * @lock: what others read: @slots, @ours, @taken, statistics. Held for moments.
 * The rest is the pass thread's.
 */
struct kx_log_slot {
	gfn_t gfn;
	u64 npages;
	unsigned long hva;
	u32 flags;		/* without KVM_MEM_LOG_DIRTY_PAGES */
	u16 as_id;
	u16 id;
	bool wanted;		/* overlaps the tracker's range, and may be logged */
	bool cut;		/* some of it is excluded */
	bool ours;
	bool taken;		/* the VMM took it, or had it when we came */
	bool fresh;		/* its log was never read: how old is what is in it? */
	/* pml-abit, else NULL: pages it watches, and which of them were accessed lately */
	unsigned long *candidates, *seen;
};

struct kx_log {
	struct kx_turn turn;	/* these three as said above */
	struct mutex giving;	/* what the VMM gets */
	struct mutex lock;	/* what others read */
	struct kx_vm *vm;
	struct kx_interposer interposer;
	bool entered;
	gfn_t first_gfn, end_gfn;
	u64 generation;		/* of the memslots, when @slots was made */
	struct kx_log_slot *slots;
	u32 nr;
	bool incomplete;	/* some memslot could not be switched: try again */
	struct kx_log_buffer *buffer;	/* for arguments and bitmaps; NULL: none */
	unsigned long words[PAGE_SIZE / sizeof(long)]; /* a piece of a bitmap, in our memory */
	struct kvm_ext_log_stats stats;
	struct kvm_ext_log_more_stats more;
	bool aside;		/* the last pass stood aside */
	u64 disable_ns, disable_pages;	/* of the tracker that runs; told in the next account */
	struct kx_pml_counter pml;
};

/* A piece of a bitmap is read at a time, of so many pages and starting at a multiple of that. */
#define KX_LOG_PIECE	(PAGE_SIZE * BITS_PER_BYTE)

/* Where the bits of page @first, a multiple of 64, of the piece are. */
static inline unsigned long *kx_log_words(struct kx_log *log, u64 first)
{
	return log->words + (first & (KX_LOG_PIECE - 1)) / BITS_PER_LONG;
}

void kx_log_init(struct kx_log *log, struct kx_vm *vm);

/* A new account, for a tracker of [@first_gfn, @end_gfn). The pass thread is parked. */
void kx_log_open(struct kx_log *log, gfn_t first_gfn, gfn_t end_gfn);
/* Waits for no ioctl, whoever's. Returns KVM_EXT_STATE_YIELDED, KVM_EXT_STATE_ASIDE or neither. */
u32 kx_log_get_stats(struct kx_log *log, struct kvm_ext_log_stats *out,
		     struct kvm_ext_log_more_stats *more);

/*
 * Before the pass thread is parked or stopped, which makes it leave the log: see
 * kx_turn_reserve(). False: the VMM is in an ioctl on the log and does not come out.
 */
bool kx_log_reserve(struct kx_log *log, long timeout, bool killable);
void kx_log_unreserve(struct kx_log *log);

/* What KVM does for this VM. */
u32 kx_log_mechanism(struct kvm *kvm);
u32 kx_log_mode(struct kvm *kvm);
/* -EOPNOTSUPP with a dirty ring. */
int kx_log_check(struct kvm *kvm);

/* --- in the pass thread ---------------------------------------------------------- */

/*
 * What these return: 0; -EAGAIN the VMM is in an ioctl on the log and does not come out: the
 * pass stands aside; -ECANCELED somebody wants the thread; -ESRCH the VMM's memory is gone;
 * or another error.
 */

/*
 * At the beginning of a pass: brings the log of every memslot of the range that the
 * VMM does not log under us, one after the other. @watch: with room for candidates.
 */
int kx_log_begin(struct kx_log *log, bool watch);
/* All logs off, nothing left in the VMM. The turn is reserved, or the VMM gone. */
void kx_log_leave(struct kx_log *log);

/* Gets the log of @s into the buffer. -ENOENT: it is not ours, or KVM refused. */
int kx_log_harvest(struct kx_log *log, struct kx_log_slot *s);
/* Bits of @npages pages from page @first of the harvested memslot: out of the buffer, and back. */
void kx_log_read(struct kx_log *log, u64 first, u64 npages);
void kx_log_write(struct kx_log *log, u64 first, u64 npages);
/*
 * Clears those pages in the log that have a bit in the buffer, @set of them;
 * their next write is logged again. @first and @npages are multiples of 64, or
 * reach the end of @s.
 */
int kx_log_clear(struct kx_log *log, struct kx_log_slot *s, u64 first, u64 npages, u64 set);
/* True if harvesting does not clear. */
bool kx_log_is_manual(const struct kx_log *log);
/* Takes out of @bits, of @npages pages from page @first of @s, those that are excluded. */
void kx_log_exclude(struct kx_log *log, const struct kx_log_slot *s, u64 first,
		    unsigned int npages, unsigned long *bits);
/* At the end of a pass: was all that is wanted in the VMM's hands? Counts it. */
bool kx_log_yielded(struct kx_log *log);
void kx_log_set_candidates(struct kx_log *log, u64 candidates);
/* The pass stands aside: counts it. */
void kx_log_stood_aside(struct kx_log *log);

#endif /* KVM_EXT_LOG_H */
