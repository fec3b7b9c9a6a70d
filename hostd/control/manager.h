/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon without D-Bus: sessions by VM, the accounts of ended sessions, libvirt's events and the rules of the
 * configuration. Operations that can block (libvirt, /proc scans, a pass) run on worker threads; the functions here return at
 * once and are called on the main loop.
 */
#ifndef KX_MANAGER_H
#define KX_MANAGER_H

#include <gio/gio.h>

#include "config.h"
#include "report/metrics-text.h"
#include "session.h"
#include "vm/domains.h"

/* Number of accounts kept of ended sessions, and their memory limit: beyond it the oldest drop the pages that they found. */
#define KX_MANAGER_ENDED_MAX   64u
#define KX_MANAGER_ENDED_BYTES (64u << 20)

/*
 * EVENT of org.kvmext1.Manager: attached, tracker, detached, vm-gone, yielded, resumed, waiting, paused, unpaused, libvirt-lost,
 * libvirt-back. Strings may be NULL.
 */
typedef struct {
	const char *event, *vm, *uuid, *tracker, *options, *reason;
	pid_t pid;
} KxEvent;

typedef void (*KxManagerCallback)(const KxEvent *event, gpointer data);
/* Called at each change of the connection to libvirt. */
typedef void (*KxManagerLibvirt)(gboolean connected, gpointer data);

/* A running VM, attached or not. */
typedef struct {
	KxVmIdent ident;
	int id; /* libvirt's number of the domain; -1: libvirt does not know the VM */
	char *state, *tracker, *options;
	const char *emulated_by; /* who emulates the vCPUs; NULL: nobody */
	char *mechanism; /* of the dirty log, or the event sampled in the guest; NULL: neither */
	char *yielded;	 /* for what the tracker has yielded; NULL: it has not */
	char *waiting;	 /* a call or a rule waits for the guest, and why; NULL: none */
	char *progress;	 /* of a long pass or another long operation; NULL: none */
	gboolean attached;
} KxVmEntry;

typedef struct _KxManager KxManager;

/* The manager takes ownership of @config. @host must outlive the manager. */
KxManager *kx_manager_new(const KxHost *host, KxConfig *config, KxManagerCallback callback,
			  KxManagerLibvirt libvirt, gpointer data);
/* Detaches every VM. Calls in progress are answered with an error or never. */
void kx_manager_shutdown(KxManager *m);
void kx_manager_unref(KxManager *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxManager, kx_manager_unref)

const KxConfig *kx_manager_config(const KxManager *m);
/* New rules apply to domains that are not attached now. libvirt's URI and the socket stay as they were. */
void kx_manager_reload(KxManager *m, KxConfig *config);

/*
 * @target: a domain name, a UUID, "/proc/N" or "pid:N" (manager-names.c). @options: key → text, see options.h; NULL: none.
 * @callback calls the matching finish function to get the result.
 */
void kx_manager_list_async(KxManager *m, GAsyncReadyCallback callback, gpointer data);
GPtrArray *kx_manager_list_finish(GAsyncResult *result, GError **error); /* KxVmEntry */

/* @cancellable, NULL: none, ends the wait for a tracker in the guest. */
void kx_manager_attach_async(KxManager *m, const char *target, GHashTable *options,
			     GCancellable *cancellable, GAsyncReadyCallback callback,
			     gpointer data);
void kx_manager_set_async(KxManager *m, const char *target, GHashTable *options,
			  GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);
/* Also ends a wait for this VM's guest, and the retries of a rule. */
void kx_manager_detach_async(KxManager *m, const char *target, GAsyncReadyCallback callback,
			     gpointer data);
gboolean kx_manager_done_finish(GAsyncResult *result, GError **error); /* of the three above */

void kx_manager_run_pass_async(KxManager *m, const char *target, GAsyncReadyCallback callback,
			       gpointer data);
gboolean kx_manager_run_pass_finish(GAsyncResult *result, guint64 *pass, GError **error);

/* @targets empty: every VM with an account, the latest account of each. */
void kx_manager_report_async(KxManager *m, const char *const *targets, GAsyncReadyCallback callback,
			     gpointer data);
char *kx_manager_report_finish(GAsyncResult *result, GError **error);

/* For attached VMs among @targets (at least one must be attached): identity, state, and the open window. */
void kx_manager_stats_async(KxManager *m, const char *const *targets, GAsyncReadyCallback callback,
			    gpointer data);
GPtrArray *kx_manager_stats_finish(GAsyncResult *result, GError **error); /* KxVmReport */

/* The pages found (KxRun) in a window of the VM's latest account. */
void kx_manager_found_async(KxManager *m, const char *target, guint64 window,
			    GAsyncReadyCallback callback, gpointer data);
GArray *kx_manager_found_finish(GAsyncResult *result, GError **error);
/* A report (JSON) of the VM's latest account with its heat, without its windows. */
void kx_manager_heat_async(KxManager *m, const char *target, GAsyncReadyCallback callback,
			   gpointer data);
char *kx_manager_heat_finish(GAsyncResult *result, GError **error);

/* The text of all metrics, as Prometheus reads it. */
void kx_manager_metrics_async(KxManager *m, KxMetricsFormat format, GAsyncReadyCallback callback,
			      gpointer data);
char *kx_manager_metrics_finish(GAsyncResult *result, GError **error);

/* What measurements on this host depend on (KxFact, vm/environment.h). */
void kx_manager_environment_async(KxManager *m, GAsyncReadyCallback callback, gpointer data);
GPtrArray *kx_manager_environment_finish(GAsyncResult *result, GError **error);

/* A report (JSON) of the VM's latest account with its heat over time, without windows. */
void kx_manager_over_time_async(KxManager *m, const char *target, GAsyncReadyCallback callback,
				gpointer data);
char *kx_manager_over_time_finish(GAsyncResult *result, GError **error);

/*
 * Records an attached VM into @fd, which the call takes, until @caller is cancelled, kx_manager_stop_record() is called, the
 * session ends, or the file cannot be written. The answer (a{sv}): why s, records t, lost t, bytes t, cpu_ns t.
 */
void kx_manager_record_async(KxManager *m, const char *target, int fd, GCancellable *caller,
			     GAsyncReadyCallback callback, gpointer data);
GVariant *kx_manager_record_finish(GAsyncResult *result, GError **error);
/* The recording ends soon; whoever asked for it gets the answer. */
gboolean kx_manager_stop_record(KxManager *m, const char *target, GError **error);

/* A report (JSON) of an attached VM with its placement on NUMA nodes, without windows and heat. */
void kx_manager_placement_async(KxManager *m, const char *target, GAsyncReadyCallback callback,
				gpointer data);
char *kx_manager_placement_finish(GAsyncResult *result, GError **error);

#endif /* KX_MANAGER_H */
