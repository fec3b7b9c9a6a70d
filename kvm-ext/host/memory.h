/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_MEMORY_H
#define KVM_EXT_MEMORY_H

#include <linux/atomic.h>
#include <linux/types.h>

/**
 * struct kx_memory - what the module holds for one VM (@memory_bytes of struct kvm_ext_stats)
 * @bytes: sum of the sizes that were asked for; any task may change it
 *
 * Whatever lives longer than one pass counts, from its allocation until it is freed. The sum
 * outlives all that counts in it.
 */
struct kx_memory {
	atomic64_t bytes;
};

/**
 * kx_memory_new() - allocate objects, and count them
 * @m: of the VM; NULL: they do not count, because they live no longer than a call
 * @n: number of objects
 * @size: bytes of each
 *
 * Context: may sleep.
 * Return: zeroed memory; NULL: no memory.
 */
void *kx_memory_new(struct kx_memory *m, size_t n, size_t size);

/**
 * kx_memory_free() - free what kx_memory_new() has returned, and count it no longer
 * @m: as there
 * @p: as returned; NULL: does nothing
 * @n: as there
 * @size: as there
 */
void kx_memory_free(struct kx_memory *m, void *p, size_t n, size_t size);

/**
 * kx_memory_count() - count memory of another allocator
 * @m: of the VM
 * @bytes: the size; negative: it is freed
 */
static inline void kx_memory_count(struct kx_memory *m, s64 bytes)
{
	atomic64_add(bytes, &m->bytes);
}

/**
 * kx_memory_bytes() - what is held now
 * @m: of the VM
 *
 * Return: bytes.
 */
static inline u64 kx_memory_bytes(const struct kx_memory *m)
{
	return atomic64_read(&m->bytes);
}

#endif /* KVM_EXT_MEMORY_H */
