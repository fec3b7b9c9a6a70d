// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pass engine: a thread that goes over the VM's memory at an interval or on
 * request, a block at a time, and accounts for what that costs.
 *
 * Between two calls into KVM the thread holds no lock, so all that can be held
 * too long is the CPU: the clock is looked at every few calls.
 */
#include <linux/kthread.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "affinity.h"
#include "flush.h"
#include "found.h"
#include "pass.h"
#include "region-pass.h"
#include "ring.h"
#include "tracker.h"
#include "vm.h"

/* The limit is 1 ms; leave room for interrupts and for the calls between two looks at the clock. */
#define HOLD_LIMIT_NS	(200 * NSEC_PER_USEC)

/* --- time ------------------------------------------------------------------ */

/*
 * CPU time of this thread, exact: the scheduler brings the sum up to date when it
 * is entered, a tick would only do so every few milliseconds.
 */
static u64 cpu_time_ns(void)
{
	schedule();
	return current->se.sum_exec_runtime;
}

/*
 * How long the thread has kept the CPU is told in its CPU time: a stretch in which it
 * slept, or others ran in its place, is no longer than that. The clock is cheaper to look
 * at and says when to rest.
 */
static void begin_hold(struct kx_pass *p)
{
	p->hold_start_ns = ktime_get_ns();
	/* As of the last wake-up, or tick, or rest, if the thread has not slept since. */
	p->hold_start_cpu_ns = current->se.sum_exec_runtime;
}

static u64 held_ns(struct kx_pass *p)
{
	return ktime_get_ns() - p->hold_start_ns;
}

/* A rescheduling point. Returns the thread's CPU time. */
static u64 end_hold(struct kx_pass *p)
{
	u64 cpu = cpu_time_ns();

	p->account.max_hold_ns = max(p->account.max_hold_ns, cpu - p->hold_start_cpu_ns);
	return cpu;
}

void kx_pass_begin_resting(struct kx_pass *p)
{
	end_hold(p);
}

void kx_pass_end_resting(struct kx_pass *p)
{
	cpu_time_ns();
	begin_hold(p);
	kx_leaf_forget(&p->leaves);
}

bool kx_pass_must_stop(struct kx_pass *p)
{
	if (kthread_should_stop() || kthread_should_park() || READ_ONCE(p->vm->gone))
		p->stop = true;
	return p->stop;
}

/* --- progress ---------------------------------------------------------------- */

static void tell_pages(struct kx_pass *p)
{
	spin_lock(&p->lock);
	p->progress.pages = min(p->account.end.pages_scanned, p->progress.total_pages);
	spin_unlock(&p->lock);
}

void kx_pass_set_total(struct kx_pass *p, u64 npages)
{
	spin_lock(&p->lock);
	p->progress.total_pages = npages;
	spin_unlock(&p->lock);
}

void kx_pass_set_step(struct kx_pass *p, enum kvm_ext_step step)
{
	spin_lock(&p->lock);
	p->progress.step = step;
	spin_unlock(&p->lock);
}

bool kx_pass_rest(struct kx_pass *p)
{
	if (need_resched() || held_ns(p) >= HOLD_LIMIT_NS) {
		tell_pages(p);
		end_hold(p);
		begin_hold(p);
		kx_leaf_forget(&p->leaves);
		p->rested = true;
	}
	return kx_pass_must_stop(p);
}

void kx_pass_fail(struct kx_pass *p, int err)
{
	p->error = err;
	p->stop = true;
}

/* --- flush ----------------------------------------------------------------- */

static void flush(struct kx_pass *p)
{
	struct kvm_ext_rec_pass_end *end = &p->account.end;
	u64 start = ktime_get_ns();

	p->unflushed = false;
	p->unbatched_pages = 0;
#ifndef KVM_EXT_TEST_NOFLUSH
	end->flush_ipis += kx_flush_vm(p->vm->kvm, p->kicked);
#endif
	end->flushes++;
	end->flush_ns += ktime_get_ns() - start;
}

