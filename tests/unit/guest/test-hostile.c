// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest that means ill: what fills its ring is the guest's to choose, and what a look at it costs is not. The tracker that
 * reads the channel, with the account's set of pages and the heat behind it, on a VM of 64 GiB and one of 1 TiB. Work is counted
 * in what reaches them; times are told, and bounded only where none could be that long on any machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <time.h>

#include "account/account.h"
#include "account/heat.h"
#include "fake-guest.h"
#include "tracker/tracker.h"

#define GIB ((guint64)1 << 18) /* pages */

typedef struct {
	guint8 *map;
	FakeGuest guest;
	struct kvm_ext_vm vm;
	KxChannel *channel;
	KxHeat *heat;
	KxGfnSet *found;
	KxTracker *tracker;
	/* what one look at the ring has found */
	guint64 runs, pages, passes;
} Rig;

static void on_begin(void *data, const struct kvm_ext_rec_pass_begin *r)
{
	kx_heat_sink.pass_begin(((Rig *)data)->heat, r);
}

static void on_run(void *data, const struct kvm_ext_rec_run *r)
{
	Rig *g = data;

	g->runs++;
	g->pages += r->npages;
	kx_gfnset_add(g->found, r->gfn, r->npages);
	kx_heat_sink.run(g->heat, r);
}

static void on_ranked(void *data, guint64 gfn, guint64 npages, guint64 accesses)
{
	kx_heat_sink.ranked(((Rig *)data)->heat, gfn, npages, accesses);
}

static void on_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	((Rig *)data)->passes++;
	kx_heat_sink.pass_end(((Rig *)data)->heat, r);
}

static const KxStreamOps sink = {
	.pass_begin = on_begin,
	.run = on_run,
	.ranked = on_ranked,
	.pass_end = on_end,
};

static guint64 cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (guint64)ts.tv_sec * 1000000000 + (guint64)ts.tv_nsec;
}

static void rig_open(Rig *g, guint64 pages)
{
	KxTrackerVm vm = { 0 };
	KxOptions o;

	*g = (Rig){ .vm = { .vcpus = 4, .ram_pages = pages, .last_gfn = pages - 1 } };
	g->map = g_malloc0(KVM_EXT_CHANNEL_SIZE);
	g->channel = kx_channel_new(g->map, KVM_EXT_CHANNEL_SIZE, 1, NULL);
	fake_guest_at(&g->guest, g->map);
	fake_guest_claims(&g->guest, 5);
	g->heat = kx_heat_new(pages - 1, 4);
	g->found = kx_gfnset_new(pages - 1);
	vm = (KxTrackerVm){ .vm = &g->vm, .heat = g->heat, .channel = g->channel };
	g->tracker = kx_tracker_open(&kx_tracker_guest, &vm, NULL);
	assert_non_null(g->tracker);
	kx_options_init(&o);
	assert_true(kx_options_set(&o, "tracker", "guest-abit", NULL));
	assert_true(g->tracker->ops->start(g->tracker, &o, NULL));
	fake_guest_beats(&g->guest, 1000);
	assert_int_equal(g->guest.status->state, KVM_EXT_GUEST_RUNNING);
	kx_heat_open(g->heat, g->guest.status->epoch, &o, NULL);
	assert_true(g->tracker->ops->drain(g->tracker, &sink, g, NULL));
}

static void rig_close(Rig *g)
{
	kx_tracker_free(g->tracker);
	kx_heat_free(g->heat);
	kx_gfnset_free(g->found);
	kx_channel_free(g->channel);
	g_free(g->map);
}

typedef struct kvm_ext_channel_span (*SpanFn)(guint64 i, guint64 pages);

static struct kvm_ext_channel_span whole_vm(guint64 i, guint64 pages)
{
	return (struct kvm_ext_channel_span){ 0, pages };
}

/* Each span is a little shorter than the one before, so that no two spans are equal. */
static struct kvm_ext_channel_span shrinking(guint64 i, guint64 pages)
{
	return (struct kvm_ext_channel_span){ i, pages - 2 * i };
}

