/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_BUFFER_H
#define KVM_EXT_LOG_BUFFER_H

#include <linux/fs.h>
#include <linux/types.h>

/*
 * Memory for the arguments and bitmaps of KVM's ioctls, which KVM reads and writes through the
 * VMM's address space. The memory belongs to this module: its pages are present from the beginning,
 * no memory cgroup is charged for them, and the VMM's address space only maps them. So neither the
 * VM pays for this memory, nor does KVM fault in it.
 *
 * The VMM may unmap the buffer and map something else there. The mapping's close operation then
 * sets @address to 0. The VMM cannot move, split or protect the mapping. The memory is freed when
 * both the file and the mapping are gone.
 */
struct kx_log_buffer {
	struct file *file;
	void *memory;
	unsigned long size;
	unsigned long address;	/* in the VMM; 0: not mapped; READ_ONCE */
};

/**
 * kx_log_buffer_new() - allocate a buffer of zeros, which is not mapped yet
 * @size: bytes
 *
 * Context: may sleep.
 * Return: the buffer; NULL: no memory.
 */
struct kx_log_buffer *kx_log_buffer_new(unsigned long size);

/**
 * kx_log_buffer_map() - map the buffer in the VMM, unless it is mapped there already
 * @buffer: the buffer
 *
 * Context: a task that uses the VMM's memory; may sleep.
 * Return: 0, or an error of mmap().
 */
int kx_log_buffer_map(struct kx_log_buffer *buffer);

/**
 * kx_log_buffer_unmap() - unmap the buffer
 * @buffer: the buffer
 *
 * If the VMM has mapped something else at the buffer's address, that mapping stays.
 *
 * Context: a task that uses the VMM's memory; may sleep.
 */
void kx_log_buffer_unmap(struct kx_log_buffer *buffer);

/**
 * kx_log_buffer_put() - close the file; the memory is freed when no mapping is left
 * @buffer: the buffer
 *
 * Context: a kernel thread; may sleep.
 */
void kx_log_buffer_put(struct kx_log_buffer *buffer);

#endif /* KVM_EXT_LOG_BUFFER_H */
