// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sees a VM's ioctls before KVM does, by replacing the operations of the VM's file.
 *
 * Why not a kprobe on KVM's function: the handler of a kprobe may not sleep. It sees that the VMM
 * is about to use the dirty log, but cannot delay the VMM until the log is given back. Nor can it
 * prevent that the VMM changes a memslot between the moment when this module reads the memslot and
 * this module's own ioctl, which specifies the memslot completely: the ioctl would create a memslot
 * again that the VMM has just deleted. With replaced operations, the VMM's ioctls and this module's
 * exclude each other, on every kernel, with and without kprobes.
 *
 * The cost: each ioctl on the file of an interposed VM searches a list. KVM_RUN does not, because
 * vCPUs have files of their own. What does not work while a VM is interposed: where one VM is made
 * from another (SEV's move and copy of an encryption context), KVM recognises the file of the other
 * VM by its operations, and refuses a file with replaced operations.
 *
 * A task may sleep in KVM without a time limit while a function of this module is on the task's
 * stack. Meanwhile the task holds a reference to this module, which therefore stays loaded, and, if
 * the call concerned an interposer, a reference to this interposer. It holds nothing that the
 * session of another VM needs.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>

#include "interpose.h"
#include "suspects.h"

static DEFINE_MUTEX(interposers_lock);
static LIST_HEAD(interposers);		/* changed under interposers_lock, read under RCU */
DEFINE_STATIC_SRCU(inside_srcu);	/* held by every task in interpose_ioctl() */

/*
 * KVM has one set of operations for the files of all VMs, and stays loaded while one of these files
 * is open. So these two variables change only while no VM is interposed, and get other values only
 * if KVM was unloaded and loaded again.
 */
static const struct file_operations *kvm_fops;	/* NULL: no VM was interposed yet */
static struct file_operations our_fops;

/*
 * Files whose operations other code has replaced after this module had replaced them: that code
 * still calls this module's operations. Each such file holds a reference to this module, until the
 * file is found to have this module's or KVM's operations again.
 */
struct stuck_file {
	struct list_head link;
	const struct file *file;	/* only its address is compared: the file may be closed */
};

static LIST_HEAD(stuck_files);		/* under interposers_lock */

static long interpose_call(long (*ioctl)(struct file *, unsigned int, unsigned long),
			   struct file *file, unsigned int cmd, unsigned long arg)
{
	return ioctl ? ioctl(file, cmd, arg) : -ENOTTY;
}

/* The file's own operations are not called: they may be those of other code, which calls ours. */
long kx_kvm_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool compat)
{
	return interpose_call(compat ? kvm_fops->compat_ioctl : kvm_fops->unlocked_ioctl,
			      file, cmd, arg);
}

/* The caller holds the RCU read lock or interposers_lock, which the loop asserts. */
static struct kx_interposer *interpose_find(const struct file *file)
{
	struct kx_interposer *i;

	list_for_each_entry_rcu(i, &interposers, link, lockdep_is_held(&interposers_lock)) {
		if (i->file == file)
			return i;
	}
	return NULL;
}

/* --- the file's operations ------------------------------------------------------ */

static bool interpose_is_of_concern(const struct file *file, unsigned int cmd)
{
	struct kx_interposer *i;
	bool of_concern;

	rcu_read_lock();
	i = interpose_find(file);
	if (i)
		kx_suspects_acquit(i);
	/* KVM serves only tasks that use the VMM's memory. */
	of_concern = i && i->mm == current->mm && i->concerns(cmd);
	rcu_read_unlock();
	return of_concern;
}

static struct kx_interposer *interpose_get(const struct file *file)
{
	struct kx_interposer *i;

	rcu_read_lock();
	i = interpose_find(file);
	if (i && !refcount_inc_not_zero(&i->users))
		i = NULL;
	rcu_read_unlock();
	return i;
}

static void interpose_put(struct kx_interposer *i)
{
	if (refcount_dec_and_test(&i->users))
		complete(&i->unused);
}

/*
 * No reference to an interposer is held while @words are read from user memory, because the VMM may
 * make this take long.
 */
static long interpose_watched_ioctl(struct file *file, unsigned int cmd, unsigned long arg,
				    bool compat)
{
	struct kx_vm_call vm_call = { .cmd = cmd };
	struct kx_interposer *i;
	long ret;

	if (copy_from_user(vm_call.words, (void __user *)arg, sizeof(vm_call.words)))
		return -EFAULT;
	i = interpose_get(file);
	ret = i ? i->before(i, &vm_call) : 0;
	if (i && ret) {
		interpose_put(i);
		i = NULL;
		if (ret != -ESHUTDOWN)
			return ret;
	}
	ret = kx_kvm_ioctl(file, cmd, arg, compat);
	if (i) {
		i->after(i, &vm_call);
		interpose_put(i);
	}
	return ret;
}

static long interpose_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool compat)
{
	/* Fails only while the module is unloaded: its exit then waits for inside_srcu. */
	bool held = try_module_get(THIS_MODULE);
	int idx;
	long ret;

	idx = srcu_read_lock(&inside_srcu);
	if (interpose_is_of_concern(file, cmd))
		ret = interpose_watched_ioctl(file, cmd, arg, compat);
	else
		ret = kx_kvm_ioctl(file, cmd, arg, compat);
	srcu_read_unlock(&inside_srcu, idx);
	if (held)
		module_put(THIS_MODULE);
	return ret;
}

