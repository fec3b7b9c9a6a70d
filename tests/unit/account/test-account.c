// SPDX-License-Identifier: GPL-2.0-or-later
/* The account fed with records, statistics and counters made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "account/account.h"
#include "base/error.h"
#include "vm/procstat.h"

static KxVmCounters *counters(guint64 exits, guint64 flushes, guint64 run, guint64 wait)
{
	KxVmCounters *c = g_new0(KxVmCounters, 1);
	KxVcpuTime t = { 5, run, wait };

	c->kvm = (KxKvmStat){ exits, flushes };
	c->source = "module";
	c->vcpus = g_array_new(FALSE, FALSE, sizeof(KxVcpuTime));
	g_array_append_val(c->vcpus, t);
	return c;
}

static KxInstant at(guint64 ns)
{
	return (KxInstant){ (gint64)(1000000 + ns), ns };
}

static guint64 open_setting(KxAccount *a, KxSetting setting, guint64 now)
{
	g_autoptr(KxVmCounters) c = counters(100 + now, 10 + now, 1000 + now, 50 + now);

	setting.options = "interval=1s";
	setting.last_gfn = 1 << 20;
	return kx_account_open(a, &setting, c, at(now));
}

static guint64 open_window(KxAccount *a, guint64 epoch, guint64 now)
{
	return open_setting(a, (KxSetting){ .tracker = "abit", .epoch = epoch }, now);
}

static guint64 open_with(KxAccount *a, guint parts, guint64 epoch, guint64 now)
{
	return open_setting(
		a, (KxSetting){ .tracker = "dirty-log", .epoch = epoch, .parts = parts }, now);
}

static guint64 open_log_window(KxAccount *a, guint64 epoch, guint64 now)
{
	return open_with(a, KX_PART_BIT(LOG), epoch, now);
}

static void close_window(KxAccount *a, guint64 id, const struct kvm_ext_stats *st, guint64 now)
{
	g_autoptr(KxVmCounters) c = counters(100 + now, 10 + now, 1000 + now, 50 + now);

	kx_account_close(a, id, st, c, at(now));
}

static void begin(KxAccount *a, guint64 epoch, guint64 pass)
{
	struct kvm_ext_rec_pass_begin r = { .epoch = epoch, .pass = pass };

	r.h.flags = pass ? 0 : KVM_EXT_PASS_PRIME;
	kx_account_sink.pass_begin(a, &r);
}

static void run(KxAccount *a, guint64 pass, guint64 gfn, guint64 n)
{
	struct kvm_ext_rec_run r = { .pass = pass, .gfn = gfn, .npages = n };

	kx_account_sink.run(a, &r);
}

static void end(KxAccount *a, guint64 pass, guint64 cpu, guint64 samples, guint16 flags)
{
	struct kvm_ext_rec_pass_end r = {
		.h.flags = flags,
		.pass = pass,
		.cpu_ns = cpu,
		.samples = samples,
		.wall_ns = 2 * cpu,
		.time_ns = 1000 * pass,
	};

	kx_account_sink.pass_end(a, &r);
}

static GPtrArray *windows(KxAccount *a, const struct kvm_ext_stats *st, guint64 now)
{
	GPtrArray *w = g_ptr_array_new_with_free_func((GDestroyNotify)kx_window_free);
	g_autoptr(KxVmCounters) c = counters(100 + now, 10 + now, 1000 + now, 50 + now);

	kx_account_windows(a, w, st, c, at(now));
	return w;
}

static void sums_passes(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 id = open_window(a, 1, 0);
	struct kvm_ext_stats st = { .passes = 2, .samples = 30, .cpu_ns = 900 };
	g_autoptr(GPtrArray) list = NULL;
	g_autoptr(GArray) found = NULL;
	const KxWindow *w;

	begin(a, 1, 0);
	run(a, 0, 7777, 5); /* found by the priming pass, which does not count */
	end(a, 0, 500, 5, KVM_EXT_PASS_PRIME);
	begin(a, 1, 1);
	run(a, 1, 10, 10);
	end(a, 1, 100, 10, 0);
	begin(a, 1, 2);
	run(a, 2, 15, 20);
	end(a, 2, 300, 20, 0);
	begin(a, 1, 3);
	run(a, 3, 100, 1);
	end(a, 3, 50, 1, KVM_EXT_PASS_CUT);

	list = windows(a, &st, 5000);
	assert_int_equal(list->len, 1);
	w = list->pdata[0];
	assert_true(w->open && w->has_stats);
	assert_int_equal(w->pass_costs.sums.n, 2);
	assert_true(w->pass_costs.sums.y == 400 && w->pass_costs.sums.x == 30 &&
		    w->pass_costs.sums.y2 == 100000 && w->pass_costs.sums.x2 == 500 &&
		    w->pass_costs.sums.xy == 7000);
	assert_int_equal(w->found_pages, 26);
	assert_int_equal(w->duration_ns, 5000);
	assert_int_equal(w->exits, 5000);
	assert_int_equal(w->remote_tlb_flushes, 5000);
	assert_int_equal(w->vcpu_run_ns, 5000);
	assert_int_equal(w->vcpu_steal_ns, 5000);
	assert_null(w->exits_na);
	assert_string_equal(w->exits_source, "module");

	found = kx_account_found(a, id, NULL);
	assert_int_equal(found->len, 2);
	assert_int_equal(g_array_index(found, KxRun, 0).npages, 25);
}

/* The time of priming, and the time after the last pass has begun, are not covered: no pass finds their accesses. */
static void covers_from_priming_to_the_last_pass(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	const struct kvm_ext_rec_pass_end primed = { .h.flags = KVM_EXT_PASS_PRIME,
						     .time_ns = 1500 };
	struct kvm_ext_stats st = { .passes = 2, .first_start_ns = 2000, .last_start_ns = 4000 };
	g_autoptr(GPtrArray) before = NULL, after = NULL;
	const KxWindow *w;

	open_window(a, 1, 1000);
	before = windows(a, &(struct kvm_ext_stats){ 0 }, 1400);
	w = before->pdata[0];
	assert_true(!w->covered_start_realtime_ns && !w->covered_end_realtime_ns);
	begin(a, 1, 0);
	kx_account_sink.pass_end(a, &primed);
	after = windows(a, &st, 5000);
	w = after->pdata[0];
	assert_int_equal(w->covered_start_realtime_ns, w->start_realtime_ns + 500);
	assert_int_equal(w->covered_end_realtime_ns, w->start_realtime_ns + 3000);
}

