/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passes on a thread of the daemon's own, for trackers that are not the module's. When a pass begins, what it counts, its
 * records and its account are here, by the module's rules: the first pass primes at once, passes begin an interval apart or
 * on request, one that was cut does not count. What a pass does is the tracker's.
 *
 * A thread that is in a call which the kernel does not cut (clear_refs of a large VM) is not waited for beyond
 * KX_PASS_STOP_MS: it ends by itself, and what it would still write goes nowhere.
 */
#ifndef KX_PASSTHREAD_H
#define KX_PASSTHREAD_H

#include "tracker.h"

#define KX_PASS_STOP_MS 500u

/* The pass at hand; all of it on the thread. */
typedef struct _KxPass KxPass;

typedef struct {
	const char *thread; /* its name, at most 15 characters */
	/*
	 * FALSE: nothing can be found any more. KX_ERROR_VM_GONE is for others to tell; any other error ends the session.
	 * One that finds kx_pass_is_cut() returns TRUE at once.
	 */
	gboolean (*pass)(gpointer work, KxPass *p, GError **error);
	void (*free)(gpointer work); /* on any thread */
} KxPassOps;

gboolean kx_pass_primes(const KxPass *p); /* what it finds belongs to nobody */
gboolean kx_pass_is_cut(KxPass *p);	  /* to be asked each millisecond or so */
/* How much there is to look at, for those who wait; and that some of it was looked at, and was there. */
void kx_pass_expect(KxPass *p, guint64 pages);
void kx_pass_looked(KxPass *p, guint64 pages, guint64 present);
/* @npages pages found, through leaves of 2^@leaf_order pages. */
void kx_pass_found_run(KxPass *p, guint64 gfn, guint64 npages, guint32 leaf_order);
#define KX_PASS_BITMAP_WORDS 64u
/* Bit i of @bits: page @gfn + i. At most KX_PASS_BITMAP_WORDS words. */
void kx_pass_found_bits(KxPass *p, guint64 gfn, const guint64 *bits, guint nwords);
/* CPU time of somebody else for this pass. */
void kx_pass_add_cpu(KxPass *p, guint64 ns);

/* --- what all such trackers have in their ops ------------------------------------------------------------------------- */

gboolean kx_passes_open(KxTracker *t, GError **error);
void kx_passes_close(KxTracker *t);
/* In place of what ran, which goes on if this fails. Takes @work over, in any case. */
gboolean kx_passes_start(KxTracker *t, const KxOptions *o, const KxPassOps *ops, gpointer work,
			 GError **error);
void kx_passes_stop(KxTracker *t);
gboolean kx_passes_stats(KxTracker *t, struct kvm_ext_stats *st, GError **error);
gpointer kx_passes_handle(KxTracker *t);
gboolean kx_passes_run(gpointer handle, guint64 *pass, GError **error);
void kx_passes_handle_free(gpointer handle);
int kx_passes_poll_fd(KxTracker *t);
gboolean kx_passes_drain(KxTracker *t, const KxStreamOps *sink, gpointer data, GError **error);

#define KX_PASSES_OPS                                                                         \
	.open = kx_passes_open, .close = kx_passes_close, .stop = kx_passes_stop,             \
	.stats = kx_passes_stats, .pass_handle = kx_passes_handle, .run_pass = kx_passes_run, \
	.pass_handle_free = kx_passes_handle_free, .poll_fd = kx_passes_poll_fd,              \
	.drain = kx_passes_drain

#endif /* KX_PASSTHREAD_H */
