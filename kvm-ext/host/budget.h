/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_BUDGET_H
#define KVM_EXT_BUDGET_H

#include <linux/spinlock.h>
#include <linux/types.h>

#define KX_BUDGET_BUCKETS	64
#define KX_BUDGET_BUCKET_NS	(NSEC_PER_SEC / 32)

#define KX_NO_LIMIT		U64_MAX

struct kx_memory;

/*
 * How many mappings may be armed so that no second has more faults, or takes more time of the
 * vCPUs, than allowed.
 *
 * All armed mappings may fault at once. So the number of armed mappings plus the number of faults
 * within the last second never exceeds the limit. Then no second exceeds the limit: a second that
 * ends before the next arming has at most these faults; a second that includes the next arming
 * began less than a second before it, so the faults of that second are counted.
 *
 * @time_lock protects the members below it, to which vCPUs add. All other members belong to the
 * pass thread.
 */
struct kx_budget {
	struct kx_memory *memory;	/* where @times is counted */
	u32 faults_per_s;
	u64 time_ns_per_s;		/* of all vCPUs together, or KX_NO_LIMIT */
	u64 outstanding;		/* armed mappings whose fault was not collected yet */

	/* Times of the faults within the last second: a circular buffer of @faults_per_s. */
	u64 *times;
	u32 oldest, nr;
	u32 most;			/* in any second */

	raw_spinlock_t time_lock;
	u64 fault_ns, timed;
	u64 most_ns;			/* in any second, rounded up to a bucket */
	struct {
		u64 nr;			/* number of the bucket's period */
		u64 ns;
	} bucket[KX_BUDGET_BUCKETS];
};

/**
 * kx_budget_init() - prepare an unused budget
 * @b: the budget
 * @memory: where the budget's own memory is counted
 * @faults_per_s: upper limit of the faults in any second
 * @time_ns_per_s: upper limit of the time of all vCPUs together in any second, in ns; or
 *	KX_NO_LIMIT
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_budget_init(struct kx_budget *b, struct kx_memory *memory, u32 faults_per_s,
		   u64 time_ns_per_s);

/**
 * kx_budget_free() - free what kx_budget_init() allocated
 * @b: the budget, or all zero
 */
void kx_budget_free(struct kx_budget *b);

/**
 * kx_budget_left() - how many more mappings may be armed now?
 * @b: the budget
 * @now_ns: by ktime_get_ns()
 *
 * Context: the pass thread; may sleep.
 * Return: number of mappings.
 */
u32 kx_budget_left(struct kx_budget *b, u64 now_ns);

/* Notes that @nr mappings were armed. In the pass thread. */
static inline void kx_budget_armed(struct kx_budget *b, u32 nr)
{
	b->outstanding += nr;
}

/* Notes that @nr mappings, which have not faulted, were disarmed. In the pass thread. */
static inline void kx_budget_disarmed(struct kx_budget *b, u64 nr)
{
	b->outstanding -= nr;
}

/**
 * kx_budget_faulted() - note the fault of an armed mapping
 * @b: the budget
 * @time_ns: time of the fault, by ktime_get_ns(); not before the time in an earlier call
 *
 * Context: the pass thread; may sleep.
 */
void kx_budget_faulted(struct kx_budget *b, u64 time_ns);

/**
 * kx_budget_took() - note that a fault has kept a vCPU out of the guest
 * @b: the budget
 * @now_ns: by ktime_get_ns()
 * @ns: for how long
 *
 * Context: any, if no interrupt handler that calls this function can interrupt it.
 */
void kx_budget_took(struct kx_budget *b, u64 now_ns, u64 ns);

#endif /* KVM_EXT_BUDGET_H */
