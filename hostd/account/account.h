/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The account of one VM: windows, one for each stretch of time with one tracker setting. A window joins the tracker's own
 * statistics, sums over its pass records, the pages found, the CPU time of the daemon's draining, and the VM's own counters.
 * The account only sums up: the report makes estimates of the sums. The account makes no system call: its owner passes times
 * and readings to it.
 */
#ifndef KX_ACCOUNT_H
#define KX_ACCOUNT_H

#include <glib.h>

#include <kvm-ext/uapi.h>

#include "base/gfnset.h"
#include "model/totals.h"
#include "model/window.h"
#include "tracker/stream.h"
#include "vm/kvmstat.h"

/* If there are more windows than this, the oldest ones are dropped. */
#define KX_ACCOUNT_WINDOWS_MAX 1024u
/*
 * The total number of regions that all windows keep. If there are more, the oldest windows forget their regions, and the
 * newest window forgets its coldest regions.
 */
#define KX_ACCOUNT_REGIONS_MAX 65536u
/* The memory in which all closed windows keep their found pages. If they need more, the oldest windows forget their pages. */
#define KX_ACCOUNT_FOUND_BYTES_MAX (64u << 20)
/* The maximum number of runs of pages in one reply: D-Bus allows no longer array. */
#define KX_ACCOUNT_RUNS_MAX ((64u << 20) / sizeof(KxRun))

typedef struct {
	gint64 realtime_ns;
	guint64 monotonic_ns;
} KxInstant;

/* What a window must know when it is opened. */
typedef struct {
	const char *tracker, *options; /* name; canonical text */
	guint64 epoch;		       /* kvm_ext_stats.epoch */
	guint64 last_gfn;	       /* of the VM */
	guint parts;		       /* bits of KxPart that the tracker and its options have */
	guint32 regions_max;	       /* if the tracker samples regions */
	guint32 trap_faults_per_s, trap_time_ppm; /* budgets of trap */
	const char *log_backend;		  /* who reads the dirty log; NULL: the module */
} KxSetting;

typedef struct _KxAccount KxAccount;

KxAccount *kx_account_new(void);
void kx_account_free(KxAccount *a);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxAccount, kx_account_free)

/*
 * Opens a window and returns its id. The records of the setting's epoch belong to this window. The preceding window may stay
 * open, so that it receives its records that are still in the ring; the caller closes it after they were read.
 */
guint64 kx_account_open(KxAccount *a, const KxSetting *setting, const KxVmCounters *start,
			KxInstant now);

/*
 * Call this function with the statistics read just before a switch of trackers. Passes that end between this reading and the
 * switch are then added from their own records, so that statistics and records agree when the window is closed. @st NULL: the
 * switch did not happen; the account forgets the earlier reading (the mark).
 */
void kx_account_mark(KxAccount *a, guint64 window, const struct kvm_ext_stats *st);

/*
 * Call this function with every reading of the statistics. The next tracker's statistics contain the cost of stopping this
 * one; it is booked on the stopped tracker's window. The readings also tell the account in which time the VMM used the dirty
 * log itself.
 */
void kx_account_saw(KxAccount *a, const struct kvm_ext_stats *st);
/* For what purpose of the VMM the tracker yielded the dirty log in @window: "migration", … */
void kx_account_yielded_to(KxAccount *a, guint64 window, const char *what);

/*
 * Time in which the VM does not run, as libvirt reports it: this time counts nowhere. A report may come late, also after the
 * window was closed, but reports come in order. @at: when the VM was paused or resumed. @why: text for people, "suspended".
 */
void kx_account_paused(KxAccount *a, KxInstant at, const char *why);
void kx_account_resumed(KxAccount *a, KxInstant at);
/* Why the VM is paused now; NULL: the VM runs, or its state is not known. */
const char *kx_account_is_paused(const KxAccount *a);
/* Whether the pass that ended last could find nothing, because the VM was paused since the beginning of the pass before. */
gboolean kx_account_last_was_paused(const KxAccount *a);
/* From @now on nothing reports pauses. @why: a clause. */
void kx_account_pauses_unknown(KxAccount *a, KxInstant now, const char *why);
/*
 * The answer of a query at @now, after which pauses are reported again. @why: as above; NULL: the VM runs. @ever_since: the
 * state cannot have changed since the account began, so a VM that is paused was paused all the time.
 */
