/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tracker options: one set of keys for the command line, the configuration
 * file and D-Bus, checked in one place.
 */
#ifndef KX_OPTIONS_H
#define KX_OPTIONS_H

#include <glib.h>

#include <kvm-ext/uapi.h>

#include "rows.h"
#include "units.h"

/* Which pages are trapped. */
typedef enum {
	KX_PAGES_ALL, /* random pages of the range, as many as the budget allows */
	KX_PAGES_RANDOM,
	KX_PAGES_HOTTEST, /* by what the VM's trackers have found so far */
	KX_PAGES_COLDEST,
	KX_PAGES_LIST,
} KxPagesKind;

/* Who reads KVM's dirty log for the tracker. */
typedef enum {
	KX_LOG_VIA_MODULE, /* the default: QEMU's tap is experimental, and must be asked for */
	KX_LOG_VIA_QEMU,
	KX_LOG_VIA_AUTO, /* QEMU, if it offers a tap, else the module */
} KxLogVia;

/* Minimum of regions of a tracker that always works on regions (the kernel's DAMON). */
#define KX_AGGREGATE_REGIONS_MIN 3u

/* Maximum number of ranges in a list. */
#define KX_OPTIONS_RANGES_MAX 256u

typedef struct {
	KxPagesKind kind;
	guint32 share_ppm; /* of the range's pages; RANDOM, HOTTEST, COLDEST */
	guint32 nr;
	struct kvm_ext_range ranges[KX_OPTIONS_RANGES_MAX]; /* LIST: sorted, disjoint */
} KxPages;

/* Maximum number of the guest's processes by number, and by name. */
#define KX_OPTIONS_PROCESSES_MAX 16u
#define KX_OPTIONS_PROCESS_NAME	 16u /* with its zero */

/* Options of a tracker in the guest; numbers as in include/kvm-ext/channel.h, 0 for their defaults. */
typedef struct {
	struct {
		guint64 config, config1; /* of a raw event */
		guint64 kind;
	} event;
	guint32 policy;
	guint64 period;
	guint32 budget_ppm;
	gboolean flush;
	struct {
		guint32 nr_pids, nr_names; /* none: the processes with the most memory */
		gint32 pids[KX_OPTIONS_PROCESSES_MAX];
		char names[KX_OPTIONS_PROCESSES_MAX][KX_OPTIONS_PROCESS_NAME];
	} processes;
} KxGuestOptions;

typedef struct {
	const KxTrackerRow *tracker; /* never NULL */
	guint64 interval_ns;
	guint32 granularity; /* log2 of bytes */
	struct {
		guint64 first_gfn, npages; /* npages 0: all */
	} range;
	int cpu; /* -1: any */
	enum kvm_ext_flush_scope flush_scope;
	guint32 batch_pages;
	gboolean skip, staleness;
	struct {
		guint32 min, max; /* 0: no regions, every page */
	} regions;
	guint64 aggregation_ns; /* 0: the default number of passes */
	KxPages pages;
	guint32 faults_per_s, vcpu_ppm;	      /* budgets of trap */
	enum kvm_ext_log_mechanism mechanism; /* the required mechanism; UNKNOWN: any */
	guint64 epoch_ns;		      /* of the range classifier; 0: 500 ms */
	guint32 range_order; /* log2 of the smallest range's bytes; 0: 4K on the host, 2M in the guest */
	KxGuestOptions guest;
	guint32 ring_pages; /* size of the sample ring in pages of 4 KiB; 0: computed from the VM's memory */
	gint64 wait_ns; /* time for the guest to answer; -1: see patience.h */
	struct {
		int mode;	 /* KxDirtyRateMode */
		guint32 seconds; /* of a measurement */
	} dirty_rate;
	KxLogVia log_via;
} KxOptions;

/* Defaults: tracker off, interval 1s, 4K, all RAM, any CPU, flush scope: the tracker's default (pass). */
void kx_options_init(KxOptions *o);

/*
 * Sets one key from text. The message names key, value and what is accepted.
 * Set keys in the order of kx_option_keys, "tracker" first: an earlier option that
 * does not apply to the new tracker, or conflicts with the new value, returns to its
 * default. If such an option is set afterwards, kx_options_check finds the conflict.
 */
gboolean kx_options_set(KxOptions *o, const char *key, const char *value, GError **error);

/* Whole-set check after all keys are set. */
gboolean kx_options_check(const KxOptions *o, GError **error);

/* A key that a user may give: on the command line, in the configuration file, over D-Bus. */
typedef struct {
	const char *key;
	const char *value; /* name of the value in help; "yes|no": the value may be omitted */
	const char *help;
	gboolean at_attach; /* valid as long as the VM is attached; cannot be set later */
	guint needs;	    /* KX_CAN_*: trackers without them refuse the key; 0: all accept it */
	const char *lack;   /* what these trackers lack: "does not flush" */
	gsize offset, size; /* of its members in KxOptions, which have the default if not set */
	gboolean (*set)(KxOptions *o, const char *key, const char *value, GError **error);
	char *(*text)(const KxOptions *o); /* NULL result: the default, not written */
	/* Whether the value fits the keys before it in the table; if not, it returns to its default when these are set. NULL: yes */
	gboolean (*fits)(const KxOptions *o);
} KxOptionKey;

extern const KxOptionKey kx_option_keys[]; /* in the order to be set in; ends with key NULL */
const KxOptionKey *kx_option_key(const char *key);
/* The keys of the options that @t takes and that can be set later, in words: "interval, granularity, …"; "": none. */
char *kx_option_keys_of(const KxTrackerRow *t);

/* Number of passes per aggregation; 0: the module's default. */
guint32 kx_options_aggregation_passes(const KxOptions *o);
/* Whether entries that were not accessed are skipped: requested, and possible. */
gboolean kx_options_skips(const KxOptions *o);
/* KX_PART_BIT(): parts of the account that the tracker has by itself, or with these options. */
guint kx_options_parts(const KxOptions *o);

/* Canonical text of the options that matter to the tracker ("interval=100ms granularity=4K …"); "" for off. */
char *kx_options_to_string(const KxOptions *o);

/* Fills the module's structure, which may point into @o. The caller fills in pages by heat. */
void kx_options_to_uapi(const KxOptions *o, struct kvm_ext_tracker *t);

/*
 * Size of the ring, in pages, for a VM of @ram_pages: the requested size, or enough for a pass that finds every other page of
 * the memory, within bounds.
 */
guint32 kx_options_ring_pages(const KxOptions *o, guint64 ram_pages);

#endif /* KX_OPTIONS_H */
