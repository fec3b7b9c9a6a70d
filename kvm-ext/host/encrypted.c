// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs with encrypted memory, seen from outside KVM.
 *
 * Why this matters: when the MMU notifier removes mappings of such a VM, KVM writes back the caches
 * of the whole host, because the pages may get another owner while cache lines with the VM's key
 * still exist (sev_guest_memory_reclaimed() in kvm_amd). Neither clearing an accessed bit through
 * the notifier nor the dirty log leads to a write-back.
 *
 * An inline function of KVM's headers tells whether a VM has memory that only the guest can access
 * (SEV-SNP, TDX). Only kvm_amd knows of SEV and SEV-ES, but one of its ioctls shows them: a request
 * to unregister a region of encrypted memory that does not exist fails with EINVAL for these VMs,
 * and with ENOTTY for all others. The request is for an empty region, which cannot exist, so it
 * changes nothing and uses no firmware. KVM serves only tasks that use the VMM's address space, and
 * reads the argument there. So a kernel worker uses the address space meanwhile, and maps a page of
 * this module in it. If the argument were in a page of the VMM, the VM's cgroup would be charged
 * for the page, and a userfaultfd could block the worker.
 */
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include "encrypted.h"
#include "log-buffer.h"
#include "test-build.h"
#include "vm.h"

struct question {
	struct work_struct work;
	struct kx_vm *vm;
	long answer;
};

/*
 * KVM's answer for a region that does not exist. The ioctl goes through the operations of the file,
 * because kx_kvm_ioctl() needs an interposed file; if the file is interposed, this ioctl concerns
 * no interposer. The caller uses the VMM's address space.
 */
static long encrypted_forget_no_region(struct file *file)
{
	struct kx_log_buffer *none = kx_log_buffer_new(sizeof(struct kvm_enc_region));
	long ret;

	if (!none)
		return -ENOMEM;
	ret = kx_log_buffer_map(none);
	if (!ret)
		ret = file->f_op->unlocked_ioctl(file, KVM_MEMORY_ENCRYPT_UNREG_REGION,
						 READ_ONCE(none->address));
	kx_log_buffer_unmap(none);
	kx_log_buffer_put(none);
	return ret;
}

static void encrypted_ask(struct work_struct *work)
{
	struct question *q = container_of(work, struct question, work);
	struct mm_struct *mm = q->vm->kvm->mm;

	q->answer = -ENODEV;
	if (!mmget_not_zero(mm))
		return;
	kthread_use_mm(mm);
	q->answer = encrypted_forget_no_region(q->vm->file);
	kthread_unuse_mm(mm);
	mmput(mm);
}

/* A test build can replace the answer for VMs without encryption by the answer for SEV. */
static long encrypted_answer(const struct question *q)
{
	if (kx_test(encrypted) && q->answer == -ENOTTY)
		return -EINVAL;
	return q->answer;
}

int kx_vm_is_encrypted(struct kx_vm *vm)
{
	struct question q = { .vm = vm };
	long answer;

	if (kx_has_private_memory(vm->kvm))
		return 1;
	/* On Intel's CPUs, all VMs with encrypted memory (TDX) have private memory. */
	if (!boot_cpu_has(X86_FEATURE_SVM))
		return 0;
	INIT_WORK_ONSTACK(&q.work, encrypted_ask);
	queue_work(system_long_wq, &q.work);
	flush_work(&q.work);
	destroy_work_on_stack(&q.work);
	answer = encrypted_answer(&q);
	switch (answer) {
	case -ENOTTY:
		return 0;
	case -EINVAL:
		return 1;
	default:
		return answer < 0 ? answer : -EIO;
	}
}
