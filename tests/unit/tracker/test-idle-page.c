// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * idle-page against files that stand for a process' page map and the kernel's flags of page frames, and a bitmap that behaves as the
 * kernel's (mm/page_idle.c): a frame that is in a list and begins its page can be marked, and a write marks, and unmarks none. A read
 * looks at marked frames, and takes the mark of those that were accessed since they were looked at last. The last frame of the host
 * may be within a word: such a word is looked at and marked, and counts as no byte. What cases see: which pages count as accessed, which
 * are marked again, and what is refused.
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
#include <sys/syscall.h>

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
#define ZEROS	(1ull << KPF_ZERO_PAGE)
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

/* The kernel that the bitmap belongs to. Passes are on a thread of their own, and a case waits for them. */
static struct {
	int flags_fd; /* "kpageflags", which has the marks as well */
	struct stat bitmap;
	guint64 max_pfn;
	GHashTable *accessed; /* frames whose accessed bit is set somewhere */
	/* This frame is accessed once, just after it was looked at, or marked; 0: none. */
	guint64 touch_after_look, touch_after_mark;
} kernel;

static gboolean is_bitmap(int fd)
{
	struct stat st;

	return kernel.bitmap.st_ino && !fstat(fd, &st) && st.st_ino == kernel.bitmap.st_ino &&
	       st.st_dev == kernel.bitmap.st_dev;
}

static guint64 flags_of(guint64 frame)
{
	guint64 flags = 0;

	assert_int_equal(syscall(SYS_pread64, kernel.flags_fd, &flags, 8, (off_t)(frame * 8)), 8);
	return flags;
}

static void put_flags(guint64 frame, guint64 flags)
{
	assert_int_equal(syscall(SYS_pwrite64, kernel.flags_fd, &flags, 8, (off_t)(frame * 8)), 8);
}

static gboolean is_markable(guint64 flags)
{
	return flags & LRU && !(flags & TAIL);
}

/* As page_idle_clear_pte_refs(). */
static void look_at(guint64 frame)
{
	if (g_hash_table_remove(kernel.accessed, &frame))
		put_flags(frame, flags_of(frame) & ~IDLE);
}

/* The guest, or whoever maps the frame, accesses it. @frame: the first of a large page. */
static void touch(guint64 frame)
{
	g_hash_table_add(kernel.accessed, g_memdup2(&frame, sizeof(frame)));
}

static void touch_once(guint64 frame, guint64 *which)
{
	if (frame != *which)
		return;
	touch(frame);
	*which = 0;
}

static guint64 kernel_reads(guint64 frame)
{
	guint64 flags = flags_of(frame);

	if (is_markable(flags) && flags & IDLE) {
		look_at(frame);
		flags = flags_of(frame);
	}
	touch_once(frame, &kernel.touch_after_look);
	return is_markable(flags) && flags & IDLE ? 1ull << frame % 64 : 0;
}

static void kernel_marks(guint64 frame)
{
	if (!is_markable(flags_of(frame)))
		return;
	look_at(frame);
	put_flags(frame, flags_of(frame) | IDLE);
	touch_once(frame, &kernel.touch_after_mark);
}

static gssize bitmap_read(guint64 *words, gsize bytes, off_t at)
{
	guint64 frame = (guint64)at * 8, end;
	gsize n = 0;

	assert_true(at % 8 == 0 && bytes % 8 == 0);
	if (frame >= kernel.max_pfn)
		return 0;
	for (end = MIN(frame + bytes * 8, kernel.max_pfn); frame < end; frame++) {
		guint64 bit;

		if (!(frame % 64))
			words[n] = 0;
		bit = kernel_reads(frame);
		words[n] |= bit;
		n += frame % 64 == 63;
	}
	return (gssize)(n * 8);
}

static gssize bitmap_write(const guint64 *words, gsize bytes, off_t at)
{
	guint64 frame = (guint64)at * 8, end;
	gsize n = 0;

	assert_true(at % 8 == 0 && bytes % 8 == 0);
	if (frame >= kernel.max_pfn) {
		errno = ENXIO;
		return -1;
	}
	for (end = MIN(frame + bytes * 8, kernel.max_pfn); frame < end; frame++) {
		if (words[n] >> frame % 64 & 1)
			kernel_marks(frame);
		n += frame % 64 == 63;
	}
	return (gssize)(n * 8);
}

