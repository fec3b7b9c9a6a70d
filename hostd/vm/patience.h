/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a guest is waited for. The host's clock is no measure of that: a guest that shares its CPUs, that is emulated or
 * that still boots takes longer. What counts is the time in which the guest could have worked: time does not pass while its
 * vCPUs wait for a CPU of the host, and a VM that was started just now first has its boot before it. A guest that has
 * nothing to do is done with what it was asked for, and is not waited for so long.
 */
#ifndef KX_PATIENCE_H
#define KX_PATIENCE_H

#include <gio/gio.h>
#include <sys/types.h>

/* Of the guest's own time, without an answer. */
#define KX_PATIENCE_GUEST_NS G_GUINT64_CONSTANT(60000000000)
/* Of it, in a row, with idle vCPUs. */
#define KX_PATIENCE_IDLE_NS G_GUINT64_CONSTANT(10000000000)
/* A VM that is younger may still boot: neither of the two above ends the wait. */
#define KX_PATIENCE_BOOT_NS G_GUINT64_CONSTANT(180000000000)
/* Not given: as long as the guest makes it. */
#define KX_PATIENCE_AUTO (-1)

typedef struct _KxPatience KxPatience;

/*
 * @wait_ns: that much of the host's time, whatever the guest does; KX_PATIENCE_AUTO: as above. @cancellable, NULL: none,
 * ends the wait at once. Begins to count.
 */
KxPatience *kx_patience_new(const char *proc_root, pid_t pid, gint64 wait_ns,
			    GCancellable *cancellable);
void kx_patience_free(KxPatience *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxPatience, kx_patience_free)

/*
 * Blocks for a moment; to be called between two looks at what is waited for. FALSE: look no more. KX_ERROR_NOT_SUPPORTED:
 * "@what (waited …)"; KX_ERROR_VM_GONE: the VM's process has ended; G_IO_ERROR_CANCELLED.
 */
gboolean kx_patience_rest(KxPatience *p, const char *what, GError **error);

/* It has answered, and is waited for once more: for what it may rightly take @due_ns to do before the time counts. */
void kx_patience_renew(KxPatience *p, guint64 due_ns);

/*
 * The rule itself, for kx_patience_rest and for tests: @passed_ns went by, in which the vCPU that ran most ran @run_ns, and
 * the one that waited most for a CPU waited @steal_ns. FALSE: the guest has had its time.
 */
gboolean kx_patience_count(KxPatience *p, guint64 passed_ns, guint64 run_ns, guint64 steal_ns);

#endif /* KX_PATIENCE_H */
