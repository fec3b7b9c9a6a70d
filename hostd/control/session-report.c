// SPDX-License-Identifier: GPL-2.0-or-later
/* Descriptions of a session: for a report, its heat, and its current figures. */
#include "session-internal.h"

#include "vm/procstat.h"

static const char *const paging_names[] = {
	[KVM_EXT_PAGING_UNKNOWN] = "unknown",
	[KVM_EXT_PAGING_EPT] = "EPT",
	[KVM_EXT_PAGING_NPT] = "NPT",
	[KVM_EXT_PAGING_SHADOW] = "shadow",
};

/* Without the module the structure is empty: a paging that nobody knows has A/D bits that nobody knows. */
static const char *ad_bits_name(const struct kvm_ext_vm *vm)
{
	if (vm->paging == KVM_EXT_PAGING_UNKNOWN)
		return "unknown";
	return vm->ad_bits == 1 ? "hardware" : vm->ad_bits == 0 ? "emulated by faults" : "unknown";
}

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
	v->ad_bits = g_strdup(ad_bits_name(vm));
	v->emulated_by = g_strdup(s->emulated_by);
	v->ram_pages = vm->ram_pages;
	v->ring_bytes = s->ring_bytes;
	v->mapped_4k = vm->mapped_4k;
	v->mapped_2m = vm->mapped_2m;
	v->mapped_1g = vm->mapped_1g;
	/* Without KVM there is no log of KVM. */
	v->log_mechanism =
		s->emulated_by ? NULL : g_strdup(kx_log_mechanism_name(s->log.mechanism));
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
		kx_session_keep_processes(s);
		r = kx_heat_report(s->heat, s->tracker ? s->epoch : 0, s->vm.ram_pages);
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
		/* Records are read before the statistics that count them, so that no record is newer than the statistics. */
		kx_session_drain_now(s, NULL);
		kx_session_look_for_yield(s);
		have = kx_session_statistics(s, &st);
		counters = kx_session_counters(s, qmp);
	}
	kx_account_windows(s->account, v->windows, have ? &st : NULL, counters,
			   kx_session_instant());
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
		kx_session_drain_now(s, NULL);
		kx_session_statistics(s, &st); /* shows the account whether nested guests run */
	}
	describe_vm(s, v);
	v->heat = heat_now(s);
	return v;
}

KxSessionMemory *kx_session_over_time(KxSession *s)
{
	KxSessionMemory *m = g_new0(KxSessionMemory, 1);
	KxInstant now = kx_session_instant();
	struct kvm_ext_stats st;

	if (s->tracker) {
		kx_session_drain_now(s, NULL);
		kx_session_statistics(s, &st); /* as above */
	}
	m->vm = kx_vm_report_new();
	describe_vm(s, m->vm);
	m->vm->over_time = s->heat ? kx_heat_over_time(s->heat, s->epoch,
						       now.realtime_ns - (gint64)now.monotonic_ns)
				   : kx_over_time_copy(s->last_over_time);
	if (kx_account_nested(s->account))
		kx_heat_note_nested_over_time(m->vm->over_time);
	m->layout = s->layout ? kx_layout_copy(s->layout) : NULL;
	return m;
}

static GArray *vcpu_threads(const KxSession *s)
{
	g_autoptr(GArray) times =
		kx_procstat_vcpus(s->host->proc_root, s->ident.pid, s->kvm_dir, NULL);
	GArray *threads;

	if (!times)
		return NULL;
	threads = g_array_new(FALSE, FALSE, sizeof(pid_t));
	for (guint i = 0; i < times->len; i++)
		g_array_append_val(threads, g_array_index(times, KxVcpuTime, i).tid);
	return threads;
}

KxSessionMemory *kx_session_memory(KxSession *s)
{
	KxSessionMemory *m = g_new0(KxSessionMemory, 1);

	m->vm = kx_session_heat(s);
	m->layout = s->layout ? kx_layout_copy(s->layout) : NULL;
	m->vcpus = vcpu_threads(s);
	return m;
}

void kx_session_memory_free(KxSessionMemory *m)
{
	if (!m)
		return;
	kx_vm_report_free(m->vm);
	kx_layout_free(m->layout);
	g_clear_pointer(&m->vcpus, g_array_unref);
	g_free(m);
}

GArray *kx_session_found(KxSession *s, guint64 window, GError **error)
{
	if (s->tracker && !kx_session_drain_now(s, error))
		return NULL;
	return kx_account_found(s->account, window, error);
}

/* Identity and state of the VM, with the open window as it is now. */
static KxVmReport *read_now(KxSession *s)
{
	KxVmReport *v = kx_vm_report_new();
	struct kvm_ext_stats st;
	struct kvm_ext_vm vm;
	g_autoptr(KxVmCounters) counters = NULL;
	gboolean have = kx_session_statistics(s, &st);
	gboolean have_vm = s->module && kx_module_vm(s->module, &vm, NULL);

	if (have_vm)
		kx_session_take_vm(s, &vm);
	counters = kx_vm_counters_kvm(have_vm ? &vm : NULL, s->kvm_dir);
	v->name = g_strdup(s->ident.name);
	v->uuid = g_strdup(s->ident.uuid);
	v->pid = (guint32)s->ident.pid;
	v->attached = TRUE;
	v->yielded = g_strdup(kx_session_yielded_now(s));
	v->paused = g_strdup(kx_account_is_paused(s->account));
	v->progress = g_strdup(s->progress);
	g_ptr_array_add(v->windows, kx_account_newest(s->account, have ? &st : NULL, counters,
						      kx_session_instant()));
	return v;
}

void kx_session_read(KxSession *s)
{
	if (!s->tracker)
		return;
	kx_session_drain_now(s, NULL);
	kx_session_look_for_yield(s);
	kx_vm_report_free(s->fresh);
	s->fresh = read_now(s);
}

const KxVmReport *kx_session_read_totals(KxSession *s)
{
	KxVmReport *v;

	if (!s->tracker)
		return NULL;
	v = read_now(s);
	v->ram_pages = s->vm.ram_pages;
	v->totals = kx_account_totals(s->account, v->windows->pdata[0]);
	if (s->totals)
		kx_totals_not_below(v->totals, s->totals);
	g_clear_pointer(&s->totals, g_ptr_array_unref);
	s->totals = kx_totals_copy(v->totals);
	kx_vm_report_free(s->fresh_totals);
	s->fresh_totals = v;
	return v;
}
