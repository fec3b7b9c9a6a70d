// SPDX-License-Identifier: GPL-2.0-or-later
/* The set of found pages against a plain array of flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/gfnset.h"

#define PAGES 200000u

static void check_against(const KxGfnSet *s, const gboolean *flags)
{
	g_autoptr(GArray) runs = kx_gfnset_runs(s);
	g_autofree gboolean *got = g_new0(gboolean, PAGES);
	guint64 count = 0, end = 0, j;
	guint i;

	for (i = 0; i < runs->len; i++) {
		KxRun r = g_array_index(runs, KxRun, i);

		assert_true(r.npages > 0);
		assert_true(i == 0 || r.gfn > end); /* ascending, not touching */
		end = r.gfn + r.npages;
		assert_true(end <= PAGES);
		for (j = r.gfn; j < end; j++)
			got[j] = TRUE;
	}
	for (i = 0; i < PAGES; i++) {
		assert_int_equal(got[i], flags[i]);
		count += flags[i];
	}
	assert_int_equal(kx_gfnset_count(s), count);
	assert_int_equal(kx_gfnset_count_runs(s), runs->len);
}

static void equals_a_plain_array(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(11);
	g_autoptr(KxGfnSet) s = kx_gfnset_new(PAGES);
	g_autofree gboolean *flags = g_new0(gboolean, PAGES);
	int round, i, j;

	for (round = 0; round < 400; round++) {
		guint64 gfn = (guint64)g_rand_int_range(rand, 0, PAGES - 300);

		if (round % 2) {
			guint64 n = (guint64)g_rand_int_range(rand, 0, 300);

			assert_true(kx_gfnset_add(s, gfn, n));
			for (i = 0; i < (int)n; i++)
				flags[gfn + i] = TRUE;
		} else {
			guint64 bits[4];

			for (i = 0; i < 4; i++) {
				bits[i] = ((guint64)g_rand_int(rand) << 32 | g_rand_int(rand)) &
					  g_rand_int(rand);
				for (j = 0; j < 64; j++)
					flags[gfn + i * 64 + j] |= bits[i] >> j & 1;
			}
			assert_true(kx_gfnset_add_bits(s, gfn, bits, 4));
		}
	}
	check_against(s, flags);
}

static void joins_runs_over_chunks(void **state)
{
	g_autoptr(KxGfnSet) s = kx_gfnset_new(1 << 20);
	g_autoptr(GArray) runs = NULL;

	assert_true(kx_gfnset_add(s, 32768 - 100, 70000));
	runs = kx_gfnset_runs(s);
	assert_int_equal(runs->len, 1);
	assert_int_equal(g_array_index(runs, KxRun, 0).gfn, 32768 - 100);
	assert_int_equal(g_array_index(runs, KxRun, 0).npages, 70000);
}

static void stays_within_its_bound(void **state)
{
	g_autoptr(KxGfnSet) s = kx_gfnset_new(1000);
	guint64 bit = 1, i;

	for (i = 0; i < 1000; i++)
		assert_int_equal(kx_gfnset_add(s, i << 20, 2), i < 64);
	assert_int_equal(kx_gfnset_count(s), 64 * 2);
	assert_false(kx_gfnset_add_bits(s, 64 << 20, &bit, 1));
	assert_true(kx_gfnset_add_bits(s, 1 << 20, &bit, 1));
	assert_int_equal(kx_gfnset_count(s), 64 * 2);
}

/* A huge run is added up to the end of the numbers in limited time: not one chunk after the other. */
static void huge_runs_end(void **state)
{
	g_autoptr(KxGfnSet) s = kx_gfnset_new(1000);

	assert_false(kx_gfnset_add(s, 0, G_MAXUINT64));
	assert_int_equal(kx_gfnset_count(s), 64 * 32768);
	assert_false(kx_gfnset_add(s, G_MAXUINT64, 2));
	assert_int_equal(kx_gfnset_count(s), 64 * 32768);
}

