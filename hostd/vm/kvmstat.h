/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's own counters of a VM, from any available source, and their differences over a period of time.
 */
#ifndef KX_KVMSTAT_H
#define KX_KVMSTAT_H

#include <glib.h>
#include <sys/types.h>

#include <kvm-ext/uapi.h>

#include "model/window.h"

/* Counts since the VM was created. */
typedef struct {
	guint64 exits, remote_tlb_flushes;
} KxKvmStat;

/* /sys/kernel/debug/kvm/PID-FD of the VM. */
char *kx_kvmstat_dir(const char *debugfs_root, pid_t pid, int vm_fd);
gboolean kx_kvmstat_debugfs(const char *kvm_dir, KxKvmStat *st, GError **error);

/* QMP's query-stats (QEMU 7.1 and later): the two commands to send, and their two replies. */
#define KX_KVMSTAT_QMP_VM   "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vm\"}}"
#define KX_KVMSTAT_QMP_VCPU "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vcpu\"}}"
gboolean kx_kvmstat_qmp(const char *vm_reply, const char *vcpu_reply, KxKvmStat *st,
			GError **error);

/* --- a snapshot of all counters of a VM --------------------------------------------------------------------------- */

typedef struct {
	KxKvmStat kvm;
	const char *source; /* "module", "debugfs", "qmp"; NULL: @kvm_na says why not */
	char *kvm_na;
	GArray *vcpus; /* KxVcpuTime; NULL: @vcpus_na says why not */
	char *vcpus_na;
	guint64 process_ns; /* CPU time of all of the VMM's threads, unless @process_na says why not */
	char *process_na;
} KxVmCounters;

/*
 * Sources in order: @vm (the module's answer, NULL if it had none), @kvm_dir in debugfs, @qmp (read beforehand by the
 * caller because QMP can block; NULL: not asked). Never fails: for counters that cannot be read the result has the reason.
 */
KxVmCounters *kx_vm_counters_read(const struct kvm_ext_vm *vm, const char *kvm_dir,
				  const KxKvmStat *qmp, const char *proc_root, pid_t pid);
/* Like kx_vm_counters_read(), but without the counters of each vCPU and without QEMU: cheap enough for all VMs each second. */
KxVmCounters *kx_vm_counters_kvm(const struct kvm_ext_vm *vm, const char *kvm_dir);
KxVmCounters *kx_vm_counters_unavailable(const char *why);
KxVmCounters *kx_vm_counters_copy(const KxVmCounters *c);
void kx_vm_counters_free(KxVmCounters *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxVmCounters, kx_vm_counters_free)

/* Writes @end - @start into the window's figures, or the reasons why there is no difference. */
void kx_vm_counters_delta(const KxVmCounters *start, const KxVmCounters *end, KxWindow *w);

#endif /* KX_KVMSTAT_H */
