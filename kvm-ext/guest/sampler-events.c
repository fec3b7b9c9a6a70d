// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest-pebs: samples of perf events on every CPU, with the addresses that watched processes
 * accessed.
 *
 *   overflow handler, or a drain of perf's buffer -> ring -> agent's thread -> classifier
 *
 * The handler runs in the context of the event: in an NMI, at a context switch, in a page fault. An
 * NMI may interrupt the handler and call it again. So the handler uses only the ring, and counters
 * of its CPU, which it changes with single instructions.
 *
 * Large PEBS: if the period is fixed, and only data of the CPU's record is requested, perf lets the
 * CPU fill a buffer, and takes the records out at context switches, without an interrupt. But then
 * perf does not call overflow handlers: it calls a handler only when an interrupt drains the
 * buffer, and only for the last record. Perf gives all other records to perf_event_output(), for
 * readers of a mapped buffer. These events have no such readers. So a kprobe on perf_event_output()
 * takes their records. In this case each call of the handler stands for an interrupt, which is how
 * interrupts are counted; an interrupt that finds records of two events counts twice. Without the
 * kprobe, samples would be lost without notice: the event is then refused. If the kernel could not
 * run the kprobe at a record, of any event, the record is counted as lost (nmissed).
 *
 * If a thread runs without a context switch, the buffer becomes full, and this causes an interrupt.
 * So the agent empties the buffers earlier (pace.h), and at the end of an epoch all of them.
 *
 * Each epoch looks for CPUs that have come or gone. Callbacks of CPU hotplug cannot be used,
 * because they are called under the lock that is also taken to create an event.
 */
#include <linux/err.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <linux/slab.h>

#include "../common/mpsc.h"
#include "../common/pace.h"
#include "../common/thrift.h"
#include "agent.h"
#include "classify.h"
#include "event.h"
#include "sampler.h"

#define RING_ENTRIES	(1u << 16)
#define BATCH		256u
#define COLLECT_NS	(10 * NSEC_PER_MSEC)
/* A period of minutes, within the width of all counters. */
#define NEVER		(1ull << 38)

/* Sums since the sampler's start. Written only on the counters' own CPU, read by the agent. */
struct counters {
	u64 samples, no_address, interrupts, ns;
};

struct events {
	struct kx_event what;
	u64 period;
	struct kx_watch *watch;
	struct kx_mpsc ring;
	void *ring_memory;
	struct counters __percpu *counters;
	struct perf_event *(*event)[KX_EVENTS_MAX];	/* by CPU */
	struct kx_pace *pace;				/* by CPU; for buffered events */
	bool probing;					/* this sampler uses the kprobe */
	u64 missed_before;				/* nmissed of the kprobe at the start */
	u64 epoch_start_ns, cost_before_ns;		/* at the epoch's start, for the budget */
	struct kx_thrift thrift;
	struct kx_sample batch[BATCH];
};

/* --- samples, in any context ------------------------------------------------------- */

/*
 * Records are drained while their task runs, or before it is switched out, so it is the current
 * task. Only user memory of the task counts. The kernel's half of the address space does not count,
 * nor does the user memory of an mm that a kernel thread has borrowed.
 */
static void events_take(struct events *s, const struct perf_sample_data *data)
{
	struct kx_sample sample = { .space = current->tgid, .weight = 1 };

	this_cpu_inc(s->counters->samples);
	if (!(data->sample_flags & PERF_SAMPLE_ADDR) || !data->addr) {
		this_cpu_inc(s->counters->no_address);
		return;
	}
	if (data->addr >= TASK_SIZE_MAX || (current->flags & PF_KTHREAD))
		return;
	sample.address = data->addr;
	if (kx_watch_has(s->watch, sample.space))
		kx_mpsc_push(&s->ring, &sample);
}

static void events_overflow(struct perf_event *event, struct perf_sample_data *data,
			    struct pt_regs *regs)
{
	struct events *s = event->overflow_handler_context;
	u64 start = ktime_get_mono_fast_ns();

	if (in_nmi())
		this_cpu_inc(s->counters->interrupts);
	events_take(s, data);
	this_cpu_add(s->counters->ns, ktime_get_mono_fast_ns() - start);
}

