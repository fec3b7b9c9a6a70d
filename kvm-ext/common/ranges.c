// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decisions where the published rules leave something open, or would fail if taken literally:
 *
 * - A range that is the whole space has no neighbours. So the space starts as two halves and
 *   never has fewer than two ranges. For example, 2 MiB in 64 TiB (25 halvings) need 24 splits.
 * - At an edge of the space a range has to exceed its only neighbour. A range does not split
 *   if it would not also exceed a neighbour without accesses.
 * - A neighbour that is at most half as large does not prevent a split, regardless of its
 *   accesses: it was already split more often, so its heat is known to be its own. Otherwise
 *   memory that is hot on both sides of a border would be found on the hotter side only, and
 *   no hot memory would be found beside a hot spot.
 * - If hot memory lies symmetrically across a border, both sides are alike, and neither
 *   exceeds the other. Such a pair splits if each side exceeds its outer neighbour. Three
 *   similar ranges in a row are heat without structure, and do not split: uniform heat is
 *   split a few times, and no further.
 * - Samples scatter. A range exceeds another only if the difference is also above three
 *   standard deviations of the difference between equally hot ranges (Poisson); otherwise many
 *   samples would split uniform heat until tau_split is above the scatter.
 * - A new range gets half of the accesses of the split range. This is a guess, and much too
 *   high if this half is cold. A range splits only if at least a quarter of its accesses are
 *   from the epoch that ends; at a steady rate half of them are.
 * - If there is no room for all due splits, the ranges with the most accesses split first.
 *   Before that, neighbours are merged that together have less than half of the accesses of
 *   the hottest of these ranges, those with the fewest first. So the ranges follow heat that
 *   moves, even if the memory that it leaves is never quite without accesses.
 */
#include "ranges.h"

/* Marks ranges that split now; these ranges are not idle. */
#define IDLE_DUE	((u32)-1)

static u64 ranges_last_of(const struct kx_ranges *s, u32 i)
{
	return i + 1 < s->nr ? s->start[i + 1] - 1 : s->config.last;
}

/* Less than 2^64, because a space of more than one granule has two ranges. */
static u64 ranges_size_of(const struct kx_ranges *s, u32 i)
{
	return ranges_last_of(s, i) - s->start[i] + 1;
}

/* Where to halve the range, between two granules; its start if it has only one granule. */
static u64 ranges_middle_of(const struct kx_ranges *s, u32 i)
{
	u64 first = s->start[i] >> s->config.granularity;
	u64 last = ranges_last_of(s, i) >> s->config.granularity;

	if (first == last)
		return s->start[i];
	return (first + (last - first) / 2 + 1) << s->config.granularity;
}

static bool ranges_divisible(const struct kx_ranges *s, u32 i)
{
	return ranges_middle_of(s, i) != s->start[i];
}

/* --- the sample path ---------------------------------------------------------------------- */

/*
 * The last range that starts at or before @address. The number of steps is constant, and GCC
 * compiles this form to conditional moves: a CPU cannot predict the order of samples.
 */
static u32 ranges_find(const u64 *start, u32 nr, u64 address)
{
	const u64 *at = start;

	while (nr > 1) {
		u32 half = nr / 2;

		at = at[half] <= address ? at + half : at;
		nr -= half;
	}
	return at - start;
}

#define FIND_AT_ONCE	4u

/* The same for four addresses, whose steps the CPU executes in parallel. */
static void ranges_find_four(const u64 *start, u32 nr, const struct kx_sample *samples, u32 *found)
{
	const u64 *at0 = start, *at1 = start, *at2 = start, *at3 = start;
	u64 address0 = samples[0].address, address1 = samples[1].address;
	u64 address2 = samples[2].address, address3 = samples[3].address;

	while (nr > 1) {
		u32 half = nr / 2;

		at0 = at0[half] <= address0 ? at0 + half : at0;
		at1 = at1[half] <= address1 ? at1 + half : at1;
		at2 = at2[half] <= address2 ? at2 + half : at2;
		at3 = at3[half] <= address3 ? at3 + half : at3;
		nr -= half;
	}
	found[0] = at0 - start;
	found[1] = at1 - start;
	found[2] = at2 - start;
	found[3] = at3 - start;
}

