/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passes on a thread of the daemon, for trackers that run without the module. This file decides when a pass begins, and keeps
 * its counters, its records and its account, by the module's rules: the first pass begins at once and primes; later passes
 * begin one interval apart, or on request; a pass that was cut short does not count. The tracker supplies the pass itself.
 *
 * Stopping waits for the thread at most KX_PASS_STOP_MS, because the thread may be in a system call that the kernel does not
 * interrupt (clear_refs of a large VM). After that time the thread ends by itself, and nobody reads its later records.
 */
#ifndef KX_PASSTHREAD_H
#define KX_PASSTHREAD_H

#include "tracker.h"

#define KX_PASS_STOP_MS 500u

/* The current pass. Its functions are called only on the thread of the passes. */
typedef struct _KxPass KxPass;

typedef struct {
	const char *thread; /* name of the thread, at most 15 characters */
	/*
	 * FALSE: this and every later pass can find nothing. KX_ERROR_VM_GONE of a process that has ended is not reported from
	 * here, because the session itself notices that; any other error ends the session. If kx_pass_is_cut(), the function
	 * returns TRUE at once.
	 */
	gboolean (*pass)(gpointer work, KxPass *p, GError **error);
	void (*free)(gpointer work); /* on any thread */
	/*
	 * For a tracker whose pace the kernel sets: blocks until there is something for the next pass to find, or
	 * kx_pass_is_cut(). Passes then follow each other without an interval. Errors as of @pass. NULL: passes begin by
	 * the clock, or on request.
	 */
	gboolean (*await)(gpointer work, KxPass *p, GError **error);
	void (*leave)(gpointer work); /* on the thread, after the last pass; NULL: nothing to do */
	/* The memory of @work with its buffers; before the thread starts, and on the thread after each pass. */
	gsize (*bytes)(gconstpointer work);
} KxPassOps;

gboolean kx_pass_primes(const KxPass *p); /* the pages that this pass finds are not reported */
gboolean kx_pass_is_cut(KxPass *p);	  /* a pass calls this about once per millisecond */
/* Waits for @ns, or until the pass is cut. FALSE: it is cut. */
gboolean kx_pass_wait(KxPass *p, guint64 ns);
/*
 * The progress of a pass: how many pages it will test, and that it has tested @pages more, of which @present are mapped (a huge
 * page counts once).
 */
void kx_pass_expect(KxPass *p, guint64 pages);
void kx_pass_looked(KxPass *p, guint64 pages, guint64 present);
/* @npages pages found, through leaves of 2^@leaf_order pages. */
void kx_pass_found_run(KxPass *p, guint64 gfn, guint64 npages, guint32 leaf_order);
/* @npages pages found through @samples samples, if these are fewer than the pages: a sample stands for a range. */
void kx_pass_found_range(KxPass *p, guint64 gfn, guint64 npages, guint64 samples);
/*
 * The regions at the end of an aggregation, ascending and disjoint, each checked @checks times. They count neither as pages
 * found nor as samples.
 */
void kx_pass_regions(KxPass *p, const struct kvm_ext_region *regions, guint32 n, guint32 checks);
/* @npages pages found whose addresses are not known: they count as samples. */
void kx_pass_counted(KxPass *p, guint64 npages);
#define KX_PASS_BITMAP_WORDS 64u
/* Bit i of @bits: page @gfn + i. At most KX_PASS_BITMAP_WORDS words. */
void kx_pass_found_bits(KxPass *p, guint64 gfn, const guint64 *bits, guint nwords);
/*
 * @n passes before this one were lost with everything that they found, and cost @cpu_ns. They count in the sum of CPU time and as
 * intervals without a pass, but not in the cost of a sample.
 */
void kx_pass_lost(KxPass *p, guint64 n, guint64 cpu_ns);
/* Adds CPU time that another thread used for this pass. */
void kx_pass_add_cpu(KxPass *p, guint64 ns);

/* --- members of KxTrackerOps that all these trackers share -------------------------------------------------------------- */

gboolean kx_passes_open(KxTracker *t, GError **error);
void kx_passes_close(KxTracker *t);
/* Replaces the running passes; if this fails, they continue. Takes ownership of @work, also on an error. */
gboolean kx_passes_start(KxTracker *t, const KxOptions *o, const KxPassOps *ops, gpointer work,
			 GError **error);
void kx_passes_stop(KxTracker *t);
/* The running @work, from which the tracker fills a window; the thread uses @work at the same time. NULL: none was started. */
gpointer kx_passes_work(const KxTracker *t);
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
