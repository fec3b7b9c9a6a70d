/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A map of heat over time, reduced to the size of a terminal or a picture by adding up neighbouring cells. */
#ifndef KX_HEATGRID_H
#define KX_HEATGRID_H

#include "model/accessmap.h"

/* A line: contiguous memory. Memory in which nothing was found may lie between two lines. */
typedef struct {
	guint64 gfn, npages;
	gboolean gap; /* the line below, with lower addresses, ends before this one begins */
} KxGridLine;

typedef struct {
	guint nx, ny;	  /* columns (time), lines (memory, the lowest first) */
	guint64 start_ns; /* of the first column, from the map's origin */
	guint64 step_ns;  /* of a column */
	GArray *lines;	  /* KxGridLine */
	double *heat;	  /* of column x, line y: [y × nx + x]; NAN: the tracker did not run */
	double max;	  /* the greatest; 0: nothing was found */
} KxHeatGrid;

KxHeatGrid *kx_heat_grid_new(const KxAccessMap *m, guint max_x, guint max_y);
void kx_heat_grid_free(KxHeatGrid *g);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxHeatGrid, kx_heat_grid_free)

#endif /* KX_HEATGRID_H */
