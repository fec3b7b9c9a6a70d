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

/* All zeros. NULL: no memory. */
struct kx_log_buffer *kx_log_buffer_new(unsigned long size);
/*
 * These two for a task that has the VMM's memory. Map does nothing if it is mapped;
 * unmap leaves alone what is not ours.
 */
int kx_log_buffer_map(struct kx_log_buffer *buffer);
void kx_log_buffer_unmap(struct kx_log_buffer *buffer);
/* In a kernel thread. */
void kx_log_buffer_put(struct kx_log_buffer *buffer);

#endif /* KVM_EXT_LOG_BUFFER_H */
