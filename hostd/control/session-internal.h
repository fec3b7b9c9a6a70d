/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of a session: its operations (session.c and, by noun, session-*.c), and their times (session-loop.c). */
#ifndef KX_SESSION_INTERNAL_H
#define KX_SESSION_INTERNAL_H

#include "session.h"

#include <json-glib/json-glib.h>

#include "account/heat.h"
#include "base/lane.h"
#include "tracker/declared.h"
#include "tracker/tracker.h"

/* What is reported to the main loop when the session is handed back. */
typedef struct {
	KxYield y;
	char *to;
} KxTold;

/* What the main loop knows of a session without entering it: the state when the last caller left. */
typedef struct {
	guint64 epoch; /* for which the options were copied */
	KxOptions options;
	char *mechanism, *yielded, *progress;
	gboolean kvm_unread;
	KxVmReport *stats;  /* NULL: not read yet */
	KxVmReport *totals; /* likewise */
} KxShown;

struct _KxSession {
	/* the main loop's */
	grefcount refs;
	KxLane *lane;
	GSource *source, *poll;
	GSource *gone; /* if the tracker's descriptor does not show that the VM has gone */
	gboolean poll_due;
	const char *doing; /* operation that keeps the session busy for long; NULL: none */
	KxShown shown;
	char *ended; /* changed under the lock below, because threads read it */
	char *expected_end;
	gint64 expected_at; /* g_get_monotonic_time() */
	KxSessionEnded on_ended;
	gpointer on_ended_data;
	KxSessionYield on_yield;
	gpointer on_yield_data;

	/* to wait for the end of work without a main loop; protects @ended, too */
	GMutex lock;
	GCond back;
	gboolean away; /* on a thread */

	/* never changed */
	const KxHost *host;
	KxVmIdent ident;

	/* for the caller that has entered */
	KxOptions options;
	char *kvm_dir;	  /* the VM's directory in debugfs */
	KxModule *module; /* NULL after the end, and if the module is not loaded */
	gboolean tap;	  /* for the tracker that is set next, QEMU reads its dirty log */
	struct {
		gboolean known,
			offered; /* whether this QEMU has a tap: does not change as long as it runs */
	} tap_offer;
	int process;		 /* the VMM's pidfd, if attached without the module; else -1 */
	const char *emulated_by; /* who emulates the vCPUs, without KVM; NULL: nobody */
	char *libvirt_uri;	 /* of the libvirt that runs the VM; NULL: not known */
	KxLayout *layout;    /* of the VM's memory in the VMM; NULL: not requested, or not known */
	KxTracker *tracker;  /* NULL once ended */
	KxPlug *plug;	     /* NULL: no channel to the guest */
	KxDeclared declared; /* memory that must stay mapped */
	gboolean declared_logged;
	KxAccount *account;
	KxHeat *heat;	      /* NULL before the VM is known */
	guint64 window;	      /* the open window's id in the account */
	guint64 epoch;	      /* the number of its setting, which its records carry */
	gsize ring_bytes;     /* size of the sample ring */
	struct kvm_ext_vm vm; /* as last read */
	gint64 vm_read_at;    /* g_get_monotonic_time() */
	gboolean kvm_unread;  /* neither module nor debugfs gave KVM's counters */
	guint64 stray_logged;
	KxLogMechanism log;
	struct {
		gboolean now;
		char *to;	   /* NULL: not known */
		guint64 since_ns;  /* CLOCK_MONOTONIC */
		guint64 passes;	   /* the tracker's number of yielded passes, as last read */
		guint64 seen_ends; /* number of pass records with the flag YIELDED */
	} yield;
	struct {
		KxRecorder *to;	      /* NULL: the session is not recorded */
		KxReport *host;	      /* report without VMs, which describes the host */
		gint64 report_at;     /* g_get_monotonic_time() at which the next report is due */
		KxRecorderStats told; /* booked in the account so far */
		guint64 last_gfn;     /* of the memory that the recording has reported last */
	} record;
	char *progress; /* of a long pass, as last read; NULL: none */
	gboolean primed;
	GQueue told;		  /* KxTold */
	KxVmReport *fresh;	  /* becomes shown.stats; NULL: nothing new */
	KxVmReport *fresh_totals; /* becomes shown.totals, likewise */
	KxHeatReport *last_heat;  /* of a session that has ended, as is */
	KxOverTime *last_over_time;
	gsize bytes, found_bytes; /* memory of an ended session, and the part for its pages */
	GPtrArray *totals;	  /* KxTotals, as last read; NULL: never */
	struct {
		gboolean poll;
		GIOCondition condition;
		GError *error;
	} look;
};

