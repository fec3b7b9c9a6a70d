// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages written, by the kernel's soft-dirty bits (Documentation/admin-guide/mm/soft-dirty.rst), which checkpoint tools use. This
 * tracker is a baseline, and works without any module.
 *
 * A pass reads the entries of the VM's memory in the VMM's /proc/PID/pagemap; bit 55 is the soft-dirty bit. Then the pass makes
 * the kernel clear the bits and write-protect all mapped pages ("4" to /proc/PID/clear_refs). Consequences for a VM:
 *
 *  - The kernel clears the bits of the whole process while it holds the process's mmap lock for writing, and its MMU notifier
 *    call covers the whole address space: KVM drops all mappings of the VM. So after a pass the first access to each page faults,
 *    whether it is a read or a write.
 *  - A write then also faults in the VMM's page table. This fault sets the bit, whoever writes: the guest, QEMU, vhost or KVM.
 *  - Reading and clearing are two steps. If a page is written for the first time between them, the write is lost: no later pass
 *    finds it.
 *  - A huge page of the host has one bit. 512 consecutive page frames distinguish a huge page from 512 small pages: such a block,
 *    all of it written, counts as one sample. In hugetlb memory the kernel keeps no soft-dirty bits, so such memory is refused.
 */
#include "passthread.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "vm/procstat.h"

#define PAGE_SHIFT 12u

/* Documentation/admin-guide/mm/pagemap.rst */
#define ENTRY_PRESENT	 (1ull << 63)
#define ENTRY_SWAPPED	 (1ull << 62)
#define ENTRY_SOFT_DIRTY (1ull << 55)
#define ENTRY_FRAME	 ((1ull << 55) - 1)
#define FRAME_HUGETLB	 (1ull << 17) /* KPF_HUGE of /proc/kpageflags */

#define HUGE_ORDER 9u
#define HUGE_PAGES (1u << HUGE_ORDER)
/* Entries per read: 32 KiB, which describe 16 MiB of memory. */
#define CHUNK_PAGES (KX_PASS_BITMAP_WORDS * 64u)
G_STATIC_ASSERT(CHUNK_PAGES % HUGE_PAGES == 0);

typedef struct {
	KxLayoutPart at;
	gboolean known; /* this part is known not to be hugetlb memory */
} Part;

typedef struct {
	char *proc_root;
	pid_t pid;
	int pagemap, clear_refs, frames; /* frames: /proc/kpageflags */
	GArray *parts;			 /* Part */
	guint64 pages;			 /* in all parts */
	guint64 entries[CHUNK_PAGES];
	guint64 bits[KX_PASS_BITMAP_WORDS];
} SoftDirty;

/* --- files of /proc --------------------------------------------------------------------------------------------------- */

static int open_proc(const char *proc_root, const char *name, int flags, GError **error)
{
	g_autofree char *path = g_build_filename(proc_root, name, NULL);
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		g_set_error(error, KX_ERROR,
			    errno == EACCES || errno == EPERM	? KX_ERROR_ACCESS_DENIED
			    : errno == ENOENT || errno == ESRCH ? KX_ERROR_NOT_SUPPORTED
								: KX_ERROR_FAILED,
			    "tracker soft-dirty: %s: %s", path, g_strerror(errno));
	return fd;
}

