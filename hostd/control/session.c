// SPDX-License-Identifier: GPL-2.0-or-later
#include "session-internal.h"

#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/onlinecpus.h"
#include "base/progress.h"

/* Memory that appears is known within this, and with each report. */
#define VM_READ_US G_USEC_PER_SEC

static gboolean open_vm_real(const char *proc_root, pid_t pid, const char *uuid, KxVmFd *out,
			     GError **error)
{
	return kx_vmfd_open(proc_root, pid, uuid, KX_VMFD_LINK, out, error);
}

const KxHost kx_host_real = {
	.proc_root = "/proc",
	.debugfs_root = "/sys/kernel/debug",
	.open_vm = open_vm_real,
	.selftest = kx_selftest_run,
};

void kx_vm_ident_clear(KxVmIdent *i)
{
	g_clear_pointer(&i->name, g_free);
	g_clear_pointer(&i->uuid, g_free);
}

void kx_vm_ident_copy(KxVmIdent *to, const KxVmIdent *from)
{
	*to = (KxVmIdent){ g_strdup(from->name), g_strdup(from->uuid), from->pid };
}

static KxInstant instant(void)
{
	struct timespec mono;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	return (KxInstant){
		.realtime_ns = g_get_real_time() * 1000,
		.monotonic_ns = (guint64)mono.tv_sec * G_GUINT64_CONSTANT(1000000000) +
				(guint64)mono.tv_nsec,
	};
}

static guint64 thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (guint64)ts.tv_sec * G_GUINT64_CONSTANT(1000000000) + (guint64)ts.tv_nsec;
}

/* Memory may have appeared: what is beyond its end as it was known would not be looked at. */
static void take_vm(KxSession *s, const struct kvm_ext_vm *vm)
{
	s->vm = *vm;
	s->vm_read_at = g_get_monotonic_time();
	kx_heat_grow(s->heat, vm->last_gfn);
	kx_account_grow(s->account, vm->last_gfn);
}

static KxVmCounters *read_counters(KxSession *s, const KxKvmStat *qmp)
{
	struct kvm_ext_vm vm;
	gboolean have = kx_module_vm(s->module, &vm, NULL);
	KxVmCounters *c;

	if (have)
		take_vm(s, &vm);
	c = kx_vm_counters_read(have ? &vm : NULL, s->kvm_dir, qmp, s->host->proc_root,
				s->ident.pid);
	s->kvm_unread = !c->source || !g_strcmp0(c->source, "qmp");
	return c;
}

/* Every reading goes to the account, too. */
static gboolean read_stats(KxSession *s, struct kvm_ext_stats *st)
{
	if (!s->tracker->ops->stats(s->tracker, st, NULL))
		return FALSE;
	if (st->log.mechanism == KVM_EXT_LOG_UNKNOWN)
		st->log.mechanism = s->log.mechanism;
	kx_account_saw(s->account, st);
	g_free(s->progress);
	s->progress = kx_progress_text(st);
	s->primed = st->passes || !(s->options.tracker->can & KX_CAN_PASS);
	if (s->tracker->ops->guest)
		kx_account_guest(s->account, st, s->tracker->ops->guest(s->tracker));
	return TRUE;
}

/* Records go to the account and, next to it, to the heat. */
#define TO_BOTH(kind, record)                                     \
	static void on_##kind(void *data, const struct record *r) \
	{                                                         \
		const KxSession *s = data;                        \
                                                                  \
		kx_account_sink.kind(s->account, r);              \
		kx_heat_sink.kind(s->heat, r);                    \
	}

TO_BOTH(pass_begin, kvm_ext_rec_pass_begin)
TO_BOTH(run, kvm_ext_rec_run)

/* A pass that the VM was paused through says nothing of heat either, as one that was cut. */
static void on_pass_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	const KxSession *s = data;
	struct kvm_ext_rec_pass_end judged = *r;

	kx_account_sink.pass_end(s->account, r);
	if (!(r->h.flags & KVM_EXT_PASS_PRIME) && kx_account_last_was_paused(s->account))
		judged.h.flags |= KVM_EXT_PASS_CUT;
	kx_heat_sink.pass_end(s->heat, &judged);
}

