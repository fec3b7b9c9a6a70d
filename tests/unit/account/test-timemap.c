// SPDX-License-Identifier: GPL-2.0-or-later
/* Heat over time fed with passes made by hand, whose truth is known by construction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "account/heat.h"
#include "account/timemap.h"

#define MS 1000000ull

static guint64 pass_number;

static void end_at(KxTimeMap *m, guint64 time_ns)
{
	const struct kvm_ext_rec_pass_end r = { .pass = ++pass_number, .time_ns = time_ns };

	kx_timemap_end_pass(m, &r);
}

/* Passes every @every_ns from the origin on, each of which finds what @find adds. */
static void passes(KxTimeMap *m, guint n, guint64 every_ns, void (*find)(KxTimeMap *m, guint i))
{
	for (guint i = 0; i < n; i++) {
		find(m, i);
		end_at(m, (i + 1) * every_ns);
	}
}

static guint64 sum_of(const KxAccessRow *r)
{
	guint64 sum = 0;

	for (guint i = 0; i < r->cells->len; i++)
		sum += kx_access_cell(r, i);
	return sum;
}

/* --- the hot window of pattern stairs ------------------------------------------------------------------------------------ */

/* As in bench/workloads: a window of 4 MiB that moves by its own size every ten passes, in memory that begins at 1 GiB. */
#define STAIRS_BASE  0x40000u
#define STAIRS_PAGES 1024u
#define STAIRS_STEP  10u

static void find_stairs(KxTimeMap *m, guint i)
{
	kx_timemap_add(m, STAIRS_BASE + i / STAIRS_STEP * STAIRS_PAGES, STAIRS_PAGES);
}

/* The page in the middle of what a row found. */
static double middle_of(const KxAccessMap *m, const KxAccessRow *r)
{
	double sum = 0, weight = 0;

	for (guint i = 0; i < m->columns_nr; i++) {
		double middle = (double)kx_access_column_gfn(m, i) + (double)m->bin_pages / 2;

		sum += middle * (double)kx_access_cell(r, i);
		weight += (double)kx_access_cell(r, i);
	}
	return sum / weight;
}

/* Least squares of the middle over time, in pages per second. */
static double slope_of(const KxAccessMap *m)
{
	double n = 0, x = 0, y = 0, xx = 0, xy = 0;

	for (guint i = 0; i < m->rows->len; i++) {
		const KxAccessRow *r = kx_access_row(m, i);
		double t = ((double)r->bin + 0.5) * (double)m->bin_ns / 1e9;
		double at = middle_of(m, r);

		n++;
		x += t;
		y += at;
		xx += t * t;
		xy += t * at;
	}
	return (n * xy - x * y) / (n * xx - x * x);
}

static void check_stairs(guint n)
{
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_PAGES, FALSE, 0xfffff, 0);
	g_autoptr(KxAccessMap) m = NULL;
	const double step_s = STAIRS_STEP * 0.1;
	guint64 found = 0;

	passes(b, n, 100 * MS, find_stairs);
	m = kx_timemap_report(b, 0);
	assert_in_range(m->rows->len, 100, KX_ACCESS_ROWS_MAX);
	assert_in_range(m->columns_nr, 2, KX_ACCESS_COLUMNS_MAX);
	assert_true(fabs(slope_of(m) / (STAIRS_PAGES / step_s) - 1) < 0.02);
	for (guint i = 0; i < m->rows->len; i++) {
		const KxAccessRow *r = kx_access_row(m, i);

		assert_int_equal(sum_of(r), r->found);
		assert_int_equal(r->found, r->looks * STAIRS_PAGES);
		assert_int_equal(r->found_min, STAIRS_PAGES);
		assert_int_equal(r->found_max, STAIRS_PAGES);
		found += r->found;
	}
	assert_int_equal(found, (guint64)n * STAIRS_PAGES);
	assert_int_equal(m->interval_ns, 100 * MS);
}

/* The shape stays the same when both axes become coarser. */
static void stairs_are_stairs(void **state)
{
	check_stairs(200);
	check_stairs(2000);
	check_stairs(2600);
}

/* --- the working set ----------------------------------------------------------------------------------------------------- */

