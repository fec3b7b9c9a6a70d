// SPDX-License-Identifier: GPL-2.0-only
/* The map of armed mappings: two bits for each page, block and GiB of memory. */
#include <linux/bitmap.h>
#include <linux/mm.h>

#include "armed.h"
#include "leaf.h"
#include "memory.h"
#include "slots.h"

static const u8 orders[KX_MARK_ORDERS] = { 0, KX_BLOCK_ORDER, KX_GIB_ORDER };

u8 kx_marks_order(unsigned int i)
{
	return orders[i];
}

/* --- making the map ------------------------------------------------------------- */

static u64 armed_bits_of(const struct kx_area *area, u8 order)
{
	return ((area->gfn + area->npages - 1) >> order) - (area->gfn >> order) + 1;
}

static u64 armed_longs_of(const struct kx_area *area, unsigned int i)
{
	return BITS_TO_LONGS(armed_bits_of(area, orders[i]));
}

static int armed_new_marks(struct kx_memory *memory, struct kx_area *area, unsigned int i)
{
	u64 longs = armed_longs_of(area, i);
	struct kx_marks *m = &area->marks[i];

	m->armed = kx_memory_new(memory, longs, sizeof(long));
	m->waited = kx_memory_new(memory, longs, sizeof(long));
	return m->armed && m->waited ? 0 : -ENOMEM;
}

static int armed_add_area(struct kx_areas *areas, const struct kx_extent *x, gfn_t from, gfn_t to)
{
	struct kx_area *area = &areas->area[areas->nr++];
	unsigned int i;
	int err = 0;

	*area = (struct kx_area){
		.gfn = from,
		.npages = to - from,
		.hva = kx_extent_hva(x, from),
		.smm = x->smm_alias,
		.first = areas->npages,
	};
	areas->npages += area->npages;
	for (i = 0; i < KX_MARK_ORDERS && !err; i++)
		err = armed_new_marks(areas->memory, area, i);
	return err;
}

/* The first of @nr ranges that contains pages from @gfn on. The ranges are sorted and disjoint. */
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

/* Adds areas for the parts of @x that are in [@first, @end) and in one of the ranges. */
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

struct kx_areas *kx_areas_new(struct kx_memory *memory, const struct kx_slots *slots, gfn_t first,
			      gfn_t end, const struct kvm_ext_range *ranges, u32 nr)
{
	struct kx_areas *areas;
	int err = 0;
	u32 i;

	/* Extents are disjoint, and ranges are: an area ends where an extent or a range ends. */
	areas = kx_memory_new(memory, 1, struct_size(areas, area, slots->nr + nr));
	if (!areas)
		return NULL;
	areas->memory = memory;
	areas->room = slots->nr + nr;
	areas->generation = slots->generation;
	for (i = 0; i < slots->nr && !err; i++)
		err = armed_add_extent(areas, &slots->extents[i], first, end, ranges, nr);
	if (!err)
		return areas;
	kx_areas_free(areas);
	return NULL;
}

static void armed_free_marks(struct kx_memory *memory, struct kx_area *area)
{
	unsigned int i;

	for (i = 0; i < KX_MARK_ORDERS; i++) {
		u64 longs = armed_longs_of(area, i);

		kx_memory_free(memory, area->marks[i].armed, longs, sizeof(long));
		kx_memory_free(memory, area->marks[i].waited, longs, sizeof(long));
	}
}

void kx_areas_free(struct kx_areas *areas)
{
	u32 i;

	if (!areas)
		return;
	for (i = 0; i < areas->nr; i++)
		armed_free_marks(areas->memory, &areas->area[i]);
	kx_memory_free(areas->memory, areas, 1, struct_size(areas, area, areas->room));
}

/* --- finding an area -------------------------------------------------------------- */

/*
 * The last area that begins at or before @key, which is a gfn, or with @by_index a page's number.
 * The areas are sorted by both.
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

/* --- marks ------------------------------------------------------------------------ */

static unsigned long armed_bit(const struct kx_area *area, gfn_t gfn, u8 order)
{
	return (gfn >> order) - (area->gfn >> order);
}

