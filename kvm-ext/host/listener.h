/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LISTENER_H
#define KVM_EXT_LISTENER_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

/*
 * Attaches probes to KVM's tracepoints for page faults and VM entries while a fault is expected.
 *
 * These tracepoints exist once for all VMs: while probes are attached, every VM of the host calls
 * the probes at each of its own faults and entries. So the probes are attached only from before the
 * first mapping is armed until shortly after the last mapping was disarmed, not for as long as the
 * tracker is set.
 *
 * @expected may change in any context, also in the probes. @lock protects the other members.
 */
struct kx_listener {
	void *fault_probe, *entry_probe, *data;
	atomic_t expected;		/* mappings that are armed, or will be soon */
	struct mutex lock;
	bool on;			/* the probes are attached */
	u64 since_ns;			/* when they were attached last; READ_ONCE in the probes */
	u64 listened_ns;		/* time with probes attached, up to the last detaching */
	struct delayed_work off;	/* detaches the probes */
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
 * kx_listener_stop() - detach the probes; when this function returns, no probe runs
 * @l: the listener
 *
 * Context: may sleep.
 */
void kx_listener_stop(struct kx_listener *l);

/**
 * kx_listener_expect() - expect the faults of more mappings; call before the mappings are armed
 * @l: the listener
 * @nr: number of mappings
 *
 * Context: may sleep.
 * Return: 0; -EOPNOTSUPP: the probes could not be attached; @nr was not added.
 */
int kx_listener_expect(struct kx_listener *l, u32 nr);

/**
 * kx_listener_expect_less() - expect the faults of fewer mappings; call after these were disarmed
 * @l: the listener
 * @nr: number of mappings
 *
 * Context: any.
 */
void kx_listener_expect_less(struct kx_listener *l, u32 nr);

/**
 * kx_listener_ns() - the total time with probes attached until now
 * @l: the listener
 *
 * Context: may sleep.
 * Return: ns.
 */
u64 kx_listener_ns(struct kx_listener *l);

#endif /* KVM_EXT_LISTENER_H */