static void find_half_new(KxTimeMap *m, guint i)
{
	kx_timemap_add(m, i * 512, 1024);
}

static void knows_how_the_working_set_changes(void **state)
{
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_PAGES, FALSE, 1 << 20, 0);
	g_autoptr(KxAccessMap) m = NULL;
	guint64 pairs = 0, before = 0, stayed = 0;

	passes(b, 50, 1000 * MS, find_half_new);
	m = kx_timemap_report(b, 0);
	for (guint i = 0; i < m->rows->len; i++) {
		pairs += kx_access_row(m, i)->pairs;
		before += kx_access_row(m, i)->before;
		stayed += kx_access_row(m, i)->stayed;
	}
	assert_int_equal(pairs, 49);
	assert_int_equal(before, 49 * 1024);
	assert_int_equal(stayed, 49 * 512);
	assert_null(m->pairs_na);
	/* 1024 pages from a multiple of 512 on are two whole blocks */
	assert_int_equal(m->block_use[9], 50 * 2);
	assert_int_equal(m->block_use[8], 0);
}

static void find_scattered(KxTimeMap *m, guint i)
{
	const guint64 bits[] = { 0x8000000000000001ull, 6 };

	kx_timemap_add(m, 3 * 512, 1);
	kx_timemap_add(m, 3 * 512, 1);		      /* a page counts once */
	kx_timemap_add_bits(m, 7 * 512 + 5, bits, 2); /* four pages, not at a word's begin */
}

static void counts_pages_once_and_blocks(void **state)
{
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_PAGES, FALSE, 1 << 20, 0);
	g_autoptr(KxAccessMap) m = NULL;

	passes(b, 3, 1000 * MS, find_scattered);
	m = kx_timemap_report(b, 0);
	assert_int_equal(m->rows->len, 3);
	assert_int_equal(kx_access_row(m, 0)->found, 5);
	assert_int_equal(sum_of(kx_access_row(m, 0)), 5);
	assert_int_equal(kx_access_row(m, 0)->blocks, 2);
	assert_int_equal(m->block_use[0], 3); /* one page of its block */
	assert_int_equal(m->block_use[2], 3); /* four */
	assert_int_equal(m->sizes->len, 3);
	assert_int_equal(g_array_index(m->sizes, guint64, 2), 5);
}

/* If a pass that does not count, or another setting, is between two passes, they are no pair and give no interval. */
static void only_passes_that_follow_are_pairs(void **state)
{
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_PAGES, FALSE, 1 << 20, 0);
	g_autoptr(KxAccessMap) m = NULL;

	kx_timemap_add(b, 0, 10);
	end_at(b, 1000 * MS);
	kx_timemap_add(b, 0, 99);
	kx_timemap_drop_pass(b);
	pass_number++;
	kx_timemap_add(b, 0, 10);
	end_at(b, 3000 * MS);
	kx_timemap_rest(b);
	kx_timemap_add(b, 0, 10);
	end_at(b, 4000 * MS);
	m = kx_timemap_report(b, 0);
	assert_int_equal(m->rows->len, 3);
	assert_int_equal(m->interval_ns, 0);
	for (guint i = 0; i < 3; i++) {
		assert_int_equal(kx_access_row(m, i)->pairs, 0);
		assert_int_equal(kx_access_row(m, i)->found, 10);
	}
}

/* --- ages ---------------------------------------------------------------------------------------------------------------- */

/* Page 100 in every pass; page 1000 × k + 500 in pass 10 × k alone; 64 pages by a bitmap in the first. */
static void find_once(KxTimeMap *m, guint i)
{
	const guint64 all = G_MAXUINT64;

	kx_timemap_add(m, 100, 1);
	if (i % 10 == 0)
		kx_timemap_add(m, i * 100 + 500, 2);
	if (!i)
		kx_timemap_add_bits(m, 64, &all, 1);
}

