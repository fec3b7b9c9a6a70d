/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_ROOTS_H
#define KVM_EXT_ROOTS_H

#include <linux/kvm_host.h>

/* Two address spaces, and in each of them a second root of another depth. */
#define KX_ROOTS_MAX	4

struct kx_root {
	u64 *table;
	int level;
	bool smm;
};

/* The nested page tables that a VM's vCPUs use. */
struct kx_roots {
	struct kx_root root[KX_ROOTS_MAX];
	int nr;
	bool more;		/* the VM may have tables that are not in @root */
	bool nested;		/* a vCPU can run nested guests, which have tables of their own */
};

/**
 * kx_roots_find() - find the nested page tables that a VM's vCPUs use
 * @roots: valid until the caller releases the lock
 * @kvm: the VM
 * @as_mask: bit n: find the tables of address space n
 *
 * Context: the caller holds KVM's mmu_lock for writing.
 */
void kx_roots_find(struct kx_roots *roots, struct kvm *kvm, unsigned int as_mask);

/**
 * kx_has_older_mmu() - does KVM keep the VM's tables with its older MMU (tdp_mmu=0)?
 * @kvm: the VM
 *
 * At a fault the older MMU maps neighbouring pages as well.
 *
 * Context: takes KVM's mmu_lock for writing.
 * Return: true if KVM does; false also as long as there are no tables.
 */
bool kx_has_older_mmu(struct kvm *kvm);

/**
 * kx_table_at() - the table that an entry points to
 * @entry: an entry of a nested page table
 *
 * Return: the table; NULL: there is no memory at the address in the entry.
 */
u64 *kx_table_at(u64 entry);

#endif /* KVM_EXT_ROOTS_H */
