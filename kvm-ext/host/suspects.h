/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SUSPECTS_H
#define KVM_EXT_SUSPECTS_H

struct kx_interposer;

/*
 * Tasks of the VMM that may still be in one of the ioctls of interest because they entered through
 * KVM's own file operations, before these were replaced. The caller has replaced the operations and
 * waited for RCU.
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
 * kx_suspects_acquit() - the current task has entered through our operations, so it is no suspect
 * any more
 * @self: the interposer
 *
 * Context: under the RCU read lock.
 */
void kx_suspects_acquit(struct kx_interposer *self);

/**
 * kx_suspects_drop() - forget all suspects
 * @self: the interposer
 */
void kx_suspects_drop(struct kx_interposer *self);

#endif /* KVM_EXT_SUSPECTS_H */