static bool ranges_inside(const struct kx_ranges *s, u64 address)
{
	return address - s->config.first <= s->config.last - s->config.first;
}

void kx_ranges_add(struct kx_ranges *s, u64 address, u64 weight)
{
	if (unlikely(!ranges_inside(s, address))) {
		s->outside++;
		return;
	}
	s->fresh[ranges_find(s->start, s->nr, address)] += weight;
	s->added += weight;
}

/* An address outside is searched like any other, without effect, but is not counted. */
void kx_ranges_add_batch(struct kx_ranges *s, const struct kx_sample *samples, u32 nr)
{
	u64 added = 0, outside = 0;
	u32 i, k, found[FIND_AT_ONCE];

	for (i = 0; i + FIND_AT_ONCE <= nr; i += FIND_AT_ONCE) {
		ranges_find_four(s->start, s->nr, samples + i, found);
		for (k = 0; k < FIND_AT_ONCE; k++) {
			u64 weight = samples[i + k].weight;

			if (unlikely(!ranges_inside(s, samples[i + k].address))) {
				outside++;
				continue;
			}
			s->fresh[found[k]] += weight;
			added += weight;
		}
	}
	s->added += added;
	s->outside += outside;
	for (; i < nr; i++)
		kx_ranges_add(s, samples[i].address, samples[i].weight);
}

/* The part of the run's weight that belongs to its first @size addresses. */
static u64 ranges_part_of(u64 weight, u64 size, u64 whole)
{
	return size == whole ? weight : mul_u64_u64_div_u64(weight, size, whole);
}

/*
 * A range gets the difference between the weight up to its end and the weight up to its start,
 * so that the remainder of a division goes to a later range.
 */
void kx_ranges_add_run(struct kx_ranges *s, u64 start, u64 size, u64 weight)
{
	u64 last = start + size - 1, at = max_t(u64, start, s->config.first);
	u64 end = min_t(u64, last, s->config.last), given, part;
	u32 i;

	if (unlikely(at != start || end != last || !size || last < start)) {
		s->outside++;
		if (at > end || !size)
			return;
	}
	given = at == start ? 0 : ranges_part_of(weight, at - start, size);
	for (i = ranges_find(s->start, s->nr, at); ; i++) {
		u64 to = min_t(u64, end, ranges_last_of(s, i));

		part = ranges_part_of(weight, to - start + 1, size) - given;
		s->fresh[i] += part;
		s->added += part;
		given += part;
		if (to == end)
			break;
	}
}

void kx_ranges_mark(const struct kx_ranges *s, struct kx_ranges_mark *mark)
{
	memcpy(mark->fresh, s->fresh, sizeof(*s->fresh) * s->nr);
	mark->nr = s->nr;
	mark->added = s->added;
	mark->outside = s->outside;
}

void kx_ranges_back(struct kx_ranges *s, const struct kx_ranges_mark *mark)
{
	memset(s->fresh, 0, sizeof(*s->fresh) * s->nr);
	memcpy(s->fresh, mark->fresh, sizeof(*s->fresh) * mark->nr);
	s->added = mark->added;
	s->outside = mark->outside;
}

/* --- order -------------------------------------------------------------------------------- */

typedef bool before_fn(const struct kx_ranges *s, u32 a, u32 b);

static bool ranges_more_accesses(const struct kx_ranges *s, u32 a, u32 b)
{
	return s->accesses[a] != s->accesses[b] ? s->accesses[a] > s->accesses[b] : a < b;
}

