/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_AFFINITY_H
#define KVM_EXT_AFFINITY_H

#include <linux/sched.h>

/* Where @thread may run: on @cpu, whichever it is; -1: on any that the host has for such work. */
int kx_set_affinity(struct task_struct *thread, int cpu);

#endif /* KVM_EXT_AFFINITY_H */
