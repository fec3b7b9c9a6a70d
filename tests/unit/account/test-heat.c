// SPDX-License-Identifier: GPL-2.0-or-later
/* Heat from records made by hand, and the pages that are chosen by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "account/heat.h"

static void begin(KxHeat *h, guint16 flags)
{
	struct kvm_ext_rec_pass_begin r = { .h.flags = flags };

	kx_heat_sink.pass_begin(h, &r);
}

static void end(KxHeat *h)
{
	struct kvm_ext_rec_pass_end r = { 0 };

	kx_heat_sink.pass_end(h, &r);
}

static void run(KxHeat *h, guint64 gfn, guint64 n)
{
	struct kvm_ext_rec_run r = { .gfn = gfn, .npages = n };

	kx_heat_sink.run(h, &r);
}

/* @times passes that each find the one run. */
static void passes(KxHeat *h, guint times, guint64 gfn, guint64 n)
{
	while (times--) {
		begin(h, 0);
		if (n)
			run(h, gfn, n);
		end(h);
	}
}

static struct kvm_ext_range range(const KxPick *p, guint i)
{
	assert_true(i < p->ranges->len);
	return g_array_index(p->ranges, struct kvm_ext_range, i);
}

static void counts_passes(void **state)
{
	g_autoptr(KxHeat) h = kx_heat_new(1 << 20, 1);
	const guint64 bits[] = { 5, 1ull << 63 };
	const struct kvm_ext_rec_bitmap bitmap = { .gfn = 0x1fff, .nbits = 128 };

	begin(h, KVM_EXT_PASS_PRIME);
	run(h, 7, 1);
	end(h);
	assert_int_equal(kx_heat_of(h, 7), 0);
	passes(h, 3, 0xffe, 4); /* over the border of two chunks */
	assert_int_equal(kx_heat_of(h, 0xffd), 0);
	assert_int_equal(kx_heat_of(h, 0xffe), 3);
	assert_int_equal(kx_heat_of(h, 0x1001), 3);
	assert_int_equal(kx_heat_of(h, 0x1002), 0);
	begin(h, 0);
	kx_heat_sink.bitmap(h, &bitmap, bits, 2);
	end(h);
	assert_int_equal(kx_heat_of(h, 0x1fff), 1);
	assert_int_equal(kx_heat_of(h, 0x2000), 0);
	assert_int_equal(kx_heat_of(h, 0x2001), 1);
	assert_int_equal(kx_heat_of(h, 0x1fff + 127), 1);
	assert_int_equal(kx_heat_of(h, 1ull << 39), 0);
}

/* A page stands for its region. */
static void takes_regions(void **state)
{
	static const struct kvm_ext_region regions[] = {
		{ .gfn = 0x10, .npages = 4, .accesses = 7 },
		{ .gfn = 0x14, .npages = 9, .accesses = 0 },
		{ .gfn = 0x50, .npages = 1, .accesses = 999 }
	};
	const struct kvm_ext_rec_regions r = { .checks = 999, .total = 3, .nr = 3 };
	g_autoptr(KxHeat) h = kx_heat_new(1 << 20, 1);

	begin(h, 0);
	kx_heat_sink.regions(h, &r, regions);
	end(h);
	assert_int_equal(kx_heat_of(h, 0x10), 7);
	assert_int_equal(kx_heat_of(h, 0x13), 7);
	assert_int_equal(kx_heat_of(h, 0x14), 0);
	assert_int_equal(kx_heat_of(h, 0x50), 255);
}

/* Pages that are no longer used cool down, whether anybody looks at them or not; the count of steadily used pages fits in a byte. */
static void cools_down(void **state)
{
	g_autoptr(KxHeat) h = kx_heat_new(1 << 20, 1);

	passes(h, KX_HEAT_PASSES - 1, 100, 1);
	assert_int_equal(kx_heat_of(h, 100), KX_HEAT_PASSES - 1);
	passes(h, 1, 0x8000, 1);
	assert_int_equal(kx_heat_of(h, 100), (KX_HEAT_PASSES - 1) / 2);
	passes(h, KX_HEAT_PASSES, 0x8000, 1);
	assert_int_equal(kx_heat_of(h, 100), (KX_HEAT_PASSES - 1) / 4);
	passes(h, KX_HEAT_PASSES * 20, 0x8000, 1);
	assert_int_equal(kx_heat_of(h, 100), 0);
	assert_in_range(kx_heat_of(h, 0x8000), KX_HEAT_PASSES - 1, 2 * KX_HEAT_PASSES);
	passes(h, 3, 100, 1);
	assert_int_equal(kx_heat_of(h, 100), 3);
}

