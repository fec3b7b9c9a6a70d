// SPDX-License-Identifier: GPL-2.0-or-later
/* The difference of two readings of a VM's open window; conditions of the host that make it doubtful. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "compare/doubts.h"
#include "compare/stretch.h"
#include "fake-root.h"

static KxWindow *window(guint64 id, guint64 t_ns, guint64 samples)
{
	KxWindow *w = kx_window_new();

	w->id = id;
	w->tracker = g_strdup("abit");
	w->has_stats = TRUE;
	w->duration_ns = t_ns;
	w->samples = samples;
	w->cpu_ns = samples * 10;
	w->drain_cpu_ns = samples;
	w->exits = t_ns / 1000;
	w->vcpu_run_na = g_strdup("not told");
	return w;
}

static void test_differences(void **state)
{
	g_autoptr(KxWindow) a = window(3, 1000000, 50), b = window(3, 4000000, 250);
	g_autoptr(KxStretch) s = NULL;

	b->paused_ns = 1000000;
	/* Rounded, so that it can go back a little. */
	a->vmm_cpu_ns = 20;
	b->vmm_cpu_ns = 10;
	s = kx_stretch_between(a, b);
	assert_null(s->failed);
	assert_int_equal(s->window, 3);
	assert_true(s->samples == 200 && s->cpu_ns == 2000 && s->drain_cpu_ns == 200);
	assert_true(s->run_ns == 2000000 && s->paused_ns == 1000000);
	assert_true(s->exits == 3000);
	assert_true(s->vmm_cpu_ns == 0);
	assert_true(isnan(s->vcpu_run_ns));  /* as told by its reason */
	assert_true(isnan(s->guest_cpu_ns)); /* does not run there */
	assert_true(isnan(s->progress));
}

/* Memory is no counter: a stretch has the memory at its end, or it is not known. */
static void test_memory_is_that_of_the_end(void **state)
{
	g_autoptr(KxWindow) a = window(3, 1000000, 50), b = window(3, 4000000, 250);
	g_autoptr(KxStretch) s = NULL, unknown = NULL;

	a->memory_bytes = 9000;
	a->daemon_bytes = 900;
	b->memory_bytes = 5000;
	b->daemon_bytes = 600;
	b->tracked_pages = 77;
	s = kx_stretch_between(a, b);
	assert_true(s->memory_bytes == 5600 && s->tracked_pages == 77);
	b->memory_na = g_strdup("not read");
	unknown = kx_stretch_between(a, b);
	assert_true(isnan(unknown->memory_bytes) && isnan(unknown->tracked_pages));
}

/* A stretch that was cut has the reason, and no numbers. */
static void test_a_cut_stretch_has_no_numbers(void **state)
{
	g_autoptr(KxWindow) a = window(3, 1000000, 50), other = window(4, 2000000, 60);
	g_autoptr(KxWindow) paused = window(3, 2000000, 60), yielded = window(3, 2000000, 60);
	g_autoptr(KxStretch) s1 = kx_stretch_between(a, other), s2 = NULL, s3 = NULL;

	paused->paused_ns = 1000000;
	yielded->log_yielded_ns = 5;
	s2 = kx_stretch_between(a, paused);
	s3 = kx_stretch_between(a, yielded);
	assert_non_null(strstr(s1->failed, "somebody else"));
	assert_non_null(strstr(s2->failed, "did not run"));
	assert_non_null(strstr(s3->failed, "dirty log"));
	assert_true(isnan(s1->samples) && isnan(s2->samples) && isnan(s3->samples));
}

static KxStretch *through_json(const KxStretch *s)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;

	kx_stretch_add_json(b, s);
	root = json_builder_get_root(b);
	return kx_stretch_from_json(json_node_get_object(root));
}

/* If pauses may be missing, a pause of 0 is not known to be 0; known pauses stay. The doubt is added only once. */
static void test_unknown_pauses(void **state)
{
	g_autoptr(GPtrArray) doubts = g_ptr_array_new_with_free_func(g_free), others = NULL;
	g_autoptr(KxWindow) a = window(3, 1000000, 50), b = window(3, 4000000, 250);
	g_autoptr(KxStretch) known = kx_stretch_between(a, b), none = NULL, some = NULL;

	assert_true(known->paused_ns == 0);
	kx_doubts_of_pauses(doubts, a, b);
	assert_int_equal(doubts->len, 0);
	a->paused_na = g_strdup("libvirt was away");
	none = kx_stretch_between(a, b);
	assert_true(isnan(none->paused_ns));
	b->paused_ns = 1000000;
	some = kx_stretch_between(a, b);
	assert_true(some->paused_ns == 1000000 && some->run_ns == 2000000);
	kx_doubts_of_pauses(doubts, a, b);
	kx_doubts_of_pauses(doubts, a, b);
	assert_int_equal(doubts->len, 1);
	assert_non_null(strstr(doubts->pdata[0], "libvirt was away"));
	others = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(others, g_strdup("another one"));
	kx_doubts_add(others, doubts);
	kx_doubts_add(others, doubts);
	assert_int_equal(others->len, 2);
}