/* If the record of the priming pass was lost, the covered time begins with the first pass. */
static void covers_from_the_first_pass(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	struct kvm_ext_stats st = { .passes = 1, .first_start_ns = 2000, .last_start_ns = 2000 };
	g_autoptr(GPtrArray) list = NULL;
	const KxWindow *w;

	open_window(a, 1, 1000);
	list = windows(a, &st, 5000);
	w = list->pdata[0];
	assert_int_equal(w->covered_start_realtime_ns, w->start_realtime_ns + 1000);
	assert_int_equal(w->covered_end_realtime_ns, w->start_realtime_ns + 1000);
}

/* Only passes that end between the reading of the statistics and the switch are added from their records. */
static void adds_passes_after_the_mark(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 id = open_window(a, 1, 0);
	struct kvm_ext_stats st = { .passes = 2,
				    .samples = 30,
				    .cpu_ns = 900,
				    .pass_ns_sum = 600,
				    .pass_ns_min = 200,
				    .pass_ns_max = 400,
				    .first_start_ns = 1,
				    .last_start_ns = 2 };
	g_autoptr(GPtrArray) list = NULL;
	const KxWindow *w;

	kx_account_mark(a, id, &st);
	begin(a, 1, 2);
	end(a, 2, 300, 20, 0); /* already in the statistics */
	begin(a, 1, 3);
	run(a, 3, 1, 5);
	end(a, 3, 50, 5, 0);
	close_window(a, id, NULL, 1000);
	list = windows(a, NULL, 9999);
	w = list->pdata[0];
	assert_false(w->open);
	assert_int_equal(w->passes, 3);
	assert_int_equal(w->samples, 35);
	assert_int_equal(w->cpu_ns, 950);
	assert_int_equal(w->pass_ns_sum, 700);
	assert_int_equal(w->pass_ns_min, 100);
	assert_int_equal(w->pass_ns_max, 400);
	assert_int_equal(w->last_start_ns, 3000 - 100);
	assert_int_equal(w->duration_ns, 1000);
}

/* At a switch old records are still in the ring when the new window is open. */
static void sorts_records_by_epoch(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 one = open_window(a, 1, 0), two = open_window(a, 2, 100);
	g_autoptr(GArray) f1 = NULL, f2 = NULL;

	begin(a, 1, 4);
	run(a, 4, 10, 1);
	end(a, 4, 1, 1, KVM_EXT_PASS_CUT);
	begin(a, 2, 0);
	end(a, 0, 1, 0, KVM_EXT_PASS_PRIME);
	begin(a, 2, 1);
	run(a, 1, 20, 1);
	close_window(a, one, NULL, 100);
	run(a, 1, 30, 1);
	end(a, 1, 1, 2, 0);
	begin(a, 1, 5); /* of the closed window: it belongs to no window */
	run(a, 5, 40, 1);
	f1 = kx_account_found(a, one, NULL);
	f2 = kx_account_found(a, two, NULL);
	assert_int_equal(f1->len, 1);
	assert_int_equal(f2->len, 2);
	assert_int_equal(g_array_index(f2, KxRun, 1).gfn, 30);
	assert_int_equal(kx_account_stray(a), 1);
}

/* A lost PASS_BEGIN: with one open window it is known to which window the pass belongs, with two it is not. */
static void does_not_guess_after_losses(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 one = open_window(a, 1, 0), two;
	g_autoptr(GArray) f1 = NULL, f2 = NULL;

	run(a, 6, 10, 1);
	end(a, 6, 1, 1, 0);
	two = open_window(a, 2, 10);
	run(a, 7, 20, 1);
	end(a, 7, 1, 1, 0);
	f1 = kx_account_found(a, one, NULL);
	f2 = kx_account_found(a, two, NULL);
	assert_int_equal(f1->len, 1);
	assert_int_equal(f2->len, 0);
	assert_int_equal(kx_account_stray(a), 1);
}

static void says_what_is_missing(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 id = open_window(a, 1, 0);
	g_autoptr(KxVmCounters) gone = kx_vm_counters_unavailable("the VM ended");
	g_autoptr(GPtrArray) list = NULL;
	const KxWindow *w;

	kx_account_close(a, id, NULL, gone, at(10));
	list = windows(a, NULL, 20);
	w = list->pdata[0];
	assert_false(w->has_stats);
	assert_string_equal(w->exits_na, "the VM ended");
	assert_string_equal(w->vcpu_run_na, "the VM ended");
	assert_string_equal(w->vcpu_steal_na, "the VM ended");
	assert_string_equal(w->remote_tlb_flushes_na, "the VM ended");
	assert_null(w->exits_source);
}

static void stays_bounded(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	g_autoptr(GPtrArray) list = NULL;
	g_autoptr(GError) error = NULL;
	guint64 id = 0, i;

	for (i = 1; i <= KX_ACCOUNT_WINDOWS_MAX + 10; i++) {
		if (id)
			close_window(a, id, NULL, i);
		id = open_window(a, i, i);
	}
	list = windows(a, NULL, i);
	assert_int_equal(list->len, KX_ACCOUNT_WINDOWS_MAX);
	assert_int_equal(((KxWindow *)list->pdata[0])->id, 11);
	assert_null(kx_account_found(a, 3, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_INVALID_OPTION));
}

/* The smaller of two forms is kept: runs if the pages are few and scattered, otherwise a bitmap. */
static void keeps_found_pages_small(void **state)
{
	static const struct {
		guint64 apart, bytes;
	} cases[] = { { 2, 64 * 4096 }, { 64, 64 * 4096 }, { 1024, 64 * 32 * 16 } };

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(KxAccount) a = kx_account_new();
		guint64 id = open_window(a, 1, 0), empty;
		g_autoptr(GArray) found = NULL, none = NULL;

		empty = kx_account_bytes(a);
		begin(a, 1, 1);
		for (guint64 g = 0; g < 64ull << 15; g += cases[i].apart)
			run(a, 1, g, 1);
		end(a, 1, 1, 1, 0);
		close_window(a, id, NULL, 1);
		assert_true(kx_account_bytes(a) - empty <= cases[i].bytes * 11 / 10);
		found = kx_account_found(a, id, NULL);
		assert_int_equal(found->len, (64u << 15) / cases[i].apart);
		kx_account_forget_found(a);
		assert_true(kx_account_bytes(a) <= empty);
		none = kx_account_found(a, id, NULL);
		assert_null(none);
	}
}

static void forgets_the_oldest_pages_first(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 ids[6], i, g;

	for (i = 0; i < 6; i++) {
		ids[i] = open_window(a, i + 1, i);
		kx_account_grow(a, 1000000 * 256ull);
		begin(a, i + 1, 1);
		for (g = 0; g < 1000000; g++)
			run(a, 1, g * 256, 1);
		end(a, 1, 1, 1, 0);
		close_window(a, ids[i], NULL, i + 1);
	}
	for (i = 0; i < 6; i++) {
		g_autoptr(GArray) f = kx_account_found(a, ids[i], NULL);

		assert_int_equal(f != NULL, i >= 2);
	}
}

