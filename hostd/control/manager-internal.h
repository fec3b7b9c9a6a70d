/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by the files of the manager: its state, and a call in progress. There is one file for each kind of call (manager-*.c).
 * Everything here belongs to the main loop, except a call's work, which runs on a thread and touches only the call.
 */
#ifndef KX_MANAGER_INTERNAL_H
#define KX_MANAGER_INTERNAL_H

#include "letalone.h"
#include "manager.h"
#include "base/target.h"
#include "model/report.h"
#include "vm/dommonitor.h"

struct _KxManager {
	grefcount refs; /* the owner, and each call in progress */
	const KxHost *host;
	KxConfig *config;
	KxManagerCallback callback; /* NULL after shutdown */
	KxManagerLibvirt libvirt;
	gpointer data;
	void (*stop)(
		KxManager *m); /* called before the last reference is dropped, if not earlier */
	/* attaches by the rule for the domain, if there is one */
	void (*again)(KxManager *m, const char *name, const char *uuid);
	KxDomains *domains;    /* NULL after shutdown */
	GPtrArray *sessions;   /* KxSession, alive */
	GQueue ended;	       /* KxSession, the latest first */
	KxLetAlone *let_alone; /* VMs to which rules do not apply */
	GHashTable *asking; /* KxSession → the KxCall that asks libvirt why it yielded; not owned */
	gboolean was_connected;
	guint pause_news;	/* counts libvirt's events of VMs that are paused or resumed */
	KxSelftest *selftest;	/* of the dirty log; NULL: not yet */
	char *selftest_key;	/* kx_selftest_key() of the self-test that is valid, or runs */
	guint passes;		/* RunPass calls in progress */
	GHashTable *recordings; /* KxSession → its KxCall until the file is closed; not owned */
	GHashTable *attaching;	/* pids of VMs whose session is being made */
	GHashTable *
		plugging; /* UUID of a VM whose channel is being changed → the KxCall that changes it; not owned */
	GHashTable *
		retries; /* UUID → KxRetry, of rules for trackers in a guest that does not answer */
};

/* --- a call: work on a thread, then the rest on the main loop (manager-call.c) --------------------------------------- */

/*
 * One request to the manager, or an operation of the manager itself. A call goes from step to step, one step at a time. A comment
 * above each operation shows the chain of its steps; steps in brackets run on a thread. Data of only some operations is in
 * structs of its own.
 */
typedef struct _KxCall KxCall;
struct _KxCall {
	KxManager *m;
	GTask *task; /* by which the caller is answered; NULL: the manager's own operation */
	char *target;
	const char *proc_root;
	char **state_dirs;
	KxLibvirt *libvirt; /* NULL: without libvirt */
	KxVmIdent ident;    /* of the VM, once it is known */
	KxSession *session; /* the call's session, if it need not be found by name again */
	GError *error;	    /* the answer after the remaining steps are done */

	/* the current step */
	KxSession *in; /* the session that the call has entered */
	void (*once_in)(KxCall *c, GError *error);
	gboolean (*work)(KxCall *c, GError **error);
	void (*then)(KxCall *c, GError *error); /* owns the call, and @error of the work */

