/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_REPORT_H
#define KVM_EXT_REPORT_H

#include <linux/types.h>

struct kx_agent;
struct kx_process;

/* What is known at the end of an epoch, to the channel: ranges, pages, raw samples. */
void kx_report_epoch(struct kx_agent *a);
/* The raw samples of @p that have gathered. */
void kx_report_raw(struct kx_agent *a, struct kx_process *p);
/* Bytes of memory that it needs in a->scratch. */
size_t kx_report_scratch_bytes(void);

#endif /* KVM_EXT_REPORT_H */
