/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The watched processes, which are chosen anew in each epoch, and what is known of the memory of
 * each. Only the agent's thread uses this file, except for kx_watch_has(), which interrupts call.
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
	 * The structure is held (mmgrab), its memory is not: call mmget_not_zero() before its
	 * tables are read. After an exec the process has another mm, and is watched as another
	 * process.
	 */
	struct mm_struct *mm;
	char name[KVM_EXT_CHANNEL_NAME];
	u32 samples;				/* in this epoch */
	struct kx_ranges ranges;
	void *ranges_memory;
	struct kvm_ext_channel_sample *raw;	/* samples not written yet; NULL: not requested */
	u32 nr_raw;
};

#define KX_RAW_MAX	1024u			/* in a record */

struct kx_watch {
	struct kx_process *process[KVM_EXT_CHANNEL_PROCESSES];
	u32 nr;
	const struct kvm_ext_channel_command *command;
	pid_t tgid[KVM_EXT_CHANNEL_PROCESSES];	/* of @process, for interrupts; 0: no more */
	u64 memory_bytes;
};

/**
 * kx_watch_refresh() - watch the processes that a command names, and no others
 * @w: the watch
 * @command: the command, which the caller keeps for as long as the watch is used
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
 * Return: true or false, as of the last kx_watch_refresh().
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
