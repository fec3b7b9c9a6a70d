/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_WAITERS_H
#define KVM_EXT_WAITERS_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

/**
 * struct kx_waiter - a task that waits for a pass
 * @link: in the list, until the wait is over
 * @served: the running pass serves this task: it began after the request, and does not prime
 * @over: the wait has ended
 * @err: the result of the wait; 0: the pass was run
 * @pass: result: number of the pass, as given to kx_waiters_end()
 *
 * On the stack of the waiting task; protected by the list's lock.
 */
struct kx_waiter {
	struct list_head link;
	bool served;
	bool over;
	int err;
	u64 pass;
};

/**
 * struct kx_waiters - all tasks that wait for a pass
 * @lock: a lock of the owner; protects the list and its entries
 * @wait: a wait queue of the owner, woken after kx_waiters_end()
 * @list: of struct kx_waiter
 */
struct kx_waiters {
	spinlock_t *lock;	/* see above */
	wait_queue_head_t *wait;
	struct list_head list;
};

/**
 * kx_waiters_init() - prepare an empty list
 * @w: the list
 * @lock: a leaf lock
 * @wait: outlives the waiting tasks
 */
void kx_waiters_init(struct kx_waiters *w, spinlock_t *lock, wait_queue_head_t *wait);

/**
 * kx_waiters_add() - add a waiting task
 * @w: the list
 * @waiter: the entry; then call kx_waiters_wait()
 */
void kx_waiters_add(struct kx_waiters *w, struct kx_waiter *waiter);

/**
 * kx_waiters_are_there() - does any task wait?
 * @w: the list
 */
bool kx_waiters_are_there(struct kx_waiters *w);

/**
 * kx_waiters_serve() - note that a pass begins
 * @w: the list
 * @serves: the pass serves the tasks that wait now; false: a later pass does
 *
 * Context: the caller holds the lock.
 */
void kx_waiters_serve(struct kx_waiters *w, bool serves);

/**
 * kx_waiters_end() - end the wait; the caller wakes the tasks afterwards
 * @w: the list
 * @only_served: only for tasks that the running pass serves; else for all
 * @pass: number of the pass
 * @err: the result of the wait; 0: the pass was run
 *
 * Context: the caller holds the lock.
 */
void kx_waiters_end(struct kx_waiters *w, bool only_served, u64 pass, int err);

/**
 * kx_waiters_wait() - wait for kx_waiters_end()
 * @w: the list
 * @waiter: the added entry; when this function returns, the entry is in no list any more
 *
 * Context: may sleep; no lock held.
 * Return: -EINTR after a signal, or @err of kx_waiters_end().
 */
int kx_waiters_wait(struct kx_waiters *w, struct kx_waiter *waiter);

#endif /* KVM_EXT_WAITERS_H */
