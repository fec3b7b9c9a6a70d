// SPDX-License-Identifier: GPL-2.0-or-later
/* The account fed with records, statistics and counters made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "account.h"
#include "error.h"
#include "procstat.h"

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

static guint64 open_window(KxAccount *a, guint64 epoch, guint64 now)
{
	g_autoptr(KxVmCounters) c = counters(100 + now, 10 + now, 1000 + now, 50 + now);

	return kx_account_open(a, "abit", "interval=1s", epoch, 1 << 20, c, at(now));
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
	run(a, 0, 7777, 5); /* of the priming pass: not found by anybody's count */
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
	assert_true(w->open && w->has_module);
	assert_int_equal(w->est_n, 2);
	assert_true(w->est_cost == 400 && w->est_samples == 30 && w->est_cost2 == 100000 &&
		    w->est_samples2 == 500 && w->est_cross == 7000);
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

/* Passes between the reading of the statistics and the switch come from their records, and only those. */
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
	end(a, 2, 300, 20, 0); /* in the statistics already */
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
	begin(a, 1, 5); /* of the closed window: nobody's */
	run(a, 5, 40, 1);
	f1 = kx_account_found(a, one, NULL);
	f2 = kx_account_found(a, two, NULL);
	assert_int_equal(f1->len, 1);
	assert_int_equal(f2->len, 2);
	assert_int_equal(g_array_index(f2, KxRun, 1).gfn, 30);
	assert_int_equal(kx_account_stray(a), 1);
}

/* A lost PASS_BEGIN: clear with one window, unknowable with two. */
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
	assert_false(w->has_module);
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

static void forgets_the_oldest_pages_first(void **state)
{
	g_autoptr(KxAccount) a = kx_account_new();
	guint64 ids[6], i, g;

	for (i = 0; i < 6; i++) {
		ids[i] = open_window(a, i + 1, i);
		begin(a, i + 1, 1);
		for (g = 0; g < 1000000; g++)
			run(a, 1, g * 2, 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_passes),
		cmocka_unit_test(adds_passes_after_the_mark),
		cmocka_unit_test(sorts_records_by_epoch),
		cmocka_unit_test(does_not_guess_after_losses),
		cmocka_unit_test(says_what_is_missing),
		cmocka_unit_test(stays_bounded),
		cmocka_unit_test(forgets_the_oldest_pages_first),
		cmocka_unit_test(keeps_drain_cost_with_the_open_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
