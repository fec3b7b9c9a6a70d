// SPDX-License-Identifier: GPL-2.0-only
/*
 * Seeing a VM's ioctls before KVM does, by giving its file other operations.
 *
 * Why not a probe on KVM's function: a probe may not sleep, so it can tell that
 * the VMM is about to use the dirty log but not hold it back until the log has
 * been put in order, and it cannot keep the VMM from changing a memslot between
 * our look at it and our own ioctl, which names the slot by all it consists of
 * and would create one that the VMM has just deleted. Here the VMM's ioctl and
 * ours exclude each other, on every kernel, with and without kprobes.
 *
 * What it costs: an ioctl on the file of an interposed VM takes a list lookup
 * more (KVM_RUN is not one: vCPUs have files of their own). What it breaks:
 * KVM tells its VM files by their operations where one VM is made from another
 * (SEV's move and copy of an encryption context): refused while interposed.
 */
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/smp.h>
#include <linux/srcu.h>
#include <asm/ptrace.h>

#include "interpose.h"

static DEFINE_MUTEX(interposers_lock);
static LIST_HEAD(interposers);		/* changed under the lock, read under the srcu */
DEFINE_STATIC_SRCU(interpose_srcu);	/* held by every task that is in vm_ioctl() */

/*
 * KVM has one set of operations for all its VMs' files, and is not unloaded as
 * long as one of these is open. So both of these change only while no VM is
 * interposed, and to the same values again unless KVM was loaded anew.
 */
static const struct file_operations *kvm_fops;	/* NULL: never was one */
static struct file_operations our_fops;

static long call(long (*ioctl)(struct file *, unsigned int, unsigned long),
		 struct file *file, unsigned int cmd, unsigned long arg)
{
	return ioctl ? ioctl(file, cmd, arg) : -ENOTTY;
}

long kx_kvm_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool compat)
{
	const struct file_operations *fops = READ_ONCE(file->f_op);

	if (fops == &our_fops)
		fops = kvm_fops;
	return call(compat ? fops->compat_ioctl : fops->unlocked_ioctl, file, cmd, arg);
}

/* Caller holds the srcu, or the lock. */
static struct kx_interposer *find(struct file *file)
{
	struct kx_interposer *i;

	list_for_each_entry_srcu(i, &interposers, link,
				 srcu_read_lock_held(&interpose_srcu) ||
				 lockdep_is_held(&interposers_lock)) {
		if (i->file == file)
			return i;
	}
	return NULL;
}

/* --- tasks that came in by KVM's own operations ------------------------------ */

/* How long a task may be in one of the ioctls that matter before we give up. */
#define SETTLE_MS	50

/* The ABI's numbers of ioctl(2), x86-64 and i386. */
#define NATIVE_IOCTL	16
#define COMPAT_IOCTL	54

/*
 * True if @task's last system call was an ioctl that matters. What a task left
 * on its stack when it returned from one looks the same; its next system call
 * overwrites that. Caller holds the RCU read lock.
 */
static bool seen_in_ioctl(struct task_struct *task, bool (*concerns)(unsigned int cmd))
{
	const void *stack = READ_ONCE(task->stack);
	const struct pt_regs *regs;

	/* An exiting task gives up its stack, which RCU keeps mapped. */
	if (!stack || task == current)
		return false;
	regs = (const struct pt_regs *)(stack + THREAD_SIZE - TOP_OF_KERNEL_STACK_PADDING) - 1;
	if (task_thread_info(task)->status & TS_COMPAT)
		return READ_ONCE(regs->orig_ax) == COMPAT_IOCTL && concerns(regs->cx);
	return READ_ONCE(regs->orig_ax) == NATIVE_IOCTL && concerns(regs->si);
}

static int find_suspects(struct kx_interposer *self, struct mm_struct *mm,
			 bool (*concerns)(unsigned int cmd))
{
	struct task_struct *process, *task;
	int n = 0;

	rcu_read_lock();
	for_each_process(process) {
		if (READ_ONCE(process->mm) != mm)
			continue;
		for_each_thread(process, task) {
			if (!seen_in_ioctl(task, concerns))
				continue;
			if (n < KX_SUSPECTS_MAX)
				self->suspects[n] = get_task_struct(task);
			n++;
		}
	}
	rcu_read_unlock();
	return n <= KX_SUSPECTS_MAX ? 0 : -EAGAIN;
}

static void clear_suspect(struct kx_interposer *self, int i, struct task_struct *task)
{
	if (cmpxchg(&self->suspects[i], task, NULL) == task)
		put_task_struct(task);
}

