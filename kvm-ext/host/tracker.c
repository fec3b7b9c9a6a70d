// SPDX-License-Identifier: GPL-2.0-only
/* The table of trackers. */
#include "tracker.h"

static const struct kx_tracker *const trackers[] = {
	&kx_tracker_off,
	&kx_tracker_abit,
	&kx_tracker_abit_flush,
	&kx_tracker_dirty_log,
	&kx_tracker_pml_abit,
	&kx_tracker_ept_walk,
	&kx_tracker_trap,
};

const struct kx_tracker *kx_tracker_by_id(u32 id)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(trackers); i++) {
		if (trackers[i]->id == id)
			return trackers[i];
	}
	return NULL;
}

u64 kx_tracker_mask(void)
{
	u64 mask = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(trackers); i++)
		mask |= BIT_ULL(trackers[i]->id);
	return mask;
}