void kx_pass_scanned(struct kx_pass *p, u64 npages, u64 tests, bool young)
{
	p->account.end.pages_scanned += npages;
	p->account.end.leaves_tested += tests;
	p->unflushed |= young;
	p->unbatched_pages += npages;
	switch (p->flush_scope) {
	case KVM_EXT_FLUSH_PAGE:
		if (young)
			flush(p);
		break;
	case KVM_EXT_FLUSH_BATCH:
		if (p->unbatched_pages < p->cfg.batch_pages)
			break;
		if (p->unflushed)
			flush(p);
		p->unbatched_pages = 0;
		break;
	}
}

void kx_pass_flush(struct kx_pass *p, bool always)
{
	if (p->flush_scope != KVM_EXT_FLUSH_NONE && (p->unflushed || always))
		flush(p);
	p->unflushed = false;
}

/*
 * The priming pass flushes even if it found nothing: where another tracker, or
 * the host's reclaim, cleared bits and did not flush, vCPUs run on translations
 * that set none, and no pass would ever find a reason to flush. A control does
 * so for the same reason: the pass before it may have been one of a policy that
 * does not flush.
 */
static void flush_rest(struct kx_pass *p)
{
	kx_pass_flush(p, kx_pass_priming(p) || p->control);
}

/* --- memslots ---------------------------------------------------------------- */

/* True if the memslots have changed and a new snapshot was taken. */
bool kx_pass_refresh_slots(struct kx_pass *p)
{
	if (kx_slots_generation(p->vm) == p->slots.generation)
		return false;
	/* Without memory for a new snapshot the old one cannot be trusted either. */
	kx_pass_begin_resting(p);
	if (kx_slots_take(&p->slots, p->vm))
		kx_pass_fail(p, -ENOMEM);
	kx_pass_end_resting(p);
	return true;
}

/* --- a pass ----------------------------------------------------------------- */

/* Where the scan is. Survives a change of the memslots. */
struct cursor {
	u16 as_id;
	gfn_t gfn;
};

/* The extent to look at next, with the cursor moved into it; NULL at the end. */
static const struct kx_extent *next_extent(struct kx_pass *p, struct cursor *at)
{
	const struct kx_extent *x;

	at->gfn = max(at->gfn, p->first_gfn);
	for (;;) {
		if (at->gfn >= p->end_gfn) {
			at->as_id++;
			at->gfn = p->first_gfn;
		}
		x = kx_slots_from(&p->slots, at->as_id, at->gfn);
		if (!x)
			return NULL;
		if (x->as_id != at->as_id) {
			at->as_id = x->as_id;
			at->gfn = p->first_gfn;
			continue;
		}
		at->gfn = max(at->gfn, x->gfn);
		if (at->gfn < p->end_gfn)
			return x;
	}
}

/* The extents' pages in the range. */
static u64 pages_in_range(const struct kx_pass *p)
{
	const struct kx_extent *x;
	gfn_t from, to;
	u64 sum = 0;

	for (x = p->slots.extents; x < p->slots.extents + p->slots.nr; x++) {
		from = max(x->gfn, p->first_gfn);
		to = min(kx_extent_end(x), p->end_gfn);
		sum += to > from ? to - from : 0;
	}
	return sum;
}

static void scan(struct kx_pass *p)
{
	struct cursor at = {};
	const struct kx_extent *x;

	do {
		kx_pass_set_total(p, pages_in_range(p));
		while (!p->stop && (x = next_extent(p, &at))) {
			at.gfn = p->tracker->scan(p, x, at.gfn, min(kx_extent_end(x), p->end_gfn));
			kx_pass_rest(p);
			if (p->rested || p->nr_found == KX_FOUND_MAX)
				kx_pass_settle(p);
		}
		/* Memory may have appeared behind the last of the old snapshot. */
	} while (kx_pass_settle(p) && !p->stop);
}

