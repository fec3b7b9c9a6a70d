/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The account of one VM: windows, one for each stretch of time with one tracker setting. A window joins the tracker's own
 * statistics, sums over its pass records, the pages found, the daemon's draining, and what the VM shows of itself. Only
 * sums here: estimates are the report's. No system calls: whoever owns the account brings times and readings.
 */
#ifndef KX_ACCOUNT_H
#define KX_ACCOUNT_H

#include <glib.h>

#include <kvm-ext/uapi.h>

#include "base/gfnset.h"
#include "model/window.h"
#include "tracker/stream.h"
#include "vm/kvmstat.h"

/* Oldest windows are dropped beyond this. */
#define KX_ACCOUNT_WINDOWS_MAX 1024u
/* Regions that windows keep in all; beyond it the oldest windows forget theirs, the newest its coldest. */
#define KX_ACCOUNT_REGIONS_MAX 65536u
/* Found pages that closed windows keep in all; beyond it the oldest forget theirs. */
#define KX_ACCOUNT_FOUND_BYTES_MAX (64u << 20)
/* Runs of pages that are given at once: D-Bus allows no longer array. */
#define KX_ACCOUNT_RUNS_MAX ((64u << 20) / sizeof(KxRun))

typedef struct {
	gint64 realtime_ns;
	guint64 monotonic_ns;
} KxInstant;

/* What a window is opened with. */
typedef struct {
	const char *tracker, *options; /* name; canonical text */
	guint64 epoch;		       /* kvm_ext_stats.epoch */
	guint64 last_gfn;	       /* of the VM */
	guint parts;		       /* bits of KxPart that the tracker and its options have */
	guint32 regions_max;	       /* with regions */
	guint32 trap_faults_per_s, trap_time_ppm; /* budgets of trap */
} KxSetting;

typedef struct _KxAccount KxAccount;

KxAccount *kx_account_new(void);
void kx_account_free(KxAccount *a);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxAccount, kx_account_free)

/*
 * Opens a window and returns its id. Records of its epoch go to it. The window before may still be open, to take records
 * that are in the ring: close it then.
 */
guint64 kx_account_open(KxAccount *a, const KxSetting *setting, const KxVmCounters *start,
			KxInstant now);

/*
 * To be called with the statistics read just before a switch: passes that end between that reading and the switch are
 * then added from their own records, so that statistics and records agree at the close. @st NULL: the switch did not
 * happen, forget the mark.
 */
void kx_account_mark(KxAccount *a, guint64 window, const struct kvm_ext_stats *st);

/*
 * To be called with every reading of the statistics. The next tracker's statistics contain the cost of stopping this one; it
 * is booked on the stopped tracker's window. And from here the account knows when the memory was the VMM's own to log.
 */
void kx_account_saw(KxAccount *a, const struct kvm_ext_stats *st);
/* To what the log was left in @window: "migration", … */
void kx_account_yielded_to(KxAccount *a, guint64 window, const char *what);

/*
 * Time in which the VM does not run, as somebody tells who knows: it counts nowhere. News may come late, also for a window
 * that is closed, but in order. @at: of the moment itself. @why: for people, "suspended".
 */
void kx_account_paused(KxAccount *a, KxInstant at, const char *why);
void kx_account_resumed(KxAccount *a, KxInstant at);
/* Why it is paused now; NULL: it runs, or nobody knows. */
const char *kx_account_is_paused(const KxAccount *a);
/* Whether the pass that ended last had nothing to see: the VM was paused from the beginning of the one before it. */
gboolean kx_account_last_was_paused(const KxAccount *a);
/* Nobody tells from @now on. @why: a clause. */
void kx_account_pauses_unknown(KxAccount *a, KxInstant now, const char *why);
/*
 * What somebody answers who was asked @now, and will tell from here on. @why: as above; NULL: it runs. @ever_since: nothing
 * can have happened since the account began, so if it is paused it was all the time.
 */
void kx_account_asked(KxAccount *a, KxInstant now, const char *why, gboolean ever_since);

/*
 * What a tracker knows beside its statistics, with every reading of them: @fill writes it into the open window of @epoch,
 * if there is one. @knows: what it is called with.
 */
typedef void (*KxFillFunc)(gconstpointer knows, KxWindow *w);
void kx_account_tell(KxAccount *a, guint64 epoch, KxFillFunc fill, gconstpointer knows);

/* @st NULL: use the mark's, else the window has no statistics. */
void kx_account_close(KxAccount *a, guint64 window, const struct kvm_ext_stats *st,
		      const KxVmCounters *end, KxInstant now);

/* What kx_stream_drain calls with the account as data. */
extern const KxStreamOps kx_account_sink;

/* What draining took since the last call: shared by whose records were drained; the newest's if there were none. */
void kx_account_add_drain(KxAccount *a, guint64 cpu_ns);

/* Appends copies of all windows; the open ones as they stand at @now with @st and @counters. */
void kx_account_windows(const KxAccount *a, GPtrArray *windows, const struct kvm_ext_stats *st,
			const KxVmCounters *counters, KxInstant now);

/* The same of the last window alone; NULL: there is none. */
KxWindow *kx_account_newest(const KxAccount *a, const struct kvm_ext_stats *st,
			    const KxVmCounters *counters, KxInstant now);

/*
 * KxRun of what a window found. KX_ERROR_INVALID_OPTION: no such window, or it has forgotten. KX_ERROR_FAILED: more than
 * KX_ACCOUNT_RUNS_MAX.
 */
GArray *kx_account_found(const KxAccount *a, guint64 window, GError **error);

/* Memory has appeared up to @last_gfn. */
void kx_account_grow(KxAccount *a, guint64 last_gfn);

/* What the account takes, as near as counts; and closed windows forget what they found, so that it takes less. */
gsize kx_account_bytes(const KxAccount *a);
gsize kx_account_found_bytes(const KxAccount *a); /* of that, the pages of closed windows */
void kx_account_forget_found(KxAccount *a);

/* Whether nested guests were seen so far; only some trackers can tell. */
gboolean kx_account_nested(const KxAccount *a);
/* Sample records that belonged to no window: their PASS_BEGIN was lost. */
guint64 kx_account_stray(const KxAccount *a);
/* Pass records so far that say the VMM had the log. */
guint64 kx_account_yielded_passes(const KxAccount *a);
/* The last pass number whose end the open window has seen; G_MAXUINT64: none. */
guint64 kx_account_last_pass(const KxAccount *a);

#endif /* KX_ACCOUNT_H */
