/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SUSPECTS_H
#define KVM_EXT_SUSPECTS_H

struct kx_interposer;

/*
 * Tasks of the VMM that may be in one of the ioctls that matter, having come in by KVM's own
 * operations before these were replaced. The caller has replaced them and waited for RCU.
 */

/**
 * kx_suspects_settle() - wait until no such task is left
 * @self: the interposer
 *
 * Context: may sleep.
 * Return: 0: none is left. -EAGAIN: one does not come out, or there are too many: call again.
 */
int kx_suspects_settle(struct kx_interposer *self);

/**
 * kx_suspects_acquit() - the current task, which comes in by our operations, has left KVM's
 * @self: the interposer
 *
 * Context: under the RCU read lock.
 */
void kx_suspects_acquit(struct kx_interposer *self);

/**
 * kx_suspects_drop() - suspect nobody any more
 * @self: the interposer
 */
void kx_suspects_drop(struct kx_interposer *self);

#endif /* KVM_EXT_SUSPECTS_H */
