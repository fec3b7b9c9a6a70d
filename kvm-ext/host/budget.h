/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_BUDGET_H
#define KVM_EXT_BUDGET_H

#include <linux/spinlock.h>
#include <linux/types.h>

#define KX_BUDGET_BUCKETS	64
#define KX_BUDGET_BUCKET_NS	(NSEC_PER_SEC / 32)

#define KX_NO_LIMIT		U64_MAX

/*
 * How many mappings may be armed without more faults in any second than allowed,
 * and more time of the vCPUs.
 *
 * Every armed mapping may fault at once. So what is armed, and what has faulted
 * within the last second, is never more together than the limit: then no second
 * has more. (A second that ends before the next arming has at most these; one that
 * spans it began less than a second before, and what it had is counted.)
 *
 * @time_lock: what vCPUs add. The rest belongs to the pass thread.
 */
struct kx_budget {
	u32 faults_per_s;
	u64 time_ns_per_s;		/* of all vCPUs; KX_NO_LIMIT */
	u64 outstanding;		/* armed, as far as faults were collected */

	/* times of the last faults: a circle of @faults_per_s */
	u64 *times;
	u32 oldest, nr;
	u32 most;			/* in any second */

	raw_spinlock_t time_lock;
	u64 fault_ns, timed;
	u64 most_ns;			/* in any second, up to a bucket */
	struct {
		u64 nr;			/* which stretch of time it is for */
		u64 ns;
	} bucket[KX_BUDGET_BUCKETS];
};

/**
 * kx_budget_init() - a budget of which nothing is used
 * @b: the budget
 * @faults_per_s: faults in any second, at most
 * @time_ns_per_s: ns of all vCPUs in any second, at most; KX_NO_LIMIT
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_budget_init(struct kx_budget *b, u32 faults_per_s, u64 time_ns_per_s);

/**
 * kx_budget_free() - free what kx_budget_init() made
 * @b: the budget, or all zero
 */
void kx_budget_free(struct kx_budget *b);

/**
 * kx_budget_left() - how many more mappings may be armed now?
 * @b: the budget
 * @now_ns: by ktime_get_ns()
 *
 * Context: the pass thread; may sleep.
 */
u32 kx_budget_left(struct kx_budget *b, u64 now_ns);

/* @nr mappings were armed. In the pass thread. */
static inline void kx_budget_armed(struct kx_budget *b, u32 nr)
{
	b->outstanding += nr;
}

/**
 * kx_budget_faulted() - a mapping that was armed has faulted
 * @b: the budget
 * @time_ns: when, by ktime_get_ns(); calls come in the order of these times
 *
 * Context: the pass thread; may sleep.
 */
void kx_budget_faulted(struct kx_budget *b, u64 time_ns);

/**
 * kx_budget_took() - a vCPU was kept out of the guest
 * @b: the budget
 * @now_ns: by ktime_get_ns()
 * @ns: for so long
 *
 * Context: any that no interrupt which calls this can interrupt.
 */
void kx_budget_took(struct kx_budget *b, u64 now_ns, u64 ns);

#endif /* KVM_EXT_BUDGET_H */