	/* Attach, SetTracker, and rules */
	struct {
		GHashTable *given; /* key → text; NULL: nothing */
		gboolean fresh; /* options not given get their defaults, not their current values */
		KxOptions options; /* the setting to run */
		gboolean pending;  /* requested, and not yet done */
	} set;
	/* the channel to the guest (manager-channel.c) */
	struct {
		KxPlug *plug;
		gboolean borrowed; /* @plug is the session's, which unplugs it */
		gboolean gone;	   /* the VM has ended */
		char *uuid;	   /* this call's entry in the manager's table; NULL: none */
		GQueue behind; /* calls that continue when this call has left the table; not owned */
	} channel;
	/* waiting for the guest (manager-wait.c) */
	struct {
		gboolean now;
		GCancellable *cancellable; /* ends the wait; NULL: the wait cannot be ended */
		char *given_up;		   /* why it was ended, if not by the caller */
		gboolean gives_way;	   /* ended for a later command */
		guint timer;		   /* after which the wait is reported; 0: none */
	} wait;
	/* QEMU's counters before a window is opened or closed: UUID → KxKvmStat */
	GHashTable *kvmstat;
	GPtrArray *environment; /* Environment: KxFact */
	/* RunPass */
	struct {
		KxSessionPass *handle;
		guint64 number;
		gboolean waits; /* counted in the manager's passes */
	} pass;
	/* Report, Stats, Heat */
	struct {
		GPtrArray *sessions; /* of the report */
		guint at;	     /* index of the next one */
		GPtrArray *
			together; /* the sessions that the call has entered all at once; not owned */
		GPtrArray *rest;  /* the other sessions; not owned */
		KxReport *made;
		char *json;
	} report;
	/* Metrics (manager-metrics.c); report.sessions are those that the call has entered */
	struct {
		GPtrArray *busy; /* KxVmReport, of the other sessions */
		GArray *reads;	 /* Read, one for each of report.sessions */
		gint phase, at;	 /* atomic; @at: number of sessions whose reading has begun */
		gint seen;	 /* the main loop's: @at at the last tick */
		guint timer;
		KxDaemonMetrics about;
		KxMetricsFormat format;
		char *text;
	} metrics;
	/* Placement, OverTime */
	struct {
		KxSessionMemory *memory;
		char *slow_nodes; /* of the configuration when the call began */
	} place;
	/* Record */
	struct {
		int fd; /* the file, until there is a recorder, which takes it */
		KxRecorder *recorder;
		KxOverTime *parts;
		GCancellable *caller; /* cancelled when the caller has gone */
		gulong gone;	      /* handler of @caller's signal */
		const char *why;      /* why the recording ends */
		gboolean begun, due;  /* has begun; its end is due, but it has not begun */
		gboolean ending;
	} record;
	/* Found */
	struct {
		guint64 window;
		GArray *runs; /* KxRun */
	} found;
	/* List, and the domains that rules are for */
	struct {
		GPtrArray *entries; /* KxVmEntry */
	} list;
	/* why the VMM has the dirty log (manager-yield.c) */
	struct {
		gint64 at;	/* CLOCK_REALTIME, ns */
		const char *to; /* NULL: libvirt knows of nothing */
	} yield;
	/* time in which the VM does not run (manager-pauses.c) */
	struct {
		KxInstant moment;
		const char *why; /* the VM is paused, or it is not known; NULL: it runs */
		gboolean since_attach;
		guint news; /* pause_news when libvirt was asked */
	} pause;
	KxSelftest *selftest; /* of the dirty log (manager.c) */
};

/* @callback NULL: the manager's own operation. */
KxCall *kx_call_new(KxManager *m, const char *target, GAsyncReadyCallback callback, gpointer data);
void kx_call_free(KxCall *c);
/* Answers, with @error if not NULL (takes ownership), and frees the call. */
void kx_call_done(KxCall *c, GError *error);
void kx_call_run(KxCall *c, gboolean (*work)(KxCall *, GError **),
		 void (*then)(KxCall *, GError *));
/* Like kx_call_run, for work that waits for a guest, maybe for minutes: other work shares the few threads of GLib's pool. */
void kx_call_run_apart(KxCall *c, gboolean (*work)(KxCall *, GError **),
		       void (*then)(KxCall *, GError *));
#define KX_CALL_APART "guest-wait" /* that thread's name */

/*
 * Enters the session and continues with @then, which owns the call; work that runs while the call is in the session may use the
 * session. The call leaves with kx_call_leave, or when it is freed.
 */
void kx_call_enter(KxCall *c, KxSession *s, void (*then)(KxCall *, GError *));
void kx_call_leave(KxCall *c);

/* The monitor of domain @uuid through the call's connection, for the call's work. NULL: the call has no connection. */
const KxMonitor *kx_call_monitor(const KxCall *c, const char *uuid, KxDomainMonitor *m);

/* Sets the parts of a VM's memory in @t, from QEMU's monitor, else from @known, else parts_na. For the call's work. Takes @known. */
void kx_call_read_parts(const KxCall *c, KxLayout *known, KxOverTime *t);
/* The daemon stops: recordings get some time to reach their files. */
void kx_manager_stop_recordings(KxManager *m);

/* --- sessions by name (manager-names.c) ------------------------------------------------------------------------------- */

/* A better fit is greater. */
typedef enum {
	KX_CALLED_NOT,
	KX_CALLED_BY_PID, /* as "pid:N" */
	KX_CALLED_SO,
} KxCalled;
KxCalled kx_vm_ident_is_called(const KxVmIdent *i, const char *target);

/* KX_ERROR_NO_SUCH_VM: several VMs have this name. NULL without an error: no VM has it. */
KxSession *kx_manager_find_alive(const KxManager *m, const char *target, GError **error);
KxSession *kx_manager_find_pid(const KxManager *m, pid_t pid);
/* The living session, else the one that ended last; errors as above. */
KxSession *kx_manager_find_account(const KxManager *m, const char *target, GError **error);
/* KX_ERROR_NOT_ATTACHED: the VM has no account. */
KxSession *kx_manager_need_account(KxManager *m, const char *target, GError **error);
KxSession *kx_manager_need_alive(const KxManager *m, const char *target, GError **error);

/* --- events (manager-state.c), ends (manager-ended.c), the dirty log's self-test (manager-selftest.c) ------------------- */

void kx_manager_tell(KxManager *m, const char *event, KxSession *s, const char *reason);
void kx_manager_retire(KxManager *m, KxSession *s);
void kx_manager_session_ended(KxSession *s, gpointer data);
/* Runs the self-test again if KVM's module was loaded again. */
void kx_manager_refresh_selftest(KxManager *m);
void kx_manager_selftest_to_report(KxManager *m, KxReport *r);

