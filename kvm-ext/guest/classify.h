/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happens to a sample between sampler and classifier. The samplers call this file; it calls
 * the report.
 */
#ifndef KVM_EXT_CLASSIFY_H
#define KVM_EXT_CLASSIFY_H

#include <linux/types.h>

struct kx_agent;
struct kx_process;

/**
 * kx_classify() - take a sample
 * @a: the agent
 * @p: the process that accessed the memory, one of @a->watch
 * @address: of the access, in the process
 * @weight: number of accesses that the sample represents
 *
 * Gives the sample to the classifier of @p and, if the command requests raw samples, to their list;
 * a full list is written to the channel.
 *
 * Context: the agent's thread; does not sleep.
 */
void kx_classify(struct kx_agent *a, struct kx_process *p, u64 address, u32 weight);

#endif /* KVM_EXT_CLASSIFY_H */
