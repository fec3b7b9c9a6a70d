/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tracker as the daemon sees it. kx_trackers[] (rows.h) lists what users may request; an implementation (ops) serves one or
 * several rows. The module's trackers are one implementation; a tracker that runs elsewhere (DAMON, QEMU, the guest) is a new
 * file with its ops and a row in the table of tracker.c.
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

/* The VM that a tracker works on. All members belong to the session and outlive the tracker. */
typedef struct {
	pid_t pid;
	const char *uuid;	     /* NULL: unknown */
	const char *proc_root;	     /* directory in which the VMM is found */
	const char *root;	     /* directory with sys; NULL: / */
	KxModule *module;	     /* the session's descriptor; NULL: the module is not loaded */
	const struct kvm_ext_vm *vm; /* as last read */
	KxLayout *const
		*layout; /* the VM's memory in the VMM, for KX_CAN_VMM; read at each start */
	char *const *libvirt_uri; /* points to the URI of the VM's libvirt; to NULL: not known */
	KxPickFunc pick;	  /* chooses pages by heat; its first argument is @heat */
	gconstpointer heat;
	KxChannel *channel; /* to the guest; NULL: none is plugged in */
	gboolean emulated;  /* QEMU emulates the vCPUs (TCG) */
} KxTrackerVm;

typedef struct _KxTracker KxTracker;

typedef struct {
	const char *name; /* name of the implementation, for logs */
	/* The implementation's name in reports, beside the tracker's; NULL: the tracker's only or usual implementation. */
	const char *backend;
	/* While it runs, the VMM logs the memory, and another tracker cannot use the dirty log. */
	gboolean holds_log;
	/* @backends: bits of KX_BACKEND_*. NULL: the implementation serves the row of its own name. */
	gboolean (*serves)(const KxTrackerRow *row, guint backends);
	/* Called once; start may be called any number of times. */
	gboolean (*open)(KxTracker *t, GError **error);
	void (*close)(KxTracker *t);
	/* Starts @o, or switches to @o if this implementation already runs. On an error the old setting continues. */
	gboolean (*start)(KxTracker *t, const KxOptions *o, GError **error);
	void (*stop)(KxTracker *t);
	/* The statistics of the running setting, in the module's structure, so that trackers can be compared. */
	gboolean (*stats)(KxTracker *t, struct kvm_ext_stats *st, GError **error);
	/*
	 * Runs a pass now. run_pass may block, so it runs on a thread of its own with a handle that outlives the tracker. When
	 * it returns, the records of the pass can be drained.
	 */
	gpointer (*pass_handle)(KxTracker *t);
	gboolean (*run_pass)(gpointer handle, guint64 *pass, GError **error);
	void (*pass_handle_free)(gpointer handle);
	/* The descriptor that polls readable when there is something to drain; -1: none. */
	int (*poll_fd)(KxTracker *t);
	/*
	 * Passes the pages found to @sink. Called on a thread that has entered the session; at the end of the daemon, when no
	 * caller waits any more, also on the main loop. So drain never waits for the guest, the VMM or the module, and its
	 * work is bounded: drain takes what is available at the time of the call, and no more than fits in a buffer of fixed
	 * size (the ring, or LOOK_PAGES of a guest's channel). Work that grows with the VM's pages, such as reading a page map,
	 * is done by the tracker's own thread beforehand. FALSE: the session ends with @error.
	 */
	gboolean (*drain)(KxTracker *t, const KxStreamOps *sink, gpointer data, GError **error);
	/* What the tracker knew of the guest at the last drain; NULL: the tracker does not run in the guest. */
	const KxGuestView *(*guest)(const KxTracker *t);
	/*
	 * A layout of the VM's memory that is newer than the one with which the tracker began, once; the caller frees it. NULL: there
	 * is none. Does not block. @layout itself is NULL if the tracker does not learn of new memory.
	 */
	KxLayout *(*layout)(KxTracker *t);
	/*
	 * Writes into the window what @stats does not contain: the TOLD entries (model/parts.h) of the parts that only this
	 * implementation has, and the flags that the window has these parts. @t: a KxTracker. NULL: @stats contains everything.
	 */
	void (*fill)(gconstpointer t, KxWindow *w);
	/*
	 * Removes what a daemon that was killed left behind on the host: called when the daemon starts, before any tracker
	 * does. NULL: this implementation leaves nothing behind.
	 */
	void (*recover)(const char *root, const char *proc_root);
} KxTrackerOps;

struct _KxTracker {
	const KxTrackerOps *ops;
	KxTrackerVm vm;
	gpointer priv; /* private data of the implementation */
};

/* What an implementation can use for a VM. */
enum {
	KX_BACKEND_MODULE = 1 << 0, /* the module is loaded */
	KX_BACKEND_TAP = 1 << 1,    /* QEMU copies its dirty log */
};

/* The implementation that serves @row with these @backends (KX_BACKEND_*). NULL if there is none. */
const KxTrackerOps *kx_tracker_ops(const KxTrackerRow *row, guint backends);

/* stats.tracker and pass_begin.tracker (enum kvm_ext_tracker_id) of a tracker that is not the module's. */
#define KX_TRACKER_NO_ID G_MAXUINT32

/* As ops->recover, of all implementations. */
void kx_trackers_recover(const char *root, const char *proc_root);

KxTracker *kx_tracker_open(const KxTrackerOps *ops, const KxTrackerVm *vm, GError **error);
void kx_tracker_free(KxTracker *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxTracker, kx_tracker_free)

extern const KxTrackerOps kx_tracker_module;
extern const KxTrackerOps kx_tracker_guest;
extern const KxTrackerOps kx_tracker_soft_dirty;
extern const KxTrackerOps kx_tracker_idle_page;
extern const KxTrackerOps kx_tracker_damon;
extern const KxTrackerOps kx_tracker_dirty_rate;
extern const KxTrackerOps kx_tracker_dirty_tap;
extern const KxTrackerOps kx_tracker_mglru;
extern const KxTrackerOps kx_tracker_off; /* `off` without the module */

/*
 * Blocks until the guest carries out @o, or @patience ends. KX_ERROR_NOT_SUPPORTED: the guest cannot carry out @o, and continues
 * as before.
 */
gboolean kx_tracker_guest_propose(KxChannel *channel, const KxOptions *o, KxPatience *patience,
				  GError **error);

#endif /* KX_TRACKER_H */
