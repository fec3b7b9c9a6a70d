// SPDX-License-Identifier: GPL-2.0-only
/* Tasks that wait for a pass. */
#include <linux/sched/signal.h>

#include "waiters.h"

void kx_waiters_init(struct kx_waiters *w, spinlock_t *lock, wait_queue_head_t *wait)
{
	w->lock = lock;
	w->wait = wait;
	INIT_LIST_HEAD(&w->list);
}

void kx_waiters_add(struct kx_waiters *w, struct kx_waiter *waiter)
{
	*waiter = (struct kx_waiter){};
	spin_lock(w->lock);
	list_add_tail(&waiter->link, &w->list);
	spin_unlock(w->lock);
}

bool kx_waiters_are_there(struct kx_waiters *w)
{
	bool are_there;

	spin_lock(w->lock);
	are_there = !list_empty(&w->list);
	spin_unlock(w->lock);
	return are_there;
}

void kx_waiters_serve(struct kx_waiters *w, bool serves)
{
	struct kx_waiter *waiter;

	lockdep_assert_held(w->lock);
	list_for_each_entry(waiter, &w->list, link)
		waiter->served = serves;
}

void kx_waiters_end(struct kx_waiters *w, bool only_served, u64 pass, int err)
{
	struct kx_waiter *waiter, *next;

	lockdep_assert_held(w->lock);
	list_for_each_entry_safe(waiter, next, &w->list, link) {
		if (only_served && !waiter->served)
			continue;
		list_del_init(&waiter->link);
		waiter->pass = pass;
		waiter->err = err;
		waiter->over = true;
	}
}

static bool waiters_is_over(struct kx_waiters *w, const struct kx_waiter *waiter)
{
	bool over;

	spin_lock(w->lock);
	over = waiter->over;
	spin_unlock(w->lock);
	return over;
}

int kx_waiters_wait(struct kx_waiters *w, struct kx_waiter *waiter)
{
	int err = 0;

	/* -EINTR, not -ERESTARTSYS: a restarted ioctl would request a second pass. */
	if (wait_event_interruptible(*w->wait, waiters_is_over(w, waiter)))
		err = -EINTR;
	spin_lock(w->lock);
	if (waiter->over)
		err = waiter->err;
	else
		list_del(&waiter->link);
	spin_unlock(w->lock);
	return err;
}
