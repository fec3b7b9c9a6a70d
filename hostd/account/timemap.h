/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heat over time, as one tracker's samples come: the builder of a KxAccessMap. Memory is bounded by the map's rows and columns;
 * in addition, the pages of the current pass and of the pass before it are kept as sets (gfnset.h), to know how the working set
 * changes. The work of a pass grows with the records that it has found, and at its end with the memory of these sets.
 */
#ifndef KX_TIMEMAP_H
#define KX_TIMEMAP_H

#include <glib.h>

#include <kvm-ext/uapi.h>

#include "model/accessmap.h"

typedef enum {
	KX_TIMEMAP_PAGES, /* each pass looks at each page */
	KX_TIMEMAP_REGIONS, /* one page stands for its region; an aggregation is reported after several passes */
	KX_TIMEMAP_AGGREGATES, /* the same, and each pass is an aggregation */
	KX_TIMEMAP_EVENTS,     /* single accesses are reported */
} KxTimeMapKind;

typedef struct _KxTimeMap KxTimeMap;

/* @origin_ns: CLOCK_MONOTONIC at the begin of the time axis. @apart: reads and writes are told apart. */
KxTimeMap *kx_timemap_new(KxTimeMapKind kind, gboolean apart, guint64 last_gfn, guint64 origin_ns);
void kx_timemap_free(KxTimeMap *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxTimeMap, kx_timemap_free)
void kx_timemap_grow(KxTimeMap *m, guint64 last_gfn);
KxTimeMapKind kx_timemap_kind(const KxTimeMap *m);

/* Samples of the current pass; they count when kx_timemap_end_pass() is called, and no result shows them before. */
void kx_timemap_add(KxTimeMap *m, guint64 gfn, guint64 npages);
void kx_timemap_add_bits(KxTimeMap *m, guint64 gfn, const guint64 *bits, gsize nwords);
void kx_timemap_add_regions(KxTimeMap *m, const struct kvm_ext_rec_regions *r,
			    const struct kvm_ext_region *regions);
/* @accesses: the total, spread evenly over the pages. */
void kx_timemap_add_events(KxTimeMap *m, guint64 gfn, guint64 npages, guint64 accesses,
			   gboolean writes);
/* The current pass does not count. */
void kx_timemap_drop_pass(KxTimeMap *m);
void kx_timemap_end_pass(KxTimeMap *m, const struct kvm_ext_rec_pass_end *r);
/* The tracker stops, or another setting of it starts: the next pass is not compared with the last one. */
void kx_timemap_rest(KxTimeMap *m);

/* The caller fills in what identifies the tracker. @realtime_ns: CLOCK_REALTIME - CLOCK_MONOTONIC. */
KxAccessMap *kx_timemap_report(const KxTimeMap *m, gint64 realtime_ns);
gsize kx_timemap_bytes(const KxTimeMap *m);

#endif /* KX_TIMEMAP_H */
