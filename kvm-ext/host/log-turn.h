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
 * KVM may keep a task of the VMM in such an ioctl for as long as the VMM likes (its
 * bitmap lies in memory that a userfaultfd serves), and holds its own slots_lock
 * over that. So nobody waits for the VMM without a bound, but for who has nothing
 * else to do; and whoever waits for the VMM's tasks to be out keeps further ones
 * from coming in, which costs these nothing: in KVM they would wait for the same lock.
 *
 * @lock is a leaf and never held while somebody sleeps.
 */
struct kx_turn {
	spinlock_t lock;	/* of what follows */
	wait_queue_head_t wait;
	unsigned int vmm;	/* tasks of the VMM that are in */
	bool own;		/* the pass thread is in */
	bool wanted;		/* it waits */
	bool reserved;		/* somebody is about to have it leave the log */
	bool closed;		/* the VMM's tasks have nothing to do with us */
};

/**
 * kx_turn_init() - nobody is in, and it is closed
 * @turn: whose turn it is
 */
void kx_turn_init(struct kx_turn *turn);

/**
 * kx_turn_open() - the VMM's tasks come in from now on
 * @turn: whose turn it is
 */
void kx_turn_open(struct kx_turn *turn);

/**
 * kx_turn_close() - they do not any more; those that wait are told
 * @turn: that of the pass thread, which calls this
 */
void kx_turn_close(struct kx_turn *turn);

/**
 * kx_turn_enter() - for a task of the VMM
 * @turn: whose turn it is
 *
 * Context: may sleep.
 * Return: 0: it is in, until kx_turn_leave(). -ESHUTDOWN: closed. -EINTR: it was killed while it
 * waited for the pass thread.
 */
int kx_turn_enter(struct kx_turn *turn);

/**
 * kx_turn_leave() - after it
 * @turn: that of the task, which calls this
 */
void kx_turn_leave(struct kx_turn *turn);

/**
 * kx_turn_begin() - for the pass thread
 * @turn: whose turn it is
 *
 * Context: may sleep: half a second at most; not at all if it is reserved.
 * Return: 0: it is alone in, until kx_turn_end(). -EAGAIN: a task of the VMM is in and does not
 * come out. -ECANCELED: somebody wants the thread, and the VMM is in.
 */
int kx_turn_begin(struct kx_turn *turn);

/**
 * kx_turn_end() - after it
 * @turn: that of the pass thread, which calls this
 */
void kx_turn_end(struct kx_turn *turn);

/**
 * kx_turn_reserve() - for who is about to stop the pass thread; one caller at a time
 * @turn: whose turn it is
 * @timeout: how long to wait, in jiffies
 * @killable: the caller may be killed meanwhile
 *
 * Context: may sleep.
 * Return: true: until kx_turn_unreserve() no task of the VMM is in, and kx_turn_begin() succeeds at
 * once. False: the VMM was in for all that time, or the caller was killed.
 */
bool kx_turn_reserve(struct kx_turn *turn, long timeout, bool killable);

/**
 * kx_turn_unreserve() - after it
 * @turn: reserved by the caller
 */
void kx_turn_unreserve(struct kx_turn *turn);

#endif /* KVM_EXT_LOG_TURN_H */
