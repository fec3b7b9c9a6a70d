/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long to wait for a guest. The host's clock is no good measure: a guest that shares its CPUs, is emulated or still boots
 * takes longer. Instead the time in which the guest could have worked is counted: this time does not pass while the guest's
 * vCPUs wait for a CPU of the host, and a VM that was just started is given time to boot. A guest with idle vCPUs has finished
 * its work, so the wait for it is shorter.
 */
#ifndef KX_PATIENCE_H
#define KX_PATIENCE_H

#include <gio/gio.h>
#include <sys/types.h>

/* The wait ends after so much of the guest's own time without an answer, */
#define KX_PATIENCE_GUEST_NS G_GUINT64_CONSTANT(60000000000)
/* or after so much of it in a row with idle vCPUs. */
#define KX_PATIENCE_IDLE_NS G_GUINT64_CONSTANT(10000000000)
/* A younger VM may still boot: neither of the two limits above ends the wait. */
#define KX_PATIENCE_BOOT_NS G_GUINT64_CONSTANT(180000000000)
/* No time was given: the limits above apply. */
#define KX_PATIENCE_AUTO (-1)

typedef struct _KxPatience KxPatience;

/*
 * Until when such a wait goes on, for users, one clause: "at most 5.0 s, as --wait says". It may be called before the wait, and on the
 * main loop. The caller frees it.
 */
char *kx_patience_limit(const char *proc_root, pid_t pid, gint64 wait_ns);

/*
 * Begins to count. @wait_ns: the time by the host's clock, regardless of the guest; KX_PATIENCE_AUTO: the limits above.
 * @cancellable (NULL: none) ends the wait at once.
 */
KxPatience *kx_patience_new(const char *proc_root, pid_t pid, gint64 wait_ns,
			    GCancellable *cancellable);
void kx_patience_free(KxPatience *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxPatience, kx_patience_free)

/*
 * Blocks for a moment; call this function between two checks for the answer. FALSE: check no more. KX_ERROR_NOT_SUPPORTED:
 * "@what (waited …)"; KX_ERROR_VM_GONE: the VM's process has ended; G_IO_ERROR_CANCELLED.
 */
gboolean kx_patience_rest(KxPatience *p, const char *what, GError **error);

/* The guest has answered, and another wait begins: the time counts only after @due_ns, which the guest needs for its next work. */
void kx_patience_renew(KxPatience *p, guint64 due_ns);

/*
 * The rule itself, for kx_patience_rest and for tests: @passed_ns have passed, in which the vCPU that ran most ran @run_ns, and
 * the vCPU that waited most for a CPU waited @steal_ns. FALSE: the guest's time is over.
 */
gboolean kx_patience_count(KxPatience *p, guint64 passed_ns, guint64 run_ns, guint64 steal_ns);

#endif /* KX_PATIENCE_H */
