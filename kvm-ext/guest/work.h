/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/kvm-ext-guest: a page for workloads to map, shared by all of them. Its first u64
 * counts what they have done, in a unit of their own; they add to it atomically.
 */
#ifndef KVM_EXT_WORK_H
#define KVM_EXT_WORK_H

#include <linux/types.h>

/**
 * kx_work_init() - make the device
 *
 * Return: 0 or a negative errno.
 */
int kx_work_init(void);

/**
 * kx_work_exit() - remove it
 */
void kx_work_exit(void);

/**
 * kx_work() - what workloads have done
 * @writers: gets how many have the device open
 *
 * Return: the counter.
 */
u64 kx_work(u64 *writers);

#endif /* KVM_EXT_WORK_H */
