/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_FLUSH_H
#define KVM_EXT_FLUSH_H

#include <linux/cpumask.h>
#include <linux/kvm_host.h>

/**
 * kx_flush_vm() - flush a VM's nested mappings from the TLBs of all vCPUs
 * @kvm: the VM
 * @cpus: scratch space
 *
 * When this function returns, no vCPU uses a translation that was cached before the call.
 *
 * Context: interrupts on.
 * Return: number of vCPUs that were interrupted in guest mode.
 */
unsigned int kx_flush_vm(struct kvm *kvm, struct cpumask *cpus);

#endif /* KVM_EXT_FLUSH_H */