/* --- session-vm.c: the caller has entered, or attaches -------------------------------------------------------------------- */

/*
 * Attaches through the module; if it is not loaded and @o's tracker does not need it, only by the VMM's process.
 * KX_ERROR_NO_MODULE: the tracker needs the module.
 */
gboolean kx_session_attach_vm(KxSession *s, const KxOptions *o, const KxMonitor *monitor,
			      GError **error);
/* Before @o is set: prepares what its tracker needs and the session does not have so far. */
gboolean kx_session_prepare_vm(KxSession *s, const KxOptions *o, const KxMonitor *monitor,
			       GError **error);
void kx_session_take_vm(KxSession *s, const struct kvm_ext_vm *vm);
void kx_session_follow_memory(KxSession *s);
KxVmCounters *kx_session_counters(KxSession *s, const KxKvmStat *qmp);
void kx_session_look_at_declared(KxSession *s);
/* KX_BACKEND_*: what the tracker that is set next can use. */
guint kx_session_backends(const KxSession *s);
gboolean kx_session_check_log(const KxSession *s, const KxOptions *o, GError **error);
gboolean kx_session_check_cpu(const KxSession *s, const KxOptions *o, GError **error);

/* --- session-records.c: the caller has entered ------------------------------------------------------------------------ */

/* Passes the records of @t to account and heat; for its bounds see drain in tracker.h. */
gboolean kx_session_drain_tracker(KxSession *s, KxTracker *t, GError **error);
gboolean kx_session_drain_now(KxSession *s, GError **error); /* of the running tracker */
gboolean kx_session_statistics(KxSession *s, struct kvm_ext_stats *st);
/* What a tracker in the guest knows; NULL: no such tracker runs. */
const KxGuestView *kx_session_guest_view(const KxSession *s);
void kx_session_keep_processes(KxSession *s);
const char *kx_session_mechanism_now(const KxSession *s);
KxInstant kx_session_instant(void);

/* --- session-record.c: the caller has entered; these do nothing if the session is not recorded ---------------------------- */

void kx_session_record_put(const KxSession *s, guint type, JsonBuilder *b);
void kx_session_record_add_u64(JsonBuilder *b, const char *key, guint64 value);
void kx_session_record_add_memory(JsonBuilder *b, KxSession *s);
void kx_session_record_memory(KxSession *s);
void kx_session_record_sample(const KxSession *s, const struct kvm_ext_record *r);
void kx_session_record_ranked(const KxSession *s, guint64 gfn, guint64 npages, guint64 accesses);
/* --- session-recording.c: the same ------------------------------------------------------------------------------------- */

void kx_session_record_setting(KxSession *s);
/* After draining: books the cost, and writes a report if one is due. */
void kx_session_record_look(KxSession *s);

/* --- session-yield.c: the caller has entered -------------------------------------------------------------------------- */

void kx_session_look_for_yield(KxSession *s);
const char *kx_session_yielded_now(const KxSession *s);
void kx_session_told_free(gpointer told);

/* --- session.c: the caller has entered --------------------------------------------------------------------------------- */

/* Reads the ring and, with look.poll, what else has to be read at intervals; look.error is set on a failure. */
void kx_session_look(KxSession *s);
/* Frees a session that has ended, or was never begun. */
void kx_session_free(KxSession *s);

#endif /* KX_SESSION_INTERNAL_H */
