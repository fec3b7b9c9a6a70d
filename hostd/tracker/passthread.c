// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* CPU sets */
#include "passthread-internal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "epoch.h"
#include "ring.h"
#include "vm/procstat.h"

/* Private data of a tracker. */
typedef struct {
	PassThread *now, *before; /* records of @before are drained first, once */
} Passes;

static PassThread *pass_thread_ref(PassThread *t)
{
	g_atomic_ref_count_inc(&t->refs);
	return t;
}

static void pass_thread_unref(PassThread *t)
{
	if (!t || !g_atomic_ref_count_dec(&t->refs))
		return;
	t->ops->free(t->work);
	kx_ring_free(t->ring);
	if (t->event >= 0)
		close(t->event);
	g_clear_error(&t->error);
	g_mutex_clear(&t->lock);
	g_cond_clear(&t->wake);
	g_cond_clear(&t->told);
	g_free(t);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PassThread, pass_thread_unref)

/* --- a pass ------------------------------------------------------------------------------------------------------------- */

static void begin_pass(KxPass *p)
{
	PassThread *t = p->thread;
	struct kvm_ext_rec_pass_begin r = {
		.h = { KVM_EXT_REC_PASS_BEGIN, 0, sizeof(r) },
		.tracker = KX_TRACKER_NO_ID,
		.granularity = KVM_EXT_GRANULARITY_4K,
	};

	p->start_ns = clock_ns(CLOCK_MONOTONIC);
	p->cut = FALSE;
	memset(&p->sum, 0, sizeof(p->sum));
	g_mutex_lock(&t->lock);
	if (!p->primes)
		p->nr = ++t->begun;
	t->st.progress = (struct kvm_ext_progress){
		.pass = p->nr,
		.start_ns = p->start_ns,
		.flags = p->primes ? KVM_EXT_PASS_PRIME : 0,
	};
	r.epoch = t->st.epoch;
	g_mutex_unlock(&t->lock);
	r.h.flags = p->primes ? KVM_EXT_PASS_PRIME : 0;
	r.pass = p->nr;
	r.time_ns = p->start_ns;
	kx_pass_put(p, &r.h, 0, 0);
}

static void add_up(struct kvm_ext_stats *st, const KxPass *p)
{
	const struct kvm_ext_rec_pass_end *r = &p->sum;

	st->cpu_ns += r->cpu_ns;
	if (p->primes) {
		st->prime_cpu_ns += r->cpu_ns;
		st->prime_ns += r->wall_ns;
	}
	if (p->primes || p->cut)
		return;
	if (!st->passes)
		st->first_start_ns = p->start_ns;
	st->last_start_ns = p->start_ns;
	st->pass_ns_min = st->passes ? MIN(st->pass_ns_min, r->wall_ns) : r->wall_ns;
	st->pass_ns_max = MAX(st->pass_ns_max, r->wall_ns);
	st->pass_ns_p99 = st->pass_ns_max; /* an upper bound */
	st->pass_ns_sum += r->wall_ns;
	st->passes++;
	st->pages_scanned += r->pages_scanned;
	st->leaves_tested += r->leaves_tested;
	st->samples += r->samples;
	st->sample_pages += r->sample_pages;
	st->lost_samples += r->lost_samples;
}

static guint64 memory_of(const PassThread *t)
{
	return sizeof(*t) + kx_ring_bytes(t->ring) + t->ops->bytes(t->work);
}

/* The record of the end is in the ring before waiting callers learn that the pass has ended. */
static void end_pass(KxPass *p, GError *error)
{
	PassThread *t = p->thread;
	struct kvm_ext_rec_pass_end *r = &p->sum;
	guint64 cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	r->h = (struct kvm_ext_record){ KVM_EXT_REC_PASS_END, 0, sizeof(*r) };
	r->h.flags = (guint16)((p->primes ? KVM_EXT_PASS_PRIME : 0) |
			       (p->cut || error ? KVM_EXT_PASS_CUT : 0));
	r->pass = p->nr;
	r->time_ns = clock_ns(CLOCK_MONOTONIC);
	r->wall_ns = r->time_ns - p->start_ns;
	r->cpu_ns += cpu_ns - p->cpu_mark;
	p->cpu_mark = cpu_ns;
	p->cut |= error != NULL;
	kx_pass_put(p, &r->h, 0, 0);
	g_mutex_lock(&t->lock);
	add_up(&t->st, p);
	t->st.progress = (struct kvm_ext_progress){ .pass = p->nr + 1 };
	t->st.memory_bytes = memory_of(t);
	t->error = error;
	if (error && error->domain == KX_ERROR && error->code == KX_ERROR_VM_GONE)
		t->st.state |= KVM_EXT_STATE_VM_GONE;
	if (!p->primes && !p->cut)
		t->finished = p->nr;
	g_cond_broadcast(&t->told);
	g_mutex_unlock(&t->lock);
	kx_pass_thread_tell_reader(t);
}