static u16 record_flags(const struct kx_pass *p)
{
	return (kx_pass_priming(p) ? KVM_EXT_PASS_PRIME : 0) |
	       (p->after_control ? KVM_EXT_PASS_CONTROL : 0);
}

static void put_begin(struct kx_pass *p)
{
	struct kvm_ext_rec_pass_begin *rec;

	rec = kx_ring_reserve(p->ring, KVM_EXT_REC_PASS_BEGIN, sizeof(*rec), 0);
	if (!rec)
		return;
	rec->h.flags = record_flags(p);
	rec->epoch = p->epoch;
	rec->pass = p->nr;
	rec->time_ns = p->account.start_ns;
	rec->tracker = p->tracker->id;
	rec->granularity = p->cfg.granularity;
	kx_ring_commit(p->ring);
}

static void put_end(struct kx_pass *p)
{
	struct kvm_ext_rec_pass_end *rec;

	rec = kx_ring_reserve(p->ring, KVM_EXT_REC_PASS_END, sizeof(*rec), 0);
	if (rec) {
		*rec = p->account.end;
		kx_ring_commit(p->ring);
	}
	kx_ring_end_pass(p->ring);
}

/*
 * In pairs of passes, 0 and 1, 2 and 3, …, one is the control: it flushes after
 * each leaf found. What it is good for shows in what the pass after it finds.
 */
static void choose_scope(struct kx_pass *p)
{
	p->after_control = p->control;
	p->control = false;
	p->flush_scope = p->cfg.flush_scope;
	if (!(p->cfg.flags & KVM_EXT_SET_STALENESS))
		return;
	p->account.staleness = true;
	/* A pass that primes in between takes the place of the one before it. */
	if (p->primes && p->nr)
		p->control = p->after_control;
	else
		p->control = p->nr % 2 ? !p->after_control : get_random_u32() & 1;
	if (p->control)
		p->flush_scope = KVM_EXT_FLUSH_PAGE;
}

static bool has_passes(const struct kx_pass *p)
{
	return p->tracker->scan || p->tracker->pass;
}

/* Caller holds the lock. Between passes it is about the next. */
static void tell_next(struct kx_pass *p)
{
	p->progress = (struct kvm_ext_progress){};
	if (!has_passes(p))
		return;
	p->progress = (struct kvm_ext_progress){
		.pass = p->nr + !p->primes,
		.flags = p->primes ? KVM_EXT_PASS_PRIME : 0,
		.next_ns = p->cfg.interval_ns ? ktime_to_ns(p->next) : 0,
	};
}

static void begin_pass(struct kx_pass *p)
{
	struct kx_pass_waiter *waiter;

	memset(&p->account, 0, sizeof(p->account));
	p->account.start_ns = ktime_get_ns();
	p->stop = false;
	p->error = 0;
	p->yielded = false;
	choose_scope(p);
	kx_leaf_forget(&p->leaves);

	spin_lock(&p->lock);
	list_for_each_entry(waiter, &p->waiters, link)
		waiter->served = !kx_pass_priming(p);
	p->progress = (struct kvm_ext_progress){
		.pass = p->nr, .start_ns = p->account.start_ns, .flags = record_flags(p),
	};
	spin_unlock(&p->lock);
	begin_hold(p);
	if (p->tracker->scan || p->regions)
		kx_pass_refresh_slots(p);
	put_begin(p);
}

/* Fills in the account. What remains to be done of the pass is charged to the next one. */
static void close_account(struct kx_pass *p)
{
	struct kvm_ext_rec_pass_end *end = &p->account.end;
	u64 cpu;

	cpu = end_hold(p);
	end->h = (struct kvm_ext_record){
		.type = KVM_EXT_REC_PASS_END,
		.size = sizeof(*end),
		.flags = record_flags(p) | (p->stop ? KVM_EXT_PASS_CUT : 0) |
			 (p->yielded ? KVM_EXT_PASS_YIELDED : 0),
	};
	end->pass = p->nr;
	end->time_ns = ktime_get_ns();
	end->wall_ns = end->time_ns - p->account.start_ns;
	end->cpu_ns = cpu - p->cpu_mark;
	p->cpu_mark = cpu;
}

