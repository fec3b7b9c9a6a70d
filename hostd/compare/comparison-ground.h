/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What conclusions are computed from (comparison-ground.c): the windows of the settings that ran, and figures over rounds. Rows
 * (comparison-rows.c), and of what their slowdown consists (comparison-parts.c).
 */
#ifndef KX_COMPARISON_GROUND_H
#define KX_COMPARISON_GROUND_H

#include "comparison.h"
#include "compare/estimate.h"
#include "compare/trial.h"

#define KX_REFERENCE 0u

/* The input of all rows. */
typedef struct {
	const KxComparison *c;
	guint first_vm, vms;
	GArray *active; /* guint: indices of the comparison's settings that ran */
	KxTrial trial;	/* time per unit of work; its arrays are ours */
	double *values;
	guint *positions, *before;
	guint known; /* of comparison-parts.c: bits of the parts that are known of a setting */
	/* of comparison-misses.c, by kx_ground_misses() */
	double ns_per_miss;
	const char *
		no_misses; /* why 0 misses are not the guests' own; NULL: what was counted is true */
} KxGround;

/* Work per ns of running time; NAN: not known. */
double kx_ground_rate(const KxStretch *s);
/* The window of a setting that ran (index into @active); NULL: it was not measured. */
const KxStretch *kx_ground_stretch(const KxGround *g, guint vm, guint round, guint active);
/* @vm: as in kx_comparison_rows(). */
void kx_ground_init(KxGround *g, const KxComparison *c, guint vm);
void kx_ground_clear(KxGround *g);

KxFigure kx_ground_figure(const KxEstimate *e);
/* A numerator or denominator of a figure, for one window; NAN: not known. */
typedef double (*KxGroundFunc)(const KxGround *g, const KxStretch *s, guint vm, guint round);

/* Sum of @above / sum of @below, over rounds; @na: the reason if no window has a value. */
KxFigure kx_ground_quotient(const KxGround *g, guint k, KxGroundFunc above, KxGroundFunc below,
			    const char *na);

/* --- what a slowdown consists of (comparison-parts.c) ---------------------------------------------------------------- */

/* The slowdown of @row must be there. */
void kx_fill_parts(const KxGround *g, guint k, KxComparedRow *row);

/* --- cache misses (comparison-misses.c) ------------------------------------------------------------------------------- */

/* What the figures of all rows have in common. Call this before the first of them. */
void kx_ground_misses(KxGround *g);
void kx_fill_misses(const KxGround *g, guint k, KxComparedRow *row);

#endif /* KX_COMPARISON_GROUND_H */
