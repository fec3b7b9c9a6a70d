// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pass over regions: tests the page that each region watches, and chooses the region's next page.
 * All bits are tested before the first bit is cleared, because several regions may lie in one large
 * leaf, which has only one bit.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "../common/regions.h"
#include "pass.h"
#include "region-pass.h"
#include "slots.h"
#include "tracker.h"
#include "vm.h"

#define BATCH	64u

struct kx_region_pass {
	struct kx_memory *held;
	struct kx_regions regions;
	void *memory;
	u32 room;			/* regions for which @memory and @stretches have room */
	struct kx_stretch *stretches;
	u64 generation;			/* of the memslots, when @stretches was made */
	u64 checks, max_checks, aggregations;
	u64 pass_checks;		/* of the running pass */
	u32 aggregation_passes;
	struct kx_probe probes[BATCH];
	struct kx_region *probed[BATCH];
	u32 nr_probes;
};

/* --- memory --------------------------------------------------------------------- */

/* Finds the smallest number of stretches that the VM's memory in the range consists of. */
static int region_find_stretches(struct kx_region_pass *rp, const struct kx_slots *slots,
				 gfn_t first, gfn_t end, u32 *nr)
{
	struct kx_stretch *last = NULL;
	const struct kx_extent *x;
	gfn_t from, to;

	*nr = 0;
	for (x = slots->extents; x < slots->extents + slots->nr; x++) {
		from = max(first, x->gfn);
		to = min(end, kx_extent_end(x));
		if (from >= to)
			continue;
		if (last && last->as_id == x->as_id && last->gfn + last->npages == from) {
			last->npages += to - from;
			continue;
		}
		if (*nr == rp->regions.max)
			return -E2BIG;
		last = &rp->stretches[(*nr)++];
		*last = (struct kx_stretch){ .gfn = from, .npages = to - from, .as_id = x->as_id };
	}
	return 0;
}

static int region_take_memory(struct kx_region_pass *rp, const struct kx_slots *slots, gfn_t first,
			      gfn_t end)
{
	u32 nr;
	int err;

	err = region_find_stretches(rp, slots, first, end, &nr);
	if (err)
		return err;
	rp->generation = slots->generation;
	return kx_regions_set(&rp->regions, rp->stretches, nr);
}

struct kx_region_pass *kx_region_pass_new(struct kx_vm *vm, const struct kvm_ext_tracker *cfg)
{
	gfn_t end = cfg->npages ? cfg->first_gfn + cfg->npages : ~0ull;
	struct kx_slots slots = {};
	struct kx_region_pass *rp;
	int err = -ENOMEM;

	rp = kx_memory_new(&vm->memory, 1, sizeof(*rp));
	if (!rp)
		return ERR_PTR(err);
	rp->held = &vm->memory;
	rp->room = cfg->regions_max;
	rp->memory = kx_memory_new(rp->held, 1, kx_regions_bytes(rp->room));
	rp->stretches = kx_memory_new(rp->held, rp->room, sizeof(*rp->stretches));
	if (!rp->memory || !rp->stretches)
		goto free;
	rp->aggregation_passes = cfg->aggregation_passes ?: KVM_EXT_AGGREGATION_PASSES_DEFAULT;
	kx_regions_init(&rp->regions, rp->memory, cfg->regions_min, cfg->regions_max,
			get_random_u64());
	err = kx_slots_take(&slots, vm);
	if (err)
		goto free;
	err = region_take_memory(rp, &slots, cfg->first_gfn, end);
	kx_slots_drop(&slots);
	if (!err)
		return rp;
free:
	kx_region_pass_free(rp);
	return ERR_PTR(err);
}

void kx_region_pass_free(struct kx_region_pass *rp)
{
	if (!rp)
		return;
	kx_memory_free(rp->held, rp->stretches, rp->room, sizeof(*rp->stretches));
	kx_memory_free(rp->held, rp->memory, 1, kx_regions_bytes(rp->room));
	kx_memory_free(rp->held, rp, 1, sizeof(*rp));
}

/* --- probes ---------------------------------------------------------------------- */

/* Adds a page to the batch, if the VM still has the page. */
static void region_add_probe(struct kx_pass *p, struct kx_region *r, gfn_t gfn)
{
	const struct kx_extent *x = kx_slots_from(&p->slots, r->as_id, gfn);
	struct kx_region_pass *rp = p->regions;

	if (!x || x->as_id != r->as_id || gfn < x->gfn)
		return;
	rp->probed[rp->nr_probes] = r;
	rp->probes[rp->nr_probes++] = (struct kx_probe){ .x = x, .gfn = gfn };
}

static void region_note_checks(struct kx_pass *p)
{
	struct kx_region_pass *rp = p->regions;
	u32 i;

	for (i = 0; i < rp->nr_probes; i++) {
		kx_pass_scanned(p, 1, 1, false);
		rp->pass_checks++;
		rp->probed[i]->young = rp->probes[i].young;
	}
}

/* Tests the bits of the pages in the batch, and clears them with @clear. True: end the pass. */
static bool region_run_batch(struct kx_pass *p, bool clear)
{
	struct kx_region_pass *rp = p->regions;

	p->tracker->probe(p, rp->probes, rp->nr_probes, clear);
	if (!clear)
		region_note_checks(p);
	rp->nr_probes = 0;
	return kx_pass_rest(p);
}

