/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_INTERPOSE_H
#define KVM_EXT_INTERPOSE_H

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/sched.h>

#define KX_SUSPECTS_MAX	32

/* An ioctl of the VMM on its VM's file, and the first two words of its argument. */
struct kx_vm_call {
	unsigned int cmd;
	u32 words[2];
};

/*
 * An interposer sees certain ioctls of the VMM on a VM's file before and after
 * KVM carries them out, in the VMM's task. Ioctls of this module do not pass through
 * interposers.
 *
 * @concerns must not sleep. @before may sleep; the VMM gets an error of @before instead of
 * KVM's answer, except -ESHUTDOWN, which means that the interposer does not handle the call
 * (any more). @after is called for calls whose @before returned 0.
 */
struct kx_interposer {
	struct list_head link;		/* in the list of all, under its lock and RCU */
	struct file *file;
	struct mm_struct *mm;		/* the VMM's; KVM refuses calls of other tasks */
	bool (*concerns)(unsigned int cmd);
	int (*before)(struct kx_interposer *self, const struct kx_vm_call *call);
	void (*after)(struct kx_interposer *self, const struct kx_vm_call *call);
	/* For the task that begins and ends the interposer: */
	bool begun, listed, settled;
	refcount_t users;		/* tasks between @before and @after, and one for the list */
	struct completion unused;
	/* Tasks that may have been in KVM already when it began. */
	struct task_struct *suspects[KX_SUSPECTS_MAX];
};

/**
 * kx_interpose() - begin to see the VMM's ioctls, or check whether all of them are seen
 * @self: the interposer, one for a file at a time; the caller holds the file
 *
 * Context: may sleep.
 * Return: 0; -EBUSY: the file's operations are not KVM's own; -EAGAIN: the interposer has begun,
 * but some task of the VMM entered such an ioctl before and stays in it: call again.
 */
int kx_interpose(struct kx_interposer *self);
/**
 * kx_interpose_end() - undo kx_interpose(), if it has begun
 * @self: the interposer
 *
 * Returns when no task is in @self any more: the caller guarantees that tasks in @before come out,
 * and that no task is between @before and @after.
 *
 * Context: may sleep.
 */
void kx_interpose_end(struct kx_interposer *self);

/**
 * kx_kvm_ioctl() - an ioctl as KVM carries it out
 * @file: the VM's file, interposed: else KVM's operations may be unknown
 * @cmd: the ioctl's number
 * @arg: its argument
 * @compat: as a 32-bit program calls it
 *
 * Context: a task that has the VMM's memory; may sleep for as long as the VMM likes.
 * Return: KVM's answer.
 */
long kx_kvm_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool compat);

/**
 * kx_interpose_exit() - before the module is unloaded: wait for tasks that execute its code
 *
 * Context: may sleep.
 */
void kx_interpose_exit(void);

#endif /* KVM_EXT_INTERPOSE_H */