static void keeps_drain_cost_with_the_open_window(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 id = open_window(a, 1, 0);
	g_autoptr(GPtrArray) list = NULL;

	kx_account_add_drain(a, 70);
	close_window(a, id, NULL, 1);
	kx_account_add_drain(a, 5);
	list = windows(a, NULL, 2);
	assert_int_equal(((KxWindow *)list->pdata[0])->drain_cpu_ns, 70);
}

/* After a switch both windows are open, and the ring has records of both: each window gets the cost of its own records. */
static void shares_drain_cost_by_records(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 one = open_window(a, 1, 0), two = open_window(a, 2, 100);
	struct kvm_ext_rec_pass_begin begins[] = { { .h.size = 40, .epoch = 1, .pass = 4 },
						   { .h.size = 40, .epoch = 2, .pass = 1 } };
	struct kvm_ext_rec_run runs[] = {
		{ .h.size = 260, .pass = 4, .npages = 1 },
		{ .h.size = 60, .pass = 1, .gfn = 8, .npages = 1 },
	};
	g_autoptr(GPtrArray) list = NULL;

	for (guint i = 0; i < 2; i++) {
		kx_account_sink.pass_begin(a, &begins[i]);
		kx_account_sink.run(a, &runs[i]);
	}
	kx_account_add_drain(a, 1000);
	kx_account_add_drain(a, 7); /* no records were drained: the newest window gets it */
	close_window(a, one, NULL, 100);
	close_window(a, two, NULL, 200);
	list = windows(a, NULL, 300);
	assert_int_equal(((KxWindow *)list->pdata[0])->drain_cpu_ns, 750);
	assert_int_equal(((KxWindow *)list->pdata[1])->drain_cpu_ns, 257);
}

static struct kvm_ext_stats log_stats(guint64 epoch, guint64 now)
{
	return (struct kvm_ext_stats){
		.epoch = epoch,
		.tracker = KVM_EXT_TRACKER_DIRTY_LOG,
		.now_ns = now,
		.sample_pages = 40,
		.log = { .mechanism = KVM_EXT_LOG_PML,
			 .mode = KVM_EXT_LOG_MODE_ALL_SET,
			 .pages = 1000,
			 .vmm_pages = 16,
			 .other_pages = 2,
			 .enable_ns = 11,
			 .enable_pages = 12,
			 .arm_ns = 13,
			 .arm_pages = 14,
			 .harvest_ns = 15,
			 .harvest_pages = 16,
			 .clear_ns = 17,
			 .clear_pages = 18,
			 .clears = 19,
			 .pml_full_exits = 20,
			 .candidates = 21,
			 .yields = 22,
			 .resumes = 23,
			 .errors = 24,
			 .last_errno = 25 },
	};
}

/* The tracker's row decides which parts a window has, not the statistics; without statistics the window has none of them. */
static void takes_only_its_own_parts(void **state)
{
	const struct kvm_ext_stats st = log_stats(1, 50);
	const guint parts[] = { 0, KX_PART_BIT(LOG), KX_PART_BIT(WALK) | KX_PART_BIT(TRAP) };

	for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autoptr(KxAccount) a = kx_account_new();
		g_autoptr(GPtrArray) with = NULL, without = NULL;
		const KxWindow *w;

		open_with(a, parts[i], 1, 0);
		with = windows(a, &st, 60);
		w = with->pdata[0];
		assert_int_equal(w->has_log, (parts[i] & KX_PART_BIT(LOG)) != 0);
		assert_int_equal(w->has_walk, (parts[i] & KX_PART_BIT(WALK)) != 0);
		assert_int_equal(w->has_trap, w->has_walk);
		assert_int_equal(w->log_pages, w->has_log ? 1000 : 0);
		assert_true(w->has_stats && !w->has_guest && !w->has_regions);
		without = windows(a, NULL, 70);
		w = without->pdata[0];
		assert_false(w->has_stats || w->has_log || w->has_walk || w->has_trap);
	}
}

/* The next tracker's statistics contain the cost of stopping this one; it is booked on the stopped tracker's window. */
static void joins_disable_to_its_window(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 one = open_log_window(a, 1, 0), two;
	struct kvm_ext_stats first = log_stats(1, 50), second = log_stats(2, 150);
	struct kvm_ext_stats off = { .epoch = 3, .now_ns = 250 };
	g_autoptr(GPtrArray) during = NULL, between = NULL, after = NULL;
	const KxWindow *w;

	kx_account_saw(a, &first);
	during = windows(a, &first, 60);
	w = during->pdata[0];
	assert_true(w->has_log);
	assert_string_equal(w->log_mechanism, "pml");
	assert_string_equal(w->log_mode, "initially-all-set");
	assert_int_equal(w->log_pages, 1000);
	assert_int_equal(w->log_vmm_pages, 16);
	assert_int_equal(w->log_other_pages, 2);
	assert_int_equal(w->log_enable_ns, 11);
	assert_int_equal(w->log_arm_pages, 14);
	assert_int_equal(w->log_harvest_ns, 15);
	assert_int_equal(w->log_dirty_pages, 40);
	assert_int_equal(w->log_clears, 19);
	assert_int_equal(w->pml_full_exits, 20);
	assert_int_equal(w->log_yields, 22);
	assert_non_null(strstr(w->log_disable_na, "still runs"));

	kx_account_mark(a, one, &first);
	second.log.disable_ns = 7000;
	second.log.disable_pages = 70;
	kx_account_saw(a, &second);
	two = open_log_window(a, 2, 100);
	close_window(a, one, NULL, 100);
	between = windows(a, &second, 160);
	w = between->pdata[0];
	assert_null(w->log_disable_na);
	assert_int_equal(w->log_disable_ns, 7000);
	assert_int_equal(w->log_disable_pages, 70);
	assert_non_null(((const KxWindow *)between->pdata[1])->log_disable_na);

	/* also if the next statistics are read late; and a later reading changes nothing */
	close_window(a, two, &second, 200);
	off.log.disable_ns = 9;
	off.log.disable_pages = 3;
	kx_account_saw(a, &off);
	off.log.disable_ns = 10;
	kx_account_saw(a, &off);
	after = windows(a, NULL, 300);
	w = after->pdata[1];
	assert_null(w->log_disable_na);
	assert_int_equal(w->log_disable_ns, 9);
	assert_int_equal(((const KxWindow *)after->pdata[0])->log_disable_ns, 7000);
}

