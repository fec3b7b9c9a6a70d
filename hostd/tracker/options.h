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

/* Which pages a trap is set on. */
typedef enum {
	KX_PAGES_ALL, /* of the range, chosen at random as far as the budget goes */
	KX_PAGES_RANDOM,
	KX_PAGES_HOTTEST, /* by what this VM's trackers have found so far */
	KX_PAGES_COLDEST,
	KX_PAGES_LIST,
} KxPagesKind;

/* Ranges that can be named one by one. */
#define KX_OPTIONS_RANGES_MAX 256u

typedef struct {
	KxPagesKind kind;
	guint32 share_ppm; /* of the range's pages; RANDOM, HOTTEST, COLDEST */
	guint32 nr;
	struct kvm_ext_range ranges[KX_OPTIONS_RANGES_MAX]; /* LIST: sorted, apart */
} KxPages;

/* Processes of the guest that can be named, as many numbers and as many names. */
#define KX_OPTIONS_PROCESSES_MAX 16u
#define KX_OPTIONS_PROCESS_NAME	 16u /* with its zero */

/* What a tracker in the guest is told; numbers as in include/kvm-ext/channel.h, 0 for their defaults. */
typedef struct {
	struct {
		guint64 config, config1; /* of a raw one */
		guint64 kind;
	} event;
	guint32 policy;
	guint64 period;
	guint32 budget_ppm;
	gboolean flush;
	struct {
		guint32 nr_pids, nr_names; /* none: those that hold the most memory */
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
		guint32 min, max; /* 0: page by page */
	} regions;
	guint64 aggregation_ns; /* 0: the default number of passes */
	KxPages pages;
	guint32 faults_per_s, vcpu_ppm;	      /* budgets of trap */
	enum kvm_ext_log_mechanism mechanism; /* the only one that will do; UNKNOWN: any */
	guint64 epoch_ns;		      /* of the range classifier; 0: 500 ms */
	guint32 range_order; /* log2 of the smallest range's bytes; 0: 4K on the host, 2M in the guest */
	KxGuestOptions guest;
	guint32 ring_pages; /* of the sample ring, of 4 KiB; 0: by the VM's memory */
	gint64 wait_ns;	    /* for the guest to answer, once; -1: as long as it makes progress */
} KxOptions;

/* Defaults: tracker off, interval 1s, 4K, all RAM, any CPU, flush scope as the tracker has it (pass). */
void kx_options_init(KxOptions *o);

/*
 * Sets one key from text. The message names key, value and what is accepted.
 * Set keys in the order of kx_option_keys, "tracker" first: what was set before
 * and means nothing to the new tracker, or does not go with the new value, goes
 * back to its default; given afterwards it is a conflict that kx_options_check
 * finds.
 */
gboolean kx_options_set(KxOptions *o, const char *key, const char *value, GError **error);

/* Whole-set check after all keys are set. */
gboolean kx_options_check(const KxOptions *o, GError **error);

/* A key that a user may give: on the command line, in the configuration file, over D-Bus. */
typedef struct {
	const char *key;
	const char *value; /* what its value is called in help; "yes|no": may be left out there */
	const char *help;
	gboolean at_attach; /* holds as long as the VM is attached: it cannot be set later */
	guint needs;	    /* KX_CAN_*: trackers without them refuse it; 0: all take it */
	const char *lack;   /* what is to be said of these: "does not flush" */
	gsize offset,
		size; /* of its members in KxOptions, which are the default if it was not given */
	gboolean (*set)(KxOptions *o, const char *key, const char *value, GError **error);
	char *(*text)(const KxOptions *o); /* NULL result: the default, not written */
	/* Whether it goes with what stands before it in the table; if not, it is back at its default once that is set. NULL: yes */
	gboolean (*fits)(const KxOptions *o);
} KxOptionKey;

extern const KxOptionKey kx_option_keys[]; /* in the order to be set in; ends with key NULL */
const KxOptionKey *kx_option_key(const char *key);

/* Passes of an aggregation; 0: the module's default. */
guint32 kx_options_aggregation_passes(const KxOptions *o);
/* Skips what was not used: asked for, and possible. */
gboolean kx_options_skips(const KxOptions *o);
/* KX_PART_BIT(): parts of the account that the tracker has by itself, or with these options. */
guint kx_options_parts(const KxOptions *o);

/* Canonical text of the options that matter to the tracker ("interval=100ms granularity=4K …"); "" for off. */
char *kx_options_to_string(const KxOptions *o);

/* Fills the module's structure, which may point into @o. Pages by heat are the caller's to fill in. */
void kx_options_to_uapi(const KxOptions *o, struct kvm_ext_tracker *t);

/*
 * Pages of the ring for a VM of @ram_pages: what was asked for, or as many as hold a pass that finds every other page of the
 * memory, within bounds.
 */
guint32 kx_options_ring_pages(const KxOptions *o, guint64 ram_pages);

#endif /* KX_OPTIONS_H */
