// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Region sampling: invariants, with random memory that changes; what merging, splitting
 * and ageing do, by hand; and whether it finds the hot memory, with simulated accesses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <glib.h>
#include <math.h>

#include "regions.h"

#define CHECKS 20u

struct fixture {
	struct kx_regions s;
	void *memory; /* of the exact size, so that ASan notices accesses outside */
};

static void make(struct fixture *f, u32 min, u32 max, u64 seed)
{
	f->memory = malloc(kx_regions_bytes(max));
	assert_non_null(f->memory);
	memset(f->memory, 0xa5, kx_regions_bytes(max));
	kx_regions_init(&f->s, f->memory, min, max, seed);
}

static void make_one(struct fixture *f, u32 min, u32 max, u64 gfn, u64 npages)
{
	struct kx_stretch all = { .gfn = gfn, .npages = npages };

	make(f, min, max, 1);
	assert_int_equal(kx_regions_set(&f->s, &all, 1), 0);
}

/* Sets the counts of the regions. */
static void counted(struct kx_regions *s, const u32 *accesses)
{
	for (u32 i = 0; i < s->nr; i++)
		s->region[i].accesses = accesses[i];
	s->checks = CHECKS;
}

static void aggregate(struct kx_regions *s)
{
	kx_regions_age(s);
	kx_regions_adapt(s);
}

/* --- what always holds ------------------------------------------------------------------ */

static u64 total(const struct kx_stretch *m, u32 nr)
{
	u64 pages = 0;

	for (u32 i = 0; i < nr; i++)
		pages += m[i].npages;
	return pages;
}

/* The regions are the stretches, cut into pieces: each page is in exactly one region. */
static void check_cover(const struct kx_regions *s, const struct kx_stretch *m, u32 nr)
{
	u64 at = nr ? m[0].gfn : 0;
	u32 i, j = 0;

	for (i = 0; i < s->nr; i++) {
		const struct kx_region *r = &s->region[i];
		u64 rest = r->npages;

		assert_true(r->npages > 0);
		assert_true(j < nr);
		assert_int_equal(r->as_id, m[j].as_id);
		assert_int_equal(r->gfn, at);
		while (rest) { /* over several stretches only if these are adjacent */
			u64 part = MIN(rest, m[j].gfn + m[j].npages - at);

			rest -= part;
			at += part;
			if (at < m[j].gfn + m[j].npages)
				break;
			j++;
			if (rest) {
				assert_true(j < nr);
				assert_int_equal(m[j].as_id, r->as_id);
				assert_int_equal(m[j].gfn, at);
			}
			if (j < nr)
				at = m[j].gfn;
		}
		if (r->watching)
			assert_true(r->watched >= r->gfn && r->watched - r->gfn < r->npages);
	}
	assert_int_equal(j, nr);
	assert_true(s->nr <= s->max);
	assert_true(s->nr >= MIN((u64)s->min, total(m, nr)));
}

struct machine {
	struct kx_stretch m[40];
	u32 nr, separate;
};

/* Random memory, of two address spaces; some stretches touch. @scale: log2 of their size. */
static void random_memory(struct machine *m, GRand *rand, int scale)
{
	u64 at = 0;
	u16 as_id = 0;

	m->nr = g_rand_int_range(rand, 1, G_N_ELEMENTS(m->m) + 1);
	m->separate = 0;
	for (u32 i = 0; i < m->nr; i++) {
		u64 npages = 1 + ((u64)g_rand_int(rand) << 20) %
					 (1ull << g_rand_int_range(rand, 1, scale));
		gboolean touches = i && g_rand_int_range(rand, 0, 4) == 0;

		if (i && as_id == 0 && g_rand_int_range(rand, 0, 30) == 0) {
			as_id = 1;
			at = 0;
			touches = FALSE;
		}
		if (!touches) {
			at += 1 + g_rand_int_range(rand, 0, 100);
			m->separate++;
		}
		m->m[i] = (struct kx_stretch){ .gfn = at, .npages = npages, .as_id = as_id };
		at += npages;
	}
}

static void random_aggregation(struct kx_regions *s, GRand *rand)
{
	u32 i, hot = g_rand_int_range(rand, 0, 3);

	s->checks = g_rand_int_range(rand, 0, 40);
	for (i = 0; i < s->nr; i++) {
		struct kx_region *r = &s->region[i];
		u64 gfn = kx_region_choose(s, r);

		assert_true(r->watching && r->watched == gfn);
		assert_true(gfn >= r->gfn && gfn - r->gfn < r->npages);
		r->accesses = hot == 0	 ? 0
			      : hot == 1 ? s->checks
					 : (u32)g_rand_int_range(rand, 0, s->checks + 1);
	}
}

