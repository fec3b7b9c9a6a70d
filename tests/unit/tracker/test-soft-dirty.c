// SPDX-License-Identifier: GPL-2.0-or-later
/* soft-dirty against files in place of a process's page map: entries that must not count, and processes that end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/error.h"
#include "cases.h"
#include "fake-root.h"
#include "run-pass.h"
#include "tracker/tracker.h"

#define PID	   4711
#define PRESENT	   (1ull << 63)
#define SWAPPED	   (1ull << 62)
#define SOFT_DIRTY (1ull << 55)
#define HUGETLB	   (1ull << 17)

/* Two parts: 1024 pages from gfn 0 on, and 20000 from gfn 1M on, somewhere else. */
#define LOW_HVA	   0x40000000ull
#define LOW_PAGES  1024u
#define HIGH_HVA   0x7f0000200000ull
#define HIGH_GFN   0x100000ull
#define HIGH_PAGES 20000u

typedef struct {
	char *root;
	KxLayout layout;
	const KxLayout *as_known;
	struct kvm_ext_vm vm;
	KxTracker *t;
	KxOptions o;
	/* of passes that count */
	GArray *found; /* guint64 gfn */
	guint64 samples, pages, scanned;
	guint huge_runs, cuts;
} Fixture;

static void put_word(const Fixture *f, const char *name, guint64 index, guint64 word)
{
	g_autofree char *path = g_build_filename(f->root, name, NULL);
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &word, sizeof(word), (off_t)(index * 8)), 8);
	close(fd);
}

static void put_entry(const Fixture *f, guint64 hva, guint64 entry)
{
	put_word(f, "4711/pagemap", hva >> 12, entry);
}

static void sized(const Fixture *f, const char *name, off_t bytes)
{
	g_autofree char *path = g_build_filename(f->root, name, NULL);

	assert_int_equal(truncate(path, bytes), 0);
}

static char *cleared(const Fixture *f)
{
	g_autofree char *path = g_build_filename(f->root, "4711/clear_refs", NULL);
	char *text = NULL;

	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_true(g_file_set_contents(path, "", 0, NULL) || TRUE);
	return text;
}

/* The entry of the page at @hva. Frames follow addresses, so that consecutive pages have consecutive frames. */
static guint64 at(guint64 hva, guint64 flags)
{
	return flags | (hva >> 12 & 0xfffffff) | 0x1000000;
}

static void add_part(KxLayout *l, guint64 gfn, guint64 npages, guint64 hva)
{
	const KxLayoutPart part = { gfn, npages, hva };

	g_array_append_val(l->parts, part);
}

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);

	f->root = fake_root_new();
	fake_write(f->root, "4711/pagemap", "");
	fake_write(f->root, "4711/clear_refs", "");
	fake_write(f->root, "4711/stat", "4711 (qemu (x)) S 1 2 3 4 5 4194560 0");
	fake_write(f->root, "kpageflags", "");
	sized(f, "4711/pagemap", (off_t)((HIGH_HVA >> 12) + HIGH_PAGES) * 8);
	sized(f, "kpageflags", (off_t)1 << 32);
	f->layout.parts = g_array_new(FALSE, FALSE, sizeof(KxLayoutPart));
	add_part(&f->layout, 0, LOW_PAGES, LOW_HVA);
	add_part(&f->layout, HIGH_GFN, HIGH_PAGES, HIGH_HVA);
	f->as_known = &f->layout;
	f->vm.ram_pages = kx_layout_pages(&f->layout);
	f->vm.last_gfn = kx_layout_last_gfn(&f->layout);
	f->found = g_array_new(FALSE, FALSE, sizeof(guint64));
	kx_options_init(&f->o);
	assert_true(kx_options_set(&f->o, "tracker", "soft-dirty", NULL));
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
	g_free(f);
	return 0;
}

#define AROUND 65536u /* pages */
/* Whether the fake kernel sets soft-dirty bits for the pages of this process. */
static void knows_soft_dirty(const Fixture *f, gboolean knows)
{
	g_autofree char *path = g_build_filename(f->root, "self/pagemap", NULL);
	g_autofree guint64 *yes = g_new(guint64, AROUND);
	void *near;
	int fd;

	fake_write(f->root, "self/pagemap", "");
	sized(f, "self/pagemap", (off_t)1 << 40);
	if (!knows)
		return;
	/* It is not known which page the tracker will test: all pages within 128 MiB of a new page get the bit. */
	near = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(near, 4096);
	for (guint64 i = 0; i < AROUND; i++)
		yes[i] = PRESENT | SOFT_DIRTY;
	fd = open(path, O_WRONLY);
	assert_int_equal(
		pwrite(fd, yes, AROUND * 8, (off_t)(((guintptr)near / 4096 - AROUND / 2) * 8)),
		AROUND * 8);
	close(fd);
}

