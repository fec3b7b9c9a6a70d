/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_LOG_MODE_H
#define KVM_EXT_LOG_MODE_H

#include <linux/kvm_host.h>

/**
 * kx_log_mechanism() - how KVM detects writes to a VM's memory
 * @kvm: the VM
 *
 * Context: may sleep.
 * Return: enum kvm_ext_log_mechanism.
 */
u32 kx_log_mechanism(struct kvm *kvm);

/**
 * kx_log_mode() - how the VMM has configured the dirty log
 * @kvm: the VM
 *
 * Return: enum kvm_ext_log_mode.
 */
u32 kx_log_mode(struct kvm *kvm);

/**
 * kx_log_check() - has the VM a dirty log that can be used?
 * @kvm: the VM
 *
 * Return: 0; -EOPNOTSUPP: the VM has a dirty ring.
 */
int kx_log_check(struct kvm *kvm);

#endif /* KVM_EXT_LOG_MODE_H */
