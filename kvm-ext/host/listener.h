/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LISTENER_H
#define KVM_EXT_LISTENER_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

/*
 * Attaches probes to KVM's tracepoints for page faults and VM entries while a fault is expected.
 *
 * A tracepoint belongs to all VMs: while probes are attached, every VM of the host calls them at
 * each of its faults and entries. So they are attached from before the first mapping is armed until
 * shortly after the last mapping is disarmed, and not as long as a tracker is set.
 *
 * @expected may change in any context, also in the probes. @lock protects the other members.
 */
struct kx_listener {
	void *fault_probe, *entry_probe, *data;
	atomic_t expected;		/* mappings that are armed, or will be soon */
	struct mutex lock;
	bool on;
	u64 since_ns;			/* when attached last; READ_ONCE in the probes */
	u64 listened_ns;		/* total time before that */
	struct delayed_work off;
};

/**
 * kx_listener_init() - prepare a listener that expects no fault
 * @l: the listener
 * @fault_probe: for KX_EVENT_PAGE_FAULT
 * @entry_probe: for KX_EVENT_ENTRY
 * @data: the first argument of both probes
 *
 * Return: 0; -EOPNOTSUPP: this KVM has no such tracepoints. The caller calls kx_listener_stop()
 * also after an error.
 */
int kx_listener_init(struct kx_listener *l, void *fault_probe, void *entry_probe, void *data);

/**
 * kx_listener_stop() - detach the probes; afterwards no probe runs
 * @l: the listener
 *
 * Context: may sleep.
 */
void kx_listener_stop(struct kx_listener *l);

/**
 * kx_listener_expect() - call before mappings are armed
 * @l: the listener
 * @nr: how many
 *
 * Context: may sleep.
 * Return: 0; -EOPNOTSUPP: KVM's tracepoints are not there; @nr was not added.
 */
int kx_listener_expect(struct kx_listener *l, u32 nr);

/**
 * kx_listener_expect_less() - call after mappings were disarmed
 * @l: the listener
 * @nr: how many
 *
 * Context: any.
 */
void kx_listener_expect_less(struct kx_listener *l, u32 nr);

/**
 * kx_listener_ns() - the total time with probes attached, up to now
 * @l: the listener
 *
 * Context: may sleep.
 * Return: ns.
 */
u64 kx_listener_ns(struct kx_listener *l);

#endif /* KVM_EXT_LISTENER_H */
