/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attached VM: the module's descriptor (if the module is loaded), the tracker, the account. A session drains the ring by
 * itself and ends by itself when the VM is gone; the account stays readable until the last reference is dropped.
 *
 * The work of a session may wait for the module, and takes longer the more pages were found. So it is done on threads, one
 * piece of work at a time and in the order of the requests. A caller enters the session and leaves it, both on the main loop.
 * In between the caller may call all functions, also on a thread, if the session is handed over to the thread and back.
 * Functions that are marked as the main loop's need no entering: they show the session as it was when the last caller left.
 */
#ifndef KX_SESSION_H
#define KX_SESSION_H

#include <gio/gio.h>

#include "account/account.h"
#include "doctor/selftest-log.h"
#include "guest/hotplug.h"
#include "model/report.h"
#include "model/vm.h"
#include "record/recorder.h"
#include "tracker/logmech.h"
#include "tracker/module.h"
#include "tracker/options.h"
#include "tracker/tracker.h"
#include "vm/kvmstat.h"
#include "vm/layout.h"
#include "vm/nodes.h"
#include "vm/vmfd.h"

/*
 * The parts of the machine that sessions use; unit tests use their own. This structure outlives manager and sessions, because a
 * thread that still works when they end reads it.
 */
typedef struct {
	const char *proc_root, *debugfs_root;
	const char *root;	       /* directory with proc/cpuinfo and sys/module; NULL: / */
	const KxModuleSys *module_sys; /* NULL: the system calls on /dev/kvm-ext */
	gboolean (*open_vm)(const char *proc_root, pid_t pid, const char *uuid, KxVmFd *out,
			    GError **error);
	KxSelftest *(*selftest)(const char *root); /* of the dirty log, may block; NULL: none */
	const KxPlugSys *plug_sys;		   /* NULL: libvirt's, and /dev/shm */
	gpointer plug_domain;
	const KxNumaSys *numa; /* NULL: libnuma */
	const char *shm_dir;
	const char *detached_file; /* VMs detached by hand, kept over restarts; NULL: not kept */
} KxHost;

extern const KxHost kx_host_real;

typedef struct {
	char *name; /* the domain's name, or QEMU's own name of the VM, or "pid:N" */
	char *uuid; /* NULL: unknown */
	pid_t pid;
} KxVmIdent;

void kx_vm_ident_clear(KxVmIdent *i);
void kx_vm_ident_copy(KxVmIdent *to, const KxVmIdent *from);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KxVmIdent, kx_vm_ident_clear)

typedef struct _KxSession KxSession;

/* Called once, when the session ended without being asked to. */
typedef void (*KxSessionEnded)(KxSession *s, gpointer data);

/* Called when the VMM begins to log its memory itself, so that the tracker has yielded, and when the VMM has ended this. */
typedef struct {
	gboolean yielded;
	const char *to;	    /* for what, if known at that time */
	gint64 realtime_ns; /* time of the event, as exactly as known */
	guint64 lasted_ns;  /* at the end: time since the beginning */
} KxYield;
typedef void (*KxSessionYield)(KxSession *s, const KxYield *yield, gpointer data);

/*
 * The interval at which the module is asked while a tracker of the log runs, or primes, in addition to its records; and at
 * which the memory that a guest declares is read from the channel.
 */
#define KX_SESSION_POLL_MS 250u

/*
 * Attaches a VM. On any thread; the session does nothing by itself before kx_session_begin. @plug: the guest's channel, NULL:
 * none is plugged in; the session takes @plug over unless the call fails. @monitor: QEMU's monitor, for trackers that need the
 * layout of the VM's memory, and for use without the module; NULL: it cannot be asked. Used only during the call.
 */
KxSession *kx_session_attach(const KxHost *host, const KxVmIdent *ident, const KxOptions *o,
			     KxPlug *plug, const KxMonitor *monitor, GError **error);
void kx_session_begin(KxSession *s);
/* Functions for references and callbacks: the main loop's. */
KxSession *kx_session_ref(KxSession *s);
void kx_session_unref(KxSession *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxSession, kx_session_unref)
void kx_session_on_ended(KxSession *s, KxSessionEnded fn, gpointer data);
void kx_session_on_yield(KxSession *s, KxSessionYield fn, gpointer data);

/* Calls @fn when it is the caller's turn, at once if nobody is inside. Every caller that has entered must leave. The main loop's. */
typedef void (*KxSessionEntered)(gpointer data);
void kx_session_enter(KxSession *s, KxSessionEntered fn, gpointer data);
void kx_session_leave(KxSession *s);
gboolean kx_session_is_free(const KxSession *s); /* TRUE: kx_session_enter() would enter at once */
/* For work on a thread: hand over on the main loop before the work, hand back on the thread after it. */
void kx_session_hand_over(KxSession *s);
void kx_session_hand_back(KxSession *s);

/* The main loop's, like all functions up to the channel. */
const KxVmIdent *kx_session_ident(const KxSession *s);
const KxOptions *kx_session_options(const KxSession *s);
gboolean kx_session_alive(const KxSession *s);
/* Why the session ended; NULL while alive. The second function replaces "VM gone" by a better reason. */
const char *kx_session_ended(const KxSession *s);
void kx_session_explain_end(KxSession *s, const char *reason);
/* Sets a reason before the session ends; the reason is dropped if the session does not end within some seconds. */
void kx_session_expect_end(KxSession *s, const char *reason);

/* The operation that keeps the session busy for long, set by the caller that has entered; NULL: none. */
void kx_session_does(KxSession *s, const char *what);
const char *kx_session_doing(const KxSession *s);

/* Who emulates the VM's vCPUs (kx_vmfd_emulator()); NULL: nobody. After the attach. */
const char *kx_session_emulated_by(const KxSession *s);

