/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_AFFINITY_H
#define KVM_EXT_AFFINITY_H

#include <linux/sched.h>

/**
 * kx_set_affinity() - say where a thread may run
 * @thread: the thread
 * @cpu: on this CPU, whichever it is; -1: on any that the host has for such work
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; -EINVAL: the CPU is not online.
 */
int kx_set_affinity(struct task_struct *thread, int cpu);

#endif /* KVM_EXT_AFFINITY_H */