/* In place of the C library's: sysfs passes a page at most. */
ssize_t pread(int fd, void *data, size_t n, off_t at)
{
	if (is_bitmap(fd))
		return bitmap_read(data, MIN(n, 4096), at);
	return syscall(SYS_pread64, fd, data, n, at);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
	if (is_bitmap(fd))
		return bitmap_write(data, MIN(n, 4096), at);
	return syscall(SYS_pwrite64, fd, data, n, at);
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

static gboolean is_idle(guint64 frame)
{
	return (flags_of(frame) & IDLE) != 0;
}

/* A large page of @n pages from @frame on, behind the pages from @page on. */
static void map_large(const Fixture *f, guint64 page, guint64 frame, guint n)
{
	for (guint i = 0; i < n; i++)
		map(f, page + i, frame + i, LRU | (i ? TAIL : HEAD));
}

static void sized(const Fixture *f, const char *name, off_t bytes)
{
	g_autofree char *path = g_build_filename(f->root, name, NULL);

	fake_write(f->root, name, "");
	assert_int_equal(truncate(path, bytes), 0);
}

static void vmm_started(const Fixture *f, const char *tick)
{
	g_autofree char *stat = g_strdup_printf("4711 (qemu (x)) S 1 2 3 4 5 4194560 7 8 9 10 11 "
						"12 13 14 15 16 17 18 %s 20",
						tick);

	fake_write(f->proc, "4711/stat", stat);
}

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);
	const KxLayoutPart part = { GFN, PAGES, HVA };
	g_autofree char *flags = NULL, *bitmap = NULL;

	f->root = fake_root_new();
	f->proc = g_build_filename(f->root, "proc", NULL);
	vmm_started(f, "1000");
	sized(f, "proc/4711/pagemap", (off_t)((HVA >> 12) + PAGES) * 8);
	sized(f, "proc/kpageflags", (off_t)1 << 30);
	fake_write(f->root, BITMAP, "");
	flags = g_build_filename(f->proc, "kpageflags", NULL);
	kernel.flags_fd = open(flags, O_RDWR);
	assert_true(kernel.flags_fd >= 0);
	bitmap = g_build_filename(f->root, BITMAP, NULL);
	assert_int_equal(stat(bitmap, &kernel.bitmap), 0);
	kernel.max_pfn = 1ull << 27;
	kernel.accessed = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
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
	close(kernel.flags_fd);
	g_hash_table_unref(kernel.accessed);
	memset(&kernel, 0, sizeof(kernel));
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
	put_flags(69, LRU);
	map(f, 9000, 1 << 20, LRU);
	started(f);
	assert_true(is_idle(70) && is_idle(71) && is_idle(1 << 20));
	assert_false(is_idle(69));
	passes(f);
	found(f, 0);
	assert_int_equal(f->tested, 3);
	touch(71);
	passes(f);
	found(f, 1, 4u);
	assert_int_equal(f->samples, 1);
	assert_true(is_idle(71));
	assert_false(is_idle(69));
	touch(1 << 20);
	passes(f);
	found(f, 1, 9000u);
	passes(f);
	found(f, 0);
	assert_true(f->t->ops->stats(f->t, &st, NULL));
	assert_int_equal(st.passes, 4);
	assert_true(st.cpu_ns > 0);
	/* Of 16 MiB each, in two places, 1 KiB for this pass, and for the one before. */
	assert_true(st.memory_bytes > PAGES / 8 + 4 * 1024);
}

/* An access that comes just after the look belongs to the next pass: marking would hide it. */
static void test_access_after_look(void **state)
{
	Fixture *f = *state;

	map(f, 3, 70, LRU);
	started(f);
	kernel.touch_after_look = 70;
	passes(f);
	found(f, 0);
	passes(f);
	found(f, 1, 3u);
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
	found(f, 0);
	touch(scattered(17));
	touch(1000);
	map(f, 400, 0, 0);
	passes(f);
	found(f, 1, 117u);
}

