// SPDX-License-Identifier: GPL-2.0-or-later
/* A session from attach to its end: its tracker, its windows. */
#include "session-internal.h"

#include <unistd.h>

#include "base/error.h"

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

KxAccount *kx_session_account(KxSession *s)
{
	return s->account;
}

const KxLogMechanism *kx_session_log_mechanism(const KxSession *s)
{
	return &s->log;
}

/* --- end ---------------------------------------------------------------------------------------------------------- */

/* Releases everything except the account, and the channel, which the manager unplugs. */
static void let_go(KxSession *s)
{
	g_clear_pointer(&s->tracker, kx_tracker_free);
	kx_declared_clear(&s->declared);
	g_clear_pointer(&s->module, kx_module_unref);
	g_clear_pointer(&s->layout, kx_layout_free);
	if (s->process >= 0)
		close(s->process);
	s->process = -1;
}

/* An ended session keeps its last heat report, and not the data from which it is computed. */
static void settle_memory(KxSession *s)
{
	KxInstant now = kx_session_instant();

	s->last_heat = kx_heat_report(s->heat, 0, s->vm.ram_pages);
	kx_heat_trim(s->last_heat, KX_SESSION_REPORT_RANGES);
	s->last_over_time =
		kx_heat_over_time(s->heat, 0, now.realtime_ns - (gint64)now.monotonic_ns);
	g_clear_pointer(&s->heat, kx_heat_free);
	s->bytes = kx_account_bytes(s->account) + kx_over_time_bytes(s->last_over_time);
	s->found_bytes = kx_account_found_bytes(s->account);
}

void kx_session_finish(KxSession *s, const KxKvmStat *qmp)
{
	g_autoptr(KxVmCounters) counters = NULL;
	struct kvm_ext_stats st;

	if (!s->tracker)
		return;
	counters = kx_session_counters(s, qmp);
	if (kx_session_statistics(s, &st)) {
		if (st.state & KVM_EXT_STATE_VM_GONE) {
			kx_vm_counters_free(counters);
			counters = kx_vm_counters_unavailable(
				"the VM ended before its counters could be read");
		}
		kx_account_mark(s->account, s->window, &st);
	}
	kx_session_drain_now(s, NULL);
	kx_session_keep_processes(s);
	s->tracker->ops->stop(s->tracker);
	kx_session_statistics(s, &st); /* contain the cost of stopping the tracker */
	kx_session_drain_now(s, NULL); /* the records of the last pass, until it was cut */
	kx_account_close(s->account, s->window, NULL, counters, kx_session_instant());
	let_go(s);
	kx_session_record_stop(s, "the session ended");
	settle_memory(s);
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
	s->bytes = kx_account_bytes(s->account) + kx_over_time_bytes(s->last_over_time);
	s->found_bytes = 0;
}

/* --- attach ------------------------------------------------------------------------------------------------------- */

static KxTracker *open_tracker(KxSession *s, const KxOptions *o, GError **error)
{
	const KxTrackerVm vm = {
		.pid = s->ident.pid,
		.uuid = s->ident.uuid,
		.proc_root = s->host->proc_root,
		.root = s->host->root,
		.module = s->module,
		.vm = &s->vm,
		.layout = &s->layout,
		.libvirt_uri = &s->libvirt_uri,
		.pick = kx_heat_pick,
		.heat = s->heat,
		.channel = s->plug ? kx_plug_channel(s->plug) : NULL,
		.emulated = s->emulated_by != NULL,
	};
	const KxTrackerOps *ops = kx_tracker_ops(o->tracker, kx_session_backends(s));

	if (ops)
		return kx_tracker_open(ops, &vm, error);
	g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED, "this build has no tracker \"%s\"",
		    o->tracker->name);
	return NULL;
}

static void open_window(KxSession *s, const KxKvmStat *qmp)
{
	g_autoptr(KxVmCounters) counters = kx_session_counters(s, qmp);
	g_autofree char *options = kx_options_to_string(&s->options);
	const KxOptions *o = &s->options;
	gboolean trap = o->tracker->can & KX_CAN_TRAP;
	struct kvm_ext_stats st = { 0 };
	KxSetting setting = {
		.tracker = o->tracker->name,
		.options = options,
		.last_gfn = s->vm.last_gfn,
		.parts = kx_options_parts(o),
		.regions_max = o->regions.max,
		.trap_faults_per_s = trap ? o->faults_per_s : 0,
		.trap_time_ppm = trap ? o->vcpu_ppm : 0,
		.log_backend = s->tracker->ops->backend,
	};

	kx_session_statistics(s, &st);
	setting.epoch = s->epoch = st.epoch;
	kx_heat_open(s->heat, st.epoch, o, kx_session_mechanism_now(s));
	kx_session_record_setting(s);
	s->yield.passes = 0;
	s->yield.now = FALSE;
	s->window = kx_account_open(s->account, &setting, counters, kx_session_instant());
}

