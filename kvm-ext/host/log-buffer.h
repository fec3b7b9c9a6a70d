/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_BUFFER_H
#define KVM_EXT_LOG_BUFFER_H

#include <linux/fs.h>
#include <linux/types.h>

/*
 * Memory that KVM's ioctls reach as the VMM's, for their arguments and bitmaps. It
 * is ours: pages of the module, present from the beginning and charged to nobody's
 * memory cgroup, which the VMM's address space only maps. So the VM has not to pay
 * for it, and KVM meets no fault in it.
 *
 * The VMM may unmap it, and may then have something else there: @address is 0 from
 * that moment, by the mapping's own close. It cannot move, cut or protect it.
 * The memory lives until file and mapping are gone, whichever goes last.
 */
struct kx_log_buffer {
	struct file *file;
	void *memory;
	unsigned long size;
	unsigned long address;	/* in the VMM; 0: not mapped; READ_ONCE */
};

/**
 * kx_log_buffer_new() - a buffer that is mapped nowhere, all zeros
 * @size: bytes
 *
 * Context: may sleep.
 * Return: the buffer; NULL: no memory.
 */
struct kx_log_buffer *kx_log_buffer_new(unsigned long size);

/**
 * kx_log_buffer_map() - map it in the VMM, if it is not mapped
 * @buffer: the buffer
 *
 * Context: a task that has the VMM's memory; may sleep.
 * Return: 0, or what mmap() says.
 */
int kx_log_buffer_map(struct kx_log_buffer *buffer);

/**
 * kx_log_buffer_unmap() - unmap it; what is not ours is left alone
 * @buffer: the buffer
 *
 * Context: a task that has the VMM's memory; may sleep.
 */
void kx_log_buffer_unmap(struct kx_log_buffer *buffer);

/**
 * kx_log_buffer_put() - free it, once no mapping is left
 * @buffer: the buffer
 *
 * Context: a kernel thread; may sleep.
 */
void kx_log_buffer_put(struct kx_log_buffer *buffer);

#endif /* KVM_EXT_LOG_BUFFER_H */
