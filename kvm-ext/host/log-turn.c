// SPDX-License-Identifier: GPL-2.0-only
/* Whose turn it is to use a VM's dirty log. */
#include <linux/kthread.h>
#include <linux/sched/signal.h>

#include "log-turn.h"

/* How long a pass waits for the turn before it stands aside. */
#define ASIDE_JIFFIES	(HZ / 2)

void kx_turn_init(struct kx_turn *turn)
{
	*turn = (struct kx_turn){ .closed = true };
	spin_lock_init(&turn->lock);
	init_waitqueue_head(&turn->wait);
}

static void turn_set(struct kx_turn *turn, bool *what, bool value)
{
	spin_lock(&turn->lock);
	*what = value;
	spin_unlock(&turn->lock);
	wake_up_all(&turn->wait);
}

void kx_turn_open(struct kx_turn *turn)
{
	turn_set(turn, &turn->closed, false);
}

void kx_turn_close(struct kx_turn *turn)
{
	turn_set(turn, &turn->closed, true);
}

/* --- the VMM's tasks ----------------------------------------------------------------- */

static bool turn_try_enter(struct kx_turn *turn, int *ret)
{
	bool may;

	spin_lock(&turn->lock);
	may = !turn->own && !turn->wanted && !turn->reserved;
	*ret = turn->closed ? -ESHUTDOWN : 0;
	if (may && !turn->closed)
		turn->vmm++;
	may |= turn->closed;
	spin_unlock(&turn->lock);
	return may;
}

int kx_turn_enter(struct kx_turn *turn)
{
	int ret;

	return wait_event_killable(turn->wait, turn_try_enter(turn, &ret)) ? -EINTR : ret;
}

void kx_turn_leave(struct kx_turn *turn)
{
	bool last;

	spin_lock(&turn->lock);
	last = !--turn->vmm;
	spin_unlock(&turn->lock);
	if (last)
		wake_up_all(&turn->wait);
}

/* --- the pass thread ------------------------------------------------------------------ */

static bool turn_try_begin(struct kx_turn *turn)
{
	spin_lock(&turn->lock);
	turn->own = !turn->vmm;
	turn->wanted = turn->vmm;
	spin_unlock(&turn->lock);
	return turn->own;
}

static bool turn_has_to_go(void)
{
	return kthread_should_stop() || kthread_should_park();
}

int kx_turn_begin(struct kx_turn *turn)
{
	wait_event_idle_timeout(turn->wait, turn_try_begin(turn) || turn_has_to_go(),
				ASIDE_JIFFIES);
	if (turn->own)
		return 0;
	turn_set(turn, &turn->wanted, false);
	return turn_has_to_go() ? -ECANCELED : -EAGAIN;
}

void kx_turn_end(struct kx_turn *turn)
{
	turn_set(turn, &turn->own, false);
}

/* --- stopping the pass thread --------------------------------------------------------- */

static bool turn_vmm_is_out(struct kx_turn *turn)
{
	bool out;

	spin_lock(&turn->lock);
	out = !turn->vmm;
	spin_unlock(&turn->lock);
	return out;
}

bool kx_turn_reserve(struct kx_turn *turn, long timeout, bool killable)
{
	turn_set(turn, &turn->reserved, true);
	if (killable)
		wait_event_killable_timeout(turn->wait, turn_vmm_is_out(turn), timeout);
	else
		wait_event_idle_timeout(turn->wait, turn_vmm_is_out(turn), timeout);
	/* No task of the VMM has entered since @reserved was set. */
	if (turn_vmm_is_out(turn))
		return true;
	kx_turn_unreserve(turn);
	return false;
}

void kx_turn_unreserve(struct kx_turn *turn)
{
	turn_set(turn, &turn->reserved, false);
}
