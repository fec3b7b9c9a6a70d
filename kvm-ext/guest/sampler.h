/* SPDX-License-Identifier: GPL-2.0-only */
/* Samplers: each is a file and a row in sampler.c. The agent's thread calls all functions. */
#ifndef KVM_EXT_SAMPLER_H
#define KVM_EXT_SAMPLER_H

#include <linux/ktime.h>
#include <linux/types.h>
#include <kvm-ext/channel.h>

struct kx_agent;

struct kx_sampler {
	u32 id;			/* enum kvm_ext_channel_sampler */
	/*
	 * Uses a->command; sets a->state, status.event and status.surrogate. -EOPNOTSUPP, -ENODEV:
	 * not on this kernel or CPU.
	 */
	int (*start)(struct kx_agent *a);
	/* When this returns, nothing of the sampler runs any more. */
	void (*stop)(struct kx_agent *a);
	/* Collects samples. Returns when the next call is due. */
	ktime_t (*collect)(struct kx_agent *a);
	/*
	 * At the end of an epoch, before the report: updates the account. Negative errno: the
	 * sampler cannot observe everything any more.
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
