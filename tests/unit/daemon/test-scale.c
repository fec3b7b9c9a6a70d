// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many VMs, and large ones: the service over its socket with as many modules in memory as there are VMs. What is asked for often
 * must not grow with what was found or how long the VM has been attached, and what ended must stay small. Times are told; what
 * is checked of them is a bound that only another order of growth would miss, on a busy machine with the sanitizers, too.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"
#include "control/manager.h"
#include "fake-world.h"
#include "model/report.h"

#define MIB ((gsize)1 << 20)
#define TIB ((guint64)1 << 28) /* pages */

/* --- 300 VMs ------------------------------------------------------------------------------------------------------------ */

#define MANY	   300u
#define ANSWER_MAX 2000000 /* us */

/* The shortest of several times, so that other work of the machine is not measured. */
static gint64 time_of(State *s, const char *method, gboolean targets, guint want, gsize *bytes)
{
	gint64 best = G_MAXINT64;

	for (guint n = 0; n < 5; n++) {
		gint64 start = g_get_monotonic_time();
		g_autoptr(GVariant) reply =
			call(s, method, targets ? all() : g_variant_new("()"), FALSE);
		g_autoptr(GVariant) vms = g_variant_get_child_value(reply, 0);

		best = MIN(best, g_get_monotonic_time() - start);
		assert_int_equal(g_variant_n_children(vms), want);
		*bytes = g_variant_get_size(reply);
	}
	return best;
}

static void switch_to(State *s, guint i, const char *tracker)
{
	g_autofree char *target = target_of(i);
	g_autoptr(GVariant) reply = NULL;
	GVariantDict d;

	g_variant_dict_init(&d, NULL);
	g_variant_dict_insert(&d, "tracker", "s", tracker);
	reply = call(s, "SetTracker", g_variant_new("(s@a{sv})", target, g_variant_dict_end(&d)),
		     FALSE);
}

/* The answer to a tick is as large after a hundred windows and a fragmented heat as before, and bounded for each VM. */
static void ticks_stay_small(void **state)
{
	State *s = *state;
	gsize list, stats, later;
	gint64 us;

	for (guint i = 0; i < MANY; i++)
		attach(s, i);
	us = time_of(s, "List", FALSE, MANY, &list);
	print_message("List of %u VMs: %.1f ms, %" G_GSIZE_FORMAT " KiB\n", MANY, (double)us / 1e3,
		      list >> 10);
	assert_true(us < ANSWER_MAX && list / MANY < 1024);
	us = time_of(s, "Stats", TRUE, MANY, &stats);
	print_message("Stats of %u VMs: %.1f ms, %" G_GSIZE_FORMAT " KiB\n", MANY, (double)us / 1e3,
		      stats >> 10);
	assert_true(us < ANSWER_MAX && stats / MANY < 4096);
	for (guint n = 0; n < 100; n++)
		switch_to(s, n % 3, n % 2 ? "abit" : "ept-walk");
	us = time_of(s, "Stats", TRUE, MANY, &later);
	print_message("Stats after 100 switches: %.1f ms, %" G_GSIZE_FORMAT " KiB\n",
		      (double)us / 1e3, later >> 10);
	assert_true(us < ANSWER_MAX && later < stats + MANY * 64);
}

static guint entries_of(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	guint n = 0;

	while (g_dir_read_name(dir))
		n++;
	return n;
}

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); /* gcc has no header for it */
#endif

static gsize allocated(void)
{
#ifdef __SANITIZE_ADDRESS__
	return __sanitizer_get_current_allocated_bytes();
#else
	return mallinfo2().uordblks;
#endif
}

typedef struct {
	guint descriptors, threads;
	gsize bytes;
} Held;

static Held held(void)
{
	/* The fake modules of sessions that ended keep their ends of the descriptors. */
	return (Held){ entries_of("/proc/self/fd") - g_hash_table_size(world.by_fd),
		       entries_of("/proc/self/task"), allocated() };
}

/*
 * VMs are attached, switched and detached again and again: after some rounds, in which what is bounded has filled (accounts of sessions
 * that ended, threads that wait for work), nothing grows. With LONG=1: 10 200 attaches and 102 000 switches.
 */
static void many_come_and_go(void **state)
{
	const guint rounds = g_getenv("LONG") ? 34 : 4, switches = g_getenv("LONG") ? 10 : 2;
	const char *const trackers[] = { "ept-walk", "off", "abit-flush", "dirty-log", "pml-abit" };
	Held first = { 0 }, last = { 0 };
	State *s = *state;

	for (guint round = 0; round < rounds; round++) {
		for (guint i = 0; i < MANY; i++) {
			attach(s, i);
			for (guint n = 0; n < switches; n++)
				switch_to(s, i, trackers[(round + i + n) % G_N_ELEMENTS(trackers)]);
		}
		for (guint i = 0; i < MANY; i++)
			detach(s, (i * 7 + round) % MANY);
		last = held();
		if (round == rounds / 2 - 1)
			first = last;
	}
	print_message(
		"%u VMs, %u attaches, %u switches: %u descriptors, then %u; %u threads, then %u; "
		"%" G_GSIZE_FORMAT " KiB allocated, then %" G_GSIZE_FORMAT "\n",
		MANY, rounds * MANY, rounds * MANY * switches, first.descriptors, last.descriptors,
		first.threads, last.threads, first.bytes >> 10, last.bytes >> 10);
	assert_true(last.descriptors <= first.descriptors + 2);
	assert_true(last.threads <= first.threads + 4);
	assert_true(last.bytes < first.bytes + first.bytes / 20 + (256 << 10));
}