static void holds_over_random_memory(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(4);
	guint full = 0, refused = 0;

	for (int trial = 0; trial < 300; trial++) {
		int scale = trial % 3 == 0 ? 48 : trial % 3 == 1 ? 14 : 3;
		u32 max = g_rand_int_range(rand, 1, trial % 2 ? 30 : 500);
		u32 min = g_rand_int_range(rand, 1, max + 1);
		struct machine m = { 0 }, next;
		struct fixture f;

		make(&f, min, max, trial);
		for (int step = 0; step < 60; step++) {
			if (step % 7 == 0) {
				random_memory(&next, rand, scale);
				if (next.separate > max) {
					assert_int_equal(kx_regions_set(&f.s, next.m, next.nr),
							 -E2BIG);
					refused++;
				} else {
					assert_int_equal(kx_regions_set(&f.s, next.m, next.nr), 0);
					m = next;
				}
			} else {
				random_aggregation(&f.s, rand);
				aggregate(&f.s);
				assert_int_equal(f.s.checks, 0);
			}
			check_cover(&f.s, m.m, m.nr);
			full += f.s.nr == max;
		}
		free(f.memory);
	}
	assert_true(full > 100 && refused > 100); /* both bounds were met */
}

static void all_memory_can_go_and_come_back(void **state)
{
	struct kx_stretch m = { .gfn = 100, .npages = 1000 };
	struct fixture f;

	make_one(&f, 10, 50, 100, 1000);
	assert_int_equal(kx_regions_set(&f.s, NULL, 0), 0);
	assert_int_equal(f.s.nr, 0);
	f.s.checks = CHECKS;
	aggregate(&f.s);
	assert_int_equal(f.s.nr, 0);
	assert_int_equal(kx_regions_set(&f.s, &m, 1), 0);
	check_cover(&f.s, &m, 1);
	free(f.memory);
}

static void depends_on_the_seed_alone(void **state)
{
	struct fixture f[3];
	guint differ = 0;

	for (guint i = 0; i < G_N_ELEMENTS(f); i++) {
		g_autoptr(GRand) rand = g_rand_new_with_seed(8);
		struct kx_stretch all = { .npages = 1 << 20 };

		make(&f[i], 10, 200, i < 2 ? 5 : 6);
		assert_int_equal(kx_regions_set(&f[i].s, &all, 1), 0);
		for (int step = 0; step < 20; step++) {
			random_aggregation(&f[i].s, rand);
			aggregate(&f[i].s);
		}
	}
	assert_int_equal(f[0].s.nr, f[1].s.nr);
	for (u32 i = 0; i < f[0].s.nr; i++) {
		assert_int_equal(f[0].s.region[i].gfn, f[1].s.region[i].gfn);
		differ += i < f[2].s.nr && f[2].s.region[i].gfn != f[0].s.region[i].gfn;
	}
	assert_true(differ > 0);
	for (guint i = 0; i < G_N_ELEMENTS(f); i++)
		free(f[i].memory);
}

static void chooses_every_page_alike(void **state)
{
	guint count[10] = { 0 };
	struct fixture f;

	make_one(&f, 1, 1, 77, 10);
	for (int i = 0; i < 100000; i++)
		count[kx_region_choose(&f.s, &f.s.region[0]) - 77]++;
	for (int i = 0; i < 10; i++) /* 10000 expected, standard deviation 95 */
		assert_in_range(count[i], 9500, 10500);
	free(f.memory);
}

/* --- kx_regions_set() ------------------------------------------------------------------- */

static void cuts_evenly(void **state)
{
	const struct kx_stretch m[] = { { .gfn = 0, .npages = 7000 },
					{ .gfn = 7500, .npages = 0 },
					{ .gfn = 8000, .npages = 2000 },
					{ .gfn = 0, .npages = 1000, .as_id = 1 } };
	struct fixture f;

	make(&f, 10, 1000, 1);
	assert_int_equal(kx_regions_set(&f.s, m, 4), 0);
	assert_int_equal(f.s.nr, 10);
	for (u32 i = 0; i < 10; i++)
		assert_int_equal(f.s.region[i].npages, 1000);
	free(f.memory);

	make_one(&f, 7, 7, 5, 100); /* cannot be divided evenly */
	assert_int_equal(f.s.nr, 7);
	for (u32 i = 0; i < 7; i++)
		assert_in_range(f.s.region[i].npages, 14, 15);
	free(f.memory);

	make_one(&f, 50, 60, 5, 9);
	assert_int_equal(f.s.nr, 9);
	free(f.memory);
}

