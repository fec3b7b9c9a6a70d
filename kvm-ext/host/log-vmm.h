/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_VMM_H
#define KVM_EXT_LOG_VMM_H

#include <linux/types.h>

struct kx_interposer;
struct kx_vm_call;

/* What the interposer of a struct kx_log has, to see the VMM's ioctls: as said in interpose.h. */

/**
 * kx_log_concerns() - does an ioctl set a memslot, or read or clear a dirty log?
 * @cmd: the ioctl's number
 *
 * Context: any.
 */
bool kx_log_concerns(unsigned int cmd);

/**
 * kx_log_before_vmm() - give back what the VMM wants, before KVM hears of it
 * @self: the interposer of a struct kx_log
 * @call: the VMM's ioctl
 *
 * Context: the VMM's task; may sleep for as long as the pass thread is in its turn.
 * Return: 0, and the task is in until kx_log_after_vmm(); -ESHUTDOWN: the log is none of ours any
 * more; -EINTR: the task was killed.
 */
int kx_log_before_vmm(struct kx_interposer *self, const struct kx_vm_call *call);

/**
 * kx_log_after_vmm() - KVM has carried out the ioctl, or refused it
 * @self: the interposer of a struct kx_log
 * @call: the VMM's ioctl
 *
 * Context: the VMM's task; may sleep.
 */
void kx_log_after_vmm(struct kx_interposer *self, const struct kx_vm_call *call);

#endif /* KVM_EXT_LOG_VMM_H */
