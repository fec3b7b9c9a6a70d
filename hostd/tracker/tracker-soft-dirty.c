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
#include "pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"

G_STATIC_ASSERT(KX_PAGEMAP_CHUNK % KX_HUGE_PAGES == 0);

typedef struct {
	KxPageMap *map;
	int clear_refs;
	guint64 bits[KX_PASS_BITMAP_WORDS];
} SoftDirty;

/* A page that was just written has the bit, unless the kernel does not support soft-dirty bits. */
static gboolean check_kernel(const char *proc_root, GError **error)
{
	g_autofree char *path = g_build_filename(proc_root, "self/pagemap", NULL);
	gsize page = (gsize)sysconf(_SC_PAGESIZE);
	int fd = kx_pagemap_open_file("soft-dirty", path, O_RDONLY, error);
	guint64 entry = 0;
	char *own;

	if (fd < 0)
		return FALSE;
	own = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (own != MAP_FAILED) {
		*(volatile char *)own = 1;
		if (kx_words_read(fd, (guintptr)own / page, &entry, 1) != 1)
			entry = 0;
		munmap(own, page);
	}
	close(fd);
	if (entry & KX_PAGE_SOFT_DIRTY)
		return TRUE;
	g_set_error_literal(
		error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
		"tracker soft-dirty: the host's kernel has no soft-dirty bits: it is built "
		"without CONFIG_MEM_SOFT_DIRTY");
	return FALSE;
}

/* --- a pass --------------------------------------------------------------------------------------------------------------- */

static gboolean is_written(guint64 entry)
{
	return entry & KX_PAGE_SOFT_DIRTY && entry & (KX_PAGE_PRESENT | KX_PAGE_SWAPPED);
}

/* Whether 512 entries are one huge page with its bit set: consecutive frames, the first a multiple of 512, all written. */
static gboolean is_huge(const guint64 *entries)
{
	guint64 first = entries[0] & KX_PAGE_FRAME;

	if (!first || first % KX_HUGE_PAGES)
		return FALSE;
	for (guint i = 0; i < KX_HUGE_PAGES; i++) {
		if (!(entries[i] & KX_PAGE_PRESENT) || !(entries[i] & KX_PAGE_SOFT_DIRTY) ||
		    (entries[i] & KX_PAGE_FRAME) != first + i)
			return FALSE;
	}
	return TRUE;
}

/* Reports the written pages of the chunk. */
static gboolean find(gpointer work, KxPass *p, const KxPageMapChunk *c, GError **error)
{
	SoftDirty *s = work;
	guint64 present = 0;

	memset(s->bits, 0, sizeof(s->bits));
	for (guint i = 0; i < c->npages; i++) {
		gboolean aligned = !(((c->hva >> KX_PAGE_SHIFT) + i) % KX_HUGE_PAGES);

		if (aligned && c->npages - i >= KX_HUGE_PAGES && is_huge(c->entries + i)) {
			kx_pass_found_run(p, c->gfn + i, KX_HUGE_PAGES, KX_HUGE_ORDER);
			present++;
			i += KX_HUGE_PAGES - 1;
			continue;
		}
		present += (c->entries[i] & KX_PAGE_PRESENT) != 0;
		if (is_written(c->entries[i]))
			s->bits[i / 64] |= 1ull << i % 64;
	}
	kx_pass_found_bits(p, c->gfn, s->bits, (c->npages + 63) / 64);
	kx_pass_looked(p, c->npages, present);
	return TRUE;
}

static gboolean clear(const SoftDirty *s, GError **error)
{
	static const char soft_dirty[] = "4\n";
	gssize done;

	do
		done = pwrite(s->clear_refs, soft_dirty, strlen(soft_dirty), 0);
	while (done < 0 && errno == EINTR);
	return done > 0 || kx_pagemap_lost(s->map, "clear_refs", errno, error);
}

static gboolean soft_dirty_pass(gpointer work, KxPass *p, GError **error)
{
	SoftDirty *s = work;

	kx_pass_expect(p, kx_pagemap_pages(s->map));
	if (!kx_pass_primes(p) && !kx_pagemap_walk(s->map, p, find, s, error))
		return FALSE;
	return kx_pass_is_cut(p) || clear(s, error);
}

/* --- start ------------------------------------------------------------------------------------------------------------------ */

static void soft_dirty_free(gpointer work)
{
	SoftDirty *s = work;

	if (s->clear_refs >= 0)
		close(s->clear_refs);
	kx_pagemap_free(s->map);
	g_free(s);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SoftDirty, soft_dirty_free)

static gsize soft_dirty_bytes(gconstpointer work)
{
	const SoftDirty *s = work;

	return sizeof(*s) + kx_pagemap_bytes(s->map);
}

static gboolean soft_dirty_start(KxTracker *t, const KxOptions *o, GError **error)
{
	static const KxPassOps ops = { .thread = "kx-soft-dirty",
				       .pass = soft_dirty_pass,
				       .free = soft_dirty_free,
				       .bytes = soft_dirty_bytes };
	static const KxPageMapWords words = {
		.tracker = "soft-dirty",
		.hugetlb = "in which the kernel keeps no soft-dirty bits",
		.hidden = "so that memory in which it keeps no soft-dirty bits (hugetlb) cannot be "
			  "told from other memory",
	};
	g_autoptr(SoftDirty) s = g_new0(SoftDirty, 1);

	s->clear_refs = -1;
	if (!check_kernel(t->vm.proc_root, error))
		return FALSE;
	s->map = kx_pagemap_open(&words, &t->vm, o, error);
	if (!s->map)
		return FALSE;
	s->clear_refs = kx_pagemap_open_of(s->map, "clear_refs", O_WRONLY, error);
	if (s->clear_refs < 0)
		return FALSE;
	return kx_passes_start(t, o, &ops, g_steal_pointer(&s), error);
}

const KxTrackerOps kx_tracker_soft_dirty = {
	.name = "soft-dirty",
	.start = soft_dirty_start,
	KX_PASSES_OPS,
};