static struct kvm_ext_channel_span beyond_all_memory(guint64 i, guint64 pages)
{
	return (struct kvm_ext_channel_span){ (guint64)1 << 39, (guint64)1 << 39 };
}

/* Single scattered pages, in no order. */
static struct kvm_ext_channel_span scattered(guint64 i, guint64 pages)
{
	return (struct kvm_ext_channel_span){ i * 0x9e3779b97f4a7c15 % pages, 1 };
}

/* Large spans that are never aligned to the chunks of a set of pages. */
static struct kvm_ext_channel_span awkward(guint64 i, guint64 pages)
{
	guint64 n = MIN(32767, pages / 4096 - 1);

	return (struct kvm_ext_channel_span){ i * 0x9e3779b97f4a7c15 % (pages - n), n };
}

/* Fills the ring with spans, in records of the maximum length. Returns the number of spans. */
static guint64 fill_ring(Rig *g, SpanFn fn)
{
	const guint32 nr = (KVM_EXT_CHANNEL_REC_MAX - sizeof(struct kvm_ext_channel_pages)) /
			   sizeof(struct kvm_ext_channel_span);
	guint32 size =
		sizeof(struct kvm_ext_channel_pages) + nr * sizeof(struct kvm_ext_channel_span);
	g_autofree struct kvm_ext_channel_pages *r = g_malloc0(KVM_EXT_CHANNEL_REC_MAX);
	guint64 n = 0, room = KVM_EXT_CHANNEL_RING_SIZE;

	r->h = (struct kvm_ext_channel_record){ KVM_EXT_CHANNEL_PAGES, 0, size };
	r->epoch = g->guest.status->epoch;
	r->pid = 1;
	r->start = 0x1000;
	r->nr = nr;
	for (; room >= 2 * size; room -= size) {
		for (guint32 i = 0; i < nr; i++)
			r->span[i] = fn(n++, g->vm.ram_pages);
		fake_guest_puts(&g->guest, r, size);
	}
	return n;
}

/* One look at a full ring, the end of its pass included. Returns its CPU time. */
static guint64 look(Rig *g, SpanFn fn, guint64 *spans)
{
	struct kvm_ext_channel_account *a = &g->guest.status->account;
	guint64 start;

	*spans = fill_ring(g, fn);
	a->samples++;
	a->epochs++;
	fake_guest_beats(&g->guest, 2000);
	g->runs = g->pages = g->passes = 0;
	start = cpu_ns();
	assert_true(g->tracker->ops->drain(g->tracker, &sink, g, NULL));
	return cpu_ns() - start;
}

static const struct {
	const char *name;
	SpanFn fn;
	gboolean some; /* of its pages are taken */
} attacks[] = {
	{ "whole VM", whole_vm, FALSE },
	{ "shrinking", shrinking, FALSE },
	{ "beyond all memory", beyond_all_memory, FALSE },
	{ "scattered pages", scattered, TRUE },
	{ "awkward", awkward, TRUE },
};

/* The sanitizers make it several times slower; a look without a bound would take minutes. */
#define LOOK_MAX_NS 2000000000

static void a_look_is_bounded(void **state)
{
	static const guint64 sizes[] = { 64 * GIB, 1024 * GIB };

	for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
		for (guint i = 0; i < G_N_ELEMENTS(attacks); i++) {
			guint64 spans, worst = 0;
			Rig g;

			rig_open(&g, sizes[s]);
			for (guint n = 0; n < 3; n++) {
				guint64 ns = look(&g, attacks[i].fn, &spans);

				worst = MAX(worst, ns);
				assert_true(g.pages <= 4 * sizes[s]);
				assert_true(g.runs <= spans);
				assert_int_equal(g.runs > 0, attacks[i].some);
				assert_int_equal(g.passes, 1);
			}
			print_message("%5" G_GUINT64_FORMAT " GiB, %s: %" G_GUINT64_FORMAT
				      " spans, %.1f ms CPU at worst\n",
				      sizes[s] / GIB, attacks[i].name, spans, (double)worst / 1e6);
			assert_true(worst < LOOK_MAX_NS);
			rig_close(&g);
		}
	}
}