static void says_that_no_disable_was_reported(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 id = open_log_window(a, 1, 0);
	struct kvm_ext_stats st = log_stats(1, 50);
	g_autoptr(GPtrArray) list = NULL;

	kx_account_saw(a, &st);
	close_window(a, id, &st, 100);
	list = windows(a, NULL, 200);
	assert_non_null(strstr(((KxWindow *)list->pdata[0])->log_disable_na, "VM ended"));
}

static guint64 yielded_ns(KxAccount *a, const struct kvm_ext_stats *st, guint64 now)
{
	g_autoptr(GPtrArray) list = windows(a, st, now);

	return ((KxWindow *)list->pdata[0])->log_yielded_ns;
}

static void measures_yielded_time(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 id = open_log_window(a, 1, 0);
	struct kvm_ext_stats st = log_stats(1, 100);
	g_autoptr(GPtrArray) list = NULL;

	kx_account_saw(a, &st);
	assert_int_equal(yielded_ns(a, &st, 110), 0);
	/* noticed at 300, but the module reports that it happened at 250 */
	st.state = KVM_EXT_STATE_YIELDED;
	st.now_ns = 300;
	st.log.last_yield_ns = 250;
	st.log.yielded_passes = 5;
	kx_account_saw(a, &st);
	kx_account_yielded_to(a, id, "migration");
	assert_int_equal(yielded_ns(a, &st, 400), 150);
	st.state = 0;
	st.now_ns = 600;
	st.log.last_resume_ns = 550;
	kx_account_saw(a, &st);
	assert_int_equal(yielded_ns(a, &st, 700), 300);
	/* a short yield between two readings: only the passes that were due in it show it */
	st.now_ns = 900;
	st.log.last_yield_ns = 800;
	st.log.last_resume_ns = 810;
	st.log.yielded_passes = 6;
	kx_account_saw(a, &st);
	assert_int_equal(yielded_ns(a, &st, 950), 310);
	/* memslots were yielded and taken back while no pass was due: nothing was missed */
	st.now_ns = 1000;
	st.log.last_yield_ns = 960;
	st.log.last_resume_ns = 961;
	kx_account_saw(a, &st);
	assert_int_equal(yielded_ns(a, &st, 1100), 310);
	close_window(a, id, &st, 1200);
	list = windows(a, NULL, 9999);
	assert_int_equal(((KxWindow *)list->pdata[0])->log_yielded_ns, 310);
	assert_string_equal(((KxWindow *)list->pdata[0])->log_yielded_to, "migration");
}

/* The tracker is set while the VMM has the log; reported times that lie outside the window are not used. */
static void yielded_from_the_start(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	struct kvm_ext_stats st = log_stats(1, 150);

	open_log_window(a, 1, 100);
	st.start_ns = 100;
	st.state = KVM_EXT_STATE_YIELDED;
	st.log.last_yield_ns = 0;
	kx_account_saw(a, &st);
	assert_int_equal(yielded_ns(a, &st, 200), 100);
	st.state = 0;
	st.now_ns = 300;
	st.log.last_resume_ns = 99999;
	kx_account_saw(a, &st);
	assert_int_equal(yielded_ns(a, &st, 400), 200);
}

static void yielded_passes_do_not_count(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 id = open_log_window(a, 1, 0);
	struct kvm_ext_stats st = log_stats(1, 100);
	g_autoptr(GPtrArray) list = NULL;
	const KxWindow *w;
	guint64 pass;

	for (pass = 1; pass <= 3; pass++) {
		begin(a, 1, pass);
		end(a, pass, 100, 10, pass == 2 ? KVM_EXT_PASS_YIELDED : 0);
	}
	assert_int_equal(kx_account_yielded_passes(a), 1);
	begin(a, 1, 4);
	end(a, 4, 100, 10, KVM_EXT_PASS_CUT); /* failed, but used a number */
	/* passes 1 and 3 are in the statistics; pass 2 yielded there as well */
	st.passes = 2;
	st.samples = 20;
	st.cpu_ns = 200;
	st.log.yielded_passes = 1;
	kx_account_mark(a, id, &st);
	begin(a, 1, 5);
	end(a, 5, 1000, 7, KVM_EXT_PASS_YIELDED);
	begin(a, 1, 6);
	end(a, 6, 100, 10, 0);
	close_window(a, id, NULL, 1000);
	list = windows(a, NULL, 2000);
	w = list->pdata[0];
	assert_int_equal(w->pass_costs.sums.n, 3);
	assert_true(w->pass_costs.sums.x == 30);
	assert_int_equal(w->passes, 3);
	assert_int_equal(w->samples, 30);
	assert_int_equal(w->cpu_ns, 300);
}

/* --- what only some trackers have --- */

/* Pairs are 1 and 2, 3 and 4, …, in either order; a pair with a pass cut, missing or of the wrong kind is dropped. */
static void pairs_passes(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	static const struct {
		guint64 pass, samples;
		guint16 flags;
	} ends[] = {
		{ 1, 80, 0 },
		{ 2, 100, KVM_EXT_PASS_CONTROL },
		{ 3, 110, KVM_EXT_PASS_CONTROL },
		{ 4, 90, 0 },
		{ 5, 1000, 0 }, /* its control is cut */
		{ 6, 1000, KVM_EXT_PASS_CONTROL | KVM_EXT_PASS_CUT },
		{ 7, 1000, 0 },			    /* 8 and 9 are lost */
		{ 10, 1000, KVM_EXT_PASS_CONTROL }, /* so this one has no partner either */
		{ 15, 1000, 0 },		    /* 11 to 14 are lost */
		{ 16, 1000, 0 },		    /* not after a control */
		{ 17, 50, 0 },
		{ 18, 60, KVM_EXT_PASS_CONTROL },
		{ 19, 1000, 0 }, /* the window ends first */
	};
	const struct kvm_ext_stats st = { .passes = 12, .staleness = { 1, 2, 3, 4 } };
	g_autoptr(GPtrArray) list = NULL;
	const KxWindow *w;

	open_setting(a, (KxSetting){ .tracker = "abit", .epoch = 1, .parts = KX_PART_BIT(MISSED) },
		     0);
	begin(a, 1, 0);
	end(a, 0, 1, 77, KVM_EXT_PASS_PRIME);
	for (guint i = 0; i < G_N_ELEMENTS(ends); i++) {
		begin(a, 1, ends[i].pass);
		end(a, ends[i].pass, 1, ends[i].samples, ends[i].flags);
	}
	list = windows(a, &st, 100);
	w = list->pdata[0];
	assert_true(w->has_staleness);
	assert_int_equal(w->stale_pairs, 3);
	assert_true(w->stale_p == 80 + 90 + 50 && w->stale_k == 100 + 110 + 60);
	assert_true(w->stale_p2 == 6400 + 8100 + 2500 && w->stale_k2 == 10000 + 12100 + 3600);
	assert_true(w->stale_cross == 8000 + 9900 + 3000);
	/* 5+6, 7+8, 9+10, 11+12, 13+14, 15+16 */
	assert_int_equal(w->stale_dropped, 6);
	assert_int_equal(w->stale_control_samples, 4);
}

