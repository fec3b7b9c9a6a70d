/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_WAITERS_H
#define KVM_EXT_WAITERS_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

/**
 * struct kx_waiter - somebody waits for a pass
 * @link: in the list, until it is over
 * @served: the running pass began after the request
 * @over: the waiting has ended
 * @err: with this; 0: the pass was run
 * @pass: the number of the pass
 *
 * On the waiter's stack; under the list's lock.
 */
struct kx_waiter {
	struct list_head link;
	bool served;
	bool over;
	int err;
	u64 pass;
};

/**
 * struct kx_waiters - all who wait for a pass
 * @lock: the owner's, of the list and of who is in it
 * @wait: the owner's, woken after kx_waiters_end()
 * @list: of struct kx_waiter
 */
struct kx_waiters {
	spinlock_t *lock;	/* as said above */
	wait_queue_head_t *wait;
	struct list_head list;
};

/**
 * kx_waiters_init() - nobody waits
 * @w: the list
 * @lock: a leaf
 * @wait: outlives whoever waits
 */
void kx_waiters_init(struct kx_waiters *w, spinlock_t *lock, wait_queue_head_t *wait);

/**
 * kx_waiters_add() - somebody waits from now on
 * @w: the list
 * @waiter: for whom kx_waiters_wait() is to be called
 */
void kx_waiters_add(struct kx_waiters *w, struct kx_waiter *waiter);

/**
 * kx_waiters_are_there() - does anybody wait?
 * @w: the list
 */
bool kx_waiters_are_there(struct kx_waiters *w);

/**
 * kx_waiters_serve() - a pass begins
 * @w: the list
 * @serves: it is one of those that who waits now waits for
 *
 * Context: the caller holds the lock.
 */
void kx_waiters_serve(struct kx_waiters *w, bool serves);

/**
 * kx_waiters_end() - the waiting is over; the caller wakes afterwards
 * @w: the list
 * @only_served: for those that the running pass serves; else for all
 * @pass: its number
 * @err: what they are told; 0: the pass was run
 *
 * Context: the caller holds the lock.
 */
void kx_waiters_end(struct kx_waiters *w, bool only_served, u64 pass, int err);

/**
 * kx_waiters_wait() - wait
 * @w: the list
 * @waiter: that was added; when this returns it is in no list any more
 *
 * Context: may sleep; no lock held.
 * Return: -EINTR after a signal, or what kx_waiters_end() was told.
 */
int kx_waiters_wait(struct kx_waiters *w, struct kx_waiter *waiter);

#endif /* KVM_EXT_WAITERS_H */
