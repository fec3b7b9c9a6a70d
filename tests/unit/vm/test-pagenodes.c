// SPDX-License-Identifier: GPL-2.0-or-later
/* Which nodes are slow, and where pages lie: on a made-up host, with answers that must not be trusted, and for this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "cases.h"
#include "fake-numa.h"
#include "fake-root.h"
#include "vm/pagenodes.h"

#define PAGE 4096ull
#define PID  4711

typedef struct {
	char *root; /* /proc */
	GArray *spans;
	GRand *rand;
	KxPageNodes out;
	GError *error;
} State;

static int setup(void **state)
{
	State *s = g_new0(State, 1);

	fake_numa_reset();
	s->root = fake_root_new();
	fake_write(s->root, "4711/stat", "4711 (qemu (x)) S 1 2 3 4 5 4194560 0");
	s->spans = g_array_new(FALSE, FALSE, sizeof(KxSpan));
	s->rand = g_rand_new_with_seed(1);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	State *s = *state;

	fake_remove(s->root);
	g_free(s->root);
	g_array_unref(s->spans);
	g_rand_free(s->rand);
	g_clear_error(&s->error);
	g_free(s);
	fake_numa_reset();
	return 0;
}

static void add(State *s, guint64 hva, guint64 npages)
{
	KxSpan span = { hva, npages };

	g_array_append_val(s->spans, span);
}

static gboolean ask(State *s)
{
	g_clear_error(&s->error);
	return kx_page_nodes_ask(&fake_numa_sys, s->root, PID, s->spans, s->rand, &s->out,
				 &s->error);
}

/* --- pages ------------------------------------------------------------------------------------------------------------ */

static int of_page(guint64 address)
{
	switch (address / PAGE % 8) {
	case 0:
		return -ENOENT;
	case 1:
		return -EFAULT;
	case 2:
		return 1023;
	default:
		return (int)(address / PAGE % 2);
	}
}

/* Each page of a small VM once, in batches. */
static void asks_about_each_page(void **state)
{
	State *s = *state;

	fake_numa.where = of_page;
	fake_numa.asked = g_array_new(FALSE, FALSE, sizeof(guint64));
	add(s, 0x7f0000000000, 8000);
	add(s, 0x7f8000000000, 8);
	add(s, 0x7f9000000000, 1992);
	assert_true(ask(s));
	assert_int_equal(s->out.pages, 10000);
	assert_int_equal(s->out.asked, 10000);
	assert_int_equal(s->out.batches, 3);
	assert_int_equal(fake_numa.most, KX_PAGENODES_BATCH);
	assert_int_equal(s->out.absent, 2500);
	assert_int_equal(s->out.on[1023], 1250);
	assert_int_equal(s->out.on[0], 2500);
	assert_int_equal(s->out.on[1], 3750);
	for (guint i = 0; i < 10000; i++) {
		guint64 at = i < 8000	? 0x7f0000000000 + i * PAGE
			     : i < 8008 ? 0x7f8000000000 + (i - 8000) * PAGE
					: 0x7f9000000000 + (i - 8008) * PAGE;

		assert_int_equal(g_array_index(fake_numa.asked, guint64, i), at);
	}
}

static void asks_about_nothing(void **state)
{
	State *s = *state;

	assert_true(ask(s));
	assert_int_equal(s->out.pages, 0);
	assert_int_equal(fake_numa.calls, 0);
}

/* 1 TiB: one page of each stratum, and nothing beyond a span. */
static void draws_a_sample_of_a_large_vm(void **state)
{
	const guint64 npages = (1ull << 28) + 12345, n = KX_PAGENODES_MAX;
	State *s = *state;
	guint64 before = 0;

	fake_numa.asked = g_array_new(FALSE, FALSE, sizeof(guint64));
	add(s, 0, npages - 7);
	add(s, 1ull << 45, 7);
	assert_true(ask(s));
	assert_int_equal(s->out.pages, npages);
	assert_int_equal(s->out.asked, n);
	assert_int_equal(s->out.on[0], n);
	assert_int_equal(s->out.batches, n / KX_PAGENODES_BATCH);
	for (guint64 i = 0; i < n; i++) {
		guint64 page = g_array_index(fake_numa.asked, guint64, i) / PAGE;

		if (page >= 1ull << 33)
			page = page - (1ull << 33) + npages - 7;
		assert_in_range(page, npages / n * i, npages / n * (i + 1) + npages % n);
		assert_true(!i || page > before);
		before = page;
	}
	assert_in_range(before, npages - npages / n - 2, npages - 1);
}

