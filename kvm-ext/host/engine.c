// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine: a thread that runs passes over the VM's memory, at an interval or on request, and
 * accounts for their cost.
 */
#include <linux/kthread.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "affinity.h"
#include "engine.h"
#include "needs.h"
#include "region-pass.h"
#include "scan.h"
#include "setting.h"
#include "test-build.h"
#include "trace.h"
#include "tracker.h"
#include "vm.h"

static bool engine_has_passes(const struct kx_engine *e)
{
	return e->pass.tracker->scan || e->pass.tracker->pass;
}

/* --- a pass ------------------------------------------------------------------ */

static u16 engine_record_flags(const struct kx_engine *e)
{
	return (kx_pass_primes(&e->pass) ? KVM_EXT_PASS_PRIME : 0) |
	       (e->after_control ? KVM_EXT_PASS_CONTROL : 0);
}

/*
 * Chooses the flush scope. With staleness, one pass of each pair (0 and 1, 2 and 3, ...) is the
 * control: it flushes after each leaf that it finds accessed. The effect appears in the findings of
 * the pass after the control.
 */
static void engine_choose_scope(struct kx_engine *e)
{
	struct kx_pass *p = &e->pass;

	e->after_control = e->control;
	e->control = false;
	p->flusher.scope = p->cfg.flush_scope;
	if (!(p->cfg.flags & KVM_EXT_SET_STALENESS))
		return;
	p->account.staleness = true;
	/* A later priming pass has the number of the pass before it, and repeats its role. */
	if (kx_pass_primes(p) && p->nr)
		e->control = e->after_control;
	else
		e->control = p->nr % 2 ? !e->after_control : get_random_u32() & 1;
	if (e->control)
		p->flusher.scope = KVM_EXT_FLUSH_PAGE;
}

/* While no pass runs, the progress describes the next pass. */
static void engine_tell_next(struct kx_engine *e)
{
	struct kx_pass *p = &e->pass;

	lockdep_assert_held(&p->lock);
	p->progress = (struct kvm_ext_progress){};
	if (!engine_has_passes(e))
		return;
	p->progress = (struct kvm_ext_progress){
		.pass = p->nr + p->primed,
		.flags = kx_pass_primes(p) ? KVM_EXT_PASS_PRIME : 0,
		.next_ns = p->cfg.interval_ns ? ktime_to_ns(e->next) : 0,
	};
}

static void engine_put_begin(struct kx_engine *e)
{
	struct kx_pass *p = &e->pass;
	struct kvm_ext_rec_pass_begin begin = {
		.h = {
			.type = KVM_EXT_REC_PASS_BEGIN,
			.size = sizeof(begin),
			.flags = engine_record_flags(e),
		},
		.epoch = p->epoch,
		.pass = p->nr,
		.time_ns = p->account.start_ns,
		.tracker = p->tracker->id,
		.granularity = p->cfg.granularity,
	};

	trace_kvm_ext_pass_begin(p->vm->kvm->userspace_pid, &begin);
	kx_writer_begin_pass(&p->writer, &begin);
}

static void engine_begin_pass(struct kx_engine *e)
{
	struct kx_pass *p = &e->pass;

	memset(&p->account, 0, sizeof(p->account));
	p->account.start_ns = ktime_get_ns();
	p->hold.max_ns = 0;
	p->error = 0;
	p->yielded = false;
	engine_choose_scope(e);
	kx_leaf_forget(&p->leaves);

	spin_lock(&p->lock);
	kx_waiters_serve(&e->waiters, !kx_pass_primes(p));
	p->progress = (struct kvm_ext_progress){
		.pass = p->nr, .start_ns = p->account.start_ns, .flags = engine_record_flags(e),
	};
	spin_unlock(&p->lock);
	kx_hold_begin(&p->hold);
	if (p->tracker->scan || p->regions)
		kx_pass_refresh_slots(p);
	engine_put_begin(e);
}