/* A large page is one sample by the bit of its first frame, also where the first frame is another VM's, or far away. */
static void test_large_pages(void **state)
{
	Fixture *f = *state;

	map_large(f, 512, 4096, 512);
	map_large(f, 2000, 8192, 16);
	/* The VM has pages 300 to 302 of one whose first frame is 16384. */
	put_flags(16384, LRU | HEAD);
	for (guint i = 0; i < 300; i++)
		put_flags(16385 + i, TAIL);
	for (guint i = 0; i < 3; i++)
		map(f, 3000 + i, 16384 + 300 + i, TAIL);
	started(f);
	assert_true(is_idle(4096) && is_idle(8192) && is_idle(16384));
	passes(f);
	found(f, 0);
	assert_int_equal(f->tested, 3);
	touch(4096);
	passes(f);
	assert_int_equal(f->found->len, 512);
	assert_int_equal(g_array_index(f->found, guint64, 0), GFN + 512);
	assert_int_equal(f->samples, 1);
	assert_int_equal(f->order, 9);
	assert_true(is_idle(4096));
	touch(8192);
	passes(f);
	assert_int_equal(f->found->len, 16);
	assert_int_equal(f->samples, 1);
	assert_int_equal(f->order, 0);
	touch(16384);
	passes(f);
	found(f, 3, 3000u, 3001u, 3002u);
	assert_int_equal(f->samples, 1);
	assert_true(is_idle(16384));
}

/* A large page that two reads of the bitmap have, and two reads of the page map, is found whole, and marked once. */
static void test_large_page_across_reads(void **state)
{
	Fixture *f = *state;

	/* A chunk of the page map begins at page 3584; its frames begin in a word at frame 64, so that 4160 is the next read's. */
	for (guint i = 0; i < 4096 - 100; i++)
		map(f, 3584 + i, 100 + i, LRU);
	map_large(f, 3584 + 4096 - 100, 4096, 128);
	started(f);
	passes(f);
	found(f, 0);
	touch(4096);
	passes(f);
	assert_int_equal(f->found->len, 128);
	assert_int_equal(g_array_index(f->found, guint64, 127), GFN + 3584 + 4223 - 100);
	assert_int_equal(f->samples, 2);
	assert_true(is_idle(4096));
	passes(f);
	found(f, 0);
}

/* The hole of the VGA memory divides a large page into parts of two memory regions: both are found, whichever was accessed. */
static void test_large_page_in_two_parts(void **state)
{
	Fixture *f = *state;
	KxLayoutPart *first = &g_array_index(f->layout.parts, KxLayoutPart, 0);
	const KxLayoutPart second = { GFN + 192, PAGES - 192, HVA + (192 << 12) };

	first->npages = 160;
	g_array_append_val(f->layout.parts, second);
	map_large(f, 0, 4096, 512);
	for (guint i = 160; i < 192; i++)
		map(f, i, 0, 0);
	map(f, 600, 1000, LRU); /* looked at between the two parts */
	started(f);
	passes(f);
	found(f, 0);
	touch(4096);
	passes(f);
	assert_int_equal(f->found->len, 512 - 32);
	assert_int_equal(g_array_index(f->found, guint64, 0), GFN);
	assert_int_equal(g_array_index(f->found, guint64, 160), GFN + 192);
	passes(f);
	found(f, 0);
}

/* One frame behind pages of two reads of the page map: what the first look says holds for both, in this pass and in the next. */
static void test_shared_frame(void **state)
{
	Fixture *f = *state;

	map(f, 300, 1000, LRU | KSM);
	map(f, 8200, 1000, LRU | KSM);
	map(f, 301, 1001, LRU);
	map(f, 8201, 900, LRU);
	started(f);
	passes(f);
	found(f, 0);
	touch(1000);
	passes(f);
	found(f, 2, 300u, 8200u);
	passes(f);
	found(f, 0);
	/* Accessed between the two looks of a pass: not found by halves, and not lost. */
	kernel.touch_after_look = 1000;
	passes(f);
	found(f, 0);
	passes(f);
	found(f, 2, 300u, 8200u);
	/* Accessed before the pass, and again after it was marked: found in both. */
	touch(1000);
	kernel.touch_after_mark = 1000;
	passes(f);
	found(f, 2, 300u, 8200u);
	passes(f);
	found(f, 2, 300u, 8200u);
	passes(f);
	found(f, 0);
}