static void picks_the_hottest(void **state)
{
	g_autoptr(KxHeat) h = kx_heat_new(1 << 20, 1);
	g_auto(KxPick) few = { 0 }, more = { 0 }, all = { 0 }, part = { 0 };

	passes(h, 2, 0x100, 10);
	passes(h, 5, 0x200, 4);
	passes(h, 9, 0x5000, 2);
	/* the two hottest classes whole */
	assert_true(kx_heat_pick(h, TRUE, 0, 1 << 20, 6, 4096, &few));
	assert_int_equal(few.ranges->len, 2);
	assert_int_equal(range(&few, 0).gfn, 0x200);
	assert_int_equal(range(&few, 0).npages, 4);
	assert_int_equal(range(&few, 1).gfn, 0x5000);
	assert_int_equal(few.share_ppm, 1000000);
	assert_int_equal(few.pages, 6);
	/* three pages of the third class: those of the lowest address */
	assert_true(kx_heat_pick(h, TRUE, 0, 1 << 20, 9, 4096, &more));
	assert_int_equal(more.pages, 9);
	assert_int_equal(range(&more, 0).gfn, 0x100);
	assert_int_equal(range(&more, 0).npages, 3);
	/* never pages that were not found, however many are wanted */
	assert_true(kx_heat_pick(h, TRUE, 0, 1 << 20, 100000, 4096, &all));
	assert_int_equal(all.pages, 16);
	assert_int_equal(all.share_ppm, 1000000);
	/* one class that is larger than wanted: all of it, and a share */
	assert_true(kx_heat_pick(h, TRUE, 0x100, 0x10, 4, 4096, &part));
	assert_int_equal(part.pages, 10);
	assert_int_equal(part.share_ppm, 400000);
}

static void picks_the_coldest(void **state)
{
	g_autoptr(KxHeat) h = kx_heat_new(1 << 20, 1);
	g_auto(KxPick) cold = { 0 }, warm = { 0 };

	passes(h, 4, 0x1000, 0x1000);
	passes(h, 1, 0x1000, 0x800);
	/* pages that were never found are coldest: they are more than wanted, so a share of them is chosen */
	assert_true(kx_heat_pick(h, FALSE, 0, 0x4000, 0x1000, 4096, &cold));
	assert_int_equal(cold.ranges->len, 2);
	assert_int_equal(range(&cold, 0).gfn, 0);
	assert_int_equal(range(&cold, 0).npages, 0x1000);
	assert_int_equal(range(&cold, 1).gfn, 0x2000);
	assert_int_equal(range(&cold, 1).npages, 0x2000);
	assert_int_equal(cold.share_ppm, 333333);
	/* inside the found part: heat 4 before heat 5 */
	assert_true(kx_heat_pick(h, FALSE, 0x1000, 0x1000, 0x800, 4096, &warm));
	assert_int_equal(warm.ranges->len, 1);
	assert_int_equal(range(&warm, 0).gfn, 0x1800);
	assert_int_equal(range(&warm, 0).npages, 0x800);
	assert_int_equal(warm.share_ppm, 1000000);
}

static void knows_nothing_yet(void **state)
{
	g_autoptr(KxHeat) h = kx_heat_new(1 << 20, 1);
	g_auto(KxPick) pick = { 0 };

	assert_false(kx_heat_pick(h, TRUE, 0, 1 << 20, 10, 4096, &pick));
	assert_false(kx_heat_pick(h, FALSE, 0, 1 << 20, 10, 4096, &pick));
	passes(h, 1, 0x9000, 1);
	assert_false(kx_heat_pick(h, TRUE, 0, 0x9000, 10, 4096, &pick));
	assert_true(kx_heat_pick(h, TRUE, 0, 0x9001, 10, 4096, &pick));
	assert_int_equal(pick.pages, 1);
}

