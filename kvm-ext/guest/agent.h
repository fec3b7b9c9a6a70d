/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent: one thread for each channel, which obeys its commands, runs the sampler,
 * classifies, reports. What follows is its own; samplers say themselves what their
 * interrupts and other CPUs touch.
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

/* Whether anybody at the host's end still listens, by signs of life and our own clock. */
struct kx_host_life {
	u64 beat;		/* the last one seen */
	ktime_t looked;
	u64 silent_ns;		/* for how long it has stood still */
};

struct kx_agent {
	struct kx_link link;
	struct kx_host_life host;
	struct task_struct *thread;
	struct kvm_ext_channel_status status;
	/* Since the sampler's start; it brings its own part up to date at an epoch's end. */
	struct kvm_ext_channel_account account;

	struct kvm_ext_channel_command command;	/* that runs: checked, defaults filled in */
	const struct kx_sampler *sampler;	/* NULL: none */
	void *state;				/* the sampler's */
	struct kx_watch watch;
	void *scratch;				/* report.c's */

	u64 epoch_number;
	ktime_t epoch_end;
	u64 memory_bytes;			/* held by the agent and the sampler */
	u32 torn;				/* looks in a row that met an unfinished command */
};

/**
 * kx_agent_start() - serve a channel until kx_agent_end()
 * @memory: the channel; it stays the caller's
 *
 * Context: may sleep.
 * Return: the agent, or ERR_PTR: -ENOMEM, or why there is no thread.
 */
struct kx_agent *kx_agent_start(void *memory);

/**
 * kx_agent_end() - stop the sampler, leave the channel as nobody's, and free the agent
 * @a: the agent
 *
 * Context: may sleep.
 */
void kx_agent_end(struct kx_agent *a);

/* Adds the time since @*mark to @sum, and sets the mark: times so exclude each other. */
static inline void kx_charge(u64 *sum, u64 *mark)
{
	u64 now = ktime_get_ns();

	*sum += now - *mark;
	*mark = now;
}

#endif /* KVM_EXT_AGENT_H */