/* If @max does not allow enough regions, only the large stretches are cut. */
static void cuts_what_is_large(void **state)
{
	struct kx_stretch m[10];
	struct fixture f;

	for (u32 i = 0; i < 10; i++)
		m[i] = (struct kx_stretch){ .gfn = i * 100000, .npages = i == 4 ? 90000 : 10 };
	make(&f, 10, 15, 1);
	assert_int_equal(kx_regions_set(&f.s, m, 10), 0);
	check_cover(&f.s, m, 10);
	assert_int_equal(f.s.nr, 15);
	for (u32 i = 0; i < 15; i++)
		assert_int_equal(f.s.region[i].npages, i >= 4 && i < 10 ? 15000 : 10);
	free(f.memory);
}

static void a_page_each_stays_a_page_each(void **state)
{
	const struct kx_stretch m[] = { { .gfn = 10, .npages = 300 },
					{ .gfn = 500, .npages = 212 } };
	g_autoptr(GRand) rand = g_rand_new_with_seed(2);
	struct fixture f;

	make(&f, 512, 512, 1);
	assert_int_equal(kx_regions_set(&f.s, m, 2), 0);
	for (int step = 0; step < 30; step++) {
		assert_int_equal(f.s.nr, 512);
		for (u32 i = 0; i < f.s.nr; i++) {
			assert_int_equal(f.s.region[i].npages, 1);
			assert_int_equal(f.s.region[i].gfn, i < 300 ? 10 + i : 200 + i);
			assert_int_equal(kx_region_choose(&f.s, &f.s.region[i]), f.s.region[i].gfn);
		}
		random_aggregation(&f.s, rand);
		aggregate(&f.s);
		assert_int_equal(kx_regions_set(&f.s, m, 2), 0);
	}
	assert_int_equal(f.s.merges, 0);
	assert_int_equal(f.s.splits, 0);
	free(f.memory);
}

static void refuses_more_stretches_than_regions(void **state)
{
	struct kx_stretch m[] = { { .gfn = 0, .npages = 8 },
				  { .gfn = 10, .npages = 8 },
				  { .gfn = 20, .npages = 8 } };
	struct fixture f;
	struct kx_regions before;

	make_one(&f, 2, 2, 0, 100);
	f.s.region[0].accesses = 7;
	memcpy(&before, &f.s, sizeof(before)); /* with its padding */
	assert_int_equal(kx_regions_set(&f.s, m, 3), -E2BIG);
	assert_memory_equal(&before, &f.s, sizeof(before));
	assert_int_equal(f.s.region[0].accesses, 7);
	assert_int_equal(f.s.region[0].npages, 50);
	m[1].gfn = 8; /* adjacent to the first: both are one stretch */
	assert_int_equal(kx_regions_set(&f.s, m, 3), 0);
	check_cover(&f.s, m, 3);
	free(f.memory);
}

/* The region in which each page is. */
static void regions_by_page(const struct kx_regions *s, struct kx_region *page, u64 pages)
{
	memset(page, 0, pages * sizeof(*page));
	for (u32 i = 0; i < s->nr; i++) {
		for (u64 j = 0; j < s->region[i].npages; j++)
			page[s->region[i].gfn + j] = s->region[i];
	}
}

