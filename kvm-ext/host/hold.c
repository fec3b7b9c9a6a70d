// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stretches in which the pass thread keeps its CPU.
 *
 * Between two calls into KVM the thread holds no lock, so the CPU is the only thing that it can
 * hold for too long. The thread reads the clock every few calls.
 */
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sched.h>

#include "hold.h"

/* The limit is 1 ms; this leaves room for interrupts and calls between two reads of the clock. */
#define HOLD_LIMIT_NS	(200 * NSEC_PER_USEC)

u64 kx_hold_cpu_ns(void)
{
	schedule();
	return current->se.sum_exec_runtime;
}

void kx_hold_begin(struct kx_hold *hold)
{
	hold->start_ns = ktime_get_ns();
	/* The value at the last wake-up, tick or rest, if the thread has not slept since. */
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
