/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differences between the kernels for which this module can be built. No other file contains
 * such differences. Kbuild includes this file first into every other file. Compiling the files in
 * ../../compat/probes shows what a kernel has. Versions are not compared, because distributions
 * backport features.
 */
#ifndef KVM_EXT_COMPAT_H
#define KVM_EXT_COMPAT_H

#include <linux/kvm_host.h>
#include <linux/mm.h>

#include <probed.h>

/* Since 6.8 the number of address spaces is a property of the VM; before, it was a constant. */
static inline int kx_nr_address_spaces(struct kvm *kvm)
{
#ifdef HAVE_NR_MEMSLOT_AS_IDS
	return kvm_arch_nr_memslot_as_ids(kvm);
#else
	return KVM_ADDRESS_SPACE_NUM;
#endif
}

/*
 * True if pages can be mapped for the guest in other ways than in the VM's own nested page table:
 * in shadow pages, as for a nested guest. The flag exists since 5.17. Without the flag, the safe
 * answer is true.
 */
static inline bool kx_has_shadow_pages(struct kvm *kvm)
{
#ifdef HAVE_SHADOW_ROOT_ALLOCATED
	/* Pairs with KVM's release of the flag, which comes before the first shadow page. */
	return smp_load_acquire(&kvm->arch.shadow_root_allocated);
#else
	return true;
#endif
}

/* 6.3 made vm_flags read-only and gave it accessors. */
static inline void kx_vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
#ifdef HAVE_VM_FLAGS_SET
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

static inline void kx_vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
#ifdef HAVE_VM_FLAGS_SET
	vm_flags_clear(vma, flags);
#else
	vma->vm_flags &= ~flags;
#endif
}

/* 6.5 removed an unused argument. The caller holds @mm's lock for reading. */
static inline long kx_pin_user_pages(struct mm_struct *mm, unsigned long start,
				     unsigned long nr, unsigned int flags, struct page **pages)
{
#ifdef HAVE_PIN_USER_PAGES_VMAS
	return pin_user_pages_remote(mm, start, nr, flags, pages, NULL, NULL);
#else
	return pin_user_pages_remote(mm, start, nr, flags, pages, NULL);
#endif
}

/* Since 6.2 a KVM can be built without SMM (CONFIG_KVM_SMM). */
static inline bool kx_vcpu_is_in_smm(const struct kvm_vcpu *vcpu)
{
#ifdef HF_SMM_MASK
	return vcpu->arch.hflags & HF_SMM_MASK;
#else
	return false;
#endif
}

/* Since 6.8 memory can be accessible only to the guest; such memslots have no dirty log. */
static inline bool kx_can_log(u32 slot_flags)
{
#ifdef KVM_MEM_GUEST_MEMFD
	return !(slot_flags & KVM_MEM_GUEST_MEMFD);
#else
	return true;
#endif
}

/*
 * Does the VM have memory that only the guest can access (since 6.8)? The MMU notifiers use
 * addresses of the VMM, and this memory has none. A VM with TDX (since 6.16) even has another table
 * for it, which this module cannot see.
 */
static inline bool kx_has_private_memory(struct kvm *kvm)
{
#ifdef HAVE_ARCH_HAS_PRIVATE_MEM
	return kvm_arch_has_private_mem(kvm);
#else
	return false;
#endif
}

/*
 * A kernel with control-flow integrity checks the types of the functions that tracepoints call.
 * Since 6.9 KVM's tracepoint for VM entries has one more argument than our probe; a private header
 * of KVM declares this tracepoint.
 */
#define KX_CAN_PROBE	(!IS_ENABLED(CONFIG_CFI_CLANG) && !IS_ENABLED(CONFIG_CFI))

/* enum kvm_ext_log_mechanism: how KVM detects writes to this VM's memory. May sleep. */
u32 kx_cpu_logs_writes(struct kvm *kvm);

/* Since 6.13 KVM on x86 does not flush after clear_flush_young: it selects this symbol. */
#define KX_ELIDES_YOUNG_FLUSH	IS_ENABLED(CONFIG_KVM_ELIDE_TLB_FLUSH_IF_YOUNG)

#endif /* KVM_EXT_COMPAT_H */
