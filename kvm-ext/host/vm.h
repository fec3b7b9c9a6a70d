/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_VM_H
#define KVM_EXT_VM_H

#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>

#include "excluded.h"
#include "memory.h"

struct kvm_ext_vm;

/*
 * A VM with a session. The file reference keeps struct kvm alive from kx_vm_attach() to
 * kx_vm_detach(), also after the VMM's address space is gone. The MMU notifier reports the end of
 * the address space at once, so that the owner can detach and KVM can destroy the VM.
 */
struct kx_vm {
	struct list_head link;		/* in all_vms; vms_lock */
	struct file *file;
	struct kvm *kvm;
	struct mmu_notifier mn;
	bool gone;			/* set once, by the notifier; READ_ONCE */
	bool detaching;			/* from now on the notifier does nothing */
	void (*on_gone)(struct kx_vm *vm); /* called once, must neither sleep long nor detach */
	struct kx_excluded excluded;	/* locking: see its struct */
	u64 excluded_changes;		/* number of changes of @excluded */
	struct kx_memory memory;	/* what this module holds for the session */
};

/**
 * kx_vm_attach() - from a VM's file descriptor to the VM
 * @vm: all zero except @on_gone, which may be called before this function returns
 * @fd: of the caller
 *
 * Context: may sleep.
 * Return: 0; -EBADF; -EINVAL: no VM's file; -EBUSY: the VM has a session; -ESRCH: the VMM is gone.
 */
int kx_vm_attach(struct kx_vm *vm, int fd);

/**
 * kx_vm_detach() - release the VM; when this function returns, @on_gone is not called any more
 * @vm: attached
 *
 * Context: may sleep.
 */
void kx_vm_detach(struct kx_vm *vm);

/**
 * kx_vm_count() - how many VMs have a session
 */
unsigned int kx_vm_count(void);

/**
 * kx_cpu_vendor() - the vendor of the host's virtualisation
 *
 * Return: enum kvm_ext_cpu_vendor.
 */
u32 kx_cpu_vendor(void);

/* How the VM's memory is mapped, as far as its vCPUs show. */
struct kx_vm_paging {
	u32 paging;		/* enum kvm_ext_paging */
	u32 root_level;		/* 0: unknown */
	u32 ad_bits;		/* as in struct kvm_ext_vm */
};

/**
 * kx_vm_paging() - read the paging mode from the VM's vCPUs
 * @kvm: the VM
 * @out: result; all members are written
 */
void kx_vm_paging(struct kvm *kvm, struct kx_vm_paging *out);

/**
 * kx_vm_info() - the answer to KVM_EXT_GET_VM
 * @vm: attached
 * @info: result; all members except @size and @flags are written
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kx_vm_info(struct kx_vm *vm, struct kvm_ext_vm *info);

#endif /* KVM_EXT_VM_H */
