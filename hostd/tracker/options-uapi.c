// SPDX-License-Identifier: GPL-2.0-or-later
/* Conversion of options into the module's structure. */
#include "options-internal.h"

#include <string.h>

guint kx_options_parts(const KxOptions *o)
{
	return o->tracker->parts | (o->staleness ? KX_PART_BIT(MISSED) : 0) |
	       (o->regions.max ? KX_PART_BIT(REGIONS) : 0);
}

guint32 kx_options_aggregation_passes(const KxOptions *o)
{
	return o->aggregation_ns && o->interval_ns ? (guint32)(o->aggregation_ns / o->interval_ns)
						   : 0;
}

static void trap_to_uapi(const KxOptions *o, struct kvm_ext_tracker *t)
{
	t->trap_share_ppm = o->pages.kind == KX_PAGES_RANDOM ? o->pages.share_ppm : 0;
	t->trap_faults_per_s = o->faults_per_s;
	t->trap_time_ppm = o->vcpu_ppm;
	t->nr_ranges = o->pages.nr;
	t->ranges = o->pages.nr ? (guint64)(guintptr)o->pages.ranges : 0;
}

void kx_options_to_uapi(const KxOptions *o, struct kvm_ext_tracker *t)
{
	guint can = o->tracker->can;

	memset(t, 0, sizeof(*t));
	t->size = sizeof(*t);
	t->tracker = (guint32)o->tracker->module_id;
	t->cpu = -1;
	if (!(can & KX_CAN_PASS))
		return;
	t->granularity = o->granularity;
	t->interval_ns = o->interval_ns;
	t->first_gfn = o->range.first_gfn;
	t->npages = o->range.npages;
	t->cpu = o->cpu;
	t->flags = (can & KX_CAN_SKIP && !o->skip ? KVM_EXT_SET_NO_SKIP : 0) |
		   (o->staleness ? KVM_EXT_SET_STALENESS : 0);
	if (can & KX_CAN_FLUSH) {
		t->flush_scope = kx_options_flush_scope(o);
		t->batch_pages = t->flush_scope == KVM_EXT_FLUSH_BATCH ? o->batch_pages : 0;
	}
	if (o->regions.max) {
		t->regions_min = o->regions.min;
		t->regions_max = o->regions.max;
		t->aggregation_passes = kx_options_aggregation_passes(o);
	}
	if (can & KX_CAN_TRAP)
		trap_to_uapi(o, t);
}
