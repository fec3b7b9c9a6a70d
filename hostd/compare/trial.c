/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trial.h"

#include <math.h>

gsize kx_trial_index(const KxTrial *t, guint vm, guint round, guint setting)
{
	return ((gsize)vm * t->rounds + round) * t->settings + setting;
}

gdouble kx_trial_log(const KxTrial *t, gsize index)
{
	return t->values[index] > 0 && isfinite(t->values[index]) ? log(t->values[index]) : NAN;
}

void kx_trial_order(const KxDesign *d, guint vms, gboolean together, guint *positions,
		    guint *before)
{
	KxTrial t = { .settings = kx_design_settings(d),
		      .rounds = kx_design_rounds(d),
		      .vms = vms };

	for (guint vm = 0; vm < vms; vm++) {
		guint like = together ? 0 : vm;

		for (guint round = 0; round < t.rounds; round++) {
			for (guint p = 0; p < t.settings; p++) {
				guint setting = kx_design_for_vm(d, like, round, p);
				gsize at = kx_trial_index(&t, vm, round, setting);

				positions[at] = p;
				before[at] = kx_design_before(d, like, round, p);
			}
		}
	}
}
