// SPDX-License-Identifier: GPL-2.0-or-later
/* A tracker's map of heat: pages and bitmaps in, ranges out. What the classifier does with them has tests of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "account/rangemap.h"

#define MS 1000000ull

static const KxHeatRange *hottest(const KxHeatMap *m)
{
	assert_true(m->ranges->len > 0);
	return &g_array_index(m->ranges, KxHeatRange, 0);
}

/* 16 pages of 4 GiB in each pass, and sometimes one elsewhere: they are found exactly, in the time that halving takes. */
static void finds_a_hot_spot(void **state)
{
	g_autoptr(KxRangeMap) m = kx_rangemap_new((1 << 20) - 1, 1, 0, 0);
	g_autoptr(KxHeatMap) map = NULL;
	const guint64 gfn = 0x2fa30;

	for (guint pass = 1; pass <= 30; pass++) {
		for (guint i = 0; i < 10; i++)
			kx_rangemap_add(m, gfn, 16, 160);
		kx_rangemap_add(m, (guint64)pass * 0x6789 % (1 << 20), 1, 1);
		kx_rangemap_end_pass(m, pass * 500 * MS);
	}
	map = kx_rangemap_report(m);
	assert_int_equal(map->epochs, 30);
	assert_int_equal(map->samples, 30 * 1601);
	assert_int_equal(map->granularity_bytes, 4096);
	assert_true(map->ranges->len > 0 && map->ranges->len <= map->ranges_total);
	assert_true(hottest(map)->start >= gfn << 12);
	assert_true(hottest(map)->start + hottest(map)->size <= (gfn + 16) << 12);
}

static void bits_are_pages(void **state)
{
	g_autoptr(KxRangeMap) bits = kx_rangemap_new(0xffff, 1, 0, 0);
	g_autoptr(KxRangeMap) pages = kx_rangemap_new(0xffff, 1, 0, 0);
	guint64 words[64];

	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		words[i] = i % 3 == 0	? G_MAXUINT64
			   : i % 3 == 1 ? 0
					: 0x8421000000000ff1ull << i / 3;
	for (guint epoch = 1; epoch <= 20; epoch++) {
		kx_rangemap_add_bits(bits, 0x1234, words, G_N_ELEMENTS(words));
		for (guint i = 0; i < 64 * G_N_ELEMENTS(words); i++) {
			if (words[i / 64] >> i % 64 & 1)
				kx_rangemap_add(pages, 0x1234 + i, 1, 1);
		}
		kx_rangemap_end_pass(bits, epoch * 500 * MS);
		kx_rangemap_end_pass(pages, epoch * 500 * MS);
	}
	g_autoptr(KxHeatMap) a = kx_rangemap_report(bits), b = kx_rangemap_report(pages);

	assert_int_equal(a->samples, b->samples);
	assert_int_equal(a->ranges->len, b->ranges->len);
	for (guint i = 0; i < a->ranges->len; i++) {
		const KxHeatRange *x = &g_array_index(a->ranges, KxHeatRange, i);
		const KxHeatRange *y = &g_array_index(b->ranges, KxHeatRange, i);

		assert_int_equal(x->start, y->start);
		assert_int_equal(x->size, y->size);
		assert_int_equal(x->accesses, y->accesses);
	}
}

/* No epoch ends without the samples of a pass, and none before it is due, except for the tolerance for timers. */
static void epochs_end_with_passes(void **state)
{
	static const struct {
		guint64 interval_ms;
		guint passes, epochs;
	} cases[] = { { 100, 51, 11 }, { 500, 10, 10 }, { 2000, 7, 7 }, { 249, 41, 21 } };

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(KxRangeMap) m = kx_rangemap_new(1000, 1, 0, 0);
		g_autoptr(KxHeatMap) map = NULL;

		for (guint k = 1; k <= cases[i].passes; k++)
			kx_rangemap_end_pass(m, k * cases[i].interval_ms * MS);
		map = kx_rangemap_report(m);
		assert_int_equal(map->epochs, cases[i].epochs);
	}
}