/* Compares accesses / size exactly: cross products in 128 bits. */
static bool ranges_hotter(const struct kx_ranges *s, u32 a, u32 b)
{
	u64 size_a = ranges_size_of(s, a), size_b = ranges_size_of(s, b);
	u64 a_high = mul_u64_u64_shr(s->accesses[a], size_b, 64);
	u64 b_high = mul_u64_u64_shr(s->accesses[b], size_a, 64);
	u64 a_low = s->accesses[a] * size_b, b_low = s->accesses[b] * size_a;

	if (a_high != b_high)
		return a_high > b_high;
	if (a_low != b_low)
		return a_low > b_low;
	if (s->age[a] != s->age[b])
		return s->age[a] < s->age[b];
	return a < b;
}

/* Moves the entry at @i of a heap, whose top is the entry that comes last, down to its place. */
static void ranges_sift(const struct kx_ranges *s, u32 i, u32 n, before_fn *before)
{
	u32 *order = s->order, moved = order[i], child;

	for (; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && before(s, order[child], order[child + 1]))
			child++;
		if (!before(s, moved, order[child]))
			break;
		order[i] = order[child];
	}
	order[i] = moved;
}

/* Heapsort: no memory, no recursion, no bad worst case. */
static void ranges_sort_order(const struct kx_ranges *s, u32 n, before_fn *before)
{
	u32 i;

	for (i = n / 2; i-- > 0;)
		ranges_sift(s, i, n, before);
	for (i = n; i-- > 1;) {
		u32 top = s->order[0];

		s->order[0] = s->order[i];
		s->order[i] = top;
		ranges_sift(s, 0, i, before);
	}
}

/* --- the epoch ---------------------------------------------------------------------------- */

static void ranges_count(struct kx_ranges *s)
{
	u32 i;

	for (i = 0; i < s->nr; i++) {
		s->accesses[i] = s->accesses[i] / 2 + s->fresh[i];
		if (s->age[i] < (u32)-1)
			s->age[i]++;
		if (s->accesses[i])
			s->idle[i] = 0;
		else if (s->idle[i] < s->config.tau_merge)
			s->idle[i]++;
	}
}

static void ranges_copy(struct kx_ranges *s, u32 to, u32 from)
{
	s->start[to] = s->start[from];
	s->fresh[to] = s->fresh[from];
	s->accesses[to] = s->accesses[from];
	s->age[to] = s->age[from];
	s->idle[to] = s->idle[from];
}

typedef bool merge_fn(const struct kx_ranges *s, u32 left, u32 right, u64 limit);

static bool ranges_both_idle(const struct kx_ranges *s, u32 left, u32 right, u64 limit)
{
	return s->idle[left] >= s->config.tau_merge && s->idle[right] >= s->config.tau_merge;
}

static bool ranges_both_quiet(const struct kx_ranges *s, u32 left, u32 right, u64 limit)
{
	return s->accesses[left] + s->accesses[right] <= limit;
}

/* Merges neighbours, at most @most times. */
static void ranges_merge(struct kx_ranges *s, merge_fn *alike, u64 limit, u32 most)
{
	u32 left = 0, merges = 0, i;

	most = min_t(u32, most, s->nr > KX_RANGES_MIN ? s->nr - KX_RANGES_MIN : 0);
	for (i = 1; i < s->nr; i++) {
		if (merges < most && alike(s, left, i, limit)) {
			s->fresh[left] += s->fresh[i];
			s->accesses[left] += s->accesses[i];
			s->idle[left] = min_t(u32, s->idle[left], s->idle[i]);
			s->age[left] = 0;
			merges++;
		} else {
			ranges_copy(s, ++left, i);
		}
	}
	s->nr -= merges;
	s->merges += merges;
}

/* Exceeds by more than tau_split for each vCPU, and by more than scatter. */
static bool ranges_exceeds(const struct kx_ranges *s, u64 a, u64 b)
{
	u64 excess = a - b;

	if (a <= b || excess <= (u64)s->config.tau_split * s->config.vcpus)
		return false;
	return excess > (u32)-1 || excess * excess > 9 * (a + b);
}