static void no_pairs_without_staleness(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	g_autoptr(GPtrArray) list = NULL;

	open_window(a, 1, 0);
	begin(a, 1, 3);
	end(a, 3, 1, 5, 0);
	list = windows(a, NULL, 100);
	assert_false(((KxWindow *)list->pdata[0])->has_staleness);
	assert_int_equal(((KxWindow *)list->pdata[0])->stale_dropped, 0);
}

static void give_regions(KxAccount *a, guint64 pass, guint64 aggregation, guint32 first, guint32 nr,
			 guint32 total)
{
	g_autofree struct kvm_ext_region *g = g_new0(struct kvm_ext_region, nr + 1);
	const struct kvm_ext_rec_regions r = { .pass = pass,
					       .aggregation = aggregation,
					       .checks = 20,
					       .first = first,
					       .total = total,
					       .nr = nr };

	for (guint32 i = 0; i < nr; i++)
		g[i] = (struct kvm_ext_region){ .gfn = 10ull * (first + i),
						.npages = 10,
						.accesses = (first + i) % 21,
						.age = (guint32)aggregation };
	kx_account_sink.regions(a, &r, g);
}

static const KxSetting with_regions = {
	.tracker = "abit", .epoch = 1, .parts = KX_PART_BIT(REGIONS), .regions_max = 100
};

static void keeps_the_last_aggregation(void **state)
{
	const struct kvm_ext_stats st = { .passes = 9, .regions = { 3, 2, 70, 8, 5, 4 } };
	g_autoptr(KxAccount) a = kx_account_new();
	g_autoptr(GPtrArray) none = NULL, list = NULL, after = NULL;
	guint64 id = open_setting(a, with_regions, 0);
	const KxWindow *w;

	none = windows(a, &st, 10);
	assert_null(((KxWindow *)none->pdata[0])->regions);
	assert_string_equal(((KxWindow *)none->pdata[0])->regions_na,
			    "no aggregation was completed");
	begin(a, 1, 20);
	give_regions(a, 20, 0, 0, 2, 3);
	give_regions(a, 20, 0, 2, 1, 3);
	end(a, 20, 1, 1, 0);
	begin(a, 1, 40);
	give_regions(a, 40, 1, 0, 4, 4);
	end(a, 40, 1, 1, 0);
	begin(a, 1, 60); /* a record of this one is lost, and the first record of the next */
	give_regions(a, 60, 2, 0, 2, 6);
	give_regions(a, 60, 2, 4, 2, 6);
	end(a, 60, 1, 1, 0);
	begin(a, 1, 80);
	give_regions(a, 80, 3, 2, 2, 4);
	list = windows(a, &st, 10);
	w = list->pdata[0];
	assert_true(w->has_regions);
	assert_null(w->regions_na);
	assert_int_equal(w->regions->aggregation, 1);
	assert_int_equal(w->regions->list->len, 4);
	assert_int_equal(w->regions->total, 4);
	assert_int_equal(w->regions->checks, 20);
	assert_int_equal(g_array_index(w->regions->list, KxRegion, 3).gfn, 30);
	assert_int_equal(g_array_index(w->regions->list, KxRegion, 3).accesses, 3);
	assert_int_equal(w->regions_now, 3);
	assert_int_equal(w->regions_max_checks, 8);
	assert_int_equal(w->regions_max, 100);
	/* a closed window still has them */
	close_window(a, id, &st, 20);
	after = windows(a, NULL, 30);
	assert_int_equal(((KxWindow *)after->pdata[0])->regions->list->len, 4);
}

static void keeps_regions_within_bounds(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 one = open_setting(a, with_regions, 0);
	g_autoptr(GPtrArray) list = NULL;
	const KxWindow *w;
	guint32 least = G_MAXUINT32;
	KxSetting next = with_regions;

	begin(a, 1, 1);
	give_regions(a, 1, 0, 0, 1000, 1000);
	end(a, 1, 1, 1, 0);
	close_window(a, one, NULL, 10);
	next.epoch = 2;
	open_setting(a, next, 20);
	begin(a, 2, 1);
	give_regions(a, 1, 0, 0, KX_ACCOUNT_REGIONS_MAX + 5000, KX_ACCOUNT_REGIONS_MAX + 5000);
	end(a, 1, 1, 1, 0);
	list = windows(a, NULL, 30);
	w = list->pdata[0];
	assert_null(w->regions);
	assert_non_null(strstr(w->regions_na, "no longer kept"));
	w = list->pdata[1];
	assert_int_equal(w->regions->list->len, KX_ACCOUNT_REGIONS_MAX);
	assert_int_equal(w->regions->total, KX_ACCOUNT_REGIONS_MAX + 5000);
	for (guint i = 0; i < w->regions->list->len; i++) {
		const KxRegion *g = &g_array_index(w->regions->list, KxRegion, i);

		least = MIN(least, g->accesses);
		assert_true(!i || g->gfn > g[-1].gfn);
	}
	/* The coldest are left out: 3359 regions with 0 accesses, and some with 1. */
	assert_int_equal(least, 1);
}

static void counts_faults(void **state)
{
	static const struct kvm_ext_fault faults[] = {
		{ .gfn = 10, .access = KVM_EXT_ACCESS_READ },
		{ .gfn = 11, .access = KVM_EXT_ACCESS_WRITE },
		{ .gfn = 11, .access = KVM_EXT_ACCESS_WRITE, .flags = KVM_EXT_FAULT_PAGE_WALK },
		{ .gfn = 515, .access = KVM_EXT_ACCESS_EXEC, .order = 9 },
	};
	const struct kvm_ext_rec_faults r = { .pass = 1, .nr = G_N_ELEMENTS(faults) };
	const struct kvm_ext_stats st = {
		.tracker = KVM_EXT_TRACKER_TRAP,
		.passes = 1,
		.trap = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 },
		.trap_listened_ns = 12,
		.trap_more = { 13, 14 },
	};
	g_autoptr(KxAccount) a = kx_account_new();
	g_autoptr(GPtrArray) list = NULL;
	const KxWindow *w;

	open_setting(a,
		     (KxSetting){ .tracker = "trap",
				  .epoch = 1,
				  .parts = KX_PART_BIT(TRAP),
				  .trap_faults_per_s = 500,
				  .trap_time_ppm = 20000 },
		     0);
	begin(a, 1, 1);
	kx_account_sink.faults(a, &r, faults);
	end(a, 1, 1, 4, 0);
	list = windows(a, &st, 10);
	w = list->pdata[0];
	assert_true(w->has_trap);
	assert_int_equal(w->trap_reads, 1);
	assert_int_equal(w->trap_writes, 2);
	assert_int_equal(w->trap_execs, 1);
	assert_int_equal(w->trap_page_walks, 1);
	assert_int_equal(w->found_pages, 3);
	assert_int_equal(w->trap_eligible, 1);
	assert_int_equal(w->trap_faults, 4);
	assert_int_equal(w->trap_held_passes, 11);
	assert_int_equal(w->trap_listened_ns, 12);
	assert_int_equal(w->trap_idle, 13);
	assert_int_equal(w->trap_late_faults, 14);
	assert_int_equal(w->trap_faults_budget, 500);
	assert_int_equal(w->trap_time_budget_ppm, 20000);
}

