/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/kvm-ext-guest: a page for workloads to map, shared by all of them. Its first u64
 * counts what they have done, in a unit of their own; they add to it atomically.
 */
#ifndef KVM_EXT_WORK_H
#define KVM_EXT_WORK_H

#include <linux/types.h>

int kx_work_init(void);
void kx_work_exit(void);

/* The counter, and how many have the device open. */
u64 kx_work(u64 *writers);

#endif /* KVM_EXT_WORK_H */
