/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heat over time, and what is known of the working set, as text and as CSV. */
#ifndef KX_OVERTIME_TEXT_H
#define KX_OVERTIME_TEXT_H

#include <json-glib/json-glib.h>

#include "model/vm.h"

typedef enum {
	KX_COLOURS_NONE,
	KX_COLOURS_256,
	KX_COLOURS_TRUE,
} KxColours;

/* Time to the right, guest-physical memory upwards. */
char *kx_access_map_to_text(const KxVmReport *v, const KxAccessMap *m, guint width, guint height,
			    KxColours colours);
/* Sentences that the reader must know: what passes with this interval cannot show, and more. */
GPtrArray *kx_access_map_notes(const KxAccessMap *m);
/* One line for each cell; @vm: with the name of the VM before. */
void kx_access_map_csv_head(GString *out);
void kx_access_map_to_csv(GString *out, const KxVmReport *v, const KxAccessMap *m);

/* The size of the working set that @share of the passes do not exceed, in pages. NAN: not known. */
double kx_access_size_at(const KxAccessMap *m, double share);

/* A class of ages: from @from_ns on, to the begin of the next class. */
typedef struct {
	guint64 from_ns, until_ns; /* G_MAXUINT64: no end */
	guint64 pages;
} KxAgeClass;
/* 0 to 1 s, 1 to 5 s, … (KxAgeClass); NULL: ages are not known. */
GArray *kx_access_age_classes(const KxAccessMap *m);

/* How much memory is how hot, by the ranges of the classifier: from @heat accesses per page on, to twice as much. */
typedef struct {
	double heat;
	guint64 bytes;
} KxHeatClass;
GArray *kx_heat_classes(const KxHeatMap *m);

/* The working set of the map's tracker. @heat: of the same tracker, NULL: not known. */
char *kx_working_set_to_text(const KxVmReport *v, const KxAccessMap *m, const KxHeatMap *heat,
			     guint width);
/* --idle-age: one column for each map of pages, with what its tracker finds. @only: the tracker; NULL: all. */
char *kx_idle_ages_to_text(const KxVmReport *v, const char *only, guint width);
/* The same as JSON: members of an object that the caller has begun. */
void kx_working_set_add_json(JsonBuilder *b, const KxVmReport *v, const KxAccessMap *m,
			     const KxHeatMap *heat);
/* figure, from, to, value, unit; one line for each number. */
void kx_working_set_csv_head(GString *out);
void kx_working_set_to_csv(GString *out, const KxVmReport *v, const KxAccessMap *m,
			   const KxHeatMap *heat);

#endif /* KX_OVERTIME_TEXT_H */
