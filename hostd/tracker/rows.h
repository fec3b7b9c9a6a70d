/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trackers that users may request: one row each, with the tracker's abilities and what the tracker finds. */
#ifndef KX_ROWS_H
#define KX_ROWS_H

#include <glib.h>

#include <kvm-ext/uapi.h>

#include "blind.h"
#include "model/parts.h"

/* What a tracker can do, and thereby which options apply to it. */
enum {
	KX_CAN_PASS = 1 << 0,	   /* has passes */
	KX_CAN_FLUSH = 1 << 1,	   /* flushes the guest's TLB */
	KX_CAN_NOT_FLUSH = 1 << 2, /* can also omit flushes */
	KX_CAN_LOG = 1 << 3,	   /* works on the dirty log */
	KX_CAN_ABITS =
		1 << 4, /* tests accessed bits; accesses through stale TLB entries set none */
	KX_CAN_REGIONS = 1 << 5,
	KX_CAN_SKIP = 1 << 6,
	KX_CAN_TRAP = 1 << 7,
	KX_CAN_GUEST = 1 << 8,	    /* runs in the guest, behind a channel */
	KX_CAN_EVENTS = 1 << 9,	    /* in the guest, on sampled events */
	KX_CAN_SCAN = 1 << 10,	    /* in the guest, on its page tables */
	KX_CAN_FIND = 1 << 11,	    /* finds something from which heat is computed */
	KX_CAN_TIME = 1 << 12,	    /* begins its passes by itself, one per interval */
	KX_CAN_CPU = 1 << 13,	    /* runs passes on a named CPU */
	KX_CAN_RANGE = 1 << 14,	    /* can track only a part of the memory */
	KX_CAN_2M = 1 << 15,	    /* can test 2 MiB at a time */
	KX_CAN_ALONE = 1 << 16,	    /* runs without the host's module */
	KX_CAN_AGGREGATE = 1 << 18, /* always works on regions; a pass is an aggregation of them */
	KX_CAN_VMM = 1 << 17, /* works on the VMM's address space: needs the layout of the memory */
	KX_CAN_RATE = 1 << 20, /* has QEMU measure its dirty rate */
	KX_CAN_TAP = 1 << 21,  /* can also use QEMU's copy of the dirty log */
};

/* What the guest did to a page. */
typedef enum {
	KX_SEEN_NONE,
	KX_SEEN_TOUCHED, /* read or wrote the page */
	KX_SEEN_WRITTEN,
} KxSeen;

/* Which of the guest's pages a tracker can find: recall and precision are shares of these pages. */
typedef struct {
	KxSeen finds; /* looks for all pages of this kind; NONE: @no_recall says why recall is not known */
	KxSeen says; /* each page that it reports is of this kind */
	const char *no_recall;
	const char *recall; /* footnote of recall, one clause; NULL: none is needed */
	const char *precision;
} KxSees;

/* One tracker. */
typedef struct {
	const char *name;	/* "abit-flush" */
	const char *summary;	/* one line, for help and completion */
	int module_id;		/* enum kvm_ext_tracker_id; -1: not the module's */
	guint can;		/* KX_CAN_* */
	guint parts;		/* KX_PART_BIT(): parts of its account that not all trackers have */
	const char *no_pages;	/* why it names no pages, one clause; NULL: it names them */
	const char *no_samples; /* why it counts no samples, one clause; NULL: it counts them */
	KxSees sees;
	guint blind; /* KX_BLIND_*: what it cannot see */
	struct {
		guint64 interval_ns;
		guint32 regions_min, regions_max;
	} defaults; /* 0: the default of all trackers */
	/* Another row's name: this row is that tracker if the dirty log works by @mechanism, and is refused otherwise. */
	const char *means;
	enum kvm_ext_log_mechanism mechanism;
} KxTrackerRow;

extern const KxTrackerRow kx_trackers[]; /* ends with name NULL */
/* The row of that name. */
const KxTrackerRow *kx_tracker_by_name(const char *name);
/* The tracker that the name means; NULL: none has it. */
const KxTrackerRow *kx_tracker_meant(const char *name);
/* A footnote, one clause: memory that others hold for the tracker, and that is not in its figures. NULL: there is none. */
const char *kx_tracker_more_memory(const KxTrackerRow *t);
/* Names of the trackers that can do all of @can, "a, b, c". */
char *kx_trackers_that(guint can);

#endif /* KX_ROWS_H */
