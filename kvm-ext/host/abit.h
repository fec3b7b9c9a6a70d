/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_ABIT_H
#define KVM_EXT_ABIT_H

#include <linux/kvm_host.h>
#include <linux/mmu_notifier.h>

/**
 * kx_clear_young() - test and clear the accessed bits of the entries that map some memory
 * @kvm: the VM
 * @hva: the first page's address in the VMM
 * @npages: pages of 4 KiB
 *
 * Covers every page table of the VM, through the operation that KVM registers for the kernel's page
 * reclaim. Does not flush the TLB.
 *
 * Context: may sleep; takes KVM's mmu_lock.
 * Return: true if a bit was set.
 */
static inline bool kx_clear_young(struct kvm *kvm, unsigned long hva, u64 npages)
{
	struct mmu_notifier *mn = &kvm->mmu_notifier;

	return mn->ops->clear_young(mn, kvm->mm, hva, hva + (npages << PAGE_SHIFT));
}

/**
 * kx_test_young() - test the accessed bits of the entries that map a page
 * @kvm: the VM
 * @hva: the page's address in the VMM
 *
 * Context: may sleep; takes KVM's mmu_lock.
 * Return: true if a bit is set.
 */
static inline bool kx_test_young(struct kvm *kvm, unsigned long hva)
{
	struct mmu_notifier *mn = &kvm->mmu_notifier;

	return mn->ops->test_young(mn, kvm->mm, hva);
}

/**
 * kx_abit_check() - can a VM be tracked by its accessed bits?
 * @kvm: the VM
 *
 * Return: 0; -EOPNOTSUPP: the CPU does not set accessed bits, KVM uses shadow paging, or the VM has
 * memory that only the guest can access.
 */
int kx_abit_check(struct kvm *kvm);

#endif /* KVM_EXT_ABIT_H */