static void region_pass(KxHeat *h, gboolean aggregates, guint32 accesses)
{
	const struct kvm_ext_region regions[] = {
		{ .gfn = 0, .npages = 0x1000 },
		{ .gfn = 0x1000, .npages = 64, .accesses = accesses },
		{ .gfn = 0x1040, .npages = 0x1000 }
	};
	const struct kvm_ext_rec_regions r = { .checks = 20, .total = 3, .nr = 3 };

	begin(h, 0);
	if (aggregates)
		kx_heat_sink.regions(h, &r, regions);
	end(h);
}

/* After many passes with regions, the hottest pages are those that the regions found, not those that were found page by page before. */
static void picks_by_regions(void **state)
{
	g_autoptr(KxHeat) h = kx_heat_new(1 << 20, 1);
	g_auto(KxPick) pick = { 0 }, none = { 0 }, cold = { 0 };
	guint i;

	passes(h, 100, 0x4000, 50);
	for (i = 0; i < 5000; i++)
		region_pass(h, i % 20 == 19, 1);
	assert_int_equal(kx_heat_of(h, 0x4000), 0);
	assert_true(kx_heat_pick(h, TRUE, 0, 1 << 20, 1000, 4096, &pick));
	assert_int_equal(pick.ranges->len, 1);
	assert_int_equal(range(&pick, 0).gfn, 0x1000);
	assert_int_equal(range(&pick, 0).npages, 64);
	/* The guest becomes idle: after some time nothing is hot, and all pages are equally cold. */
	for (i = 0; i < 5000; i++)
		region_pass(h, i % 20 == 19, 0);
	assert_false(kx_heat_pick(h, TRUE, 0, 1 << 20, 1000, 4096, &none));
	assert_true(kx_heat_pick(h, FALSE, 0, 1 << 20, 1 << 10, 4096, &cold));
	assert_int_equal(cold.pages, 1 << 20);
	assert_in_range(cold.share_ppm, 976, 977);
}

/* Every second page is hot: no more ranges than allowed are chosen, and they are the best ones. */
static void stays_within_the_ranges(void **state)
{
	g_autoptr(KxHeat) h = kx_heat_new(1 << 20, 1);
	g_auto(KxPick) pick = { 0 };
	guint i;

	begin(h, 0);
	for (i = 0; i < 1000; i++)
		run(h, 2 * i, 1);
	end(h);
	passes(h, 1, 1500, 1);
	passes(h, 1, 100, 3);
	assert_true(kx_heat_pick(h, TRUE, 0, 1 << 20, 100000, 8, &pick));
	assert_int_equal(pick.ranges->len, 8);
	for (i = 1; i < 8; i++)
		assert_true(range(&pick, i).gfn >
			    range(&pick, i - 1).gfn + range(&pick, i - 1).npages);
	for (i = 0; i < 8 && range(&pick, i).gfn != 100; i++)
		;
	assert_int_equal(range(&pick, i).npages, 3);
	for (i = 0; i < 8 && range(&pick, i).gfn != 1500; i++)
		;
	assert_int_equal(range(&pick, i).npages, 1);
}

/* A pass of the tracker with this epoch. */
static void pass_of(KxHeat *h, guint64 epoch, guint64 time_ms, guint64 gfn, guint64 n)
{
	struct kvm_ext_rec_pass_begin b = { .epoch = epoch };
	struct kvm_ext_rec_pass_end e = { .time_ns = time_ms * 1000000 };

	kx_heat_sink.pass_begin(h, &b);
	run(h, gfn, n);
	kx_heat_sink.pass_end(h, &e);
}

static void open_map(KxHeat *h, guint64 epoch, const char *tracker, const char *key,
		     const char *value)
{
	KxOptions o;

	kx_options_init(&o);
	assert_true(kx_options_set(&o, "tracker", tracker, NULL));
	assert_true(!key || kx_options_set(&o, key, value, NULL));
	kx_heat_open(h, epoch, &o, NULL);
}

