/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tracker as the daemon sees it. kx_trackers[] (options.h) says what users may ask for; an implementation (ops) serves
 * one row or several. The module's trackers are one implementation; one that runs elsewhere (DAMON, QEMU, the guest) is
 * a new file with its ops and a row in the table of tracker.c.
 */
#ifndef KX_TRACKER_H
#define KX_TRACKER_H

#include <glib.h>
#include <sys/types.h>

#include "epoch.h"
#include "guest/channel.h"
#include "guest/guestview.h"
#include "model/window.h"
#include "module.h"
#include "options.h"
#include "pick.h"
#include "stream.h"
#include "vm/layout.h"
#include "vm/patience.h"

/* The VM a tracker works on. Everything is the session's and outlives the tracker. */
typedef struct {
	pid_t pid;
	const char *uuid;	     /* NULL: unknown */
	const char *proc_root;	     /* where the VMM is found */
	KxModule *module;	     /* the session's descriptor; NULL: it is not loaded */
	const struct kvm_ext_vm *vm; /* as last read */
	KxLayout *const *layout;     /* its memory in the VMM, for KX_CAN_VMM; of each start */
	KxPickFunc pick;	     /* its pages by heat, by what @heat knows */
	gconstpointer heat;
	KxChannel *channel; /* to the guest; NULL: none is plugged in */
} KxTrackerVm;

typedef struct _KxTracker KxTracker;

typedef struct {
	const char *name; /* of the implementation, for logs */
	gboolean (*serves)(const KxTrackerRow *row, gboolean module); /* @module: it is loaded */
	/* Called once; start may be called any number of times. */
	gboolean (*open)(KxTracker *t, GError **error);
	void (*close)(KxTracker *t);
	/* Starts @o, or switches to it if this implementation already runs. On error what ran goes on. */
	gboolean (*start)(KxTracker *t, const KxOptions *o, GError **error);
	void (*stop)(KxTracker *t);
	/* The account of what runs, in the module's terms: one schema, so that trackers compare like with like. */
	gboolean (*stats)(KxTracker *t, struct kvm_ext_stats *st, GError **error);
	/*
	 * A pass now. It may block, so it runs on a thread of its own with a handle that survives the tracker; when it
	 * returns, the pass' records can be drained.
	 */
	gpointer (*pass_handle)(KxTracker *t);
	gboolean (*run_pass)(gpointer handle, guint64 *pass, GError **error);
	void (*pass_handle_free)(gpointer handle);
	/* The descriptor that polls readable when there is something to drain; -1: none. */
	int (*poll_fd)(KxTracker *t);
	/*
	 * Hands what has been found to @sink. On a thread, by whoever has entered the session; at the daemon's end, where
	 * nobody waits any more, on the main loop. So it never waits, neither for the guest nor for the VMM nor the module,
	 * and it has a bound: it takes what was there when it was called, and no more than a buffer of fixed size holds
	 * (the ring's, or LOOK_PAGES of a guest's channel). Work that grows with the VM's pages, such as reading a page map,
	 * is done by the tracker's own thread beforehand. FALSE: the session ends with @error.
	 */
	gboolean (*drain)(KxTracker *t, const KxStreamOps *sink, gpointer data, GError **error);
	/* What it knows of the guest, as of the last drain; NULL: it does not run there. */
	const KxGuestView *(*guest)(const KxTracker *t);
	/*
	 * Writes into the window what @stats cannot say: the TOLD entries of the parts that are this implementation's
	 * (model/parts.h), and that these are there. @t: a KxTracker. NULL: @stats says all.
	 */
	void (*fill)(gconstpointer t, KxWindow *w);
} KxTrackerOps;

struct _KxTracker {
	const KxTrackerOps *ops;
	KxTrackerVm vm;
	gpointer priv; /* the implementation's */
};

/* The implementation that serves @row, where the module is loaded, or is not; NULL if there is none. */
const KxTrackerOps *kx_tracker_ops(const KxTrackerRow *row, gboolean module);

/* stats.tracker and pass_begin.tracker (enum kvm_ext_tracker_id) of a tracker that is not the module's. */
#define KX_TRACKER_NO_ID G_MAXUINT32

KxTracker *kx_tracker_open(const KxTrackerOps *ops, const KxTrackerVm *vm, GError **error);
void kx_tracker_free(KxTracker *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxTracker, kx_tracker_free)

extern const KxTrackerOps kx_tracker_module;
extern const KxTrackerOps kx_tracker_guest;
extern const KxTrackerOps kx_tracker_off; /* where there is no module to be off */

/*
 * Blocks, until the guest carries out what @o asks for or @patience is at its end. KX_ERROR_NOT_SUPPORTED: it cannot, and
 * goes on as before.
 */
gboolean kx_tracker_guest_propose(KxChannel *channel, const KxOptions *o, KxPatience *patience,
				  GError **error);

#endif /* KX_TRACKER_H */
