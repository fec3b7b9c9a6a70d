/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_TURN_H
#define KVM_EXT_LOG_TURN_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

/*
 * Whose turn it is to use a VM's dirty log through KVM: that of any number of the
 * VMM's tasks, or that of the pass thread alone.
 *
 * KVM may keep a task of the VMM in such an ioctl for as long as the VMM likes (the
 * VMM's bitmap lies in memory that a userfaultfd serves), and holds its own slots_lock
 * meanwhile. So no task waits for the VMM without a bound, except a task that has nothing
 * else to do. While a task waits until the VMM's tasks are out, no further task of the VMM
 * may enter. This costs the VMM nothing: in KVM its tasks would wait for the same lock.
 *
 * @lock is a leaf lock and never held while its holder sleeps.
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
 * kx_turn_init() - nobody has the turn, and it is closed
 * @turn: whose turn it is
 */
void kx_turn_init(struct kx_turn *turn);

/**
 * kx_turn_open() - from now on the VMM's tasks take turns
 * @turn: whose turn it is
 */
void kx_turn_open(struct kx_turn *turn);

/**
 * kx_turn_close() - undo kx_turn_open(); waiting tasks get -ESHUTDOWN
 * @turn: that of the pass thread, which calls this
 */
void kx_turn_close(struct kx_turn *turn);

/**
 * kx_turn_enter() - for a task of the VMM
 * @turn: whose turn it is
 *
 * Context: may sleep.
 * Return: 0: the task has the turn until kx_turn_leave(). -ESHUTDOWN: closed. -EINTR: the task was
 * killed while it waited for the pass thread.
 */
int kx_turn_enter(struct kx_turn *turn);

/**
 * kx_turn_leave() - undo kx_turn_enter()
 * @turn: that of the task, which calls this
 */
void kx_turn_leave(struct kx_turn *turn);

/**
 * kx_turn_begin() - for the pass thread
 * @turn: whose turn it is
 *
 * Context: may sleep: half a second at most; not at all if the turn is reserved.
 * Return: 0: the pass thread alone has the turn until kx_turn_end(). -EAGAIN: a task of the VMM
 * keeps the turn. -ECANCELED: another task wants the thread, and the VMM has the turn.
 */
int kx_turn_begin(struct kx_turn *turn);

/**
 * kx_turn_end() - undo kx_turn_begin()
 * @turn: that of the pass thread, which calls this
 */
void kx_turn_end(struct kx_turn *turn);

/**
 * kx_turn_reserve() - call before stopping the pass thread; one caller at a time
 * @turn: whose turn it is
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
 * @turn: reserved by the caller
 */
void kx_turn_unreserve(struct kx_turn *turn);

#endif /* KVM_EXT_LOG_TURN_H */