void kx_account_asked(KxAccount *a, KxInstant now, const char *why, gboolean ever_since);

/*
 * What a tracker knows in addition to its statistics. The caller passes it with every reading of the statistics: @fill writes
 * it into the open window of @epoch, if there is one. @knows: the argument of @fill.
 */
typedef void (*KxFillFunc)(gconstpointer knows, KxWindow *w);
void kx_account_tell(KxAccount *a, guint64 epoch, KxFillFunc fill, gconstpointer knows);

/*
 * The memory in which the daemon keeps what the tracker of @epoch finds, beside the account's own; and how many pages the tracker
 * tracks. Call this function with every reading of the statistics.
 */
void kx_account_held(KxAccount *a, guint64 epoch, guint64 maps_bytes, guint64 tracked_pages);

/* @st NULL: the window takes the statistics of its mark; without a mark it has no statistics. */
void kx_account_close(KxAccount *a, guint64 window, const struct kvm_ext_stats *st,
		      const KxVmCounters *end, KxInstant now);

/* The callbacks for kx_stream_drain; their data is the account. */
extern const KxStreamOps kx_account_sink;

/*
 * The CPU time of draining since the last call. It is divided among the open windows by the bytes of their drained records;
 * if there were no records, the newest window takes all of it.
 */
void kx_account_add_drain(KxAccount *a, guint64 cpu_ns);

/* The cost of recording since the last call, for the newest window: CPU time of the recorder's thread; records it dropped. */
void kx_account_add_recording(KxAccount *a, guint64 cpu_ns, guint64 bytes, guint64 lost);

/* Appends copies of all windows; open windows are copied in their state at @now, with @st and @counters. */
void kx_account_windows(const KxAccount *a, GPtrArray *windows, const struct kvm_ext_stats *st,
			const KxVmCounters *counters, KxInstant now);

/* The same for the last window alone; NULL: there is no window. */
KxWindow *kx_account_newest(const KxAccount *a, const struct kvm_ext_stats *st,
			    const KxVmCounters *counters, KxInstant now);

/* The totals (KxTotals) of all windows so far; @newest: what kx_account_newest() returned. */
GPtrArray *kx_account_totals(const KxAccount *a, const KxWindow *newest);

/*
 * The pages that a window found, as an array of KxRun. KX_ERROR_INVALID_OPTION: there is no such window, or it has forgotten
 * its pages. KX_ERROR_FAILED: there are more than KX_ACCOUNT_RUNS_MAX runs.
 */
GArray *kx_account_found(const KxAccount *a, guint64 window, GError **error);

/* The VM has more memory now: its last frame is @last_gfn. */
void kx_account_grow(KxAccount *a, guint64 last_gfn);

/* The memory that the account uses, counted in its large parts; and the part of it for found pages of closed windows. */
gsize kx_account_bytes(const KxAccount *a);
gsize kx_account_found_bytes(const KxAccount *a);
/* All closed windows forget their found pages, so that the account needs less memory. */
void kx_account_forget_found(KxAccount *a);

/* Whether nested guests were seen so far; only some trackers can see that the VM has them. */
gboolean kx_account_nested(const KxAccount *a);
/* Number of sample records that belonged to no window, because their PASS_BEGIN was lost. */
guint64 kx_account_stray(const KxAccount *a);
/* Number of passes so far in which the VMM had the log, as their records say. */
guint64 kx_account_yielded_passes(const KxAccount *a);
/* The number of the last pass whose end the newest window has seen; G_MAXUINT64: none. */
guint64 kx_account_last_pass(const KxAccount *a);

#endif /* KX_ACCOUNT_H */
