/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session, for the files that make it: what it does (session.c and, by noun, session-*.c), and when (session-loop.c). */
#ifndef KX_SESSION_INTERNAL_H
#define KX_SESSION_INTERNAL_H

#include "session.h"

#include "account/heat.h"
#include "base/lane.h"
#include "tracker/declared.h"
#include "tracker/tracker.h"

/* What the main loop is told when it has the session again. */
typedef struct {
	KxYield y;
	char *to;
} KxTold;

/* What the main loop knows of a session without entering it: as it was when the last one left. */
typedef struct {
	guint64 epoch; /* for which the options were copied */
	KxOptions options;
	char *mechanism, *yielded, *progress;
	gboolean kvm_unread;
	KxVmReport *stats; /* NULL: not read yet */
} KxShown;

struct _KxSession {
	/* the main loop's */
	grefcount refs;
	KxLane *lane;
	GSource *source, *poll;
	GSource *gone; /* where the tracker's descriptor does not tell that the VM went */
	gboolean poll_due;
	const char *doing; /* for long; NULL */
	KxShown shown;
	char *ended; /* changed under the lock below, for those who read it on a thread */
	char *expected_end;
	gint64 expected_at; /* g_get_monotonic_time() */
	KxSessionEnded on_ended;
	gpointer on_ended_data;
	KxSessionYield on_yield;
	gpointer on_yield_data;

	/* so that the end of work can be waited for without a main loop; of @ended, too */
	GMutex lock;
	GCond back;
	gboolean away; /* on a thread */

	/* never changed */
	const KxHost *host;
	KxVmIdent ident;

	/* of whoever has entered */
	KxOptions options;
	char *kvm_dir;	     /* the VM's directory in debugfs */
	KxModule *module;    /* NULL once ended, and where none is loaded: */
	int process;	     /* the VMM's pidfd then; else -1 */
	KxLayout *layout;    /* of the VM's memory in the VMM; NULL: not asked for, or not known */
	KxTracker *tracker;  /* NULL once ended */
	KxPlug *plug;	     /* NULL: no channel to the guest */
	KxDeclared declared; /* memory that the guest wants left alone */
	gboolean declared_logged;
	KxAccount *account;
	KxHeat *heat;	      /* NULL before the VM is known */
	guint64 window;	      /* the open one, and */
	guint64 epoch;	      /* the number that its records bear */
	gsize ring_bytes;     /* of the samples' ring */
	struct kvm_ext_vm vm; /* as last read */
	gint64 vm_read_at;    /* g_get_monotonic_time() */
	gboolean kvm_unread;  /* neither module nor debugfs gave KVM's counters */
	guint64 stray_logged;
	KxLogMechanism log;
	struct {
		gboolean now;
		char *to;	   /* NULL: not known */
		guint64 since_ns;  /* CLOCK_MONOTONIC */
		guint64 passes;	   /* due meanwhile, as last seen of this tracker */
		guint64 seen_ends; /* pass records with the flag */
	} yield;
	char *progress; /* of a pass that takes long, as last read; NULL */
	gboolean primed;
	GQueue told;		  /* KxTold */
	KxVmReport *fresh;	  /* for what is shown; NULL: nothing new */
	KxHeatReport *last_heat;  /* of a session that has ended */
	gsize bytes, found_bytes; /* that one takes, of that for its pages */
	struct {
		gboolean poll;
		GIOCondition condition;
		GError *error;
	} look;
};

/* --- session-vm.c: by who has entered, or attaches --------------------------------------------------------------------- */

/*
 * By the module, or where that is not loaded and @o's tracker does without, by the VMM's process alone. KX_ERROR_NO_MODULE:
 * the tracker needs it.
 */
gboolean kx_session_attach_vm(KxSession *s, const KxOptions *o, const KxMonitor *monitor,
			      GError **error);
/* The same before @o is set: what its tracker needs and the session has not had so far. */
gboolean kx_session_prepare_vm(KxSession *s, const KxOptions *o, const KxMonitor *monitor,
			       GError **error);
void kx_session_take_vm(KxSession *s, const struct kvm_ext_vm *vm);
void kx_session_follow_memory(KxSession *s);
KxVmCounters *kx_session_counters(KxSession *s, const KxKvmStat *qmp);
void kx_session_look_at_declared(KxSession *s);
gboolean kx_session_check_log(const KxSession *s, const KxOptions *o, GError **error);
gboolean kx_session_check_cpu(const KxSession *s, const KxOptions *o, GError **error);

/* --- session-records.c: by who has entered --------------------------------------------------------------------------- */

/* Takes what @t has to account and heat: tracker.h says how long that may take. */
gboolean kx_session_drain_tracker(KxSession *s, KxTracker *t, GError **error);
gboolean kx_session_drain_now(KxSession *s, GError **error); /* of the tracker that runs */
gboolean kx_session_statistics(KxSession *s, struct kvm_ext_stats *st);
/* What a tracker in the guest knows; NULL: none runs. */
const KxGuestView *kx_session_guest_view(const KxSession *s);
void kx_session_keep_processes(KxSession *s);
const char *kx_session_mechanism_now(const KxSession *s);
KxInstant kx_session_instant(void);

/* --- session-yield.c: by who has entered ------------------------------------------------------------------------------ */

void kx_session_look_for_yield(KxSession *s);
const char *kx_session_yielded_now(const KxSession *s);
void kx_session_told_free(gpointer told);

/* --- session.c: by who has entered ------------------------------------------------------------------------------------- */

/* What is in the ring and, with look.poll, what else is to be asked for now and then; look.error if that goes wrong. */
void kx_session_look(KxSession *s);
/* Of one that has ended, or was never begun. */
void kx_session_free(KxSession *s);

#endif /* KX_SESSION_INTERNAL_H */
