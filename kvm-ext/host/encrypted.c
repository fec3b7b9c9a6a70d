// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs with encrypted memory, seen from outside KVM.
 *
 * Why this matters: when the MMU notifier removes mappings of such a VM, KVM writes back the caches
 * of the whole host, because the pages may get another owner while cache lines with the VM's key
 * still exist (sev_guest_memory_reclaimed() in kvm_amd). Clearing an accessed bit through the
 * notifier does not lead to this, and the dirty log does not either.
 *
 * For memory that only the guest can access (SEV-SNP, TDX), an inline function of KVM's headers
 * gives the answer. For SEV and SEV-ES only kvm_amd knows, but one of its ioctls shows it: a
 * request to unregister a region of encrypted memory fails with ENOTTY for all other VMs, and with
 * EINVAL for these VMs if there is no such region. An empty region cannot exist. So the request
 * changes nothing and uses no firmware. KVM serves only tasks that use the VMM's memory, and reads
 * the argument from that memory. So a kernel worker borrows the memory and maps a page of this
 * module in it meanwhile. A page of the VMM would be charged to the VM, and a userfaultfd could
 * block the worker.
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
 * KVM's answer for a region that does not exist. The request takes the way of every task: the file
 * need not be interposed, and if it is, this ioctl concerns no interposer. The caller uses the
 * VMM's memory.
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

/* A test build, which runs without such hardware, takes the answer of other VMs for EINVAL. */
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
	/* Intel's only encryption of this kind has private memory. */
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
