/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_ABIT_H
#define KVM_EXT_ABIT_H

#include <linux/kvm_host.h>
#include <linux/mmu_notifier.h>

/*
 * Tests and clears the accessed bits of what maps @npages from @hva on, in every
 * page table of the VM, through the operation that KVM registers for the
 * kernel's page reclaim. Does not flush. May sleep.
 */
static inline bool kx_clear_young(struct kvm *kvm, unsigned long hva, u64 npages)
{
	struct mmu_notifier *mn = &kvm->mmu_notifier;

	return mn->ops->clear_young(mn, kvm->mm, hva, hva + (npages << PAGE_SHIFT));
}

/* The same for the page at @hva, without clearing. */
static inline bool kx_test_young(struct kvm *kvm, unsigned long hva)
{
	struct mmu_notifier *mn = &kvm->mmu_notifier;

	return mn->ops->test_young(mn, kvm->mm, hva);
}

/* -EOPNOTSUPP where accessed bits are none of the hardware's, or have to be searched for. */
int kx_abit_check(struct kvm *kvm);

#endif /* KVM_EXT_ABIT_H */
