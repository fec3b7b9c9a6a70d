/* SPDX-License-Identifier: GPL-2.0-only */
/* What the samplers find, on its way to the classifiers: above the report, below the samplers. */
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
 * @weight: how many accesses the sample stands for
 *
 * Gives the sample to the classifier of @p and, where raw samples were asked for, to the list of
 * these; a list that is full is written to the channel.
 *
 * Context: the agent's thread; does not sleep.
 */
void kx_classify(struct kx_agent *a, struct kx_process *p, u64 address, u32 weight);

#endif /* KVM_EXT_CLASSIFY_H */
