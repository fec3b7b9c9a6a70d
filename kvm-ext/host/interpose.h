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
 * An interposer sees certain ioctls of the VMM on a VM's file before and after KVM carries them
 * out, in the VMM's task. Ioctls of this module do not pass through interposers.
 *
 * @concerns says which ioctls these are, and must not sleep. @before may sleep. If @before fails,
 * the VMM gets this error instead of KVM's answer, except for -ESHUTDOWN: the interposer does not
 * handle the call any more, and KVM carries it out. @after is called if @before has returned 0.
 */
struct kx_interposer {
	struct list_head link;		/* in the list of all, under its lock and RCU */
	struct file *file;
	struct mm_struct *mm;		/* the VMM's; KVM refuses calls of other tasks */
	bool (*concerns)(unsigned int cmd);
	int (*before)(struct kx_interposer *self, const struct kx_vm_call *call);
	void (*after)(struct kx_interposer *self, const struct kx_vm_call *call);
	/*
	 * For the task that begins and ends the interposer: the file's operations were replaced;
	 * @suspects is complete; no suspect is left, so that all calls are seen.
	 */
	bool begun, listed, settled;
	refcount_t users;		/* tasks between @before and @after, and one for the list */
	struct completion unused;
	/* Tasks that may have been in KVM already when the interposer began (suspects.h). */
	struct task_struct *suspects[KX_SUSPECTS_MAX];
};

/**
 * kx_interpose() - begin to see the VMM's ioctls, or check whether all of them are seen
 * @self: the interposer, one for a file at a time; the caller holds the file
 *
 * Context: may sleep.
 * Return: 0: all are seen; -EBUSY: the file's operations are not KVM's own; -EAGAIN: the interposer
 * has begun, but a task of the VMM that entered such an ioctl before is still in the ioctl: call
 * again.
 */
int kx_interpose(struct kx_interposer *self);

/**
 * kx_interpose_end() - undo kx_interpose(), if it has begun
 * @self: the interposer
 *
 * Returns when no task uses @self any more. The caller guarantees that tasks in @before return, and
 * that no task is between @before and @after.
 *
 * Context: may sleep.
 */
void kx_interpose_end(struct kx_interposer *self);

/**
 * kx_kvm_ioctl() - issue an ioctl that no interposer sees
 * @file: the VM's file, which is interposed: before that, KVM's operations are not known
 * @cmd: the ioctl's number
 * @arg: the ioctl's argument
 * @compat: issue it as a 32-bit program does
 *
 * Context: a task that uses the VMM's memory; may sleep for as long as the VMM likes.
 * Return: KVM's answer.
 */
long kx_kvm_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool compat);

/**
 * kx_interpose_exit() - at module exit: wait for tasks that still execute this module's operations
 *
 * Context: may sleep.
 */
void kx_interpose_exit(void);

#endif /* KVM_EXT_INTERPOSE_H */