/* --- the VMM's own use of the dirty log (manager-yield.c) ------------------------------------------------------------- */

void kx_manager_session_yield(KxSession *s, const KxYield *y, gpointer data);
void kx_manager_stop_asking(KxManager *m, KxSession *s);

/* --- time in which VMs do not run (manager-pauses.c) ------------------------------------------------------------------ */

/* An event of libvirt. @why NULL: the VM is resumed. */
void kx_manager_paused(KxManager *m, const KxDomain *d, const char *why, gint64 realtime_ns);
/* A session has just begun: finds out whether its VM is paused. */
void kx_manager_watch_pauses(KxManager *m, KxSession *s);
/* The connection to libvirt is back (ask), or lost (lose). */
void kx_manager_ask_pauses(KxManager *m);
void kx_manager_lose_pauses(KxManager *m);

/* --- the order of calls that change the channel (manager-turn.c) -------------------------------------------------------- */

gboolean kx_call_begin_plugging(KxCall *c, const char *uuid, GError **error);
/* Continues with @then when no call changes the channel of @uuid any more; at once if none does. */
void kx_call_after_plugging(KxCall *c, const char *uuid, void (*then)(KxCall *, GError *));
/* Continues the calls in @behind, after a call has left the table of channels that are being changed. */
void kx_manager_go_on(KxManager *m, const char *uuid, GQueue *behind);

/* --- the channel to the guest (manager-channel.c) --------------------------------------------------------------------- */

gboolean kx_manager_runs_in_guest(const KxOptions *o);
gboolean kx_call_plug_work(KxCall *c, GError **error);
gboolean kx_call_unplug_work(KxCall *c, GError **error);
void kx_call_unplug_then(KxCall *c, GError *error);
void kx_call_unplug_after(KxCall *c, KxSession *s, gboolean gone);
/* In the background: removes what a killed daemon left of VMs that do not run any more. */
void kx_manager_sweep_channels(KxManager *m);

/* --- waiting for a guest (manager-wait.c) ------------------------------------------------------------------------------ */

/* From here on the wait of @c can be ended; List shows the wait, and an event reports it if it takes long. */
void kx_call_begin_wait(KxCall *c);
/* Takes the error with which the wait ended, and returns it with the text for the caller. */
GError *kx_call_end_wait(KxCall *c, GError *error);
/* Ends waits for the guest of @target, and retries of a rule. FALSE: there were none. */
gboolean kx_manager_give_up(KxManager *m, const char *target, const char *why);
/*
 * The last command counts: SetTracker calls that wait for the guest of @s, or for a call that waits for it, end in favour of @c.
 * FALSE: @c need not wait for their remaining steps.
 */
gboolean kx_call_takes_over(KxCall *c, const KxSession *s);
/* A waiting attempt of a rule ends in favour of @c, and is tried again unless @c attaches the VM. FALSE: none waits. */
gboolean kx_call_takes_over_rule(KxCall *c, const char *uuid);
/* The text for List; NULL: no call or rule waits for this VM's guest. */
char *kx_manager_waits_for(const KxManager *m, const char *uuid);

/* Call this after a failed attempt of a rule. FALSE: the rule is not tried again. */
gboolean kx_manager_retry_later(KxManager *m, const KxCall *c, const GError *error);
void kx_manager_no_retry(KxManager *m, const char *uuid);
GHashTable *kx_manager_retries_new(void);

/* --- list, attach, set, report, rules --------------------------------------------------------------------------------- */

gboolean kx_call_list_work(KxCall *c, GError **error);
gboolean kx_call_attach_work(KxCall *c, GError **error);
void kx_call_resolve_then(KxCall *c, GError *error);
/* Attaches the domain if a rule says so, unless it is attached or being attached. */
void kx_manager_attach_by_rule(KxManager *m, const char *name, const char *uuid);
gboolean kx_manager_apply_options(KxOptions *o, GHashTable *options, GError **error);
/* Asks QEMU if it is the best source of KVM's counters for one of @sessions; then, or at once, continues with @then. */
void kx_call_ask_qemu(KxCall *c, GPtrArray *sessions, void (*then)(KxCall *, GError *));
void kx_call_ask_qemu_for(KxCall *c, void (*then)(KxCall *, GError *));
/* QEMU's answer for this VM; NULL: QEMU was not asked. */
const KxKvmStat *kx_call_asked(const KxCall *c, const KxSession *s);
/* Applies the rules to domains that already run. */
void kx_manager_apply_rules(KxManager *m);
void kx_manager_on_domains(KxDomainsEvent event, const KxDomain *d, const char *detail,
			   gint64 realtime_ns, gpointer data);

#endif /* KX_MANAGER_INTERNAL_H */
