// SPDX-License-Identifier: GPL-2.0-or-later
/* Exactness of the trackers that find accessed bits through the MMU notifier: see exact.h. */
#include <stdlib.h>

#include "exact.h"
#include "tap.h"

int main(void)
{
	static const struct vmm_config config;
	static const struct exact_setup setups[] = {
		{ VMM_SMALL, KVM_EXT_TRACKER_ABIT, KVM_EXT_GRANULARITY_4K, false, 60, 0, 0 },
		{ VMM_SMALL, KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_4K, false, 60, 0, 0 },
		{ VMM_SMALL, KVM_EXT_TRACKER_ABIT, KVM_EXT_GRANULARITY_2M, false, 60, 0, 0 },
		{ VMM_SMALL, KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_4K, true, 50, 0, 0 },
		{ VMM_SMALL, KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_2M, true, 50, 0, 0 },
		{ VMM_THP, KVM_EXT_TRACKER_ABIT, KVM_EXT_GRANULARITY_4K, false, 60, 0, 0 },
		{ VMM_THP, KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_4K, false, 60, 0, 0 },
		{ VMM_THP, KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_2M, false, 50, 0, 0 },
		{ VMM_THP, KVM_EXT_TRACKER_ABIT, KVM_EXT_GRANULARITY_4K, true, 50, 0, 0 },
		{ VMM_HUGETLB, KVM_EXT_TRACKER_ABIT, KVM_EXT_GRANULARITY_4K, false, 50, 0, 0 },
		{ VMM_HUGETLB, KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_GRANULARITY_4K, false, 50, 0,
		  0 },
	};

	srand(1);
	exact_run("", &config, 2, setups, sizeof(setups) / sizeof(setups[0]));
	return tap_end();
}