/* Ends the waiting of those that @which allows; caller holds the lock. */
static void end_waiting(struct kx_pass *p, bool only_served, int err)
{
	struct kx_pass_waiter *waiter, *next;

	list_for_each_entry_safe(waiter, next, &p->waiters, link) {
		if (only_served && !waiter->served)
			continue;
		list_del_init(&waiter->link);
		waiter->pass = p->nr;
		waiter->err = err;
		waiter->over = true;
	}
}

/*
 * Passes start on multiples of the interval; how many of these has the one that
 * ends overrun? With controls, which take longer, what is to be compared are the
 * times between passes.
 */
static u64 schedule_next(struct kx_pass *p)
{
	u64 interval = p->cfg.interval_ns, skipped;
	ktime_t now = ktime_get();

	if (p->account.staleness) {
		p->next = ktime_add_ns(now, interval);
		return 0;
	}
	p->next = ktime_add_ns(p->next, interval);
	if (ktime_after(p->next, now))
		return 0;
	skipped = div64_u64(ktime_to_ns(ktime_sub(now, p->next)), interval) + 1;
	p->next = ktime_add_ns(p->next, skipped * interval);
	return skipped;
}

/*
 * A pass that primed and was cut has not seen all memory: the next would count what was
 * accessed at an unknown time. Neither do regions know, after a cut, since when the pages
 * that they watch are watched. The traps that a pass has set have told when they were.
 */
static bool must_prime(const struct kx_pass *p)
{
	return p->stop && (p->primes || p->regions) && !p->tracker->traps;
}

static void end_pass(struct kx_pass *p, bool timed)
{
	bool primed = p->primes;
	u64 skipped;

	flush_rest(p);
	kx_pass_put_run(p);
	close_account(p);
	put_end(p);
	skipped = timed ? schedule_next(p) : 0;
	p->primes = must_prime(p);
	p->prime_failed = p->primes && p->error;

	spin_lock(&p->lock);
	kx_stats_add(&p->stats, &p->account);
	p->stats.sum.overruns += skipped;
	tell_next(p);
	/* Who came before a pass that primes waits for the one after it, if there will be one. */
	if (!p->stop || p->error)
		end_waiting(p, !(primed && p->prime_failed), p->error);
	spin_unlock(&p->lock);
	wake_up_all(p->wait);
}

static bool timer_due(struct kx_pass *p)
{
	return p->cfg.interval_ns && !ktime_before(ktime_get(), p->next);
}

static void run_pass(struct kx_pass *p)
{
	bool timed = p->primes || timer_due(p);

	if (p->primes)
		p->next = ktime_get();
	else
		p->nr++;
	begin_pass(p);
	if (p->regions)
		kx_region_pass(p);
	else if (p->tracker->pass)
		p->tracker->pass(p);
	else
		scan(p);
	end_pass(p, timed && p->cfg.interval_ns);
}

/* --- the thread --------------------------------------------------------------- */

static bool pass_due(struct kx_pass *p)
{
	bool asked;

	if (!has_passes(p) || READ_ONCE(p->vm->gone))
		return false;
	if ((p->primes && !p->prime_failed) || timer_due(p))
		return true;
	spin_lock(&p->lock);
	asked = !list_empty(&p->waiters);
	spin_unlock(&p->lock);
	return asked;
}

/* A late timer is a wrong interval: allow 1/64 of it, which merges wake-ups where they are rare. */
static u64 timer_slack_ns(const struct kx_pass *p)
{
	return min_t(u64, p->cfg.interval_ns / 64, 50 * NSEC_PER_USEC);
}