KxSession *kx_session_attach(const KxHost *host, const KxVmIdent *ident, const KxOptions *o,
			     KxPlug *plug, const KxMonitor *monitor, GError **error)
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
	s->process = -1;
	if (!kx_session_check_cpu(s, o, error) || !kx_session_attach_vm(s, o, monitor, error) ||
	    !kx_session_check_log(s, o, error))
		goto fail;
	kx_session_look_at_declared(s);
	s->tracker = open_tracker(s, o, error);
	if (!s->tracker || !s->tracker->ops->start(s->tracker, o, error))
		goto fail;
	open_window(s, NULL);
	return s;
fail:
	let_go(s);
	s->plug = NULL;
	kx_session_free(s);
	return NULL;
}

void kx_session_free(KxSession *s)
{
	kx_lane_free(s->lane);
	g_mutex_clear(&s->lock);
	g_cond_clear(&s->back);
	g_queue_clear_full(&s->told, kx_session_told_free);
	g_free(s->progress);
	kx_vm_ident_clear(&s->ident);
	kx_account_free(s->account);
	kx_heat_free(s->heat);
	kx_heat_report_free(s->last_heat);
	kx_over_time_free(s->last_over_time);
	kx_vm_report_free(s->fresh);
	kx_vm_report_free(s->fresh_totals);
	g_clear_pointer(&s->totals, g_ptr_array_unref);
	g_clear_error(&s->look.error);
	kx_plug_unref(s->plug);
	kx_declared_clear(&s->declared);
	kx_log_mechanism_clear(&s->log);
	g_free(s->yield.to);
	g_free(s->kvm_dir);
	g_free(s->libvirt_uri);
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
	if (kx_tracker_ops(o->tracker, kx_session_backends(s)) == s->tracker->ops)
		return s->tracker->ops->start(s->tracker, o, error);
	next = open_tracker(s, o, error);
	if (!next || !next->ops->start(next, o, error))
		return FALSE;
	s->tracker->ops->stop(s->tracker);
	if (s->tracker->ops->stats(s->tracker, &st, NULL))
		kx_account_saw(s->account, &st); /* contains the cost of stopping this tracker */
	/* @next has begun without the log, which is free only now. If it cannot begin anew, it continues, and gets the log later. */
	if (s->tracker->ops->holds_log && o->tracker->can & KX_CAN_LOG)
		(void)next->ops->start(next, o, NULL);
	*old = s->tracker;
	s->tracker = g_steal_pointer(&next);
	return TRUE;
}

gboolean kx_session_set(KxSession *s, const KxOptions *o, const KxKvmStat *qmp,
			const KxMonitor *monitor, GError **error)
{
	guint64 old_window = s->window;
	g_autoptr(KxVmCounters) end = NULL;
	g_autoptr(KxTracker) old = NULL;
	struct kvm_ext_stats st;
	KxInstant end_time;

	if (!check_alive(s, error) || !kx_session_check_cpu(s, o, error) ||
	    !kx_session_prepare_vm(s, o, monitor, error) || !kx_session_check_log(s, o, error))
		return FALSE;
	if (kx_session_statistics(s, &st))
		kx_account_mark(s->account, old_window, &st);
	end = kx_session_counters(s, qmp);
	end_time = kx_session_instant();
	kx_session_keep_processes(s);
	kx_session_look_at_declared(s);
	/* Makes space in the ring, so that no samples are lost during the switch. */
	if (!kx_session_drain_now(s, error) || !start_tracker(s, o, &old, error)) {
		kx_account_mark(s->account, old_window, NULL);
		return FALSE;
	}
	s->options = *o;
	/* The switch itself belongs to neither window: the old one ended before it, the new one begins after it. */
	open_window(s, qmp);
	if (old)
		kx_session_drain_tracker(s, old, NULL);
	if (!kx_session_drain_now(s, error))
		return FALSE;
	kx_account_close(s->account, old_window, NULL, end, end_time);
	return TRUE;
}

/* --- a requested pass --------------------------------------------------------------------------------------------- */

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
	return !s->tracker || kx_session_drain_now(s, error);
}

/* --- a look ------------------------------------------------------------------------------------------------------------ */

void kx_session_look(KxSession *s)
{
	struct kvm_ext_stats st;

	if (!kx_session_drain(s, &s->look.error) || !s->tracker)
		return;
	if (s->look.poll || kx_account_yielded_passes(s->account) != s->yield.seen_ends)
		kx_session_look_for_yield(s);
	if (s->look.poll)
		kx_session_look_at_declared(s);
	if (s->look.poll && !s->primed)
		kx_session_statistics(s, &st);
	kx_session_follow_memory(s);
	kx_session_record_look(s);
}
