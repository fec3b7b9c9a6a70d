/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_ACCOUNT_H
#define KVM_EXT_LOG_ACCOUNT_H

#include <linux/mutex.h>
#include <kvm-ext/uapi.h>

/**
 * struct kx_log_account - the statistics of the use of a dirty log
 * @lock: protects all other members; innermost, held briefly
 * @stats: counted since kx_log_account_open()
 * @more: its @aside_passes are counted since kx_log_account_open(), its @stuck_pages since attach
 * @disable_ns: time to switch off the running tracker's logs. Most of these logs are switched off
 *	when the tracker stops, so kx_log_account_open() copies this time to the next @stats.
 * @disable_pages: pages of the memslots of these logs; copied in the same way
 */
struct kx_log_account {
	struct mutex lock;	/* as said above */
	struct kvm_ext_log_stats stats;
	struct kvm_ext_log_more_stats more;
	u64 disable_ns, disable_pages;
};

/**
 * kx_log_account_init() - prepare an account; nothing is counted
 * @a: the account, all zero
 */
void kx_log_account_init(struct kx_log_account *a);

/**
 * kx_log_account_open() - start a new account
 * @a: the account
 * @mechanism: enum kvm_ext_log_mechanism
 * @mode: enum kvm_ext_log_mode
 *
 * Context: may sleep.
 */
void kx_log_account_open(struct kx_log_account *a, u32 mechanism, u32 mode);

/**
 * kx_log_account_error() - count an error
 * @a: the account
 * @err: negative errno
 *
 * Context: may sleep.
 */
void kx_log_account_error(struct kx_log_account *a, int err);

/**
 * kx_log_account_add() - add to a sum
 * @a: the account
 * @sum: one of its members
 * @more: what to add
 *
 * Context: may sleep.
 */
void kx_log_account_add(struct kx_log_account *a, u64 *sum, u64 more);

#endif /* KVM_EXT_LOG_ACCOUNT_H */
