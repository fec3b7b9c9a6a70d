// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stretches in which the pass thread keeps its CPU. Between two calls into KVM the thread holds no
 * lock, so it can let other tasks run there. The thread reads the clock every few calls.
 */
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sched.h>

#include "hold.h"

/*
 * No stretch shall be longer than 1 ms. The rest of this time is for interrupts, and for the calls
 * into KVM between two reads of the clock.
 */
#define HOLD_LIMIT_NS	(200 * NSEC_PER_USEC)

u64 kx_hold_cpu_ns(void)
{
	schedule();
	return current->se.sum_exec_runtime;
}

void kx_hold_begin(struct kx_hold *hold)
{
	hold->start_ns = ktime_get_ns();
	/* The kernel has updated this value when the thread slept or rested last, or at a tick. */
	hold->start_cpu_ns = current->se.sum_exec_runtime;
}

u64 kx_hold_end(struct kx_hold *hold)
{
	u64 cpu = kx_hold_cpu_ns();

	hold->max_ns = max(hold->max_ns, cpu - hold->start_cpu_ns);
	return cpu;
}

bool kx_hold_is_long(const struct kx_hold *hold)
{
	return need_resched() || ktime_get_ns() - hold->start_ns >= HOLD_LIMIT_NS;
}