static const KxHeatMap *map_at(const KxHeatReport *r, guint i)
{
	assert_true(i < r->maps->len);
	return r->maps->pdata[i];
}

/* Traps watch only chosen pages: other pages that traps do not find do not become colder. */
static void stays_hot_under_traps(void **state)
{
	g_autoptr(KxHeat) h = kx_heat_new(1 << 15, 1);
	struct kvm_ext_rec_pass_begin trap = { .epoch = 7 };

	passes(h, 50, 100, 4);
	open_map(h, 7, "trap", NULL, NULL);
	for (guint i = 0; i < 20 * KX_HEAT_PASSES; i++) {
		kx_heat_sink.pass_begin(h, &trap);
		end(h);
	}
	assert_int_equal(kx_heat_of(h, 100), 50);
}

/* Each tracker has a map of its own, whatever order their records come in; `off` has none. */
static void keeps_trackers_apart(void **state)
{
	g_autoptr(KxHeat) h = kx_heat_new((1 << 15) - 1, 1);
	g_autoptr(KxHeatReport) r = NULL;

	open_map(h, 1, "abit", NULL, NULL);
	open_map(h, 2, "off", NULL, NULL);
	open_map(h, 3, "ept-walk", NULL, NULL);
	for (guint i = 1; i <= 30; i++) {
		pass_of(h, 1, 500 * i, 0x100, 64);
		pass_of(h, 3, 500 * i, 0x4000, 64);
		pass_of(h, 99, 500 * i, 0x7000, 64);
	}
	r = kx_heat_report(h, 3, 1 << 15);
	assert_int_equal(r->maps->len, 2);
	assert_string_equal(map_at(r, 0)->tracker, "abit");
	assert_int_equal(map_at(r, 0)->samples, 30 * 64);
	assert_int_equal(map_at(r, 0)->half_bytes, 32 << 12);
	assert_false(map_at(r, 0)->running);
	assert_true(map_at(r, 1)->running);
	assert_int_equal(g_array_index(map_at(r, 0)->ranges, KxHeatRange, 0).start >> 18,
			 0x100 >> 6);
	assert_int_equal(g_array_index(map_at(r, 1)->ranges, KxHeatRange, 0).start >> 18,
			 0x4000 >> 6);
	assert_int_equal(r->agreement->len, 1);
	assert_null(((KxAgreement *)r->agreement->pdata[0])->na);
	assert_true(((KxAgreement *)r->agreement->pdata[0])->f1 == 0);
}

/* Records from a file may be in any order: a setting begins within a pass of the setting before. */
static void forgets_a_pass_without_an_end(void **state)
{
	const struct kvm_ext_rec_pass_begin r = { .epoch = 1, .time_ns = 1000 };
	g_autoptr(KxHeat) h = kx_heat_new((1 << 15) - 1, 1);

	open_map(h, 1, "abit", NULL, NULL);
	pass_of(h, 1, 500, 0x100, 64);
	kx_heat_sink.pass_begin(h, &r);
	open_map(h, 2, "abit", "range", "0x100+16");
	run(h, 0x200, 4);
	end(h);
	assert_int_equal(kx_heat_of(h, 0x200), 0);
	pass_of(h, 2, 600, 0x100, 16);
	assert_true(kx_heat_of(h, 0x100) > 0);
}

/* Only maps of trackers that cannot see accesses of nested guests get a note about nested guests. */
static void warns_of_nested_guests(void **state)
{
	g_autoptr(KxHeat) h = kx_heat_new((1 << 15) - 1, 1);
	g_autoptr(KxHeatReport) r = NULL, copy = NULL;

	open_map(h, 1, "abit", NULL, NULL);
	open_map(h, 2, "ept-walk", NULL, NULL);
	r = kx_heat_report(h, 2, 1 << 15);
	assert_null(map_at(r, 1)->unseen);
	kx_heat_note_nested(r);
	kx_heat_note_nested(r);
	assert_null(map_at(r, 0)->unseen);
	assert_non_null(strstr(map_at(r, 1)->unseen, "NESTED GUESTS"));
	copy = kx_heat_report_copy(r);
	assert_string_equal(map_at(copy, 1)->unseen, map_at(r, 1)->unseen);
}