static void on_bitmap(void *data, const struct kvm_ext_rec_bitmap *r, const guint64 *bits,
		      gsize nwords)
{
	const KxSession *s = data;

	kx_account_sink.bitmap(s->account, r, bits, nwords);
	kx_heat_sink.bitmap(s->heat, r, bits, nwords);
}

static void on_faults(void *data, const struct kvm_ext_rec_faults *r,
		      const struct kvm_ext_fault *faults)
{
	const KxSession *s = data;

	kx_account_sink.faults(s->account, r, faults);
	kx_heat_sink.faults(s->heat, r, faults);
}

static void on_regions(void *data, const struct kvm_ext_rec_regions *r,
		       const struct kvm_ext_region *regions)
{
	const KxSession *s = data;

	kx_account_sink.regions(s->account, r, regions);
	kx_heat_sink.regions(s->heat, r, regions);
}

static void on_ranked(void *data, guint64 gfn, guint64 npages, guint64 accesses)
{
	kx_heat_sink.ranked(((const KxSession *)data)->heat, gfn, npages, accesses);
}

static const KxStreamOps session_sink = {
	.pass_begin = on_pass_begin,
	.run = on_run,
	.bitmap = on_bitmap,
	.pass_end = on_pass_end,
	.faults = on_faults,
	.regions = on_regions,
	.ranked = on_ranked,
};

static void follow_memory(KxSession *s)
{
	struct kvm_ext_vm vm;

	if (g_get_monotonic_time() - s->vm_read_at >= VM_READ_US &&
	    kx_module_vm(s->module, &vm, NULL))
		take_vm(s, &vm);
}

static gboolean drain_tracker(KxSession *s, KxTracker *t, GError **error)
{
	guint64 start = thread_cpu_ns(), stray;
	gboolean ok = t->ops->drain(t, &session_sink, s, error);

	kx_account_add_drain(s->account, thread_cpu_ns() - start);
	stray = kx_account_stray(s->account);
	if (stray > s->stray_logged && !s->stray_logged) {
		kx_log(G_LOG_LEVEL_WARNING, "stray-samples", s->ident.name,
		       s->options.tracker->name,
		       "samples arrived whose pass is unknown: the ring overflowed around a "
		       "switch; they are not counted");
		s->stray_logged = stray;
	}
	return ok;
}

static gboolean drain(KxSession *s, GError **error)
{
	return drain_tracker(s, s->tracker, error);
}

/* What a tracker in the guest knows; NULL: none runs. */
static const KxGuestView *guest_view(const KxSession *s)
{
	return s->tracker && s->tracker->ops->guest ? s->tracker->ops->guest(s->tracker) : NULL;
}

const char *kx_session_mechanism_now(const KxSession *s)
{
	const KxGuestView *guest = guest_view(s);

	if (s->options.tracker->can & KX_CAN_LOG)
		return kx_log_mechanism_name(s->log.mechanism);
	return guest && *guest->event ? guest->event : NULL;
}

/* Before the tracker that knows them forgets. */
static void keep_processes(KxSession *s)
{
	const KxGuestView *view = guest_view(s);

	if (view)
		kx_heat_take_processes(s->heat, s->epoch, view->processes);
}

/* --- the VMM's own use of the dirty log --------------------------------------------------------------------------- */

void kx_session_told_free(gpointer data)
{
	KxTold *told = data;

	g_free(told->to);
	g_free(told);
}

static void tell_yield(KxSession *s, gboolean yielded, guint64 at_ns, guint64 lasted_ns)
{
	KxInstant now = instant();
	KxTold *told = g_new0(KxTold, 1);

	told->to = g_strdup(s->yield.to ? s->yield.to : KX_YIELDED_UNKNOWN);
	told->y = (KxYield){
		.yielded = yielded,
		.to = told->to,
		.realtime_ns = now.realtime_ns - (gint64)(now.monotonic_ns - at_ns),
		.lasted_ns = lasted_ns,
	};
	g_queue_push_tail(&s->told, told);
}

static void begin_yield(KxSession *s, const struct kvm_ext_stats *st)
{
	s->yield.now = TRUE;
	g_clear_pointer(&s->yield.to, g_free);
	s->yield.since_ns = CLAMP(st->log.last_yield_ns, st->start_ns, st->now_ns);
	kx_account_yielded_to(s->account, s->window, KX_YIELDED_UNKNOWN);
	tell_yield(s, TRUE, s->yield.since_ns, 0);
}