static gboolean run_pass(KxPass *p)
{
	const PassThread *t = p->thread;
	GError *error = NULL;
	gboolean ok = !t->ops->await || t->ops->await(t->work, p, &error);

	if (t->ops->await && ok && kx_pass_is_cut(p))
		return FALSE; /* before it began */
	begin_pass(p);
	ok = ok && t->ops->pass(t->work, p, &error);
	end_pass(p, error);
	return ok && !p->cut;
}

/* --- the thread --------------------------------------------------------------------------------------------------------- */

/* Intervals run from start to start of passes; intervals that begin during a pass are overruns. Caller holds t->lock. */
static guint64 schedule_next(PassThread *t, guint64 due_ns)
{
	guint64 now_ns = clock_ns(CLOCK_MONOTONIC), skipped;

	if (now_ns < due_ns + t->interval_ns)
		return due_ns + t->interval_ns;
	skipped = (now_ns - due_ns) / t->interval_ns;
	t->st.overruns += skipped;
	return due_ns + (skipped + 1) * t->interval_ns;
}

/* Caller holds t->lock. FALSE: the thread must end. *@timed: a pass is due because the interval is over, not on request. */
static gboolean wait_until_due(PassThread *t, guint64 due_ns, gboolean *timed)
{
	while (!g_atomic_int_get(&t->stop)) {
		*timed = t->interval_ns && clock_ns(CLOCK_MONOTONIC) >= due_ns;
		if (*timed || t->asked > t->begun)
			return TRUE;
		t->st.progress.next_ns = t->interval_ns ? due_ns : 0;
		if (t->interval_ns)
			g_cond_wait_until(&t->wake, &t->lock, (gint64)(due_ns / 1000 + 1));
		else
			g_cond_wait(&t->wake, &t->lock);
	}
	return FALSE;
}

static void run_passes(PassThread *t)
{
	KxPass p = { .thread = t, .primes = TRUE };
	guint64 due_ns = clock_ns(CLOCK_MONOTONIC);
	gboolean timed = t->interval_ns != 0, goes_on = run_pass(&p);

	p.primes = FALSE;
	while (goes_on && t->ops->await)
		goes_on = run_pass(&p);
	while (goes_on) {
		g_mutex_lock(&t->lock);
		if (timed)
			due_ns = schedule_next(t, due_ns);
		goes_on = wait_until_due(t, due_ns, &timed);
		g_mutex_unlock(&t->lock);
		goes_on = goes_on && run_pass(&p);
	}
}

static void stay_on_cpu(const PassThread *t)
{
	cpu_set_t *set;

	if (t->cpu < 0)
		return;
	set = CPU_ALLOC((size_t)t->cpu + 1);
	CPU_ZERO_S(CPU_ALLOC_SIZE((size_t)t->cpu + 1), set);
	CPU_SET_S((size_t)t->cpu, CPU_ALLOC_SIZE((size_t)t->cpu + 1), set);
	/* The session has checked that the CPU is online. */
	pthread_setaffinity_np(pthread_self(), CPU_ALLOC_SIZE((size_t)t->cpu + 1), set);
	CPU_FREE(set);
}

static gpointer thread_main(gpointer data)
{
	g_autoptr(PassThread) t = data;

	stay_on_cpu(t);
	run_passes(t);
	if (t->ops->leave)
		t->ops->leave(t->work);
	g_mutex_lock(&t->lock);
	t->ended = TRUE;
	g_cond_broadcast(&t->told);
	g_mutex_unlock(&t->lock);
	return NULL;
}

/* Takes ownership of @work. */
static PassThread *pass_thread_new(const KxTracker *tracker, const KxOptions *o,
				   const KxPassOps *ops, gpointer work, GError **error)
{
	g_autoptr(PassThread) t = g_new0(PassThread, 1);
	GThread *thread;

	g_atomic_ref_count_init(&t->refs);
	g_mutex_init(&t->lock);
	g_cond_init(&t->wake);
	g_cond_init(&t->told);
	t->ops = ops;
	t->work = work;
	t->cpu = o->cpu;
	t->interval_ns = o->interval_ns;
	t->st = (struct kvm_ext_stats){ .size = sizeof(t->st),
					.tracker = KX_TRACKER_NO_ID,
					.epoch = kx_tracker_new_epoch(),
					.start_ns = clock_ns(CLOCK_MONOTONIC),
					.interval_ns = o->interval_ns };
	t->st.progress = (struct kvm_ext_progress){ .start_ns = t->st.start_ns,
						    .flags = KVM_EXT_PASS_PRIME };
	t->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->event < 0) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "an event descriptor: %s",
			    g_strerror(errno));
		return NULL;
	}
	t->ring = kx_ring_new(kx_options_ring_pages(o, tracker->vm.vm->ram_pages), error);
	if (!t->ring)
		return NULL;
	t->st.memory_bytes = memory_of(t);
	thread = g_thread_try_new(ops->thread, thread_main, pass_thread_ref(t), error);
	if (!thread) {
		pass_thread_unref(t);
		return NULL;
	}
	g_thread_unref(thread);
	return g_steal_pointer(&t);
}

