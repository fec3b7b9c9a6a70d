// SPDX-License-Identifier: GPL-2.0-only
/*
 * On which CPUs a pass may run. A host that reserves CPUs for vCPUs (nohz_full=, isolcpus=,
 * isolated cpusets since 7.0) wants no kernel threads on these CPUs either.
 */
#include <linux/cpumask.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/isolation.h>

#include "affinity.h"

/*
 * Some of these types are the same, which ones depends on the kernel: until 6.13 the type of kernel
 * threads was that of nohz_full; since then it is that of the scheduler's domains.
 */
static const enum hk_type types[] = { HK_TYPE_DOMAIN, HK_TYPE_TICK, HK_TYPE_KTHREAD };

static void affinity_housekeeping_cpus(struct cpumask *cpus)
{
	size_t i;

	cpumask_copy(cpus, cpu_possible_mask);
	/* A change of isolated cpusets replaces a type's mask; RCU protects the old mask. */
	rcu_read_lock();
	for (i = 0; i < ARRAY_SIZE(types); i++)
		cpumask_and(cpus, cpus, housekeeping_cpumask(types[i]));
	rcu_read_unlock();
	/* If all types together leave no online CPU, isolation is ignored. */
	if (!cpumask_intersects(cpus, cpu_online_mask))
		cpumask_copy(cpus, cpu_possible_mask);
}

int kx_set_affinity(struct task_struct *thread, int cpu)
{
	cpumask_var_t cpus;
	int err;

	if (cpu >= 0)
		return set_cpus_allowed_ptr(thread, cpumask_of(cpu));
	if (!alloc_cpumask_var(&cpus, GFP_KERNEL))
		return -ENOMEM;
	affinity_housekeeping_cpus(cpus);
	err = set_cpus_allowed_ptr(thread, cpus);
	free_cpumask_var(cpus);
	return err;
}
