// SPDX-License-Identifier: GPL-2.0-or-later
/* The readers of debugfs, /proc and QMP over made-up trees, their order, and the differences between two readings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "fake-root.h"
#include "vm/kvmstat.h"
#include "vm/procstat.h"

static int setup(void **state)
{
	char *root = fake_root_new();

	fake_write(root, "debug/kvm/100-12/exits", "12345\n");
	fake_write(root, "debug/kvm/100-12/remote_tlb_flush", "67\n");
	fake_write(root, "proc/100/task/100/comm", "qemu-system-x86\n");
	fake_write(root, "proc/100/task/100/schedstat", "9 9 9\n");
	fake_write(root, "proc/100/task/102/comm", "CPU 1/KVM\n");
	fake_write(root, "proc/100/task/102/schedstat", "2000 300 4\n");
	fake_write(root, "proc/100/task/101/comm", "CPU 0/KVM\n");
	fake_write(root, "proc/100/task/101/schedstat", "1000 200 4\n");
	fake_write(root, "proc/100/task/103/comm", "CPU 0/TCGX\n");
	fake_write(root, "proc/400/task/400/comm", "qemu-system-x86\n");
	fake_write(root, "proc/400/task/401/comm", "CPU 0/TCG\n");
	fake_write(root, "proc/400/task/401/schedstat", "70 80 1\n");
	fake_write(root, "proc/500/task/501/comm", "ALL CPUs/TCG\n");
	fake_write(root, "proc/200/task/200/comm", "qemu\n");
	fake_write(root, "proc/200/task/201/schedstat", "50 60 1\n");
	fake_write(root, "debug/kvm/200-9/vcpu0/pid", "201\n");
	*state = root;
	return 0;
}

static int teardown(void **state)
{
	fake_remove(*state);
	g_free(*state);
	return 0;
}

/* Fields of proc(5)'s stat up to the 43rd, of a thread whose name has spaces and a parenthesis. */
static void write_stat(const char *root, const char *path, guint64 guest_ticks)
{
	g_autoptr(GString) text = g_string_new("101 (CPU 0) S");

	for (guint field = 4; field < 43; field++)
		g_string_append_printf(text, " %u", field);
	g_string_append_printf(text, " %" G_GUINT64_FORMAT " 0 1 2\n", guest_ticks);
	fake_write(root, path, text->str);
}

static void reads_guest_time(void **state)
{
	g_autofree char *proc = g_build_filename(*state, "proc", NULL);
	guint64 tick = 1000000000 / (guint64)sysconf(_SC_CLK_TCK), ns = 7;
	g_autoptr(GError) error = NULL, none = NULL, gone = NULL;

	write_stat(*state, "proc/100/task/101/stat", 300);
	write_stat(*state, "proc/100/task/102/stat", 12);
	assert_true(kx_procstat_guest_time(proc, 100, &ns, NULL));
	assert_int_equal(ns, 312 * tick);
	fake_write(*state, "proc/100/task/102/stat", "102 (CPU 1/KVM) S 4 5 6\n");
	assert_false(kx_procstat_guest_time(proc, 100, &ns, &error));
	assert_non_null(strstr(error->message, "does not say how long it ran in guest mode"));
	/* a kernel without this accounting has 0 for every thread */
	write_stat(*state, "proc/100/task/101/stat", 0);
	write_stat(*state, "proc/100/task/102/stat", 0);
	assert_false(kx_procstat_guest_time(proc, 100, &ns, &none));
	assert_non_null(strstr(none->message, "accounts no guest time"));
	assert_false(kx_procstat_guest_time(proc, 300, &ns, &gone));
	assert_non_null(gone);
}

