/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_GUEST_FLUSH_H
#define KVM_EXT_GUEST_FLUSH_H

#include <linux/types.h>

/**
 * kx_flush_possible() - can kx_flush_user() flush the TLBs of these CPUs?
 *
 * Context: any.
 */
bool kx_flush_possible(void);

/**
 * kx_flush_user() - flush the translations of all processes' memory from the TLBs of all CPUs
 *
 * Context: interrupts on.
 */
void kx_flush_user(void);

#endif /* KVM_EXT_GUEST_FLUSH_H */