/* Reads @n 64-bit words from word @first on. Returns fewer only at the end of the file; -1: errno. */
static gssize read_words(int fd, guint64 first, guint64 *words, gsize n)
{
	gsize have = 0, want = n * sizeof(*words);

	while (have < want) {
		gssize got = pread(fd, (char *)words + have, want - have,
				   (off_t)(first * sizeof(*words) + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		have += (gsize)got;
	}
	return (gssize)(have / sizeof(*words));
}

/* Sets @error: KX_ERROR_VM_GONE if the process has ended, so that the read failed for this reason. */
static gboolean lost(const SoftDirty *s, const char *what, int err, GError **error)
{
	gboolean over = kx_procstat_is_over(s->proc_root, s->pid);

	g_set_error(error, KX_ERROR, over ? KX_ERROR_VM_GONE : KX_ERROR_FAILED,
		    "tracker soft-dirty: %s of process %d: %s", what, s->pid,
		    over  ? "it has ended"
		    : err ? g_strerror(err)
			  : "it ends before the VM's memory does");
	return FALSE;
}

static gboolean read_entries(SoftDirty *s, guint64 hva, guint n, GError **error)
{
	gssize got = read_words(s->pagemap, hva >> PAGE_SHIFT, s->entries, n);

	return got == (gssize)n || lost(s, "the page map", got < 0 ? errno : 0, error);
}

/* --- unsupported kernels and memory ------------------------------------------------------------------------------------- */

/* A page that was just written has the bit, unless the kernel does not support soft-dirty bits. */
static gboolean check_kernel(const char *proc_root, GError **error)
{
	gsize page = (gsize)sysconf(_SC_PAGESIZE);
	int fd = open_proc(proc_root, "self/pagemap", O_RDONLY, error);
	guint64 entry = 0;
	char *own;

	if (fd < 0)
		return FALSE;
	own = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (own != MAP_FAILED) {
		*(volatile char *)own = 1;
		if (read_words(fd, (guintptr)own / page, &entry, 1) != 1)
			entry = 0;
		munmap(own, page);
	}
	close(fd);
	if (entry & ENTRY_SOFT_DIRTY)
		return TRUE;
	g_set_error_literal(
		error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
		"tracker soft-dirty: the host's kernel has no soft-dirty bits: it is built "
		"without CONFIG_MEM_SOFT_DIRTY");
	return FALSE;
}

static gboolean check_frame(const SoftDirty *s, guint64 entry, GError **error)
{
	guint64 frame = entry & ENTRY_FRAME, flags;

	if (!frame) {
		g_set_error_literal(
			error, KX_ERROR, KX_ERROR_ACCESS_DENIED,
			"tracker soft-dirty: the kernel hides the numbers of page frames "
			"from kvm-extd (CAP_SYS_ADMIN), so that memory in which it keeps "
			"no soft-dirty bits (hugetlb) cannot be told from other memory");
		return FALSE;
	}
	if (read_words(s->frames, frame, &flags, 1) != 1) {
		g_set_error(
			error, KX_ERROR, KX_ERROR_FAILED,
			"tracker soft-dirty: /proc/kpageflags does not tell of the VM's memory");
		return FALSE;
	}
	if (!(flags & FRAME_HUGETLB))
		return TRUE;
	g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "tracker soft-dirty: the VM's memory is hugetlb memory (libvirt: "
			    "<hugepages>), in which the kernel keeps no soft-dirty bits");
	return FALSE;
}

/* Checks the memory of @part by its first present page among the @n entries just read. */
static gboolean check_part(const SoftDirty *s, Part *part, guint n, GError **error)
{
	for (guint i = 0; i < n && !part->known; i++) {
		if (!(s->entries[i] & ENTRY_PRESENT))
			continue;
		if (!check_frame(s, s->entries[i], error))
			return FALSE;
		part->known = TRUE;
	}
	return TRUE;
}

/* --- a pass --------------------------------------------------------------------------------------------------------------- */

static gboolean is_written(guint64 entry)
{
	return entry & ENTRY_SOFT_DIRTY && entry & (ENTRY_PRESENT | ENTRY_SWAPPED);
}

/* Whether 512 entries are one huge page with its bit set: consecutive frames, the first a multiple of 512, all written. */
static gboolean is_huge(const guint64 *entries)
{
	guint64 first = entries[0] & ENTRY_FRAME;

	if (!first || first % HUGE_PAGES)
		return FALSE;
	for (guint i = 0; i < HUGE_PAGES; i++) {
		if (!(entries[i] & ENTRY_PRESENT) || !(entries[i] & ENTRY_SOFT_DIRTY) ||
		    (entries[i] & ENTRY_FRAME) != first + i)
			return FALSE;
	}
	return TRUE;
}

/* Reports the written pages among the @n pages from @gfn on. s->entries contains their entries; the first page is at @hva. */
static void find(SoftDirty *s, KxPass *p, guint64 gfn, guint64 hva, guint n)
{
	guint64 present = 0;

	memset(s->bits, 0, sizeof(s->bits));
	for (guint i = 0; i < n; i++) {
		gboolean aligned = !(((hva >> PAGE_SHIFT) + i) % HUGE_PAGES);

		if (aligned && n - i >= HUGE_PAGES && is_huge(s->entries + i)) {
			kx_pass_found_run(p, gfn + i, HUGE_PAGES, HUGE_ORDER);
			present++;
			i += HUGE_PAGES - 1;
			continue;
		}
		present += (s->entries[i] & ENTRY_PRESENT) != 0;
		if (is_written(s->entries[i]))
			s->bits[i / 64] |= 1ull << i % 64;
	}
	kx_pass_found_bits(p, gfn, s->bits, (n + 63) / 64);
	kx_pass_looked(p, n, present);
}

/* The number of pages up to the next boundary of a chunk of addresses, so that no huge page is divided. */
static guint chunk_of(guint64 hva, guint64 npages)
{
	return (guint)MIN(npages, CHUNK_PAGES - (hva >> PAGE_SHIFT) % CHUNK_PAGES);
}

static gboolean read_part(SoftDirty *s, Part *part, KxPass *p, GError **error)
{
	guint n;

	for (guint64 i = 0; i < part->at.npages; i += n) {
		guint64 hva = part->at.hva + (i << PAGE_SHIFT);

		if (kx_pass_is_cut(p))
			return TRUE;
		n = chunk_of(hva, part->at.npages - i);
		if (!read_entries(s, hva, n, error) || !check_part(s, part, n, error))
			return FALSE;
		find(s, p, part->at.gfn + i, hva, n);
	}
	return TRUE;
}

static gboolean clear(const SoftDirty *s, GError **error)
{
	static const char soft_dirty[] = "4\n";
	gssize done;

	do
		done = pwrite(s->clear_refs, soft_dirty, strlen(soft_dirty), 0);
	while (done < 0 && errno == EINTR);
	return done > 0 || lost(s, "clear_refs", errno, error);
}

static gboolean soft_dirty_pass(gpointer work, KxPass *p, GError **error)
{
	SoftDirty *s = work;

	kx_pass_expect(p, s->pages);
	for (guint i = 0; i < s->parts->len && !kx_pass_primes(p); i++) {
		if (!read_part(s, &g_array_index(s->parts, Part, i), p, error))
			return FALSE;
	}
	return kx_pass_is_cut(p) || clear(s, error);
}

/* --- start ------------------------------------------------------------------------------------------------------------------ */

static void soft_dirty_free(gpointer work)
{
	SoftDirty *s = work;
	const int fds[] = { s->pagemap, s->clear_refs, s->frames };

	for (guint i = 0; i < G_N_ELEMENTS(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	g_array_unref(s->parts);
	g_free(s->proc_root);
	g_free(s);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SoftDirty, soft_dirty_free)

static void take_parts(SoftDirty *s, const KxLayout *layout, const KxOptions *o)
{
	guint64 first = o->range.first_gfn;
	guint64 end = o->range.npages ? first + o->range.npages : G_MAXUINT64;

	for (guint i = 0; i < layout->parts->len; i++) {
		Part part = { .at = g_array_index(layout->parts, KxLayoutPart, i) };
		guint64 from = MAX(part.at.gfn, first), to = MIN(part.at.gfn + part.at.npages, end);

		if (from >= to)
			continue;
		part.at.hva += (from - part.at.gfn) << PAGE_SHIFT;
		part.at.gfn = from;
		part.at.npages = to - from;
		s->pages += part.at.npages;
		g_array_append_val(s->parts, part);
	}
}

/* Checks the first chunk of each part. If no page of that chunk is present, a later pass checks the part. */
static gboolean check_memory(SoftDirty *s, GError **error)
{
	for (guint i = 0; i < s->parts->len; i++) {
		Part *part = &g_array_index(s->parts, Part, i);
		guint n = chunk_of(part->at.hva, part->at.npages);

		if (!read_entries(s, part->at.hva, n, error) || !check_part(s, part, n, error))
			return FALSE;
	}
	if (s->parts->len)
		return TRUE;
	g_set_error_literal(error, KX_ERROR, KX_ERROR_INVALID_OPTION,
			    "tracker soft-dirty: the range holds none of the VM's RAM");
	return FALSE;
}

static gboolean open_files(SoftDirty *s, GError **error)
{
	g_autofree char *pagemap = g_strdup_printf("%d/pagemap", s->pid);
	g_autofree char *clear_refs = g_strdup_printf("%d/clear_refs", s->pid);

	s->pagemap = open_proc(s->proc_root, pagemap, O_RDONLY, error);
	if (s->pagemap < 0)
		return FALSE;
	s->clear_refs = open_proc(s->proc_root, clear_refs, O_WRONLY, error);
	if (s->clear_refs < 0)
		return FALSE;
	s->frames = open_proc(s->proc_root, "kpageflags", O_RDONLY, error);
	return s->frames >= 0;
}

static gsize soft_dirty_bytes(gconstpointer work)
{
	const SoftDirty *s = work;

	return sizeof(*s) + s->parts->len * sizeof(Part);
}

static gboolean soft_dirty_start(KxTracker *t, const KxOptions *o, GError **error)
{
	static const KxPassOps ops = { .thread = "kx-soft-dirty",
				       .pass = soft_dirty_pass,
				       .free = soft_dirty_free,
				       .bytes = soft_dirty_bytes };
	g_autoptr(SoftDirty) s = g_new0(SoftDirty, 1);

	s->proc_root = g_strdup(t->vm.proc_root);
	s->pid = t->vm.pid;
	s->pagemap = s->clear_refs = s->frames = -1;
	s->parts = g_array_new(FALSE, FALSE, sizeof(Part));
	take_parts(s, *t->vm.layout, o);
	if (!check_kernel(s->proc_root, error) || !open_files(s, error) || !check_memory(s, error))
		return FALSE;
	return kx_passes_start(t, o, &ops, g_steal_pointer(&s), error);
}

static gboolean soft_dirty_serves(const KxTrackerRow *row, gboolean module)
{
	return g_str_equal(row->name, "soft-dirty");
}

const KxTrackerOps kx_tracker_soft_dirty = {
	.name = "soft-dirty",
	.serves = soft_dirty_serves,
	.start = soft_dirty_start,
	KX_PASSES_OPS,
};
