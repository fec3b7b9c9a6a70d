/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How hot memory is, as each tracker saw it last, and how far trackers agree. */
#ifndef KX_HEATMAP_H
#define KX_HEATMAP_H

#include <glib.h>

/* A part of memory as the range classifier of a tracker's samples has it (kvm-ext/common/ranges.h). */
typedef struct {
	guint64 start, size; /* bytes */
	guint64 accesses;    /* of all epochs: the last counts in full, the one before half, … */
	guint32 age;	     /* epochs since its borders last changed */
	/* bit i: at least half of it is among what map i of the VM says is hottest, up to half of that map's accesses */
	guint32 seen_by;
} KxHeatRange;

/* More maps of a VM than this have no bit in seen_by. */
#define KX_HEAT_SEEN_MAX 32u

/* How hot memory is, as one tracker saw it last. */
typedef struct {
	char *tracker, *options;
	char *mechanism; /* as of a row, or "regions" */
	char *process;	 /* of the guest, whose addresses these are; NULL: guest-physical memory */
	guint32 pid;	 /* its number in the guest */
	gboolean running;
	char *partial; /* why it does not speak for all memory: "it looked at …"; NULL: it does */
	char *unseen; /* what was there that the tracker cannot see: "nested guests …"; NULL: not known of any */
	guint64 granularity_bytes, epoch_ns;
	guint64 leaf_bytes; /* of leaves of this size, or larger, are half of the pages found; 0: not known */
	guint64 epochs, samples, outside; /* of a process: not told */
	guint64 lost;	    /* more samples that did not fit the ring: where is not known */
	guint64 accesses;   /* decayed, of all ranges */
	guint64 half_bytes; /* of the hottest ranges with half of the accesses */
	guint32 ranges_total, ranges_hot; /* there are; of them with accesses */
	GArray *ranges; /* KxHeatRange, hottest first: those with accesses, or the hottest of these */
} KxHeatMap;

/* Of as many of the hottest pages of either as both can tell, those that are in both. */
typedef struct {
	char *a, *b;	       /* labels of their trackers */
	guint64 bytes, common; /* of each set; in both */
	double f1, jaccard;
	double by_chance; /* F1 of sets as large, chosen at random */
	guint64 samples_a, samples_b;
	char *na; /* why they cannot be compared */
} KxAgreement;

typedef struct {
	GPtrArray *maps;      /* KxHeatMap */
	GPtrArray *agreement; /* KxAgreement, of each two maps of guest-physical memory */
} KxHeatReport;

KxHeatMap *kx_heat_map_new(void);
KxHeatMap *kx_heat_map_copy(const KxHeatMap *m);
void kx_heat_map_free(KxHeatMap *m);
KxHeatReport *kx_heat_report_new(void);
KxHeatReport *kx_heat_report_copy(const KxHeatReport *h);
void kx_heat_report_free(KxHeatReport *h);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxHeatMap, kx_heat_map_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxHeatReport, kx_heat_report_free)

/* Sums of each map (accesses, half_bytes, ranges_hot), who has seen each range, and agreement. @ram_bytes: of the VM. */
void kx_heat_compare(KxHeatReport *h, guint64 ram_bytes);
/* Leaves the hottest @n ranges of each map. */
void kx_heat_trim(KxHeatReport *h, guint n);
/* Accesses for each page of 4 KiB. */
double kx_heat_of_range(const KxHeatRange *r);
/* "abit", "guest-pebs (sw:page-faults, surrogate)" */
char *kx_heat_map_label(const KxHeatMap *m);
/* The map of guest-physical memory to show first: of the tracker that runs, else the last with samples; NULL: none. */
const KxHeatMap *kx_heat_main_map(const KxHeatReport *h);

#endif /* KX_HEATMAP_H */
