// SPDX-License-Identifier: GPL-2.0-or-later
/* mglru against files in place of the kernel's lists: whose pages are counted, which count as used, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "cases.h"
#include "fake-root.h"
#include "model/window.h"
#include "run-pass.h"
#include "tracker/tracker.h"

#define PID 4711

#define LIST	"sys/kernel/debug/lru_gen"
#define FULL	"sys/kernel/debug/lru_gen_full"
#define ENABLED "sys/kernel/mm/lru_gen/enabled"
#define CGROUP	"sys/fs/cgroup"

/* The kernel's file takes commands and lists generations; here a command overwrites the beginning of the file, which is reserved for it. */
#define ROOM 160
#define VM   "/machine/qemu-1-vm1"

typedef struct {
	char *root, *proc;
	struct kvm_ext_vm vm;
	KxTracker *t;
	KxOptions o;
	KxWindow *w;
	guint64 samples, scanned;
	guint ends;
} Fixture;

/* @vm: the lines of the VM's own group. */
static void put_list(const Fixture *f, const char *vm)
{
	g_autofree char *room = g_strnfill(ROOM, ' ');
	g_autofree char *text = g_strdup_printf("%s\n"
						"memcg     1 /\n"
						" node     0\n"
						"          0      90000        100         200 \n"
						"memcg    33 /machine\n"
						" node     0\n"
						"          0      90000          1           1 \n"
						"memcg    40 " VM "0\n"
						" node     0\n"
						"          7      90000       7777        7777 \n"
						"memcg    41 " VM "\n"
						"%s"
						"memcg    50 /other\n"
						" node     0\n"
						"          9      90000       9999        9999 \n",
						room, vm);

	fake_write(f->root, LIST, text);
}

/* What was written there, and room for more. */
static char *commands(const Fixture *f)
{
	g_autofree char *path = g_build_filename(f->root, LIST, NULL), *text = NULL;

	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	text[ROOM] = 0;
	return g_strdup(g_strchomp(text));
}

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);

	f->root = fake_root_new();
	f->proc = g_build_filename(f->root, "proc", NULL);
	f->w = kx_window_new();
	fake_write(f->root, ENABLED, "0x0007\n");
	fake_write(f->root, FULL,
		   "memcg     1 /\n node     0\n          3      1000        100         200 \n"
		   "                     0          0r          0e          0p\n"
		   "                             12T          3Y          0F          0A\n");
	fake_write(f->root, "proc/4711/cgroup", "0::" VM "/libvirt/emulator\n");
	fake_write(f->root, "proc/4711/status",
		   "Name:\tqemu\nVmLck:\t       0 kB\nHugetlbPages:\t       0 kB\n");
	fake_write(f->root, "proc/4711/stat", "4711 (qemu) S 1 2 3 4 5 4194560 0");
	fake_write(f->root, CGROUP VM "/cgroup.procs", "4711\n");
	fake_write(f->root, CGROUP VM "/libvirt/emulator/cgroup.threads", "4711\n");
	put_list(f, " node     0\n"
		    "          4      30000       1000          10 \n"
		    "          5       1000          0           0 \n");
	kx_options_init(&f->o);
	assert_true(kx_options_set(&f->o, "tracker", "mglru", NULL));
	assert_true(kx_options_set(&f->o, "interval", "0", NULL));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;

	kx_tracker_free(f->t);
	kx_window_free(f->w);
	fake_remove(f->root);
	g_free(f->root);
	g_free(f->proc);
	g_free(f);
	return 0;
}

static gboolean start(Fixture *f, GError **error)
{
	const KxTrackerVm vm = { .pid = PID, .proc_root = f->proc, .root = f->root, .vm = &f->vm };
	const KxTrackerOps *ops = kx_tracker_ops(f->o.tracker, FALSE);

	assert_ptr_equal(ops, kx_tracker_ops(f->o.tracker, TRUE));
	if (!f->t)
		f->t = kx_tracker_open(ops, &vm, NULL);
	return f->t->ops->start(f->t, &f->o, error);
}

static void on_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	Fixture *f = data;

	if (r->h.flags)
		return;
	f->ends++;
	f->samples += r->samples;
	f->scanned += r->pages_scanned;
}

static const KxStreamOps sink = { .pass_end = on_end };

/* The first pass primes; the next pass waits for its end. */
static void started(Fixture *f)
{
	g_autoptr(GError) error = NULL;
	struct kvm_ext_stats st;

	if (!start(f, &error))
		fail_msg("%s", error->message);
	do {
		g_usleep(1000);
		assert_true(f->t->ops->stats(f->t, &st, NULL));
	} while (!st.prime_ns);
}

static const KxWindow *passes(Fixture *f)
{
	g_autoptr(GError) error = NULL;

	if (!run_pass(f->t, &error))
		fail_msg("%s", error->message);
	assert_true(f->t->ops->drain(f->t, &sink, f, NULL));
	f->t->ops->fill(f->t, f->w);
	assert_true(f->w->has_ages);
	return f->w;
}

static void refused(Fixture *f, const char *words)
{
	g_autoptr(GError) error = NULL;

	assert_false(start(f, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED));
	if (!strstr(error->message, words))
		fail_msg("%s", error->message);
}

/* --- cases ------------------------------------------------------------------------------------------------------------------ */

