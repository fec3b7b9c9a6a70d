// SPDX-License-Identifier: GPL-2.0-only
/* Counts the memory that the module holds for each VM. */
#include <linux/mm.h>

#include "memory.h"

void *kx_memory_new(struct kx_memory *m, size_t n, size_t size)
{
	void *p = kvcalloc(n, size, GFP_KERNEL_ACCOUNT);

	/* The product does not overflow: kvcalloc() has checked this. */
	if (p && m)
		kx_memory_count(m, n * size);
	return p;
}

void kx_memory_free(struct kx_memory *m, void *p, size_t n, size_t size)
{
	if (!p)
		return;
	if (m)
		kx_memory_count(m, -(s64)(n * size));
	kvfree(p);
}