/* Passes that the account does not count make nothing hot: those that prime, were cut or yielded, and one that still runs. */
static void counts_the_passes_of_the_account(void **state)
{
	static const guint16 flags[] = { KVM_EXT_PASS_PRIME, KVM_EXT_PASS_CUT,
					 KVM_EXT_PASS_YIELDED };
	g_autoptr(KxHeat) h = kx_heat_new((1 << 15) - 1, 1);
	struct kvm_ext_rec_pass_begin b = { .epoch = 1 };
	g_autoptr(KxHeatReport) r = NULL;

	open_map(h, 1, "abit", NULL, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(flags); i++) {
		struct kvm_ext_rec_pass_end e = { .h.flags = flags[i], .time_ns = 1000 * i };

		b.h.flags = flags[i] & KVM_EXT_PASS_PRIME;
		kx_heat_sink.pass_begin(h, &b);
		run(h, 0x100, 20000);
		kx_heat_sink.pass_end(h, &e);
	}
	pass_of(h, 1, 500, 0x200, 3);
	b.h.flags = 0;
	kx_heat_sink.pass_begin(h, &b);
	run(h, 0x100, 20000);
	run(h, 1 << 20, 1);
	r = kx_heat_report(h, 1, 1 << 15);
	assert_int_equal(map_at(r, 0)->samples, 3);
	assert_int_equal(map_at(r, 0)->outside, 0);
	assert_int_equal(kx_heat_of(h, 0x100), 0);
	assert_int_equal(kx_heat_of(h, 0x201), 1);
	/* The end of this pass was lost, so it never counts. */
	pass_of(h, 1, 1000, 0x200, 3);
	assert_int_equal(kx_heat_of(h, 0x100), 0);
	assert_int_equal(kx_heat_of(h, 0x201), 2);
}

static void one_pass(KxHeat *h, guint64 epoch, guint16 flags, guint64 lost,
		     const struct kvm_ext_rec_run *r)
{
	struct kvm_ext_rec_pass_begin b = { .epoch = epoch };
	struct kvm_ext_rec_pass_end e = { .h.flags = flags, .lost_samples = lost };

	kx_heat_sink.pass_begin(h, &b);
	kx_heat_sink.run(h, r);
	kx_heat_sink.pass_end(h, &e);
}

/* A pass of which @lost samples did not fit in the ring. */
static void pass_that_lost(KxHeat *h, guint64 epoch, guint16 flags, guint64 lost)
{
	one_pass(h, epoch, flags, lost, &(struct kvm_ext_rec_run){ .gfn = 0x100, .npages = 1 });
}

static void lost_at(KxHeat *h, guint i, guint64 lost)
{
	g_autoptr(KxHeatReport) r = kx_heat_report(h, 0, 1 << 15), copy = kx_heat_report_copy(r);

	assert_int_equal(map_at(r, i)->lost, lost);
	assert_int_equal(map_at(copy, i)->lost, lost);
}

/* A map counts the samples that it lacks, for as long as it exists: those of counted passes of its own tracker. */
static void counts_what_was_lost(void **state)
{
	g_autoptr(KxHeat) h = kx_heat_new((1 << 15) - 1, 1);

	open_map(h, 1, "abit", NULL, NULL);
	pass_that_lost(h, 1, 0, 0);
	lost_at(h, 0, 0);
	pass_that_lost(h, 1, 0, 5);
	pass_that_lost(h, 1, 0, 4000000000000);
	lost_at(h, 0, 4000000000005);
	pass_that_lost(h, 1, KVM_EXT_PASS_CUT, 7);
	pass_that_lost(h, 1, KVM_EXT_PASS_YIELDED, 7);
	pass_that_lost(h, 99, 0, 7);
	lost_at(h, 0, 4000000000005);
	open_map(h, 2, "ept-walk", NULL, NULL);
	pass_that_lost(h, 2, 0, 3);
	lost_at(h, 0, 4000000000005);
	lost_at(h, 1, 3);
	/* The map goes on, and so does its count; a new map begins with 0. (The map that was used last is the last one.) */
	open_map(h, 3, "abit", "interval", "10ms");
	pass_that_lost(h, 3, 0, 1);
	lost_at(h, 1, 4000000000006);
	open_map(h, 4, "abit", "range-size", "64K");
	lost_at(h, 1, 0);
	pass_that_lost(h, 4, 0, 2);
	lost_at(h, 1, 2);
	lost_at(h, 0, 3);
}