/* An invalid answer counts as memory of no node. */
static int nonsense;
static int answers_nonsense(guint64 address)
{
	return address == 5 * PAGE ? nonsense : 0;
}

static void refuses_answers_that_are_none(void **state)
{
	static const int answers[] = { G_MININT, -EINVAL, -EACCES, 1024, G_MAXINT };
	State *s = *state;

	fake_numa.where = answers_nonsense;
	add(s, 0, 10);
	for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
		nonsense = answers[i];
		assert_false(ask(s));
		assert_true(g_error_matches(s->error, KX_ERROR, KX_ERROR_FAILED));
	}
	nonsense = -ENOENT;
	assert_true(ask(s));
	assert_int_equal(s->out.absent, 1);
}

/* While a process exits, the kernel answers EINVAL; a zombie has no memory. */
static void tells_that_the_process_has_ended(void **state)
{
	State *s = *state;

	add(s, 0, 1);
	fake_numa.fail_errno = ESRCH;
	assert_false(ask(s));
	assert_true(g_error_matches(s->error, KX_ERROR, KX_ERROR_VM_GONE));
	fake_numa.fail_errno = EINVAL;
	assert_false(ask(s));
	assert_true(g_error_matches(s->error, KX_ERROR, KX_ERROR_FAILED));
	fake_write(s->root, "4711/stat", "4711 (qemu (x)) Z 1 2 3 4 5 4194560 0");
	assert_false(ask(s));
	assert_true(g_error_matches(s->error, KX_ERROR, KX_ERROR_VM_GONE));
	fake_write(s->root, "4711/stat", "4711 (qemu (x)) S 1 2 3 4 5 4194560 0");
	fake_numa.fail_errno = EPERM;
	assert_false(ask(s));
	assert_true(g_error_matches(s->error, KX_ERROR, KX_ERROR_ACCESS_DENIED));
}

