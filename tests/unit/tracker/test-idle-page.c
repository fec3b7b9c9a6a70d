// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * idle-page against files that stand for a process' page map, the kernel's flags of page frames and its bitmap of idle ones: which pages
 * count as accessed, which are marked again, and what is refused. A regular file keeps what is written, so a case puts the bits of a
 * word, and what it finds there after a pass are the marks of this pass, or its own bits where nothing was to be marked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <sys/stat.h>

#include "base/error.h"
#include "cases.h"
#include "fake-root.h"
#include "model/window.h"
#include "run-pass.h"
#include "tracker/tracker.h"

#define PID	4711
#define PRESENT (1ull << 63)
#define BITMAP	"sys/kernel/mm/page_idle/bitmap"

/* One part: 20000 pages from gfn 1M on. */
#define HVA   0x7f0000200000ull
#define GFN   0x100000ull
#define PAGES 20000u

#define LRU	(1ull << KPF_LRU)
#define IDLE	(1ull << KPF_IDLE)
#define HEAD	(1ull << KPF_COMPOUND_HEAD)
#define TAIL	(1ull << KPF_COMPOUND_TAIL)
#define KSM	(1ull << KPF_KSM)
#define HUGETLB (1ull << KPF_HUGE)

typedef struct {
	char *root, *proc;
	KxLayout layout;
	const KxLayout *as_known;
	struct kvm_ext_vm vm;
	KxTracker *t;
	KxOptions o;
	/* of passes that count */
	GArray *found; /* guint64 gfn */
	guint64 samples, tested;
	guint32 order; /* of the last run */
} Fixture;

static guint64 word_of(const Fixture *f, const char *name, guint64 index)
{
	g_autofree char *path = g_build_filename(f->root, name, NULL);
	int fd = open(path, O_RDONLY);
	guint64 word = 0;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &word, sizeof(word), (off_t)(index * 8)), 8);
	close(fd);
	return word;
}

static void put_word(const Fixture *f, const char *name, guint64 index, guint64 word)
{
	g_autofree char *path = g_build_filename(f->root, name, NULL);
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &word, sizeof(word), (off_t)(index * 8)), 8);
	close(fd);
}

/* Page @page of the VM is in @frame, of which the kernel says @flags. */
static void map(const Fixture *f, guint64 page, guint64 frame, guint64 flags)
{
	put_word(f, "proc/4711/pagemap", (HVA >> 12) + page, frame ? PRESENT | frame : 0);
	if (frame)
		put_word(f, "proc/kpageflags", frame, flags);
}

static void put_idle(const Fixture *f, guint64 frame, gboolean idle)
{
	guint64 word = word_of(f, BITMAP, frame / 64), bit = 1ull << frame % 64;

	put_word(f, BITMAP, frame / 64, idle ? word | bit : word & ~bit);
}

static gboolean is_idle(const Fixture *f, guint64 frame)
{
	return word_of(f, BITMAP, frame / 64) >> frame % 64 & 1;
}

/* As a kernel that found an access: neither bit nor flag. */
static void access_frame(const Fixture *f, guint64 frame, guint64 flags)
{
	put_idle(f, frame, FALSE);
	put_word(f, "proc/kpageflags", frame, flags);
}

static void sized(const Fixture *f, const char *name, off_t bytes)
{
	g_autofree char *path = g_build_filename(f->root, name, NULL);

	fake_write(f->root, name, "");
	assert_int_equal(truncate(path, bytes), 0);
}

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);
	const KxLayoutPart part = { GFN, PAGES, HVA };

	f->root = fake_root_new();
	f->proc = g_build_filename(f->root, "proc", NULL);
	fake_write(f->root, "proc/4711/stat", "4711 (qemu (x)) S 1 2 3 4 5 4194560 0");
	sized(f, "proc/4711/pagemap", (off_t)((HVA >> 12) + PAGES) * 8);
	sized(f, "proc/kpageflags", (off_t)1 << 30);
	sized(f, BITMAP, (off_t)1 << 24);
	f->layout.parts = g_array_new(FALSE, FALSE, sizeof(KxLayoutPart));
	g_array_append_val(f->layout.parts, part);
	f->as_known = &f->layout;
	f->vm.ram_pages = kx_layout_pages(&f->layout);
	f->vm.last_gfn = kx_layout_last_gfn(&f->layout);
	f->found = g_array_new(FALSE, FALSE, sizeof(guint64));
	kx_options_init(&f->o);
	assert_true(kx_options_set(&f->o, "tracker", "idle-page", NULL));
	assert_true(kx_options_set(&f->o, "interval", "0", NULL));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;

	kx_tracker_free(f->t);
	g_array_unref(f->found);
	g_array_unref(f->layout.parts);
	fake_remove(f->root);
	g_free(f->root);
	g_free(f->proc);
	g_free(f);
	return 0;
}

