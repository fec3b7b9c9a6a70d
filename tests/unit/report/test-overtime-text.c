// SPDX-License-Identifier: GPL-2.0-or-later
/* Heat over time and working sets as text, CSV and grids show the values of the map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "account/timemap.h"
#include "base/textfmt.h"
#include "report/csv.h"
#include "report/heatgrid.h"
#include "report/overtime-text.h"
#include "report/working-set.h"

#define MS 1000000ull

/* The hot window of pattern stairs: 4 MiB, which moves up by itself every ten passes, for 16 stairs. */
#define STAIRS	     16u
#define STAIR_PASSES 10u
#define STAIR_PAGES  1024u

static KxVmReport *stairs(void)
{
	KxVmReport *v = kx_vm_report_new();
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_PAGES, FALSE, 0xfffff, 0);
	KxAccessMap *m;

	for (guint i = 0; i < STAIRS * STAIR_PASSES; i++) {
		const struct kvm_ext_rec_pass_end end = { .pass = i + 1,
							  .time_ns = (i + 1) * 100 * MS };

		kx_timemap_add(b, 0x40000 + i / STAIR_PASSES * STAIR_PAGES, STAIR_PAGES);
		kx_timemap_end_pass(b, &end);
	}
	m = kx_timemap_report(b, 0);
	m->tracker = g_strdup("ept-walk");
	m->options = g_strdup("interval=100ms");
	m->kind = g_strdup("touched");
	v->name = g_strdup("vm1");
	v->ram_pages = 0x80000;
	v->over_time = kx_over_time_new();
	g_ptr_array_add(v->over_time->maps, m);
	return v;
}

static const KxAccessMap *map_of(const KxVmReport *v)
{
	return v->over_time->maps->pdata[0];
}

/* In a grid of any size, each column's hottest line is one step further up than sixteen columns' time before. */
static void grid_keeps_the_stairs(void **state)
{
	static const guint sizes[][2] = { { 200, 64 }, { 80, 32 }, { 32, 16 }, { 16, 16 } };
	g_autoptr(KxVmReport) v = stairs();

	for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
		g_autoptr(KxHeatGrid) g = kx_heat_grid_new(map_of(v), sizes[s][0], sizes[s][1]);
		double n = 0, x1 = 0, y1 = 0, xx = 0, xy = 0, slope;

		assert_in_range(g->nx, sizes[s][0] / 2, sizes[s][0]);
		assert_in_range(g->ny, sizes[s][1] / 2, sizes[s][1]);
		for (guint x = 0; x < g->nx; x++) {
			double sum = 0, weight = 0;

			for (guint y = 0; y < g->ny; y++) {
				double heat = g->heat[y * g->nx + x];

				if (isnan(heat))
					continue;
				sum += heat * (y + 0.5);
				weight += heat;
			}
			if (!weight)
				continue;
			n++;
			x1 += x + 0.5;
			y1 += sum / weight;
			xx += (x + 0.5) * (x + 0.5);
			xy += (x + 0.5) * sum / weight;
		}
		slope = (n * xy - x1 * y1) / (n * xx - x1 * x1);
		/* all lines are passed in all columns */
		assert_true(fabs(slope * g->nx / g->ny - 1) < 0.1);
	}
}

/* 3000 accesses a second and page: no grid, however fine, makes passes of five seconds hotter, or leaves holes between them. */
static void grid_keeps_the_rate(void **state)
{
	static const guint sizes[] = { 500, 100, 33, 7, 1 };
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_EVENTS, FALSE, 0xfffff, 0);
	g_autoptr(KxAccessMap) m = NULL;

	for (guint i = 0; i < 20; i++) {
		const struct kvm_ext_rec_pass_end end = { .pass = i + 1,
							  .time_ns = (i + 1) * 5000 * MS };

		kx_timemap_add_events(b, 0x40000, 64, 5 * 3000 * 64, FALSE);
		kx_timemap_end_pass(b, &end);
	}
	m = kx_timemap_report(b, 0);
	assert_true(m->bin_ns < m->interval_ns);
	for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
		g_autoptr(KxHeatGrid) g = kx_heat_grid_new(m, sizes[s], 4);

		assert_in_range(g->nx, 1, sizes[s]);
		for (guint x = 0; x < g->nx; x++)
			assert_true(fabs(g->heat[x] - 3000) < 1);
	}
}

/* The cells of a line of text are the ramp's; the diagonal is hot, the corners are not. */
static void text_shows_the_stairs(void **state)
{
	g_autoptr(KxVmReport) v = stairs();
	g_autofree char *text = kx_access_map_to_text(v, map_of(v), 82, 16, KX_COLOURS_NONE);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	guint n = 0, last = G_MAXUINT;

	for (char **l = lines; *l; l++) {
		const char *at = strchr(*l, '|'), *hot;

		if (!at || !g_str_has_prefix(g_strchug(*l), "0x"))
			continue;
		at = strchr(*l, '|');
		hot = strchr(at, '@');
		assert_non_null(hot);
		/* upwards is later: the first line is that of the highest address */
		assert_true((guint)(hot - at) < last);
		last = (guint)(hot - at);
		n++;
	}
	assert_int_equal(n, 16);
	assert_non_null(strstr(text, "160 passes"));
	assert_non_null(strstr(text, "100 ms"));
	assert_null(strchr(text, '\033'));
}