/* --- large VMs ------------------------------------------------------------------------------------------------------------ */

static KxReport *report(State *s, guint i)
{
	g_autofree char *target = target_of(i);
	const char *const targets[] = { target, NULL };
	g_autoptr(GVariant) reply = call(s, "Report", g_variant_new("(^as)", targets), FALSE);
	g_autoptr(GError) error = NULL;
	const char *json;
	KxReport *r;

	g_variant_get(reply, "(&s)", &json);
	r = kx_report_from_json(json, &error);
	if (!r)
		fail_msg("%s", error->message);
	return r;
}

/* 1 TiB in leaves of 1 GiB, pass after pass: as much work as there are leaves, not pages. */
static void a_terabyte_of_huge_leaves(void **state)
{
	State *s = *state;
	const guint passes = 100;
	guint64 ns = 0;

	world.ram_pages = TIB;
	world.ring_bytes = 1 << 20;
	attach(s, 0);
	for (guint p = 0; p < passes; p++) {
		g_autoptr(KxReport) r = NULL;
		const KxWindow *w;

		begin_pass(world.last, 0);
		for (guint i = 0; i < 1024; i++) {
			struct kvm_ext_rec_run run = { .h = { KVM_EXT_REC_RUN, 0, sizeof(run) },
						       .pass = world.last->stats.passes + 1,
						       .gfn = (guint64)i << 18,
						       .npages = 1 << 18,
						       .leaf_order = 18 };

			put(world.last, &run, sizeof(run));
		}
		end_pass(world.last, 0);
		r = report(s, 0);
		w = ((KxVmReport *)r->vms->pdata[0])->windows->pdata[0];
		assert_int_equal(w->found_pages, TIB);
		ns = w->drain_cpu_ns;
	}
	print_message("1 TiB in 1 GiB leaves: %.2f ms of CPU a pass\n", (double)ns / passes / 1e6);
	/* a step for each page would be seconds a pass */
	assert_true(ns / passes < 200000000);
}

/* Pages here and there, each by itself, as bitmaps. */
static void find_scattered(Instance *i, guint records)
{
	struct {
		struct kvm_ext_rec_bitmap b;
		guint64 words[500];
	} rec = { 0 };

	begin_pass(i, 0);
	rec.b.h = (struct kvm_ext_record){ KVM_EXT_REC_BITMAP, 0, sizeof(rec) };
	rec.b.pass = i->stats.passes + 1;
	rec.b.nbits = G_N_ELEMENTS(rec.words) * 64;
	for (guint w = 0; w < G_N_ELEMENTS(rec.words); w++)
		rec.words[w] = 0x0000000100000001;
	for (guint n = 0; n < records; n++) {
		rec.b.gfn = (guint64)n << 15;
		put(i, &rec, sizeof(rec));
	}
	end_pass(i, 0);
}

static gboolean has_pages(State *s, guint i)
{
	g_autofree char *target = target_of(i);
	g_autoptr(GVariant) reply =
		call(s, "Found", g_variant_new("(st)", target, (guint64)1), TRUE);

	return reply != NULL;
}

/*
 * Sessions that ended keep an account, a picture of the heat and, as long as all of them together have the room, their pages:
 * the oldest forget first.
 */
static void what_ended_is_small(void **state)
{
	State *s = *state;
	const guint vms = 12, records = 2000; /* 8 MB of bitmaps each */
	g_autoptr(KxReport) r = NULL;
	const KxVmReport *v;

	world.ram_pages = TIB;
	world.ring_bytes = 16 << 20;
	for (guint i = 0; i < vms; i++) {
		attach(s, i);
		find_scattered(world.last, records);
		detach(s, i);
	}
	for (guint i = 0; i < vms; i++) {
		r = (kx_report_free(r), report(s, i));
		v = r->vms->pdata[0];
		assert_int_equal(((KxWindow *)v->windows->pdata[0])->found_pages,
				 (guint64)records * 500 * 2);
		assert_int_equal(v->heat->maps->len, 1);
		assert_true(((KxHeatMap *)v->heat->maps->pdata[0])->ranges->len <=
			    KX_SESSION_REPORT_RANGES);
	}
	assert_true(KX_MANAGER_ENDED_BYTES <= 64 * MIB);
	assert_false(has_pages(s, 0));
	assert_false(has_pages(s, 3));
	assert_true(has_pages(s, 6));
	assert_true(has_pages(s, vms - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ticks_stay_small),
		CASE(many_come_and_go),
		CASE(a_terabyte_of_huge_leaves),
		CASE(what_ended_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
