/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's DAMON, as it is set up through sysfs (Documentation/admin-guide/mm/damon/usage.rst).
 *
 * DAMON's setup exists once for the host: the number of its kernel threads (kdamonds) cannot change while one of them runs, and
 * changing the number removes the settings of all. So this daemon makes KX_DAMON_KDAMONDS of them with the first VM, takes one
 * for each VM, and removes all with the last VM.
 *
 * The setup is marked, so that what a killed daemon left behind can be told from another user's: kdamond 0, which never runs, names
 * the daemon by its pid (as a target) and its start time (as an aggregation interval), and every kdamond of the daemon has
 * KX_DAMON_MARK as its update interval, which has no meaning for fixed address ranges. A setup without the mark is another
 * user's, and is left alone, whether it runs or not.
 */
#ifndef KX_DAMON_SETUP_H
#define KX_DAMON_SETUP_H

#include <glib.h>
#include <sys/types.h>

#define KX_DAMON_KDAMONDS 128u
#define KX_DAMON_MARK	  1265465412u /* us; "KmxD" */

/* Addresses in the process, @start to @end. */
typedef struct {
	guint64 start, end;
} KxDamonRange;

typedef struct {
	pid_t pid;
	guint64 sample_us, aggregation_us;
	guint32 regions_min, regions_max;
	const GArray *ranges; /* KxDamonRange, ascending, disjoint */
} KxDamonTarget;

typedef struct _KxDamon KxDamon; /* a kdamond that runs */

/*
 * @root: directory with sys. @proc_root: in which daemons are looked for. Blocks for two seconds at most, while others use DAMON's
 * files. KX_ERROR_NOT_SUPPORTED: the kernel has no DAMON for addresses of processes; KX_ERROR_BUSY: another user has DAMON.
 */
KxDamon *kx_damon_start(const char *root, const char *proc_root, const KxDamonTarget *target,
			GError **error);
pid_t kx_damon_pid(const KxDamon *d);
/* Stops the kdamond, and removes the setup if this was the daemon's last kdamond. Frees @d. NULL is allowed. */
void kx_damon_stop(KxDamon *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxDamon, kx_damon_stop)

/* Removes the setup of a daemon that was killed, if there is one. That of a daemon that lives is left alone, and the log says so. */
void kx_damon_recover(const char *root, const char *proc_root);

/* Why kvm-extd could not start a monitor now: the kernel has no DAMON, or another user has it. NULL: it could. */
char *kx_damon_refusal(const char *root, const char *proc_root);

#endif /* KX_DAMON_SETUP_H */
