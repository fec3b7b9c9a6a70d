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
 * @areas: the armed mappings, under RCU; changed by the pass thread
 * @budget: gets the times for which faults kept vCPUs out of the guest
 * @listener: expects as many faults as bits are set in @areas
 * @since_ns: by vcpu_idx: time of our fault if the vCPU is not yet back in the guest; else 0
 * @lock: protects the members below
 * @faults: a circular buffer of @size
 * @size: the maximum number of armed faults between two kx_hits_pull()
 * @oldest: index of the first fault that was not pulled
 * @nr: number of faults that were not pulled
 * @lost: faults for which there was no room: never happens
 * @late: faults of mappings that had been exchanged; under no lock
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
 * kx_hits_init() - allocate room for faults, and listen
 * @h: the faults, all zero
 * @kvm: the VM
 * @budget: with its limits
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; -EOPNOTSUPP: KVM has no such events. Then kx_hits_free() as well.
 */
int kx_hits_init(struct kx_hits *h, struct kvm *kvm, struct kx_budget *budget);

/**
 * kx_hits_free() - stop listening, and free
 * @h: the faults, also after an error
 *
 * Context: may sleep.
 */
void kx_hits_free(struct kx_hits *h);

/**
 * kx_hits_pull() - remove faults, the oldest first
 * @h: the faults
 * @to: destination
 * @room: maximum number
 *
 * Return: number of faults.
 */
u32 kx_hits_pull(struct kx_hits *h, struct kvm_ext_fault *to, u32 room);

/**
 * kx_hits_areas() - the armed mappings, for the pass thread, which changes them
 * @h: the faults
 */
static inline struct kx_areas *kx_hits_areas(const struct kx_hits *h)
{
	return rcu_dereference_protected(h->areas, true);
}

#endif /* KVM_EXT_HITS_H */
