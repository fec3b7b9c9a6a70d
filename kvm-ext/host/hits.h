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
 * @areas: what is armed, under RCU; changed by the pass thread
 * @budget: told for how long faults kept vCPUs out of the guest
 * @listener: expects as many faults as bits are set in @areas
 * @since_ns: by vcpu_idx: when it took a fault of ours and is not yet back in the guest; else 0
 * @lock: of what follows
 * @faults: a circle of @size
 * @size: no more faults are armed than this between two kx_hits_pull()
 * @oldest: the index of the first that was not pulled
 * @nr: how many were not
 * @lost: for which there was no room: never
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
};

/**
 * kx_hits_init() - make room for faults
 * @h: the faults, all zero
 * @kvm: the VM
 * @budget: with its limits
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; -EOPNOTSUPP: KVM has no such events. Then kx_hits_free() as well.
 */
int kx_hits_init(struct kx_hits *h, struct kvm *kvm, struct kx_budget *budget);

/**
 * kx_hits_free() - listen no more, and free
 * @h: the faults, also after an error
 *
 * Context: may sleep.
 */
void kx_hits_free(struct kx_hits *h);

/**
 * kx_hits_pull() - take faults, the oldest first
 * @h: the faults
 * @to: where to
 * @room: at most so many
 *
 * Return: how many there were.
 */
u32 kx_hits_pull(struct kx_hits *h, struct kvm_ext_fault *to, u32 room);

/**
 * kx_hits_areas() - what is armed, for the pass thread that changes it
 * @h: the faults
 */
static inline struct kx_areas *kx_hits_areas(const struct kx_hits *h)
{
	return rcu_dereference_protected(h->areas, true);
}

#endif /* KVM_EXT_HITS_H */