static void reads_vcpu_threads(void **state)
{
	g_autofree char *proc = g_build_filename(*state, "proc", NULL);
	g_autofree char *dir = g_build_filename(*state, "debug/kvm/200-9", NULL);
	g_autoptr(GArray) named = kx_procstat_vcpus(proc, 100, NULL, NULL);
	g_autoptr(GArray) by_kvm = kx_procstat_vcpus(proc, 200, dir, NULL);
	g_autoptr(GArray) emulated = kx_procstat_vcpus(proc, 400, NULL, NULL);
	g_autoptr(GError) error = NULL, gone = NULL;

	assert_int_equal(named->len, 2);
	assert_int_equal(g_array_index(named, KxVcpuTime, 0).tid, 101);
	assert_int_equal(g_array_index(named, KxVcpuTime, 1).run_ns, 2000);
	assert_int_equal(g_array_index(named, KxVcpuTime, 1).wait_ns, 300);
	assert_int_equal(by_kvm->len, 1);
	assert_int_equal(g_array_index(by_kvm, KxVcpuTime, 0).run_ns, 50);
	assert_int_equal(emulated->len, 1);
	assert_int_equal(g_array_index(emulated, KxVcpuTime, 0).run_ns, 70);
	assert_null(kx_procstat_vcpus(proc, 200, NULL, &error));
	assert_non_null(strstr(error->message, "debug-threads"));
	assert_null(kx_procstat_vcpus(proc, 300, NULL, &gone));
	assert_non_null(gone);
}

static void tells_who_is_emulated(void **state)
{
	g_autofree char *proc = g_build_filename(*state, "proc", NULL);

	assert_true(kx_procstat_is_emulated(proc, 400));
	assert_true(kx_procstat_is_emulated(proc, 500));
	assert_false(kx_procstat_is_emulated(proc, 100));
	assert_false(kx_procstat_is_emulated(proc, 200));
	assert_false(kx_procstat_is_emulated(proc, 300));
}

static void takes_sources_in_order(void **state)
{
	g_autofree char *proc = g_build_filename(*state, "proc", NULL);
	g_autofree char *debug = g_build_filename(*state, "debug", NULL);
	g_autofree char *dir = kx_kvmstat_dir(debug, 100, 12);
	struct kvm_ext_vm vm = { .exits = 1, .remote_tlb_flushes = 2 };
	KxKvmStat qmp = { 7, 8 };
	g_autoptr(KxVmCounters) module = kx_vm_counters_read(&vm, dir, &qmp, proc, 100);
	g_autoptr(KxVmCounters) debugfs = kx_vm_counters_read(NULL, dir, &qmp, proc, 100);
	g_autoptr(KxVmCounters) qemu = kx_vm_counters_read(NULL, "/nonexistent", &qmp, proc, 100);
	g_autoptr(KxVmCounters) none = kx_vm_counters_read(NULL, "/nonexistent", NULL, proc, 555);

	assert_string_equal(module->source, "module");
	assert_int_equal(module->kvm.exits, 1);
	assert_string_equal(debugfs->source, "debugfs");
	assert_int_equal(debugfs->kvm.exits, 12345);
	assert_int_equal(debugfs->kvm.remote_tlb_flushes, 67);
	assert_string_equal(qemu->source, "qmp");
	assert_int_equal(qemu->kvm.remote_tlb_flushes, 8);
	assert_null(none->source);
	assert_non_null(none->kvm_na);
	assert_null(none->vcpus);
	assert_non_null(none->vcpus_na);
}

/* CPU time in ticks of the kernel, for any name of the process. */
static void reads_cpu_time(void **state)
{
	g_autofree char *proc = g_build_filename(*state, "proc", NULL);
	g_autoptr(GError) error = NULL;
	guint64 ns = 0;

	fake_write(*state, "proc/100/stat",
		   "100 (a) 9 9 9) S 1 2 3 4 5 6 7 8 9 10 250 50 7 8 20 0 3 0 12345 0 0\n");
	fake_write(*state, "proc/200/stat", "200 (a) S 1 2\n");
	assert_true(kx_procstat_cpu(proc, 100, &ns, NULL));
	assert_int_equal(ns, 300 * (1000000000ull / (guint64)sysconf(_SC_CLK_TCK)));
	assert_false(kx_procstat_cpu(proc, 200, &ns, &error));
	assert_non_null(strstr(error->message, "CPU time"));
}