/* @j has been halved at least once more than @i. */
static bool ranges_is_finer(const struct kx_ranges *s, u32 j, u32 i)
{
	return ranges_size_of(s, j) <= ranges_size_of(s, i) / 2;
}

/* Whether the neighbour @j permits @i to split; @j is out of bounds at an edge. */
static bool ranges_gives_way(const struct kx_ranges *s, u32 i, u32 j)
{
	return j >= s->nr || ranges_is_finer(s, j, i) ||
	       ranges_exceeds(s, s->accesses[i], s->accesses[j]);
}

static bool ranges_alike(const struct kx_ranges *s, u32 i, u32 j)
{
	u64 a, b;

	if (j >= s->nr || ranges_is_finer(s, i, j) || ranges_is_finer(s, j, i))
		return false;
	a = s->accesses[i];
	b = s->accesses[j];
	return ranges_exceeds(s, b, 0) && !ranges_exceeds(s, a, b) && !ranges_exceeds(s, b, a);
}

/* At a steady rate half of the accesses are from the epoch that ends. */
static bool ranges_lasts(const struct kx_ranges *s, u32 i)
{
	return s->fresh[i] >= s->accesses[i] / 4;
}

static bool ranges_due(const struct kx_ranges *s, u32 i)
{
	u32 first = i, last = i;

	if (!ranges_exceeds(s, s->accesses[i], 0) || !ranges_lasts(s, i) || !ranges_divisible(s, i))
		return false;
	if (ranges_alike(s, i, i - 1))
		first--;
	if (ranges_alike(s, i, i + 1))
		last++;
	if (last - first > 1 || (first < i && ranges_alike(s, first, first - 1)) ||
	    (last > i && ranges_alike(s, last, last + 1)))
		return false;
	return ranges_gives_way(s, first, first - 1) && ranges_gives_way(s, last, last + 1);
}

/* Puts the ranges whose split is due into the order array. */
static u32 ranges_collect_due(struct kx_ranges *s)
{
	u32 n = 0, i;

	for (i = 0; i < s->nr; i++) {
		if (ranges_due(s, i))
			s->order[n++] = i;
	}
	return n;
}

/*
 * Merges ranges to make room for all due splits, as far as the merged ranges have fewer accesses.
 * The limit grows, so that the ranges with the fewest accesses are merged first.
 */
static void ranges_make_room(struct kx_ranges *s, u32 nr_due)
{
	u64 most = 0, limit;
	u32 i;

	for (i = 0; i < nr_due; i++)
		most = max_t(u64, most, s->accesses[s->order[i]]);
	for (limit = 0; limit < most / 2 && s->config.max - s->nr < nr_due; limit = 2 * limit + 1)
		ranges_merge(s, ranges_both_quiet, limit, nr_due - (s->config.max - s->nr));
}

static void ranges_halve(struct kx_ranges *s, u32 i, u32 right)
{
	s->start[right] = ranges_middle_of(s, i);
	s->accesses[right] = s->accesses[i] / 2;
	s->accesses[i] -= s->accesses[right];
	s->age[i] = 0;
	s->age[right] = 0;
	s->idle[i] = 0;
	s->idle[right] = 0;
}

/* Halves the first @n of the order array. From the right, so that each range moves only once. */
static void ranges_split(struct kx_ranges *s, u32 n)
{
	u32 i, left = n;

	for (i = 0; i < n; i++)
		s->idle[s->order[i]] = IDLE_DUE;
	for (i = s->nr; left; ) {
		i--;
		if (s->idle[i] == IDLE_DUE) {
			ranges_halve(s, i, i + left);
			left--;
		}
		ranges_copy(s, i + left, i);
	}
	s->nr += n;
	s->splits += n;
}