static void pass_of_leaf(KxHeat *h, guint64 epoch, guint16 flags, guint64 gfn, guint order)
{
	one_pass(h, epoch, flags, 0,
		 &(struct kvm_ext_rec_run){
			 .gfn = gfn, .npages = 1ull << order, .leaf_order = order });
}

static void leaf_at(KxHeat *h, guint i, guint64 bytes)
{
	g_autoptr(KxHeatReport) r = kx_heat_report(h, 0, 1 << 15), copy = kx_heat_report_copy(r);

	assert_int_equal(map_at(r, i)->leaf_bytes, bytes);
	assert_int_equal(map_at(copy, i)->leaf_bytes, bytes);
}

/* A map has the size of the leaves through which its pages were found recently, in passes that count. */
static void knows_the_leaves(void **state)
{
	const struct kvm_ext_rec_bitmap bitmap = { .gfn = 0x100, .nbits = 64 };
	struct kvm_ext_rec_pass_begin b = { .epoch = 2 };
	const guint64 bits[] = { 0x11 };
	g_autoptr(KxHeat) h = kx_heat_new((1 << 15) - 1, 1);

	open_map(h, 1, "abit", NULL, NULL);
	leaf_at(h, 0, 0);
	pass_of_leaf(h, 1, KVM_EXT_PASS_CUT, 0x200, 9);
	leaf_at(h, 0, 0);
	pass_of_leaf(h, 1, 0, 0x200, 9);
	leaf_at(h, 0, 2 << 20);
	pass_of_leaf(h, 1, 0, 0x5, 0);
	leaf_at(h, 0, 2 << 20);
	/* no longer 2M: by now the VM's memory is mapped by 4K leaves */
	for (guint i = 0; i < 200; i++)
		pass_of_leaf(h, 1, 0, 0x200 + i, 0);
	leaf_at(h, 0, 4096);
	open_map(h, 2, "dirty-log", NULL, NULL);
	kx_heat_sink.pass_begin(h, &b);
	kx_heat_sink.bitmap(h, &bitmap, bits, 1);
	end(h);
	leaf_at(h, 1, 4096);
	/* a new map begins without a leaf size */
	open_map(h, 3, "abit", "range-size", "64K");
	leaf_at(h, 1, 0);
}

/* Another setting of a tracker continues the tracker's map, unless the map does not fit the setting. */
static void takes_maps_up_again(void **state)
{
	g_autoptr(KxHeat) h = kx_heat_new((1 << 15) - 1, 1);

	g_autoptr(KxHeatReport) last = NULL;

	for (guint i = 1; i <= 3; i++) {
		g_autoptr(KxHeatReport) r = NULL;

		open_map(h, i, "abit", i < 3 ? "interval" : "range-size", i < 3 ? "10ms" : "64K");
		pass_of(h, i, i, 5, 1);
		open_map(h, 10 + i, "dirty-log", NULL, NULL);
		r = kx_heat_report(h, 0, 1 << 15);
		assert_int_equal(r->maps->len, 2);
		assert_string_equal(map_at(r, 1)->tracker, "dirty-log");
		assert_int_equal(map_at(r, 0)->samples, i < 3 ? i : 1);
	}
	open_map(h, 20, "abit", "regions", "1:10");
	last = kx_heat_report(h, 20, 1 << 15);
	assert_int_equal(last->maps->len, 3);
	assert_string_equal(map_at(last, 2)->mechanism, "regions");
	assert_int_equal(map_at(last, 2)->samples, 0);
}