static long interpose_native_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return interpose_ioctl(file, cmd, arg, false);
}

static long interpose_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return interpose_ioctl(file, cmd, arg, true);
}

/* --- replacing the operations ----------------------------------------------------- */

static bool interpose_has_name(const void *address, const char *name)
{
	char text[KSYM_SYMBOL_LEN];

	/* "kvm_vm_ioctl [kvm]"; a compiler may have added a suffix to the name. */
	snprintf(text, sizeof(text), "%ps", address);
	return strstarts(text, name);
}

/* The names of the symbols are compared, because KVM exports neither symbol. */
static bool interpose_are_kvms(const struct file_operations *fops)
{
	if (IS_ENABLED(CONFIG_KALLSYMS_ALL) && !interpose_has_name(fops, "kvm_vm_fops"))
		return false;
	return !IS_ENABLED(CONFIG_KALLSYMS) ||
	       interpose_has_name(fops->unlocked_ioctl, "kvm_vm_ioctl");
}

/* Called while no file is interposed. */
static void interpose_copy_operations(const struct file_operations *fops)
{
	lockdep_assert_held(&interposers_lock);
	kvm_fops = fops;
	our_fops = *fops;	/* including the owner: the file's reference to the owner stays */
	our_fops.unlocked_ioctl = interpose_native_ioctl;
	if (our_fops.compat_ioctl)
		our_fops.compat_ioctl = interpose_compat_ioctl;
}

/* True if the file was stuck. */
static bool interpose_forget_stuck(const struct file *file)
{
	struct stuck_file *s;

	lockdep_assert_held(&interposers_lock);
	list_for_each_entry(s, &stuck_files, link) {
		if (s->file == file) {
			list_del(&s->link);
			kfree(s);
			return true;
		}
	}
	return false;
}

/* Without memory for the entry of the list, the module stays loaded until the next boot. */
static void interpose_note_stuck(const struct file *file)
{
	struct stuck_file *s;

	lockdep_assert_held(&interposers_lock);
	if (interpose_forget_stuck(file))
		module_put(THIS_MODULE);
	__module_get(THIS_MODULE);
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (s) {
		s->file = file;
		list_add(&s->link, &stuck_files);
	}
	pr_warn_ratelimited("kvm-ext: %ps has replaced the operations of a VM file after this module: they are left as they are, and this module stays loaded until the file has the module's or KVM's operations again and the VM is tracked once more\n",
			    READ_ONCE(file->f_op)->unlocked_ioctl);
}

static int interpose_begin(struct kx_interposer *self)
{
	const struct file_operations *fops;
	int err = 0;

	mutex_lock(&interposers_lock);
	fops = READ_ONCE(self->file->f_op);
	if (fops != &our_fops && !interpose_are_kvms(fops))
		err = -EBUSY;
	else if (fops != &our_fops && list_empty(&interposers))
		interpose_copy_operations(fops);
	else if (fops != &our_fops && fops != kvm_fops)
		err = -EBUSY;
	if (!err) {
		/* A stuck file had this address, or this file has its operations again. */
		if (interpose_forget_stuck(self->file))
			module_put(THIS_MODULE);
		refcount_set(&self->users, 1);
		init_completion(&self->unused);
		list_add_rcu(&self->link, &interposers);
		/* A task that sees our_fops in the file sees its content and the list's entry. */
		smp_store_release(&self->file->f_op, &our_fops);
	}
	mutex_unlock(&interposers_lock);
	return err;
}

int kx_interpose(struct kx_interposer *self)
{
	int err;

	if (!self->begun) {
		err = interpose_begin(self);
		if (err)
			return err;
		self->begun = true;
		/*
		 * A task writes its registers to its stack and then reads the file's operations.
		 * This function has written the operations and reads the stacks below. During the
		 * grace period each CPU executes a full barrier, or does so when it leaves an
		 * extended quiescent state. So if a task has read the old operations, its registers
		 * are visible on its stack. This interrupts no CPU, in particular no isolated CPU.
		 */
		synchronize_rcu();
	}
	if (self->settled)
		return 0;
	err = kx_suspects_settle(self);
	self->settled = !err;
	return err;
}

void kx_interpose_end(struct kx_interposer *self)
{
	if (!self->begun)
		return;
	mutex_lock(&interposers_lock);
	if (cmpxchg(&self->file->f_op, &our_fops, kvm_fops) != &our_fops)
		interpose_note_stuck(self->file);
	list_del_rcu(&self->link);
	mutex_unlock(&interposers_lock);
	/* Waits for tasks that have found the interposer and have not taken a reference yet. */
	synchronize_rcu();
	interpose_put(self);
	wait_for_completion(&self->unused);
	kx_suspects_drop(self);
	self->begun = false;
	self->settled = false;
	self->listed = false;
}

/*
 * A task may have read the address of this module's function and not have entered inside_srcu yet,
 * or may have left inside_srcu and not have returned yet. In both places the task does not sleep
 * voluntarily, so synchronize_rcu_tasks() waits for it. A task that sleeps in KVM holds a reference
 * to this module, which then is not unloaded.
 */
void kx_interpose_exit(void)
{
	if (!kvm_fops)
		return;
	synchronize_rcu_tasks();
	synchronize_srcu(&inside_srcu);
	synchronize_rcu_tasks();
}
