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

int kx_budget_init(struct kx_budget *b, u32 faults_per_s, u64 time_ns_per_s);
void kx_budget_free(struct kx_budget *b);

/* How many more may be armed now. */
u32 kx_budget_left(struct kx_budget *b, u64 now_ns);
static inline void kx_budget_armed(struct kx_budget *b, u32 nr)
{
	b->outstanding += nr;
}

/* One that was armed faulted at @time_ns; in the order of these times. */
void kx_budget_faulted(struct kx_budget *b, u64 time_ns);

/* A vCPU was kept out of the guest for @ns. In any context without interrupts of its own. */
void kx_budget_took(struct kx_budget *b, u64 now_ns, u64 ns);

#endif /* KVM_EXT_BUDGET_H */