static void told_untracked(const Fixture *f, guint64 pages)
{
	g_autoptr(KxWindow) w = told(f);

	assert_int_equal(w->idle_untracked, pages);
}

/* What is in no list cannot be marked, and its bit means nothing; once it can be marked, its accesses count from then on. */
static void test_pages_without_a_flag(void **state)
{
	Fixture *f = *state;

	map(f, 5, 640, LRU);
	map(f, 6, 641, ZEROS);
	map(f, 7, 642, 0);
	started(f);
	assert_true(is_idle(640));
	assert_false(is_idle(641) || is_idle(642));
	passes(f);
	found(f, 0);
	told_untracked(f, 2);
	/* It was mapped before tracking began, and comes into a list: marked, not found. */
	put_flags(642, LRU);
	passes(f);
	found(f, 0);
	told_untracked(f, 2);
	assert_true(is_idle(642));
	touch(642);
	passes(f);
	found(f, 1, 7u);
	told_untracked(f, 1);
	/* It is moved by the kernel for a moment, with its mark: its bit reads 0. */
	put_flags(642, IDLE);
	passes(f);
	found(f, 0);
	told_untracked(f, 1);
	/* A page that was not there before was accessed by whoever mapped it. */
	put_flags(642, LRU | IDLE);
	map(f, 8, 643, LRU);
	passes(f);
	found(f, 1, 8u);
	/* It lost its mark while it was away, so it was accessed. */
	put_flags(643, 0);
	passes(f);
	found(f, 0);
	told_untracked(f, 2);
	put_flags(643, LRU);
	passes(f);
	found(f, 1, 8u);
	told_untracked(f, 1);
	/* The first write gives memory that was only read a frame of its own. */
	map(f, 6, 644, LRU);
	passes(f);
	found(f, 1, 6u);
	told_untracked(f, 0);
}

/* A new page waits in a CPU's batch before it comes into a list: the pass that can mark it first finds it, once. */
static void test_new_page_in_batch(void **state)
{
	Fixture *f = *state;

	map(f, 1, 100, LRU);
	started(f);
	map(f, 700, 3000, 0);
	passes(f);
	found(f, 0);
	told_untracked(f, 1);
	passes(f);
	found(f, 0);
	put_flags(3000, LRU);
	touch(3000);
	passes(f);
	found(f, 1, 700u);
	told_untracked(f, 0);
	passes(f);
	found(f, 0);
	touch(3000);
	passes(f);
	found(f, 1, 700u);
}

/* The kernel puts pages into other frames, which have no mark: marked and counted, not found. */
static void test_moved_pages(void **state)
{
	Fixture *f = *state;

	for (guint i = 0; i < 512; i++)
		map(f, 1024 + i, 5000 + 3 * i, LRU);
	map(f, 512, 9000, LRU); /* alone in the block that it is in */
	map(f, 3, 9001, LRU);
	map(f, 4, 9002, LRU);
	started(f);
	passes(f);
	found(f, 0);
	/* khugepaged makes large pages of them, and fills up the one that had a page alone. */
	map_large(f, 1024, 16384, 512);
	map_large(f, 512, 8192, 512);
	/* KSM merges one, and compaction moves another, whose mark goes with it. */
	map(f, 3, 9100, LRU | KSM);
	map(f, 4, 9101, LRU | IDLE);
	passes(f);
	found(f, 0);
	assert_int_equal(f->samples, 0);
	told_untracked(f, 512 + 512 + 1);
	assert_true(is_idle(16384) && is_idle(8192) && is_idle(9100));
	passes(f);
	found(f, 0);
	told_untracked(f, 0);
	touch(16384);
	touch(9101);
	passes(f);
	assert_int_equal(f->found->len, 513);
	assert_int_equal(f->samples, 2);
}

/* A large page of which nothing was mapped before was mapped by an access. */
static void test_new_large_page(void **state)
{
	Fixture *f = *state;

	map(f, 1, 100, LRU);
	started(f);
	map_large(f, 1024, 16384, 512);
	passes(f);
	assert_int_equal(f->found->len, 512);
	assert_int_equal(f->samples, 1);
	told_untracked(f, 0);
	passes(f);
	found(f, 0);
}

