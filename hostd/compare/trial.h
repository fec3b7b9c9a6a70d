/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The measurements of one quantity: a value for each setting in each round of each VM, and the order of the windows. */
#ifndef KX_TRIAL_H
#define KX_TRIAL_H

#include <glib.h>

#include "compare/design.h"

/**
 * struct KxTrial - the table
 * @settings: number of settings
 * @rounds: number of rounds that were begun
 * @vms: number of VMs; for a single VM, point the arrays at its part and set 1
 * @values: [(vm * rounds + round) * settings + setting]; above 0. NAN: missing
 * @positions: likewise, the position of the window in the round; NULL: not known, drift is not removed
 * @before: likewise, the setting that this VM ran directly before, KX_NO_SETTING: none or not known; NULL: never known,
 *	carry-over is neither tested nor removed
 *
 * Values that are 0 or less have no logarithm and count as missing: for values that may be 0, use kx_estimate_quotient().
 */
typedef struct {
	guint settings, rounds, vms;
	const gdouble *values;
	const guint *positions, *before;
} KxTrial;

/* Index into the arrays of a trial. */
gsize kx_trial_index(const KxTrial *t, guint vm, guint round, guint setting);

/* Fills @positions and @before, arrays of a trial of that size, from a design that was run unchanged. @together: see design.h */
void kx_trial_order(const KxDesign *d, guint vms, gboolean together, guint *positions,
		    guint *before);

/* The logarithm of a value; NAN: the value is missing, or has no logarithm. */
gdouble kx_trial_log(const KxTrial *t, gsize index);

#endif /* KX_TRIAL_H */