static void check_ages(guint n)
{
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_PAGES, FALSE, 1 << 22, 0);
	g_autoptr(KxAccessMap) m = NULL;
	guint64 sum = 0;
	guint at = 0;

	passes(b, n, 1000 * MS, find_once);
	m = kx_timemap_report(b, 0);
	assert_null(m->ages_na);
	assert_int_equal(m->age_grain, 1);
	assert_int_equal(g_array_index(m->ages_ns, guint64, 0), 0);
	/* the pages of pass i have the age n - 1 - i; an age of merged passes is at most an eighth too young */
	for (guint i = n; i-- > 0;) {
		guint64 pages = (i % 10 ? 0 : 2) + (i ? 0 : 63) + (i == n - 1 ? 1 : 0);
		guint64 age = (n - 1 - i) * 1000 * MS;

		if (!pages)
			continue;
		while (at + 1 < m->ages_ns->len &&
		       g_array_index(m->ages_ns, guint64, at + 1) <= age)
			at++;
		assert_true(g_array_index(m->ages_ns, guint64, at) <= age);
		assert_true(g_array_index(m->ages_ns, guint64, at) >= age - age / 8);
		if (n < 255)
			assert_int_equal(g_array_index(m->ages_ns, guint64, at), age);
	}
	for (guint i = 0; i < m->age_pages->len; i++)
		sum += g_array_index(m->age_pages, guint64, i);
	assert_int_equal(sum, 1 + 63 + (n + 9) / 10 * 2);
	assert_int_equal(m->last_end_ns - m->first_end_ns, (n - 1) * 1000 * MS);
}

static void knows_ages(void **state)
{
	check_ages(1);
	check_ages(200);
	check_ages(254);
	check_ages(255);
	check_ages(5000);
}

/* --- bounds -------------------------------------------------------------------------------------------------------------- */

static void find_far_apart(KxTimeMap *m, guint i)
{
	for (guint k = 0; k < 40; k++)
		kx_timemap_add(m, ((guint64)k << 24) + i * 8191 % (1 << 20), 3);
}

static void find_everything(KxTimeMap *m, guint i)
{
	kx_timemap_add(m, 0, 1ull << 26);
}

/* However much time and memory there is, the map is bounded, and no page is lost. */
static void stays_bounded(void **state)
{
	void (*const finds[])(KxTimeMap *, guint) = { find_far_apart, find_everything };

	for (guint f = 0; f < G_N_ELEMENTS(finds); f++) {
		const guint n = f ? 3 : 3000;
		g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_PAGES, FALSE, 1 << 30, 0);
		g_autoptr(KxAccessMap) m = NULL;
		guint64 found = 0, cells = 0;

		passes(b, n, 10 * MS, finds[f]);
		m = kx_timemap_report(b, 0);
		assert_in_range(m->rows->len, 1, KX_ACCESS_ROWS_MAX);
		assert_in_range(m->columns_nr, 1, KX_ACCESS_COLUMNS_MAX);
		assert_in_range(m->sizes->len, 1, KX_ACCESS_SIZES_MAX);
		for (guint i = 0; i < m->rows->len; i++) {
			found += kx_access_row(m, i)->found;
			cells += sum_of(kx_access_row(m, i));
		}
		assert_int_equal(found, f ? 3ull << 26 : 3000 * 40 * 3);
		assert_int_equal(cells, found);
	}
}

/* Memory that does not exist, which a guest may name, makes no columns. */
static void ignores_memory_that_is_not_there(void **state)
{
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_EVENTS, FALSE, 0xffff, 0);
	g_autoptr(KxAccessMap) m = NULL;

	kx_timemap_add_events(b, 1ull << 39, 1, 5, FALSE);
	kx_timemap_add_events(b, G_MAXUINT64, G_MAXUINT64, 5, FALSE);
	kx_timemap_add_events(b, 0xfff0, 32, 1000, FALSE); /* half of the run exists */
	end_at(b, MS);
	m = kx_timemap_report(b, 0);
	assert_int_equal(m->columns_nr, 1);
	assert_int_equal(sum_of(kx_access_row(m, 0)), 500);
	assert_non_null(m->size_na);
}

/* --- other kinds --------------------------------------------------------------------------------------------------------- */

