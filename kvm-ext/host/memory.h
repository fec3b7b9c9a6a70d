/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_MEMORY_H
#define KVM_EXT_MEMORY_H

#include <linux/atomic.h>
#include <linux/types.h>

/**
 * struct kx_memory - the memory that the module holds for one VM (@memory_bytes of struct
 * kvm_ext_stats)
 * @bytes: sum of the sizes that were asked for; any task may change it
 *
 * An allocation that lives longer than one pass counts from its beginning until it is freed. The
 * sum outlives all of these allocations.
 */
struct kx_memory {
	atomic64_t bytes;
};

/**
 * kx_memory_new() - allocate objects, and count them
 * @m: the VM's sum; NULL: do not count, because the objects live no longer than a call
 * @n: number of objects
 * @size: bytes of each
 *
 * Context: may sleep.
 * Return: zeroed memory; NULL: no memory.
 */
void *kx_memory_new(struct kx_memory *m, size_t n, size_t size);

/**
 * kx_memory_free() - free objects of kx_memory_new(), and count them no longer
 * @m: as in kx_memory_new()
 * @p: the objects; NULL: do nothing
 * @n: as in kx_memory_new()
 * @size: as in kx_memory_new()
 *
 * Context: may sleep.
 */
void kx_memory_free(struct kx_memory *m, void *p, size_t n, size_t size);

/**
 * kx_memory_count() - count memory of another allocator
 * @m: the VM's sum
 * @bytes: the size; negative: the memory is freed
 */
static inline void kx_memory_count(struct kx_memory *m, s64 bytes)
{
	atomic64_add(bytes, &m->bytes);
}

/**
 * kx_memory_bytes() - how much memory is held now
 * @m: the VM's sum
 *
 * Return: bytes.
 */
static inline u64 kx_memory_bytes(const struct kx_memory *m)
{
	return atomic64_read(&m->bytes);
}

#endif /* KVM_EXT_MEMORY_H */