/* Spans that were left out are counted, and valid data that the guest sends later is used again. */
static void what_is_left_out_is_counted(void **state)
{
	struct kvm_ext_channel_range range = { 0x1000, 4 << 12, 64, 3, 0 };
	const KxGuestView *view;
	guint64 spans;
	Rig g;

	rig_open(&g, 64 * GIB);
	look(&g, whole_vm, &spans);
	view = g.tracker->ops->guest(g.tracker);
	assert_int_equal(view->bad_records,
			 KVM_EXT_CHANNEL_RING_SIZE / KVM_EXT_CHANNEL_REC_MAX - 1);
	fake_guest_puts_range(&g.guest, 2, 1, "db", range);
	fake_guest_puts_pages(&g.guest, 2, 1, 0x1000, 0x200, 4);
	g.guest.status->account.epochs++;
	fake_guest_beats(&g.guest, 3000);
	g.pages = 0;
	assert_true(g.tracker->ops->drain(g.tracker, &sink, &g, NULL));
	assert_int_equal(g.pages, 4);
	assert_int_equal(view->bad_records,
			 KVM_EXT_CHANNEL_RING_SIZE / KVM_EXT_CHANNEL_REC_MAX - 1);
	assert_int_equal(kx_gfnset_count(g.found), 4);
	rig_close(&g);
}

/* CPU time that no machine has: passes begin in their order, and in this tracker's time. */
static void false_times_move_no_pass(void **state)
{
	struct kvm_ext_stats before, st;
	Rig g;

	rig_open(&g, GIB);
	assert_true(g.tracker->ops->stats(g.tracker, &before, NULL));
	assert_int_equal(before.passes, 0);
	for (guint64 i = 1; i <= 3; i++) {
		struct kvm_ext_channel_account *a = &g.guest.status->account;

		/* nothing first, so that the later passes would begin before the first */
		a->drain_ns = a->report_ns = a->scan_ns = i == 1 ? 0 : i << 50;
		a->epochs++;
		fake_guest_beats(&g.guest, 1000 + i);
		assert_true(g.tracker->ops->drain(g.tracker, &sink, &g, NULL));
		assert_true(g.tracker->ops->stats(g.tracker, &st, NULL));
		assert_int_equal(st.passes, i);
		assert_true(before.start_ns <= st.first_start_ns);
		assert_true(st.first_start_ns <= st.last_start_ns);
		assert_true(st.last_start_ns <= st.now_ns);
	}
	rig_close(&g);
}

/* Memory that was plugged into the VM after the tracker began counts as well. */
static void memory_that_comes_later_counts(void **state)
{
	struct kvm_ext_channel_range range = { 0x1000, 4 << 12, 64, 3, 0 };
	g_autoptr(KxHeatReport) before = NULL;
	Rig g;

	rig_open(&g, GIB);
	for (guint i = 0; i < 2; i++) {
		fake_guest_puts_range(&g.guest, i, 1, "db", range);
		fake_guest_puts_pages(&g.guest, i, 1, 0x1000, GIB - 2, 6);
		g.guest.status->account.epochs++;
		fake_guest_beats(&g.guest, 3000 + i);
		g.pages = 0;
		assert_true(g.tracker->ops->drain(g.tracker, &sink, &g, NULL));
		assert_int_equal(g.pages, i ? 6 : 2);
		if (!i)
			before = kx_heat_report(g.heat, 0, GIB);
		g.vm.last_gfn = 2 * GIB - 1;
	}
	assert_int_equal(((KxHeatMap *)before->maps->pdata[0])->outside, 1);
	rig_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_look_is_bounded),
		cmocka_unit_test(what_is_left_out_is_counted),
		cmocka_unit_test(false_times_move_no_pass),
		cmocka_unit_test(memory_that_comes_later_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
