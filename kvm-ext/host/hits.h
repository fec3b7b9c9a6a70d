/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_HITS_H
#define KVM_EXT_HITS_H

#include <linux/kvm_host.h>
#include <linux/spinlock.h>
#include <kvm-ext/uapi.h>

#include "listener.h"

struct kx_areas;
struct kx_budget;

/**
 * struct kx_hits - faults of armed mappings, from the vCPUs' tasks to the pass thread
 * @kvm: the VM
 * @areas: the map of armed mappings, under RCU; the pass thread replaces it
 * @budget: gets the times for which faults kept vCPUs out of the guest
 * @listener: expects as many faults as mappings are armed in @areas
 * @since_ns: by vcpu_idx: time of a fault in @areas after which the vCPU has not entered the guest
 *	yet; else 0
 * @lock: protects the members from @faults to @lost
 * @faults: a circular buffer of @size faults
 * @size: upper limit of the number of armed mappings plus the number of faults that were not pulled
 * @oldest: index of the first fault that was not pulled
 * @nr: number of faults that were not pulled
 * @lost: faults for which there was no room; this never happens
 * @late: faults of exchanged mappings (armed.h); under no lock
 */
struct kx_hits {
	struct kvm *kvm;
	struct kx_areas __rcu *areas;
	struct kx_budget *budget;
	struct kx_listener listener;
	u64 *since_ns;

	raw_spinlock_t lock;
	struct kvm_ext_fault *faults;
	u32 size;
	u32 oldest, nr;
	u64 lost;
	atomic64_t late;
};

/**
 * kx_hits_init() - allocate room for faults, and prepare the listener
 * @h: the faults, all zero
 * @kvm: the VM
 * @budget: the budget, whose limits are set
 *
 * The caller calls kx_hits_free() also after an error.
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; -EOPNOTSUPP: KVM has no such events.
 */
int kx_hits_init(struct kx_hits *h, struct kvm *kvm, struct kx_budget *budget);

/**
 * kx_hits_free() - stop the listener, and free the room and the map
 * @h: the faults
 *
 * Context: may sleep.
 */
void kx_hits_free(struct kx_hits *h);

/**
 * kx_hits_pull() - remove faults, the oldest first
 * @h: the faults
 * @to: destination
 * @room: maximum number of faults
 *
 * Context: the pass thread.
 * Return: number of faults that were removed.
 */
u32 kx_hits_pull(struct kx_hits *h, struct kvm_ext_fault *to, u32 room);

/**
 * kx_hits_areas() - the map of armed mappings
 * @h: the faults
 *
 * Context: the pass thread, or any task when the thread is parked or gone.
 */
static inline struct kx_areas *kx_hits_areas(const struct kx_hits *h)
{
	return rcu_dereference_protected(h->areas, true);
}

#endif /* KVM_EXT_HITS_H */
