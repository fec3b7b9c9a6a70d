// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs with encrypted memory, from outside KVM.
 *
 * Why it matters: when the MMU notifier has removed mappings of such a VM, KVM writes
 * back the caches of the whole host, for the pages may be given to somebody else and lines
 * of theirs still be there with the VM's key (sev_guest_memory_reclaimed() in kvm_amd). To
 * clear an accessed bit by the notifier does not end in that, nor does it in the log.
 *
 * What has memory that only the guest can reach says so in a header of KVM's (SEV-SNP, TDX).
 * SEV and SEV-ES are known to kvm_amd alone, but one of its ioctls tells: to forget a region
 * of encrypted memory is refused with ENOTTY for all other VMs, and for these with EINVAL
 * if there is no such region. An empty one there cannot be. So nothing is changed, and no
 * firmware is asked. KVM serves only tasks that have the VMM's memory, and reads the
 * argument from there: a kernel worker borrows that, and maps a page of ours in it meanwhile.
 * One of the VMM's would be the VM's to pay for, and a userfaultfd could keep the worker.
 */
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include "encrypted.h"
#include "log-buffer.h"
#include "vm.h"

struct question {
	struct work_struct work;
	struct kx_vm *vm;
	long answer;
};

/*
 * What KVM says to a region that is none, asked as any task asks: the file need not be
 * interposed, and if it is, that ioctl concerns no interposer. The task has the VMM's memory.
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

/* Without such hardware a test build takes KVM's answer for the other one. */
static long encrypted_answer(const struct question *q)
{
#ifdef KVM_EXT_TEST_ENCRYPTED
	if (q->answer == -ENOTTY)
		return -EINVAL;
#endif
	return q->answer;
}

int kx_vm_is_encrypted(struct kx_vm *vm)
{
	struct question q = { .vm = vm };
	long answer;

	if (kx_has_private_memory(vm->kvm))
		return 1;
	/* Intel's only way of encryption is the one above. */
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
