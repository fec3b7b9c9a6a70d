// SPDX-License-Identifier: GPL-2.0-or-later
/* What a VM's process and vCPUs have used, by the host's /proc. */
#include "compare-internal.h"

#include <math.h>

#include "vm/procstat.h"

/* The CPU time of the process without its vCPUs, since its start. Call this after the vCPUs' time was read. */
static void read_vmm(KxWindow *w, guint32 pid)
{
	g_autoptr(GError) error = NULL;
	guint64 all = 0;

	g_free(w->vmm_cpu_na);
	w->vmm_cpu_na = g_strdup(w->vcpu_run_na);
	if (!w->vmm_cpu_na && !kx_procstat_cpu("/proc", (pid_t)pid, &all, &error))
		w->vmm_cpu_na = g_strdup(error->message);
	w->vmm_cpu_ns = all - MIN(all, w->vcpu_run_ns);
}

/* The daemon's answer to Stats does not contain the vCPUs' time. It is the host's own data, so it is read here. */
void compare_read_vcpus(KxWindow *w, guint32 pid)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GArray) vcpus = kx_procstat_vcpus("/proc", (pid_t)pid, NULL, &error);

	g_free(w->vcpu_run_na);
	g_free(w->vcpu_steal_na);
	w->vcpu_run_na = vcpus ? NULL : g_strdup(error->message);
	w->vcpu_steal_na = g_strdup(w->vcpu_run_na);
	w->vcpu_run_ns = w->vcpu_steal_ns = 0;
	for (guint i = 0; vcpus && i < vcpus->len; i++) {
		w->vcpu_run_ns += g_array_index(vcpus, KxVcpuTime, i).run_ns;
		w->vcpu_steal_ns += g_array_index(vcpus, KxVcpuTime, i).wait_ns;
	}
	read_vmm(w, pid);
}

double compare_read_guest_time(guint32 pid)
{
	guint64 ns;

	return kx_procstat_guest_time("/proc", (pid_t)pid, &ns, NULL) ? (double)ns : NAN;
}