/* The host's memory ends within a word of the bitmap. */
static void test_last_word(void **state)
{
	Fixture *f = *state;

	kernel.max_pfn = 0x7ddc;
	map(f, 300, 0x7dd0, LRU);
	map(f, 301, 0x7ddb, LRU);
	map(f, 302, 0x7dbf, LRU); /* in the word before: read and written with it */
	started(f);
	assert_true(is_idle(0x7dd0) && is_idle(0x7ddb) && is_idle(0x7dbf));
	passes(f);
	found(f, 0);
	touch(0x7ddb);
	passes(f);
	found(f, 1, 301u);
	touch(0x7dbf);
	touch(0x7dd0);
	passes(f);
	found(f, 2, 300u, 302u);
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
	touch(6400);
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
	for (guint i = 0; i < 10; i++) {
		assert_int_equal(is_idle(64 + i), i >= 2 && i < 5);
		touch(64 + i);
	}
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

/* The page map has nothing to read any more: the pass fails, and the session goes on if @drains, to notice the end by itself. */
static void gone(Fixture *f, const char *words, gboolean drains)
{
	g_autoptr(GError) error = NULL;

	assert_false(run_pass(f->t, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_VM_GONE));
	if (!strstr(error->message, words))
		fail_msg("%s", error->message);
	assert_int_equal(f->t->ops->drain(f->t, &sink, f, NULL), drains);
}

static void test_gone(void **state)
{
	Fixture *f = *state;
	g_autofree char *path = g_build_filename(f->proc, "4711", NULL);
	g_autofree char *map_path = g_build_filename(f->proc, "4711/pagemap", NULL);

	map(f, 1, 99, LRU);
	started(f);
	assert_int_equal(truncate(map_path, 8), 0);
	fake_remove(path);
	gone(f, "it has ended", TRUE);
}

/* Another process has the VMM's number: the page map that is open is still the VMM's. */
static void test_number_given_away(void **state)
{
	Fixture *f = *state;
	g_autofree char *map_path = g_build_filename(f->proc, "4711/pagemap", NULL);

	map(f, 1, 99, LRU);
	started(f);
	assert_int_equal(truncate(map_path, 8), 0);
	vmm_started(f, "2000");
	gone(f, "another process has its number", FALSE);
}

/* The VMM has executed another program: its page map is another one now. */
static void test_exec(void **state)
{
	Fixture *f = *state;
	g_autofree char *map_path = g_build_filename(f->proc, "4711/pagemap", NULL);
	g_autofree char *old = g_build_filename(f->proc, "4711/old", NULL);

	map(f, 1, 99, LRU);
	started(f);
	assert_int_equal(g_rename(map_path, old), 0);
	assert_int_equal(truncate(old, 8), 0);
	sized(f, "proc/4711/pagemap", (off_t)((HVA >> 12) + PAGES) * 8);
	gone(f, "it has executed another program", FALSE);
}

/* Nothing explains why there is nothing to read: this is no end of the VM. */
static void test_lost(void **state)
{
	Fixture *f = *state;
	g_autofree char *map_path = g_build_filename(f->proc, "4711/pagemap", NULL);
	g_autoptr(GError) error = NULL;

	map(f, 1, 99, LRU);
	started(f);
	assert_int_equal(truncate(map_path, 8), 0);
	assert_false(run_pass(f->t, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_FAILED));
	assert_false(f->t->ops->drain(f->t, &sink, f, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_finds_what_was_accessed),
		CASE(test_access_after_look),
		CASE(test_scattered_frames),
		CASE(test_large_pages),
		CASE(test_large_page_across_reads),
		CASE(test_large_page_in_two_parts),
		CASE(test_shared_frame),
		CASE(test_pages_without_a_flag),
		CASE(test_new_page_in_batch),
		CASE(test_moved_pages),
		CASE(test_new_large_page),
		CASE(test_last_word),
		CASE(test_merged_pages),
		CASE(test_range),
		CASE(test_kernel_without),
		CASE(test_permission),
		CASE(test_memory_without_flags),
		CASE(test_gone),
		CASE(test_number_given_away),
		CASE(test_exec),
		CASE(test_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
