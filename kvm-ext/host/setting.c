// SPDX-License-Identifier: GPL-2.0-only
/* The checks of a setting. Each check is a function and a row of the table. */
#include <linux/cpumask.h>
#include <linux/kernel.h>

#include "setting.h"
#include "slots.h"
#include "trace.h"
#include "tracker.h"
#include "vm.h"

static bool setting_has_no_tracker(const struct kvm_ext_tracker *t,
				   const struct kx_tracker *tracker)
{
	return !tracker;
}

static bool setting_has_reserved(const struct kvm_ext_tracker *t, const struct kx_tracker *tracker)
{
	return t->reserved || t->reserved2;
}

static bool setting_has_other_flags(const struct kvm_ext_tracker *t,
				    const struct kx_tracker *tracker)
{
	return t->flags & ~tracker->flags;
}

/* --- what is examined ------------------------------------------------------------- */

static bool setting_has_bad_granularity(const struct kvm_ext_tracker *t,
					const struct kx_tracker *tracker)
{
	return t->granularity && t->granularity != KVM_EXT_GRANULARITY_4K &&
	       t->granularity != KVM_EXT_GRANULARITY_2M;
}

static bool setting_has_large_pages(const struct kvm_ext_tracker *t,
				    const struct kx_tracker *tracker)
{
	return t->granularity == KVM_EXT_GRANULARITY_2M && tracker->pages_only;
}

static bool setting_has_only_first(const struct kvm_ext_tracker *t,
				   const struct kx_tracker *tracker)
{
	return !t->npages && t->first_gfn;
}

static bool setting_range_wraps(const struct kvm_ext_tracker *t, const struct kx_tracker *tracker)
{
	return t->first_gfn + t->npages < t->first_gfn;
}

/* --- when and where ----------------------------------------------------------------- */

static bool setting_is_within(u64 value, u64 min, u64 max)
{
	return value >= min && value <= max;
}

static bool setting_has_bad_interval(const struct kvm_ext_tracker *t,
				     const struct kx_tracker *tracker)
{
	return t->interval_ns && !setting_is_within(t->interval_ns, KVM_EXT_INTERVAL_MIN_NS,
						    KVM_EXT_INTERVAL_MAX_NS);
}

static bool setting_has_bad_cpu(const struct kvm_ext_tracker *t, const struct kx_tracker *tracker)
{
	return t->cpu < -1 || (t->cpu >= 0 && (t->cpu >= nr_cpu_ids || !cpu_online(t->cpu)));
}

/* --- flush -------------------------------------------------------------------------- */

static bool setting_has_bad_scope(const struct kvm_ext_tracker *t,
				  const struct kx_tracker *tracker)
{
	return t->flush_scope > KVM_EXT_FLUSH_NONE;
}

static bool setting_has_other_scope(const struct kvm_ext_tracker *t,
				    const struct kx_tracker *tracker)
{
	return t->flush_scope && !(tracker->flush_scopes & BIT(t->flush_scope));
}

static bool setting_has_batch_alone(const struct kvm_ext_tracker *t,
				    const struct kx_tracker *tracker)
{
	return t->batch_pages && t->flush_scope != KVM_EXT_FLUSH_BATCH;
}

/* --- regions ------------------------------------------------------------------------ */

static bool setting_has_part_of_regions(const struct kvm_ext_tracker *t,
					const struct kx_tracker *tracker)
{
	return !t->regions_max && (t->regions_min || t->aggregation_passes);
}

static bool setting_cannot_probe(const struct kvm_ext_tracker *t,
				 const struct kx_tracker *tracker)
{
	return t->regions_max && !tracker->probe;
}

static bool setting_has_bad_regions(const struct kvm_ext_tracker *t,
				    const struct kx_tracker *tracker)
{
	return t->regions_max && (!setting_is_within(t->regions_min, 1, t->regions_max) ||
				  t->regions_max > KVM_EXT_REGIONS_MAX);
}

static bool setting_has_stale_regions(const struct kvm_ext_tracker *t,
				      const struct kx_tracker *tracker)
{
	return t->regions_max && t->flags & KVM_EXT_SET_STALENESS;
}

/* With regions, single pages are tested, so there is no granularity to choose. */
static bool setting_has_large_regions(const struct kvm_ext_tracker *t,
				      const struct kx_tracker *tracker)
{
	return t->regions_max && t->granularity == KVM_EXT_GRANULARITY_2M;
}

/* --- traps -------------------------------------------------------------------------- */