/* The handler of the kprobe: perf_event_output(event, data, regs) is about to run. */
static int events_before_output(struct kprobe *probe, struct pt_regs *regs)
{
	struct perf_event *event = (struct perf_event *)regs_get_kernel_argument(regs, 0);
	const struct perf_sample_data *data = (void *)regs_get_kernel_argument(regs, 1);
	struct events *s;
	u64 start;

	if (event->overflow_handler != events_overflow)
		return 0;
	start = ktime_get_mono_fast_ns();
	s = event->overflow_handler_context;
	events_take(s, data);
	this_cpu_add(s->counters->ns, ktime_get_mono_fast_ns() - start);
	return 0;
}

/* --- the kprobe, one for all agents ------------------------------------------------- */

static DEFINE_MUTEX(probe_lock);
static unsigned int probe_users;
static struct kprobe output_probe;

static int events_get_probe(struct events *s)
{
	int err = 0;

	mutex_lock(&probe_lock);
	if (!probe_users) {
		output_probe = (struct kprobe){
			.symbol_name = "perf_event_output",
			.pre_handler = events_before_output,
		};
		err = register_kprobe(&output_probe);
	}
	if (!err) {
		probe_users++;
		s->probing = true;
		s->missed_before = output_probe.nmissed;
	}
	mutex_unlock(&probe_lock);
	return err ? -EOPNOTSUPP : 0;
}

static void events_put_probe(struct events *s)
{
	mutex_lock(&probe_lock);
	if (s->probing && !--probe_users)
		unregister_kprobe(&output_probe);
	mutex_unlock(&probe_lock);
}

/* --- events on CPUs ----------------------------------------------------------------- */

static void events_release_cpu(struct events *s, int cpu)
{
	unsigned int i;

	for (i = 0; i < s->what.nr; i++) {
		if (s->event[cpu][i])
			perf_event_release_kernel(s->event[cpu][i]);
		s->event[cpu][i] = NULL;
	}
}

static int events_create(struct events *s, int cpu, unsigned int i)
{
	struct perf_event_attr attr = s->what.attr[i];
	struct perf_event *event;

	attr.sample_period = s->period;
	event = perf_event_create_kernel_counter(&attr, cpu, NULL, events_overflow, s);
	if (IS_ERR(event))
		return PTR_ERR(event);
	s->event[cpu][i] = event;
	/* A pinned event is in this state if no counter was free. */
	return READ_ONCE(event->state) == PERF_EVENT_STATE_ERROR ? -EBUSY : 0;
}

/*
 * When a CPU comes online, Linux 6.12 resets the size of the CPU's records, but not what it takes
 * to be in them, and it sets both only when the latter changes. If the CPU's last event had records
 * like ours, perf would read ours with the wrong size. So an event comes first whose records have
 * no address, and whose period does not end: perf sets both for it, and once more for ours.
 */
static void events_settle_records(const struct events *s, int cpu)
{
	struct perf_event_attr attr = s->what.attr[0];
	struct perf_event *event;

	attr.sample_type = 0;
	attr.sample_period = NEVER;
	event = perf_event_create_kernel_counter(&attr, cpu, NULL, events_overflow, (void *)s);
	if (!IS_ERR(event))
		perf_event_release_kernel(event);
}

static int events_create_cpu(struct events *s, int cpu)
{
	unsigned int i;
	int err;

	if (s->what.buffered)
		events_settle_records(s, cpu);
	for (i = 0; i < s->what.nr; i++) {
		err = events_create(s, cpu, i);
		if (err) {
			events_release_cpu(s, cpu);
			return err;
		}
	}
	return 0;
}

/*
 * When a CPU goes offline, perf switches off the CPU's events, which stay off when the CPU comes
 * online again. Each event may lose its counter by itself.
 */
static bool events_is_running(const struct events *s, int cpu)
{
	unsigned int i;

	for (i = 0; i < s->what.nr; i++) {
		if (!s->event[cpu][i] ||
		    READ_ONCE(s->event[cpu][i]->state) <= PERF_EVENT_STATE_OFF)
			return false;
	}
	return true;
}

/*
 * Creates events on CPUs that have come online, and releases those of CPUs that have gone. A CPU
 * that goes offline loses its events some time before cpu_online() says so, and perf refuses new
 * events on it with -ENODEV: the next epoch checks again.
 */
static int events_follow_cpus(struct events *s)
{
	int cpu, err, first = 0;

	for_each_possible_cpu(cpu) {
		if (cpu_online(cpu) == events_is_running(s, cpu))
			continue;
		events_release_cpu(s, cpu);
		if (!cpu_online(cpu))
			continue;
		err = events_create_cpu(s, cpu);
		/* The CPU may have gone offline since the check. */
		if (err && err != -ENODEV && cpu_online(cpu) && !first)
			first = err;
	}
	return first;
}

