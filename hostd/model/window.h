/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A window: a period of time in which a VM had one tracker setting, and the counts of this period. */
#ifndef KX_WINDOW_H
#define KX_WINDOW_H

#include <glib.h>

#include "parts.h"
#include "series.h"

typedef struct {
	guint64 gfn, npages;
	guint32 as_id;
	guint32 accesses; /* checks that found their page accessed */
	guint32 age;	  /* number of aggregations since @accesses last changed much */
} KxRegion;

/* The result of an aggregation. */
typedef struct {
	guint64 aggregation; /* number in the window, from 0 */
	guint32 checks;	     /* per region */
	guint32 total;	     /* number of all regions; if @list has fewer, it has the hottest */
	GArray *list;	     /* KxRegion, by address space and gfn */
} KxRegions;

KxRegions *kx_regions_new(void);
KxRegions *kx_regions_copy(const KxRegions *r); /* NULL: NULL */
void kx_regions_free(KxRegions *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxRegions, kx_regions_free)
/* The regions (KxRegion), hottest first: by accesses, then by size, then by age. */
GArray *kx_regions_ranked(const KxRegions *r);
void kx_regions_sort(KxRegions *r); /* by address space and gfn */

/* A time in which the VM did not run. Host CLOCK_REALTIME. */
typedef struct {
	gint64 from_ns, until_ns;
} KxPause;

#define KX_PAUSES_KEPT 256u /* per window: the latest pauses */

/* The members are listed in window.def, members of parts in part-*.def. */
typedef struct {
#define PART(id, name, has, none, heading, manual) gboolean has;
#define STAT(type, member, source)		   KX_TYPE_##type member;
#define TOLD(type, member, source)		   KX_TYPE_##type member;
#define KEPT(type, member)			   KX_TYPE_##type member;
#define KEPT_NA(type, member, na)		   KX_TYPE_##type member;
#define KEPT_LATER(type, member)		   KX_TYPE_##type member;
#define LATER(type, member, source) \
	KX_TYPE_##type member;      \
	char *member##_na;
#define TOLD_LATER(type, member, source) LATER(type, member, source)
#include "model/window.def"
	KxSeries pass_costs; /* over counted passes: y is the cost in ns, x the samples */
	GArray *pauses;	     /* KxPause, in order; NULL: none */
	KxRegions *regions;  /* of the last aggregation; NULL: @regions_na is the reason */
} KxWindow;

KxWindow *kx_window_new(void);
KxWindow *kx_window_copy(const KxWindow *w);
void kx_window_free(KxWindow *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxWindow, kx_window_free)

/* Replaces *@to by a copy of @from, which may be NULL. */
void kx_set_text(char **to, const char *from);

/* Time of the window in which the VM ran; and the part of it in which the tracker worked, by which rates are computed. */
double kx_window_run_ns(const KxWindow *w);
double kx_window_tracked_ns(const KxWindow *w);
/* TRUE: the VMM had the log for a part of the window. */
gboolean kx_window_was_yielded(const KxWindow *w);
/*
 * The mechanism of the window's tracker: of the dirty log, or who reads the log if it is not the module; or the event that a guest
 * samples; NULL: none of them.
 */
const char *kx_window_mechanism(const KxWindow *w);
/* "dirty-log (pml)": the tracker, and its mechanism if known. */
char *kx_tracker_label(const char *tracker, const char *mechanism);

#endif /* KX_WINDOW_H */