static void knows_what_speaks_for_a_part(void **state)
{
	static const struct {
		const char *tracker, *key, *value;
		gboolean partial;
	} cases[] = {
		{ "abit", "interval", "1s", FALSE },	 { "abit", "range", "0+100", TRUE },
		{ "trap", "pages", "random:5%", FALSE }, { "trap", "pages", "hottest", TRUE },
		{ "trap", "pages", "0+16", TRUE },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(KxHeat) h = kx_heat_new(1 << 15, 1);
		g_autoptr(KxHeatReport) r = NULL;

		open_map(h, 1, cases[i].tracker, cases[i].key, cases[i].value);
		r = kx_heat_report(h, 1, 1 << 15);
		assert_int_equal(map_at(r, 0)->partial != NULL, cases[i].partial);
	}
}

/* Faults and regions go to the map; ranges that a guest has ranked go to it with the guest's weights. */
static void takes_other_records(void **state)
{
	static const struct kvm_ext_region region = { .gfn = 0x10, .npages = 4, .accesses = 7 };
	static const struct kvm_ext_rec_regions regions = { .nr = 1 };
	static const struct kvm_ext_fault faults[] = { { .gfn = 3 }, { .gfn = 4 } };
	static const struct kvm_ext_rec_faults two = { .nr = 2 };
	static const struct kvm_ext_rec_pass_begin at[] = { { .epoch = 1 }, { .epoch = 2 } };
	g_autoptr(KxHeat) h = kx_heat_new(1 << 15, 1);
	g_autoptr(KxHeatReport) r = NULL;

	open_map(h, 1, "trap", NULL, NULL);
	open_map(h, 2, "guest-abit", NULL, NULL);
	kx_heat_sink.pass_begin(h, &at[0]);
	kx_heat_sink.faults(h, &two, faults);
	kx_heat_sink.regions(h, &regions, &region);
	end(h);
	kx_heat_sink.pass_begin(h, &at[1]);
	run(h, 0x20, 8);
	kx_heat_sink.ranked(h, 0x20, 8, 1000);
	end(h);
	r = kx_heat_report(h, 0, 1 << 15);
	assert_int_equal(map_at(r, 0)->samples, 2 + 7 * 4);
	assert_int_equal(map_at(r, 1)->samples, 1000);
	assert_int_equal(kx_heat_of(h, 3), 0);
	assert_int_equal(kx_heat_of(h, 0x20), 1);
}

/* DAMON reports its regions once per aggregation: a page of a region is found once in that pass; the map has the number of accesses. */
static void takes_aggregations(void **state)
{
	static const struct kvm_ext_region region = { .gfn = 0x10, .npages = 4, .accesses = 7 };
	static const struct kvm_ext_rec_regions regions = { .nr = 1 };
	static const struct kvm_ext_rec_pass_begin at = { .epoch = 1 };
	g_autoptr(KxHeat) h = kx_heat_new(1 << 15, 1);
	g_autoptr(KxHeatReport) r = NULL;

	open_map(h, 1, "damon", NULL, NULL);
	kx_heat_sink.pass_begin(h, &at);
	run(h, 0x10, 4);
	kx_heat_sink.regions(h, &regions, &region);
	end(h);
	r = kx_heat_report(h, 0, 1 << 15);
	assert_int_equal(map_at(r, 0)->samples, 7 * 4);
	assert_int_equal(kx_heat_of(h, 0x10), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_passes),
		cmocka_unit_test(takes_regions),
		cmocka_unit_test(cools_down),
		cmocka_unit_test(picks_the_hottest),
		cmocka_unit_test(picks_the_coldest),
		cmocka_unit_test(knows_nothing_yet),
		cmocka_unit_test(picks_by_regions),
		cmocka_unit_test(stays_hot_under_traps),
		cmocka_unit_test(stays_within_the_ranges),
		cmocka_unit_test(keeps_trackers_apart),
		cmocka_unit_test(forgets_a_pass_without_an_end),
		cmocka_unit_test(warns_of_nested_guests),
		cmocka_unit_test(counts_the_passes_of_the_account),
		cmocka_unit_test(counts_what_was_lost),
		cmocka_unit_test(knows_the_leaves),
		cmocka_unit_test(takes_maps_up_again),
		cmocka_unit_test(knows_what_speaks_for_a_part),
		cmocka_unit_test(takes_other_records),
		cmocka_unit_test(takes_aggregations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
