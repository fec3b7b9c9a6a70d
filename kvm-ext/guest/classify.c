// SPDX-License-Identifier: GPL-2.0-only
#include <linux/timex.h>

#include "agent.h"
#include "classify.h"
#include "report.h"

void kx_classify(struct kx_agent *a, struct kx_process *p, u64 address, u32 weight)
{
	kx_ranges_add(&p->ranges, address, weight);
	p->samples++;
	a->account.classified++;
	if (!p->raw)
		return;
	p->raw[p->nr_raw++] = (struct kvm_ext_channel_sample){
		.address = address, .tsc = rdtsc_ordered(),
	};
	if (p->nr_raw == KX_RAW_MAX)
		kx_report_raw(a, p);
}
