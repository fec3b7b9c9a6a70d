/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the manager share: its state, and a call under way. One file for each kind of call (manager-*.c). All of
 * it belongs to the main loop, but for a call's work, which runs on a thread and touches the call alone.
 */
#ifndef KX_MANAGER_INTERNAL_H
#define KX_MANAGER_INTERNAL_H

#include "letalone.h"
#include "manager.h"
#include "model/report.h"

struct _KxManager {
	grefcount refs; /* the owner, and each call under way */
	const KxHost *host;
	KxConfig *config;
	KxManagerCallback callback; /* NULL after shutdown */
	KxManagerLibvirt libvirt;
	gpointer data;
	void (*stop)(KxManager *m); /* before the last reference goes, unless it was */
	/* attaches by the rule for the domain, if there is one */
	void (*again)(KxManager *m, const char *name, const char *uuid);
	KxDomains *domains;    /* NULL after shutdown */
	GPtrArray *sessions;   /* KxSession, alive */
	GQueue ended;	       /* KxSession, the latest first */
	KxLetAlone *let_alone; /* by rules */
	GHashTable *asking; /* KxSession → the KxCall that asks libvirt why it yielded; not owned */
	gboolean was_connected;
	guint pause_news;      /* counts what libvirt tells of VMs that are paused or go on */
	KxSelftest *selftest;  /* of the dirty log; NULL: not yet */
	char *selftest_key;    /* for which it holds, or is under way */
	GHashTable *attaching; /* pids of VMs whose session is being made */
	GHashTable *
		plugging; /* UUID of a VM whose channel is being changed → the KxCall that does; not owned */
	GHashTable *
		retries; /* UUID → KxRetry, of rules for trackers in a guest that does not answer */
};

/* --- a call: work on a thread, then the rest on the main loop (manager-call.c) --------------------------------------- */

/*
 * One request to the manager, or something that the manager does by itself. It goes from step to step, of which one is under
 * way at a time: above each operation stands the chain of its steps, those in brackets on a thread. What only some operations have is in a struct of its own.
 */
typedef struct _KxCall KxCall;
struct _KxCall {
	KxManager *m;
	GTask *task; /* the caller's; NULL: the manager's own doing */
	char *target;
	const char *proc_root;
	char **state_dirs;
	KxLibvirt *libvirt; /* NULL: do without */
	KxVmIdent ident;    /* of the VM, once it is known */
	KxSession *session; /* that it is about, where it is not looked for by name again */
	GError *error;	    /* to be answered with when what comes after it is done */

	/* the step at hand */
	KxSession *in; /* that the call has entered */
	void (*once_in)(KxCall *c, GError *error);
	gboolean (*work)(KxCall *c, GError **error);
	void (*then)(KxCall *c, GError *error); /* owns the call; @error is the work's, to take */

	/* Attach, SetTracker, and rules */
	struct {
		GHashTable *given; /* key → text; NULL: nothing */
		KxOptions options; /* what is to run */
		gboolean pending;  /* as its caller wants, and still to be done */
	} set;
	/* the channel to the guest (manager-channel.c) */
	struct {
		KxPlug *plug;
		gboolean borrowed; /* @plug is the session's, which unplugs it */
		gboolean gone;	   /* the VM has ended */
		char *uuid;	   /* that is in the manager's table for us; NULL: none is */
		GQueue behind; /* the calls that go on when we have left that table; not owned */
	} channel;
	/* waiting for the guest (manager-wait.c) */
	struct {
		gboolean now;
		GCancellable *cancellable; /* ends it; NULL: nobody can */
		char *given_up;		   /* why that was done, if not by the caller */
		gboolean gives_way;	   /* that was done for a later command */
		guint timer;		   /* until it is told; 0 */
	} wait;
	/* what QEMU is asked before a window is opened or closed: UUID → KxKvmStat */
	GHashTable *kvmstat;
	/* RunPass */
	struct {
		KxSessionPass *handle;
		guint64 number;
	} pass;
	/* Report, Stats, Heat */
	struct {
		GPtrArray *sessions; /* to go through, */
		guint at;	     /* this one next */
		GPtrArray *
			together; /* those of them that the call has entered all at once; not owned */
		GPtrArray *rest; /* those that it has not; not owned */
		KxReport *made;
		char *json;
	} report;
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
		const char *why; /* it is paused, or that is not known; NULL: it runs */
		gboolean since_attach;
		guint news; /* as of the question */
	} pause;
	KxSelftest *selftest; /* of the dirty log (manager.c) */
};