static void pass_thread_stop(PassThread *t)
{
	gint64 until = g_get_monotonic_time() + KX_PASS_STOP_MS * 1000;

	/* An earlier call has stopped the thread, and has waited for it. */
	if (!g_atomic_int_compare_and_exchange(&t->stop, FALSE, TRUE))
		return;
	g_mutex_lock(&t->lock);
	g_cond_broadcast(&t->wake);
	g_cond_broadcast(&t->told);
	while (!t->ended && g_cond_wait_until(&t->told, &t->lock, until))
		;
	g_mutex_unlock(&t->lock);
}

/* --- ops ------------------------------------------------------------------------------------------------------------------ */

gboolean kx_passes_open(KxTracker *t, GError **error)
{
	t->priv = g_new0(Passes, 1);
	return TRUE;
}

void kx_passes_close(KxTracker *t)
{
	Passes *p = t->priv;

	kx_passes_stop(t);
	pass_thread_unref(p->before);
	pass_thread_unref(p->now);
	g_free(p);
}

gboolean kx_passes_start(KxTracker *t, const KxOptions *o, const KxPassOps *ops, gpointer work,
			 GError **error)
{
	Passes *p = t->priv;
	PassThread *next = pass_thread_new(t, o, ops, work, error);

	if (!next)
		return FALSE;
	kx_passes_stop(t);
	pass_thread_unref(p->before);
	p->before = p->now;
	p->now = next;
	return TRUE;
}

void kx_passes_stop(KxTracker *t)
{
	const Passes *p = t->priv;

	if (p->now)
		pass_thread_stop(p->now);
}

gpointer kx_passes_work(const KxTracker *t)
{
	const Passes *p = t->priv;

	return p->now ? p->now->work : NULL;
}

gboolean kx_passes_stats(KxTracker *t, struct kvm_ext_stats *st, GError **error)
{
	PassThread *now = ((const Passes *)t->priv)->now;

	g_mutex_lock(&now->lock);
	*st = now->st;
	g_mutex_unlock(&now->lock);
	st->now_ns = clock_ns(CLOCK_MONOTONIC);
	return TRUE;
}

gpointer kx_passes_handle(KxTracker *t)
{
	return pass_thread_ref(((const Passes *)t->priv)->now);
}

void kx_passes_handle_free(gpointer handle)
{
	pass_thread_unref(handle);
}

/* Waits for the end of a pass that begins after this call; the priming pass does not count. */
gboolean kx_passes_run(gpointer handle, guint64 *pass, GError **error)
{
	PassThread *t = handle;
	gboolean ok;

	g_mutex_lock(&t->lock);
	*pass = t->begun + 1;
	t->asked = MAX(t->asked, *pass);
	g_cond_broadcast(&t->wake);
	while (t->finished < *pass && !t->ended && !g_atomic_int_get(&t->stop))
		g_cond_wait(&t->told, &t->lock);
	ok = t->finished >= *pass;
	if (!ok && t->error)
		g_propagate_error(error, g_error_copy(t->error));
	else if (!ok)
		g_set_error_literal(error, KX_ERROR, KX_ERROR_FAILED,
				    "the pass was cut short: the tracker was changed or left");
	g_mutex_unlock(&t->lock);
	return ok;
}

int kx_passes_poll_fd(KxTracker *t)
{
	return ((const Passes *)t->priv)->now->event;
}

static gboolean drain_thread(PassThread *t, const KxStreamOps *sink, gpointer data, GError **error)
{
	eventfd_t told;

	/* Cleared before the records are read: a record that is written afterwards sets the event again. */
	(void)!eventfd_read(t->event, &told);
	return kx_stream_drain(kx_ring_stream(t->ring), sink, data, NULL, error);
}

/*
 * FALSE: the thread has ended with @error. If the VMM has ended, TRUE: the session itself notices this. It does not notice that the
 * VMM has executed another program, and lost the VM with it.
 */
static gboolean check_thread(PassThread *t, const KxTrackerVm *vm, GError **error)
{
	gboolean ok;

	g_mutex_lock(&t->lock);
	ok = !t->error ||
	     (t->st.state & KVM_EXT_STATE_VM_GONE && kx_procstat_is_over(vm->proc_root, vm->pid));
	if (!ok)
		g_propagate_error(error, g_error_copy(t->error));
	g_mutex_unlock(&t->lock);
	return ok;
}

gboolean kx_passes_drain(KxTracker *t, const KxStreamOps *sink, gpointer data, GError **error)
{
	Passes *p = t->priv;

	if (p->before && !drain_thread(p->before, sink, data, error))
		return FALSE;
	g_clear_pointer(&p->before, pass_thread_unref);
	return drain_thread(p->now, sink, data, error) && check_thread(p->now, &t->vm, error);
}
