// SPDX-License-Identifier: GPL-2.0-only
/* The agent's thread: reads the channel, runs the sampler, ends epochs. */
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/utsname.h>
#include <asm/timex.h>

#include "agent.h"
#include "command.h"
#include "declared.h"
#include "report.h"
#include "sampler.h"
#include "work.h"

/* Time between two reads of the channel: without a sampler; and with one, if epochs are longer. */
#define IDLE_NS		(100 * NSEC_PER_MSEC)
#define LOOK_NS		(100 * NSEC_PER_MSEC)
#define TORN_MAX	10u
/*
 * From one read of the channel to the next, at most this time counts as silence of the host. If
 * more time has passed, the guest itself was stopped, or the agent did not get a CPU.
 */
#define STEP_MAX_NS	NSEC_PER_SEC

/* --- status ---------------------------------------------------------------------- */

static void agent_put_status(struct kx_agent *a)
{
	struct kvm_ext_channel_status *s = &a->status;

	s->magic = KVM_EXT_CHANNEL_MAGIC;
	s->instance = a->link.instance;
	s->host_instance = a->link.host_instance;
	s->cpus = num_online_cpus();
	s->work = kx_work(&s->work_writers);
	a->account.dropped_ring = a->link.dropped;
	a->account.memory_bytes = a->memory_bytes + a->watch.memory_bytes;
	s->account = a->account;
	s->time_ns = ktime_get_ns();
	s->tsc = rdtsc_ordered();
	kx_link_put_status(&a->link, s);
}

/* --- switching ----------------------------------------------------------------------- */

static void agent_stop_sampler(struct kx_agent *a)
{
	if (a->sampler)
		a->sampler->stop(a);
	a->sampler = NULL;
	a->state = NULL;
	kx_watch_drop(&a->watch);
	a->status.state = KVM_EXT_GUEST_IDLE;
	a->status.error = 0;
	a->status.surrogate = 0;
	memset(a->status.event, 0, sizeof(a->status.event));
}

static int agent_start_sampler(struct kx_agent *a)
{
	const struct kx_sampler *sampler = kx_sampler_by_id(a->command.sampler);
	int err;

	if (!sampler)
		return -EINVAL;
	err = kx_watch_refresh(&a->watch, &a->command);
	if (!err)
		err = sampler->start(a);
	if (err) {
		kx_watch_drop(&a->watch);
		return err;
	}
	a->sampler = sampler;
	a->status.state = KVM_EXT_GUEST_RUNNING;
	a->status.start_ns = ktime_get_ns();
	a->epoch_end = ktime_add_ns(ktime_get(), a->command.epoch_ns);
	return 0;
}

/* Stops the sampler, if one runs, and reports the error. */
static void agent_fail(struct kx_agent *a, int err)
{
	agent_stop_sampler(a);
	a->status.state = KVM_EXT_GUEST_FAILED;
	a->status.error = -err;
}

/* Carries out @command. The number of the command is acknowledged also if the command fails. */
static void agent_obey(struct kx_agent *a, const struct kvm_ext_channel_command *command)
{
	int err;

	agent_stop_sampler(a);
	a->command = *command;
	memset(&a->account, 0, sizeof(a->account));
	a->link.dropped = 0;
	a->epoch_number = 0;
	a->status.epoch = command->epoch;
	a->status.start_ns = 0;
	err = kx_command_check(&a->command);
	if (!err && a->command.sampler != KVM_EXT_SAMPLER_NONE)
		err = agent_start_sampler(a);
	if (err)
		agent_fail(a, err);
	a->status.acked = command->seq;
}

/* --- the host's end -------------------------------------------------------------------- */

/* A daemon has started, or is heard again: the agent starts again as well. */
static void agent_start_over(struct kx_agent *a, u64 host_instance)
{
	agent_stop_sampler(a);
	kx_link_start(&a->link, host_instance);
	memset(&a->account, 0, sizeof(a->account));
	a->status.acked = 0;
	a->status.epoch = 0;
	a->torn = 0;
	a->host.silent_ns = 0;
}

/* A daemon that has ended in the middle of writing a command leaves a command that nobody knows. */
static void agent_lose_command(struct kx_agent *a)
{
	if (++a->torn != TORN_MAX)
		return;
	agent_fail(a, -EBADMSG);
}

static void agent_look_at_command(struct kx_agent *a)
{
	struct kvm_ext_channel_command command;

	if (kx_link_command_seq(&a->link) == a->status.acked) {
		a->torn = 0;
		return;
	}
	if (!kx_link_command(&a->link, &command)) {
		agent_lose_command(a);
		return;
	}
	a->torn = 0;
	if (command.seq != a->status.acked)
		agent_obey(a, &command);
}

/* Reads the host's heartbeat and returns for how long it has not changed. */
static u64 agent_host_silent_ns(struct kx_agent *a)
{
	u64 beat = kx_link_host_heartbeat(&a->link);
	struct kx_host_life *h = &a->host;
	ktime_t now = ktime_get();
	u64 step = ktime_to_ns(ktime_sub(now, h->looked));

	if (!beat || beat != h->beat)
		h->silent_ns = 0;
	else
		h->silent_ns += min_t(u64, step, STEP_MAX_NS);
	h->beat = beat;
	h->looked = now;
	return h->silent_ns;
}