/* @callback NULL: the manager's own doing. */
KxCall *kx_call_new(KxManager *m, const char *target, GAsyncReadyCallback callback, gpointer data);
void kx_call_free(KxCall *c);
/* Answers, with @error if there is one, which is taken, and frees the call. */
void kx_call_done(KxCall *c, GError *error);
void kx_call_run(KxCall *c, gboolean (*work)(KxCall *, GError **),
		 void (*then)(KxCall *, GError *));
/* The same for work that waits for a guest, maybe for minutes: GLib's pool has few threads, which the others share. */
void kx_call_run_apart(KxCall *c, gboolean (*work)(KxCall *, GError **),
		       void (*then)(KxCall *, GError *));
#define KX_CALL_APART "guest-wait" /* that thread's name */

/*
 * Enters the session and goes on with @then, which owns the call; the work that is run while the call is in the session
 * may use it. The call leaves with kx_call_leave, or when it is freed.
 */
void kx_call_enter(KxCall *c, KxSession *s, void (*then)(KxCall *, GError *));
void kx_call_leave(KxCall *c);

/* The monitor of domain @uuid, by the connection that the call holds: to be used by the call's work. NULL: it holds none. */
typedef struct {
	KxLibvirt *libvirt;
	const char *uuid;
	KxMonitor monitor;
} KxCallMonitor;
const KxMonitor *kx_call_monitor(const KxCall *c, const char *uuid, KxCallMonitor *m);

/* --- sessions by name (manager-names.c) ------------------------------------------------------------------------------- */

/* "/proc/N", and "pid:N", which may be a domain's name as well. */
gboolean kx_target_process(const char *target, pid_t *pid);
gboolean kx_target_pid_form(const char *target, pid_t *pid);

/* A better fit is greater. */
typedef enum {
	KX_CALLED_NOT,
	KX_CALLED_BY_PID, /* as "pid:N" */
	KX_CALLED_SO,
} KxCalled;
KxCalled kx_vm_ident_is_called(const KxVmIdent *i, const char *target);

/* KX_ERROR_NO_SUCH_VM: several VMs are called so. NULL without an error: none is. */
KxSession *kx_manager_find_alive(const KxManager *m, const char *target, GError **error);
KxSession *kx_manager_find_pid(const KxManager *m, pid_t pid);
/* Alive, else the one that ended last; errors as above. */
KxSession *kx_manager_find_account(const KxManager *m, const char *target, GError **error);
KxSession *kx_manager_need_alive(const KxManager *m, const char *target, GError **error);

/* --- events (manager-state.c), ends (manager-ended.c), the dirty log's self-test (manager-selftest.c) ------------------- */

void kx_manager_tell(KxManager *m, const char *event, KxSession *s, const char *reason);
void kx_manager_retire(KxManager *m, KxSession *s);
void kx_manager_session_ended(KxSession *s, gpointer data);
/* Anew when KVM's module was loaded anew. */
void kx_manager_refresh_selftest(KxManager *m);
void kx_manager_selftest_to_report(KxManager *m, KxReport *r);

/* --- the VMM's own use of the dirty log (manager-yield.c) ------------------------------------------------------------- */

void kx_manager_session_yield(KxSession *s, const KxYield *y, gpointer data);
void kx_manager_stop_asking(KxManager *m, KxSession *s);

/* --- time in which VMs do not run (manager-pauses.c) ------------------------------------------------------------------ */

