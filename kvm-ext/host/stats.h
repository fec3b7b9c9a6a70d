/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_STATS_H
#define KVM_EXT_STATS_H

#include <linux/types.h>
#include <kvm-ext/uapi.h>

/* Eight buckets per power of two: the upper edge is at most an eighth above the lower edge. */
#define KX_HIST_SUB_BITS	3
#define KX_HIST_BUCKETS		((64 - KX_HIST_SUB_BITS + 1) << KX_HIST_SUB_BITS)

/*
 * The account of a setting, since the KVM_EXT_SET_TRACKER that opened the account. The lock of
 * struct kx_pass protects the account: the pass thread adds whole passes, KVM_EXT_GET_STATS copies.
 */
struct kx_stats {
	struct kvm_ext_stats sum;
	u64 pass_ns[KX_HIST_BUCKETS];	/* number of counted passes by wall time */
};

/* The account of a pass: the record that goes to the ring, and what only the sums contain. */
struct kx_pass_account {
	struct kvm_ext_rec_pass_end end;
	u64 start_ns;
	u64 max_hold_ns;
	u64 dropped_pages;
	u32 state;		/* KVM_EXT_STATE_*; stays set in the sums until the next setting */
	bool slots_changed;
	bool staleness;		/* the pass is one of a pair */
	struct kvm_ext_walk_stats walk;
	/* Since the setting began: each pass replaces the values of the pass before it. */
	struct kvm_ext_regions_stats regions;
	struct kvm_ext_trap_stats trap;
	u64 trap_listened_ns;
	struct kvm_ext_trap_more_stats trap_more;
};

/**
 * kx_stats_open() - start a new account
 * @stats: the account; its number of the epoch stays
 * @tracker: enum kvm_ext_tracker_id
 * @interval_ns: interval of passes; 0: passes run only on request
 * @now_ns: the time, by ktime_get_ns()
 */
void kx_stats_open(struct kx_stats *stats, u32 tracker, u64 interval_ns, u64 now_ns);

/**
 * kx_stats_add() - add a pass that has ended
 * @stats: the account
 * @pass: the account of the pass
 *
 * The cost of the pass is added also if its findings do not count.
 */
void kx_stats_add(struct kx_stats *stats, const struct kx_pass_account *pass);

/**
 * kx_stats_get() - copy the sums
 * @stats: the account
 * @out: result; all members are written
 */
void kx_stats_get(const struct kx_stats *stats, struct kvm_ext_stats *out);

#endif /* KVM_EXT_STATS_H */