/* Only pages of the VM's own group count: those in the generation that was the newest, and in later ones. */
static void test_counts_what_was_used(void **state)
{
	Fixture *f = *state;
	g_autofree char *said = NULL;

	started(f);
	said = commands(f);
	assert_string_equal(said, "+ 41 0 5 1 1");
	put_list(f, " node     0\n"
		    "          4      31000        800          10 \n"
		    "          5       2000        190          10 \n"
		    "          6       1000          0           0 \n");
	passes(f);
	assert_int_equal(f->samples, 200);
	assert_int_equal(f->scanned, 1010);
	assert_int_equal(f->w->ages_passes, 1);
	assert_int_equal(f->w->ages_young, 200);
	assert_int_equal(f->w->ages_total, 1010);
	assert_int_equal(f->w->ages_oldest, 810);
	assert_int_equal(f->w->ages_oldest_ms, 31000);
	assert_int_equal(f->w->ages_others, 0);
	assert_string_equal(f->w->ages_group, VM);
	/* The kernel has made two of its own meanwhile. */
	put_list(f, " node     0\n"
		    "          6       3000         40           0 \n"
		    "          7       2000         30           0 \n"
		    "          8       1000         20           0 \n"
		    "          9          0         10           0 \n");
	passes(f);
	assert_int_equal(f->samples, 200 + 100);
	assert_true(f->w->ages_squares == 200 * 200 + 100 * 100);
}

static void test_nodes(void **state)
{
	Fixture *f = *state;
	g_autofree char *said = NULL;

	put_list(f, " node     0\n"
		    "          4      30000       1000          10 \n"
		    "          5       1000          0           0 \n"
		    " node     1\n"
		    "         70      50000        300           0 \n"
		    "         71       1000          0           0 \n");
	started(f);
	said = commands(f);
	assert_string_equal(said, "+ 41 0 5 1 1\n+ 41 1 71 1 1");
	put_list(f, " node     0\n"
		    "          4      31000        900          10 \n"
		    "          5       1000        100           0 \n"
		    "          6          0          0           0 \n"
		    " node     1\n"
		    "         70      51000        293           0 \n"
		    "         71       1000          7           0 \n"
		    "         72          0          0           0 \n");
	passes(f);
	assert_int_equal(f->samples, 107);
	assert_int_equal(f->w->ages_oldest, 910 + 293);
	assert_int_equal(f->w->ages_oldest_ms, 51000);
}

static void test_other_processes(void **state)
{
	Fixture *f = *state;

	fake_write(f->root, CGROUP VM "/cgroup.procs", "4711\n4712\n");
	fake_write(f->root, CGROUP VM "/helper/cgroup.procs", "4713\n");
	started(f);
	passes(f);
	assert_int_equal(f->w->ages_others, 2);
}

static void test_version_1(void **state)
{
	Fixture *f = *state;

	fake_write(f->root, "proc/4711/cgroup",
		   "5:cpu,cpuacct:/elsewhere\n4:memory:" VM "\n0::/user.slice\n");
	fake_write(f->root, CGROUP "/memory" VM "/cgroup.procs", "4711\n4712\n");
	started(f);
	passes(f);
	assert_string_equal(f->w->ages_group, VM);
	assert_int_equal(f->w->ages_others, 1);
}

static void test_no_group_of_its_own(void **state)
{
	Fixture *f = *state;

	fake_write(f->root, "proc/4711/cgroup", "0::/machine.slice\n");
	refused(f, "of its own");
	fake_write(f->root, "proc/4711/cgroup", "1:cpu:/\n");
	refused(f, "no memory cgroups");
}

static void test_kernel(void **state)
{
	Fixture *f = *state;
	g_autofree char *full = g_build_filename(f->root, FULL, NULL);
	g_autofree char *enabled = g_build_filename(f->root, ENABLED, NULL);

	fake_write(f->root, FULL,
		   "                              0L          0O          3Y          0N          "
		   "0F          0A\n");
	refused(f, "does not ask KVM");
	fake_write(f->root, FULL, "memcg     1 /\n node     0\n");
	refused(f, "not known");
	fake_remove(full);
	refused(f, "debugfs");
	fake_write(f->root, ENABLED, "0x0005\n");
	refused(f, "echo 7");
	fake_write(f->root, ENABLED, "0x0000\n");
	refused(f, "echo y > /sys/kernel/mm/lru_gen/enabled");
	fake_remove(enabled);
	refused(f, "CONFIG_LRU_GEN");
}

static void test_memory_without_generations(void **state)
{
	Fixture *f = *state;

	fake_write(f->root, "proc/4711/status", "Name:\tqemu\nHugetlbPages:\t 1048576 kB\n");
	refused(f, "hugetlb");
	fake_write(f->root, "proc/4711/status", "Name:\tqemu\nVmLck:\t 1048576 kB\n");
	refused(f, "locked");
}

static void ends_as(Fixture *f, char process, KxError code)
{
	g_autofree char *proc = g_build_filename(f->root, "proc", NULL);
	g_autoptr(GError) error = NULL;

	started(f);
	fake_process_state(proc, "4711", process);
	fake_write(f->root, LIST, "memcg     1 /\n");
	assert_false(run_pass(f->t, &error));
	assert_true(g_error_matches(error, KX_ERROR, (int)code));
	assert_int_equal(f->t->ops->drain(f->t, &sink, f, NULL), code == KX_ERROR_VM_GONE);
	assert_int_equal(f->ends, 0);
}

static void test_gone(void **state)
{
	ends_as(*state, 'Z', KX_ERROR_VM_GONE);
}

static void test_group_removed(void **state)
{
	ends_as(*state, 'S', KX_ERROR_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_counts_what_was_used),
		CASE(test_nodes),
		CASE(test_other_processes),
		CASE(test_version_1),
		CASE(test_no_group_of_its_own),
		CASE(test_kernel),
		CASE(test_memory_without_generations),
		CASE(test_gone),
		CASE(test_group_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
