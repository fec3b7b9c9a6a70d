/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_AFFINITY_H
#define KVM_EXT_AFFINITY_H

#include <linux/sched.h>

/**
 * kx_set_affinity() - set the CPUs on which a thread may run
 * @thread: the thread
 * @cpu: on this CPU, isolated or not; -1: on any CPU that the host does not isolate
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; -EINVAL: the CPU is not online.
 */
int kx_set_affinity(struct task_struct *thread, int cpu);

#endif /* KVM_EXT_AFFINITY_H */
