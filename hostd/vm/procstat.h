/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data in /proc about a VM's vCPU threads. The root directory is a parameter so that tests can use their own.
 */
#ifndef KX_PROCSTAT_H
#define KX_PROCSTAT_H

#include <glib.h>
#include <sys/types.h>

/* /proc/PID/task/TID/schedstat: time on a CPU, and time runnable but waiting for a CPU (the guest's steal time). */
typedef struct {
	pid_t tid;
	guint64 run_ns, wait_ns;
} KxVcpuTime;

/*
 * Whether thread @tid of @task_dir (/proc/PID/task) runs a vCPU: QEMU names such threads "CPU N/KVM", or "CPU N/TCG" if QEMU
 * emulates the vCPU.
 */
gboolean kx_procstat_is_vcpu(const char *task_dir, const char *tid);

/* Whether QEMU emulates the vCPUs of process @pid (TCG), without KVM. */
gboolean kx_procstat_is_emulated(const char *proc_root, pid_t pid);

/*
 * One KxVcpuTime per vCPU thread, ascending by tid. The vCPU threads are those that QEMU names "CPU N/KVM" or "CPU N/TCG"
 * (debug-threads=on, libvirt's default), else those that KVM itself names in @kvm_dir ("vcpuN/pid" in the VM's debugfs directory, Linux 6.0
 * and later; NULL: not known). KX_ERROR_FAILED says why there are none.
 */
GArray *kx_procstat_vcpus(const char *proc_root, pid_t pid, const char *kvm_dir, GError **error);

/*
 * Time that the vCPU threads of the VM ran in guest mode, as the kernel accounts it: with a resolution of clock ticks, so it is
 * good over seconds. The rest of their run time is that of exits, in the kernel and in the VMM. KX_ERROR_NOT_SUPPORTED: this
 * kernel does not account guest time, or no vCPU has run yet.
 */
gboolean kx_procstat_guest_time(const char *proc_root, pid_t pid, guint64 *ns, GError **error);

/*
 * When the process was started, in the kernel's ticks since the host's boot: together with the pid this identifies one
 * process permanently. And how long ago the process was started.
 */
gboolean kx_procstat_started(const char *proc_root, pid_t pid, guint64 *ticks, GError **error);
gboolean kx_procstat_age(const char *proc_root, pid_t pid, guint64 *ns, GError **error);

/*
 * CPU time of all threads of the process, those that have ended included: /proc/PID/stat, which the kernel rounds down to its
 * ticks of 10 ms.
 */
gboolean kx_procstat_cpu(const char *proc_root, pid_t pid, guint64 *ns, GError **error);

/* Whether the process has ended or is ending, so that it has no memory any more or soon loses it: it is gone, a zombie, or exiting. */
gboolean kx_procstat_is_over(const char *proc_root, pid_t pid);

#endif /* KX_PROCSTAT_H */