/* For loops over up to a million regions in which no batch may become full. */
static bool region_rest_now_and_then(struct kx_pass *p, const struct kx_region *r)
{
	return (r - p->regions->regions.region) % 1024 == 1023 && kx_pass_rest(p);
}

static void region_check_all(struct kx_pass *p)
{
	struct kx_region_pass *rp = p->regions;
	struct kx_region *r;

	for (r = rp->regions.region; r < rp->regions.region + rp->regions.nr; r++) {
		r->young = false;
		if (r->watching)
			region_add_probe(p, r, r->watched);
		if ((rp->nr_probes == BATCH && region_run_batch(p, false)) ||
		    region_rest_now_and_then(p, r))
			return;
	}
	region_run_batch(p, false);
}

/* Counts the findings after all regions were checked; of a check that was cut, none count. */
static void region_count_checks(struct kx_pass *p)
{
	struct kx_region_pass *rp = p->regions;
	struct kx_region *r;

	for (r = rp->regions.region; r < rp->regions.region + rp->regions.nr; r++) {
		if (r->young) {
			r->accesses++;
			kx_pass_found_samples(p, 1, 1);
		}
		region_rest_now_and_then(p, r);
	}
	rp->regions.checks++;
}

static void region_watch_all(struct kx_pass *p)
{
	struct kx_region_pass *rp = p->regions;
	struct kx_region *r;

	for (r = rp->regions.region; r < rp->regions.region + rp->regions.nr; r++) {
		r->watched = kx_region_choose(&rp->regions, r);
		r->watching = true;
		region_add_probe(p, r, r->watched);
		if (rp->nr_probes == BATCH && region_run_batch(p, true))
			return;
	}
	region_run_batch(p, true);
}

/* --- aggregation -------------------------------------------------------------------- */

#define REGIONS_PER_RECORD \
	((KVM_EXT_REC_MAX - sizeof(struct kvm_ext_rec_regions)) / sizeof(struct kvm_ext_region))

static void region_put_regions(struct kx_pass *p, u32 first, u32 nr, u64 now)
{
	struct kx_region_pass *rp = p->regions;
	struct kvm_ext_rec_regions *rec;
	u32 i;

	rec = kx_writer_reserve(&p->writer, KVM_EXT_REC_REGIONS, struct_size(rec, regions, nr), 0);
	if (!rec)
		return;
	rec->pass = p->nr;
	rec->aggregation = rp->aggregations;
	rec->time_ns = now;
	rec->checks = rp->regions.checks;
	rec->first = first;
	rec->total = rp->regions.nr;
	rec->nr = nr;
	for (i = 0; i < nr; i++) {
		const struct kx_region *r = &rp->regions.region[first + i];

		rec->regions[i] = (struct kvm_ext_region){
			.gfn = r->gfn, .npages = r->npages, .as_id = r->as_id,
			.accesses = r->accesses, .age = r->age,
		};
	}
	kx_writer_commit(&p->writer);
}

static void region_aggregate(struct kx_pass *p)
{
	struct kx_region_pass *rp = p->regions;
	u64 now = ktime_get_ns();
	u32 first, nr;

	kx_pass_begin_resting(p);
	kx_regions_age(&rp->regions);
	kx_pass_end_resting(p);
	for (first = 0; first < rp->regions.nr; first += nr) {
		nr = min_t(u32, rp->regions.nr - first, REGIONS_PER_RECORD);
		region_put_regions(p, first, nr, now);
		kx_pass_rest(p);
	}
	kx_pass_begin_resting(p);
	kx_regions_adapt(&rp->regions);
	kx_pass_end_resting(p);
	rp->aggregations++;
}

static void region_check_and_watch(struct kx_pass *p)
{
	struct kx_region_pass *rp = p->regions;
	int err;

	rp->nr_probes = 0;
	rp->pass_checks = 0;
	if (rp->generation != p->slots.generation) {
		kx_pass_begin_resting(p);
		err = region_take_memory(rp, &p->slots, p->first_gfn, p->end_gfn);
		kx_pass_end_resting(p);
		if (err) {
			kx_pass_fail(p, err);
			return;
		}
	}
	if (!kx_pass_primes(p)) {
		region_check_all(p);
		if (kx_pass_is_cut(p))
			return;
		region_count_checks(p);
		if (rp->regions.checks == rp->aggregation_passes)
			region_aggregate(p);
	}
	region_watch_all(p);
}

void kx_region_pass(struct kx_pass *p)
{
	struct kx_region_pass *rp = p->regions;

	region_check_and_watch(p);
	if (!kx_pass_is_cut(p)) {
		rp->checks += rp->pass_checks;
		rp->max_checks = max(rp->max_checks, rp->pass_checks);
	}
	/* The current values, also after a pass that was cut. */
	p->account.regions = (struct kvm_ext_regions_stats){
		.regions = rp->regions.nr,
		.aggregations = rp->aggregations,
		.checks = rp->checks,
		.max_checks = rp->max_checks,
		.splits = rp->regions.splits,
		.merges = rp->regions.merges,
	};
}