static void events_set_period(struct events *s, u64 period)
{
	unsigned int i;
	int cpu;

	period = round_up(period, s->what.period_step);
	if (period == s->period)
		return;
	s->period = period;
	for_each_possible_cpu(cpu) {
		for (i = 0; i < s->what.nr; i++) {
			if (s->event[cpu][i])
				perf_event_period(s->event[cpu][i], period);
		}
	}
}

/* --- records in the CPUs' buffers -------------------------------------------------------- */

/*
 * When an event is read whose period the CPU reloads by itself, perf empties the CPU's buffer, for
 * all events of this CPU, on this CPU and with its counters stopped. The records belong to the task
 * that runs there, and the kprobe takes them. This costs one interrupt between CPUs, but no
 * interrupt of a counter.
 *
 * The buffer of the CPU on which this thread runs needs no emptying: it was emptied when the
 * scheduler switched to the thread, and has been empty since, because accesses of a kernel thread
 * are not sampled.
 */
static void events_empty_buffer(struct events *s, int cpu)
{
	u64 enabled, running;

	if (cpu != raw_smp_processor_id())
		perf_event_read_value(s->event[cpu][0], &enabled, &running);
	kx_pace_emptied(&s->pace[cpu], READ_ONCE(per_cpu_ptr(s->counters, cpu)->samples),
			ktime_get_ns());
}

static bool events_is_due(const struct kx_agent *a, const struct kx_pace *pace, u64 now)
{
	u64 end = ktime_to_ns(a->epoch_end);

	if (a->command.policy == KVM_EXT_POLICY_POLL)
		return now >= pace->last_ns + KX_PACE_MIN_NS;
	/* The report of an epoch contains all samples until the end of the epoch. */
	return kx_pace_is_due(pace, now) || (now >= end && pace->last_ns < end);
}

/* Empties the buffers that are due. Returns when the next buffer is due. */
static u64 events_empty_buffers(const struct kx_agent *a, struct events *s)
{
	u64 next = ktime_get_ns() + KX_PACE_MAX_NS;
	int cpu;

	for_each_possible_cpu(cpu) {
		if (!s->event[cpu][0])
			continue;
		if (events_is_due(a, &s->pace[cpu], ktime_get_ns()))
			events_empty_buffer(s, cpu);
		next = min(next, s->pace[cpu].due_ns);
	}
	return next;
}

/* --- the account ----------------------------------------------------------------------- */

static void events_add_up(struct kx_agent *a, const struct events *s)
{
	struct kvm_ext_channel_account *account = &a->account;
	struct counters sum = {};
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct counters *c = per_cpu_ptr(s->counters, cpu);

		sum.samples += READ_ONCE(c->samples);
		sum.no_address += READ_ONCE(c->no_address);
		sum.interrupts += READ_ONCE(c->interrupts);
		sum.ns += READ_ONCE(c->ns);
	}
	account->samples = sum.samples;
	account->no_address = sum.no_address;
	account->interrupts = sum.interrupts;
	account->interrupt_ns = sum.ns;
	account->dropped_queue = kx_mpsc_dropped(&s->ring) +
				 (s->probing ? output_probe.nmissed - s->missed_before : 0);
	account->period = s->period;
}

/* The CPU time that the sampler has used so far; its budget is a share of one CPU, as in Memtis. */
static u64 events_cost_ns(const struct kvm_ext_channel_account *account)
{
	return account->interrupt_ns + account->drain_ns + account->classify_ns +
	       account->report_ns;
}

static void events_keep_budget(struct kx_agent *a, struct events *s)
{
	u64 now = ktime_get_ns(), cost = events_cost_ns(&a->account);
	u64 spent = cost - s->cost_before_ns;
	u64 budget = mul_u64_u64_div_u64(now - s->epoch_start_ns, a->command.budget_ppm, 1000000);
	u64 period = kx_thrift_period(&s->thrift, s->period, spent, budget);

	s->epoch_start_ns = now;
	s->cost_before_ns = cost;
	events_set_period(s, max(period, s->what.min_period));
}

