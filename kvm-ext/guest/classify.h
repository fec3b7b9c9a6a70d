/* SPDX-License-Identifier: GPL-2.0-only */
/* Takes samples from the samplers to the classifier and, if requested, to the raw samples. */
#ifndef KVM_EXT_CLASSIFY_H
#define KVM_EXT_CLASSIFY_H

#include <linux/types.h>

struct kx_agent;
struct kx_process;

/**
 * kx_classify() - give a sample to the classifier of its process
 * @a: the agent
 * @p: the process that accessed the memory; @watch of the agent contains it
 * @address: the accessed address in the process
 * @weight: number of accesses that the sample represents
 *
 * If the command requests raw samples, the sample is also added to the list of raw samples. A full
 * list is written to the channel.
 *
 * Context: the agent's thread; does not sleep.
 */
void kx_classify(struct kx_agent *a, struct kx_process *p, u64 address, u32 weight);

#endif /* KVM_EXT_CLASSIFY_H */
