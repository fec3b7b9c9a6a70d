// SPDX-License-Identifier: GPL-2.0-only
/* Limits what traps cost the guest. */
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "budget.h"
#include "memory.h"

/*
 * The cost of a fault is known only after this number of faults were timed. Until then no more
 * mappings than this are armed at a time.
 */
#define FIRST_FAULTS	16

int kx_budget_init(struct kx_budget *b, struct kx_memory *memory, u32 faults_per_s,
		   u64 time_ns_per_s)
{
	*b = (struct kx_budget){
		.memory = memory, .faults_per_s = faults_per_s, .time_ns_per_s = time_ns_per_s };
	raw_spin_lock_init(&b->time_lock);
	b->times = kx_memory_new(memory, faults_per_s, sizeof(*b->times));
	return b->times ? 0 : -ENOMEM;
}

void kx_budget_free(struct kx_budget *b)
{
	kx_memory_free(b->memory, b->times, b->faults_per_s, sizeof(*b->times));
}

/* --- faults -------------------------------------------------------------------- */

/*
 * Removes faults that are more than a second old: a second that has not ended yet cannot include
 * them. May sleep, because there may be a million faults.
 */
static void budget_forget(struct kx_budget *b, u64 now_ns)
{
	while (b->nr && b->times[b->oldest] + NSEC_PER_SEC <= now_ns) {
		b->oldest = (b->oldest + 1) % b->faults_per_s;
		b->nr--;
		if (b->nr % 1024 == 0)
			cond_resched();
	}
}

void kx_budget_faulted(struct kx_budget *b, u64 time_ns)
{
	b->outstanding--;
	budget_forget(b, time_ns);
	/* Never true, because kx_budget_left() does not allow more faults in a second. */
	if (WARN_ON_ONCE(b->nr == b->faults_per_s))
		return;
	b->times[(b->oldest + b->nr++) % b->faults_per_s] = time_ns;
	b->most = max(b->most, b->nr);
}

/* --- time ------------------------------------------------------------------------ */

/* The time that faults took in the last second, and before it in the bucket in which it began. */
static u64 budget_last_second(const struct kx_budget *b, u64 now_ns)
{
	u64 nr = div_u64(now_ns, KX_BUDGET_BUCKET_NS), sum = 0, i;

	lockdep_assert_held(&b->time_lock);
	for (i = 0; i <= NSEC_PER_SEC / KX_BUDGET_BUCKET_NS && i <= nr; i++) {
		if (b->bucket[(nr - i) % KX_BUDGET_BUCKETS].nr == nr - i)
			sum += b->bucket[(nr - i) % KX_BUDGET_BUCKETS].ns;
	}
	return sum;
}

void kx_budget_took(struct kx_budget *b, u64 now_ns, u64 ns)
{
	u64 nr = div_u64(now_ns, KX_BUDGET_BUCKET_NS);
	typeof(*b->bucket) *bucket = &b->bucket[nr % KX_BUDGET_BUCKETS];

	raw_spin_lock(&b->time_lock);
	if (bucket->nr != nr) {
		bucket->nr = nr;
		bucket->ns = 0;
	}
	bucket->ns += ns;
	b->fault_ns += ns;
	b->timed++;
	b->most_ns = max(b->most_ns, budget_last_second(b, now_ns));
	raw_spin_unlock(&b->time_lock);
}

/* --- the rest of the budget -------------------------------------------------------- */

/*
 * The number of faults that use up the rest of the time, if each fault takes a quarter more than
 * the mean so far. The mean of a few faults is not reliable, so the result is at most twice the
 * number of faults that were timed.
 */
static u64 budget_allowed_by_time(struct kx_budget *b, u64 now_ns)
{
	u64 spent, mean, timed;

	if (b->time_ns_per_s == KX_NO_LIMIT)
		return KX_NO_LIMIT;
	raw_spin_lock(&b->time_lock);
	spent = budget_last_second(b, now_ns);
	timed = b->timed;
	mean = timed ? div64_u64(b->fault_ns * 5 / 4, timed) + 1 : 0;
	raw_spin_unlock(&b->time_lock);
	if (timed < FIRST_FAULTS)
		return FIRST_FAULTS;
	if (spent >= b->time_ns_per_s)
		return 0;
	return min(div64_u64(b->time_ns_per_s - spent, mean), 2 * timed);
}

u32 kx_budget_left(struct kx_budget *b, u64 now_ns)
{
	u64 by_time = budget_allowed_by_time(b, now_ns), by_faults;

	budget_forget(b, now_ns);
	by_faults = b->faults_per_s - b->nr;
	by_faults = min(by_faults, by_time);
	return by_faults > b->outstanding ? by_faults - b->outstanding : 0;
}
