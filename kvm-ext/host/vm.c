// SPDX-License-Identifier: GPL-2.0-only
/* From a VM's file to struct kvm, for one session at a time. */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <kvm-ext/uapi.h>

#include "log-mode.h"
#include "slots.h"
#include "vm.h"

/* All VMs with a session. vms_lock is innermost: no lock is taken under it. */
static DEFINE_MUTEX(vms_lock);
static LIST_HEAD(all_vms);
static unsigned int nr_vms;

/*
 * Is @file a KVM VM? KVM's own test (file_is_kvm) is not exported to other modules since 6.18. User
 * space cannot choose the name of an anonymous inode, and no other part of the kernel uses this
 * name. In some kernels (6.1) KVM's file operations have no owner.
 */
static bool vm_is_kvms(const struct file *file)
{
	const struct module *owner = file->f_op->owner;

	return file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       !strcmp(file->f_path.dentry->d_name.name, "kvm-vm") &&
	       (!owner || strstarts(owner->name, "kvm"));
}

static int vm_claim(struct kx_vm *vm)
{
	struct kx_vm *other;
	int err = 0;

	mutex_lock(&vms_lock);
	list_for_each_entry(other, &all_vms, link) {
		if (other->kvm == vm->kvm)
			err = -EBUSY;
	}
	if (!err) {
		list_add(&vm->link, &all_vms);
		nr_vms++;
	}
	mutex_unlock(&vms_lock);
	return err;
}

static void vm_unclaim(struct kx_vm *vm)
{
	mutex_lock(&vms_lock);
	list_del(&vm->link);
	nr_vms--;
	mutex_unlock(&vms_lock);
}

/* Called when the VMM's address space ends, and by mmu_notifier_unregister(). */
static void vm_mm_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct kx_vm *vm = container_of(mn, struct kx_vm, mn);

	if (READ_ONCE(vm->detaching))
		return;
	WRITE_ONCE(vm->gone, true);
	vm->on_gone(vm);
}

static const struct mmu_notifier_ops vm_mn_ops = {
	.release = vm_mm_release,
};

static int vm_watch_mm(struct kx_vm *vm)
{
	struct mm_struct *mm = vm->kvm->mm;
	int err;

	if (!mmget_not_zero(mm))
		return -ESRCH;
	vm->mn.ops = &vm_mn_ops;
	err = mmu_notifier_register(&vm->mn, mm);
	/* If this task was the last user of the address space, vm_mm_release() runs here. */
	mmput(mm);
	return err;
}

int kx_vm_attach(struct kx_vm *vm, int fd)
{
	int err = -EINVAL;

	vm->file = fget(fd);
	if (!vm->file)
		return -EBADF;
	if (!vm_is_kvms(vm->file))
		goto put_file;
	vm->kvm = vm->file->private_data;
	err = vm_claim(vm);
	if (err)
		goto put_file;
	err = vm_watch_mm(vm);
	if (err)
		goto unclaim;
	return 0;

unclaim:
	vm_unclaim(vm);
put_file:
	fput(vm->file);
	return err;
}

void kx_vm_detach(struct kx_vm *vm)
{
	WRITE_ONCE(vm->detaching, true);
	/* Waits for a running vm_mm_release(). */
	mmu_notifier_unregister(&vm->mn, vm->kvm->mm);
	kx_excluded_drop(&vm->excluded, vm);
	vm_unclaim(vm);
	fput(vm->file);
}

unsigned int kx_vm_count(void)
{
	return READ_ONCE(nr_vms);
}

u32 kx_cpu_vendor(void)
{
	if (boot_cpu_has(X86_FEATURE_VMX))
		return KVM_EXT_VENDOR_INTEL;
	if (boot_cpu_has(X86_FEATURE_SVM))
		return KVM_EXT_VENDOR_AMD;
	return KVM_EXT_VENDOR_OTHER;
}

/*
 * The role of a vCPU's root shows whether KVM uses nested paging: such a root is direct and has
 * four or five levels, from the creation of the vCPU on. With shadow paging a root is also direct
 * while the guest's paging is off, but has three levels.
 */
void kx_vm_paging(struct kvm *kvm, struct kx_vm_paging *out)
{
	union kvm_mmu_page_role role;
	struct kvm_vcpu *vcpu;
	unsigned long i;

	*out = (struct kx_vm_paging){ .paging = KVM_EXT_PAGING_UNKNOWN, .ad_bits = ~0u };
	kvm_for_each_vcpu(i, vcpu, kvm) {
		role.word = READ_ONCE(vcpu->arch.root_mmu.root_role.word);
		if (!role.direct || role.level < 4)
			out->paging = KVM_EXT_PAGING_SHADOW;
		else if (boot_cpu_has(X86_FEATURE_VMX))
			out->paging = KVM_EXT_PAGING_EPT;
		else
			out->paging = KVM_EXT_PAGING_NPT;
		out->root_level = role.level;
		out->ad_bits = !role.ad_disabled;
		return;
	}
}

static u64 vm_sum_exits(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	u64 sum = 0;

	kvm_for_each_vcpu(i, vcpu, kvm)
		sum += READ_ONCE(vcpu->stat.exits);
	return sum;
}

int kx_vm_info(struct kx_vm *vm, struct kvm_ext_vm *info)
{
	struct kvm *kvm = vm->kvm;
	struct kx_slots slots = {};
	struct kx_vm_paging paging;
	int err;

	err = kx_slots_take_all(&slots, vm);
	if (err)
		return err;
	kx_vm_paging(kvm, &paging);
	info->vcpus = atomic_read(&kvm->online_vcpus);
	info->memslots = slots.memslots;
	info->ram_pages = slots.ram_pages;
	info->last_gfn = slots.last_gfn;
	info->paging = paging.paging;
	info->root_level = paging.root_level;
	info->ad_bits = paging.ad_bits;
	info->address_spaces = kx_nr_address_spaces(kvm);
	info->mapped_4k = atomic64_read(&kvm->stat.pages_4k);
	info->mapped_2m = atomic64_read(&kvm->stat.pages_2m);
	info->mapped_1g = atomic64_read(&kvm->stat.pages_1g);
	info->exits = vm_sum_exits(kvm);
	info->remote_tlb_flushes = READ_ONCE(kvm->stat.generic.remote_tlb_flush);
	info->log_mechanism = kx_log_mechanism(kvm);
	info->log_mode = kx_log_mode(kvm);
	info->logged_pages = slots.logged_pages;
	kx_slots_drop(&slots);
	return 0;
}