static gboolean start(Fixture *f, GError **error)
{
	const KxTrackerVm vm = { .pid = PID,
				 .proc_root = f->proc,
				 .root = f->root,
				 .vm = &f->vm,
				 .layout = (KxLayout *const *)&f->as_known };
	const KxTrackerOps *ops = kx_tracker_ops(f->o.tracker, FALSE);

	assert_ptr_equal(ops, kx_tracker_ops(f->o.tracker, TRUE));
	if (!f->t)
		f->t = kx_tracker_open(ops, &vm, NULL);
	return f->t->ops->start(f->t, &f->o, error);
}

static void on_run(void *data, const struct kvm_ext_rec_run *r)
{
	Fixture *f = data;

	f->order = r->leaf_order;
	for (guint64 i = 0; i < r->npages; i++) {
		guint64 gfn = r->gfn + i;

		g_array_append_val(f->found, gfn);
	}
}

static void on_bitmap(void *data, const struct kvm_ext_rec_bitmap *r, const guint64 *bits,
		      gsize nwords)
{
	Fixture *f = data;

	for (guint64 i = 0; i < nwords * 64; i++) {
		guint64 gfn = r->gfn + i;

		if (bits[i / 64] & 1ull << i % 64)
			g_array_append_val(f->found, gfn);
	}
}

static void on_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	Fixture *f = data;

	if (r->h.flags)
		return;
	f->samples += r->samples;
	f->tested += r->leaves_tested;
}

static const KxStreamOps sink = { .run = on_run, .bitmap = on_bitmap, .pass_end = on_end };

/* Up to the end of the priming pass, in which all that can be is marked; nothing of it is found. */
static void started(Fixture *f)
{
	g_autoptr(GError) error = NULL;
	struct kvm_ext_stats st = { 0 };

	if (!start(f, &error))
		fail_msg("%s", error->message);
	while (!st.prime_ns) {
		g_usleep(1000);
		assert_true(f->t->ops->stats(f->t, &st, NULL));
	}
}

static void passes(Fixture *f)
{
	g_autoptr(GError) error = NULL;

	g_array_set_size(f->found, 0);
	f->samples = f->tested = 0;
	if (!run_pass(f->t, &error))
		fail_msg("%s", error->message);
	assert_true(f->t->ops->drain(f->t, &sink, f, NULL));
}

static void found(const Fixture *f, guint n, ...)
{
	va_list args;

	assert_int_equal(f->found->len, n);
	va_start(args, n);
	for (guint i = 0; i < n; i++)
		assert_int_equal(g_array_index(f->found, guint64, i), GFN + va_arg(args, guint));
	va_end(args);
}

static KxWindow *told(const Fixture *f)
{
	KxWindow *w = kx_window_new();

	f->t->ops->fill(f->t, w);
	assert_true(w->has_idle);
	return w;
}

/* --- cases ------------------------------------------------------------------------------------------------------------------ */

/* The bitmap says which page was accessed; that page alone is marked again. */
static void test_finds_what_was_accessed(void **state)
{
	Fixture *f = *state;
	struct kvm_ext_stats st;

	map(f, 3, 70, LRU);
	map(f, 4, 71, LRU);
	map(f, 9000, 1 << 20, LRU);
	started(f);
	assert_true(is_idle(f, 70) && is_idle(f, 71) && is_idle(f, 1 << 20));
	assert_false(is_idle(f, 69));
	/* Nobody accessed anything: nothing is found, and nothing marked, which would lose what comes meanwhile. */
	put_word(f, BITMAP, 70 / 64, 1ull << 70 % 64 | 1ull << 71 % 64 | 1ull << 63);
	passes(f);
	found(f, 0);
	assert_int_equal(f->tested, 3);
	assert_true(is_idle(f, 70) && is_idle(f, 71) && is_idle(f, 127));
	access_frame(f, 71, LRU);
	passes(f);
	found(f, 1, 4u);
	assert_int_equal(f->samples, 1);
	assert_int_equal(word_of(f, BITMAP, 71 / 64), 1ull << 71 % 64);
	put_idle(f, 70, TRUE);
	access_frame(f, 1 << 20, LRU);
	passes(f);
	found(f, 1, 9000u);
	assert_true(f->t->ops->stats(f->t, &st, NULL));
	assert_int_equal(st.passes, 3);
	assert_true(st.cpu_ns > 0);
	assert_true(st.memory_bytes > PAGES / 8);
}

