// SPDX-License-Identifier: GPL-2.0-only
/* The scan of memory, block by block, by address space and gfn. */
#include <linux/minmax.h>

#include "pass.h"
#include "scan.h"
#include "tracker.h"

/* The position of the scan. A change of the memslots does not invalidate it. */
struct cursor {
	u16 as_id;
	gfn_t gfn;
};

/* Moves the cursor to the next page of an extent, and returns the extent. NULL: there is none. */
static const struct kx_extent *scan_next_extent(struct kx_pass *p, struct cursor *at)
{
	const struct kx_extent *x;

	at->gfn = max(at->gfn, p->first_gfn);
	for (;;) {
		if (at->gfn >= p->end_gfn) {
			at->as_id++;
			at->gfn = p->first_gfn;
		}
		x = kx_slots_from(&p->slots, at->as_id, at->gfn);
		if (!x)
			return NULL;
		if (x->as_id != at->as_id) {
			at->as_id = x->as_id;
			at->gfn = p->first_gfn;
			continue;
		}
		at->gfn = max(at->gfn, x->gfn);
		if (at->gfn < p->end_gfn)
			return x;
	}
}

/* The number of pages that are in an extent and in the tracker's range. */
static u64 scan_pages_in_range(const struct kx_pass *p)
{
	const struct kx_extent *x;
	gfn_t from, to;
	u64 sum = 0;

	for (x = p->slots.extents; x < p->slots.extents + p->slots.nr; x++) {
		from = max(x->gfn, p->first_gfn);
		to = min(kx_extent_end(x), p->end_gfn);
		sum += to > from ? to - from : 0;
	}
	return sum;
}

void kx_scan(struct kx_pass *p)
{
	struct cursor at = {};
	const struct kx_extent *x;

	do {
		kx_pass_set_total(p, scan_pages_in_range(p));
		while (!kx_pass_is_cut(p) && (x = scan_next_extent(p, &at))) {
			at.gfn = p->tracker->scan(p, x, at.gfn, min(kx_extent_end(x), p->end_gfn));
			kx_pass_rest(p);
			if (kx_findings_are_due(&p->findings))
				kx_pass_settle(p);
		}
		/* If the memslots have changed, there may be memory behind the old last extent. */
	} while (kx_pass_settle(p) && !kx_pass_is_cut(p));
}