static void parses_qmp(void **state)
{
	static const char vm[] = "{\"return\":[{\"provider\":\"kvm\",\"stats\":[{\"name\":\"remote_"
				 "tlb_flush\",\"value\":9},"
				 "{\"name\":\"hist\",\"value\":[1,2]}]}],\"id\":\"libvirt-1\"}";
	static const char vcpu[] =
		"{\"return\":[{\"qom-path\":\"/"
		"a\",\"provider\":\"kvm\",\"stats\":[{\"name\":\"exits\",\"value\":10}]},"
		"{\"qom-path\":\"/"
		"b\",\"provider\":\"kvm\",\"stats\":[{\"name\":\"exits\",\"value\":20}]}]}";
	static const char *const bad[] = { "",
					   "[]",
					   "{}",
					   "{\"return\":3}",
					   "{\"return\":[1]}",
					   "{\"return\":[{\"stats\":7}]}",
					   "{\"error\":{\"class\":\"x\"}}",
					   "{" };
	KxKvmStat st;
	guint i;

	assert_true(kx_kvmstat_qmp(vm, vcpu, &st, NULL));
	assert_int_equal(st.exits, 30);
	assert_int_equal(st.remote_tlb_flushes, 9);
	for (i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;

		assert_false(kx_kvmstat_qmp(vm, bad[i], &st, &error));
		assert_non_null(error);
	}
}

static KxVmCounters *made(const char *source, guint64 exits, const KxVcpuTime *t, guint n)
{
	KxVmCounters *c = g_new0(KxVmCounters, 1);

	c->source = source;
	c->kvm.exits = exits;
	c->process_ns = exits * 10;
	c->vcpus = g_array_new(FALSE, FALSE, sizeof(KxVcpuTime));
	g_array_append_vals(c->vcpus, t, n);
	return c;
}

static void knows_when_there_is_no_difference(void **state)
{
	const KxVcpuTime one[] = { { 1, 10, 1 }, { 2, 20, 2 } },
			 more[] = { { 1, 15, 4 }, { 2, 30, 5 }, { 3, 7, 1 } };
	g_autoptr(KxVmCounters) start = made("module", 100, one, 2),
				end = made("module", 150, more, 3);
	g_autoptr(KxVmCounters) other = made("debugfs", 150, more, 1),
				reset = made("module", 50, one, 2);
	g_autoptr(KxWindow) w = kx_window_new();

	kx_vm_counters_delta(start, end, w);
	assert_null(w->exits_na);
	assert_int_equal(w->exits, 50);
	assert_int_equal(w->vcpu_run_ns, 5 + 10 + 7);
	assert_int_equal(w->vcpu_steal_ns, 3 + 3 + 1);
	assert_null(w->vmm_cpu_na);
	assert_int_equal(w->vmm_cpu_ns, 500 - 22);

	kx_vm_counters_delta(start, other, w);
	assert_non_null(strstr(w->exits_na, "from module to debugfs"));
	assert_non_null(strstr(w->vcpu_run_na, "ended meanwhile"));
	assert_int_equal(w->vcpu_run_ns, 0);
	/* The time of the other threads is not known without that of the vCPUs. */
	assert_non_null(strstr(w->vmm_cpu_na, "ended meanwhile"));

	kx_vm_counters_delta(start, reset, w);
	assert_non_null(strstr(w->exits_na, "reset"));
	assert_non_null(strstr(w->vmm_cpu_na, "went back"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(reads_vcpu_threads),
		CASE(reads_guest_time),
		CASE(tells_who_is_emulated),
		CASE(takes_sources_in_order),
		CASE(reads_cpu_time),
		cmocka_unit_test(parses_qmp),
		cmocka_unit_test(knows_when_there_is_no_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
