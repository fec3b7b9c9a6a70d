// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The range classifier: invariants, with random spaces and samples; its rules, by hand; and
 * whether it finds the hot memory, compared with an exact counter for every granule over the same samples.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>

#include "ranges.h"

#define MIB (1ull << 20)
#define TIB (1ull << 40)

/* --- random numbers: the same in each run ------------------------------------------------- */

static u64 seed;

static u64 draw(void)
{
	u64 z = seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static u64 below(u64 n)
{
	return draw() % n;
}

static double uniform(void)
{
	return (draw() >> 11) * 0x1p-53;
}

/* --- a classifier with memory of the exact size, so that ASan notices accesses outside ----- */

struct fixture {
	struct kx_ranges s;
	void *memory;
};

static void make(struct fixture *f, struct kx_ranges_config config)
{
	f->memory = malloc(kx_ranges_bytes(config.max));
	assert_non_null(f->memory);
	memset(f->memory, 0xa5, kx_ranges_bytes(config.max));
	assert_int_equal(kx_ranges_init(&f->s, f->memory, &config), 0);
}

static u64 sum_of_accesses(const struct kx_ranges *s, u32 divisor)
{
	struct kx_range r;
	u64 sum = 0;

	for (u32 i = 0; i < s->nr; i++) {
		kx_ranges_get(s, i, &r);
		sum += r.accesses / divisor;
	}
	return sum;
}

/* The ranges are the space exactly, cut between granules, and no more than they may be. */
static void check_cover(const struct kx_ranges *s)
{
	u64 granule = BIT_ULL(s->config.granularity), next = s->config.first;
	bool one =
		s->config.first >> s->config.granularity == s->config.last >> s->config.granularity;
	struct kx_range r;

	assert_in_range(s->nr, one ? 1 : 2, one ? 1 : s->config.max);
	for (u32 i = 0; i < s->nr; i++) {
		kx_ranges_get(s, i, &r);
		assert_int_equal(r.start, next);
		assert_true(r.size > 0);
		assert_true(i == 0 || r.start % granule == 0);
		next = r.start + r.size;
		assert_true(i + 1 == s->nr || next > r.start);
	}
	assert_int_equal(next, s->config.last + 1);
}

static void epoch(struct kx_ranges *s)
{
	kx_ranges_epoch(s);
	check_cover(s);
}

/* --- what always holds -------------------------------------------------------------------- */

static void test_config(void **state)
{
	static const struct kx_ranges_config wrong[] = {
		{ .first = 2, .last = 1 },
		{ .last = TIB, .max = 1 },
		{ .last = TIB, .granularity = 63 },
	};
	struct kx_ranges s;
	struct fixture f;
	u64 memory[64];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(kx_ranges_init(&s, memory, &wrong[i]), -EINVAL);

	make(&f, (struct kx_ranges_config){ .last = TIB - 1 });
	assert_int_equal(f.s.config.granularity, KX_RANGES_GRANULARITY);
	assert_int_equal(f.s.config.max, KX_RANGES_MAX);
	assert_int_equal(f.s.config.tau_split, KX_RANGES_TAU_SPLIT);
	assert_int_equal(f.s.config.tau_merge, KX_RANGES_TAU_MERGE);
	assert_int_equal(f.s.config.vcpus, 1);
	assert_int_equal(f.s.nr, 2);
	assert_int_equal(f.s.start[1], TIB / 2);
	free(f.memory);
}

static void test_one_granule(void **state)
{
	struct fixture f;

	make(&f, (struct kx_ranges_config){ .first = 3 * MIB, .last = 4 * MIB - 1, .max = 2 });
	for (u32 e = 0; e < 20; e++) {
		for (u32 i = 0; i < 1000; i++)
			kx_ranges_add(&f.s, 3 * MIB + below(MIB), 1);
		epoch(&f.s);
	}
	assert_int_equal(f.s.nr, 1);
	assert_int_equal(f.s.splits, 0);
	free(f.memory);
}

/* All 2^64 addresses, the first and the last of them hot. */
static void test_whole_space(void **state)
{
	struct kx_range r;
	struct fixture f;

	make(&f, (struct kx_ranges_config){ .last = ~0ull, .granularity = 12 });
	for (u32 e = 0; e < 60; e++) {
		for (u32 i = 0; i < 500; i++) {
			kx_ranges_add(&f.s, i, 1);
			kx_ranges_add(&f.s, ~0ull - i, 1);
		}
		epoch(&f.s);
	}
	assert_int_equal(f.s.outside, 0);
	assert_int_equal(f.s.added, 60 * 1000);
	kx_ranges_get(&f.s, 0, &r);
	assert_int_equal(r.size, 4096);
	kx_ranges_get(&f.s, f.s.nr - 1, &r);
	assert_int_equal(r.size, 4096);
	free(f.memory);
}

static void test_outside(void **state)
{
	struct kx_sample samples[] = {
		{ .address = 0, .weight = 1 },
		{ .address = TIB - 1, .weight = 1 },
		{ .address = TIB, .weight = 2 },
		{ .address = 2 * TIB - 1, .weight = 4 },
		{ .address = 2 * TIB, .weight = 1 },
		{ .address = ~0ull, .weight = 1 },
		{ .address = TIB + TIB / 2, .weight = 8 },
	};
	struct fixture f;

	make(&f, (struct kx_ranges_config){ .first = TIB, .last = 2 * TIB - 1, .vcpus = 2 });
	kx_ranges_add_batch(&f.s, samples, 7);
	for (u32 i = 0; i < 7; i++)
		kx_ranges_add(&f.s, samples[i].address, samples[i].weight);
	assert_int_equal(f.s.outside, 2 * 4);
	assert_int_equal(f.s.added, 2 * 14);
	epoch(&f.s);
	assert_int_equal(f.s.accesses[0], 2 * 2);
	assert_int_equal(f.s.accesses[1], 2 * 12);
	free(f.memory);
}

/* An address in a neighbourhood that becomes hot from time to time: causes splits, merges, and a lack of free ranges. */
static u64 wandering_address(const struct kx_ranges_config *c, u64 *spot)
{
	u64 span = c->last - c->first, near;

	if (below(1000) == 0)
		*spot = span == ~0ull ? draw() : below(span + 1);
	near = *spot + below(1 + (span >> (8 + below(40))));
	return c->first + (span == ~0ull ? near : near % (span + 1));
}

static struct kx_ranges_config random_config(void)
{
	struct kx_ranges_config c = {
		.first = draw() >> below(64),
		.granularity = 1 + below(30),
		.max = 2 + below(80),
		.tau_split = 1 + below(20),
		.tau_merge = 1 + below(10),
		.vcpus = 1 + below(3),
	};
	u64 span = draw() >> below(64);

	c.last = c.first + span < c.first ? ~0ull : c.first + span;
	return c;
}

/* Accesses are only halved or added; and a batch has the same effect as its samples one by one. */
static void test_random(void **state)
{
	for (u32 round = 1; round <= 200; round++) {
		struct kx_ranges_config c;
		struct kx_sample samples[64];
		struct fixture f, g;
		u64 spot = 0;

		seed = round;
		c = random_config();
		make(&f, c);
		make(&g, c);
		check_cover(&f.s);
		for (u32 e = 0; e < 60; e++) {
			u64 before = sum_of_accesses(&f.s, 2), added = f.s.added;

			for (u32 batch = below(30); batch > 0; batch--) {
				u32 n = below(65);

				for (u32 i = 0; i < n; i++) {
					samples[i].address = wandering_address(&c, &spot);
					samples[i].weight = below(4);
					kx_ranges_add(&g.s, samples[i].address, samples[i].weight);
				}
				kx_ranges_add_batch(&f.s, samples, n);
			}
			epoch(&f.s);
			kx_ranges_epoch(&g.s);
			assert_int_equal(sum_of_accesses(&f.s, 1), before + f.s.added - added);
			assert_int_equal(f.s.nr, g.s.nr);
			assert_memory_equal(f.s.start, g.s.start, sizeof(u64) * f.s.nr);
			assert_memory_equal(f.s.accesses, g.s.accesses, sizeof(u64) * f.s.nr);
		}
		assert_int_equal(f.s.outside, 0);
		free(f.memory);
		free(g.memory);
	}
}

/* Empty ranges of random sizes, which runs then fill. */
static void make_cut(struct fixture *f, const struct kx_ranges_config *c)
{
	u64 spot = 0;

	make(f, *c);
	for (u32 e = 0; e < 30; e++) {
		for (u32 i = 0; i < 500; i++)
			kx_ranges_add(&f->s, wandering_address(c, &spot), 1);
		kx_ranges_epoch(&f->s);
	}
}

/* The size of the part of the run that is in the range. */
static u64 overlap(const struct kx_range *r, u64 start, u64 last)
{
	u64 range_last = r->start + r->size - 1;
	u64 from = start > r->start ? start : r->start, to = last < range_last ? last : range_last;

	return from > to ? 0 : to - from + 1;
}

/*
 * Each range gets its part of the weight, rounded up or down, and the parts add up to the weight;
 * if the weight is a multiple of the size, nothing is rounded. Returns how many ranges the run touches.
 */
static u32 check_run(struct kx_ranges *s, u64 start, u64 size, u64 weight)
{
	u32 touched = 0;
	u64 added = s->added, given = 0, inside = 0, outside = s->outside;
	struct kx_range r;

	memset(s->fresh, 0, sizeof(u64) * s->nr);
	kx_ranges_add_run(s, start, size, weight);
	for (u32 i = 0; i < s->nr; i++) {
		u64 part;
		double due;

		kx_ranges_get(s, i, &r);
		part = overlap(&r, start, start + size - 1);
		due = (double)weight * part / size;
		inside += part;
		touched += part > 0;
		given += s->fresh[i];
		if (weight % size == 0)
			assert_int_equal(s->fresh[i], weight / size * part);
		else
			assert_true(fabs(s->fresh[i] - due) < 1.001 + due * 1e-12);
	}
	assert_int_equal(s->added - added, given);
	assert_int_equal(s->outside - outside, inside != size);
	if (inside == size)
		assert_int_equal(given, weight);
	return touched;
}

static void test_runs(void **state)
{
	struct fixture f;
	u64 across = 0;

	seed = 20;
	for (u32 round = 0; round < 100; round++) {
		struct kx_ranges_config c = random_config();

		if (!(c.last - c.first + 1)) /* the size of the space does not fit in a u64 */
			c.last--;
		make_cut(&f, &c);
		for (u32 i = 0; i < 200; i++) {
			u64 start, rest, size, times = below(3) + 1;
			struct kx_range r;

			kx_ranges_get(&f.s, below(f.s.nr), &r);
			start = r.start + below(r.size);
			rest = c.last - start;
			size = 1 + below(1 + (below(2) && rest / 9 > r.size ? 9 * r.size : rest));
			check_run(&f.s, start, size, size < 1ull << 40 ? times * size : times);
			across += check_run(&f.s, start, size, below(1 << 20)) > 2;
		}
		free(f.memory);
	}
	assert_true(across > 1000);
}

static void test_run_edges(void **state)
{
	struct kx_ranges_config c = { .first = 8 * MIB, .last = 16 * MIB - 1 };
	struct fixture f;

	make(&f, c);
	check_run(&f.s, 8 * MIB, 8 * MIB, 4096);
	check_run(&f.s, 4 * MIB, 8 * MIB, 4096); /* half of it, before */
	assert_int_equal(f.s.fresh[0], 2048);
	check_run(&f.s, 12 * MIB, 64 * MIB, 4096); /* 15 / 16, after */
	assert_int_equal(f.s.fresh[1], 256);
	check_run(&f.s, 0, 64 * MIB, 64); /* on all sides of it */
	assert_int_equal(f.s.fresh[0] + f.s.fresh[1], 8);
	check_run(&f.s, 0, 8 * MIB, 4096); /* beside it */
	check_run(&f.s, 16 * MIB, MIB, 4096);
	check_run(&f.s, ~0ull, 1, 1);
	free(f.memory);

	/* An empty run, and a run that wraps around. */
	make(&f, (struct kx_ranges_config){ .last = ~0ull });
	kx_ranges_add_run(&f.s, 0, 0, 7);
	kx_ranges_add_run(&f.s, 5, 0, 7);
	kx_ranges_add_run(&f.s, ~0ull, 2, 7);
	assert_int_equal(f.s.outside, 3);
	assert_int_equal(f.s.added, 0);
	kx_ranges_add_run(&f.s, ~0ull, 1, 7);
	kx_ranges_add_run(&f.s, 1, ~0ull, 3ull << 32);
	assert_int_equal(f.s.outside, 3);
	assert_int_equal(f.s.fresh[0], (3ull << 31) - 1);
	assert_int_equal(f.s.fresh[1], (3ull << 31) + 1 + 7);
	free(f.memory);
}

/* --- the rules, by hand ------------------------------------------------------------------- */

/* @n accesses to the middle of the @i-th range. */
static void heat(struct kx_ranges *s, u32 i, u64 n)
{
	struct kx_range r;

	kx_ranges_get(s, i, &r);
	kx_ranges_add(s, r.start + r.size / 2, n);
}

static void test_threshold(void **state)
{
	struct fixture f;

	make(&f, (struct kx_ranges_config){ .last = TIB - 1, .tau_split = 15, .vcpus = 4 });
	heat(&f.s, 0, 60); /* not above the neighbour by more than 60 */
	epoch(&f.s);
	assert_int_equal(f.s.nr, 2);
	heat(&f.s, 0, 61 - 30);
	epoch(&f.s);
	assert_int_equal(f.s.nr, 3);
	/* The accesses of the first range are shared equally, and an odd one goes to the left. */
	assert_int_equal(f.s.accesses[0], 31);
	assert_int_equal(f.s.accesses[1], 30);
	assert_int_equal(f.s.start[1], TIB / 4);
	free(f.memory);
}

/* The difference is as large as tau_split, but of so many accesses that it is only scatter. */
static void test_scatter(void **state)
{
	struct fixture f;

	make(&f, (struct kx_ranges_config){ .last = 3 * TIB - 1, .max = 3 });
	f.s.nr = 3;
	f.s.start[1] = TIB;
	f.s.start[2] = 2 * TIB;
	heat(&f.s, 0, 10000);
	heat(&f.s, 1, 10400);
	heat(&f.s, 2, 10000);
	kx_ranges_epoch(&f.s);
	assert_int_equal(f.s.splits + f.s.denied, 0);
	heat(&f.s, 0, 5000);
	heat(&f.s, 1, 5400); /* 10600 now: more than the scatter of 10000 */
	heat(&f.s, 2, 5000);
	kx_ranges_epoch(&f.s);
	assert_int_equal(f.s.denied, 1);
	free(f.memory);
}

static void test_decay_and_merge(void **state)
{
	struct fixture f;
	u32 most;

	make(&f, (struct kx_ranges_config){ .last = TIB - 1, .tau_merge = 3 });
	for (u32 e = 0; e < 18; e++) {
		kx_ranges_add(&f.s, 5 * MIB, 1000);
		epoch(&f.s);
	}
	most = f.s.nr;
	assert_true(most > 10);
	/* 667 accesses are 0 after 10 epochs, and ranges that had 0 accesses in three epochs are merged. */
	for (u32 e = 0; e < 11; e++)
		epoch(&f.s);
	assert_int_equal(sum_of_accesses(&f.s, 1), 0);
	assert_true(f.s.nr > 2);
	for (u32 e = 0; e < 3; e++)
		epoch(&f.s);
	assert_int_equal(f.s.nr, 2);
	assert_int_equal(f.s.merges, f.s.splits);
	free(f.memory);
}

static u32 age_of(const struct kx_ranges *s, u32 i)
{
	struct kx_range r;

	kx_ranges_get(s, i, &r);
	return r.age;
}

/* The age is in epochs since the borders last changed; of equally hot ranges the younger one ranks first. */
static void test_age(void **state)
{
	struct kx_range r;
	struct fixture f;

	make(&f, (struct kx_ranges_config){ .last = TIB - 1 });
	heat(&f.s, 0, 64);
	epoch(&f.s);
	assert_int_equal(f.s.nr, 3);
	assert_int_equal(age_of(&f.s, 0), 0);
	assert_int_equal(age_of(&f.s, 1), 0);
	assert_int_equal(age_of(&f.s, 2), 1);
	free(f.memory);

	make(&f, (struct kx_ranges_config){ .last = TIB - 1, .tau_merge = 1 });
	heat(&f.s, 1, 64);
	epoch(&f.s);
	assert_int_equal(f.s.nr, 3);
	assert_int_equal(age_of(&f.s, 0), 1);
	assert_int_equal(age_of(&f.s, 1), 0);
	assert_int_equal(age_of(&f.s, 2), 0);

	f.s.config.tau_split = 1000;
	heat(&f.s, 0, 64);
	heat(&f.s, 1, 32 - 16);
	heat(&f.s, 2, 32 - 16);
	epoch(&f.s);
	assert_int_equal(age_of(&f.s, 0), 2);
	assert_int_equal(age_of(&f.s, 1), 1);
	kx_ranges_rank(&f.s);
	kx_ranges_ranked(&f.s, 0, &r);
	assert_int_equal(r.start, TIB / 2);
	kx_ranges_ranked(&f.s, 2, &r);
	assert_int_equal(r.start, 0);

	/* The right ranges have 32 accesses, which are 0 after six epochs, and are merged; the left range stays. */
	for (u32 e = 0; e < 6; e++) {
		assert_int_equal(f.s.nr, 3);
		heat(&f.s, 0, 1);
		epoch(&f.s);
	}
	assert_int_equal(f.s.nr, 2);
	assert_int_equal(age_of(&f.s, 0), 8);
	assert_int_equal(age_of(&f.s, 1), 0);
	free(f.memory);
}

static bool ranks_before(const struct kx_range *a, const struct kx_range *b)
{
	unsigned __int128 x = (unsigned __int128)a->accesses * b->size;
	unsigned __int128 y = (unsigned __int128)b->accesses * a->size;

	return x > y || (x == y && a->age <= b->age);
}

static void test_rank(void **state)
{
	struct kx_range r, before;
	struct fixture f;
	u64 size = 0;

	seed = 3;
	make(&f, (struct kx_ranges_config){ .last = ~0ull, .granularity = 20, .max = 300 });
	for (u32 e = 0; e < 40; e++) {
		for (u32 i = 0; i < 3000; i++)
			kx_ranges_add(&f.s, draw() >> below(44), 1);
		epoch(&f.s);
		assert_int_equal(kx_ranges_rank(&f.s), f.s.nr);
		size = 0;
		for (u32 i = 0; i < f.s.nr; i++) {
			kx_ranges_ranked(&f.s, i, &r);
			size += r.size;
			assert_true(i == 0 || ranks_before(&before, &r));
			assert_true(i == 0 || before.heat >= r.heat);
			before = r;
		}
		assert_int_equal(size, 0); /* 2^64 */
	}
	assert_true(f.s.nr > 50);
	free(f.memory);
}

static void test_heat(void **state)
{
	struct kx_range r;
	struct fixture f;

	make(&f, (struct kx_ranges_config){ .last = 16 * MIB - 1 });
	kx_ranges_add(&f.s, 0, 12);
	kx_ranges_add(&f.s, 8 * MIB, 1ull << 40);
	f.s.config.tau_split = ~0u;
	f.s.config.vcpus = ~0u;
	epoch(&f.s);
	kx_ranges_get(&f.s, 0, &r);
	assert_int_equal(r.heat, 3ull << 32);
	assert_int_equal(r.age, 1);
	kx_ranges_get(&f.s, 1, &r);
	assert_int_equal(r.heat, ~0ull); /* as much as can be said */
	free(f.memory);
}

/* --- does it find the hot memory? --------------------------------------------------------- */

static void find_range(const struct kx_ranges *s, u64 address, struct kx_range *r)
{
	for (u32 i = 0; i < s->nr; i++) {
		kx_ranges_get(s, i, r);
		if (address - r->start < r->size)
			return;
	}
	fail();
}

/*
 * The published claim, wherever the hot spot is: 2 MiB in 64 TiB are a range of their own after 24
 * splits in 24 epochs, of 500 ms each 12 s, with fewer than 50 ranges at any time. The split that
 * cut it off shared its accesses equally with the other half, so what ranks first is the spot from
 * the next epoch on. Where a spot lies across a border the colder side follows the hotter, within
 * some epochs more.
 */
#define SETTLE 8u

static void isolate(u64 spot, u64 samples, u64 *splits)
{
	struct kx_range r;
	struct fixture f;
	u64 found = 0;
	u32 rank;

	make(&f, (struct kx_ranges_config){ .last = 64 * TIB - 1, .vcpus = 4 });
	for (u32 e = 0; e < 24; e++) {
		for (u64 i = 0; i < samples; i++)
			kx_ranges_add(&f.s, spot + below(2 * MIB), 1);
		epoch(&f.s);
		assert_in_range(f.s.nr, 2, 49);
	}
	*splits = f.s.splits;
	if (spot % (2 * MIB) == 0) {
		find_range(&f.s, spot, &r);
		assert_int_equal(r.start, spot);
		assert_int_equal(r.size, 2 * MIB);
	}
	for (u32 e = 0; e < SETTLE; e++) {
		for (u64 i = 0; i < samples; i++)
			kx_ranges_add(&f.s, spot + below(2 * MIB), 1);
		epoch(&f.s);
		assert_in_range(f.s.nr, 2, 49);
		kx_ranges_rank(&f.s);
		kx_ranges_ranked(&f.s, 0, &r);
		assert_true(spot % (2 * MIB) || r.start == spot);
	}
	for (rank = 0; rank < (spot % (2 * MIB) ? 2 : 1); rank++) {
		u64 from, to;

		kx_ranges_ranked(&f.s, rank, &r);
		assert_int_equal(r.size, 2 * MIB);
		from = r.start > spot ? r.start : spot;
		to = r.start + r.size < spot + 2 * MIB ? r.start + r.size : spot + 2 * MIB;
		assert_true(from < to);
		found += to - from;
	}
	assert_int_equal(found, 2 * MIB);
	free(f.memory);
}

static void test_claim(void **state)
{
	u64 splits;

	seed = 4;
	for (u32 i = 0; i < 200; i++) {
		isolate(below(64 * TIB / (2 * MIB)) * 2 * MIB, 2000, &splits);
		assert_int_equal(splits, 24);
	}
	isolate(0, 2000, &splits);
	assert_int_equal(splits, 24);
	isolate(64 * TIB - 2 * MIB, 100, &splits);
	assert_int_equal(splits, 24);
}

static void test_claim_across_borders(void **state)
{
	u64 splits;

	seed = 5;
	for (u32 i = 0; i < 100; i++)
		isolate(below(64 * TIB / (2 * MIB) - 1) * 2 * MIB + MIB / 4 + below(3 * MIB / 2),
			2000, &splits);
	/* Across the first border, and those of the first splits, in all proportions. */
	for (u64 part = MIB / 4; part <= 7 * MIB / 4; part += MIB / 8) {
		isolate(32 * TIB - part, 2000, &splits);
		isolate(16 * TIB - part, 2000, &splits);
		isolate(40 * TIB - part, 2000, &splits);
	}
}

/* Memory of uniform heat is not split, however many samples there are. */
static void test_uniform(void **state)
{
	static const u32 rates[] = { 100, 1000, 10000, 50000 };

	seed = 6;
	for (u32 k = 0; k < 4; k++) {
		struct fixture f;
		u32 most = 0;

		make(&f, (struct kx_ranges_config){ .last = 64 * TIB - 1, .vcpus = 1 });
		for (u32 e = 0; e < 60; e++) {
			for (u32 i = 0; i < rates[k]; i++)
				kx_ranges_add(&f.s, below(64 * TIB), 1);
			epoch(&f.s);
			most = f.s.nr > most ? f.s.nr : most;
		}
		print_message("uniform, %u samples an epoch: at most %u ranges\n", rates[k], most);
		assert_in_range(most, 2, 16);
		free(f.memory);
	}
}

/* The exact counter: every granule's accesses, which halve each epoch as the ranges' do. */
struct exact {
	u32 nr, *accesses, *order;
};

static u32 *sort_by;

static int by_accesses(const void *a, const void *b)
{
	u32 x = sort_by[*(const u32 *)a], y = sort_by[*(const u32 *)b];

	return x < y ? 1 : x > y ? -1 : 0;
}

static void exact_make(struct exact *x, u32 nr)
{
	x->nr = nr;
	x->accesses = calloc(nr, sizeof(u32));
	x->order = malloc(sizeof(u32) * nr);
	for (u32 i = 0; i < nr; i++)
		x->order[i] = i;
}

static void exact_free(struct exact *x)
{
	free(x->accesses);
	free(x->order);
}

/*
 * Of the accesses that the @hot hottest granules have, the share that is in the hottest ranges of
 * the same size; the part of the last range that is too much is not counted.
 */
static double captured(struct kx_ranges *s, struct exact *x, u32 hot)
{
	u64 best = 0, got = 0, left = hot;
	struct kx_range r;

	sort_by = x->accesses;
	qsort(x->order, x->nr, sizeof(u32), by_accesses);
	for (u32 i = 0; i < hot; i++)
		best += x->accesses[x->order[i]];
	kx_ranges_rank(s);
	for (u32 rank = 0; rank < s->nr && left; rank++) {
		u64 granules, inside = 0, first;

		kx_ranges_ranked(s, rank, &r);
		granules = r.size >> s->config.granularity;
		first = r.start >> s->config.granularity;
		for (u64 g = first; g < first + granules; g++)
			inside += x->accesses[g];
		got += granules <= left ? inside : inside * left / granules;
		left -= granules <= left ? granules : left;
	}
	return (double)got / best;
}

typedef u64 granule_fn(u32 epoch, u32 nr);

static void run_stream(struct kx_ranges *s, struct exact *x, granule_fn *granule, u32 from, u32 to,
		       u32 samples)
{
	for (u32 e = from; e < to; e++) {
		for (u32 i = 0; i < x->nr; i++)
			x->accesses[i] /= 2;
		for (u32 i = 0; i < samples; i++) {
			u64 g = granule(e, x->nr);

			x->accesses[g]++;
			kx_ranges_add(s, (g << s->config.granularity) + below(4096), 1);
		}
		epoch(s);
	}
}

#define GRANULES 32768u /* 64 GiB */

/* --- generated streams ------------------------------------------------------------------- */

/* Hotness falls with the address, as in a heap whose oldest objects are hottest. */
static u64 zipf(u32 e, u32 nr)
{
	return (u64)pow(nr, uniform()) - 1;
}

/* The same in blocks of 128 MiB in random order. */
static u64 scattered_zipf(u32 e, u32 nr)
{
	u64 g = zipf(e, nr), block = g / 64;

	return (block * 181 + 77) % (nr / 64) * 64 + g % 64;
}

/* Half the accesses to 1/64 of the space, a quarter to 1/16, the rest anywhere. */
static u64 stairs(u32 e, u32 nr)
{
	switch (below(4)) {
	case 0:
		return below(nr);
	case 1:
		return nr / 3 + below(nr / 16);
	default:
		return nr * 5 / 7 + below(nr / 64);
	}
}

/* 90 % to 64 MiB that move every 40 epochs. */
static u64 phases(u32 e, u32 nr)
{
	u64 spot = (e / 40 * 12345 + 777) % (nr - 32);

	return below(10) ? spot + below(32) : below(nr);
}

static double quality(granule_fn *stream, u32 epochs, u32 samples, u32 hot, u32 max)
{
	struct fixture f;
	struct exact x;
	double share;

	make(&f, (struct kx_ranges_config){ .last = GRANULES * 2 * MIB - 1, .max = max });
	exact_make(&x, GRANULES);
	run_stream(&f.s, &x, stream, 0, epochs, samples);
	share = captured(&f.s, &x, hot);
	print_message("%u of at most %u ranges, %llu denied: %.3f of the accesses\n", f.s.nr, max,
		      (unsigned long long)f.s.denied, share);
	exact_free(&x);
	free(f.memory);
	return share;
}

static void test_zipf(void **state)
{
	seed = 7;
	assert_true(quality(zipf, 40, 20000, 256, 0) > 0.95);
	assert_true(quality(zipf, 40, 20000, 256, 32) > 0.80);
	assert_true(quality(scattered_zipf, 40, 20000, 256, 0) > 0.90);
}

static void test_stairs(void **state)
{
	seed = 8;
	assert_true(quality(stairs, 40, 20000, GRANULES / 64, 0) > 0.9);
	assert_true(quality(stairs, 40, 20000, GRANULES / 64 + GRANULES / 16, 0) > 0.9);
	assert_true(quality(stairs, 40, 20000, GRANULES / 64, 24) > 0.9);
}

/* The hot set moves: after 30 epochs in the same place it is found there. */
static void test_phases(void **state)
{
	static const u32 max[] = { 0, 24 };

	seed = 9;
	for (u32 k = 0; k < 2; k++) {
		struct fixture f;
		struct exact x;

		make(&f,
		     (struct kx_ranges_config){ .last = GRANULES * 2 * MIB - 1, .max = max[k] });
		exact_make(&x, GRANULES);
		for (u32 phase = 0; phase < 8; phase++) {
			double share;

			run_stream(&f.s, &x, phases, phase * 40, phase * 40 + 30, 5000);
			share = captured(&f.s, &x, 32);
			print_message("phase %u: %u ranges, %.3f\n", phase, f.s.nr, share);
			assert_true(share > 0.85);
			run_stream(&f.s, &x, phases, phase * 40 + 30, phase * 40 + 40, 5000);
		}
		exact_free(&x);
		free(f.memory);
	}
}

/* --- a recorded stream ------------------------------------------------------------------- */

/*
 * The log of the guest workload of bench/workloads, recorded with:
 *
 *	kx-workload --virtual --pattern stairs --mem 64M --hot-bytes 2M --hot-share 0.9 --step-epochs 15 \
 *		--epochs 45 --epoch-touches 1200 --read-share 1 --seed 5
 *
 * A page that was touched in an epoch, however often, is one access, as to a tracker that looks
 * at accessed bits once an epoch. The format: docs/workload-log.md.
 */
#define RECORDED	"tests/unit/stairs.log"
#define RECORDED_PAGES	16384u
#define RECORDED_HOT	512u
#define RECORDED_STEP	15u
#define RECORDED_EPOCHS 45u

/* The same epochs as runs of pages, and page by page; @arena is in pages. */
struct recorded {
	struct fixture runs, pages;
	u64 arena;
	u32 epochs;
};

static void recorded_make(struct recorded *r, u64 arena)
{
	struct kx_ranges_config c = {
		.first = arena << 12,
		.last = ((arena + RECORDED_PAGES) << 12) - 1,
		.granularity = 12,
	};

	r->arena = arena;
	make(&r->runs, c);
	make(&r->pages, c);
}

static void recorded_touch(struct recorded *r, char *list)
{
	for (char *next, *run = strtok_r(list, ",\n", &next); run;
	     run = strtok_r(NULL, ",\n", &next)) {
		u64 page = strtoull(run, &run, 16), n = strtoull(run + 1, NULL, 10);

		assert_in_range(page, r->arena, r->arena + RECORDED_PAGES - n);
		kx_ranges_add_run(&r->runs.s, page << 12, n << 12, n);
		for (; n; n--, page++)
			kx_ranges_add(&r->pages.s, (page << 12) + below(4096), 1);
	}
}

/* Of the hottest ranges' pages, as many as the window has are taken: how many of them are in the window. */
static u64 recorded_found(struct kx_ranges *s, u64 window)
{
	struct kx_range range;
	u64 pages = 0, found = 0;

	kx_ranges_rank(s);
	for (u32 rank = 0; pages < RECORDED_HOT; rank++) {
		kx_ranges_ranked(s, rank, &range);
		pages += range.size >> 12;
		found += overlap(&range, window << 12, ((window + RECORDED_HOT) << 12) - 1) >> 12;
	}
	return pages > RECORDED_HOT ? found * RECORDED_HOT / pages : found;
}

/* The window stays for a step, and then moves by its own size. */
static void recorded_epoch(struct recorded *r)
{
	struct kx_ranges *s = &r->runs.s;
	u64 found;

	epoch(s);
	epoch(&r->pages.s);
	assert_int_equal(s->nr, r->pages.s.nr);
	assert_memory_equal(s->start, r->pages.s.start, sizeof(u64) * s->nr);
	assert_memory_equal(s->accesses, r->pages.s.accesses, sizeof(u64) * s->nr);
	if (++r->epochs % RECORDED_STEP == 0) {
		found = recorded_found(s,
				       r->arena + (r->epochs / RECORDED_STEP - 1) * RECORDED_HOT);
		print_message("recorded, epoch %u: %u ranges, %u of %u pages\n", r->epochs, s->nr,
			      (u32)found, RECORDED_HOT);
		assert_in_range(found, RECORDED_HOT * 19 / 20, RECORDED_HOT);
	}
}

static void test_recorded(void **state)
{
	struct recorded r = { 0 };
	FILE *log = fopen(RECORDED, "r");
	char *line = NULL;
	size_t room = 0;
	u64 arena;
	int at;

	assert_non_null(log);
	seed = 10;
	while (getline(&line, &room, log) > 0) {
		if (sscanf(line, "arena %" SCNx64, &arena) == 1)
			recorded_make(&r, arena);
		else if (at = 0, sscanf(line, "touch %*u %n", &at), at)
			recorded_touch(&r, line + at);
		else if (at = 0, sscanf(line, "epoch %*u end %n", &at), at)
			recorded_epoch(&r);
	}
	assert_int_equal(r.epochs, RECORDED_EPOCHS);
	free(line);
	fclose(log);
	free(r.runs.memory);
	free(r.pages.memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_one_granule),
		cmocka_unit_test(test_whole_space),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_run_edges),
		cmocka_unit_test(test_threshold),
		cmocka_unit_test(test_scatter),
		cmocka_unit_test(test_decay_and_merge),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_rank),
		cmocka_unit_test(test_heat),
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_claim_across_borders),
		cmocka_unit_test(test_uniform),
		cmocka_unit_test(test_zipf),
		cmocka_unit_test(test_stairs),
		cmocka_unit_test(test_phases),
		cmocka_unit_test(test_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
