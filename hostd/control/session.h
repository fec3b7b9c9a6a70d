/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attached VM: the module's descriptor (where the module is), the tracker, the account. It drains the ring by itself and ends by itself when the VM
 * goes; the account stays readable until the last reference is dropped.
 *
 * What a session does can wait for the module, and takes the longer the more was found: it is done on threads, by one at
 * a time and in the order in which it was asked for. Whoever wants the session enters it, on the main loop, and leaves
 * it there; in between all functions can be called, on a thread, too, if the session is handed over to it and back. Functions
 * said to be the main loop's need no entering: they show the session as it was when the last one left.
 */
#ifndef KX_SESSION_H
#define KX_SESSION_H

#include <gio/gio.h>

#include "account/account.h"
#include "doctor/selftest-log.h"
#include "guest/hotplug.h"
#include "model/vm.h"
#include "tracker/logmech.h"
#include "tracker/module.h"
#include "tracker/options.h"
#include "tracker/tracker.h"
#include "vm/kvmstat.h"
#include "vm/layout.h"
#include "vm/vmfd.h"

/*
 * What of the machine sessions use; unit tests put their own in place. It outlives manager and sessions: a thread that is
 * at work when they end still reads it.
 */
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
	const char *to;	    /* as far as it was known then */
	gint64 realtime_ns; /* of the moment itself, as near as it is known */
	guint64 lasted_ns;  /* at the end: since the beginning */
} KxYield;
typedef void (*KxSessionYield)(KxSession *s, const KxYield *yield, gpointer data);

/*
 * While a tracker of the log runs, or primes, the module is asked this often, beside what its records tell; and a guest with a
 * channel what memory it wants left alone.
 */
#define KX_SESSION_POLL_MS 250u

/*
 * @plug: of the guest's channel, NULL: none is plugged in. The session takes it over unless it fails. On any thread; nothing
 * happens by itself until kx_session_begin. @monitor: QEMU's, for trackers that need to know where the VM's memory is
 * and where there is no module to tell; NULL: it cannot be asked. It is used during the call alone.
 */
KxSession *kx_session_attach(const KxHost *host, const KxVmIdent *ident, const KxOptions *o,
			     KxPlug *plug, const KxMonitor *monitor, GError **error);
void kx_session_begin(KxSession *s);
/* References, callbacks: the main loop's. */
KxSession *kx_session_ref(KxSession *s);
void kx_session_unref(KxSession *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxSession, kx_session_unref)
void kx_session_on_ended(KxSession *s, KxSessionEnded fn, gpointer data);
void kx_session_on_yield(KxSession *s, KxSessionYield fn, gpointer data);

/* @fn is called when it is the caller's turn, at once if nobody is in. Whoever has entered leaves. The main loop's. */
typedef void (*KxSessionEntered)(gpointer data);
void kx_session_enter(KxSession *s, KxSessionEntered fn, gpointer data);
void kx_session_leave(KxSession *s);
gboolean kx_session_is_free(const KxSession *s); /* so that who enters does so at once */
/* Around work on a thread: on the main loop before it, on the thread after it. */
void kx_session_hand_over(KxSession *s);
void kx_session_hand_back(KxSession *s);

/* The main loop's, as all up to the channel. */
const KxVmIdent *kx_session_ident(const KxSession *s);
const KxOptions *kx_session_options(const KxSession *s);
gboolean kx_session_alive(const KxSession *s);
/* Why it ended; NULL while alive. The second replaces "VM gone" once somebody knows better. */
const char *kx_session_ended(const KxSession *s);
void kx_session_explain_end(KxSession *s, const char *reason);
/* The same, said before it ends, and forgotten if it does not within some seconds. */
void kx_session_expect_end(KxSession *s, const char *reason);

/* What keeps it busy for long, said by who has entered; NULL: nothing. */
void kx_session_does(KxSession *s, const char *what);
const char *kx_session_doing(const KxSession *s);

