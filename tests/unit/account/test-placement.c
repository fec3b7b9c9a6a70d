// SPDX-License-Identifier: GPL-2.0-or-later
/* Hot and cold memory on the nodes of a made-up host: a map of heat and a layout with holes, and how far a sample may be wrong. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "account/placement.h"
#include "cases.h"
#include "fake-numa.h"
#include "report/json.h"
#include "report/placed.h"
#include "report/text.h"

#define PAGE 4096ull
#define LOW  0x7f0000000000ull
#define HIGH 0x7f8000000000ull

typedef struct {
	KxLayout layout;
	KxHeatReport *heat;
	KxPlacement *p;
} State;

/* Pages 0 to 999 at LOW, 2000 to 2999 at HIGH. */
static int setup(void **state)
{
	static const KxLayoutPart parts[] = { { 0, 1000, LOW }, { 2000, 1000, HIGH } };
	State *s = g_new0(State, 1);

	fake_numa_reset();
	s->layout.parts = g_array_new(FALSE, FALSE, sizeof(KxLayoutPart));
	g_array_append_vals(s->layout.parts, parts, 2);
	s->heat = kx_heat_report_new();
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	State *s = *state;

	g_array_unref(s->layout.parts);
	kx_heat_report_free(s->heat);
	kx_placement_free(s->p);
	g_free(s);
	fake_numa_reset();
	return 0;
}

static KxHeatMap *add_map(State *s, const char *tracker)
{
	KxHeatMap *m = kx_heat_map_new();

	m->tracker = g_strdup(tracker);
	m->options = g_strdup("");
	g_ptr_array_add(s->heat->maps, m);
	return m;
}

/* In order of heat. */
static void add_range(KxHeatMap *m, guint64 page, guint64 pages, guint64 heat)
{
	KxHeatRange r = { page * PAGE, pages * PAGE, pages * heat, 3, 0 };

	g_array_append_val(m->ranges, r);
}

static const KxPlacement *find_seeded(State *s, guint32 seed)
{
	g_autoptr(GArray) vcpus = g_array_new(FALSE, FALSE, sizeof(pid_t));
	g_autoptr(KxNodes) nodes = kx_nodes_read(&fake_numa_sys, "auto", vcpus, NULL);

	kx_heat_compare(s->heat, 2000 * PAGE);
	kx_placement_free(s->p);
	s->p = kx_placement_find(&(KxPlacementQuery){
		.sys = &fake_numa_sys,
		.nodes = nodes,
		.proc_root = "/nonexistent",
		.pid = 4711,
		.layout = &s->layout,
		.heat = s->heat,
		.seed = seed,
	});
	return s->p;
}

static const KxPlacement *find(State *s)
{
	return find_seeded(s, 1);
}

static const KxPlacedNode *node(const KxPlacement *p, guint i)
{
	assert_true(i < p->nodes->len);
	return &g_array_index(p->nodes, KxPlacedNode, i);
}

static double value(KxFigure f)
{
	assert_null(f.na);
	assert_true(isnan(f.low));
	return f.value;
}

/* Pages from 900 at LOW on, and the first 50 at HIGH, are on node 1; the last 100 at HIGH are nowhere. */
static int some_on_node_1(guint64 address)
{
	if (address >= HIGH + 900 * PAGE)
		return -ENOENT;
	return (address >= LOW + 900 * PAGE && address < LOW + 1000 * PAGE) ||
	       (address >= HIGH && address < HIGH + 50 * PAGE);
}

static void divides_memory_by_heat(void **state)
{
	State *s = *state;
	KxHeatMap *m = add_map(s, "ept-walk");
	const KxPlacement *p;

	fake_numa.where = some_on_node_1;
	/* The middle one of 3000 + 2400 + 20 accesses is in the range with 10 per page. It lies from 950 on, over the hole, in both parts. */
	add_range(m, 950, 1150, 10);
	add_range(m, 100, 400, 6);
	add_range(m, 600, 20, 4);
	p = find(s);
	assert_null(p->na);
	assert_int_equal(p->host_nodes, 2);
	assert_string_equal(p->tracker, "ept-walk");
	assert_null(p->hot_note);
	assert_true(p->hot_heat == 5);
	assert_int_equal(p->hot_pages, 50 + 100 + 400);
	assert_int_equal(p->hot_asked, 550);
	assert_int_equal(p->rest_pages, 1450);
	assert_int_equal(p->rest_absent, 100);
	assert_int_equal(p->hot_absent, 0);
	assert_int_equal(node(p, 0)->hot, 450);
	assert_int_equal(node(p, 1)->hot, 100);
	assert_int_equal(node(p, 1)->rest, 50);
	assert_int_equal(node(p, 0)->rest, 1450 - 100 - 50);
	assert_true(node(p, 1)->slow && !node(p, 1)->cpus);
	assert_int_equal(p->batches, 2);
	assert_true(value(kx_placed_hot_on_slow(p)) == 100 / 256.0);
	assert_true(value(kx_placed_cold_on_fast(p)) == 1300 / 256.0);
	assert_false(kx_placed_is_sample(p));
}

