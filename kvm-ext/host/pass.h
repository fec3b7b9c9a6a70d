/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_PASS_H
#define KVM_EXT_PASS_H

#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <kvm-ext/uapi.h>

#include "leaf.h"
#include "log.h"
#include "slots.h"
#include "stats.h"

struct kx_region_pass;
struct kx_ring;
struct kx_setting;
struct kx_tracker;
struct kx_vm;

/* Pages found accessed, held back until it is sure that they still belong to the same memslot. */
struct kx_found {
	gfn_t gfn;
	u64 npages;
	unsigned long hva;
	u16 as_id;
	u8 order;		/* of the leaves they were found through */
	bool sparse;		/* bits says which; else all */
	DECLARE_BITMAP(bits, KX_BLOCK_PAGES);
};

#define KX_FOUND_MAX	32

/* A run of found pages that may yet grow. */
struct kx_run {
	gfn_t gfn;
	u64 npages;		/* 0: none */
	u16 as_id;
	u8 order;
};

/* Somebody waits for a pass. On the waiter's stack; in @waiters under the lock until it is over. */
struct kx_pass_waiter {
	struct list_head link;
	bool served;		/* the running pass began after the request */
	bool over;
	int err;
	u64 pass;
};

/*
 * The engine that runs passes: one for each session, from kx_pass_start() to
 * kx_pass_stop(), with a thread of its own.
 *
 * Configuration changes only while the thread is parked; the session's mutex
 * keeps changes apart. @lock is a leaf. The rest is the thread's.
 */
struct kx_pass {
	struct kx_vm *vm;
	struct kx_ring *ring;
	wait_queue_head_t *wait;	/* woken at the end of a pass, when the ring is half full */
	struct task_struct *thread;
	cpumask_var_t kicked;		/* scratch for the flush */

	/* configuration */
	const struct kx_tracker *tracker;
	struct kvm_ext_tracker cfg;	/* with defaults filled in */
	gfn_t first_gfn, end_gfn;
	void *state;			/* the tracker's; NULL: none */
	struct kx_region_pass *regions;	/* NULL: no regions */

	spinlock_t lock;		/* stats, progress, waiters */
	struct kx_stats stats;
	struct kvm_ext_progress progress;
	struct list_head waiters;

	/* across the passes of an epoch */
	u64 nr;				/* of the last pass; one that primes does not count up */
	bool primes;			/* the running pass, or the next */
	bool prime_failed;		/* not at once again, but when it is due, or asked for */
	u64 epoch;
	ktime_t next;			/* when the next pass is due, if there is an interval */
	u64 cpu_mark;			/* thread's CPU time that is accounted */
	struct kx_slots slots;
	struct kx_log log;		/* for trackers that use it */

	/* of the running pass */
	struct kx_pass_account account;
	struct kx_leaf_map leaves;
	u64 hold_start_ns;		/* last rescheduling point */
	u64 hold_start_cpu_ns;		/* the thread's CPU time then */
	u32 flush_scope;		/* the setting's, or that of a control; not DEFAULT */
	bool control;			/* it is a control of staleness, */
	bool after_control;		/* and so was the one before */
	bool stop;
	int error;			/* why it could not be run; 0 */
	bool yielded;			/* the VMM had all there was to look at */
	bool rested;			/* since findings were settled */
	bool told_half_full;
	bool unflushed;			/* accessed bits were cleared since the last flush */
	u64 unbatched_pages;		/* scanned since the last batch ended */
	struct kx_run run;
	u32 nr_found;
	struct kx_found found[KX_FOUND_MAX];
};

/* The engine starts with the tracker `off`. @wait outlives it. */
int kx_pass_start(struct kx_pass *p, struct kx_vm *vm, struct kx_ring *ring,
		  wait_queue_head_t *wait);
/*
 * Before kx_pass_stop(). False: a task of the VMM is in an ioctl on its dirty log, out of which it
 * did not come within @timeout jiffies, and until then the log cannot be left.
 */