static void end_yield(KxSession *s, const struct kvm_ext_stats *st)
{
	guint64 at_ns = st->log.last_resume_ns;

	if (at_ns < s->yield.since_ns || at_ns > st->now_ns)
		at_ns = st->now_ns;
	tell_yield(s, FALSE, at_ns, at_ns - s->yield.since_ns);
	s->yield.now = FALSE;
	g_clear_pointer(&s->yield.to, g_free);
}

/* One that began and ended between two readings shows in the passes that were due meanwhile. */
static void look_for_yield(KxSession *s)
{
	struct kvm_ext_stats st;
	gboolean now;

	s->yield.seen_ends = kx_account_yielded_passes(s->account);
	if (!(s->options.tracker->can & KX_CAN_LOG) || !read_stats(s, &st))
		return;
	now = st.state & KVM_EXT_STATE_YIELDED;
	if (!s->yield.now && (now || st.log.yielded_passes > s->yield.passes))
		begin_yield(s, &st);
	s->yield.passes = st.log.yielded_passes;
	if (s->yield.now && !now)
		end_yield(s, &st);
}

/* Before anything is taken out of its place that must not be. */
static void look_at_declared(KxSession *s)
{
	g_autoptr(GError) error = NULL;

	if (!s->plug || !s->module ||
	    kx_declared_look(&s->declared, kx_plug_channel(s->plug), s->module, &error) ||
	    s->declared_logged)
		return;
	s->declared_logged = TRUE; /* a guest that goes on like this fills no log */
	kx_log(G_LOG_LEVEL_WARNING, "declared", s->ident.name, s->options.tracker->name,
	       "the guest wants memory left alone, which is not done: %s", error->message);
}

const char *kx_session_yielded_now(const KxSession *s)
{
	if (!s->tracker || !s->yield.now)
		return NULL;
	return s->yield.to ? s->yield.to : KX_YIELDED_UNKNOWN;
}

void kx_session_yielded_to(KxSession *s, const char *what)
{
	if (!s->yield.now)
		return;
	g_free(s->yield.to);
	s->yield.to = g_strdup(what);
	kx_account_yielded_to(s->account, s->window, what);
}

KxAccount *kx_session_account(KxSession *s)
{
	return s->account;
}

const KxLogMechanism *kx_session_log_mechanism(const KxSession *s)
{
	return &s->log;
}

/* --- end ---------------------------------------------------------------------------------------------------------- */

/* Everything of the session but its account, and the channel, which others unplug. */
static void let_go(KxSession *s)
{
	g_clear_pointer(&s->tracker, kx_tracker_free);
	kx_declared_clear(&s->declared);
	g_clear_pointer(&s->module, kx_module_unref);
}

/* Of an ended session a picture is kept, and not what it was made from. */
static void settle_memory(KxSession *s)
{
	s->last_heat = kx_heat_report(s->heat, 0, s->vm.ram_pages);
	kx_heat_trim(s->last_heat, KX_SESSION_REPORT_RANGES);
	g_clear_pointer(&s->heat, kx_heat_free);
	s->bytes = kx_account_bytes(s->account);
	s->found_bytes = kx_account_found_bytes(s->account);
}

void kx_session_finish(KxSession *s, const KxKvmStat *qmp)
{
	g_autoptr(KxVmCounters) counters = NULL;
	struct kvm_ext_stats st;

	if (!s->tracker)
		return;
	counters = read_counters(s, qmp);
	if (read_stats(s, &st)) {
		if (st.state & KVM_EXT_STATE_VM_GONE) {
			kx_vm_counters_free(counters);
			counters = kx_vm_counters_unavailable(
				"the VM ended before its counters could be read");
		}
		kx_account_mark(s->account, s->window, &st);
	}
	drain(s, NULL);
	keep_processes(s);
	s->tracker->ops->stop(s->tracker);
	read_stats(s, &st); /* what leaving the tracker took */
	drain(s, NULL);	    /* what the last pass left, up to its cut */
	kx_account_close(s->account, s->window, NULL, counters, instant());
	let_go(s);
	settle_memory(s);
}

