/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LISTENER_H
#define KVM_EXT_LISTENER_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

/*
 * Hears of page faults and VM entries for as long as a fault is expected.
 *
 * KVM's tracepoints are one for all VMs: while they are on, every VM of the host
 * calls the probes at each of its faults and entries. So they are on from before the
 * first mapping is armed until shortly after the last one is disarmed, and not for
 * the whole life of a tracker.
 *
 * @expected may change in any context, the probes' included. @lock: the rest.
 */
struct kx_listener {
	void *fault_probe, *entry_probe, *data;
	atomic_t expected;		/* mappings that are armed, or about to be */
	struct mutex lock;
	bool on;
	u64 since_ns;			/* when they were switched on last; READ_ONCE by probes */
	u64 listened_ns;		/* sum of the times before that */
	struct delayed_work off;
};

/**
 * kx_listener_init() - nothing is expected
 * @l: the listener
 * @fault_probe: for KX_EVENT_PAGE_FAULT
 * @entry_probe: for KX_EVENT_ENTRY
 * @data: their first argument
 *
 * Return: 0; -EOPNOTSUPP: this KVM has no such tracepoints. kx_listener_stop() is to follow then
 * as well.
 */
int kx_listener_init(struct kx_listener *l, void *fault_probe, void *entry_probe, void *data);

/**
 * kx_listener_stop() - when it returns no probe runs any more
 * @l: the listener
 *
 * Context: may sleep.
 */
void kx_listener_stop(struct kx_listener *l);

/**
 * kx_listener_expect() - before mappings are armed
 * @l: the listener
 * @nr: so many
 *
 * Context: may sleep.
 * Return: 0; -EOPNOTSUPP: nothing is expected of these, for the events are not there.
 */
int kx_listener_expect(struct kx_listener *l, u32 nr);

/**
 * kx_listener_expect_less() - mappings are not armed any more
 * @l: the listener
 * @nr: so many
 *
 * Context: any.
 */
void kx_listener_expect_less(struct kx_listener *l, u32 nr);

/**
 * kx_listener_ns() - for how long the probes were on, up to now
 * @l: the listener
 *
 * Context: may sleep.
 * Return: ns.
 */
u64 kx_listener_ns(struct kx_listener *l);

#endif /* KVM_EXT_LISTENER_H */