static struct kx_marks *armed_marks(struct kx_area *area, u8 order)
{
	return &area->marks[order == KX_GIB_ORDER ? 2 : order == KX_BLOCK_ORDER];
}

bool kx_area_is_armed(struct kx_area *area, gfn_t gfn)
{
	size_t i;

	for (i = 0; i < KX_MARK_ORDERS; i++) {
		if (test_bit(armed_bit(area, gfn, orders[i]), area->marks[i].armed))
			return true;
	}
	return false;
}

void kx_area_arm(struct kx_area *area, gfn_t gfn, u8 order)
{
	struct kx_marks *m = armed_marks(area, order);
	unsigned long bit = armed_bit(area, gfn, order);

	clear_bit(bit, m->waited);
	/* A task that sees the mapping armed also sees that it has not waited. */
	smp_mb__after_atomic();
	set_bit(bit, m->armed);
}

u64 kx_area_forget(struct kx_area *area, gfn_t gfn, gfn_t end, u8 order)
{
	struct kx_marks *m = armed_marks(area, order);
	unsigned long first = armed_bit(area, gfn, order), last = armed_bit(area, end - 1, order);
	unsigned long bit = first;
	u64 forgotten = 0;

	for_each_set_bit_from(bit, m->armed, last + 1)
		forgotten += test_and_clear_bit(bit, m->armed);
	bit = first;
	for_each_set_bit_from(bit, m->waited, last + 1)
		clear_bit(bit, m->waited);
	return forgotten;
}

bool kx_area_disarm(struct kx_area *area, gfn_t gfn, u8 *order)
{
	struct kx_marks *m = area->marks;
	unsigned long bit;
	size_t i;

	for (i = 0; i < KX_MARK_ORDERS; i++) {
		bit = armed_bit(area, gfn, orders[i]);
		if (test_bit(bit, m[i].armed) && test_and_clear_bit(bit, m[i].armed)) {
			clear_bit(bit, m[i].waited);
			*order = orders[i];
			return true;
		}
	}
	return false;
}

bool kx_area_settle(struct kx_area *area, gfn_t gfn)
{
	struct kx_marks *m = area->marks;
	unsigned long bit;
	size_t i;

	for (i = 0; i < KX_MARK_ORDERS; i++) {
		bit = armed_bit(area, gfn, orders[i]);
		if (test_bit(bit, m[i].waited) && !test_bit(bit, m[i].armed) &&
		    test_and_clear_bit(bit, m[i].waited))
			return true;
	}
	return false;
}

/* --- exchange --------------------------------------------------------------------- */

/* Number of words of bits after which the caller can rest. */
#define WORDS_AT_ONCE	4096u

/*
 * Marks an armed mapping as waited. Meanwhile kx_area_disarm(), in the task of a vCPU, may clear
 * first the armed bit and then the waited bit. The waited bit must not stay set after this.
 */
static void armed_now_waits(struct kx_marks *m, unsigned long bit)
{
	set_bit(bit, m->waited);
	/*
	 * Either this task sees that the armed bit is clear, or kx_area_disarm() clears the waited
	 * bit after it was set here.
	 */
	smp_mb__after_atomic();
	if (!test_bit(bit, m->armed))
		clear_bit(bit, m->waited);
}

static u64 armed_exchange_word(struct kx_marks *m, u64 word)
{
	unsigned long armed = READ_ONCE(m->armed[word]), bit;
	u64 exchanged = 0;

	for (; armed; armed &= armed - 1) {
		bit = word * BITS_PER_LONG + __ffs(armed);
		if (test_bit(bit, m->waited))
			exchanged += test_and_clear_bit(bit, m->armed);
		else
			armed_now_waits(m, bit);
	}
	return exchanged;
}

u64 kx_area_exchange(struct kx_area *area, u64 from, u64 exchanged[KX_MARK_ORDERS])
{
	u64 first = 0, words, at = from;
	unsigned int i;

	for (i = 0; i < KX_MARK_ORDERS; i++, first += words) {
		words = armed_longs_of(area, i);
		for (; at < first + words; at++) {
			if (at - from == WORDS_AT_ONCE)
				return at;
			exchanged[i] += armed_exchange_word(&area->marks[i], at - first);
		}
	}
	return 0;
}
