/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_MEMSLOTS_H
#define KVM_EXT_MEMSLOTS_H

#include <linux/kvm_host.h>

struct kx_vm;

/**
 * struct kx_memslot - a copy of a memslot of guest RAM
 * @gfn: its first guest page
 * @npages: pages of 4 KiB
 * @hva: the address of the first page in the VMM
 * @flags: KVM_MEM_*
 * @as_id: the address space
 * @id: the number that the VMM gave the memslot in this address space
 */
struct kx_memslot {
	gfn_t gfn;
	u64 npages;
	unsigned long hva;
	u32 flags;
	u16 as_id;
	u16 id;
};

/**
 * struct kx_memslots - all RAM memslots of a VM, by address space and gfn
 * @generation: kx_memslots_generation() at the time of the copy
 * @slots: array of @nr memslots; the owner frees it with kvfree()
 * @nr: number of memslots
 */
struct kx_memslots {
	u64 generation;
	struct kx_memslot *slots;
	u32 nr;
};

/**
 * kx_memslots_take() - copy a VM's memslots
 * @set: the copy; after success the caller frees @slots with kvfree()
 * @vm: the VM
 *
 * Context: may sleep; takes kvm->srcu for some 100 us at a time.
 * Return: 0 or -ENOMEM.
 */
int kx_memslots_take(struct kx_memslots *set, struct kx_vm *vm);

/**
 * kx_memslots_generation() - a number that is another one after each change of the memslots
 * @vm: the VM
 *
 * A change of the excluded memory (excluded.h) changes the number as well. While KVM changes a
 * memslot, the number is for a short time larger than the numbers before and after.
 *
 * Context: any but NMI; takes kvm->srcu briefly.
 * Return: the number; equal numbers of one VM mean that nothing has changed in between.
 */
u64 kx_memslots_generation(struct kx_vm *vm);

#endif /* KVM_EXT_MEMSLOTS_H */
