/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent: one thread for each channel, which carries out the channel's commands, runs the
 * sampler, classifies and reports. The members below belong to this thread. Each sampler describes
 * what its interrupts, and its functions on other CPUs, use.
 */
#ifndef KVM_EXT_AGENT_H
#define KVM_EXT_AGENT_H

#include <linux/ktime.h>
#include <linux/types.h>
#include <kvm-ext/channel.h>

#include "link.h"
#include "watch.h"

struct kx_sampler;
struct task_struct;

/* Whether the daemon still listens, by its heartbeat and the guest's own clock. */
struct kx_host_life {
	u64 beat;		/* the heartbeat's last value */
	ktime_t looked;		/* when the heartbeat was read last */
	u64 silent_ns;		/* for how long the heartbeat has not changed */
};

struct kx_agent {
	struct kx_link link;
	struct kx_host_life host;
	struct task_struct *thread;
	struct kvm_ext_channel_status status;
	/* Since the last command. The sampler updates its part at the end of an epoch. */
	struct kvm_ext_channel_account account;

	struct kvm_ext_channel_command command;	/* the current one: checked, defaults filled in */
	const struct kx_sampler *sampler;	/* NULL: none */
	void *state;				/* of the sampler */
	struct kx_watch watch;
	void *scratch;				/* of report.c */

	u64 epoch_number;
	ktime_t epoch_end;
	u64 memory_bytes;			/* held by the agent and the sampler */
	u32 torn;				/* reads of an unfinished command in a row */
};

/**
 * kx_agent_start() - serve a channel until kx_agent_end()
 * @memory: the channel's memory, which belongs to the caller
 *
 * Context: may sleep.
 * Return: the agent, or ERR_PTR: -ENOMEM, or the error of creating the thread.
 */
struct kx_agent *kx_agent_start(void *memory);

/**
 * kx_agent_end() - end the thread, which stops the sampler and marks the channel as unused
 * @a: the agent
 *
 * Context: may sleep.
 */
void kx_agent_end(struct kx_agent *a);

/* Adds the time since @*mark to @sum, and sets the mark, so that no time is added twice. */
static inline void kx_charge(u64 *sum, u64 *mark)
{
	u64 now = ktime_get_ns();

	*sum += now - *mark;
	*mark = now;
}

#endif /* KVM_EXT_AGENT_H */
