// SPDX-License-Identifier: GPL-2.0-only
/* The one place that counts the memory of a VM's session. */
#include <linux/mm.h>

#include "memory.h"

void *kx_memory_new(struct kx_memory *m, size_t n, size_t size)
{
	void *p = kvcalloc(n, size, GFP_KERNEL_ACCOUNT);

	/* kvcalloc() has refused a product that overflows. */
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
