/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SUSPECTS_H
#define KVM_EXT_SUSPECTS_H

struct kx_interposer;

/*
 * Suspects are tasks of the VMM that may have entered an ioctl that concerns the interposer through
 * KVM's own file operations, before these were replaced, and may still be in this ioctl. The caller
 * has replaced the operations and waited for RCU.
 */

/**
 * kx_suspects_settle() - wait until no suspect is left
 * @self: the interposer
 *
 * Context: may sleep.
 * Return: 0: none is left. -EAGAIN: a suspect stays in its ioctl, or there are too many suspects:
 * call again.
 */
int kx_suspects_settle(struct kx_interposer *self);

/**
 * kx_suspects_acquit() - the current task has entered through our operations: it is no suspect any
 * more
 * @self: the interposer
 *
 * Context: under the RCU read lock.
 */
void kx_suspects_acquit(struct kx_interposer *self);

/**
 * kx_suspects_drop() - forget all suspects
 * @self: the interposer
 *
 * Context: any.
 */
void kx_suspects_drop(struct kx_interposer *self);

#endif /* KVM_EXT_SUSPECTS_H */