/* Who comes in by our operations has left KVM's. */
static void acquit_current(struct kx_interposer *self)
{
	int i;

	for (i = 0; i < KX_SUSPECTS_MAX; i++) {
		if (READ_ONCE(self->suspects[i]) == current)
			clear_suspect(self, i, current);
	}
}

static bool suspects_left(struct kx_interposer *self, bool (*concerns)(unsigned int cmd))
{
	struct task_struct *task;
	bool left = false;
	int i;

	for (i = 0; i < KX_SUSPECTS_MAX; i++) {
		/* Only this thread takes one off whose task is another. */
		rcu_read_lock();
		task = READ_ONCE(self->suspects[i]);
		if (task && seen_in_ioctl(task, concerns))
			left = true;
		else if (task)
			clear_suspect(self, i, task);
		rcu_read_unlock();
	}
	return left;
}

static void drop_suspects(struct kx_interposer *self)
{
	struct task_struct *task;
	int i;

	for (i = 0; i < KX_SUSPECTS_MAX; i++) {
		task = xchg(&self->suspects[i], NULL);
		if (task)
			put_task_struct(task);
	}
}

/* 0 once nobody can be in KVM that did not come in through vm_ioctl(). */
static int settle(struct kx_interposer *self, struct mm_struct *mm,
		  bool (*concerns)(unsigned int cmd))
{
	int err, ms = 0;

	err = find_suspects(self, mm, concerns);
	while (!err && suspects_left(self, concerns)) {
		if (ms++ == SETTLE_MS)
			err = -EAGAIN;
		else
			usleep_range(500, 1000);
	}
	drop_suspects(self);
	return err;
}

/* --- the file's operations ------------------------------------------------------ */

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool compat)
{
	struct kx_interposer *i;
	int idx;
	long ret;

	idx = srcu_read_lock(&interpose_srcu);
	i = find(file);
	if (i)
		acquit_current(i);
	ret = i ? i->ioctl(i, cmd, arg, compat) : kx_kvm_ioctl(file, cmd, arg, compat);
	srcu_read_unlock(&interpose_srcu, idx);
	return ret;
}

static long vm_native_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return vm_ioctl(file, cmd, arg, false);
}

static long vm_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return vm_ioctl(file, cmd, arg, true);
}

/* Caller holds the lock, and no file is interposed. */
static void copy_operations(const struct file_operations *fops)
{
	kvm_fops = fops;
	our_fops = *fops;	/* the owner, too: the file's reference to it is not ours */
	our_fops.unlocked_ioctl = vm_native_ioctl;
	if (our_fops.compat_ioctl)
		our_fops.compat_ioctl = vm_compat_ioctl;
}

static int begin(struct kx_interposer *self)
{
	int err = 0;

	mutex_lock(&interposers_lock);
	if (list_empty(&interposers))
		copy_operations(self->file->f_op);
	if (self->file->f_op != kvm_fops) {
		err = -EBUSY;
	} else {
		list_add_rcu(&self->link, &interposers);
		/* What the list and the copy hold comes before the pointer to it. */
		smp_store_release(&self->file->f_op, &our_fops);
	}
	mutex_unlock(&interposers_lock);
	return err;
}

int kx_interpose(struct kx_interposer *self, struct mm_struct *mm,
		 bool (*concerns)(unsigned int cmd))
{
	int err;

	err = begin(self);
	if (err)
		return err;
	/*
	 * A task writes its registers to its stack and then reads the file's
	 * operations; we wrote these and then read the stack. With this between, a
	 * task that still read the old ones is one that we see.
	 */
	kick_all_cpus_sync();
	err = settle(self, mm, concerns);
	if (err)
		kx_interpose_end(self);
	return err;
}

void kx_interpose_end(struct kx_interposer *self)
{
	mutex_lock(&interposers_lock);
	WRITE_ONCE(self->file->f_op, kvm_fops);
	list_del_rcu(&self->link);
	mutex_unlock(&interposers_lock);
	synchronize_srcu(&interpose_srcu);
}

/*
 * A task may have read the address of our function and not be in the srcu yet,
 * or have left the srcu and not yet returned. On neither way does it sleep of
 * its own will, which is what the first and the last wait for.
 */
void kx_interpose_exit(void)
{
	if (!kvm_fops)
		return;
	synchronize_rcu_tasks();
	synchronize_srcu(&interpose_srcu);
	synchronize_rcu_tasks();
}