static void other_settings(void **state)
{
	g_autoptr(KxRangeMap) m = kx_rangemap_new(0xffff, 2, 100 * MS, 21);
	g_autoptr(KxHeatMap) map = NULL;

	assert_true(kx_rangemap_is(m, 100 * MS, 21));
	assert_false(kx_rangemap_is(m, 100 * MS, 0));
	assert_false(kx_rangemap_is(m, 0, 21));
	for (guint k = 1; k <= 30; k++) {
		kx_rangemap_add(m, 0x333, 1, 1000);
		kx_rangemap_end_pass(m, k * 100 * MS);
	}
	map = kx_rangemap_report(m);
	assert_int_equal(map->epoch_ns, 100 * MS);
	assert_int_equal(hottest(map)->size, 2 << 20);
	assert_int_equal(hottest(map)->start, 2 << 20);
}

/* A pass has no effect before it has ended and counts. */
static void dropped_passes_leave_nothing(void **state)
{
	g_autoptr(KxRangeMap) m = kx_rangemap_new(0xffff, 1, 0, 0);
	g_autoptr(KxHeatMap) during = NULL, after = NULL;
	const guint64 bits[] = { G_MAXUINT64, 5 };

	kx_rangemap_add(m, 7, 1, 3);
	kx_rangemap_end_pass(m, MS);
	kx_rangemap_add(m, 0x8000, 100, 1000);
	kx_rangemap_add_bits(m, 0x9000, bits, 2);
	kx_rangemap_add(m, 1 << 20, 1, 1);
	during = kx_rangemap_report(m);
	assert_int_equal(during->samples, 3);
	assert_int_equal(during->outside, 0);
	kx_rangemap_drop_pass(m);
	kx_rangemap_drop_pass(m);
	kx_rangemap_end_pass(m, 600 * MS);
	after = kx_rangemap_report(m);
	assert_int_equal(after->samples, 3);
	assert_int_equal(after->epochs, 2);
	assert_int_equal(after->ranges->len, 1);
	assert_int_equal(after->outside, 0);
}

/* Memory that is plugged in later counts like all memory, and what was known before stays. */
static void grows(void **state)
{
	g_autoptr(KxRangeMap) m = kx_rangemap_new(0xffff, 1, 0, 0);
	g_autoptr(KxHeatMap) map = NULL;

	kx_rangemap_add(m, 0x10, 4, 4000);
	kx_rangemap_add(m, 0x20000, 4, 4000);
	kx_rangemap_end_pass(m, MS);
	kx_rangemap_grow(m, 0x2ffff);
	for (guint k = 2; k <= 40; k++) {
		kx_rangemap_add(m, 0x10, 4, 4000);
		kx_rangemap_add(m, 0x20000, 4, 8000);
		kx_rangemap_end_pass(m, k * 500 * MS);
	}
	kx_rangemap_grow(m, 5); /* the map never shrinks */
	map = kx_rangemap_report(m);
	assert_int_equal(map->outside, 1);
	assert_int_equal(hottest(map)->start >> 18, 0x20000 >> 6);
	assert_true(hottest(map)->size <= 64 << 12);
	assert_int_equal(map->samples, 40 * 4000 + 39 * 8000);
}

/* Frames with impossible numbers are counted as outside, without other effects. */
static void strange_frames(void **state)
{
	g_autoptr(KxRangeMap) m = kx_rangemap_new(0xffff, 1, 0, 0);
	g_autoptr(KxRangeMap) empty = kx_rangemap_new(0, 1, 0, 0);
	g_autoptr(KxHeatMap) map = NULL, none = NULL;

	kx_rangemap_add(m, G_MAXUINT64, G_MAXUINT64, 5);
	kx_rangemap_add(m, 1ull << 52, 1, 5);
	kx_rangemap_add(m, 0x20000, 1, 5);
	kx_rangemap_add(m, 7, 0, 5);
	kx_rangemap_add(m, 0xffff, G_MAXUINT64, 5);
	kx_rangemap_end_pass(m, MS);
	map = kx_rangemap_report(m);
	assert_int_equal(map->outside, 5);
	kx_rangemap_add(empty, 0, 1, 1);
	kx_rangemap_end_pass(empty, MS);
	none = kx_rangemap_report(empty);
	assert_int_equal(none->ranges_total, 1);
	assert_int_equal(hottest(none)->size, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_a_hot_spot),
		cmocka_unit_test(bits_are_pages),
		cmocka_unit_test(epochs_end_with_passes),
		cmocka_unit_test(other_settings),
		cmocka_unit_test(strange_frames),
		cmocka_unit_test(dropped_passes_leave_nothing),
		cmocka_unit_test(grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
