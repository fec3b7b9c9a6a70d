/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VM's vCPUs do in guest mode, counted by the host's PMU without any help of the guest: instructions retired, a measure of
 * guest progress; and misses of the last-level cache. The PMU counts for each vCPU thread and excludes what happens in host mode.
 */
#ifndef KX_VCPUEVENTS_H
#define KX_VCPUEVENTS_H

#include <glib.h>
#include <sys/types.h>

typedef struct _KxVcpuEvents KxVcpuEvents;

typedef enum {
	KX_EVENT_INSTRUCTIONS,
	KX_EVENT_LLC_MISSES, /* as the kernel defines cache-misses for this CPU */
} KxVcpuEvent;

/* Begins to count for the present vCPU threads of process @pid. KX_ERROR_NOT_SUPPORTED: this host cannot count; the message says why. */
KxVcpuEvents *kx_vcpu_events_open(const char *proc_root, pid_t pid, KxVcpuEvent event,
				  GError **error);
void kx_vcpu_events_close(KxVcpuEvents *i);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxVcpuEvents, kx_vcpu_events_close)

/*
 * @count: events so far, scaled if the PMU was shared. FALSE: a counter cannot be read, or never ran because other users
 * occupy the PMU; there is no count then.
 */
gboolean kx_vcpu_events_read(const KxVcpuEvents *i, double *count);

#endif /* KX_VCPUEVENTS_H */