/* For what the tracker has yielded the log: "migration", …; NULL: it has not. The second function sets it once it is known. */
const char *kx_session_yielded(const KxSession *s);
void kx_session_yielded_to(KxSession *s, const char *what); /* by the caller that has entered */
#define KX_YIELDED_UNKNOWN "the VMM logs its memory"

/* The session's account, for the times when the VM is paused. The caller has entered; also after the end. */
KxAccount *kx_session_account(KxSession *s);

/* How the dirty log works on this VM; never NULL. */
const KxLogMechanism *kx_session_log_mechanism(const KxSession *s);

/*
 * The channel to the guest. The session keeps it, also with other trackers, until the caller that unplugs it takes it; a channel
 * is taken only from an ended session. The main loop's; the caller of kx_session_give_plug() has entered.
 */
KxPlug *kx_session_plug(const KxSession *s);
void kx_session_give_plug(KxSession *s, KxPlug *plug);
KxPlug *kx_session_take_plug(KxSession *s);
/* The tracker's mechanism on this VM, as kx_window_mechanism(); NULL: not applicable. The main loop's. */
const char *kx_session_mechanism(const KxSession *s);
/* Progress of a pass that takes long (progress.h), as last read; NULL: there is none. The main loop's. */
const char *kx_session_progress(const KxSession *s);
/*
 * Identity and state of the VM, with the open window, as last read by kx_session_read; NULL: not read yet, or the session has
 * ended. The main loop's.
 */
const KxVmReport *kx_session_stats(const KxSession *s);

/* The same with the totals of all windows so far, as last read by kx_session_read_totals. */
const KxVmReport *kx_session_totals(const KxSession *s);

/*
 * KVM's counters come from the module. If neither the module nor debugfs has them, this function returns TRUE: ask QEMU
 * beforehand (kx_libvirt_kvmstat, which can block) and pass the answer as @qmp, else NULL.
 */
gboolean kx_session_wants_qmp(const KxSession *s);

/* Switches the tracker and opens a new window. On an error the old tracker continues. @monitor: as for kx_session_attach. */
gboolean kx_session_set(KxSession *s, const KxOptions *o, const KxKvmStat *qmp,
			const KxMonitor *monitor, GError **error);

/*
 * A pass now. A caller that has entered makes the handle; the pass then runs on a thread outside the session, which continues
 * meanwhile. The samples of the pass are in the account after kx_session_drain.
 */
typedef struct _KxSessionPass KxSessionPass;
KxSessionPass *kx_session_pass_new(KxSession *s, GError **error);
gboolean kx_session_pass_run(KxSessionPass *p, guint64 *number, GError **error);
void kx_session_pass_free(KxSessionPass *p);
/* Reads the records in the ring. Does nothing if the session has ended. */
gboolean kx_session_drain(KxSession *s, GError **error);
/* Reads what kx_session_stats shows. */
void kx_session_read(KxSession *s);
/*
 * Reads what kx_session_totals shows, and returns it; NULL: the session has ended. Unlike kx_session_read() this reads no records,
 * so the work does not grow with what was found: what is counted from records is as of the last time that they were read.
 */
const KxVmReport *kx_session_read_totals(KxSession *s);

/*
 * kx_session_finish() stops the tracker, closes the account and releases the VM; kx_session_finished(), on the main loop, then
 * marks the session as ended. Both do nothing if the session has already ended.
 */
void kx_session_finish(KxSession *s, const KxKvmStat *qmp);
void kx_session_finished(KxSession *s, const char *reason);
/* Both, without a main loop to wait with: a caller inside the session finds it ended. */
void kx_session_end(KxSession *s, const char *reason);

/* The VM is known to be gone before the descriptor shows it: the session ends by itself now. The main loop's. */
void kx_session_vm_gone(KxSession *s);

/* Memory of an ended session, and the part for its pages found; the third function drops these pages to save memory. */
gsize kx_session_bytes(const KxSession *s);
gsize kx_session_found_bytes(const KxSession *s);
void kx_session_forget_found(KxSession *s);

/* Number of hottest ranges of each heat map in a report. */
#define KX_SESSION_REPORT_RANGES 32u

KxVmReport *kx_session_report(KxSession *s, const KxKvmStat *qmp);
/* The VM's identity, and everything known of its heat. */
KxVmReport *kx_session_heat(KxSession *s);

/*
 * The VM's identity and its heat over time (without the parts of its memory), with the layout of the memory if the session knows
 * it.
 */
typedef struct _KxSessionMemory KxSessionMemory;
KxSessionMemory *kx_session_over_time(KxSession *s);

/*
 * What is needed to find out where the VM's memory lies, outside the session: the kernel is asked about many pages. @layout: of the
 * memory in the VMM as the session knows it, NULL: it does not; @vcpus: pid_t, NULL: not known.
 */
struct _KxSessionMemory {
	KxVmReport *vm; /* identity and heat, or heat over time */
	KxLayout *layout;
	GArray *vcpus;
};

KxSessionMemory *kx_session_memory(KxSession *s);
void kx_session_memory_free(KxSessionMemory *m);

GArray *kx_session_found(KxSession *s, guint64 window, GError **error);

/*
 * Recording: what accounts and heat get from now on goes to @r as well. @host: a report without VMs, that describes the host;
 * @parts: of the VM's memory. The session takes all three. The recording ends with the session, or by kx_session_record_stop(),
 * which does nothing if there is none; kx_recorder_end() was called then. @why: text for people.
 */
void kx_session_record(KxSession *s, KxRecorder *r, KxReport *host, KxOverTime *parts);
void kx_session_record_stop(KxSession *s, const char *why);

#endif /* KX_SESSION_H */
