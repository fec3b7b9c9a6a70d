// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's nested page tables, found from outside KVM's MMU.
 *
 * Why mmu_lock is held for writing: a task unlinks tables while it holds the lock, for reading or
 * writing, and then frees them, after an RCU grace period (TDP MMU) or at once (the older MMU). So
 * while this module holds the lock for writing, every table below a root stays in place. The root
 * stays, too: a vCPU gives up its root while it holds the lock for reading, and clears the root's
 * address only after it has handed the page to RCU. So under the lock for reading, or under RCU
 * alone, this module could find the address of a page that is about to be freed.
 */
#include <linux/mm.h>

#include "roots.h"

u64 *kx_table_at(u64 entry)
{
	/* The bits that select a key of encrypted memory, above x86_phys_bits, are left out. */
	u64 pa = entry & GENMASK_ULL(boot_cpu_data.x86_phys_bits - 1, PAGE_SHIFT);

	return pfn_valid(pa >> PAGE_SHIFT) ? phys_to_virt(pa) : NULL;
}

/*
 * While a vCPU runs a nested guest, it uses another root, and may keep this root afterwards where
 * this module does not see it. This is possible for each vCPU whose guest has enabled SVM or VMX.
 */
static bool roots_hosts_guests(struct kvm_vcpu *vcpu)
{
	return (READ_ONCE(vcpu->arch.efer) & EFER_SVME) ||
	       (READ_ONCE(vcpu->arch.cr4) & X86_CR4_VMXE);
}

static void roots_add_root(struct kx_roots *roots, hpa_t hpa, int level, bool smm)
{
	u64 *table = kx_table_at(hpa);
	int i;

	for (i = 0; i < roots->nr; i++) {
		if (roots->root[i].table == table)
			return;
	}
	if (!table || roots->nr == KX_ROOTS_MAX)
		roots->more = true;
	else
		roots->root[roots->nr++] = (struct kx_root){ table, level, smm };
}

void kx_roots_find(struct kx_roots *roots, struct kvm *kvm, unsigned int as_mask)
{
	union kvm_mmu_page_role role;
	struct kvm_vcpu *vcpu;
	unsigned long i;
	hpa_t hpa;

	lockdep_assert_held_write(&kvm->mmu_lock);
	roots->nr = 0;
	roots->more = kx_has_shadow_pages(kvm);
	roots->nested = false;
	kvm_for_each_vcpu(i, vcpu, kvm) {
		hpa = READ_ONCE(vcpu->arch.root_mmu.root.hpa);
		role.word = READ_ONCE(vcpu->arch.root_mmu.root_role.word);
		if (roots_hosts_guests(vcpu))
			roots->nested = true;
		if (!VALID_PAGE(hpa) || !(as_mask & BIT(role.smm)))
			continue;
		if (!role.direct || role.level < 4)
			roots->more = true;
		else
			roots_add_root(roots, hpa, role.level, role.smm);
	}
	roots->more |= roots->nested;
}

bool kx_has_older_mmu(struct kvm *kvm)
{
	const struct list_head *tdp_roots = &kvm->arch.tdp_mmu_roots;
	struct kx_roots roots;
	bool older;

	write_lock(&kvm->mmu_lock);
	kx_roots_find(&roots, kvm, BIT(0) | BIT(1));
	/*
	 * The TDP MMU has each root that a vCPU uses in this list; both change under the lock. The
	 * older MMU leaves the list empty, or in some kernels all zero.
	 */
	older = roots.nr && (!tdp_roots->next || list_empty(tdp_roots));
	write_unlock(&kvm->mmu_lock);
	return older;
}
