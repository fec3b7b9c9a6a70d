/* SPDX-License-Identifier: GPL-2.0-only */
/* Samplers: a file and a row in sampler.c each. All is called by the agent's thread. */
#ifndef KVM_EXT_SAMPLER_H
#define KVM_EXT_SAMPLER_H

#include <linux/ktime.h>
#include <linux/types.h>
#include <kvm-ext/channel.h>

struct kx_agent;

struct kx_sampler {
	u32 id;			/* enum kvm_ext_channel_sampler */
	/*
	 * By a->command; sets a->state, status.event and status.surrogate. -EOPNOTSUPP,
	 * -ENODEV: not on this kernel or CPU.
	 */
	int (*start)(struct kx_agent *a);
	/* Nothing of it runs any more when it returns. */
	void (*stop)(struct kx_agent *a);
	/* Takes what there is to be taken; to be called again at the time that is returned. */
	ktime_t (*collect)(struct kx_agent *a);
	/*
	 * At an epoch's end, before the report: the account is brought up to date. Negative
	 * errno: it does not see all that it should any more.
	 */
	int (*epoch)(struct kx_agent *a);
};

/**
 * kx_sampler_by_id() - the sampler of a number
 * @id: enum kvm_ext_channel_sampler
 *
 * Return: the sampler; NULL: there is none.
 */
const struct kx_sampler *kx_sampler_by_id(u32 id);

extern const struct kx_sampler kx_sampler_events, kx_sampler_abit;

#endif /* KVM_EXT_SAMPLER_H */