static guint64 scattered(guint i)
{
	return (i % 3 ? 5000 : 500000) + (i * 37) % 200;
}

/* Frames in any order, near ones read together, far ones apart, and a page that is not mapped any more. */
static void test_scattered_frames(void **state)
{
	Fixture *f = *state;

	for (guint i = 0; i < 200; i++)
		map(f, 100 + i, scattered(i), LRU);
	map(f, 400, 1000, LRU);
	started(f);
	passes(f);
	/* The fake kernel keeps the last marks of a word alone. */
	for (guint i = 0; i < 200; i++)
		put_idle(f, scattered(i), i != 17);
	put_idle(f, 1000, FALSE);
	map(f, 400, 0, 0);
	passes(f);
	found(f, 1, 117u);
}

/* A large page is one sample by the bit of its first frame, also where the first frame is another VM's, or far away. */
static void test_large_pages(void **state)
{
	Fixture *f = *state;

	for (guint i = 0; i < 512; i++)
		map(f, 512 + i, 4096 + i, LRU | (i ? TAIL : HEAD));
	for (guint i = 0; i < 16; i++)
		map(f, 2000 + i, 8192 + i, LRU | (i ? TAIL : HEAD));
	/* The VM has pages 300 to 302 of one whose first frame is 16384. */
	put_word(f, "proc/kpageflags", 16384, LRU | HEAD);
	for (guint i = 0; i < 300; i++)
		put_word(f, "proc/kpageflags", 16385 + i, TAIL);
	for (guint i = 0; i < 3; i++)
		map(f, 3000 + i, 16384 + 300 + i, TAIL);
	started(f);
	assert_int_equal(word_of(f, BITMAP, 4096 / 64), 1);
	assert_int_equal(word_of(f, BITMAP, 8192 / 64), 1);
	assert_int_equal(word_of(f, BITMAP, 16384 / 64), 1);
	for (guint i = 1; i < 8; i++)
		assert_int_equal(word_of(f, BITMAP, 4096 / 64 + i), 0);
	passes(f);
	found(f, 0);
	assert_int_equal(f->tested, 3);
	put_idle(f, 4096, FALSE);
	passes(f);
	assert_int_equal(f->found->len, 512);
	assert_int_equal(g_array_index(f->found, guint64, 0), GFN + 512);
	assert_int_equal(f->samples, 1);
	assert_int_equal(f->order, 9);
	assert_true(is_idle(f, 4096));
	put_idle(f, 8192, FALSE);
	passes(f);
	assert_int_equal(f->found->len, 16);
	assert_int_equal(f->samples, 1);
	assert_int_equal(f->order, 0);
	put_idle(f, 16384, FALSE);
	passes(f);
	found(f, 3, 3000u, 3001u, 3002u);
	assert_int_equal(f->samples, 1);
	assert_true(is_idle(f, 16384));
}

/* A large page that two reads of the bitmap have, and two reads of the page map, is found whole, and marked once. */
static void test_large_page_across_reads(void **state)
{
	Fixture *f = *state;

	/* A chunk of the page map begins at page 3584; its frames begin in a word at frame 64, so that 4160 is the next read's. */
	for (guint i = 0; i < 4224 - 100; i++)
		map(f, 3584 + i, 100 + i,
		    i < 4096 - 100    ? LRU
		    : i == 4096 - 100 ? LRU | HEAD
				      : TAIL);
	started(f);
	for (guint i = 0; i < 67; i++)
		put_word(f, BITMAP, i, G_MAXUINT64);
	passes(f);
	found(f, 0);
	put_idle(f, 4096, FALSE);
	passes(f);
	assert_int_equal(f->found->len, 128);
	assert_int_equal(g_array_index(f->found, guint64, 127), GFN + 3584 + 4223 - 100);
	assert_int_equal(f->samples, 2);
	assert_int_equal(word_of(f, BITMAP, 64), 1);
	assert_int_equal(word_of(f, BITMAP, 65), G_MAXUINT64);
}