static void needs_a_map_of_all_memory(void **state)
{
	State *s = *state;
	KxHeatMap *all, *part;
	const KxPlacement *p = find(s);
	KxFigure f;

	assert_null(p->na);
	assert_non_null(strstr(p->hot_na, "no tracker has found"));
	assert_int_equal(p->rest_pages, 2000);
	assert_int_equal(node(p, 0)->rest, 2000);
	f = kx_placed_cold_on_fast(p);
	assert_string_equal(f.na, p->hot_na);
	kx_figure_clear(&f);

	part = add_map(s, "trap");
	part->partial = g_strdup("it watched pages that were chosen");
	part->running = TRUE;
	add_range(part, 0, 10, 10);
	p = find(s);
	assert_non_null(strstr(p->hot_na, "watched pages"));

	all = add_map(s, "dirty-log");
	add_range(all, 0, 20, 10);
	p = find(s);
	assert_null(p->hot_na);
	assert_string_equal(p->tracker, "dirty-log");
	assert_int_equal(p->hot_pages, 20);
	assert_non_null(strstr(p->hot_note, "only writes"));
	all->unseen = g_strdup("nested guests");
	p = find(s);
	assert_non_null(strstr(p->hot_note, "nested guests; it finds only writes"));
}

static void tells_why_the_kernel_does_not_answer(void **state)
{
	State *s = *state;
	const KxPlacement *p;
	KxFigure f;

	fake_numa.fail_errno = ESRCH;
	p = find(s);
	assert_non_null(strstr(p->na, "it has ended"));
	assert_int_equal(p->nodes->len, 0);
	f = kx_placed_hot_on_slow(p);
	assert_non_null(f.na);
	kx_figure_clear(&f);
}

static void no_node_is_slow(void **state)
{
	State *s = *state;
	KxFigure f;

	fake_numa.cpu_node[1] = 1;
	fake_numa.allowed = 3;
	add_range(add_map(s, "abit"), 0, 10, 10);
	f = kx_placed_hot_on_slow(find(s));
	assert_string_equal(f.na, s->p->slow_na);
	kx_figure_clear(&f);
}

/* --- samples ---------------------------------------------------------------------------------------------------------- */

static double on_slow; /* share of pages on node 1, in a pattern that the strata do not have */

static int by_hash(guint64 address)
{
	guint64 x = address / PAGE * 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
	return (double)((x ^ x >> 32) & 0xffffff) < on_slow * 0x1000000;
}

/* 256 GiB, almost all of it cold: at least as many intervals contain the true value as promised. */
static void intervals_hold_the_truth(void **state)
{
	static const double shares[] = { 0.0001, 0.02, 0.5, 0.97 };
	const guint64 pages = 1 << 20;
	KxLayoutPart part = { 0, pages, LOW };
	State *s = *state;

	g_array_set_size(s->layout.parts, 0);
	g_array_append_val(s->layout.parts, part);
	add_range(add_map(s, "abit"), 0, 1000, 10);
	fake_numa.where = by_hash;
	for (guint k = 0; k < G_N_ELEMENTS(shares); k++) {
		guint64 truth = 0;
		guint held = 0;

		on_slow = shares[k];
		for (guint64 i = 1000; i < pages; i++)
			truth += !by_hash(LOW + i * PAGE);
		for (guint seed = 0; seed < 60; seed++) {
			const KxPlacement *p = find_seeded(s, seed);
			KxFigure f = kx_placed_cold_on_fast(p);

			assert_true(kx_placed_is_sample(p));
			assert_int_equal(p->hot_asked, 1000);
			assert_int_equal(p->rest_asked, 65536);
			assert_true(f.low <= f.value && f.value <= f.high);
			assert_true(f.high - f.low < 0.02 * (double)pages / 256);
			held += f.low <= (double)truth / 256 && (double)truth / 256 <= f.high;
			kx_figure_clear(&f);
		}
		assert_in_range(held, 53, 60);
	}
}

/* Pages that the sample did not find on a node may still be there. */
static void nothing_found_is_not_nothing(void **state)
{
	KxLayoutPart part = { 0, 1 << 20, LOW };
	State *s = *state;
	KxFigure f;

	g_array_set_size(s->layout.parts, 0);
	g_array_append_val(s->layout.parts, part);
	add_range(add_map(s, "abit"), 0, 1 << 19, 10);
	f = kx_placed_hot_on_slow(find(s));
	assert_true(f.value == 0 && f.low == 0 && f.high > 0.05 && f.high < 1);
	kx_figure_clear(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(divides_memory_by_heat),
		CASE(needs_a_map_of_all_memory),
		CASE(tells_why_the_kernel_does_not_answer),
		CASE(no_node_is_slow),
		CASE(intervals_hold_the_truth),
		CASE(nothing_found_is_not_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
