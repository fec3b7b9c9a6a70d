/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_VMM_H
#define KVM_EXT_LOG_VMM_H

#include <linux/types.h>

struct kx_interposer;
struct kx_vm_call;

/* The functions of the interposer (interpose.h) in struct kx_log. */

/**
 * kx_log_concerns() - does an ioctl set a memslot, or read or clear a dirty log?
 * @cmd: the ioctl's number
 *
 * Context: any.
 */
bool kx_log_concerns(unsigned int cmd);

/**
 * kx_log_before_vmm() - give the log back that the VMM wants, before KVM gets the ioctl
 * @self: the interposer of a struct kx_log
 * @call: the VMM's ioctl
 *
 * Context: the VMM's task; may sleep as long as the pass thread has its turn.
 * Return: 0: the task has the turn (log-turn.h) until kx_log_after_vmm(); -ESHUTDOWN: this module
 * does not use the log any more; -EINTR: the task was killed.
 */
int kx_log_before_vmm(struct kx_interposer *self, const struct kx_vm_call *call);

/**
 * kx_log_after_vmm() - call after KVM has carried out or refused the ioctl
 * @self: the interposer of a struct kx_log
 * @call: the VMM's ioctl
 *
 * Context: the VMM's task; may sleep.
 */
void kx_log_after_vmm(struct kx_interposer *self, const struct kx_vm_call *call);

#endif /* KVM_EXT_LOG_VMM_H */