static bool agent_is_heard(const struct kx_agent *a)
{
	return a->status.state != KVM_EXT_GUEST_UNHEARD;
}

/*
 * The daemon does not listen any more. After this call nothing is written to the channel until a
 * daemon starts or the heartbeat continues.
 */
static void agent_fall_silent(struct kx_agent *a)
{
	agent_stop_sampler(a);
	a->status.state = KVM_EXT_GUEST_UNHEARD;
	agent_put_status(a);
}

static void agent_look(struct kx_agent *a)
{
	u64 host = kx_link_host_instance(&a->link);
	bool silent = agent_host_silent_ns(a) > KVM_EXT_CHANNEL_HOST_PATIENCE_NS;
	int err;

	if (host != a->link.host_instance || (!silent && !agent_is_heard(a)))
		agent_start_over(a, host);
	else if (silent && agent_is_heard(a))
		agent_fall_silent(a);
	if (!agent_is_heard(a))
		return;
	a->status.heartbeat++;
	agent_look_at_command(a);
	/*
	 * Each time, because perf makes buffers not only when a sampler starts: other programs in
	 * the guest may start and end events at any time.
	 */
	err = kx_declare(&a->link);
	if (err && a->sampler)
		agent_fail(a, err);
}

/* --- the thread ----------------------------------------------------------------------------- */

static void agent_end_epoch(struct kx_agent *a)
{
	u64 mark = ktime_get_ns();
	int err = a->sampler->epoch(a);

	if (err) {
		agent_fail(a, err);
		agent_put_status(a);
		return;
	}
	kx_charge(&a->account.report_ns, &mark);
	kx_report_epoch(a);
	a->account.epochs++;
	a->epoch_number++;
	agent_put_status(a);
	mark = ktime_get_ns();
	err = kx_watch_refresh(&a->watch, &a->command);
	kx_charge(&a->account.report_ns, &mark);
	if (err) {
		agent_fail(a, err);
		return;
	}
	/* Epochs that were missed are left out. */
	a->epoch_end = ktime_add_ns(a->epoch_end, a->command.epoch_ns);
	if (ktime_before(a->epoch_end, ktime_get()))
		a->epoch_end = ktime_add_ns(ktime_get(), a->command.epoch_ns);
}

static void agent_sleep_until(ktime_t when)
{
	set_current_state(TASK_IDLE);
	if (!kthread_should_stop())
		schedule_hrtimeout_range(&when, 50 * NSEC_PER_USEC, HRTIMER_MODE_ABS);
	__set_current_state(TASK_RUNNING);
}

/* Returns the time of the next call. */
static ktime_t agent_run_sampler(struct kx_agent *a)
{
	ktime_t next = a->sampler->collect(a);

	if (!ktime_before(ktime_get(), a->epoch_end))
		agent_end_epoch(a);
	if (!a->sampler)
		return 0;
	return ktime_before(next, a->epoch_end) ? next : a->epoch_end;
}

static int agent_thread(void *data)
{
	struct kx_agent *a = data;
	ktime_t next_look = 0, next;

	while (!kthread_should_stop()) {
		if (!ktime_before(ktime_get(), next_look)) {
			agent_look(a);
			if (agent_is_heard(a))
				agent_put_status(a);
			next_look = ktime_add_ns(ktime_get(), a->sampler ?
					min_t(u64, LOOK_NS, a->command.epoch_ns) : IDLE_NS);
		}
		next = next_look;
		if (a->sampler) {
			next = agent_run_sampler(a);
			next = ktime_before(next, next_look) ? next : next_look;
		}
		if (ktime_before(ktime_get(), next))
			agent_sleep_until(next);
		else
			cond_resched();
	}
	agent_stop_sampler(a);
	kx_link_end(&a->link);
	return 0;
}

struct kx_agent *kx_agent_start(void *memory)
{
	struct kx_agent *a = kvzalloc(sizeof(*a), GFP_KERNEL);
	int err = -ENOMEM;

	if (!a)
		return ERR_PTR(err);
	a->link.memory = memory;
	a->scratch = kvmalloc(kx_report_scratch_bytes(), GFP_KERNEL);
	if (!a->scratch)
		goto free;
	a->memory_bytes = sizeof(*a) + kx_report_scratch_bytes();
	strscpy(a->status.release, init_utsname()->release, sizeof(a->status.release));
	a->thread = kthread_run(agent_thread, a, "kvm-ext-guest");
	if (!IS_ERR(a->thread))
		return a;
	err = PTR_ERR(a->thread);
free:
	kvfree(a->scratch);
	kvfree(a);
	return ERR_PTR(err);
}

void kx_agent_end(struct kx_agent *a)
{
	kthread_stop(a->thread);
	kvfree(a->scratch);
	kvfree(a);
}
