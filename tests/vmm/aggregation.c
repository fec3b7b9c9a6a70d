// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "aggregation.h"

static void begin(struct regions *r, const struct kvm_ext_rec_regions *rec)
{
	r->bad += r->seen && rec->aggregation != r->aggregation + 1;
	r->bad += r->nr != r->total;
	r->nr = 0;
	r->total = rec->total;
	r->pass = rec->pass;
	r->aggregation = rec->aggregation;
	r->checks = rec->checks;
}

void regions_see(void *regions, const struct kvm_ext_record *record)
{
	const struct kvm_ext_rec_regions *rec = (const void *)record;
	struct regions *r = regions;
	uint32_t i;

	if (record->type != KVM_EXT_REC_REGIONS)
		return;
	if (rec->total > REGIONS_MAX || rec->first + rec->nr > rec->total) {
		r->bad++;
		return;
	}
	if (rec->first == 0)
		begin(r, rec);
	r->bad += rec->first != r->nr || rec->total != r->total || rec->pass != r->pass ||
		  rec->checks != r->checks;
	memcpy(&r->region[rec->first], rec->regions, rec->nr * sizeof(rec->regions[0]));
	r->nr += rec->nr;
	for (i = 0; i < rec->nr; i++) {
		r->accesses += rec->regions[i].accesses;
		r->bad += rec->regions[i].accesses > rec->checks || rec->regions[i].reserved;
	}
	r->seen += r->nr == r->total;
}

void regions_accuracy(const struct kvm_ext_region *region, uint32_t nr, uint32_t checks,
		      uint64_t first, uint64_t npages, double *precision, double *recall)
{
	const uint64_t last = first + npages;
	uint64_t said = 0, right = 0, from, to;
	const struct kvm_ext_region *r;

	for (r = region; r < region + nr; r++) {
		if (r->accesses * 2 < checks)
			continue;
		said += r->npages;
		from = r->gfn > first ? r->gfn : first;
		to = r->gfn + r->npages < last ? r->gfn + r->npages : last;
		right += to > from ? to - from : 0;
	}
	*precision = said ? (double)right / said : 0;
	*recall = (double)right / npages;
}
