/* SPDX-License-Identifier: GPL-2.0-or-later */
/* On which NUMA nodes the pages of another process lie: numa_move_pages(3) without target nodes only asks the kernel. */
#ifndef KX_PAGENODES_H
#define KX_PAGENODES_H

#include "nodes.h"

/* Pages of 4 KiB that are contiguous in the process. */
typedef struct {
	guint64 hva, npages;
} KxSpan;

typedef struct {
	guint64 pages;		  /* in all spans */
	guint64 asked;		  /* fewer than @pages: a random sample */
	guint64 absent;		  /* of @asked, those that the process's page table does not map */
	guint64 on[KX_NODES_MAX]; /* of @asked, by node */
	guint64 batches,
		cpu_ns; /* calls of the kernel, and CPU time of this thread for the whole query */
} KxPageNodes;

/* The maximum number of pages that are asked about, in about 10 ms of CPU time; of more pages a sample of this size is taken. */
#define KX_PAGENODES_MAX   65536u
#define KX_PAGENODES_BATCH 4096u

/*
 * The pages are divided into as many strata of equal size as pages can be asked about, and one page of each stratum is drawn by
 * @rand, so that no regular pattern of the guest's can mislead the sample. @spans: KxSpan. The kernel takes the process's mmap
 * lock for reading, for a few pages at a time. Blocks: call this on a thread. KX_ERROR_VM_GONE: the process has ended.
 */
gboolean kx_page_nodes_ask(const KxNumaSys *sys, const char *proc_root, pid_t pid,
			   const GArray *spans, GRand *rand, KxPageNodes *out, GError **error);

#endif /* KX_PAGENODES_H */