static gboolean start(Fixture *f, GError **error)
{
	const KxTrackerVm vm = { .pid = PID,
				 .proc_root = f->root,
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

	f->huge_runs += r->leaf_order == 9;
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

	f->cuts += (r->h.flags & KVM_EXT_PASS_CUT) != 0;
	if (r->h.flags)
		return;
	f->samples += r->samples;
	f->pages += r->sample_pages;
	f->scanned += r->pages_scanned;
}

static const KxStreamOps sink = { .run = on_run, .bitmap = on_bitmap, .pass_end = on_end };

static void started(Fixture *f)
{
	g_autoptr(GError) error = NULL;

	knows_soft_dirty(f, TRUE);
	if (!start(f, &error))
		fail_msg("%s", error->message);
}

static void passes(Fixture *f)
{
	g_autoptr(GError) error = NULL;

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
		assert_int_equal(g_array_index(f->found, guint64, i), va_arg(args, guint64));
	va_end(args);
}

/* --- cases ------------------------------------------------------------------------------------------------------------------ */

/* Written pages are found in their part; a page that is not present was not written, even if its bit is set. */
static void test_finds_what_was_written(void **state)
{
	Fixture *f = *state;
	g_autofree char *said = NULL;
	struct kvm_ext_stats st;

	put_entry(f, LOW_HVA + 0x3000, at(LOW_HVA + 0x3000, PRESENT | SOFT_DIRTY));
	put_entry(f, LOW_HVA + 0x4000, at(LOW_HVA + 0x4000, PRESENT));
	put_entry(f, LOW_HVA + 0x5000, SOFT_DIRTY);
	put_entry(f, LOW_HVA - 0x1000, at(LOW_HVA - 0x1000, PRESENT | SOFT_DIRTY));
	put_entry(f, LOW_HVA + LOW_PAGES * 4096, at(0, PRESENT | SOFT_DIRTY));
	put_entry(f, HIGH_HVA, SWAPPED | SOFT_DIRTY | 0x1234);
	put_entry(f, HIGH_HVA + 0x4000000, at(HIGH_HVA + 0x4000000, PRESENT | SOFT_DIRTY));
	put_entry(f, HIGH_HVA + (HIGH_PAGES - 1) * 4096ull, at(7, PRESENT | SOFT_DIRTY));
	started(f);
	passes(f);
	found(f, 4, (guint64)3, HIGH_GFN, HIGH_GFN + 0x4000, HIGH_GFN + HIGH_PAGES - 1);
	assert_int_equal(f->samples, 4);
	assert_int_equal(f->scanned, LOW_PAGES + HIGH_PAGES);
	assert_true(f->t->ops->stats(f->t, &st, NULL));
	assert_int_equal(st.passes, 1);
	assert_int_equal(st.samples, 4);
	assert_int_equal(st.leaves_tested, 4);
	assert_true(st.cpu_ns > 0);
	said = cleared(f);
	assert_string_equal(said, "4\n");
}

/* A huge page is one sample; 512 small pages that are all written are 512 samples. */
static void test_huge_pages(void **state)
{
	Fixture *f = *state;

	for (guint64 i = 0; i < 512; i++) {
		guint64 huge = HIGH_HVA + (512 + i) * 4096, small = HIGH_HVA + (1024 + i) * 4096;

		put_entry(f, huge, at(huge, PRESENT | SOFT_DIRTY));
		put_entry(f, small, at(small, PRESENT | SOFT_DIRTY) + 1);
	}
	started(f);
	passes(f);
	assert_int_equal(f->pages, 1024);
	assert_int_equal(f->samples, 1 + 512);
	assert_int_equal(f->huge_runs, 1);
	assert_int_equal(f->found->len, 1024);
}

static void test_range(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;

	for (guint64 i = 0; i < 20; i++)
		put_entry(f, HIGH_HVA + i * 4096, at(HIGH_HVA + i * 4096, PRESENT | SOFT_DIRTY));
	assert_true(kx_options_set(&f->o, "range", "0x100002+3", NULL));
	started(f);
	passes(f);
	found(f, 3, HIGH_GFN + 2, HIGH_GFN + 3, HIGH_GFN + 4);
	assert_int_equal(f->scanned, 3);
	/* The setting is refused, and the running one continues. */
	assert_true(kx_options_set(&f->o, "range", "0x80000+100", NULL));
	assert_false(start(f, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_INVALID_OPTION));
	passes(f);
	assert_int_equal(f->found->len, 6);
}

static void refused(Fixture *f, KxError code, const char *words)
{
	g_autoptr(GError) error = NULL;

	assert_false(start(f, &error));
	assert_true(g_error_matches(error, KX_ERROR, code));
	if (!strstr(error->message, words))
		fail_msg("%s", error->message);
}

static void test_kernel_without(void **state)
{
	Fixture *f = *state;

	knows_soft_dirty(f, FALSE);
	refused(f, KX_ERROR_NOT_SUPPORTED, "CONFIG_MEM_SOFT_DIRTY");
}

static void test_hugetlb(void **state)
{
	Fixture *f = *state;
	guint64 page = LOW_HVA + 0x9000, entry = at(page, PRESENT);

	knows_soft_dirty(f, TRUE);
	put_entry(f, page, entry);
	put_word(f, "kpageflags", entry & (SOFT_DIRTY - 1), HUGETLB);
	refused(f, KX_ERROR_NOT_SUPPORTED, "hugetlb");
	/* A kernel that hides the frame numbers. */
	put_entry(f, page, PRESENT);
	refused(f, KX_ERROR_ACCESS_DENIED, "CAP_SYS_ADMIN");
}

/* Hugetlb memory that only a pass can see, because it is after the first chunk. */
static void test_hugetlb_seen_later(void **state)
{
	Fixture *f = *state;
	guint64 page = HIGH_HVA + 18000 * 4096ull, entry = at(page, PRESENT | SOFT_DIRTY);
	g_autoptr(GError) error = NULL, ends = NULL;

	put_word(f, "kpageflags", entry & (SOFT_DIRTY - 1), HUGETLB);
	started(f);
	passes(f);
	put_entry(f, page, entry);
	assert_false(run_pass(f->t, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED));
	assert_false(f->t->ops->drain(f->t, &sink, f, &ends));
	assert_non_null(strstr(ends->message, "hugetlb"));
	assert_int_equal(f->found->len, 0);
}

static void test_permission(void **state)
{
	Fixture *f = *state;
	g_autofree char *path = g_build_filename(f->root, "4711/clear_refs", NULL);
	gboolean root = geteuid() == 0;

	knows_soft_dirty(f, TRUE);
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(chmod(f->root, 0755), 0);
	assert_true(!root || seteuid(65534) == 0);
	refused(f, KX_ERROR_ACCESS_DENIED, "4711/clear_refs");
	assert_true(!root || seteuid(0) == 0);
}

static void test_no_such_process(void **state)
{
	Fixture *f = *state;
	g_autofree char *path = g_build_filename(f->root, "4711", NULL);

	knows_soft_dirty(f, TRUE);
	fake_remove(path);
	refused(f, KX_ERROR_NOT_SUPPORTED, "4711/pagemap");
}

/* The page map ends when the process has given up its memory; the session itself notices that the VM is gone. */
static void ends_as(Fixture *f, const char *stat, KxError code)
{
	g_autoptr(GError) error = NULL;
	struct kvm_ext_stats st;

	put_entry(f, LOW_HVA, at(LOW_HVA, PRESENT | SOFT_DIRTY));
	started(f);
	passes(f);
	if (stat) {
		fake_write(f->root, "4711/stat", stat);
	} else {
		g_autofree char *path = g_build_filename(f->root, "4711", NULL);

		sized(f, "4711/pagemap", (off_t)((HIGH_HVA >> 12) + 5000) * 8);
		fake_remove(path);
	}
	if (stat)
		sized(f, "4711/pagemap", (off_t)((HIGH_HVA >> 12) + 5000) * 8 + 3);
	assert_false(run_pass(f->t, &error));
	assert_true(g_error_matches(error, KX_ERROR, (int)code));
	assert_int_equal(f->t->ops->drain(f->t, &sink, f, NULL), code == KX_ERROR_VM_GONE);
	assert_true(f->t->ops->stats(f->t, &st, NULL));
	assert_int_equal((st.state & KVM_EXT_STATE_VM_GONE) != 0, code == KX_ERROR_VM_GONE);
	assert_int_equal(st.passes, 1);
	assert_int_equal(f->cuts, 1);
}

static void test_gone(void **state)
{
	ends_as(*state, NULL, KX_ERROR_VM_GONE);
}

static void test_exits(void **state)
{
	ends_as(*state, "4711 (qemu) R 1 2 3 4 5 4194564 0", KX_ERROR_VM_GONE);
}

static void test_zombie(void **state)
{
	ends_as(*state, "4711 (a) Z) Z 1 2 3 4 5 4194560 0", KX_ERROR_VM_GONE);
}

static void test_truncated(void **state)
{
	ends_as(*state, "4711 (qemu (x)) S 1 2 3 4 5 4194560 0", KX_ERROR_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_finds_what_was_written),
		CASE(test_huge_pages),
		CASE(test_range),
		CASE(test_kernel_without),
		CASE(test_hugetlb),
		CASE(test_hugetlb_seen_later),
		CASE(test_permission),
		CASE(test_no_such_process),
		CASE(test_gone),
		CASE(test_exits),
		CASE(test_zombie),
		CASE(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