static void sleep_until_due(struct kx_pass *p)
{
	bool timer = has_passes(p) && p->cfg.interval_ns && !READ_ONCE(p->vm->gone);

	set_current_state(TASK_IDLE);
	if (!kthread_should_stop() && !kthread_should_park() && !pass_due(p)) {
		if (timer)
			schedule_hrtimeout_range(&p->next, timer_slack_ns(p), HRTIMER_MODE_ABS);
		else
			schedule();
	}
	__set_current_state(TASK_RUNNING);
}

/* With what a tracker leaves goes what it knew of the VM: it primes again. */
static void leave(struct kx_pass *p)
{
	if (!p->tracker->leave)
		return;
	p->tracker->leave(p);
	p->primes = true;
}

static int pass_thread(void *data)
{
	struct kx_pass *p = data;

	while (!kthread_should_stop()) {
		if (kthread_should_park()) {
			leave(p);
			kthread_parkme();
			p->cpu_mark = cpu_time_ns();
		} else if (pass_due(p)) {
			run_pass(p);
		} else {
			sleep_until_due(p);
		}
	}
	leave(p);
	return 0;
}

/* --- control, under the session's mutex ---------------------------------------- */

/* What a setting needs besides its fields. */
struct state {
	void *tracker;
	struct kx_region_pass *regions;
};

static void drop_state(const struct kx_tracker *tracker, const struct state *state)
{
	if (state->tracker)
		tracker->cleanup(state->tracker);
	kx_region_pass_free(state->regions);
}

static int make_state(struct kx_vm *vm, const struct kx_tracker *tracker,
		      const struct kx_setting *setting, struct state *state)
{
	*state = (struct state){};
	if (tracker->setup)
		state->tracker = tracker->setup(vm, setting);
	if (IS_ERR(state->tracker))
		return PTR_ERR(state->tracker);
	if (!setting->cfg.regions_max)
		return 0;
	state->regions = kx_region_pass_new(vm, &setting->cfg);
	if (!IS_ERR(state->regions))
		return 0;
	if (state->tracker)
		tracker->cleanup(state->tracker);
	return PTR_ERR(state->regions);
}

/* Caller has the thread parked, or not yet running. Returns what is not needed any more. */
static struct state configure(struct kx_pass *p, const struct kx_tracker *tracker,
			      const struct kvm_ext_tracker *cfg, const struct state *state)
{
	struct state old = { .tracker = p->state, .regions = p->regions };

	p->tracker = tracker;
	p->state = state->tracker;
	p->regions = state->regions;
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
	p->primes = true;
	p->prime_failed = false;
	p->control = false;
	return old;
}

/* How long a change waits for a VMM that is in an ioctl on its dirty log. */
#define PAUSE_JIFFIES	HZ

int kx_pass_pause(struct kx_pass *p)
{
	int err;

	if (!kx_log_reserve(&p->log, PAUSE_JIFFIES, true))
		return fatal_signal_pending(current) ? -EINTR : -EAGAIN;
	/* Returns once the thread, having cut its pass short, has parked. */
	err = kthread_park(p->thread);
	kx_log_unreserve(&p->log);
	return err;
}

void kx_pass_resume(struct kx_pass *p, bool prime)
{
	p->primes |= prime;
	spin_lock(&p->lock);
	tell_next(p);
	spin_unlock(&p->lock);
	kthread_unpark(p->thread);
}

int kx_pass_set(struct kx_pass *p, const struct kx_tracker *tracker,
		const struct kx_setting *setting)
{
	const struct kvm_ext_tracker *cfg = &setting->cfg;
	const struct kx_tracker *old_tracker = p->tracker;
	struct state state, old;
	int err;

	err = make_state(p->vm, tracker, setting, &state);
	if (err)
		return err;
	err = kx_set_affinity(p->thread, cfg->cpu);
	if (!err)
		err = kx_pass_pause(p);
	if (err) {
		kx_set_affinity(p->thread, p->cfg.cpu);
		drop_state(tracker, &state);
		return err;
	}
	old = configure(p, tracker, cfg, &state);
	drop_state(old_tracker, &old);
	kx_log_open(&p->log, p->first_gfn, p->end_gfn);
	p->next = ktime_get();
	spin_lock(&p->lock);
	kx_stats_open(&p->stats, tracker->id, cfg->interval_ns, ktime_get_ns());
	p->epoch = ++p->stats.sum.epoch;
	end_waiting(p, false, -ECANCELED);
	spin_unlock(&p->lock);
	kx_pass_resume(p, false);
	wake_up_all(p->wait);
	return 0;
}

