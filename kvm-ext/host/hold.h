/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_HOLD_H
#define KVM_EXT_HOLD_H

#include <linux/types.h>

/**
 * struct kx_hold - for how long a thread keeps its CPU
 * @start_ns: when the current stretch began, by ktime_get_ns()
 * @start_cpu_ns: the thread's CPU time at that moment
 * @max_ns: the longest stretch so far, in CPU time; the owner sets it to 0 at the start
 *
 * A stretch is the time from one rescheduling point to the next. Its length is measured in CPU time
 * of the thread, so time in which the thread slept or other tasks ran does not count. When the
 * thread has to rest is decided by ktime_get_ns(), which is cheaper to read. All members belong to
 * the thread.
 */
struct kx_hold {
	u64 start_ns;
	u64 start_cpu_ns;
	u64 max_ns;
};

/**
 * kx_hold_cpu_ns() - let other tasks run, and read the CPU time
 *
 * The kernel updates a thread's CPU time when the thread enters the scheduler, and otherwise only
 * at a tick, every few milliseconds.
 *
 * Context: may sleep.
 * Return: the exact CPU time of the current thread in ns.
 */
u64 kx_hold_cpu_ns(void);

/**
 * kx_hold_begin() - begin a stretch
 * @hold: the current thread's
 *
 * Context: the thread, after a rescheduling point.
 */
void kx_hold_begin(struct kx_hold *hold);

/**
 * kx_hold_end() - end the stretch with a rescheduling point
 * @hold: the current thread's
 *
 * Context: may sleep.
 * Return: the CPU time of the current thread in ns.
 */
u64 kx_hold_end(struct kx_hold *hold);

/**
 * kx_hold_is_long() - does the thread have to rest now?
 * @hold: the current thread's
 *
 * Context: the thread.
 */
bool kx_hold_is_long(const struct kx_hold *hold);

#endif /* KVM_EXT_HOLD_H */