static int events_epoch(struct kx_agent *a)
{
	struct events *s = a->state;
	int err = events_follow_cpus(s);

	events_add_up(a, s);
	if (a->command.policy == KVM_EXT_POLICY_BUDGET)
		events_keep_budget(a, s);
	return err;
}

/* --- the samples in the ring --------------------------------------------------------- */

static void events_classify_batch(struct kx_agent *a, const struct kx_sample *batch, u32 nr)
{
	struct kx_process *p = NULL;
	u32 i;

	for (i = 0; i < nr; i++) {
		if (!p || p->tgid != batch[i].space)
			p = kx_watch_find(&a->watch, batch[i].space);
		if (p)
			kx_classify(a, p, batch[i].address, batch[i].weight);
	}
}

static ktime_t events_collect(struct kx_agent *a)
{
	bool poll = a->command.policy == KVM_EXT_POLICY_POLL;
	struct events *s = a->state;
	u64 mark = ktime_get_ns(), until = mark + COLLECT_NS, next = until;
	u32 nr;

	do {
		if (s->what.buffered)
			next = min(events_empty_buffers(a, s), until);
		nr = kx_mpsc_pop(&s->ring, s->batch, BATCH);
		kx_charge(&a->account.drain_ns, &mark);
		if (!nr && !poll)
			break;
		events_classify_batch(a, s->batch, nr);
		kx_charge(&a->account.classify_ns, &mark);
		cond_resched();
		/* Samples that come faster than this loop takes them must not delay the epoch. */
	} while (mark < until);
	if (poll)
		return 0;
	/* If samples come faster than they are classified, the agent sleeps half of the time. */
	return ns_to_ktime(mark < until ? next : mark + COLLECT_NS);
}

/* --- the sampler ------------------------------------------------------------------------ */

static u64 events_bytes_held(void)
{
	return sizeof(struct events) + kx_mpsc_bytes(RING_ENTRIES) +
	       num_possible_cpus() * sizeof(struct counters) +
	       nr_cpu_ids * (sizeof(*((struct events *)0)->event) + sizeof(struct kx_pace));
}

static void events_free(struct events *s)
{
	free_percpu(s->counters);
	kvfree(s->ring_memory);
	kvfree(s->pace);
	kvfree(s->event);
	kvfree(s);
}

static struct events *events_alloc(void)
{
	struct events *s = kvzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->counters = alloc_percpu(struct counters);
	s->event = kvcalloc(nr_cpu_ids, sizeof(*s->event), GFP_KERNEL);
	s->pace = kvcalloc(nr_cpu_ids, sizeof(*s->pace), GFP_KERNEL);
	s->ring_memory = kvmalloc(kx_mpsc_bytes(RING_ENTRIES), GFP_KERNEL);
	if (s->counters && s->event && s->pace && s->ring_memory &&
	    !kx_mpsc_init(&s->ring, s->ring_memory, RING_ENTRIES))
		return s;
	events_free(s);
	return NULL;
}

/* A handler may still run on another CPU after its event was released: RCU waits for it. */
static void events_end(struct events *s)
{
	int cpu;

	for_each_possible_cpu(cpu)
		events_release_cpu(s, cpu);
	events_put_probe(s);
	synchronize_rcu();
	events_free(s);
}

static int events_start(struct kx_agent *a)
{
	struct events *s = events_alloc();
	int err = -ENOMEM;

	if (!s)
		return err;
	s->watch = &a->watch;
	s->period = a->command.period;
	err = kx_event_choose(&s->what, &a->command);
	if (!err && s->period < s->what.min_period)
		err = -ERANGE;
	if (!err)
		s->period = round_up(s->period, s->what.period_step);
	if (!err && s->what.buffered)
		err = events_get_probe(s);
	if (!err)
		err = events_follow_cpus(s);
	if (err) {
		events_end(s);
		return err;
	}
	s->epoch_start_ns = ktime_get_ns();
	a->state = s;
	a->memory_bytes += events_bytes_held();
	a->status.surrogate = s->what.surrogate;
	memcpy(a->status.event, s->what.name, sizeof(a->status.event));
	return 0;
}

static void events_stop(struct kx_agent *a)
{
	events_end(a->state);
	a->memory_bytes -= events_bytes_held();
}

const struct kx_sampler kx_sampler_events = {
	.id = KVM_EXT_SAMPLER_EVENTS,
	.start = events_start,
	.stop = events_stop,
	.collect = events_collect,
	.epoch = events_epoch,
};
