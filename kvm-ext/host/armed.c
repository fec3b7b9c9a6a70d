// SPDX-License-Identifier: GPL-2.0-only
/*
 * The map of armed mappings: a bit for each page, block and GiB of memory.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>

#include "armed.h"
#include "leaf.h"
#include "slots.h"

static const u8 orders[] = { 0, KX_BLOCK_ORDER, KX_GIB_ORDER };

/* --- making the map ------------------------------------------------------------- */

static u64 armed_bits_of(const struct kx_area *area, u8 order)
{
	return ((area->gfn + area->npages - 1) >> order) - (area->gfn >> order) + 1;
}

static unsigned long *armed_new_bits(const struct kx_area *area, u8 order)
{
	u64 longs = BITS_TO_LONGS(armed_bits_of(area, order));

	return kvcalloc(longs, sizeof(long), GFP_KERNEL_ACCOUNT);
}

static int armed_add_area(struct kx_areas *areas, const struct kx_extent *x, gfn_t from, gfn_t to)
{
	struct kx_area *area = &areas->area[areas->nr++];

	*area = (struct kx_area){
		.gfn = from,
		.npages = to - from,
		.hva = kx_extent_hva(x, from),
		.smm = x->smm_alias,
		.first = areas->npages,
	};
	areas->npages += area->npages;
	area->pages = armed_new_bits(area, orders[0]);
	area->blocks = armed_new_bits(area, orders[1]);
	area->gibs = armed_new_bits(area, orders[2]);
	return area->pages && area->blocks && area->gibs ? 0 : -ENOMEM;
}

/* The first of @nr ranges that ends behind @gfn. The ranges are sorted and do not overlap. */
static const struct kvm_ext_range *armed_range_from(const struct kvm_ext_range *ranges, u32 nr,
						    gfn_t gfn)
{
	u32 lo = 0, hi = nr;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (ranges[mid].gfn + ranges[mid].npages <= gfn)
			lo = mid + 1;
		else
			hi = mid;
	}
	return ranges + lo;
}

/* Adds areas for the parts of @x in [@first, @end) and in the ranges. */
static int armed_add_extent(struct kx_areas *areas, const struct kx_extent *x, gfn_t first,
			    gfn_t end, const struct kvm_ext_range *ranges, u32 nr)
{
	static const struct kvm_ext_range all = { .npages = ~0ull };
	const struct kvm_ext_range *r = nr ? armed_range_from(ranges, nr, x->gfn) : &all;
	const struct kvm_ext_range *last = nr ? ranges + nr : r + 1;
	gfn_t from, to;
	int err = 0;

	if (x->as_id || x->alias)
		return 0;
	for (; r < last && r->gfn < kx_extent_end(x) && !err; r++) {
		cond_resched();
		from = max3(first, x->gfn, (gfn_t)r->gfn);
		to = min3(end, kx_extent_end(x), (gfn_t)(r->gfn + r->npages));
		if (from < to)
			err = armed_add_area(areas, x, from, to);
	}
	return err;
}

struct kx_areas *kx_areas_new(const struct kx_slots *slots, gfn_t first, gfn_t end,
			      const struct kvm_ext_range *ranges, u32 nr)
{
	struct kx_areas *areas;
	int err = 0;
	u32 i;

	/* Neither extents nor ranges overlap: each part ends where an extent or a range ends. */
	areas = kvzalloc(struct_size(areas, area, slots->nr + nr), GFP_KERNEL_ACCOUNT);
	if (!areas)
		return NULL;
	areas->generation = slots->generation;
	for (i = 0; i < slots->nr && !err; i++)
		err = armed_add_extent(areas, &slots->extents[i], first, end, ranges, nr);
	if (!err)
		return areas;
	kx_areas_free(areas);
	return NULL;
}

void kx_areas_free(struct kx_areas *areas)
{
	u32 i;

	if (!areas)
		return;
	for (i = 0; i < areas->nr; i++) {
		kvfree(areas->area[i].pages);
		kvfree(areas->area[i].blocks);
		kvfree(areas->area[i].gibs);
	}
	kvfree(areas);
}

/* --- finding an area -------------------------------------------------------------- */

/*
 * The last area that begins at or before @key: a gfn, or with @by_index the index of a page. The
 * areas are sorted by both.
 */
static struct kx_area *armed_last_from(struct kx_areas *areas, u64 key, bool by_index)
{
	u32 lo = 0, hi = areas->nr, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if ((by_index ? areas->area[mid].first : areas->area[mid].gfn) <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &areas->area[lo - 1] : NULL;
}

struct kx_area *kx_area_of(struct kx_areas *areas, gfn_t gfn)
{
	struct kx_area *area = armed_last_from(areas, gfn, false);

	return area && gfn < area->gfn + area->npages ? area : NULL;
}

struct kx_area *kx_area_at(struct kx_areas *areas, u64 index)
{
	return armed_last_from(areas, index, true);
}

unsigned long *kx_area_bits(struct kx_area *area, gfn_t gfn, u8 order, unsigned long *bit)
{
	*bit = (gfn >> order) - (area->gfn >> order);
	if (order == KX_GIB_ORDER)
		return area->gibs;
	return order == KX_BLOCK_ORDER ? area->blocks : area->pages;
}

bool kx_area_is_armed(struct kx_area *area, gfn_t gfn)
{
	unsigned long *bits, bit;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		bits = kx_area_bits(area, gfn, orders[i], &bit);
		if (test_bit(bit, bits))
			return true;
	}
	return false;
}

bool kx_area_disarm(struct kx_area *area, gfn_t gfn, u8 *order)
{
	unsigned long *bits, bit;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		bits = kx_area_bits(area, gfn, orders[i], &bit);
		if (test_bit(bit, bits) && test_and_clear_bit(bit, bits)) {
			*order = orders[i];
			return true;
		}
	}
	return false;
}
