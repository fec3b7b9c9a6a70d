/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by the files of the account: windows (account.c), statistics (account-stats.c), records of the stream
 * (account-records.c), passes (account-passes.c), time in which the VM was paused (account-pauses.c).
 */
#ifndef KX_ACCOUNT_INTERNAL_H
#define KX_ACCOUNT_INTERNAL_H

#include "account.h"
#include "base/stretches.h"

#define KX_NO_PASS G_MAXUINT64

/* Passes 1 and 2 are a pair, 3 and 4, and so on: one pass follows the policy, the other follows the control. */
typedef struct {
	guint64 pair; /* half of (the pass's number + 1); 0: none yet */
	guint ends;   /* passes of this pair that have ended so far */
	gboolean cut;
	gboolean have[2]; /* index 0: after the policy, 1: after the control */
	double samples[2];
} KxPassPair;

typedef struct _KxPassTimes KxPassTimes;

typedef struct {
	KxWindow *w;
	guint parts; /* bits of KxPart that the window's tracker and setting have */
	guint64 epoch;
	guint64 start_monotonic_ns, end_monotonic_ns; /* the end: set when the window is closed */
	guint64 primed_ns;   /* CLOCK_MONOTONIC, when the priming pass ended; 0: not seen */
	KxVmCounters *start; /* NULL if closed */
	/* found pages: @found while open; when closed, the smaller of both forms; both NULL: forgotten */
	KxGfnSet *found;
	GArray *runs;			   /* KxRun */
	gsize kept;			   /* bytes of the found pages, if closed */
	guint64 maps_bytes, tracked_pages; /* kx_account_held() */
	guint64 drained_bytes; /* of records drained since the CPU time of draining was last added */
	gboolean marked;
	struct kvm_ext_stats mark;
	guint64 unmarked; /* passes in neither count of the mark: cut, or yielded after the mark was read */
	guint64 last_pass;	 /* the last pass whose end was seen */
	guint64 last_pass_start; /* when that pass began */
	KxPassTimes *pass_times; /* durations of the counted passes; NULL if closed */
	KxPassPair pair;
	KxRegions *coming;     /* regions of an aggregation of which more records have to come */
	guint64 aggregated_ns; /* when the last complete aggregation ended */
	struct kvm_ext_rec_pass_end
		paused; /* sums over paused passes: they do not count, but the statistics contain them */
	guint64 paused_passes[2]; /* number of paused passes: after the policy, after the control */
	guint64 paused_samples[2];
	guint64 paused_ns, paused_yielded_ns; /* sums over the pauses that have ended */
	struct {
		gboolean known;
		guint64 ns, pages;
	} disabled;
	struct {
		KxStretches when;
		guint64 ns;	/* total of the stretches that have ended */
		guint64 passes; /* yielded passes in the last reading of the statistics */
	} yield;
} KxAccountWindow;

struct _KxAccount {
	GPtrArray *windows; /* KxAccountWindow, ascending id */
	guint64 next_id;
	GPtrArray *totals; /* KxTotals, of closed windows, also of those that were dropped */
	gsize found_kept;  /* bytes of the found pages of all closed windows */
	guint64 regions_kept;
	gboolean in_pass;	  /* a PASS_BEGIN was seen, its PASS_END not yet */
	KxAccountWindow *current; /* the window of the pass whose records come now; NULL: unknown */
	guint64 current_pass;
	gboolean current_prime;
	guint64 stray;
	guint64 yielded_passes;
	gboolean nested; /* the VM had nested guests at some time */
	struct _KxRecentPasses *recent;
	struct {
		KxStretches when;
		char *why;     /* reason of the last pause */
		char *unknown; /* why it is not known whether the VM is paused; NULL: it is known */
		guint64 unknown_since_ns;
		gint64 realtime_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC, at the last report */
	} pause;
};

KxAccountWindow *kx_account_by_id(const KxAccount *a, guint64 id);
KxAccountWindow *kx_account_by_epoch(const KxAccount *a, guint64 epoch);
KxAccountWindow *kx_account_last_window(const KxAccount *a);
/* Older windows forget pages and regions, as far as all windows together exceed the limits. */
void kx_account_stay_bounded(KxAccount *a);
/* The window forgets its regions. @why: the reason that is shown in their place; NULL: other regions replace them. */
void kx_account_forget_regions(KxAccount *a, KxAccountWindow *win, const char *why);

/* --- statistics (account-stats.c) ---------------------------------------------------------------------------------- */

/* Copies the statistics of the window's parts from @st to @w, the window's own KxWindow or a copy. @st NULL: there are none. */
void kx_account_take_stats(const KxAccountWindow *win, KxWindow *w, const struct kvm_ext_stats *st);
/* Writes the cost of stopping the window's tracker into @w, if that cost is known. */
void kx_account_put_disabled(const KxAccountWindow *win, KxWindow *w);

/* --- passes (account-passes.c) ------------------------------------------------------------------------------------- */

void kx_account_passes_init(KxAccount *a);
void kx_account_passes_free(KxAccount *a);
void kx_account_passes_open(KxAccountWindow *win);
void kx_account_passes_close(KxAccountWindow *win);
/* A pass of @win has ended. */
void kx_account_pass_ended(KxAccount *a, KxAccountWindow *win,
			   const struct kvm_ext_rec_pass_end *r);
/* @w has the module's statistics unchanged: subtracts the paused passes of @win from them. */
void kx_account_take_out_paused(const KxAccountWindow *win, KxWindow *w);
/* After a report of a pause: decides again which of the latest passes were paused. */
void kx_account_judge_passes(KxAccount *a);

/* --- pauses (account-pauses.c) ------------------------------------------------------------------------------------- */

/* For how long the VM was paused between two moments. */
guint64 kx_account_paused_in(const KxAccount *a, guint64 from_ns, guint64 until_ns);
/* Writes the pauses until @now_ns into @w, the KxWindow of @win or a copy. */
void kx_account_put_pauses(const KxAccount *a, const KxAccountWindow *win, KxWindow *w,
			   guint64 now_ns);

#endif /* KX_ACCOUNT_INTERNAL_H */