/* Fills in the account. CPU time of the thread after this call is charged to the next pass. */
static void engine_close_account(struct kx_engine *e)
{
	struct kx_pass *p = &e->pass;
	struct kvm_ext_rec_pass_end *end = &p->account.end;
	u64 cpu;

	cpu = kx_hold_end(&p->hold);
	p->account.max_hold_ns = p->hold.max_ns;
	end->h = (struct kvm_ext_record){
		.type = KVM_EXT_REC_PASS_END,
		.size = sizeof(*end),
		.flags = engine_record_flags(e) |
			 (kx_pass_is_cut(p) ? KVM_EXT_PASS_CUT : 0) |
			 (p->yielded ? KVM_EXT_PASS_YIELDED : 0),
	};
	end->pass = p->nr;
	end->time_ns = ktime_get_ns();
	end->wall_ns = end->time_ns - p->account.start_ns;
	end->cpu_ns = cpu - e->cpu_mark;
	end->lost_samples = p->writer.lost_samples;
	e->cpu_mark = cpu;
}

/*
 * Passes start at multiples of the interval. Returns how many of these starts were skipped because
 * the pass took too long. With staleness, the times between two passes have to be equal instead,
 * because a control takes longer than other passes.
 */
static u64 engine_schedule_next(struct kx_engine *e)
{
	u64 interval = e->pass.cfg.interval_ns, skipped;
	ktime_t now = ktime_get();

	if (e->pass.account.staleness) {
		e->next = ktime_add_ns(now, interval);
		return 0;
	}
	e->next = ktime_add_ns(e->next, interval);
	if (ktime_after(e->next, now))
		return 0;
	skipped = div64_u64(ktime_to_ns(ktime_sub(now, e->next)), interval) + 1;
	e->next = ktime_add_ns(e->next, skipped * interval);
	return skipped;
}

/*
 * The priming pass flushes even if it has found nothing: another tracker, or the host's reclaim,
 * may have cleared bits without a flush. Then vCPUs use cached translations and set no bits, and no
 * pass would find a reason to flush. A control flushes for the same reason: the policy of the pass
 * before it may contain no flush.
 */
static void engine_flush_rest(struct kx_engine *e)
{
	kx_pass_flush(&e->pass, kx_pass_primes(&e->pass) || e->control);
}

static void engine_end_pass(struct kx_engine *e, bool timed)
{
	struct kx_pass *p = &e->pass;
	bool primed = kx_pass_primes(p), cut;
	u64 skipped;

	engine_flush_rest(e);
	kx_writer_put_run(&p->writer);
	engine_close_account(e);
	kx_writer_end_pass(&p->writer, &p->account.end);
	trace_kvm_ext_pass_end(p->vm->kvm->userspace_pid, &p->account.end, p->error);
	skipped = timed ? engine_schedule_next(e) : 0;
	cut = kx_pass_is_cut(p);
	kx_pass_move(p, KX_PASS_OVER);

	spin_lock(&p->lock);
	kx_stats_add(&p->stats, &p->account);
	p->stats.sum.overruns += skipped;
	engine_tell_next(e);
	/*
	 * A priming pass serves no task: the pass after it does. But if priming has failed, there
	 * may be no further pass, and all waiting tasks get the error.
	 */
	if (!cut || p->error)
		kx_waiters_end(&e->waiters, !(primed && p->prime_failed), p->nr, p->error);
	spin_unlock(&p->lock);
	wake_up_all(e->wait);
}

static bool engine_timer_due(struct kx_engine *e)
{
	return e->pass.cfg.interval_ns && !ktime_before(ktime_get(), e->next);
}

static void engine_run_pass(struct kx_engine *e)
{
	struct kx_pass *p = &e->pass;
	bool timed = kx_pass_primes(p) || engine_timer_due(e);

	if (kx_pass_primes(p))
		e->next = ktime_get();
	else
		p->nr++;
	engine_begin_pass(e);
	if (p->regions)
		kx_region_pass(p);
	else if (p->tracker->pass)
		p->tracker->pass(p);
	else
		kx_scan(p);
	kx_test_burn_cpu(p->cfg.interval_ns);
	engine_end_pass(e, timed && p->cfg.interval_ns);
}

/* --- the thread --------------------------------------------------------------- */

static bool engine_pass_due(struct kx_engine *e)
{
	struct kx_pass *p = &e->pass;

	if (!engine_has_passes(e) || READ_ONCE(p->vm->gone))
		return false;
	if ((kx_pass_primes(p) && !p->prime_failed) || engine_timer_due(e))
		return true;
	return kx_waiters_are_there(&e->waiters);
}

/* Updates the state. True: a pass has to be run. */
static bool engine_look(struct kx_engine *e)
{
	kx_pass_move(&e->pass, engine_pass_due(e) ? KX_PASS_DUE : KX_PASS_LOOK);
	return kx_pass_runs(&e->pass);
}