/* The real kernel: a huge page of the host, if there is one, is 512 pages of one node; pages that were never touched are absent. */
static void asks_the_kernel(void **state)
{
	const gsize huge = 2u << 20;
	State *s = *state;
	char *memory, *touched;
	guint64 present = 0;

	if (kx_numa_real.available() < 0)
		skip();
	memory = mmap(NULL, 4 * huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	touched = (char *)(((guintptr)memory + huge - 1) / huge * huge);
	madvise(touched, huge, MADV_HUGEPAGE);
	madvise(touched + huge, huge, MADV_NOHUGEPAGE);
	memset(touched, 1, huge);
	touched[huge] = 1;
	add(s, (guintptr)touched, 1024);
	assert_true(kx_page_nodes_ask(&kx_numa_real, "/proc", getpid(), s->spans, s->rand, &s->out,
				      &s->error));
	for (guint i = 0; i < KX_NODES_MAX; i++)
		present += s->out.on[i];
	assert_int_equal(present, 513);
	assert_int_equal(s->out.absent, 511);
	assert_true(s->out.cpu_ns > 0);
	munmap(memory, 4 * huge);
}

/* --- nodes ------------------------------------------------------------------------------------------------------------ */

static KxNodes *nodes(const char *slow, GError **error)
{
	g_autoptr(GArray) vcpus = g_array_new(FALSE, FALSE, sizeof(pid_t));
	pid_t tid = 1;

	g_array_append_val(vcpus, tid);
	return kx_nodes_read(&fake_numa_sys, slow, vcpus, error);
}

static gboolean slow(const KxNodes *n, guint i)
{
	assert_true(i < n->nodes->len);
	return g_array_index(n->nodes, KxNode, i).slow;
}

static void a_node_without_cpus_is_slow(void **state)
{
	g_autoptr(KxNodes) n = nodes("auto", NULL);

	assert_int_equal(n->nodes->len, 2);
	assert_false(slow(n, 0));
	assert_true(slow(n, 1));
	assert_non_null(strstr(n->rule, "without CPUs"));
	assert_null(n->none);
}

/* The vCPU runs on node 1, whose CPU is 1; then on both. */
static void a_node_far_from_the_vcpus_is_slow(void **state)
{
	g_autoptr(KxNodes) far = NULL, both = NULL, unknown = NULL, gone = NULL;

	fake_numa.cpu_node[1] = 1;
	fake_numa.allowed = 2;
	far = nodes("auto", NULL);
	assert_true(slow(far, 0));
	assert_false(slow(far, 1));
	assert_non_null(strstr(far->rule, "farther than others"));
	fake_numa.allowed = 3;
	both = nodes("auto", NULL);
	assert_false(slow(both, 0) || slow(both, 1));
	assert_null(both->rule);
	assert_non_null(strstr(both->none, "no node is farther"));
	fake_numa.allowed = 2;
	fake_numa.far = 0;
	unknown = nodes("auto", NULL);
	assert_false(slow(unknown, 0) || slow(unknown, 1));
	assert_non_null(strstr(unknown->none, "how far"));
	fake_numa.far = 20;
	fake_numa.allowed = 0;
	gone = nodes("auto", NULL);
	assert_false(slow(gone, 0) || slow(gone, 1));
	assert_non_null(strstr(gone->none, "not known on which"));
}

/* Node 0 has CPUs and no memory: the nearest memory is fast. */
static void a_node_without_memory_is_no_place(void **state)
{
	g_autoptr(KxNodes) n = NULL;

	fake_numa.nodes = 3;
	fake_numa.bytes[0] = 0;
	fake_numa.bytes[2] = 1 << 20;
	fake_numa.cpu_node[1] = 1;
	fake_numa.cpu_node[2] = 2;
	n = nodes("auto", NULL);
	assert_int_equal(n->nodes->len, 2);
	assert_int_equal(g_array_index(n->nodes, KxNode, 0).id, 1);
	assert_non_null(n->none); /* both are as far from node 0 */
}

static void slow_nodes_are_named(void **state)
{
	static const char *const bad[] = {
		"", "x", "4095", "all", "0,", "!0", "+0", "same", "1;2"
	};
	g_autoptr(KxNodes) n = nodes("0", NULL), none = NULL;
	g_autoptr(GError) error = NULL;

	assert_true(slow(n, 0));
	assert_false(slow(n, 1));
	assert_non_null(strstr(n->rule, "slow-nodes=0"));
	assert_true(kx_nodes_check("auto", NULL));
	assert_true(kx_nodes_check("0", NULL));
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) why = NULL;

		if (kx_nodes_check(bad[i], &why))
			fail_msg("'%s' was accepted", bad[i]);
		assert_true(g_error_matches(why, KX_ERROR, KX_ERROR_INVALID_OPTION));
	}
	fake_numa.nodes = 0;
	none = nodes("auto", &error);
	assert_null(none);
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED));
}

/* On any machine libnuma's answers are read without an error, or there is a reason. */
static void reads_this_host(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(KxNodes) n = kx_nodes_read(&kx_numa_real, "auto", NULL, &error);

	if (!n) {
		assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED));
		return;
	}
	assert_true(n->nodes->len > 0);
	assert_true(g_array_index(n->nodes, KxNode, 0).bytes > 0);
	assert_true(!n->rule != !n->none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(asks_about_each_page),
		CASE(asks_about_nothing),
		CASE(draws_a_sample_of_a_large_vm),
		CASE(refuses_answers_that_are_none),
		CASE(tells_that_the_process_has_ended),
		CASE(asks_the_kernel),
		CASE(a_node_without_cpus_is_slow),
		CASE(a_node_far_from_the_vcpus_is_slow),
		CASE(a_node_without_memory_is_no_place),
		CASE(slow_nodes_are_named),
		CASE(reads_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
