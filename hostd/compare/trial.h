/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was measured of one quantity: a value for each setting in each round of each VM, and in which order that was. */
#ifndef KX_TRIAL_H
#define KX_TRIAL_H

#include <glib.h>

#include "compare/design.h"

/**
 * struct KxTrial - the table
 * @settings: how many
 * @rounds: that were begun
 * @vms: how many; to see one VM by itself, point at its part and say 1
 * @values: [(vm * rounds + round) * settings + setting]; above 0. NAN: missing
 * @positions: likewise, when in the round the window was; NULL: not known, drift is not taken out
 * @before: likewise, the setting that this VM ran directly before, KX_NO_SETTING: none or not known; NULL: not known of any,
 *	carry-over is neither tested nor taken out
 *
 * Values that are 0 or less have no logarithm and count as missing: for what may be 0, use kx_estimate_quotient().
 */
typedef struct {
	guint settings, rounds, vms;
	const gdouble *values;
	const guint *positions, *before;
} KxTrial;

/* Index into the arrays of a trial. */
gsize kx_trial_index(const KxTrial *t, guint vm, guint round, guint setting);

/* Fills @positions and @before, arrays of a trial of that size, from a design that was run as it is. @together: see design.h */
void kx_trial_order(const KxDesign *d, guint vms, gboolean together, guint *positions,
		    guint *before);

/* The logarithm of a value; NAN: missing, or it has none. */
gdouble kx_trial_log(const KxTrial *t, gsize index);

#endif /* KX_TRIAL_H */