void kx_session_finished(KxSession *s, const char *reason)
{
	if (s->ended)
		return;
	s->ended = g_strdup(reason);
	kx_session_stop_sources(s);
}

/* Nobody enters any more that would touch it: who comes later finds it ended. */
void kx_session_end(KxSession *s, const char *reason)
{
	if (s->ended)
		return;
	kx_session_stop_sources(s);
	g_mutex_lock(&s->lock);
	while (s->away)
		g_cond_wait(&s->back, &s->lock);
	g_mutex_unlock(&s->lock);
	kx_session_finish(s, NULL);
	kx_session_finished(s, reason);
	/* A look that was under way comes back later, when nobody may be there to be told. */
	s->on_ended = NULL;
	s->on_yield = NULL;
}

gsize kx_session_bytes(const KxSession *s)
{
	return s->bytes;
}

gsize kx_session_found_bytes(const KxSession *s)
{
	return s->found_bytes;
}

void kx_session_forget_found(KxSession *s)
{
	kx_account_forget_found(s->account);
	s->bytes = kx_account_bytes(s->account);
	s->found_bytes = 0;
}

/* --- attach ------------------------------------------------------------------------------------------------------- */

static gboolean attach_with(KxSession *s, guint32 ring_pages, GError **error)
{
	KxVmFd vm = { -1, -1 };
	struct kvm_ext_caps caps;
	gboolean ok;

	g_clear_pointer(&s->module, kx_module_unref);
	s->module = kx_module_open(s->host->module_sys, error);
	if (!s->module || !kx_module_caps(s->module, &caps, error))
		return FALSE;
	if (!s->host->open_vm(s->host->proc_root, s->ident.pid, s->ident.uuid, &vm, error))
		return FALSE;
	g_free(s->kvm_dir);
	s->kvm_dir = kx_kvmstat_dir(s->host->debugfs_root, s->ident.pid, vm.number);
	ok = kx_module_attach(s->module, vm.fd, ring_pages, error);
	close(vm.fd); /* the module holds the file itself */
	return ok && kx_module_vm(s->module, &s->vm, error);
}

/* How much memory the VM has is known once it is attached: a large one is attached again, with a larger ring. */
static gboolean attach_module(KxSession *s, GError **error)
{
	guint32 want;

	if (!attach_with(s, s->options.ring_pages, error))
		return FALSE;
	want = kx_options_ring_pages(&s->options, s->vm.ram_pages);
	if (!s->options.ring_pages && want > KVM_EXT_RING_PAGES_DEFAULT &&
	    !attach_with(s, want, NULL)) {
		kx_log(G_LOG_LEVEL_WARNING, "ring-size", s->ident.name, s->options.tracker->name,
		       "%s: a sample ring of %u MiB cannot be had, it stays at 1 MiB",
		       s->ident.name, want >> 8);
		if (!attach_with(s, 0, error))
			return FALSE;
	}
	kx_log_mechanism(s->vm.log_mechanism, s->host->root, &s->log);
	kx_module_ring(s->module, &s->ring_bytes);
	s->ring_bytes -= (gsize)sysconf(_SC_PAGESIZE); /* its first page is for control */
	s->heat = kx_heat_new(s->vm.last_gfn, s->vm.vcpus);
	return TRUE;
}

/* What the module would refuse without saying why. */
static gboolean check_log(const KxSession *s, const KxOptions *o, GError **error)
{
	if (!(o->tracker->can & KX_CAN_LOG))
		return TRUE;
	if (s->vm.log_mode == KVM_EXT_LOG_MODE_RING) {
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "tracker %s: this VM runs with KVM's dirty ring, which belongs to its "
			    "VMM alone, and KVM keeps no dirty log beside it; use abit or "
			    "abit-flush, or start the VM without dirty-ring-size (libvirt: "
			    "<dirty-ring>)",
			    o->tracker->name);
		return FALSE;
	}
	return kx_log_mechanism_check(&s->log, o->mechanism, error);
}

/* The module would not say which of the options it does not take. */
static gboolean check_cpu(const KxSession *s, const KxOptions *o, GError **error)
{
	return o->cpu < 0 || kx_online_cpus_check(s->host->root, o->cpu, error);
}

