/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_FLUSH_H
#define KVM_EXT_FLUSH_H

#include <linux/cpumask.h>
#include <linux/kvm_host.h>

/**
 * kx_flush_vm() - flush what all vCPUs have cached of a VM's nested mappings
 * @kvm: the VM
 * @cpus: scratch space
 *
 * When it returns, no vCPU uses a translation that it cached before the call.
 *
 * Context: interrupts on.
 * Return: how many vCPUs it interrupted in guest mode.
 */
unsigned int kx_flush_vm(struct kvm *kvm, struct cpumask *cpus);

#endif /* KVM_EXT_FLUSH_H */