/* So much later the timer may expire, so that the kernel can merge wake-ups. */
static u64 engine_timer_slack_ns(const struct kx_engine *e)
{
	return min_t(u64, e->pass.cfg.interval_ns / 64, 50 * NSEC_PER_USEC);
}

/* Does not sleep if another task wants the thread. */
static void engine_sleep_until_due(struct kx_engine *e)
{
	struct kx_pass *p = &e->pass;
	bool timer = engine_has_passes(e) && p->cfg.interval_ns && !READ_ONCE(p->vm->gone);

	set_current_state(TASK_IDLE);
	if (!kthread_should_stop() && !kthread_should_park() && !engine_pass_due(e)) {
		if (timer)
			schedule_hrtimeout_range(&e->next, engine_timer_slack_ns(e),
						 HRTIMER_MODE_ABS);
		else
			schedule();
	}
	__set_current_state(TASK_RUNNING);
}

/* After the tracker's @leave, accesses are not tracked any more: the next pass primes. */
static void engine_leave(struct kx_engine *e)
{
	struct kx_pass *p = &e->pass;

	if (!p->tracker->leave)
		return;
	p->tracker->leave(p);
	kx_pass_move(p, KX_PASS_FORGET);
}

static int engine_thread(void *data)
{
	struct kx_engine *e = data;

	while (!kthread_should_stop()) {
		if (kthread_should_park()) {
			engine_leave(e);
			kthread_parkme();
			e->cpu_mark = kx_hold_cpu_ns();
		} else if (engine_look(e)) {
			engine_run_pass(e);
		} else {
			engine_sleep_until_due(e);
		}
	}
	engine_leave(e);
	return 0;
}

/* --- control -------------------------------------------------------------------- */

/* The thread is parked, or does not exist yet. Returns the memory of the old setting. */
static struct kx_needs engine_configure(struct kx_engine *e, const struct kx_tracker *tracker,
					const struct kvm_ext_tracker *cfg,
					const struct kx_needs *needs)
{
	struct kx_pass *p = &e->pass;
	struct kx_needs old = { .own = p->own, .regions = p->regions };

	p->tracker = tracker;
	p->own = needs->own;
	p->regions = needs->regions;
	p->cfg = *cfg;
	if (!cfg->flush_scope)
		p->cfg.flush_scope = tracker->flush_scope ?: KVM_EXT_FLUSH_NONE;
	if (!cfg->granularity)
		p->cfg.granularity = KVM_EXT_GRANULARITY_4K;
	if (!cfg->batch_pages)
		p->cfg.batch_pages = KX_BLOCK_PAGES;
	p->first_gfn = cfg->first_gfn;
	p->end_gfn = cfg->npages ? cfg->first_gfn + cfg->npages : ~0ull;
	p->nr = 0;
	kx_pass_move(p, KX_PASS_NEW_SETTING);
	e->control = false;
	return old;
}

/* How long a change of the setting waits for a VMM that is in an ioctl on the dirty log. */
#define PAUSE_JIFFIES	HZ

int kx_engine_pause(struct kx_engine *e)
{
	int err;

	if (!kx_log_reserve(&e->pass.log, PAUSE_JIFFIES, true))
		return fatal_signal_pending(current) ? -EINTR : -EAGAIN;
	/* Returns when the thread has cut its pass short, restored the VM and parked. */
	err = kthread_park(e->thread);
	kx_log_unreserve(&e->pass.log);
	return err;
}

void kx_engine_resume(struct kx_engine *e, bool prime)
{
	if (prime)
		kx_pass_move(&e->pass, KX_PASS_FORGET);
	spin_lock(&e->pass.lock);
	engine_tell_next(e);
	spin_unlock(&e->pass.lock);
	kthread_unpark(e->thread);
}