bool kx_pass_may_stop(struct kx_pass *p, long timeout);
void kx_pass_stop(struct kx_pass *p);

/* Switches to @setting, which has been checked field by field. */
int kx_pass_set(struct kx_pass *p, const struct kx_tracker *tracker,
		const struct kx_setting *setting);

/*
 * Cuts the running pass short, leaves nothing of the tracker in the VM, and waits. -EAGAIN:
 * a task of the VMM is in an ioctl on its dirty log and does not come out.
 */
int kx_pass_pause(struct kx_pass *p);
/* @prime: there is memory now that no pass has looked at before. */
void kx_pass_resume(struct kx_pass *p, bool prime);

int kx_pass_request(struct kx_pass *p, struct kx_pass_waiter *waiter);
/* Waits for the end of the pass; no lock held, @p may be stopped meanwhile. */
int kx_pass_wait(struct kx_pass *p, struct kx_pass_waiter *waiter);

/* Fills in all but @now_ns, and what of @state the engine knows. */
void kx_pass_get_stats(struct kx_pass *p, struct kvm_ext_stats *out);

/* --- for trackers, in the pass thread ------------------------------------- */

/* True: leave at once. May sleep. */
bool kx_pass_rest(struct kx_pass *p);

/* Around what takes long but rests by itself: no stretch is longer for it. */
void kx_pass_begin_resting(struct kx_pass *p);
void kx_pass_end_resting(struct kx_pass *p);

/* The pass cannot be run, or not to its end: leave. Whoever waits for it is told @err. */
void kx_pass_fail(struct kx_pass *p, int err);

/* The pass is cut short, or the engine wants the thread: leave. Does not sleep. */
bool kx_pass_must_stop(struct kx_pass *p);

/* True if the memslots have changed and a new snapshot was taken. */
bool kx_pass_refresh_slots(struct kx_pass *p);

static inline bool kx_pass_priming(const struct kx_pass *p)
{
	return p->primes;
}

/* How many pages this pass goes over, as far as is known now; 0: it does not go over memory. */
void kx_pass_set_total(struct kx_pass *p, u64 npages);
void kx_pass_set_step(struct kx_pass *p, enum kvm_ext_step step);

/* @npages were looked at with @tests tests; flushes if the scope says so. */
void kx_pass_scanned(struct kx_pass *p, u64 npages, u64 tests, bool young);

/* Flushes now, unless it never does, if bits were cleared since the last flush or @always. */
void kx_pass_flush(struct kx_pass *p, bool always);

/* A leaf of 2^@order pages at @gfn was accessed. */
void kx_pass_found_leaf(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn, u8 order);

/* Where to note, with kx_found_set(), the accessed ones of up to KX_BLOCK_PAGES single pages. */
struct kx_found *kx_pass_found_bits(struct kx_pass *p, const struct kx_extent *x, gfn_t gfn);
void kx_pass_found_bits_done(struct kx_pass *p, u64 npages);

/*
 * For trackers that know their gfns for certain: pages @gfn + i with bit i of
 * @bits, @npages in all and no more than KX_BLOCK_PAGES, were found.
 */
void kx_pass_found_pages(struct kx_pass *p, u16 as_id, gfn_t gfn, unsigned int npages,
			 const unsigned long *bits);
/* The same for a leaf of 2^@order pages. */
void kx_pass_found_mapping(struct kx_pass *p, u16 as_id, gfn_t gfn, u8 order);
/* Samples that are told by records of the tracker's own. */
void kx_pass_found_samples(struct kx_pass *p, u64 samples, u64 pages);

/* A record of the tracker's own with @samples in it; NULL: no room. Then kx_pass_commit(). */
void *kx_pass_reserve(struct kx_pass *p, u16 type, u32 size, u64 samples);
void kx_pass_commit(struct kx_pass *p);

static inline void kx_found_set(struct kx_found *found, unsigned int i)
{
	__set_bit(i, found->bits);
}

#endif /* KVM_EXT_PASS_H */