static void what_stays_is_remembered(void **state)
{
	enum {
		PAGES = 4096
	};
	g_autofree struct kx_region *before = g_new0(struct kx_region, PAGES);
	g_autofree struct kx_region *after = g_new0(struct kx_region, PAGES);
	g_autoptr(GRand) rand = g_rand_new_with_seed(3);
	struct fixture f;

	make(&f, 20, 4096, 1); /* room for every piece: nothing has to be merged */
	for (int step = 0; step < 300; step++) {
		struct kx_stretch m[8];
		guint watched = 0, kept = 0;
		u64 at = 0;
		u32 nr;

		for (nr = 0; nr < 8; nr++) {
			m[nr] = (struct kx_stretch){ .gfn = at + g_rand_int_range(rand, 0, 100),
						     .npages = g_rand_int_range(rand, 1, 400) };
			at = m[nr].gfn + m[nr].npages + 1;
		}
		regions_by_page(&f.s, before, PAGES);
		assert_int_equal(kx_regions_set(&f.s, m, nr), 0);
		check_cover(&f.s, m, nr);
		regions_by_page(&f.s, after, PAGES);
		for (u32 i = 0; i < PAGES; i++) {
			if (!after[i].npages)
				continue;
			assert_int_equal(after[i].accesses, before[i].accesses);
			assert_int_equal(after[i].last_accesses, before[i].last_accesses);
			assert_int_equal(after[i].age, before[i].age);
			watched += before[i].watching && before[i].watched == i;
			kept += after[i].watching && after[i].watched == i;
		}
		assert_int_equal(watched, kept);
		random_aggregation(&f.s, rand);
		if (step % 3)
			aggregate(&f.s);
	}
	assert_int_equal(f.s.max, 4096);
	free(f.memory);
}

/* If holes need more regions, regions are merged where this loses the least. */
static void makes_room_where_regions_are_alike(void **state)
{
	u32 counts[20];
	struct kx_stretch m[11] = { { .gfn = 0, .npages = 500 } };
	struct fixture f;
	guint hot = 0, warm = 0;

	make_one(&f, 20, 20, 0, 20000);
	for (u32 i = 0; i < 20; i++)
		counts[i] = i == 8 || i == 11 ? CHECKS : i == 3 ? 12 : 0;
	counted(&f.s, counts);
	for (u32 i = 0; i < 10; i++) /* ten holes, each in the middle of a region: 30 pieces */
		m[i + 1] =
			(struct kx_stretch){ .gfn = i * 2000 + 550, .npages = i < 9 ? 1950 : 1450 };
	assert_int_equal(kx_regions_set(&f.s, m, 11), 0);
	check_cover(&f.s, m, 11);
	assert_int_equal(f.s.nr, 20);
	for (u32 i = 0; i < 20; i++) {
		const struct kx_region *r = &f.s.region[i];

		hot += r->accesses == CHECKS;
		warm += r->accesses == 12;
		assert_true(r->accesses == CHECKS || r->accesses == 12 || r->accesses == 0);
	}
	assert_int_equal(hot, 3); /* a hole is in one of the two */
	assert_int_equal(warm, 1);
	free(f.memory);
}

/* When two regions are merged, the new one continues to check a page that one of them has checked. */
static void a_watched_page_stays_watched(void **state)
{
	const struct kx_stretch m[] = { { .gfn = 0, .npages = 200 },
					{ .gfn = 300, .npages = 100 } };
	struct fixture f;

	for (u32 i = 0; i < 2; i++) {
		make_one(&f, 2, 2, 0, 200);
		f.s.region[i].watching = true;
		f.s.region[i].watched = i ? 150 : 50;
		assert_int_equal(kx_regions_set(&f.s, m, 2), 0);
		assert_int_equal(f.s.nr, 2);
		assert_int_equal(f.s.region[0].npages, 200);
		assert_true(f.s.region[0].watching);
		assert_int_equal(f.s.region[0].watched, i ? 150 : 50);
		assert_false(f.s.region[1].watching);
		free(f.memory);
	}
}

/* --- ages, merges, splits --------------------------------------------------------------- */

static void ages_what_does_not_change(void **state)
{
	const u32 last[] = { 50, 50, 50, 50, 0 }, now[] = { 50, 60, 61, 39, 0 };
	const u32 age[] = { 6, 6, 0, 0, (u32)-1 };
	struct fixture f;

	make_one(&f, 5, 5, 0, 100);
	counted(&f.s, now);
	for (u32 i = 0; i < 5; i++) {
		f.s.region[i].last_accesses = last[i];
		f.s.region[i].age = i < 4 ? 5 : (u32)-1;
	}
	f.s.checks = 100;
	kx_regions_age(&f.s);
	for (u32 i = 0; i < 5; i++) {
		assert_int_equal(f.s.region[i].age, age[i]);
		assert_int_equal(f.s.region[i].accesses, now[i]);
	}
	free(f.memory);
}

