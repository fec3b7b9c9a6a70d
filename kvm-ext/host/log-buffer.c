// SPDX-License-Identifier: GPL-2.0-only
/* The buffer in the VMM's address space is a mapping of a file of this module. */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "log-buffer.h"

/* --- the mapping ------------------------------------------------------------------------ */

/*
 * Also called for a second mapping: in mremap() the kernel makes the new mapping before it asks
 * buffer_refuse_move().
 */
static void buffer_close(struct vm_area_struct *vma)
{
	struct kx_log_buffer *buffer = vma->vm_private_data;

	cmpxchg(&buffer->address, vma->vm_start, 0);
}

static int buffer_refuse_move(struct vm_area_struct *vma)
{
	return -EPERM;
}

static int buffer_refuse_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EPERM;
}

static int buffer_refuse_protect(struct vm_area_struct *vma, unsigned long start,
				 unsigned long end, unsigned long newflags)
{
	return -EPERM;
}

/*
 * The pages are mapped from the beginning, but the VMM may have removed them from its page table
 * (MADV_DONTNEED).
 */
static vm_fault_t buffer_fault(struct vm_fault *vmf)
{
	struct kx_log_buffer *buffer = vmf->vma->vm_private_data;

	if (vmf->pgoff >= buffer->size >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	vmf->page = vmalloc_to_page(buffer->memory + (vmf->pgoff << PAGE_SHIFT));
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct buffer_vm_ops = {
	.close = buffer_close,
	.fault = buffer_fault,
	.mremap = buffer_refuse_move,
	.may_split = buffer_refuse_split,
	.mprotect = buffer_refuse_protect,
};

static int buffer_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct kx_log_buffer *buffer = file->private_data;
	int err;

	/* A process could map the file again through /proc/PID/map_files. */
	if (READ_ONCE(buffer->address) || vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start != buffer->size || !(vma->vm_flags & VM_SHARED))
		return -EPERM;
	err = remap_vmalloc_range(vma, buffer->memory, 0);
	if (err)
		return err;
	/*
	 * With VM_IO the VMM can neither pin the memory for long nor undo VM_DONTCOPY by
	 * MADV_DOFORK, so that its children would inherit the mapping. Either would keep memory for
	 * which no cgroup is charged.
	 */
	kx_vm_flags_set(vma, VM_IO | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	kx_vm_flags_clear(vma, VM_MAYEXEC);
	vma->vm_private_data = buffer;
	vma->vm_ops = &buffer_vm_ops;
	WRITE_ONCE(buffer->address, vma->vm_start);
	return 0;
}

static int buffer_release(struct inode *inode, struct file *file)
{
	struct kx_log_buffer *buffer = file->private_data;

	vfree(buffer->memory);
	kfree(buffer);
	return 0;
}

static const struct file_operations buffer_fops = {
	.owner = THIS_MODULE,
	.mmap = buffer_mmap,
	.release = buffer_release,
};

/* --- the buffer --------------------------------------------------------------------------- */

struct kx_log_buffer *kx_log_buffer_new(unsigned long size)
{
	struct kx_log_buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL_ACCOUNT);

	if (!buffer)
		return NULL;
	buffer->size = PAGE_ALIGN(size);
	buffer->memory = vmalloc_user(buffer->size);
	if (!buffer->memory)
		goto free_buffer;
	buffer->file = anon_inode_getfile("[kvm-ext-log]", &buffer_fops, buffer,
					  O_RDWR | O_CLOEXEC);
	if (IS_ERR(buffer->file))
		goto free_memory;
	return buffer;

free_memory:
	vfree(buffer->memory);
free_buffer:
	kfree(buffer);
	return NULL;
}

int kx_log_buffer_map(struct kx_log_buffer *buffer)
{
	unsigned long address;

	if (READ_ONCE(buffer->address))
		return 0;
	address = vm_mmap(buffer->file, 0, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	return IS_ERR_VALUE(address) ? (int)address : 0;
}

/* Is the buffer mapped at @address? */
static bool buffer_is_mapped(const struct kx_log_buffer *buffer, unsigned long address)
{
	struct mm_struct *mm = current->mm;
	const struct vm_area_struct *vma;
	bool mapped;

	mmap_read_lock(mm);
	vma = find_vma(mm, address);
	mapped = vma && vma->vm_start == address && vma->vm_ops == &buffer_vm_ops &&
		 vma->vm_private_data == buffer;
	mmap_read_unlock(mm);
	return mapped;
}

/*
 * A module cannot unmap under the lock under which it has checked the mapping. So if the VMM
 * replaces the buffer's mapping between the check and vm_munmap(), the VMM loses its own new
 * mapping.
 */
void kx_log_buffer_unmap(struct kx_log_buffer *buffer)
{
	unsigned long address = READ_ONCE(buffer->address);

	if (address && buffer_is_mapped(buffer, address))
		vm_munmap(address, buffer->size);
}

/* The last fput() of a kernel thread would free the buffer later; this frees it at once. */
void kx_log_buffer_put(struct kx_log_buffer *buffer)
{
	__fput_sync(buffer->file);
}
