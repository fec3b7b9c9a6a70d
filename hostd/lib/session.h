/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attached VM: the module's descriptor, the tracker, the account. It drains the ring from the main loop and ends by
 * itself when the VM goes; the account stays readable until the last reference is dropped. One thread only, the main
 * loop's.
 */
#ifndef KX_SESSION_H
#define KX_SESSION_H

#include <gio/gio.h>

#include "account.h"
#include "kvmstat.h"
#include "hotplug.h"
#include "logmech.h"
#include "module.h"
#include "options.h"
#include "report.h"
#include "selftest-log.h"
#include "tracker.h"
#include "vmfd.h"

/* What of the machine sessions use; unit tests put their own in place. */
typedef struct {
	const char *proc_root, *debugfs_root;
	const char *root;	       /* where /proc/cpuinfo and /sys/module are found; NULL: / */
	const KxModuleSys *module_sys; /* NULL: /dev/kvm-ext */
	gboolean (*open_vm)(const char *proc_root, pid_t pid, const char *uuid, KxVmFd *out,
			    GError **error);
	KxSelftest *(*selftest)(const char *root); /* of the dirty log, may block; NULL: none */
	const KxPlugSys *plug_sys;		   /* NULL: libvirt's, and /dev/shm */
	gpointer plug_domain;
	const char *shm_dir;
	const char *detached_file; /* VMs that rules let alone, over restarts; NULL: not kept */
} KxHost;

extern const KxHost kx_host_real;

typedef struct {
	char *name; /* the domain's, or what QEMU calls itself, or "pid:N" */
	char *uuid; /* NULL: unknown */
	pid_t pid;
} KxVmIdent;

void kx_vm_ident_clear(KxVmIdent *i);
void kx_vm_ident_copy(KxVmIdent *to, const KxVmIdent *from);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KxVmIdent, kx_vm_ident_clear)

typedef struct _KxSession KxSession;

/* Called once, when the session ended without being asked to. */
typedef void (*KxSessionEnded)(KxSession *s, gpointer data);

/* Called when the VMM begins to log its memory itself, so that the tracker has given way, and when it has ended that. */
typedef struct {
	gboolean yielded;
	gint64 realtime_ns; /* of the moment itself, as near as it is known */
	guint64 lasted_ns;  /* at the end: since the beginning */
} KxYield;
typedef void (*KxSessionYield)(KxSession *s, const KxYield *yield, gpointer data);

/*
 * While a tracker of the log runs the module is asked this often, beside what its records tell; and a guest with a channel
 * what memory it wants left alone.
 */
#define KX_SESSION_POLL_MS 250u

/* @plug: of the guest's channel, NULL: none is plugged in. The session takes it over unless it fails. */
KxSession *kx_session_attach(const KxHost *host, const KxVmIdent *ident, const KxOptions *o,
			     KxPlug *plug, GError **error);
KxSession *kx_session_ref(KxSession *s);
void kx_session_unref(KxSession *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxSession, kx_session_unref)
void kx_session_on_ended(KxSession *s, KxSessionEnded fn, gpointer data);
void kx_session_on_yield(KxSession *s, KxSessionYield fn, gpointer data);

const KxVmIdent *kx_session_ident(const KxSession *s);
const KxOptions *kx_session_options(const KxSession *s);
gboolean kx_session_alive(const KxSession *s);
/* Why it ended; NULL while alive. The second replaces "VM gone" once somebody knows better. */
const char *kx_session_ended(const KxSession *s);
void kx_session_explain_end(KxSession *s, const char *reason);
/* The same, said before it ends, and forgotten if it does not within some seconds. */
void kx_session_expect_end(KxSession *s, const char *reason);

/* To what the log is left now: "migration", …; NULL: to nothing. The second says what it is once somebody knows. */
const char *kx_session_yielded(const KxSession *s);
void kx_session_yielded_to(KxSession *s, const char *what);
#define KX_YIELDED_UNKNOWN "the VMM logs its memory"

/* How the dirty log works on this VM; never NULL. */
const KxLogMechanism *kx_session_log_mechanism(const KxSession *s);

/*
 * The channel to the guest. It stays with the session, whatever tracker runs, until whoever unplugs it takes it; only an
 * ended one gives it away.
 */
KxPlug *kx_session_plug(const KxSession *s);
void kx_session_give_plug(KxSession *s, KxPlug *plug);
KxPlug *kx_session_take_plug(KxSession *s);
/* What a tracker in the guest knows, NULL: none runs. */
const KxGuestView *kx_session_guest(const KxSession *s);
/* How the tracker works on this VM, as kx_window_mechanism(); NULL: it is not asked. */
const char *kx_session_mechanism(const KxSession *s);

/*
 * KVM's counters come from the module; where it has none and debugfs neither, the session wants QEMU asked beforehand
 * (kx_libvirt_kvmstat, which can block): pass what it said as @qmp, else NULL.
 */
gboolean kx_session_wants_qmp(const KxSession *s);

/* Switches the tracker and opens a new window. On error the old one goes on. */
gboolean kx_session_set(KxSession *s, const KxOptions *o, const KxKvmStat *qmp, GError **error);

/* A pass now, on a thread of its own; at the finish its samples are in the account. Finish must be called. */
void kx_session_run_pass_async(KxSession *s, GAsyncReadyCallback callback, gpointer data);
gboolean kx_session_run_pass_finish(KxSession *s, GAsyncResult *result, guint64 *pass,
				    GError **error);

/* Stops the tracker, closes the account, gives the VM back. Does nothing if it has ended. */
void kx_session_end(KxSession *s, const char *reason, const KxKvmStat *qmp);

/* Of each map of heat a report has the hottest ranges. */
#define KX_SESSION_REPORT_RANGES 32u

KxVmReport *kx_session_report(KxSession *s, const KxKvmStat *qmp);
/* Who the VM is, and all that is known of its heat. */
KxVmReport *kx_session_heat(KxSession *s);
GArray *kx_session_found(KxSession *s, guint64 window, GError **error);

#endif /* KX_SESSION_H */
