/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM's memory as the VMM's page map tells of it (Documentation/admin-guide/mm/pagemap.rst): which page of the host is behind
 * which page of the guest. For trackers without the module that go by what the kernel keeps of each page.
 */
#ifndef KX_PAGEMAP_H
#define KX_PAGEMAP_H

#include "passthread.h"

#define KX_PAGE_SHIFT	   12u
#define KX_HUGE_ORDER	   9u
#define KX_HUGE_PAGES	   (1u << KX_HUGE_ORDER)
#define KX_PAGE_PRESENT	   (1ull << 63)
#define KX_PAGE_SWAPPED	   (1ull << 62)
#define KX_PAGE_SOFT_DIRTY (1ull << 55)
#define KX_PAGE_FRAME	   ((1ull << 55) - 1)

/* Entries per read: 32 KiB, which describe 16 MiB of memory. Chunks begin at multiples of that, so that none divides a huge page. */
#define KX_PAGEMAP_CHUNK (KX_PASS_BITMAP_WORDS * 64u)

/* How refusals call the tracker, and two clauses of theirs. */
typedef struct {
	const char *tracker;
	const char *hugetlb; /* what is wrong with hugetlb memory: "in which the kernel …" */
	const char *
		hidden; /* what cannot be done while the kernel hides the numbers of page frames: "so that …" */
} KxPageMapWords;

typedef struct _KxPageMap KxPageMap;

/* Pages that follow each other in the guest and in the VMM, at most KX_PAGEMAP_CHUNK. */
typedef struct {
	guint64 gfn, hva;
	guint64 place; /* of the first page among all pages of the page map */
	guint npages;
	const guint64
		*entries; /* one for each page; KX_PAGE_FRAME is 0 where the kernel hides it */
} KxPageMapChunk;

/*
 * The page map of the memory that @o has in its range. Refuses hugetlb memory as far as it is seen now; a walk refuses what it
 * sees later. @words lives as long as the page map. NULL: KX_ERROR_ACCESS_DENIED, KX_ERROR_NOT_SUPPORTED (a file is not there,
 * hugetlb), KX_ERROR_INVALID_OPTION (the range has no RAM), KX_ERROR_VM_GONE, KX_ERROR_FAILED.
 */
KxPageMap *kx_pagemap_open(const KxPageMapWords *words, const KxTrackerVm *vm, const KxOptions *o,
			   GError **error);
void kx_pagemap_free(KxPageMap *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxPageMap, kx_pagemap_free)

guint64 kx_pagemap_pages(const KxPageMap *m);
gsize kx_pagemap_bytes(const KxPageMap *m);

/* Calls @look for each chunk, ascending by gfn, until it returns FALSE with an error, or the pass is cut. Errors as of a pass. */
typedef gboolean (*KxPageMapLook)(gpointer data, KxPass *p, const KxPageMapChunk *c,
				  GError **error);
gboolean kx_pagemap_walk(KxPageMap *m, KxPass *p, KxPageMapLook look, gpointer data,
			 GError **error);

/* Opens a file of the VMM's process ("clear_refs"). -1: errors as of kx_pagemap_open(). */
int kx_pagemap_open_of(const KxPageMap *m, const char *name, int flags, GError **error);
/* Opens any file for a tracker. -1: KX_ERROR_ACCESS_DENIED, KX_ERROR_NOT_SUPPORTED if it is not there, KX_ERROR_FAILED. */
int kx_pagemap_open_file(const char *tracker, const char *path, int flags, GError **error);
/* Reads @n flags (linux/kernel-page-flags.h) from @frame on; what the kernel has none of is KPF_NOPAGE. FALSE: errno. */
gboolean kx_pagemap_flags(const KxPageMap *m, guint64 frame, guint64 *flags, guint n);

/* Reads @n 64-bit words from word @first on. Returns fewer only at the end of the file; -1: errno. */
gssize kx_words_read(int fd, guint64 first, guint64 *words, gsize n);

/*
 * Sets @error to what became of @what; returns FALSE. KX_ERROR_VM_GONE if the process has ended, or has the VM's memory no more (another
 * process has its number, or it has executed another program), so that the access failed for this reason. @err: errno; 0: the file ended too early.
 */
gboolean kx_pagemap_lost(const KxPageMap *m, const char *what, int err, GError **error);

#endif /* KX_PAGEMAP_H */