/* Makes regions with these sizes and counts; @max is their number. */
static void lay_out(struct fixture *f, u32 min, const u64 *npages, const u32 *accesses, u32 nr)
{
	u64 at = 0;

	make(f, min, nr, 1);
	f->s.nr = nr;
	for (u32 i = 0; i < nr; i++) {
		f->s.region[i] = (struct kx_region){ .gfn = at, .npages = npages[i] };
		at += npages[i];
	}
	f->s.pages = at;
	counted(&f->s, accesses);
}

static void merges_what_is_alike(void **state)
{
	const u64 npages[] = { 10, 10, 10, 10, 10, 10 };
	const u32 accesses[] = { 4, 6, 9, 20, 17, 0 };
	/* 4 and 6 differ by a tenth of 20; their mean, 5, and 9 by more; so do 20 and 17 */
	struct fixture f;

	lay_out(&f, 1, npages, accesses, 6);
	f.s.region[0].age = 8;
	f.s.region[1].age = 4;
	f.s.region[4].gfn += 1000; /* a hole */
	f.s.region[5].gfn += 1000;
	f.s.last_nr = 0;
	kx_regions_adapt(&f.s);
	assert_int_equal(f.s.merges, 1);
	assert_int_equal(f.s.splits, 1); /* into the room that is left */
	assert_int_equal(f.s.nr, 6);
	for (u32 i = 0, n = 0; i < 6; i++) {
		assert_int_equal(f.s.region[i].accesses, 0);
		assert_false(f.s.region[i].watching);
		if (f.s.region[i].gfn >= 20)
			continue;
		assert_int_equal(f.s.region[i].last_accesses, 5);
		assert_int_equal(f.s.region[i].age, 6);
		assert_true(++n <= 2);
	}
	free(f.memory);
}

static void never_merges_over_a_hole(void **state)
{
	const struct kx_stretch m[] = { { .gfn = 0, .npages = 10 },
					{ .gfn = 11, .npages = 10 },
					{ .gfn = 21, .npages = 10, .as_id = 1 } };
	const u32 same[] = { 5, 5, 5 };
	struct fixture f;

	make(&f, 1, 3, 1);
	assert_int_equal(kx_regions_set(&f.s, m, 3), 0);
	counted(&f.s, same);
	aggregate(&f.s);
	check_cover(&f.s, m, 3);
	assert_int_equal(f.s.merges, 0);
	free(f.memory);
}

static void keeps_to_the_minimum(void **state)
{
	const u64 even[] = { 100, 50, 50, 50, 50, 50, 50 }, uneven[] = { 200, 20, 20, 20, 20, 20 };
	const u32 same[] = { 5, 5, 5, 5, 5, 5, 5 };
	struct fixture f;

	/* 400 pages in at least 4: none may grow over 100 */
	lay_out(&f, 4, even, same, 7);
	kx_regions_adapt(&f.s);
	assert_int_equal(f.s.merges, 3);
	free(f.memory);
	/* one region is too large already, so regions that may grow to 60 pages could become only 3 */
	lay_out(&f, 5, uneven, same, 6);
	kx_regions_adapt(&f.s);
	assert_int_equal(f.s.merges, 1);
	free(f.memory);
}

/* Regions are split into 2, or into 3 if their number is low and has not changed; no part is smaller than a tenth. */
static void splits_at_random(void **state)
{
	const u32 counts[] = { 0, 10, 20, 0, 10, 20, 0, 10, 20, 0 };
	struct fixture f;
	double sum = 0;

	for (int round = 0; round < 500; round++) {
		u64 first;

		make(&f, 10, 100, round);
		assert_int_equal(kx_regions_set(&f.s, &(struct kx_stretch){ .npages = 100000 }, 1),
				 0);
		counted(&f.s, counts);
		f.s.last_nr = round % 2 ? 10 : 9;
		kx_regions_adapt(&f.s);
		assert_int_equal(f.s.nr, round % 2 ? 30 : 20);
		assert_int_equal(f.s.splits, f.s.nr - 10);
		for (u32 i = 0; i < f.s.nr; i++)
			assert_int_equal(f.s.region[i].last_accesses,
					 counts[f.s.region[i].gfn / 10000]);
		first = f.s.region[0].npages;
		assert_in_range(first, 1000, 9000);
		assert_true(round % 2 || f.s.region[1].npages == 10000 - first);
		sum += first;
		free(f.memory);
	}
	assert_true(fabs(sum / 500 - 5000) < 400); /* standard deviation 103 */
}

