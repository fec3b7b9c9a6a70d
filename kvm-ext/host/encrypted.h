/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVM_EXT_ENCRYPTED_H
#define KVM_EXT_ENCRYPTED_H

struct kx_vm;

/**
 * kx_vm_is_encrypted() - is a VM's memory encrypted in any way that KVM supports?
 * @vm: the VM
 *
 * The answer 0 is valid until another VM's encryption context is moved into this VM, which KVM
 * allows as long as this VM has no encryption context.
 *
 * Context: may sleep, for as long as another task holds locks of the VMM's address space or of the
 * VM.
 * Return: 1; 0; or an error if KVM could not be asked: -ENODEV: the VMM is gone; -ENOMEM; -EIO; or
 * an error of mmap().
 */
int kx_vm_is_encrypted(struct kx_vm *vm);

#endif /* KVM_EXT_ENCRYPTED_H */
