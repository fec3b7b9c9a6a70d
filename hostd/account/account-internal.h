/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the account share: windows (account.c), statistics (account-stats.c), records of the stream
 * (account-records.c), passes (account-passes.c), time in which the VM was paused (account-pauses.c).
 */
#ifndef KX_ACCOUNT_INTERNAL_H
#define KX_ACCOUNT_INTERNAL_H

#include "account.h"
#include "base/stretches.h"

#define KX_NO_PASS G_MAXUINT64

/* Passes 1 and 2 are a pair, 3 and 4, and so on: one after the policy, one after the control. */
typedef struct {
	guint64 pair; /* the pass' number + 1, halved; 0: none yet */
	guint ends;   /* of this pair, so far */
	gboolean cut;
	gboolean have[2]; /* after the policy, after the control */
	double samples[2];
} KxPassPair;

typedef struct _KxPassTimes KxPassTimes;

typedef struct {
	KxWindow *w;
	guint parts; /* bits of KxPart: what its tracker and its setting have */
	guint64 epoch;
	guint64 start_monotonic_ns, end_monotonic_ns; /* the end: once closed */
	guint64 primed_ns;     /* CLOCK_MONOTONIC, when the priming pass ended; 0: not seen */
	KxVmCounters *start;   /* NULL once closed */
	KxGfnSet *found;       /* while open; once closed where it takes less than the runs */
	GArray *runs;	       /* KxRun, once closed; neither: forgotten */
	gsize kept;	       /* bytes of either, once closed */
	guint64 drained_bytes; /* of records since the draining was last charged */
	gboolean marked;
	struct kvm_ext_stats mark;
	guint64 unmarked; /* pass numbers that the mark does not count, for these did not end or gave way */
	guint64 last_pass;	 /* whose end was seen, */
	guint64 last_pass_start; /* and when it began */
	KxPassTimes *pass_times; /* while open: how long the counted passes took */
	KxPassPair pair;
	KxRegions *coming;     /* of an aggregation whose records are not all there yet */
	guint64 aggregated_ns; /* when the aggregation before it was over */
	struct kvm_ext_rec_pass_end
		paused; /* sums over passes that were paused: not counted, but in the statistics */
	guint64 paused_passes[2]; /* of these, after the policy, after the control */
	guint64 paused_samples[2];
	guint64 paused_ns, paused_yielded_ns; /* of pauses that are over */
	struct {
		gboolean known;
		guint64 ns, pages;
	} disabled;
	struct {
		KxStretches when;
		guint64 ns;	/* of the stretches that are over */
		guint64 passes; /* as last seen */
	} yield;
} KxAccountWindow;

struct _KxAccount {
	GPtrArray *windows; /* KxAccountWindow, ascending id */
	guint64 next_id;
	gsize found_kept; /* bytes, of closed windows */
	guint64 regions_kept;
	gboolean in_pass;	  /* a PASS_BEGIN was seen, its PASS_END not yet */
	KxAccountWindow *current; /* that of the pass whose records come now; NULL: none of ours */
	guint64 current_pass;
	gboolean current_prime;
	guint64 stray;
	guint64 yielded_passes;
	gboolean nested; /* the VM had nested guests at some time */
	struct _KxRecentPasses *recent;
	struct {
		KxStretches when;
		char *why;     /* of the last */
		char *unknown; /* why it is not known whether the VM is paused; NULL: it is */
		guint64 unknown_since_ns;
		gint64 realtime_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC, as of the last news */
	} pause;
};

KxAccountWindow *kx_account_by_id(const KxAccount *a, guint64 id);
KxAccountWindow *kx_account_by_epoch(const KxAccount *a, guint64 epoch);
KxAccountWindow *kx_account_last_window(const KxAccount *a);
/* Forgets what older windows keep, beyond what all may. */
void kx_account_stay_bounded(KxAccount *a);
/* The window's regions. @why: what is to be said in their place; NULL: others come. */
void kx_account_forget_regions(KxAccount *a, KxAccountWindow *win, const char *why);

/* --- statistics (account-stats.c) ---------------------------------------------------------------------------------- */

/* Writes into @w, which is the window's or a copy of it, what @st has of the window's parts. @st NULL: there are none. */
void kx_account_take_stats(const KxAccountWindow *win, KxWindow *w, const struct kvm_ext_stats *st);
/* And what leaving its tracker took, as far as that is known. */
void kx_account_put_disabled(const KxAccountWindow *win, KxWindow *w);

/* --- passes (account-passes.c) ------------------------------------------------------------------------------------- */

void kx_account_passes_init(KxAccount *a);
void kx_account_passes_free(KxAccount *a);
void kx_account_passes_open(KxAccountWindow *win);
void kx_account_passes_close(KxAccountWindow *win);
/* A pass of @win has ended. */
void kx_account_pass_ended(KxAccount *a, KxAccountWindow *win,
			   const struct kvm_ext_rec_pass_end *r);
/* Takes out of @w, which has the module's statistics as they are, the passes of @win that were paused. */
void kx_account_take_out_paused(const KxAccountWindow *win, KxWindow *w);
/* There is news of pauses: looks again at the passes that ended lately. */
void kx_account_judge_passes(KxAccount *a);

/* --- pauses (account-pauses.c) ------------------------------------------------------------------------------------- */

/* How much of the time between two moments the VM was paused. */
guint64 kx_account_paused_in(const KxAccount *a, guint64 from_ns, guint64 until_ns);
/* Writes into @w, that of @win or a copy of it, what is known of pauses until @now_ns. */
void kx_account_put_pauses(const KxAccount *a, const KxAccountWindow *win, KxWindow *w,
			   guint64 now_ns);

#endif /* KX_ACCOUNT_INTERNAL_H */