int kx_engine_set(struct kx_engine *e, const struct kx_tracker *tracker,
		  const struct kx_setting *setting)
{
	const struct kvm_ext_tracker *cfg = &setting->cfg;
	const struct kx_tracker *old_tracker = e->pass.tracker;
	struct kx_pass *p = &e->pass;
	struct kx_needs needs, old;
	int err;

	err = kx_needs_make(p->vm, tracker, setting, &needs);
	if (err)
		return err;
	err = kx_set_affinity(e->thread, cfg->cpu);
	if (!err)
		err = kx_engine_pause(e);
	if (err) {
		kx_set_affinity(e->thread, p->cfg.cpu);
		kx_needs_drop(tracker, &needs);
		return err;
	}
	old = engine_configure(e, tracker, cfg, &needs);
	kx_needs_drop(old_tracker, &old);
	/* If the next pass needs a snapshot, it takes a new one. */
	kx_slots_drop(&p->slots);
	kx_log_open(&p->log, p->first_gfn, p->end_gfn);
	e->next = ktime_get();
	spin_lock(&p->lock);
	kx_stats_open(&p->stats, tracker->id, cfg->interval_ns, ktime_get_ns());
	p->epoch = ++p->stats.sum.epoch;
	kx_waiters_end(&e->waiters, false, p->nr, -ECANCELED);
	spin_unlock(&p->lock);
	kx_engine_resume(e, false);
	wake_up_all(e->wait);
	return 0;
}

/* Without CONFIG_CPUMASK_OFFSTACK the mask is a part of the session, and counted there. */
#define KICKED_BYTES	(IS_ENABLED(CONFIG_CPUMASK_OFFSTACK) ? (s64)cpumask_size() : 0)

static void engine_free_kicked(struct kx_engine *e)
{
	kx_memory_count(&e->pass.vm->memory, -KICKED_BYTES);
	free_cpumask_var(e->pass.flusher.kicked);
}

int kx_engine_start(struct kx_engine *e, struct kx_vm *vm, struct kx_ring *ring,
		    const struct kx_tracker *off, wait_queue_head_t *wait)
{
	const struct kvm_ext_tracker cfg = { .tracker = off->id, .cpu = -1 };
	struct kx_pass *p = &e->pass;
	int err;

	e->wait = wait;
	p->vm = vm;
	p->writer.ring = ring;
	p->writer.wait = wait;
	spin_lock_init(&p->lock);
	kx_waiters_init(&e->waiters, &p->lock, wait);
	kx_log_init(&p->log, vm);
	engine_configure(e, off, &cfg, &(struct kx_needs){});
	kx_stats_open(&p->stats, off->id, 0, ktime_get_ns());
	if (!zalloc_cpumask_var(&p->flusher.kicked, GFP_KERNEL))
		return -ENOMEM;
	kx_memory_count(&vm->memory, KICKED_BYTES);
	e->thread = kthread_create(engine_thread, e, "kvm-ext/%d", vm->kvm->userspace_pid);
	err = PTR_ERR_OR_ZERO(e->thread);
	if (err)
		goto free_kicked;
	err = kx_set_affinity(e->thread, cfg.cpu);
	if (err)
		goto stop_thread;
	wake_up_process(e->thread);
	return 0;

stop_thread:
	kthread_stop(e->thread);
free_kicked:
	engine_free_kicked(e);
	return err;
}

bool kx_engine_may_stop(struct kx_engine *e, long timeout)
{
	return kx_log_reserve(&e->pass.log, timeout, false);
}

void kx_engine_stop(struct kx_engine *e)
{
	struct kx_pass *p = &e->pass;
	struct kx_needs needs = { .own = p->own, .regions = p->regions };

	kthread_stop(e->thread);
	spin_lock(&p->lock);
	kx_waiters_end(&e->waiters, false, p->nr, -ENODEV);
	spin_unlock(&p->lock);
	wake_up_all(e->wait);
	kx_needs_drop(p->tracker, &needs);
	p->own = NULL;
	p->regions = NULL;
	kx_slots_drop(&p->slots);
	engine_free_kicked(e);
}

/* --- waiting for a pass ------------------------------------------------------------ */

int kx_engine_request(struct kx_engine *e, struct kx_waiter *waiter)
{
	if (!engine_has_passes(e))
		return -EINVAL;
	kx_waiters_add(&e->waiters, waiter);
	wake_up_process(e->thread);
	return 0;
}

int kx_engine_wait(struct kx_engine *e, struct kx_waiter *waiter)
{
	return kx_waiters_wait(&e->waiters, waiter);
}

void kx_engine_get_stats(struct kx_engine *e, struct kvm_ext_stats *out)
{
	struct kx_pass *p = &e->pass;

	spin_lock(&p->lock);
	kx_stats_get(&p->stats, out);
	out->progress = p->progress;
	spin_unlock(&p->lock);
	out->state |= kx_log_get_stats(&p->log, &out->log, &out->log_more);
	out->memory_bytes = kx_memory_bytes(&p->vm->memory);
}
