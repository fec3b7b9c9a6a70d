/* SPDX-License-Identifier: GPL-2.0-only */
/* A sampler is a file with these functions and a row in sampler.c. */
#ifndef KVM_EXT_SAMPLER_H
#define KVM_EXT_SAMPLER_H

#include <linux/ktime.h>
#include <linux/types.h>
#include <kvm-ext/channel.h>

struct kx_agent;

/* The agent's thread calls all of these functions. They may sleep. */
struct kx_sampler {
	u32 id;			/* enum kvm_ext_channel_sampler */
	/*
	 * Starts what @command of the agent says; sets the agent's @state, and @event and
	 * @surrogate of its status. -EOPNOTSUPP, -ENODEV: this kernel or CPU cannot do it.
	 */
	int (*start)(struct kx_agent *a);
	/* When this function returns, nothing of the sampler runs any more. */
	void (*stop)(struct kx_agent *a);
	/* Collects samples. Returns the time of the next call. */
	ktime_t (*collect)(struct kx_agent *a);
	/*
	 * Updates the account, at the end of an epoch and before the report. Negative errno: the
	 * sampler does not see all accesses any more.
	 */
	int (*epoch)(struct kx_agent *a);
};

/**
 * kx_sampler_by_id() - find a sampler by its number
 * @id: enum kvm_ext_channel_sampler
 *
 * Return: the sampler; NULL: there is none.
 */
const struct kx_sampler *kx_sampler_by_id(u32 id);

extern const struct kx_sampler kx_sampler_events, kx_sampler_abit;

#endif /* KVM_EXT_SAMPLER_H */
