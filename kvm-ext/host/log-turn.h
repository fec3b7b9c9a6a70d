/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_TURN_H
#define KVM_EXT_LOG_TURN_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

/*
 * Whose turn it is to use a VM's dirty log through KVM: either any number of the VMM's tasks have
 * the turn, or the pass thread alone has it.
 *
 * A task of the VMM may stay in an ioctl on the log for as long as the VMM likes: the VMM's bitmap
 * may lie in memory that a userfaultfd serves, and KVM holds the VM's slots_lock meanwhile. So no
 * task waits for the VMM without a bound, except the work that releases the VM of a closed session
 * or of a VMM that exits. While a task waits until the VMM's tasks have left, no further task of
 * the VMM gets the turn. This does not slow the VMM down: in KVM these tasks would wait for
 * slots_lock.
 *
 * @lock is a leaf lock. Its holder does not sleep.
 */
struct kx_turn {
	spinlock_t lock;	/* protects the members below */
	wait_queue_head_t wait;
	unsigned int vmm;	/* tasks of the VMM that have the turn */
	bool own;		/* the pass thread has the turn */
	bool wanted;		/* the pass thread waits */
	bool reserved;		/* a task is about to stop the pass thread's use of the log */
	bool closed;		/* the VMM's tasks need no turn */
};

/**
 * kx_turn_init() - prepare a turn that nobody has, and that is closed
 * @turn: the turn
 */
void kx_turn_init(struct kx_turn *turn);

/**
 * kx_turn_open() - from now on a task of the VMM needs the turn for an ioctl on the log
 * @turn: the turn
 */
void kx_turn_open(struct kx_turn *turn);

/**
 * kx_turn_close() - undo kx_turn_open(); waiting tasks of the VMM get -ESHUTDOWN
 * @turn: the turn
 *
 * Context: the pass thread; it has the turn, or no task of the VMM has found the interposer yet.
 */
void kx_turn_close(struct kx_turn *turn);

/**
 * kx_turn_enter() - a task of the VMM takes the turn
 * @turn: the turn
 *
 * Context: may sleep.
 * Return: 0: the task has the turn until kx_turn_leave(). -ESHUTDOWN: closed. -EINTR: the task was
 * killed while it waited for the pass thread.
 */
int kx_turn_enter(struct kx_turn *turn);

/**
 * kx_turn_leave() - undo kx_turn_enter()
 * @turn: the turn, which the calling task has
 */
void kx_turn_leave(struct kx_turn *turn);

/**
 * kx_turn_begin() - the pass thread takes the turn
 * @turn: the turn
 *
 * Context: may sleep: half a second at most; not at all if the turn is reserved.
 * Return: 0: the pass thread alone has the turn until kx_turn_end(). -EAGAIN: a task of the VMM
 * keeps the turn. -ECANCELED: another task wants the thread, and the VMM has the turn.
 */
int kx_turn_begin(struct kx_turn *turn);

/**
 * kx_turn_end() - undo kx_turn_begin()
 * @turn: the turn, which the pass thread has
 */
void kx_turn_end(struct kx_turn *turn);

/**
 * kx_turn_reserve() - call before the pass thread is parked or stopped; one caller at a time
 * @turn: the turn
 * @timeout: how long to wait, in jiffies
 * @killable: the caller may be killed meanwhile
 *
 * Context: may sleep.
 * Return: true: until kx_turn_unreserve() no task of the VMM has the turn, and kx_turn_begin()
 * succeeds at once. False: the VMM had the turn all that time, or the caller was killed.
 */
bool kx_turn_reserve(struct kx_turn *turn, long timeout, bool killable);

/**
 * kx_turn_unreserve() - undo kx_turn_reserve()
 * @turn: the turn, reserved by the caller
 */
void kx_turn_unreserve(struct kx_turn *turn);

#endif /* KVM_EXT_LOG_TURN_H */
