/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heat over time: what a tracker found in each stretch of time (a row) in each stretch of guest-physical memory (a column), and
 * how large the working set was. Both axes are bounded: if there would be more rows or columns than the limits below, the
 * stretches become twice as long, so a map always covers the whole time in which its tracker ran.
 */
#ifndef KX_ACCESSMAP_H
#define KX_ACCESSMAP_H

#include <glib.h>

#define KX_ACCESS_ROWS_MAX    256u
#define KX_ACCESS_COLUMNS_MAX 256u
#define KX_ACCESS_SIZES_MAX   1024u
#define KX_ACCESS_AGES_MAX    256u
/* Blocks of 2 MiB by the number of their pages that were used: 1, 2-3, 4-7, … 256-511, 512. */
#define KX_ACCESS_BLOCK_CLASSES 10u
#define KX_ACCESS_BLOCK_PAGES	512u

/* What the number of a cell counts. */
#define KX_ACCESS_PAGES \
	"pages" /* pages found, summed over the looks: a page at most once per look */
#define KX_ACCESS_EVENTS "accesses" /* faults or events: each is one access */

typedef struct {
	guint64 bin;	/* the row's time begins at the map's origin + bin × bin_ns */
	guint32 passes; /* number of passes that ended in this time; with regions: of aggregations */
	guint64 looks; /* how often each page was looked at: passes; with regions: checks; 0: a page is not looked at */
	guint64 lost; /* samples that did not fit in the ring, of unknown pages */
	/* the working set: sum, least and most of the pages found in one pass */
	guint64 found, found_min, found_max;
	/* pairs of passes, one directly after the other: pages found in the first of them, and of these again in the second */
	guint32 pairs;
	guint64 before, stayed;
	guint64 blocks; /* of 2 MiB with at least one page found, summed over the passes */
	GArray *cells;	/* guint64, one for each column */
	GArray *writes; /* guint64, the part of the cells that were writes; NULL: not distinguished */
} KxAccessRow;

/* Columns that follow each other: numbers of bins of bin_pages pages. Memory without a column was never found. */
typedef struct {
	guint64 first, n;
} KxAccessColumns;

typedef struct {
	char *tracker, *options, *mechanism; /* as in KxHeatMap */
	gboolean running;
	char *unit; /* KX_ACCESS_PAGES or KX_ACCESS_EVENTS */
	char *kind; /* what the tracker finds: "touched", "written", or "apart" if rows have writes */
	char *partial;	/* why the map does not cover all memory; NULL: it does */
	char *unseen;	/* what existed that the tracker cannot see; NULL: nothing known */
	char *size_na;	/* why the working set's size is not known; NULL: it is */
	char *pairs_na; /* why the change of the working set is not known; NULL: it is */
	guint64 leaf_bytes; /* half of the pages found were in leaves of this size or larger; 0: not known */
	gint64 origin_realtime_ns;
	guint64 bin_ns, bin_pages;
	/* mean time from the begin of a pass to the begin of the next; 0: not known. The map shows nothing shorter. */
	guint64 interval_ns;
	GArray *columns;    /* KxAccessColumns, ascending */
	guint32 columns_nr; /* number of columns in all entries */
	GPtrArray *
		rows; /* KxAccessRow, ascending by bin; times without a row had no pass of this tracker */
	/* pages found per pass, in order of time: of each @sizes_every-th pass */
	GArray *sizes; /* guint64 */
	guint32 sizes_every;
	/*
	 * For how long pages had not been found when the last pass ended: ages in ascending order, and the number of pages with
	 * each. Pages that were never found are not among them.
	 */
	GArray *ages_ns, *age_pages; /* guint64 */
	char *ages_na;		     /* why ages are not known; NULL: they are */
	guint64 age_grain;	     /* how many pages share one age, that of the page found last */
	guint64 first_end_ns,
		last_end_ns; /* from the map's origin: when the first and the last pass ended */
	/* blocks of 2 MiB with pages found, summed over the passes, by the number of these pages */
	guint64 block_use[KX_ACCESS_BLOCK_CLASSES];
} KxAccessMap;

/* A part of the guest's memory: its begin and end are borders of memory slots. */
typedef struct {
	guint64 gfn, npages;
} KxAccessPart;

typedef struct {
	GArray *parts;	 /* KxAccessPart, ascending; empty: @parts_na says why */
	char *parts_na;	 /* NULL: they are known */
	GPtrArray *maps; /* KxAccessMap, ordered by last use, the latest at the end */
	char *na;	 /* why nothing is known; NULL: it is */
} KxOverTime;

KxAccessRow *kx_access_row_new(void);
void kx_access_row_free(gpointer row);
KxAccessMap *kx_access_map_new(void);
void kx_access_map_free(KxAccessMap *m);
KxOverTime *kx_over_time_new(void);
/* An over-time report without any data: @why is the reason. Takes @why. */
KxOverTime *kx_over_time_unknown(char *why);
KxOverTime *kx_over_time_copy(const KxOverTime *t);
void kx_over_time_free(KxOverTime *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxAccessMap, kx_access_map_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxOverTime, kx_over_time_free)

const KxAccessRow *kx_access_row(const KxAccessMap *m, guint i);
guint64 kx_access_cell(const KxAccessRow *r, guint column);
/* The first page of a column. */
guint64 kx_access_column_gfn(const KxAccessMap *m, guint column);
/*
 * The time, in seconds, in which the accesses happened that a row's passes found: each pass finds what happened since the pass before.
 * If passes are longer than rows, this is much more than the row's own time.
 */
double kx_access_row_seconds(const KxAccessMap *m, const KxAccessRow *r);
/*
 * The time that row @i represents, from the map's origin: the row's own time, and before it the time that its first pass reaches back,
 * as far as no other row is there.
 */
void kx_access_row_time(const KxAccessMap *m, guint i, guint64 *from_ns, guint64 *until_ns);
/*
 * The share of the column's pages that a look found (0 to 1); for accesses, accesses per second and page. NAN: nothing was
 * looked at in this row.
 */
double kx_access_heat(const KxAccessMap *m, const KxAccessRow *r, guint column);
/* Heat is the count of a cell times this; 0: nothing was looked at. */
double kx_access_row_factor(const KxAccessMap *m, const KxAccessRow *r);
gboolean kx_access_counts_pages(const KxAccessMap *m); /* KX_ACCESS_PAGES, not events */
/* As kx_heat_map_label(). */
char *kx_access_map_label(const KxAccessMap *m);
/* The map to show first: of the running tracker, else the last one with rows; NULL: none. */
const KxAccessMap *kx_access_main_map(const KxOverTime *t);

gsize kx_over_time_bytes(const KxOverTime *t); /* its memory, in all its large parts */

#endif /* KX_ACCESSMAP_H */