static void shares_accesses_over_columns(void **state)
{
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_EVENTS, TRUE, 1 << 20, 0);
	g_autoptr(KxAccessMap) m = NULL;
	const KxAccessRow *r;

	kx_timemap_add_events(b, 0, 64 * 3, 100, FALSE);
	kx_timemap_add_events(b, 0, 1, 7, TRUE);
	end_at(b, MS);
	m = kx_timemap_report(b, 5);
	r = kx_access_row(m, 0);
	assert_int_equal(m->columns_nr, 3);
	assert_int_equal(sum_of(r), 107);
	assert_int_equal(g_array_index(r->writes, guint64, 0), 7);
	assert_int_equal(g_array_index(r->writes, guint64, 1), 0);
	assert_int_equal(m->origin_realtime_ns, 5);
	assert_true(kx_access_heat(m, r, 0) > 0);
}

/* Three faults per millisecond and page: the heat is the same for any pass interval, shorter or longer than a row. */
static void knows_the_rate_at_any_interval(void **state)
{
	static const guint64 every[] = { 2 * MS, 20 * MS, 30 * MS, 100 * MS, 1000 * MS, 5000 * MS };

	for (guint e = 0; e < G_N_ELEMENTS(every); e++) {
		g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_EVENTS, FALSE, 1 << 20, 0);
		g_autoptr(KxAccessMap) m = NULL;
		guint64 before_ns = 0;

		for (guint i = 0; i < 60; i++) {
			kx_timemap_add_events(b, 0, 64, 3 * 64 * every[e] / MS, FALSE);
			end_at(b, (i + 1) * every[e]);
		}
		m = kx_timemap_report(b, 0);
		for (guint i = 0; i < m->rows->len; i++) {
			guint64 from_ns, until_ns;

			assert_true(fabs(kx_access_heat(m, kx_access_row(m, i), 0) - 3000) < 1);
			kx_access_row_time(m, i, &from_ns, &until_ns);
			/* the tracker ran all the time, so rows have no gap between them */
			if (i)
				assert_int_equal(from_ns, before_ns);
			else
				assert_true(from_ns <= every[e]);
			assert_true(until_ns >= from_ns + m->bin_ns);
			before_ns = until_ns;
		}
	}
}

/* A gap that is longer than a pass stays a gap; a row does not begin before the map, or within the row before. */
static void rows_reach_back_by_a_pass(void **state)
{
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_PAGES, FALSE, 1 << 20, 0);
	static const guint64 ends[] = { 50, 150, 250, 1050, 1150 };
	static const guint64 expected[][2] = {
		{ 0, 60 }, { 60, 160 }, { 160, 260 }, { 960, 1060 }, { 1060, 1160 }
	};
	g_autoptr(KxAccessMap) m = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(ends); i++) {
		if (i == 3)
			pass_number++; /* a pass is missing */
		kx_timemap_add(b, 0, 1);
		end_at(b, ends[i] * MS);
	}
	m = kx_timemap_report(b, 0);
	assert_int_equal(m->interval_ns, 100 * MS);
	for (guint i = 0; i < G_N_ELEMENTS(ends); i++) {
		guint64 from_ns, until_ns;

		kx_access_row_time(m, i, &from_ns, &until_ns);
		assert_int_equal(from_ns, expected[i][0] * MS);
		assert_int_equal(until_ns, expected[i][1] * MS);
	}
}

/* An aggregation in two records counts with its checks; an aggregation of which a record is missing does not count. */
static void counts_whole_aggregations(void **state)
{
	static const struct kvm_ext_region regions[] = {
		{ .gfn = 0, .npages = 64, .accesses = 10 },
		{ .gfn = 64, .npages = 64 * 3, .accesses = 5 },
	};
	struct kvm_ext_rec_regions r = { .checks = 20, .total = 2, .nr = 1 };
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_REGIONS, FALSE, 1 << 20, 0);
	g_autoptr(KxAccessMap) m = NULL;

	for (guint i = 0; i < 3; i++) {
		r.first = 0;
		if (i != 1)
			kx_timemap_add_regions(b, &r, &regions[0]);
		r.first = 1;
		kx_timemap_add_regions(b, &r, &regions[1]);
		end_at(b, (i + 1) * 1000 * MS);
		end_at(b, (i + 1) * 1000 * MS + MS); /* a pass without an aggregation */
	}
	m = kx_timemap_report(b, 0);
	assert_int_equal(m->rows->len, 2);
	assert_int_equal(kx_access_row(m, 0)->looks, 20);
	assert_int_equal(kx_access_row(m, 0)->passes, 1);
	assert_int_equal(kx_access_row(m, 0)->found, (64 * 10 + 192 * 5) / 20);
	assert_true(fabs(kx_access_heat(m, kx_access_row(m, 0), 0) - 0.5) < 1e-9);
	assert_true(fabs(kx_access_heat(m, kx_access_row(m, 0), 3) - 0.25) < 1e-9);
	assert_non_null(m->pairs_na);
}