/* What is in no list cannot be marked, and its bit means nothing; once it can be marked, its accesses count from then on. */
static void test_pages_without_a_flag(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxWindow) w = NULL, later = NULL;

	map(f, 5, 640, LRU);
	map(f, 6, 641, 1ull << KPF_ZERO_PAGE);
	map(f, 7, 642, 0);
	started(f);
	assert_int_equal(word_of(f, BITMAP, 10), 1);
	passes(f);
	found(f, 0);
	w = told(f);
	assert_int_equal(w->idle_untracked, 2);
	/* It comes into a list: marked, not found. */
	put_word(f, "proc/kpageflags", 642, LRU);
	passes(f);
	found(f, 0);
	assert_true(is_idle(f, 642));
	put_word(f, BITMAP, 10, 1);
	passes(f);
	found(f, 1, 7u);
	later = told(f);
	assert_int_equal(later->idle_untracked, 1);
	/* It is moved by the kernel for a moment, with its mark: its bit reads 0. */
	put_word(f, BITMAP, 10, 1);
	put_word(f, "proc/kpageflags", 642, IDLE);
	passes(f);
	found(f, 0);
	/* A page that was not there before was accessed by whoever mapped it. */
	put_word(f, "proc/kpageflags", 642, LRU);
	put_word(f, BITMAP, 10, 5);
	map(f, 8, 643, LRU);
	passes(f);
	found(f, 1, 8u);
}

/* Merged pages have one frame; the report is told how many there are. */
static void test_merged_pages(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxWindow) w = NULL;

	map(f, 10, 6400, LRU | KSM);
	map(f, 11, 6400, LRU | KSM);
	map(f, 12, 6401, LRU);
	started(f);
	put_word(f, BITMAP, 100, 2);
	passes(f);
	found(f, 2, 10u, 11u);
	assert_int_equal(f->samples, 2);
	w = told(f);
	assert_int_equal(w->idle_merged, 2);
}

static void test_range(void **state)
{
	Fixture *f = *state;

	for (guint i = 0; i < 10; i++)
		map(f, i, 64 + i, LRU);
	assert_true(kx_options_set(&f->o, "range", "0x100002+3", NULL));
	started(f);
	assert_int_equal(word_of(f, BITMAP, 1), 7 << 2);
	put_word(f, BITMAP, 1, 0);
	passes(f);
	found(f, 3, 2u, 3u, 4u);
}

static void refused(Fixture *f, KxError code, const char *words)
{
	g_autoptr(GError) error = NULL;

	assert_false(start(f, &error));
	assert_true(g_error_matches(error, KX_ERROR, (int)code));
	if (!strstr(error->message, words))
		fail_msg("%s", error->message);
}

static void test_kernel_without(void **state)
{
	Fixture *f = *state;
	g_autofree char *path = g_build_filename(f->root, BITMAP, NULL);

	fake_remove(path);
	refused(f, KX_ERROR_NOT_SUPPORTED, "CONFIG_IDLE_PAGE_TRACKING");
}

static void test_permission(void **state)
{
	Fixture *f = *state;
	g_autofree char *path = g_build_filename(f->root, BITMAP, NULL);
	gboolean root = geteuid() == 0;

	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(chmod(f->root, 0755), 0);
	assert_true(!root || seteuid(65534) == 0);
	refused(f, KX_ERROR_ACCESS_DENIED, BITMAP);
	assert_true(!root || seteuid(0) == 0);
}

static void test_memory_without_flags(void **state)
{
	Fixture *f = *state;

	map(f, 1, 99, HUGETLB);
	refused(f, KX_ERROR_NOT_SUPPORTED, "hugetlb");
	put_word(f, "proc/4711/pagemap", (HVA >> 12) + 1, PRESENT);
	refused(f, KX_ERROR_ACCESS_DENIED, "CAP_SYS_ADMIN");
}

static void test_gone(void **state)
{
	Fixture *f = *state;
	g_autofree char *path = g_build_filename(f->proc, "4711", NULL);
	g_autofree char *map_path = g_build_filename(f->proc, "4711/pagemap", NULL);
	g_autoptr(GError) error = NULL;

	map(f, 1, 99, LRU);
	started(f);
	assert_int_equal(truncate(map_path, 8), 0);
	fake_remove(path);
	assert_false(run_pass(f->t, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_VM_GONE));
	assert_true(f->t->ops->drain(f->t, &sink, f, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_finds_what_was_accessed),
		CASE(test_scattered_frames),
		CASE(test_large_pages),
		CASE(test_large_page_across_reads),
		CASE(test_pages_without_a_flag),
		CASE(test_merged_pages),
		CASE(test_range),
		CASE(test_kernel_without),
		CASE(test_permission),
		CASE(test_memory_without_flags),
		CASE(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
