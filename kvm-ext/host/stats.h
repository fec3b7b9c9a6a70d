/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_STATS_H
#define KVM_EXT_STATS_H

#include <linux/types.h>
#include <kvm-ext/uapi.h>

/* Eight buckets per power of two: the upper edge is at most an eighth above the lower one. */
#define KX_HIST_SUB_BITS	3
#define KX_HIST_BUCKETS		((64 - KX_HIST_SUB_BITS + 1) << KX_HIST_SUB_BITS)

/*
 * The account of one tracker, from the SET_TRACKER that opened it. Kept under
 * the lock of struct kx_pass: the pass thread adds whole passes, GET_STATS copies.
 */
struct kx_stats {
	struct kvm_ext_stats sum;
	u64 pass_ns[KX_HIST_BUCKETS];
};

/* What a pass leaves behind: its account as told in the ring, and what only the sums have. */
struct kx_pass_account {
	struct kvm_ext_rec_pass_end end;
	u64 start_ns;
	u64 max_hold_ns;
	u64 dropped_pages;
	u32 state;		/* KVM_EXT_STATE_*, kept until the tracker is changed */
	bool slots_changed;
	bool staleness;		/* the pass is one of a pair */
	struct kvm_ext_walk_stats walk;
	struct kvm_ext_regions_stats regions;	/* as of now, if there are any */
	struct kvm_ext_trap_stats trap;		/* as of now */
	u64 trap_listened_ns;			/* as of now */
};

/**
 * kx_stats_open() - a new account; the epoch goes on counting
 * @stats: the account
 * @tracker: enum kvm_ext_tracker_id
 * @interval_ns: of its passes; 0: only on request
 * @now_ns: by ktime_get_ns()
 */
void kx_stats_open(struct kx_stats *stats, u32 tracker, u64 interval_ns, u64 now_ns);

/**
 * kx_stats_add() - add a pass that has ended; what it cost counts whether or not the pass does
 * @stats: the account
 * @pass: that of the pass
 */
void kx_stats_add(struct kx_stats *stats, const struct kx_pass_account *pass);

/**
 * kx_stats_get() - copy the sums
 * @stats: the account
 * @out: all of it is written
 */
void kx_stats_get(const struct kx_stats *stats, struct kvm_ext_stats *out);

#endif /* KVM_EXT_STATS_H */