static KxTracker *open_tracker(KxSession *s, const KxOptions *o, GError **error)
{
	const KxTrackerVm vm = {
		.pid = s->ident.pid,
		.uuid = s->ident.uuid,
		.module = s->module,
		.vm = &s->vm,
		.pick = kx_heat_pick,
		.heat = s->heat,
		.channel = s->plug ? kx_plug_channel(s->plug) : NULL,
	};
	const KxTrackerOps *ops = kx_tracker_ops(o->tracker);

	if (ops)
		return kx_tracker_open(ops, &vm, error);
	g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED, "this build has no tracker \"%s\"",
		    o->tracker->name);
	return NULL;
}

static void open_window(KxSession *s, const KxKvmStat *qmp)
{
	g_autoptr(KxVmCounters) counters = read_counters(s, qmp);
	g_autofree char *options = kx_options_to_string(&s->options);
	const KxOptions *o = &s->options;
	gboolean trap = o->tracker->can & KX_CAN_TRAP;
	struct kvm_ext_stats st = { 0 };
	KxSetting setting = {
		.tracker = o->tracker->name,
		.options = options,
		.last_gfn = s->vm.last_gfn,
		.staleness = o->staleness,
		.regions_max = o->regions.max,
		.trap_faults_per_s = trap ? o->faults_per_s : 0,
		.trap_time_ppm = trap ? o->vcpu_ppm : 0,
	};

	read_stats(s, &st);
	setting.epoch = s->epoch = st.epoch;
	kx_heat_open(s->heat, st.epoch, o, kx_session_mechanism_now(s));
	s->yield.passes = 0;
	s->yield.now = FALSE;
	s->window = kx_account_open(s->account, &setting, counters, instant());
}

KxSession *kx_session_attach(const KxHost *host, const KxVmIdent *ident, const KxOptions *o,
			     KxPlug *plug, GError **error)
{
	KxSession *s = g_new0(KxSession, 1);

	g_ref_count_init(&s->refs);
	s->lane = kx_lane_new();
	g_mutex_init(&s->lock);
	g_cond_init(&s->back);
	g_queue_init(&s->told);
	s->host = host;
	kx_vm_ident_copy(&s->ident, ident);
	s->options = *o;
	s->account = kx_account_new();
	s->plug = plug;
	if (!check_cpu(s, o, error) || !attach_module(s, error) || !check_log(s, o, error))
		goto fail;
	look_at_declared(s);
	s->tracker = open_tracker(s, o, error);
	if (!s->tracker || !s->tracker->ops->start(s->tracker, o, error))
		goto fail;
	open_window(s, NULL);
	return s;
fail:
	let_go(s);
	s->plug = NULL;
	s->ended = g_strdup("attach failed");
	kx_session_unref(s);
	return NULL;
}

KxSession *kx_session_ref(KxSession *s)
{
	g_ref_count_inc(&s->refs);
	return s;
}

void kx_session_unref(KxSession *s)
{
	if (!s || !g_ref_count_dec(&s->refs))
		return;
	kx_session_end(s, "detached");
	kx_lane_free(s->lane);
	g_mutex_clear(&s->lock);
	g_cond_clear(&s->back);
	g_queue_clear_full(&s->told, kx_session_told_free);
	g_free(s->progress);
	kx_session_shown_clear(&s->shown);
	kx_vm_ident_clear(&s->ident);
	kx_account_free(s->account);
	kx_heat_free(s->heat);
	kx_heat_report_free(s->last_heat);
	kx_vm_report_free(s->fresh);
	g_clear_error(&s->look.error);
	kx_plug_unref(s->plug);
	kx_declared_clear(&s->declared);
	kx_log_mechanism_clear(&s->log);
	g_free(s->yield.to);
	g_free(s->kvm_dir);
	g_free(s->expected_end);
	g_free(s->ended);
	g_free(s);
}

/* --- switching ---------------------------------------------------------------------------------------------------- */

static gboolean check_alive(const KxSession *s, GError **error)
{
	if (!s->ended)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_VM_GONE, "VM \"%s\": the session has ended (%s)",
		    s->ident.name, s->ended);
	return FALSE;
}

