/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_REPORT_H
#define KVM_EXT_REPORT_H

#include <linux/types.h>

struct kx_agent;
struct kx_process;

/**
 * kx_report_epoch() - write the results of an epoch to the channel
 * @a: the agent
 *
 * Writes for each watched process its ranges, the pages of its hottest ranges, and its raw samples.
 *
 * Context: the agent's thread; may sleep.
 */
void kx_report_epoch(struct kx_agent *a);

/**
 * kx_report_raw() - write the collected raw samples to the channel
 * @a: the agent
 * @p: the process of the samples; afterwards its list of raw samples is empty
 *
 * Context: the agent's thread; does not sleep.
 */
void kx_report_raw(struct kx_agent *a, struct kx_process *p);

/**
 * kx_report_scratch_bytes() - size in bytes of @scratch of an agent
 */
size_t kx_report_scratch_bytes(void);

#endif /* KVM_EXT_REPORT_H */