/* To what the log is left now: "migration", …; NULL: to nothing. The second says what it is once somebody knows. */
const char *kx_session_yielded(const KxSession *s);
void kx_session_yielded_to(KxSession *s, const char *what); /* by who has entered */
#define KX_YIELDED_UNKNOWN "the VMM logs its memory"

/* Whoever knows when the VM is paused, and has entered, tells its account; also after the end. */
KxAccount *kx_session_account(KxSession *s);

/* How the dirty log works on this VM; never NULL. */
const KxLogMechanism *kx_session_log_mechanism(const KxSession *s);

/*
 * The channel to the guest. It stays with the session, whatever tracker runs, until whoever unplugs it takes it; only an
 * ended one gives it away. The main loop's; who gives has entered.
 */
KxPlug *kx_session_plug(const KxSession *s);
void kx_session_give_plug(KxSession *s, KxPlug *plug);
KxPlug *kx_session_take_plug(KxSession *s);
/* How the tracker works on this VM, as kx_window_mechanism(); NULL: it is not asked. The main loop's. */
const char *kx_session_mechanism(const KxSession *s);
/* How far a pass is that takes long (progress.h), as last read; NULL: none does. The main loop's. */
const char *kx_session_progress(const KxSession *s);
/*
 * Who it is and what happens to it, with the window that is open, as last read by kx_session_read; NULL: it was not, or the
 * session has ended. The main loop's.
 */
const KxVmReport *kx_session_stats(const KxSession *s);

/*
 * KVM's counters come from the module; where it has none and debugfs neither, the session wants QEMU asked beforehand
 * (kx_libvirt_kvmstat, which can block): pass what it said as @qmp, else NULL.
 */
gboolean kx_session_wants_qmp(const KxSession *s);

/* Switches the tracker and opens a new window. On error the old one goes on. @monitor: as for kx_session_attach. */
gboolean kx_session_set(KxSession *s, const KxOptions *o, const KxKvmStat *qmp,
			const KxMonitor *monitor, GError **error);

/*
 * A pass now. What was made by who had entered runs on a thread without being in the session, which goes on meanwhile; the
 * pass' samples are in the account after kx_session_drain.
 */
typedef struct _KxSessionPass KxSessionPass;
KxSessionPass *kx_session_pass_new(KxSession *s, GError **error);
gboolean kx_session_pass_run(KxSessionPass *p, guint64 *number, GError **error);
void kx_session_pass_free(KxSessionPass *p);
/* Takes what is in the ring. Does nothing if the session has ended. */
gboolean kx_session_drain(KxSession *s, GError **error);
/* Reads what kx_session_stats shows. */
void kx_session_read(KxSession *s);

/*
 * Stops the tracker, closes the account, gives the VM back; then, on the main loop, it has ended. Does nothing if it has
 * already.
 */
void kx_session_finish(KxSession *s, const KxKvmStat *qmp);
void kx_session_finished(KxSession *s, const char *reason);
/* Both, where there is no main loop to wait with: whoever is in the session finds it ended. */
void kx_session_end(KxSession *s, const char *reason);

/* The VM is known to be gone, before its descriptor tells: the session ends by itself now. The main loop's. */
void kx_session_vm_gone(KxSession *s);

/* What an ended session takes, and its pages of that; its windows forget them, so that it takes less. */
gsize kx_session_bytes(const KxSession *s);
gsize kx_session_found_bytes(const KxSession *s);
void kx_session_forget_found(KxSession *s);

/* Of each map of heat a report has the hottest ranges. */
#define KX_SESSION_REPORT_RANGES 32u

KxVmReport *kx_session_report(KxSession *s, const KxKvmStat *qmp);
/* Who the VM is, and all that is known of its heat. */
KxVmReport *kx_session_heat(KxSession *s);
GArray *kx_session_found(KxSession *s, guint64 window, GError **error);

#endif /* KX_SESSION_H */