static void colours_end(void **state)
{
	g_autoptr(KxVmReport) v = stairs();
	static const KxColours kinds[] = { KX_COLOURS_256, KX_COLOURS_TRUE };

	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autofree char *text = kx_access_map_to_text(v, map_of(v), 80, 16, kinds[i]);
		g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

		for (char **l = lines; *l; l++) {
			const char *last = g_strrstr(*l, "\033[");

			assert_true(!last || g_str_has_prefix(last, "\033[0m"));
		}
	}
}

/* Ends the line's cells in place, for there are many lines. Returns their number. */
static guint split_line(char *line, char *cell[11])
{
	guint n = 0;

	for (char *at = line; at; n++) {
		char *comma = strchr(at, ',');

		if (n < 11)
			cell[n] = at;
		if (comma)
			*comma++ = 0;
		at = comma;
	}
	return n;
}

static void csv_has_all_cells(void **state)
{
	g_autoptr(KxVmReport) v = stairs();
	const KxAccessMap *m = map_of(v);
	g_autoptr(GString) out = g_string_new(NULL);
	char *cell[11], *line, *end;
	guint64 sum = 0;
	guint lines = 0;

	kx_access_map_csv_head(out);
	kx_access_map_to_csv(out, v, m);
	for (line = strchr(out->str, '\n') + 1; *line; line = end + 1, lines++) {
		end = strchr(line, '\n');
		assert_non_null(end);
		*end = 0;
		assert_int_equal(split_line(line, cell), 11);
		assert_string_equal(cell[10], "100000000");
		assert_string_equal(cell[0], "vm1");
		sum += g_ascii_strtoull(cell[8], NULL, 10);
	}
	assert_int_equal(lines, m->rows->len * m->columns_nr);
	assert_int_equal(sum, STAIRS * STAIR_PASSES * STAIR_PAGES);
	g_string_set_size(out, 0);
	kx_csv_add(out, "a \"b\", c", TRUE);
	assert_string_equal(out->str, "\"a \"\"b\"\", c\"\n");
}

static void working_set_is_right(void **state)
{
	g_autoptr(KxVmReport) v = stairs();
	const KxAccessMap *m = map_of(v);
	KxWorkingSet w = kx_working_set(m);
	g_autofree char *text = kx_working_set_to_text(v, m, NULL, 120);
	g_autofree char *idle = kx_idle_ages_to_text(v, NULL, 120);
	g_autofree char *rest = kx_text_pages_bytes(v->ram_pages - STAIRS * STAIR_PAGES);
	g_autoptr(GArray) ages = kx_access_age_classes(m);
	guint64 sum = 0;

	assert_int_equal(w.passes, 160);
	assert_true(w.mean == STAIR_PAGES);
	assert_int_equal(w.pairs, 159);
	/* all but 15 of 159 pairs find everything again */
	assert_true(fabs(w.again - 144.0 / 159) < 1e-9);
	assert_true(w.used == 1);
	assert_true(kx_access_size_at(m, 0.5) == STAIR_PAGES);
	assert_non_null(strstr(text, "4 MiB"));
	assert_non_null(strstr(text, "90.6 %"));
	/* the last pass was at 16.0 s: 0-1 s, 1-5 s, 5-15 s, 15-60 s */
	assert_int_equal(ages->len, 4);
	assert_int_equal(g_array_index(ages, KxAgeClass, 0).pages, STAIR_PAGES);
	assert_int_equal(g_array_index(ages, KxAgeClass, 1).pages, 4 * STAIR_PAGES);
	assert_int_equal(g_array_index(ages, KxAgeClass, 2).pages, 10 * STAIR_PAGES);
	assert_int_equal(g_array_index(ages, KxAgeClass, 3).pages, STAIR_PAGES);
	for (guint i = 0; i < ages->len; i++)
		sum += g_array_index(ages, KxAgeClass, i).pages;
	assert_int_equal(sum, kx_access_pages_known(m));
	assert_int_equal(sum, STAIRS * STAIR_PAGES);
	assert_non_null(strstr(idle, rest));
}

/* A value that is not known has a reason and no number. */
static void says_what_is_not_known(void **state)
{
	g_autoptr(KxVmReport) v = kx_vm_report_new();
	g_autoptr(KxTimeMap) b = kx_timemap_new(KX_TIMEMAP_EVENTS, TRUE, 0xfffff, 0);
	const struct kvm_ext_rec_pass_end end = { .pass = 1, .time_ns = 100 * MS };
	KxAccessMap *m;
	g_autofree char *text = NULL, *idle = NULL, *map = NULL;

	kx_timemap_add_events(b, 0x1000, 1, 3, TRUE);
	kx_timemap_end_pass(b, &end);
	m = kx_timemap_report(b, 0);
	m->tracker = g_strdup("trap");
	m->options = g_strdup("");
	m->kind = g_strdup("apart");
	v->name = g_strdup("vm1");
	v->over_time = kx_over_time_new();
	g_ptr_array_add(v->over_time->maps, m);
	text = kx_working_set_to_text(v, m, NULL, 120);
	idle = kx_idle_ages_to_text(v, NULL, 120);
	map = kx_access_map_to_text(v, m, 80, 10, KX_COLOURS_NONE);
	assert_non_null(strstr(text, "n/a: single accesses"));
	assert_true(isnan(kx_access_size_at(m, 0.5)));
	assert_non_null(strstr(idle, "n/a"));
	assert_non_null(strstr(map, "accesses per second and page"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grid_keeps_the_stairs),  cmocka_unit_test(grid_keeps_the_rate),
		cmocka_unit_test(text_shows_the_stairs),  cmocka_unit_test(colours_end),
		cmocka_unit_test(csv_has_all_cells),	  cmocka_unit_test(working_set_is_right),
		cmocka_unit_test(says_what_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
