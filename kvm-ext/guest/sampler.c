// SPDX-License-Identifier: GPL-2.0-only
/* The table of samplers. */
#include <linux/kernel.h>

#include "sampler.h"

static const struct kx_sampler *const samplers[] = {
	&kx_sampler_events,
	&kx_sampler_abit,
};

const struct kx_sampler *kx_sampler_by_id(u32 id)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(samplers); i++) {
		if (samplers[i]->id == id)
			return samplers[i];
	}
	return NULL;
}
