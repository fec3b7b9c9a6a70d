/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A window: one stretch of time of a VM with one tracker setting, and what was counted in it. */
#ifndef KX_WINDOW_H
#define KX_WINDOW_H

#include <glib.h>

#include "parts.h"

typedef struct {
	guint64 gfn, npages;
	guint32 as_id;
	guint32 accesses; /* checks that found their page accessed */
	guint32 age;	  /* aggregations since that last changed much */
} KxRegion;

/* What an aggregation found. */
typedef struct {
	guint64 aggregation; /* from 0 in its window */
	guint32 checks;	     /* of each region */
	guint32 total;	     /* regions there were: of more than are kept, these are the hottest */
	GArray *list;	     /* KxRegion, by address space and gfn */
} KxRegions;

KxRegions *kx_regions_new(void);
KxRegions *kx_regions_copy(const KxRegions *r); /* NULL: NULL */
void kx_regions_free(KxRegions *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxRegions, kx_regions_free)
/* Hottest first: by accesses, then the larger, then the older one. Of KxRegion. */
GArray *kx_regions_ranked(const KxRegions *r);
void kx_regions_sort(KxRegions *r); /* by address space and gfn */

/* A stretch in which the VM did not run. Host CLOCK_REALTIME. */
typedef struct {
	gint64 from_ns, until_ns;
} KxPause;

#define KX_PAUSES_KEPT 256u /* of a window: the latest */

/* Its members are in window.def, those of parts in part-*.def. */
typedef struct {
#define PART(id, name, has, none, heading, manual) gboolean has;
#define STAT(type, member, source)		   KX_TYPE_##type member;
#define TOLD(type, member, source)		   KX_TYPE_##type member;
#define KEPT(type, member)			   KX_TYPE_##type member;
#define KEPT_NA(type, member, na)		   KX_TYPE_##type member;
#define LATER(type, member, source) \
	KX_TYPE_##type member;      \
	char *member##_na;
#include "model/window.def"
	GArray *pauses;	    /* KxPause, in order; NULL: none */
	KxRegions *regions; /* of the last aggregation; NULL: regions_na says why */
} KxWindow;

KxWindow *kx_window_new(void);
KxWindow *kx_window_copy(const KxWindow *w);
void kx_window_free(KxWindow *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxWindow, kx_window_free)

/* A copy of @from, which may be NULL, in place of what *@to was. */
void kx_set_text(char **to, const char *from);

/* Time of the window in which the VM ran, and of that in which the tracker was at work: what rates are of. */
double kx_window_run_ns(const KxWindow *w);
double kx_window_tracked_ns(const KxWindow *w);
/* The VMM had the log for a part of it. */
gboolean kx_window_was_yielded(const KxWindow *w);
/* How the window's tracker works there: the dirty log's mechanism, or the event that a guest samples; NULL: neither. */
const char *kx_window_mechanism(const KxWindow *w);
/* "dirty-log (pml)": the tracker, and the mechanism where one is known. */
char *kx_tracker_label(const char *tracker, const char *mechanism);

#endif /* KX_WINDOW_H */