/* libvirt tells. @why NULL: it goes on. */
void kx_manager_paused(KxManager *m, const KxDomain *d, const char *why, gint64 realtime_ns);
/* A session has just begun: is its VM paused? */
void kx_manager_watch_pauses(KxManager *m, KxSession *s);
/* libvirt is there again, and: it is not. */
void kx_manager_ask_pauses(KxManager *m);
void kx_manager_lose_pauses(KxManager *m);

/* --- whose turn it is to change the channel (manager-turn.c) ----------------------------------------------------------- */

gboolean kx_call_begin_plugging(KxCall *c, const char *uuid, GError **error);
/* Goes on with @then when nobody changes the channel of @uuid any more, at once if nobody does. */
void kx_call_after_plugging(KxCall *c, const char *uuid, void (*then)(KxCall *, GError *));
/* @behind: a call that has left the table of the channels that are being changed. */
void kx_manager_go_on(KxManager *m, const char *uuid, GQueue *behind);

/* --- the channel to the guest (manager-channel.c) --------------------------------------------------------------------- */

gboolean kx_manager_runs_in_guest(const KxOptions *o);
gboolean kx_call_plug_work(KxCall *c, GError **error);
gboolean kx_call_unplug_work(KxCall *c, GError **error);
void kx_call_unplug_then(KxCall *c, GError *error);
void kx_call_unplug_after(KxCall *c, KxSession *s, gboolean gone);
/* In the background: removes what a daemon left that was killed, where the VM does not run any more. */
void kx_manager_sweep_channels(KxManager *m);

/* --- waiting for a guest (manager-wait.c) ------------------------------------------------------------------------------ */

/* From here on @c can be given up, List shows that it waits, and so does an event if it takes long. */
void kx_call_begin_wait(KxCall *c);
/* Takes what the wait ended with, and returns it in the words that the caller is to read. */
GError *kx_call_end_wait(KxCall *c, GError *error);
/* Ends what waits for the guest of @target, and what would try again. FALSE: nothing did. */
gboolean kx_manager_give_up(KxManager *m, const char *target, const char *why);
/*
 * The last command counts: SetTracker calls that wait for the guest of @s, or for one that does, end in favour of @c. FALSE: @c
 * need not wait for what they still have under way.
 */
gboolean kx_call_takes_over(KxCall *c, const KxSession *s);
/* A rule's attempt that waits ends in favour of @c, and is tried again unless @c attaches the VM. FALSE: none waits. */
gboolean kx_call_takes_over_rule(KxCall *c, const char *uuid);
/* What List says of it; NULL: nobody waits for this VM's guest. */
char *kx_manager_waits_for(const KxManager *m, const char *uuid);

/* After an attempt of a rule that failed. FALSE: it is not to be tried again. */
gboolean kx_manager_retry_later(KxManager *m, const KxCall *c, const GError *error);
void kx_manager_no_retry(KxManager *m, const char *uuid);
GHashTable *kx_manager_retries_new(void);

/* --- list, attach, set, report, rules --------------------------------------------------------------------------------- */

gboolean kx_call_list_work(KxCall *c, GError **error);
gboolean kx_call_attach_work(KxCall *c, GError **error);
void kx_call_resolve_then(KxCall *c, GError *error);
/* Where a rule says so, unless it is attached or under way. */
void kx_manager_attach_by_rule(KxManager *m, const char *name, const char *uuid);
gboolean kx_manager_apply_options(KxOptions *o, GHashTable *options, GError **error);
/* Goes on with @then at once unless one of @sessions has no better source of KVM's counters than QEMU. */
void kx_call_ask_qemu(KxCall *c, GPtrArray *sessions, void (*then)(KxCall *, GError *));
void kx_call_ask_qemu_for(KxCall *c, void (*then)(KxCall *, GError *));
/* NULL: it was not asked of this VM. */
const KxKvmStat *kx_call_asked(const KxCall *c, const KxSession *s);
/* For the domains that run already. */
void kx_manager_apply_rules(KxManager *m);
void kx_manager_on_domains(KxDomainsEvent event, const KxDomain *d, const char *detail,
			   gint64 realtime_ns, gpointer data);

#endif /* KX_MANAGER_INTERNAL_H */
