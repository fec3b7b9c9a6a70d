/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_SUSPECTS_H
#define KVM_EXT_SUSPECTS_H

struct kx_interposer;

/*
 * Tasks of the VMM that may be in one of the ioctls that matter, having come in by KVM's own
 * operations before these were replaced. The caller has replaced them and waited for RCU.
 */

/* 0 once none is left. -EAGAIN: one does not come out, or there are too many; call again. */
int kx_suspects_settle(struct kx_interposer *self);
/* The current task, which comes in by ours, has left KVM's. Caller holds the RCU read lock. */
void kx_suspects_acquit(struct kx_interposer *self);
void kx_suspects_drop(struct kx_interposer *self);

#endif /* KVM_EXT_SUSPECTS_H */