static void test_json_gives_it_back(void **state)
{
	g_autoptr(KxWindow) a = window(3, 1000000, 50), b = window(3, 4000000, 250);
	g_autoptr(KxStretch) s = kx_stretch_between(a, b), back = NULL, failed = NULL, gone = NULL;

	s->start_realtime_ns = 1700000000000000123;
	s->progress = 0.1;
	back = through_json(s);
	assert_true(back->samples == s->samples && back->progress == s->progress);
	assert_true(back->start_realtime_ns == s->start_realtime_ns);
	assert_true(isnan(back->guest_cpu_ns));
	failed = kx_stretch_failed("the VM is gone");
	gone = through_json(failed);
	assert_string_equal(gone->failed, "the VM is gone");
}

/* --- doubts ------------------------------------------------------------------------------------------------------- */

static void assert_says(GPtrArray *doubts, guint i, const char *what)
{
	assert_true(i < doubts->len);
	if (!strstr(doubts->pdata[i], what))
		fail_msg("'%s' does not say '%s'", (char *)doubts->pdata[i], what);
}

static void vcpu(const char *root, const char *tid, const char *name, const char *cpus)
{
	g_autofree char *path = g_strdup_printf("proc/77/task/%s/status", tid);
	g_autofree char *text =
		g_strdup_printf("Name:\t%s\nPid:\t%s\nCpus_allowed_list:\t%s\n", name, tid, cpus);

	g_autofree char *comm_path = g_strdup_printf("proc/77/task/%s/comm", tid);
	g_autofree char *comm = g_strdup_printf("%s\n", name);

	fake_write(root, path, text);
	fake_write(root, comm_path, comm);
}

static void test_doubts(void **state)
{
	char *root = fake_root_new();
	g_autofree char *before = NULL, *after = NULL;
	g_autoptr(GPtrArray) none = kx_doubts_of_host(root), host = NULL, vm = NULL,
			     emulated = NULL;

	assert_int_equal(none->len, 0);
	before = kx_doubts_state(root);
	fake_write(root, "sys/kernel/mm/ksm/run", "1\n");
	fake_write(root, "proc/sys/kernel/numa_balancing", "1\n");
	fake_write(root, "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
	fake_write(root, "sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds", "1\n");
	fake_write(root, "sys/kernel/mm/damon/admin/kdamonds/0/state", "on\n");
	fake_write(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n");
	host = kx_doubts_of_host(root);
	assert_int_equal(host->len, 4);
	assert_says(host, 0, "schedutil");
	assert_says(host, 1, "KSM");
	assert_says(host, 2, "NUMA balancing is on (proc/sys/kernel/numa_balancing is 1)");
	assert_says(host, 3, "kdamond 0");
	after = kx_doubts_state(root);
	assert_non_null(strstr(after, "transparent huge pages madvise, KSM 1"));
	kx_doubts_of_change(host, before, after);
	assert_says(host, 4, "changed meanwhile");

	vcpu(root, "77", "qemu-system-x86", "0-3");
	vcpu(root, "78", "CPU 0/KVM", "2");
	vcpu(root, "79", "CPU 1/KVM", "0-3");
	vcpu(root, "80", "CPU 2/KVM", "1,3");
	vm = kx_doubts_of_vm(root, 77, NULL);
	assert_int_equal(vm->len, 1);
	assert_says(vm, 0, "2 of 3 vCPUs are not pinned");
	emulated = kx_doubts_of_vm(root, 77, "QEMU TCG");
	assert_says(emulated, 1, "QEMU TCG emulates it, without KVM");
	fake_remove(root);
	g_free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_memory_is_that_of_the_end),
		cmocka_unit_test(test_a_cut_stretch_has_no_numbers),
		cmocka_unit_test(test_unknown_pauses),
		cmocka_unit_test(test_json_gives_it_back),
		cmocka_unit_test(test_doubts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