static void takes_the_walk(void **state)
{
	struct kvm_ext_stats st = { .tracker = KVM_EXT_TRACKER_EPT_WALK,
				    .state = KVM_EXT_STATE_NESTED,
				    .passes = 1,
				    .walk = { 1, 2, 3, 4, 5, 6, 7, 8, 9 } };
	g_autoptr(KxAccount) a = kx_account_new();
	g_autoptr(GPtrArray) list = NULL;
	guint64 id = open_with(a, KX_PART_BIT(WALK), 1, 0);
	const KxWindow *w;

	assert_false(kx_account_nested(a));
	st.epoch = 1;
	kx_account_saw(a, &st);
	assert_true(kx_account_nested(a));
	close_window(a, id, &st, 10);
	list = windows(a, NULL, 20);
	w = list->pdata[0];
	assert_true(w->has_walk && w->walk_nested);
	assert_int_equal(w->walk_tables_read, 1);
	assert_int_equal(w->walk_upper_restored, 5);
	assert_int_equal(w->walk_max_hold_ns, 8);
	assert_int_equal(w->walk_contended, 9);
}

/* --- time in which the VM does not run ------------------------------------------------------------------------------ */

/* Passes end at 1000 * their number, and begin 20 before: with 10 of CPU time, 5 samples and 100 pages each. */
static void passes(KxAccount *a, guint64 first, guint64 last)
{
	for (guint64 pass = first; pass <= last; pass++) {
		begin(a, 1, pass);
		end(a, pass, 10, pass ? 5 : 0, pass ? 0 : KVM_EXT_PASS_PRIME);
	}
}

static struct kvm_ext_stats after_passes(guint64 n)
{
	return (struct kvm_ext_stats){ .passes = n,
				       .samples = 5 * n,
				       .cpu_ns = 10 * n,
				       .pass_ns_sum = 20 * n,
				       .pass_ns_min = 20,
				       .pass_ns_max = 20,
				       .pass_ns_p99 = 20,
				       .first_start_ns = 980,
				       .last_start_ns = 1000 * n - 20 };
}

static void assert_passes(const KxWindow *w, guint64 counted, guint64 paused)
{
	assert_int_equal(w->passes, counted);
	assert_int_equal(w->paused_passes, paused);
	assert_int_equal(w->samples, 5 * counted);
	assert_int_equal(w->cpu_ns, 10 * counted);
	assert_int_equal(w->pass_ns_sum, 20 * counted);
	assert_int_equal(w->pass_costs.sums.n, counted);
	assert_true(w->pass_costs.sums.y == 10.0 * (double)counted &&
		    w->pass_costs.sums.y2 == 100.0 * (double)counted &&
		    w->pass_costs.sums.x == 5.0 * (double)counted &&
		    w->pass_costs.sums.x2 == 25.0 * (double)counted &&
		    w->pass_costs.sums.xy == 50.0 * (double)counted);
}

/* Begin and end of the pause are reported late: the passes in the pause are in no sum, the others are. */
static void paused_time_counts_nowhere(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 id = open_window(a, 1, 0);
	struct kvm_ext_stats st = after_passes(6);
	g_autoptr(GPtrArray) before = NULL, during = NULL, after = NULL, closed = NULL;
	const KxWindow *w;

	passes(a, 0, 6);
	before = windows(a, &st, 6500);
	w = before->pdata[0];
	assert_passes(w, 6, 0);
	assert_true(w->paused_ns == 0 && !w->paused_na && !w->paused_for && !w->pauses);

	kx_account_paused(a, at(3500),
			  "suspended"); /* pass 4 covers a part of the time before the pause */
	during = windows(a, &st, 6500);
	w = during->pdata[0];
	assert_passes(w, 4, 2);
	assert_int_equal(w->paused_ns, 3000);
	assert_string_equal(w->paused_for, "suspended");
	assert_int_equal(w->pauses->len, 1);
	assert_string_equal(kx_account_is_paused(a), "suspended");

	passes(a, 7, 9);
	kx_account_resumed(a, at(7500)); /* pass 8 covers a part of the time after the pause */
	passes(a, 10, 10);
	assert_null(kx_account_is_paused(a));
	st = after_passes(10);
	after = windows(a, &st, 10500);
	w = after->pdata[0];
	assert_passes(w, 7, 3);
	assert_int_equal(w->paused_ns, 4000);
	assert_int_equal(w->pass_ns_p99, 20);
	assert_int_equal(w->pauses->len, 1);
	assert_int_equal(g_array_index(w->pauses, KxPause, 0).from_ns, 1000000 + 3500);
	assert_int_equal(g_array_index(w->pauses, KxPause, 0).until_ns, 1000000 + 7500);
	/* 2, 3, 4 and 8, 9, 10, each 1000 after the pass before it */
	assert_int_equal(w->between_n, 6);
	assert_int_equal(w->between_ns, 6000);

	close_window(a, id, &st, 11000);
	closed = windows(a, NULL, 20000);
	w = closed->pdata[0];
	assert_passes(w, 7, 3);
	assert_int_equal(w->paused_ns, 4000);
}

/* Costs differ from pass to pass; one is cut, one is lost, and the log was yielded in one. */
static void uneven_passes(KxAccount *a, guint64 first, guint64 last)
{
	for (guint64 pass = first; pass <= last; pass++) {
		if (pass == 14)
			continue;
		begin(a, 1, pass);
		end(a, pass, 10 + 7 * pass % 13, pass ? 3 + pass % 4 : 0,
		    !pass	? KVM_EXT_PASS_PRIME
		    : pass == 6 ? KVM_EXT_PASS_CUT
		    : pass == 9 ? KVM_EXT_PASS_YIELDED
				: 0);
	}
}