static void splits_in_three_only_while_few(void **state)
{
	const u32 counts[] = { 0, 10, 20, 0, 10, 20, 0, 10, 20, 0 };
	struct fixture f;

	make_one(&f, 10, 30, 0, 100000);
	counted(&f.s, counts);
	f.s.last_nr = 10;
	kx_regions_adapt(&f.s);
	assert_int_equal(f.s.nr, 20);
	free(f.memory);
}

static void splits_down_to_pages(void **state)
{
	struct fixture f;

	make_one(&f, 1, 200, 0, 64);
	for (int step = 0; step < 60; step++) {
		for (u32 i = 0; i < f.s.nr; i++)
			f.s.region[i].accesses = i % 2 ? CHECKS : 0;
		f.s.checks = CHECKS;
		aggregate(&f.s);
	}
	assert_int_equal(f.s.nr, 64);
	free(f.memory);
}

/* Above half of the maximum as many regions are split as fit, each with the same probability. */
static void splits_into_the_room_there_is(void **state)
{
	guint split[10] = { 0 };
	u32 counts[10];
	struct fixture f;

	for (u32 i = 0; i < 10; i++)
		counts[i] = i % 2 ? CHECKS : 0;
	for (int round = 0; round < 2000; round++) {
		make(&f, 10, 14, round);
		assert_int_equal(kx_regions_set(&f.s, &(struct kx_stretch){ .npages = 100000 }, 1),
				 0);
		counted(&f.s, counts);
		kx_regions_adapt(&f.s);
		assert_int_equal(f.s.nr, 14);
		for (u32 i = 0; i < 14; i++) {
			if (f.s.region[i].gfn % 10000)
				split[f.s.region[i].gfn / 10000]++;
		}
		free(f.memory);
	}
	for (int i = 0; i < 10; i++) /* 800 expected, standard deviation 22 */
		assert_in_range(split[i], 690, 910);
}

/* Sizes up to 2^52 pages and counts up to 2^32 - 1 do not overflow anything. */
static void computes_with_large_numbers(void **state)
{
	const u32 counts[] = { (u32)-1, (u32)-1, 0, 0 };
	struct fixture f;

	make_one(&f, 1, 4, 1ull << 51, 1ull << 51);
	assert_int_equal(f.s.nr, 1);
	f.s.last_nr = 9;
	for (u32 i = 0; i < 2; i++) {
		f.s.checks = CHECKS;
		kx_regions_adapt(&f.s);
	}
	assert_true(f.s.nr > 1);
	for (u32 i = 0; i < f.s.nr; i++) {
		f.s.region[i].accesses = counts[i];
		f.s.region[i].age = counts[i];
	}
	f.s.checks = (u32)-1; /* a tenth of it is less than what they differ by */
	kx_regions_adapt(&f.s);
	for (u32 i = 0; i < f.s.nr; i++)
		assert_true(f.s.region[i].last_accesses == (u32)-1 || !f.s.region[i].last_accesses);
	check_cover(&f.s, &(struct kx_stretch){ .gfn = 1ull << 51, .npages = 1ull << 51 }, 1);
	free(f.memory);
}

/* --- does it find the hot memory? ------------------------------------------------------- */

#define SPACE 262144ull /* 1 GiB */

/* The patterns hotcold and stairs of bench/workloads, as the probability that a page was accessed. */
struct scene {
	u64 hot, pages; /* the window */
	double in, out; /* chance of an access between two checks */
};

static void run_aggregation(struct kx_regions *s, const struct scene *scene, GRand *rand)
{
	for (u32 i = 0; i < s->nr; i++)
		kx_region_choose(s, &s->region[i]);
	for (u32 check = 0; check < CHECKS; check++, s->checks++) {
		for (u32 i = 0; i < s->nr; i++) {
			struct kx_region *r = &s->region[i];
			gboolean in = r->watched - scene->hot < scene->pages;

			assert_true(r->watching);
			r->accesses += g_rand_double(rand) < (in ? scene->in : scene->out);
			kx_region_choose(s, r);
		}
	}
}

/* Hot pages in regions that were found hot, and that consist of hot pages for the larger part. */
static double found(const struct kx_regions *s, const struct scene *scene)
{
	u64 pages = 0;

	for (u32 i = 0; i < s->nr; i++) {
		const struct kx_region *r = &s->region[i];
		u64 from = MAX(r->gfn, scene->hot);
		u64 to = MIN(r->gfn + r->npages, scene->hot + scene->pages);

		if (to > from && 2 * (to - from) > r->npages && 2 * r->accesses > CHECKS)
			pages += to - from;
	}
	return (double)pages / scene->pages;
}

