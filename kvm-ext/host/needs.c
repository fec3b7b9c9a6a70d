// SPDX-License-Identifier: GPL-2.0-only
#include <linux/err.h>

#include "needs.h"
#include "region-pass.h"
#include "setting.h"
#include "tracker.h"

void kx_needs_drop(const struct kx_tracker *tracker, const struct kx_needs *needs)
{
	if (needs->own)
		tracker->cleanup(needs->own);
	kx_region_pass_free(needs->regions);
}

int kx_needs_make(struct kx_vm *vm, const struct kx_tracker *tracker,
		  const struct kx_setting *setting, struct kx_needs *needs)
{
	*needs = (struct kx_needs){};
	if (tracker->setup)
		needs->own = tracker->setup(vm, setting);
	if (IS_ERR(needs->own))
		return PTR_ERR(needs->own);
	if (!setting->cfg.regions_max)
		return 0;
	needs->regions = kx_region_pass_new(vm, &setting->cfg);
	if (!IS_ERR(needs->regions))
		return 0;
	if (needs->own)
		tracker->cleanup(needs->own);
	return PTR_ERR(needs->regions);
}