static void assert_same_series(const KxSeries *a, const KxSeries *b)
{
	assert_int_equal(a->sums.n, b->sums.n);
	assert_int_equal(a->taken, b->taken);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->pairs, b->pairs);
	assert_true(a->sums.y == b->sums.y && a->sums.x == b->sums.x && a->sums.y2 == b->sums.y2 &&
		    a->sums.x2 == b->sums.x2 && a->sums.xy == b->sums.xy);
	assert_true(a->yy == b->yy && a->xx == b->xx && a->xy == b->xy);
	for (guint i = 0; i < KX_SERIES_BATCHES; i++)
		assert_true(a->batch[i].y == b->batch[i].y && a->batch[i].x == b->batch[i].x);
}

/* Which passes are neighbours, and in which batch each is, does not depend on when a pause was reported. */
static void a_late_pause_leaves_the_same_series(void **state)
{
	static const struct {
		guint64 from, until;
	} pauses[] = { { 1900, 4500 }, { 4900, 11500 }, { 12900, 17500 }, { 20900, 40500 } };

	for (guint i = 0; i < G_N_ELEMENTS(pauses); i++) {
		g_autoptr(KxAccount) early = kx_account_new(), late = kx_account_new();
		g_autoptr(GPtrArray) a = NULL, b = NULL;
		const KxWindow *w;

		open_window(early, 1, 0);
		open_window(late, 1, 0);
		kx_account_paused(early, at(pauses[i].from), "suspended");
		kx_account_resumed(early, at(pauses[i].until));
		uneven_passes(early, 0, 50);
		uneven_passes(late, 0, 45);
		kx_account_paused(late, at(pauses[i].from), "suspended");
		kx_account_resumed(late, at(pauses[i].until));
		uneven_passes(late, 46, 50);
		a = windows(early, NULL, 51000);
		b = windows(late, NULL, 51000);
		w = a->pdata[0];
		assert_true(w->paused_passes > 0);
		assert_int_equal(w->pass_costs.sums.n, 47 - w->paused_passes);
		assert_same_series(&w->pass_costs, &((KxWindow *)b->pdata[0])->pass_costs);
	}
}

/* A pair of neighbours needs two complete passes: 1-5, 7-8, 10-13, 15-50. */
static void neighbours_are_passes_in_a_row(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	g_autoptr(GPtrArray) list = NULL;
	const KxSeries *s;

	open_window(a, 1, 0);
	uneven_passes(a, 0, 50);
	list = windows(a, NULL, 51000);
	s = &((KxWindow *)list->pdata[0])->pass_costs;
	assert_int_equal(s->taken, 47);
	assert_int_equal(s->sums.n, 47);
	assert_int_equal(s->pairs, 4 + 1 + 3 + 35);
}

/* A pause over two windows is divided between them, also if the first window is closed when the pause is reported. */
static void a_pause_is_shared_by_windows(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 one = open_window(a, 1, 0), two;
	struct kvm_ext_stats st = after_passes(4);
	g_autoptr(GPtrArray) during = NULL, after = NULL;

	passes(a, 0, 4);
	close_window(a, one, &st, 5000);
	two = open_window(a, 2, 5000);
	kx_account_paused(a, at(1500), "an I/O error");
	during = windows(a, NULL, 6000);
	assert_int_equal(((KxWindow *)during->pdata[0])->paused_ns, 3500);
	assert_passes(during->pdata[0], 2, 2);
	assert_int_equal(((KxWindow *)during->pdata[1])->paused_ns, 1000);
	kx_account_resumed(a, at(7000));
	close_window(a, two, NULL, 9000);
	after = windows(a, NULL, 20000);
	assert_int_equal(((KxWindow *)after->pdata[0])->paused_ns, 3500);
	assert_int_equal(((KxWindow *)after->pdata[1])->paused_ns, 2000);
	assert_string_equal(((KxWindow *)after->pdata[1])->paused_for, "an I/O error");
}

/* A VM that ends while it is paused was paused to its end, and not beyond. */
static void a_pause_may_not_end(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 id = open_window(a, 1, 0);
	g_autoptr(GPtrArray) list = NULL;

	kx_account_paused(a, at(400), "saved to a file");
	close_window(a, id, NULL, 1000);
	list = windows(a, NULL, 5000);
	assert_int_equal(((KxWindow *)list->pdata[0])->paused_ns, 600);
}

static void says_when_pauses_are_not_known(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	g_autoptr(GPtrArray) unasked = NULL, known = NULL, lost = NULL, back = NULL;
	guint64 id = open_window(a, 1, 0);
	const KxWindow *w;

	kx_account_pauses_unknown(a, at(0), "not asked yet");
	unasked = windows(a, NULL, 100);
	assert_string_equal(((KxWindow *)unasked->pdata[0])->paused_na, "not asked yet");
	kx_account_asked(a, at(150), "suspended", TRUE);
	known = windows(a, NULL, 200);
	w = known->pdata[0];
	assert_null(w->paused_na);
	assert_int_equal(w->paused_ns, 200); /* as before the query */

	/* From 300 on nothing reports pauses; the next query says that the VM runs. */
	kx_account_pauses_unknown(a, at(300), "nobody tells");
	kx_account_asked(a, at(900), NULL, FALSE);
	lost = windows(a, NULL, 1000);
	w = lost->pdata[0];
	assert_int_equal(w->paused_ns, 300);
	assert_string_equal(w->paused_na, "nobody tells");

	close_window(a, id, NULL, 1000);
	open_window(a, 2, 1000);
	back = windows(a, NULL, 1100);
	assert_null(((KxWindow *)back->pdata[1])->paused_na);
}

/* Time that was both yielded and paused is subtracted only once. */
static void distinguishes_pauses_from_yields(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	struct kvm_ext_stats st = log_stats(1, 3000), back = log_stats(1, 9000);
	g_autoptr(GPtrArray) during = NULL, after = NULL;
	const KxWindow *w;

	open_log_window(a, 1, 0);
	st.state = KVM_EXT_STATE_YIELDED;
	st.log.last_yield_ns = 2000;
	kx_account_saw(a, &st);
	kx_account_paused(a, at(4000), "the end of a migration");
	during = windows(a, &st, 5000);
	w = during->pdata[0];
	assert_int_equal(w->log_yielded_ns, 3000);
	assert_int_equal(w->paused_ns, 1000);
	assert_int_equal(w->paused_yielded_ns, 1000);
	assert_true(kx_window_run_ns(w) == 4000 && kx_window_tracked_ns(w) == 2000);
	back.log.last_yield_ns = 2000;
	back.log.last_resume_ns = 6000;
	kx_account_saw(a, &back);
	kx_account_resumed(a, at(7000));
	after = windows(a, &back, 9000);
	w = after->pdata[0];
	assert_int_equal(w->log_yielded_ns, 4000);
	assert_int_equal(w->paused_ns, 3000);
	assert_int_equal(w->paused_yielded_ns, 2000);
	assert_true(kx_window_tracked_ns(w) == 4000);
}