int kx_pass_start(struct kx_pass *p, struct kx_vm *vm, struct kx_ring *ring,
		  wait_queue_head_t *wait)
{
	static const struct kvm_ext_tracker off = { .tracker = KVM_EXT_TRACKER_OFF, .cpu = -1 };
	int err;

	p->vm = vm;
	p->ring = ring;
	p->wait = wait;
	spin_lock_init(&p->lock);
	INIT_LIST_HEAD(&p->waiters);
	kx_log_init(&p->log, vm);
	configure(p, kx_tracker_by_id(KVM_EXT_TRACKER_OFF), &off, &(struct state){});
	kx_stats_open(&p->stats, KVM_EXT_TRACKER_OFF, 0, ktime_get_ns());
	if (!zalloc_cpumask_var(&p->kicked, GFP_KERNEL))
		return -ENOMEM;
	p->thread = kthread_create(pass_thread, p, "kvm-ext/%d", vm->kvm->userspace_pid);
	err = PTR_ERR_OR_ZERO(p->thread);
	if (err)
		goto free_kicked;
	err = kx_set_affinity(p->thread, off.cpu);
	if (err)
		goto stop_thread;
	wake_up_process(p->thread);
	return 0;

stop_thread:
	kthread_stop(p->thread);
free_kicked:
	free_cpumask_var(p->kicked);
	return err;
}

bool kx_pass_may_stop(struct kx_pass *p, long timeout)
{
	return kx_log_reserve(&p->log, timeout, false);
}

void kx_pass_stop(struct kx_pass *p)
{
	kthread_stop(p->thread);
	spin_lock(&p->lock);
	end_waiting(p, false, -ENODEV);
	spin_unlock(&p->lock);
	wake_up_all(p->wait);
	drop_state(p->tracker, &(struct state){ .tracker = p->state, .regions = p->regions });
	p->state = NULL;
	p->regions = NULL;
	kx_slots_drop(&p->slots);
	free_cpumask_var(p->kicked);
}

int kx_pass_request(struct kx_pass *p, struct kx_pass_waiter *waiter)
{
	if (!has_passes(p))
		return -EINVAL;
	*waiter = (struct kx_pass_waiter){};
	spin_lock(&p->lock);
	list_add_tail(&waiter->link, &p->waiters);
	spin_unlock(&p->lock);
	wake_up_process(p->thread);
	return 0;
}

static bool waiting_over(struct kx_pass *p, const struct kx_pass_waiter *waiter)
{
	bool over;

	spin_lock(&p->lock);
	over = waiter->over;
	spin_unlock(&p->lock);
	return over;
}

int kx_pass_wait(struct kx_pass *p, struct kx_pass_waiter *waiter)
{
	int err = 0;

	/* Not restarted after a signal: that would run a second pass. */
	if (wait_event_interruptible(*p->wait, waiting_over(p, waiter)))
		err = -EINTR;
	spin_lock(&p->lock);
	if (waiter->over)
		err = waiter->err;
	else
		list_del(&waiter->link);
	spin_unlock(&p->lock);
	return err;
}

void kx_pass_get_stats(struct kx_pass *p, struct kvm_ext_stats *out)
{
	spin_lock(&p->lock);
	kx_stats_get(&p->stats, out);
	out->progress = p->progress;
	spin_unlock(&p->lock);
	out->state |= kx_log_get_stats(&p->log, &out->log, &out->log_more);
}
