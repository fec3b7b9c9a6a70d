/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_HOLD_H
#define KVM_EXT_HOLD_H

#include <linux/types.h>

/**
 * struct kx_hold - for how long a thread keeps its CPU
 * @start_ns: when the stretch began
 * @start_cpu_ns: the thread's CPU time at that moment
 * @max_ns: the longest stretch so far, in CPU time; the owner starts it at 0
 *
 * A stretch goes from one rescheduling point to the next. Its length is the thread's CPU time, so
 * time in which the thread slept, or other tasks ran, does not count. The clock is cheaper to read
 * and decides when to rest. All members belong to the thread.
 */
struct kx_hold {
	u64 start_ns;
	u64 start_cpu_ns;
	u64 max_ns;
};

/**
 * kx_hold_cpu_ns() - a rescheduling point
 *
 * The scheduler updates the CPU time when it is entered; a tick would do so only every few
 * milliseconds.
 *
 * Context: may sleep.
 * Return: the CPU time of the current thread in ns, exact.
 */
u64 kx_hold_cpu_ns(void);

/**
 * kx_hold_begin() - a stretch begins
 * @hold: the thread's
 *
 * Context: any; behind a rescheduling point.
 */
void kx_hold_begin(struct kx_hold *hold);

/**
 * kx_hold_end() - a rescheduling point ends the stretch
 * @hold: the thread's
 *
 * Context: may sleep.
 * Return: the CPU time of the current thread in ns.
 */
u64 kx_hold_end(struct kx_hold *hold);

/**
 * kx_hold_is_long() - has the stretch lasted long enough to rest?
 * @hold: the thread's
 *
 * Context: any.
 */
bool kx_hold_is_long(const struct kx_hold *hold);

#endif /* KVM_EXT_HOLD_H */
