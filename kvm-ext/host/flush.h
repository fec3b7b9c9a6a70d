/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_FLUSH_H
#define KVM_EXT_FLUSH_H

#include <linux/cpumask.h>
#include <linux/kvm_host.h>

/*
 * Flushes what all vCPUs have cached of the VM's nested mappings. When it
 * returns, no vCPU uses a translation that it cached before the call. Returns
 * how many vCPUs it interrupted in guest mode. @cpus is scratch space. May not
 * be called with interrupts off.
 */
unsigned int kx_flush_vm(struct kvm *kvm, struct cpumask *cpus);

#endif /* KVM_EXT_FLUSH_H */
