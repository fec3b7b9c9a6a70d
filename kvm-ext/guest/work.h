/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/kvm-ext-guest: a page that workloads map and share. The first u64 of the page counts the
 * work that workloads have done, in a unit of their choice. They add to this counter atomically.
 */
#ifndef KVM_EXT_WORK_H
#define KVM_EXT_WORK_H

#include <linux/types.h>

/**
 * kx_work_init() - register the device
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int kx_work_init(void);

/**
 * kx_work_exit() - remove the device, which nobody has open
 */
void kx_work_exit(void);

/**
 * kx_work() - how much work workloads have done
 * @writers: result: how many open files the device has
 *
 * Context: any.
 *
 * Return: the counter.
 */
u64 kx_work(u64 *writers);

#endif /* KVM_EXT_WORK_H */