/* The number of aggregations until four fifths are found, up to 10; 11: not found. */
static int aggregations_to_find(struct kx_regions *s, const struct scene *scene, GRand *rand)
{
	int n = 11;

	for (int i = 1; i <= 10; i++) {
		run_aggregation(s, scene, rand);
		if (n == 11 && found(s, scene) >= 0.8)
			n = i;
		aggregate(s);
		assert_in_range(s->nr, s->min, s->max);
	}
	return n;
}

/* How many of 100 windows at random places are found; each window moves @steps times. */
static void finds(double share, double in, double out, u32 max, int steps, guint at_least)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(12);
	struct scene scene = { .pages = SPACE * share, .in = in, .out = out };
	guint hit = 0, all = 0, sum = 0;
	struct fixture f;

	for (int trial = 0; trial < 100 / steps; trial++) {
		scene.hot = g_rand_double(rand) * (SPACE - steps * scene.pages);
		make(&f, 10, max, trial);
		assert_int_equal(kx_regions_set(&f.s, &(struct kx_stretch){ .npages = SPACE }, 1),
				 0);
		for (int step = 0; step < steps; step++, scene.hot += scene.pages, all++) {
			int n = aggregations_to_find(&f.s, &scene, rand);

			hit += n <= 10;
			sum += n;
		}
		free(f.memory);
	}
	print_message("    hot %2.0f %% of %llu pages, found accessed %3.0f %% (others %.0f %%), "
		      "%4u regions, "
		      "%s: %u of %u found in 10 aggregations, %.1f on average\n",
		      100 * share, SPACE, 100 * in, 100 * out, max,
		      steps > 1 ? "stairs " : "hotcold", hit, all, (double)sum / all);
	assert_true(hit >= at_least * all / 100);
}

static void finds_hot_memory(void **state)
{
	static const double shares[] = { 0.02, 0.03, 0.05 };
	static const u32 max[] = { 1000, 100 };

	for (guint i = 0; i < G_N_ELEMENTS(shares); i++) {
		for (guint j = 0; j < G_N_ELEMENTS(max); j++) {
			finds(shares[i], 1, 0, max[j], 1, 98);
			finds(shares[i], 0.93, 0.01, max[j], 1, 97);
			finds(shares[i], 1, 0, max[j], 10, 98);
		}
	}
}

/* With bounds so close that not all regions can be halved, the borders still find their places. */
static void finds_between_close_bounds(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(13);
	struct scene scene = { .hot = 100000, .pages = SPACE * 3 / 100, .in = 1 };
	struct fixture f;

	make_one(&f, 60, 100, 0, SPACE);
	for (int i = 0; i < 20; i++) {
		run_aggregation(&f.s, &scene, rand);
		if (i < 19)
			aggregate(&f.s);
	}
	assert_true(found(&f.s, &scene) > 0.95);
	free(f.memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_over_random_memory),
		cmocka_unit_test(all_memory_can_go_and_come_back),
		cmocka_unit_test(depends_on_the_seed_alone),
		cmocka_unit_test(chooses_every_page_alike),
		cmocka_unit_test(cuts_evenly),
		cmocka_unit_test(cuts_what_is_large),
		cmocka_unit_test(a_page_each_stays_a_page_each),
		cmocka_unit_test(refuses_more_stretches_than_regions),
		cmocka_unit_test(what_stays_is_remembered),
		cmocka_unit_test(makes_room_where_regions_are_alike),
		cmocka_unit_test(a_watched_page_stays_watched),
		cmocka_unit_test(ages_what_does_not_change),
		cmocka_unit_test(merges_what_is_alike),
		cmocka_unit_test(never_merges_over_a_hole),
		cmocka_unit_test(keeps_to_the_minimum),
		cmocka_unit_test(splits_at_random),
		cmocka_unit_test(splits_in_three_only_while_few),
		cmocka_unit_test(splits_down_to_pages),
		cmocka_unit_test(splits_into_the_room_there_is),
		cmocka_unit_test(computes_with_large_numbers),
		cmocka_unit_test(finds_hot_memory),
		cmocka_unit_test(finds_between_close_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
