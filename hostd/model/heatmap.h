/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heat of memory as each tracker found it last, and the agreement of trackers. */
#ifndef KX_HEATMAP_H
#define KX_HEATMAP_H

#include <glib.h>

/* A range of the classifier of a tracker's samples (kvm-ext/common/ranges.h). */
typedef struct {
	guint64 start, size; /* bytes */
	guint64 accesses; /* of all epochs; weights are 1 for the last epoch, 1/2 for the epoch before, … */
	guint32 age; /* epochs since its borders last changed */
	/* bit i: at least half of the range is among the hottest ranges of map i, which have half of that map's accesses */
	guint32 seen_by;
} KxHeatRange;

/* Number of bits in seen_by; further maps of a VM have no bit. */
#define KX_HEAT_SEEN_MAX 32u

/* Heat of memory as one tracker found it last. */
typedef struct {
	char *tracker, *options;
	char *mechanism; /* as in KxRow, or "regions" */
	char *process; /* addresses are those of this process of the guest; NULL: guest-physical addresses */
	guint32 pid; /* its number in the guest */
	gboolean running;
	char *partial; /* why the map does not cover all memory: "it looked at …"; NULL: it does */
	char *unseen; /* what existed that the tracker cannot see: "nested guests …"; NULL: nothing known */
	guint64 granularity_bytes, epoch_ns;
	guint64 leaf_bytes; /* half of the pages found were in leaves of this size or larger; 0: not known */
	guint64 epochs, samples, outside; /* not known of a process */
	guint64 lost;	    /* samples that did not fit in the ring, of unknown pages */
	guint64 accesses;   /* decayed sum over all ranges */
	guint64 half_bytes; /* size of the hottest ranges that have half of the accesses */
	guint32 ranges_total, ranges_hot; /* number of all ranges; of those with accesses */
	GArray *ranges; /* KxHeatRange, hottest first: ranges with accesses, or the hottest of these */
} KxHeatMap;

/* Agreement of two maps on the hottest pages: two sets of equal size, as large as both maps can resolve. */
typedef struct {
	char *a, *b;	       /* labels of the maps' trackers */
	guint64 bytes, common; /* size of each set; size of the part in both sets */
	double f1, jaccard;
	double by_chance; /* F1 of two random sets of this size */
	guint64 samples_a, samples_b;
	char *na; /* why the maps cannot be compared */
} KxAgreement;

typedef struct {
	GPtrArray *maps;      /* KxHeatMap */
	GPtrArray *agreement; /* KxAgreement, for each pair of maps of guest-physical memory */
} KxHeatReport;

KxHeatMap *kx_heat_map_new(void);
KxHeatMap *kx_heat_map_copy(const KxHeatMap *m);
void kx_heat_map_free(KxHeatMap *m);
KxHeatReport *kx_heat_report_new(void);
KxHeatReport *kx_heat_report_copy(const KxHeatReport *h);
void kx_heat_report_free(KxHeatReport *h);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxHeatMap, kx_heat_map_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxHeatReport, kx_heat_report_free)

/* Computes each map's sums (accesses, half_bytes, ranges_hot), seen_by of each range, and agreement. @ram_bytes: the VM's RAM. */
void kx_heat_compare(KxHeatReport *h, guint64 ram_bytes);
/* Removes all ranges except the hottest @n of each map. */
void kx_heat_trim(KxHeatReport *h, guint n);
/*
 * How many ranges, counted from the hottest, are hot. If all accesses are ordered by the heat of their range, the middle one lies in
 * some range; hot are the ranges with at least half of that range's heat. 0: nothing was accessed. @heat: the limit, in accesses per
 * page.
 */
guint kx_heat_hot_ranges(const KxHeatMap *m, double *heat);
/* Accesses per page of 4 KiB. */
double kx_heat_of_range(const KxHeatRange *r);
/* "abit", "guest-pebs (sw:page-faults, surrogate)" */
char *kx_heat_map_label(const KxHeatMap *m);
/* The map of guest-physical memory to show first: of the running tracker, else the last one with samples; NULL: none. */
const KxHeatMap *kx_heat_main_map(const KxHeatReport *h);

#endif /* KX_HEATMAP_H */