/* Starts @o with the implementation that runs, or with another one, which then replaces it. */
static gboolean start_tracker(KxSession *s, const KxOptions *o, KxTracker **old, GError **error)
{
	g_autoptr(KxTracker) next = NULL;
	struct kvm_ext_stats st;

	*old = NULL;
	if (kx_tracker_ops(o->tracker) == s->tracker->ops)
		return s->tracker->ops->start(s->tracker, o, error);
	next = open_tracker(s, o, error);
	if (!next || !next->ops->start(next, o, error))
		return FALSE;
	s->tracker->ops->stop(s->tracker);
	if (s->tracker->ops->stats(s->tracker, &st, NULL))
		kx_account_saw(s->account, &st); /* what leaving it took */
	*old = s->tracker;
	s->tracker = g_steal_pointer(&next);
	return TRUE;
}

gboolean kx_session_set(KxSession *s, const KxOptions *o, const KxKvmStat *qmp, GError **error)
{
	guint64 old_window = s->window;
	g_autoptr(KxVmCounters) end = NULL;
	g_autoptr(KxTracker) old = NULL;
	struct kvm_ext_stats st;
	KxInstant end_time;

	if (!check_alive(s, error) || !check_cpu(s, o, error) || !check_log(s, o, error))
		return FALSE;
	if (read_stats(s, &st))
		kx_account_mark(s->account, old_window, &st);
	end = read_counters(s, qmp);
	end_time = instant();
	keep_processes(s);
	look_at_declared(s);
	/* Make room in the ring, so that the switch itself loses nothing. */
	if (!drain(s, error) || !start_tracker(s, o, &old, error)) {
		kx_account_mark(s->account, old_window, NULL);
		return FALSE;
	}
	s->options = *o;
	/* The switch itself belongs to neither window: the old one ended before it, the new one begins after it. */
	open_window(s, qmp);
	if (old)
		drain_tracker(s, old, NULL);
	if (!drain(s, error))
		return FALSE;
	kx_account_close(s->account, old_window, NULL, end, end_time);
	return TRUE;
}

/* --- a pass now --------------------------------------------------------------------------------------------------- */

struct _KxSessionPass {
	const KxTrackerOps *ops;
	gpointer handle;
};

KxSessionPass *kx_session_pass_new(KxSession *s, GError **error)
{
	KxSessionPass *p;

	if (!check_alive(s, error))
		return NULL;
	p = g_new0(KxSessionPass, 1);
	p->ops = s->tracker->ops;
	p->handle = p->ops->pass_handle(s->tracker);
	return p;
}

gboolean kx_session_pass_run(KxSessionPass *p, guint64 *number, GError **error)
{
	return p->ops->run_pass(p->handle, number, error);
}

void kx_session_pass_free(KxSessionPass *p)
{
	if (!p)
		return;
	p->ops->pass_handle_free(p->handle);
	g_free(p);
}

