/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_INTERPOSE_H
#define KVM_EXT_INTERPOSE_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/sched.h>

#define KX_SUSPECTS_MAX	32

/*
 * Whoever wants to see the VMM's ioctls on a VM's file before KVM does. Between
 * kx_interpose() and kx_interpose_end() every ioctl on the file by anybody, in
 * that task's context, goes through @ioctl, which calls kx_kvm_ioctl() to have
 * it carried out. May sleep. Ioctls of this module's own do not go that way.
 */
struct kx_interposer {
	struct list_head link;
	struct file *file;
	long (*ioctl)(struct kx_interposer *self, unsigned int cmd, unsigned long arg, bool compat);
	/* Tasks that may have been in KVM already when it began. */
	struct task_struct *suspects[KX_SUSPECTS_MAX];
};

/*
 * One for a file at a time; the caller holds the file. -EBUSY: its operations
 * are not KVM's own. -EAGAIN: some task of @mm has been in an ioctl that
 * @concerns says matters since before, and does not come out of it.
 */
int kx_interpose(struct kx_interposer *self, struct mm_struct *mm,
		 bool (*concerns)(unsigned int cmd));
/* Returns when no task is in @self->ioctl any more. The caller holds no lock that this takes. */
void kx_interpose_end(struct kx_interposer *self);

/* The ioctl as KVM carries it out, whether or not the file is interposed. */
long kx_kvm_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool compat);

/* When the module goes: waits for tasks that are on their way through it. */
void kx_interpose_exit(void);

#endif /* KVM_EXT_INTERPOSE_H */