/* A pair with a paused pass does not count; a late report removes the pair, and another late report adds it again. */
static void drops_pairs_that_were_paused(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	g_autoptr(GPtrArray) before = NULL, during = NULL, after = NULL;
	const KxWindow *w;

	open_setting(a, (KxSetting){ .tracker = "abit", .epoch = 1, .parts = KX_PART_BIT(MISSED) },
		     0);
	for (guint64 pass = 0; pass <= 6; pass++) {
		begin(a, 1, pass);
		end(a, pass, 10, pass * 10,
		    pass ? (pass & 1 ? 0 : KVM_EXT_PASS_CONTROL) : KVM_EXT_PASS_PRIME);
	}
	before = windows(a, NULL, 7000);
	w = before->pdata[0];
	assert_true(w->stale_pairs == 3 && w->stale_p == 90 && w->stale_k == 120);
	kx_account_paused(a, at(2500), "suspended"); /* 4, 5 and 6 */
	during = windows(a, NULL, 7000);
	w = during->pdata[0];
	assert_true(w->stale_pairs == 1 && w->stale_p == 10 && w->stale_k == 20);
	assert_int_equal(w->stale_dropped, 2);
	kx_account_resumed(a, at(4500)); /* 4 alone */
	after = windows(a, NULL, 7000);
	w = after->pdata[0];
	assert_true(w->stale_pairs == 2 && w->stale_p == 60 && w->stale_k == 80);
	assert_int_equal(w->stale_dropped, 1);
}

/* Percentiles cannot be subtracted: if there were quick passes in a pause, they are computed from the other passes. */
static void takes_pass_times_from_those_that_count(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	struct kvm_ext_stats st = {
		.passes = 120, .pass_ns_min = 2, .pass_ns_max = 200, .pass_ns_p99 = 2
	};
	g_autoptr(GPtrArray) list = NULL;
	const KxWindow *w;

	open_window(a, 1, 0);
	passes(a, 0, 0);
	for (guint64 pass = 1; pass <= 120; pass++) {
		begin(a, 1, pass);
		end(a, pass, pass <= 10 ? 100 : 1, 5, 0);
		if (pass == 10)
			kx_account_paused(a, at(9900), "suspended");
	}
	list = windows(a, &st, 121000);
	w = list->pdata[0];
	assert_int_equal(w->paused_passes, 109); /* not pass 11, which began before the pause */
	assert_in_range(w->pass_ns_p99, 200, 225);
	assert_in_range(w->pass_ns_max, 200, 225);
	assert_int_equal(w->pass_ns_min, 2);
}

/* The tracker's own memory comes from its statistics, that of the maps from their owner, and that of the window from the account. */
static void reports_what_is_held(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 id = open_window(a, 1, 0);
	struct kvm_ext_stats st = { .passes = 1, .memory_bytes = 70000 };
	g_autoptr(GPtrArray) before = NULL, after = NULL, older = NULL, closed = NULL;
	const KxWindow *empty, *w;

	kx_account_held(a, 1, 5000, 1 << 18);
	kx_account_held(a, 2, 9999, 7); /* of no window of this account */
	before = windows(a, &st, 1000);
	empty = before->pdata[0];
	assert_null(empty->memory_na);
	assert_int_equal(empty->memory_bytes, 70000);
	assert_in_range(empty->daemon_bytes, 5000, 6000);
	assert_int_equal(empty->tracked_pages, 1 << 18);
	begin(a, 1, 0);
	end(a, 0, 1, 0, KVM_EXT_PASS_PRIME);
	begin(a, 1, 1);
	run(a, 1, 10, 10);
	end(a, 1, 1, 10, 0);
	after = windows(a, &st, 2000);
	w = after->pdata[0];
	/* A chunk of the found pages' bitmap: 4 KiB, and its place. */
	assert_in_range(w->daemon_bytes - empty->daemon_bytes, 4096, 5000);
	/* An older module does not know this member, and leaves it 0. */
	st.memory_bytes = 0;
	older = windows(a, &st, 2500);
	w = older->pdata[0];
	assert_non_null(strstr(w->memory_na, "older"));
	close_window(a, id, NULL, 3000);
	kx_account_held(a, 1, 1, 1); /* the window is closed: no effect */
	closed = windows(a, NULL, 4000);
	w = closed->pdata[0];
	assert_string_equal(w->memory_na, "the tracker's statistics could not be read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_passes),
		cmocka_unit_test(reports_what_is_held),
		cmocka_unit_test(covers_from_priming_to_the_last_pass),
		cmocka_unit_test(covers_from_the_first_pass),
		cmocka_unit_test(adds_passes_after_the_mark),
		cmocka_unit_test(sorts_records_by_epoch),
		cmocka_unit_test(does_not_guess_after_losses),
		cmocka_unit_test(says_what_is_missing),
		cmocka_unit_test(stays_bounded),
		cmocka_unit_test(keeps_found_pages_small),
		cmocka_unit_test(forgets_the_oldest_pages_first),
		cmocka_unit_test(shares_drain_cost_by_records),
		cmocka_unit_test(keeps_drain_cost_with_the_open_window),
		cmocka_unit_test(takes_only_its_own_parts),
		cmocka_unit_test(joins_disable_to_its_window),
		cmocka_unit_test(says_that_no_disable_was_reported),
		cmocka_unit_test(measures_yielded_time),
		cmocka_unit_test(yielded_from_the_start),
		cmocka_unit_test(yielded_passes_do_not_count),
		cmocka_unit_test(pairs_passes),
		cmocka_unit_test(no_pairs_without_staleness),
		cmocka_unit_test(keeps_the_last_aggregation),
		cmocka_unit_test(keeps_regions_within_bounds),
		cmocka_unit_test(counts_faults),
		cmocka_unit_test(takes_the_walk),
		cmocka_unit_test(paused_time_counts_nowhere),
		cmocka_unit_test(a_late_pause_leaves_the_same_series),
		cmocka_unit_test(neighbours_are_passes_in_a_row),
		cmocka_unit_test(a_pause_is_shared_by_windows),
		cmocka_unit_test(a_pause_may_not_end),
		cmocka_unit_test(says_when_pauses_are_not_known),
		cmocka_unit_test(distinguishes_pauses_from_yields),
		cmocka_unit_test(drops_pairs_that_were_paused),
		cmocka_unit_test(takes_pass_times_from_those_that_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
