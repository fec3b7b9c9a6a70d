// SPDX-License-Identifier: GPL-2.0-only
/* The device with the page in which workloads count their work. */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "work.h"

static u64 *page;
static atomic_t writers = ATOMIC_INIT(0);

static int work_open(struct inode *inode, struct file *file)
{
	atomic_inc(&writers);
	return 0;
}

/* A mapping holds the file, and the file holds the module: the page exists while it is mapped. */
static int work_release(struct inode *inode, struct file *file)
{
	atomic_dec(&writers);
	return 0;
}

static int work_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma_pages(vma) != 1 || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	return vm_insert_page(vma, vma->vm_start, virt_to_page(page));
}

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.open = work_open,
	.release = work_release,
	.mmap = work_mmap,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kvm-ext-guest",
	.mode = 0600,
	.fops = &fops,
};

int kx_work_init(void)
{
	int err;

	page = (u64 *)get_zeroed_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	err = misc_register(&device);
	if (err)
		free_page((unsigned long)page);
	return err;
}

void kx_work_exit(void)
{
	misc_deregister(&device);
	free_page((unsigned long)page);
}

u64 kx_work(u64 *nr)
{
	*nr = atomic_read(&writers);
	return READ_ONCE(*page);
}