/* --- in the heat --------------------------------------------------------------------------------------------------------- */

static void heat_pass(KxHeat *h, guint64 epoch, guint64 pass, guint16 flags, guint64 gfn)
{
	const struct kvm_ext_rec_pass_begin begin = { .h.flags = flags & KVM_EXT_PASS_PRIME,
						      .epoch = epoch,
						      .pass = pass,
						      .time_ns = pass * 1000 * MS + 1 };
	const struct kvm_ext_rec_run run = { .gfn = gfn, .npages = 64 };
	const struct kvm_ext_rec_pass_end end = {
		.h.flags = flags, .pass = pass, .time_ns = pass * 1000 * MS + 2, .wall_ns = 1
	};

	kx_heat_sink.pass_begin(h, &begin);
	kx_heat_sink.run(h, &run);
	kx_heat_sink.pass_end(h, &end);
}

static KxOptions options_of(const char *tracker)
{
	KxOptions o;

	kx_options_init(&o);
	assert_true(kx_options_set(&o, "tracker", tracker, NULL));
	return o;
}

/* Passes that prime, were cut, or yielded add nothing; each tracker has a map on the same time axis. */
static void heat_has_a_map_for_each_tracker(void **state)
{
	KxOptions abit = options_of("abit"), log = options_of("dirty-log");
	g_autoptr(KxHeat) h = kx_heat_new(1 << 20, 1);
	g_autoptr(KxOverTime) t = NULL;
	const KxAccessMap *m;

	kx_heat_open(h, 1, &abit, NULL);
	heat_pass(h, 1, 0, KVM_EXT_PASS_PRIME, 0);
	heat_pass(h, 1, 1, 0, 64);
	heat_pass(h, 1, 2, KVM_EXT_PASS_CUT, 128);
	heat_pass(h, 1, 3, 0, 64);
	kx_heat_open(h, 2, &log, "pml");
	heat_pass(h, 2, 4, KVM_EXT_PASS_YIELDED, 192);
	heat_pass(h, 2, 5, 0, 256);
	t = kx_heat_over_time(h, 2, 1000);
	assert_int_equal(t->maps->len, 2);
	m = t->maps->pdata[0];
	assert_string_equal(m->tracker, "abit");
	assert_string_equal(m->kind, "touched");
	assert_int_equal(m->columns_nr, 1);
	assert_int_equal(kx_access_column_gfn(m, 0), 64);
	assert_int_equal(m->rows->len, 2);
	assert_false(m->running);
	m = t->maps->pdata[1];
	assert_ptr_equal(kx_access_main_map(t), m);
	assert_string_equal(m->kind, "written");
	assert_string_equal(m->mechanism, "pml");
	assert_int_equal(m->rows->len, 1);
	assert_int_equal(kx_access_row(m, 0)->bin * m->bin_ns / (1000 * MS), 5);
	assert_int_equal(m->origin_realtime_ns, 1001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stairs_are_stairs),
		cmocka_unit_test(knows_how_the_working_set_changes),
		cmocka_unit_test(counts_pages_once_and_blocks),
		cmocka_unit_test(only_passes_that_follow_are_pairs),
		cmocka_unit_test(knows_ages),
		cmocka_unit_test(stays_bounded),
		cmocka_unit_test(ignores_memory_that_is_not_there),
		cmocka_unit_test(shares_accesses_over_columns),
		cmocka_unit_test(knows_the_rate_at_any_interval),
		cmocka_unit_test(rows_reach_back_by_a_pass),
		cmocka_unit_test(counts_whole_aggregations),
		cmocka_unit_test(heat_has_a_map_for_each_tracker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