static bool setting_has_other_traps(const struct kvm_ext_tracker *t,
				    const struct kx_tracker *tracker)
{
	return !tracker->traps && (t->trap_share_ppm || t->trap_faults_per_s || t->trap_time_ppm ||
				   t->ranges || t->nr_ranges);
}

static bool setting_has_bad_share(const struct kvm_ext_tracker *t,
				  const struct kx_tracker *tracker)
{
	return t->trap_share_ppm > 1000000 || t->trap_time_ppm > 1000000;
}

static bool setting_has_many_faults(const struct kvm_ext_tracker *t,
				    const struct kx_tracker *tracker)
{
	return t->trap_faults_per_s > KVM_EXT_TRAP_FAULTS_MAX;
}

static bool setting_has_many_ranges(const struct kvm_ext_tracker *t,
				    const struct kx_tracker *tracker)
{
	return t->nr_ranges > KVM_EXT_RANGES_MAX;
}

static bool setting_has_half_a_list(const struct kvm_ext_tracker *t,
				    const struct kx_tracker *tracker)
{
	return !t->ranges != !t->nr_ranges;
}

/* The order matters: only the first check may be called without a tracker. */
static const struct check {
	bool (*is_bad)(const struct kvm_ext_tracker *t, const struct kx_tracker *tracker);
	const char *reason;
} checks[] = {
	{ setting_has_no_tracker, "there is no such tracker" },
	{ setting_has_reserved, "a reserved field is not zero" },
	{ setting_has_other_flags, "a flag that the tracker does not know" },
	{ setting_has_bad_granularity, "a granularity other than 4K and 2M" },
	{ setting_has_large_pages, "the tracker has no granularity of 2M" },
	{ setting_has_only_first, "a first page without a number of pages" },
	{ setting_range_wraps, "the range ends before it begins" },
	{ setting_has_bad_interval, "the interval is out of its bounds" },
	{ setting_has_bad_cpu, "no such CPU, or it is not online" },
	{ setting_has_bad_scope, "there is no such flush scope" },
	{ setting_has_other_scope, "a flush scope that the tracker does not have" },
	{ setting_has_batch_alone, "a batch size without flush scope batch" },
	{ setting_has_part_of_regions, "fields of regions without a number of regions" },
	{ setting_cannot_probe, "the tracker has no regions" },
	{ setting_has_bad_regions, "the numbers of regions are out of their bounds" },
	{ setting_has_stale_regions, "staleness is not measured with regions" },
	{ setting_has_large_regions, "regions are tested by pages of 4K" },
	{ setting_has_other_traps, "fields of traps for another tracker than trap" },
	{ setting_has_bad_share, "a share of more than 1000000 ppm" },
	{ setting_has_many_faults, "a limit of faults per second above the maximum" },
	{ setting_has_many_ranges, "more ranges than the maximum" },
	{ setting_has_half_a_list, "a list of ranges without its length, or only the length" },
};

int kx_setting_check(const struct kvm_ext_tracker *t, const struct kx_tracker *tracker)
{
	const struct check *check;

	for (check = checks; check < checks + ARRAY_SIZE(checks); check++) {
		if (check->is_bad(t, tracker)) {
			trace_kvm_ext_refused(check->reason);
			return -EINVAL;
		}
	}
	return 0;
}

/* --- against the VM ------------------------------------------------------------------ */

static bool setting_holds_ram(struct kx_vm *vm, const struct kx_slots *slots,
			      const struct kvm_ext_range *range)
{
	const struct kx_extent *x;
	int as_id;

	for (as_id = 0; as_id < kx_nr_address_spaces(vm->kvm); as_id++) {
		x = kx_slots_from(slots, as_id, range->gfn);
		if (x && x->as_id == as_id && x->gfn < range->gfn + range->npages)
			return true;
	}
	return false;
}

int kx_setting_check_range(const struct kx_setting *setting, struct kx_vm *vm)
{
	const struct kvm_ext_tracker *t = &setting->cfg;
	struct kvm_ext_range whole = { .gfn = t->first_gfn, .npages = t->npages };
	u32 nr = setting->ranges ? t->nr_ranges : 1;
	struct kx_slots slots = {};
	bool found = !whole.npages && !setting->ranges;
	int err;
	u32 i;

	if (found)
		return 0;
	err = kx_slots_take(&slots, vm);
	if (err)
		return err;
	for (i = 0; i < nr && !found; i++)
		found = setting_holds_ram(vm, &slots,
					  setting->ranges ? &setting->ranges[i] : &whole);
	kx_slots_drop(&slots);
	return found ? 0 : -ERANGE;
}
