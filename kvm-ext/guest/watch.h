/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The watched processes: which processes these are, which is determined in each epoch, and what is
 * known of the memory of each. Only the agent's thread uses this; interrupts use only
 * kx_watch_has().
 */
#ifndef KVM_EXT_WATCH_H
#define KVM_EXT_WATCH_H

#include <linux/types.h>
#include <kvm-ext/channel.h>

#include "../common/ranges.h"

struct mm_struct;

struct kx_process {
	pid_t tgid;
	/*
	 * The structure is held (mmgrab), the memory is not: call mmget_not_zero() before reading
	 * its tables. After an exec the process has another mm.
	 */
	struct mm_struct *mm;
	char name[KVM_EXT_CHANNEL_NAME];
	u32 samples;				/* in this epoch */
	struct kx_ranges ranges;
	void *ranges_memory;
	struct kvm_ext_channel_sample *raw;	/* not written yet; NULL: not requested */
	u32 nr_raw;
};

#define KX_RAW_MAX	1024u			/* in a record */

struct kx_watch {
	struct kx_process *process[KVM_EXT_CHANNEL_PROCESSES];
	u32 nr;
	const struct kvm_ext_channel_command *command;
	pid_t tgid[KVM_EXT_CHANNEL_PROCESSES];	/* for interrupts; 0: free */
	u64 memory_bytes;
};

/**
 * kx_watch_refresh() - find the processes that a command names
 * @w: the watch
 * @command: belongs to the caller, and exists as long as the watch is used
 *
 * Context: the agent's thread; may sleep.
 * Return: 0; -ENOMEM: some processes were left out.
 */
int kx_watch_refresh(struct kx_watch *w, const struct kvm_ext_channel_command *command);

/**
 * kx_watch_drop() - stop watching processes
 * @w: the watch
 *
 * Context: the agent's thread; may sleep.
 */
void kx_watch_drop(struct kx_watch *w);

/**
 * kx_watch_has() - is a process watched?
 * @w: the watch
 * @tgid: the process
 *
 * Context: any.
 * Return: may be one epoch old.
 */
bool kx_watch_has(const struct kx_watch *w, pid_t tgid);

/**
 * kx_watch_find() - find a watched process
 * @w: the watch
 * @tgid: the process
 *
 * Context: the agent's thread.
 * Return: the process; NULL: it is not watched.
 */
struct kx_process *kx_watch_find(struct kx_watch *w, pid_t tgid);

#endif /* KVM_EXT_WATCH_H */