void kx_ranges_epoch(struct kx_ranges *s)
{
	u32 n, room;

	ranges_count(s);
	ranges_merge(s, ranges_both_idle, 0, (u32)-1);

	n = ranges_collect_due(s);
	if (n > s->config.max - s->nr) {
		ranges_make_room(s, n);
		n = ranges_collect_due(s);
	}
	room = s->config.max - s->nr;
	if (n > room) {
		ranges_sort_order(s, n, ranges_more_accesses);
		s->denied += n - room;
		n = room;
	}
	ranges_split(s, n);
	memset(s->fresh, 0, sizeof(*s->fresh) * s->nr);
	s->epochs++;
}

/* --- the rest ----------------------------------------------------------------------------- */

size_t kx_ranges_bytes(u32 max)
{
	return (size_t)(max ? max : KX_RANGES_MAX) * (3 * sizeof(u64) + 3 * sizeof(u32));
}

static void ranges_set_default(u32 *field, u32 value)
{
	if (!*field)
		*field = value;
}

int kx_ranges_init(struct kx_ranges *s, void *memory, const struct kx_ranges_config *config)
{
	struct kx_ranges_config c = *config;

	ranges_set_default(&c.granularity, KX_RANGES_GRANULARITY);
	ranges_set_default(&c.max, KX_RANGES_MAX);
	ranges_set_default(&c.tau_split, KX_RANGES_TAU_SPLIT);
	ranges_set_default(&c.tau_merge, KX_RANGES_TAU_MERGE);
	ranges_set_default(&c.vcpus, 1);
	if (c.first > c.last || c.granularity > KX_RANGES_GRANULARITY_MAX || c.max < KX_RANGES_MIN)
		return -EINVAL;

	memset(s, 0, sizeof(*s));
	memset(memory, 0, kx_ranges_bytes(c.max));
	s->config = c;
	s->start = memory;
	s->fresh = s->start + c.max;
	s->accesses = s->fresh + c.max;
	s->age = (u32 *)(s->accesses + c.max);
	s->idle = s->age + c.max;
	s->order = s->idle + c.max;

	s->start[0] = c.first;
	s->nr = 1;
	s->start[1] = ranges_middle_of(s, 0);
	if (s->start[1] != s->start[0])
		s->nr = 2;
	return 0;
}

/* The new part is a range of its own if there is room: the last range may be small and hot. */
void kx_ranges_grow(struct kx_ranges *s, u64 last)
{
	u64 old = s->config.last;
	u32 i = s->nr;

	if (last <= old)
		return;
	s->config.last = last;
	if (i == s->config.max || (old + 1) & (BIT_ULL(s->config.granularity) - 1))
		return;
	s->start[i] = old + 1;
	s->fresh[i] = 0;
	s->accesses[i] = 0;
	s->age[i] = 0;
	s->idle[i] = 0;
	s->nr++;
}

u64 kx_ranges_until(const struct kx_ranges *s, u64 address)
{
	return ranges_last_of(s, ranges_find(s->start, s->nr, address));
}

/* Accesses per granule, times 2^32. */
static u64 ranges_heat_of(const struct kx_ranges *s, u32 i)
{
	u64 granules = (ranges_last_of(s, i) >> s->config.granularity) -
		       (s->start[i] >> s->config.granularity) + 1;

	if (s->accesses[i] >> 32 >= granules)
		return (u64)-1;
	return mul_u64_u64_div_u64(s->accesses[i], BIT_ULL(32), granules);
}

void kx_ranges_get(const struct kx_ranges *s, u32 i, struct kx_range *range)
{
	range->start = s->start[i];
	range->size = ranges_size_of(s, i);
	range->accesses = s->accesses[i];
	range->heat = ranges_heat_of(s, i);
	range->age = s->age[i];
}

u32 kx_ranges_rank(struct kx_ranges *s)
{
	u32 i;

	for (i = 0; i < s->nr; i++)
		s->order[i] = i;
	ranges_sort_order(s, s->nr, ranges_hotter);
	return s->nr;
}

void kx_ranges_ranked(const struct kx_ranges *s, u32 rank, struct kx_range *range)
{
	kx_ranges_get(s, s->order[rank], range);
}
