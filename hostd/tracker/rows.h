/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trackers that users may ask for: a row each, with what the tracker can do, and what it finds. */
#ifndef KX_ROWS_H
#define KX_ROWS_H

#include <glib.h>

#include <kvm-ext/uapi.h>

#include "blind.h"
#include "model/parts.h"

/* What a tracker can do, and so which options mean something to it. */
enum {
	KX_CAN_PASS = 1 << 0,	   /* has passes */
	KX_CAN_FLUSH = 1 << 1,	   /* flushes the guest's TLB */
	KX_CAN_NOT_FLUSH = 1 << 2, /* or leaves that out */
	KX_CAN_LOG = 1 << 3,	   /* works on the dirty log */
	KX_CAN_ABITS = 1 << 4,	   /* tests accessed bits, of which stale TLB entries leave none */
	KX_CAN_REGIONS = 1 << 5,
	KX_CAN_SKIP = 1 << 6,
	KX_CAN_TRAP = 1 << 7,
	KX_CAN_GUEST = 1 << 8,	/* runs in the guest, behind a channel */
	KX_CAN_EVENTS = 1 << 9, /* there, on sampled events */
	KX_CAN_SCAN = 1 << 10,	/* there, on the guest's own page tables */
	KX_CAN_FIND = 1 << 11,	/* finds something that heat can be made of */
	KX_CAN_TIME = 1 << 12,	/* begins its passes by itself, one an interval */
	KX_CAN_CPU = 1 << 13,	/* runs them on a CPU that was named */
	KX_CAN_RANGE = 1 << 14, /* looks at a part of the memory only */
	KX_CAN_2M = 1 << 15,	/* looks at 2 MiB at a time if it is told to */
	KX_CAN_ALONE = 1 << 16, /* runs where the host's module is not loaded */
	KX_CAN_VMM =
		1 << 17, /* works on the VMM's address space: it wants the layout of the memory */
};

/* What the guest did with a page. */
typedef enum {
	KX_SEEN_NONE,
	KX_SEEN_TOUCHED, /* read it or wrote it */
	KX_SEEN_WRITTEN,
} KxSeen;

/* What a tracker can find of what the guest does: what its recall and its precision are shares of. */
typedef struct {
	KxSeen finds; /* all pages with this, unless it misses them; NONE: @no_recall says why */
	KxSeen says;  /* and of a page found, that this is so */
	const char *no_recall;
	const char *recall; /* footnote of that figure, one clause; NULL: it is what one expects */
	const char *precision;
} KxSees;

/* What the field calls it. */
typedef struct {
	const char *name;    /* "abit-flush" */
	const char *summary; /* one line, for help and completion */
	int module_id;	     /* enum kvm_ext_tracker_id; -1: not the module's */
	guint can;	     /* KX_CAN_* */
	guint parts;	     /* KX_PART_BIT(): what its account has that others have not */
	KxSees sees;
	guint blind; /* KX_BLIND_*: what it cannot see */
	/* Another row's name: this one is that tracker where the dirty log works by @mechanism, and is refused elsewhere. */
	const char *means;
	enum kvm_ext_log_mechanism mechanism;
} KxTrackerRow;

extern const KxTrackerRow kx_trackers[]; /* ends with name NULL */
/* As it stands in the table; only kx_options_set follows @means. */
const KxTrackerRow *kx_tracker_by_name(const char *name);
/* Names of those that can do all of @can, "a, b, c". */
char *kx_trackers_that(guint can);

#endif /* KX_ROWS_H */