gboolean kx_session_drain(KxSession *s, GError **error)
{
	return !s->tracker || drain(s, error);
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

static const char *const paging_names[] = {
	[KVM_EXT_PAGING_UNKNOWN] = "unknown",
	[KVM_EXT_PAGING_EPT] = "EPT",
	[KVM_EXT_PAGING_NPT] = "NPT",
	[KVM_EXT_PAGING_SHADOW] = "shadow",
};

static void describe_vm(KxSession *s, KxVmReport *v)
{
	const struct kvm_ext_vm *vm = &s->vm;

	v->name = g_strdup(s->ident.name);
	v->uuid = g_strdup(s->ident.uuid);
	v->pid = (guint32)s->ident.pid;
	v->attached = s->tracker != NULL;
	g_mutex_lock(&s->lock);
	v->ended = g_strdup(s->ended);
	g_mutex_unlock(&s->lock);
	v->vcpus = vm->vcpus;
	v->memslots = vm->memslots;
	v->root_level = vm->root_level;
	v->address_spaces = vm->address_spaces;
	v->paging = g_strdup(vm->paging < G_N_ELEMENTS(paging_names) ? paging_names[vm->paging]
								     : "unknown");
	v->ad_bits = g_strdup(vm->ad_bits == 1	 ? "hardware"
			      : vm->ad_bits == 0 ? "emulated by faults"
						 : "unknown");
	v->ram_pages = vm->ram_pages;
	v->ring_bytes = s->ring_bytes;
	v->mapped_4k = vm->mapped_4k;
	v->mapped_2m = vm->mapped_2m;
	v->mapped_1g = vm->mapped_1g;
	v->log_mechanism = g_strdup(kx_log_mechanism_name(s->log.mechanism));
	v->log_mechanism_source =
		g_strdup_printf(s->log.told ? "module (host: %s)" : "host: %s", s->log.host);
	v->log_mode = g_strdup(kx_log_mode_name(vm->log_mode));
	v->yielded = g_strdup(kx_session_yielded_now(s));
	v->progress = s->tracker ? g_strdup(s->progress) : NULL;
	v->paused = s->tracker ? g_strdup(kx_account_is_paused(s->account)) : NULL;
	v->declared_pages = s->declared.pages;
}

static KxHeatReport *heat_now(KxSession *s)
{
	KxHeatReport *r;

	if (s->heat) {
		keep_processes(s);
		r = kx_heat_report(s->heat, s->epoch, s->vm.ram_pages);
	} else {
		r = kx_heat_report_copy(s->last_heat);
	}
	if (kx_account_nested(s->account))
		kx_heat_note_nested(r);
	return r;
}

KxVmReport *kx_session_report(KxSession *s, const KxKvmStat *qmp)
{
	KxVmReport *v = kx_vm_report_new();
	g_autoptr(KxVmCounters) counters = NULL;
	struct kvm_ext_stats st;
	gboolean have = FALSE;

	if (s->tracker) {
		/* Statistics after the records they count: the sums over passes are then never ahead of them. */
		drain(s, NULL);
		look_for_yield(s);
		have = read_stats(s, &st);
		counters = read_counters(s, qmp);
	}
	kx_account_windows(s->account, v->windows, have ? &st : NULL, counters, instant());
	describe_vm(s, v);
	v->heat = heat_now(s);
	kx_heat_trim(v->heat, KX_SESSION_REPORT_RANGES);
	return v;
}

KxVmReport *kx_session_heat(KxSession *s)
{
	KxVmReport *v = kx_vm_report_new();
	struct kvm_ext_stats st;

	if (s->tracker) {
		drain(s, NULL);
		read_stats(s, &st); /* whether there are nested guests */
	}
	describe_vm(s, v);
	v->heat = heat_now(s);
	return v;
}

GArray *kx_session_found(KxSession *s, guint64 window, GError **error)
{
	if (!kx_session_drain(s, error))
		return NULL;
	return kx_account_found(s->account, window, error);
}

/* --- a look ------------------------------------------------------------------------------------------------------------ */

void kx_session_look(KxSession *s)
{
	struct kvm_ext_stats st;

	if (!kx_session_drain(s, &s->look.error) || !s->tracker)
		return;
	if (s->look.poll || kx_account_yielded_passes(s->account) != s->yield.seen_ends)
		look_for_yield(s);
	if (s->look.poll)
		look_at_declared(s);
	if (s->look.poll && !s->primed)
		read_stats(s, &st);
	follow_memory(s);
}

void kx_session_read(KxSession *s)
{
	struct kvm_ext_stats st;
	struct kvm_ext_vm vm;
	g_autoptr(KxVmCounters) counters = NULL;
	gboolean have, have_vm;

	if (!s->tracker)
		return;
	drain(s, NULL);
	look_for_yield(s);
	have = read_stats(s, &st);
	have_vm = kx_module_vm(s->module, &vm, NULL);
	if (have_vm)
		take_vm(s, &vm);
	counters = kx_vm_counters_kvm(have_vm ? &vm : NULL, s->kvm_dir);
	kx_vm_report_free(s->fresh);
	s->fresh = kx_vm_report_new();
	s->fresh->name = g_strdup(s->ident.name);
	s->fresh->uuid = g_strdup(s->ident.uuid);
	s->fresh->pid = (guint32)s->ident.pid;
	s->fresh->attached = TRUE;
	s->fresh->yielded = g_strdup(kx_session_yielded_now(s));
	s->fresh->paused = g_strdup(kx_account_is_paused(s->account));
	s->fresh->progress = g_strdup(s->progress);
	g_ptr_array_add(s->fresh->windows,
			kx_account_newest(s->account, have ? &st : NULL, counters, instant()));
}