/* A chunk whose pages were all found needs no bitmap, however they were added; scattered pages need one bitmap for each chunk. */
static void whole_chunks_are_small(void **state)
{
	g_autoptr(KxGfnSet) s = kx_gfnset_new((1ull << 28) - 1), joined = kx_gfnset_new(0);
	g_autoptr(KxGfnSet) words = kx_gfnset_new(0);
	guint64 ones[512];

	for (guint i = 0; i < 1000; i++)
		assert_true(kx_gfnset_add(s, 0, 1ull << 28)); /* 1 TiB each time */
	assert_int_equal(kx_gfnset_count(s), 1ull << 28);
	assert_int_equal(kx_gfnset_count_runs(s), 1);
	assert_true(kx_gfnset_bytes(s) < 1 << 20);
	memset(ones, 0xff, sizeof(ones));
	assert_true(kx_gfnset_add_bits(words, 7, ones, 512));
	assert_true(kx_gfnset_add(words, 0, 7));
	assert_int_equal(kx_gfnset_count(words), 32768 + 7);
	assert_int_equal(kx_gfnset_count_runs(words), 1);
	assert_true(kx_gfnset_bytes(words) < 2 * 4096);
	assert_int_equal(kx_gfnset_count_common(s, words, NULL), 32768 + 7);
	assert_true(kx_gfnset_add_set(joined, words));
	assert_int_equal(kx_gfnset_count(joined), 32768 + 7);
	assert_true(kx_gfnset_add(joined, 5, 1));
	assert_int_equal(kx_gfnset_count(joined), 32768 + 7);
}

static void grows_with_the_memory(void **state)
{
	g_autoptr(KxGfnSet) s = kx_gfnset_new(1000);

	assert_false(kx_gfnset_add(s, 0, 65ull << 15));
	kx_gfnset_grow(s, 65ull << 15);
	assert_true(kx_gfnset_add(s, 0, 65ull << 15));
	kx_gfnset_grow(s, 0); /* never less */
	assert_true(kx_gfnset_add(s, 80ull << 15, 1));
}

static void sets_share_a_budget(void **state)
{
	guint64 budget = 2;
	KxGfnSet *a = kx_gfnset_new_shared(&budget), *b = kx_gfnset_new_shared(&budget);

	assert_true(kx_gfnset_add(a, 5, 1));
	assert_true(kx_gfnset_add(b, 5, 1));
	assert_false(kx_gfnset_add(b, 1ull << 39, 1));
	assert_int_equal(kx_gfnset_count(b), 1);
	kx_gfnset_free(a);
	assert_true(kx_gfnset_add(b, 1ull << 39, 1));
	kx_gfnset_free(b);
	assert_int_equal(budget, 2);
}

static void joins_and_intersects(void **state)
{
	guint64 budget = 5;
	g_autoptr(KxGfnSet) a = kx_gfnset_new_shared(&budget), b = kx_gfnset_new_shared(&budget);
	g_autoptr(KxGfnSet) c = kx_gfnset_new_shared(&budget);

	assert_true(kx_gfnset_add(a, 32700, 136)); /* over the end of a chunk */
	assert_true(kx_gfnset_add(a, 32760, 8));
	assert_int_equal(kx_gfnset_count(a), 136);
	assert_true(kx_gfnset_add(b, 32768, 1));
	assert_true(kx_gfnset_add(b, 32835, 64));
	assert_int_equal(kx_gfnset_count(b), 65);
	assert_int_equal(kx_gfnset_count_common(a, b, NULL), 2);
	assert_true(kx_gfnset_add(c, 32835, 1));
	assert_int_equal(kx_gfnset_count_common(a, b, c), 1);
	assert_true(kx_gfnset_add(b, 63, 2)); /* over the end of a word */
	assert_int_equal(kx_gfnset_count(b), 67);
	assert_true(kx_gfnset_add_set(a, b));
	assert_int_equal(kx_gfnset_count(a), 136 + 67 - 2);
	assert_int_equal(kx_gfnset_count_common(a, b, NULL), 67);
	assert_false(kx_gfnset_add_set(c, a)); /* one chunk more than the budget has */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_a_plain_array),	  cmocka_unit_test(joins_runs_over_chunks),
		cmocka_unit_test(stays_within_its_bound), cmocka_unit_test(huge_runs_end),
		cmocka_unit_test(whole_chunks_are_small), cmocka_unit_test(grows_with_the_memory),
		cmocka_unit_test(sets_share_a_budget),	  cmocka_unit_test(joins_and_intersects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
